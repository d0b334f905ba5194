//! Renders a signer who fingerspells.
