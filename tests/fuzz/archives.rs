//! Archives of bundles: whatever they hold, nothing but plain files comes out, into one folder.

#![no_main]

use std::fs;

use signpost::model::archive::{MAX_BUNDLE_BYTES, unpack};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let outer = tempfile::tempdir().expect("there is room");
    let into = outer.path().join("in");
    fs::create_dir(&into).expect("there is room");
    let unpacked = unpack(bytes, &into);
    assert_eq!(fs::read_dir(outer.path()).expect("it is there").count(), 1, "something got out");
    let files: Vec<_> = fs::read_dir(&into).expect("it is there").flatten().collect();
    assert!(unpacked.is_err() || !files.is_empty());
    let size = |file: &fs::DirEntry| file.metadata().map_or(0, |about| about.len());
    assert!(files.iter().map(size).sum::<u64>() <= MAX_BUNDLE_BYTES);
    assert!(files.iter().all(|file| file.file_type().is_ok_and(|kind| kind.is_file())));
});
