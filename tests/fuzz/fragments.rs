//! Candidates that come after the offer.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| signpost::sessions::fuzzing::fragments(text));
