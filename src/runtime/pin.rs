//! Which build of the runtime library is opened: its C interface changes between
//! patch releases without a sign.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::RuntimeError;

/// sha256 of `ai_edge_litert/libLiteRt.so` in the PyPI wheel ai-edge-litert 2.1.6.
#[cfg(target_arch = "x86_64")]
const LIBRARY_SHA256: Option<&str> =
    Some("d46eca60880d6e28c1992d136459f06ab642e30eb423bdc14d56e928f398ce19");
/// The same for 64-bit ARM (Raspberry Pi 3 to 5 with a 64-bit system).
#[cfg(target_arch = "aarch64")]
const LIBRARY_SHA256: Option<&str> =
    Some("c3e365e05249ea97d8dd6d0590df7f9bc817ff61e9610a355ff3937b72864d11");
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const LIBRARY_SHA256: Option<&str> = None;

/// Whether the file at `path` is the pinned build. It tells a wrong release from the right
/// one; who may write there can still exchange the file before it is opened.
///
/// # Errors
/// [`RuntimeError::Processor`], [`RuntimeError::Open`], [`RuntimeError::Pin`].
pub(super) fn check(path: &Path) -> Result<(), RuntimeError> {
    let expected = LIBRARY_SHA256.ok_or(RuntimeError::Processor(std::env::consts::ARCH))?;
    let bytes = std::fs::read(path)
        .map_err(|error| RuntimeError::Open { path: path.to_owned(), reason: error.to_string() })?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found != expected {
        return Err(RuntimeError::Pin { path: path.to_owned(), found, expected });
    }
    Ok(())
}
