//! Session descriptions of whoever asks for the picture.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: gstreamer::init().expect("GStreamer is installed"),
    |text: &str| signpost::sessions::fuzzing::offer(text)
);
