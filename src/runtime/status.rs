//! What the runtime library's calls return.

use std::ffi::c_int;

use super::RuntimeError;

/// `LiteRtStatus`.
pub(super) type Status = c_int;

/// Turns a status into an error that says what was being done.
pub(super) fn check(model: &str, step: &'static str, status: Status) -> Result<(), RuntimeError> {
    if status == 0 {
        return Ok(());
    }
    let reason = format!("{} (LiteRT status {status})", words(status));
    Err(RuntimeError::Call { model: model.to_owned(), step, reason })
}

/// `LiteRtStatus` of 2.1.6 in words; the library exports no function that gives them.
fn words(status: Status) -> &'static str {
    match status {
        1 => "an argument is not valid",
        2 => "out of memory",
        3 => "the runtime failed",
        4 => "an input is missing",
        5 => "something in it is not supported",
        6 => "something in it was not found",
        8 | 4000..=4002 => "it is of another version",
        500 => "the file cannot be read",
        501 => "it is no TensorFlow Lite model, or a damaged one",
        504 => "it cannot be prepared",
        1000..=1003 => "its graph is not sound",
        _ => "the runtime refused",
    }
}
