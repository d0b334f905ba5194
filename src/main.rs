//! The `signpost` binary.
fn main() {}
