//! What pages say and do on their data channels.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| signpost::sessions::fuzzing::conversation(bytes));
