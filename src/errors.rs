//! How an error is told: one line, from what was tried to why it failed.

use std::error::Error;

/// `error` and all of its sources, separated by colons.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // A transparent error repeats its source; the operator reads it once.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("camera front")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("/dev/video0 is busy")]
    struct Inner;

    #[test]
    fn chain_tells_every_cause_once() {
        assert_eq!(chain(&Outer(Inner)), "camera front: /dev/video0 is busy");
        let io = std::io::Error::other(Outer(Inner));
        assert_eq!(chain(&io), "camera front: /dev/video0 is busy");
    }
}
