//! Tests of the archive reader: what is no bundle leaves nothing outside its folder.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::fs;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::Header;

use super::*;

/// An entry with any name and type, which the library would refuse to write.
fn entry(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o4777);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(name, EntryType::Regular, content)
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Names and contents, by name.
type Files = Vec<(String, Vec<u8>)>;

/// Unpacks into a folder of a folder; what is in the inner one, and whether the outer one
/// was left alone.
fn unpacked(bytes: &[u8]) -> (Result<(), String>, Files) {
    let outer = tempfile::tempdir().unwrap();
    let into = outer.path().join("in");
    fs::create_dir(&into).unwrap();
    let result = unpack(bytes, &into).map_err(|error| error.to_string());
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1, "something got out");
    let mut files: Files = fs::read_dir(&into)
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            assert!(file.file_type().unwrap().is_file());
            (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
        })
        .collect();
    files.sort();
    (result, files)
}

fn refusal(entries: &[Vec<u8>]) -> String {
    unpacked(&archive(entries)).0.unwrap_err()
}

#[test]
fn files_come_out_with_and_without_a_folder_and_gzip() {
    let expected = vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), vec![7; 2000])];
    for folder in ["", "./", "bundle/", "./bundle/"] {
        let directory = entry("bundle/", EntryType::Directory, b"");
        let attributes = entry("x", EntryType::XHeader, b"11 path=../b\n");
        let (a, b) = (format!("{folder}a"), format!("{folder}b"));
        let all = archive(&[directory, file(&a, b"1"), attributes, file(&b, &[7; 2000])]);
        for bytes in [gzip(&all), all] {
            let (result, files) = unpacked(&bytes);
            assert_eq!((result, &files), (Ok(()), &expected), "{folder}");
        }
    }
}

#[test]
fn what_is_packed_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.toml"), "x").unwrap();
    fs::write(folder.path().join("notes.txt"), "not asked for").unwrap();
    let mut bytes = Vec::new();
    assert!(pack(folder.path(), ["gone.tflite"], &mut Vec::new()).is_err());
    pack(folder.path(), ["manifest.toml"], &mut bytes).unwrap();
    assert_eq!(unpacked(&bytes).1, [("manifest.toml".to_owned(), b"x".to_vec())]);
}

#[test]
fn names_that_lead_away_are_refused() {
    for name in ["../a", "/etc/a", "a/../../b", "x/y/a", "..", ".", "a\nb"] {
        let told = refusal(&[file(name, b"1")]);
        assert!(told.contains("file names are plain"), "{name:?}: {told}");
    }
    assert!(refusal(&[file("x/a", b"1"), file("y/b", b"1")]).contains("\"y/b\""));
    assert!(refusal(&[file("x/a", b"1"), file("b", b"1")]).contains("\"b\""));
}

#[test]
fn links_and_devices_are_refused() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNUSparse,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::new(b'?'),
    ] {
        let told = refusal(&[entry("a", kind, b"")]);
        assert!(told.contains("no plain file"), "{kind:?}: {told}");
    }
}

#[test]
fn a_file_that_stands_there_twice_is_refused() {
    assert!(refusal(&[file("a", b"1"), file("./a", b"2")]).ends_with("\"./a\" twice"));
}

#[test]
fn bombs_are_refused_by_what_they_claim_and_by_what_they_are() {
    let mut claims = file("a", b"");
    let mut header = Header::new_ustar();
    header.set_path("a").unwrap();
    header.set_size(2 << 30);
    header.set_cksum();
    claims[..512].copy_from_slice(header.as_bytes());
    assert!(refusal(&[claims]).contains("64 MiB in one file"));

    let many: Vec<_> = (0..300).map(|n| file(&format!("f{n}"), b"")).collect();
    assert!(refusal(&many).contains("256 entries"));

    // 300 MiB of nothing in 300 kB, as a header that has to be skipped.
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_path("x").unwrap();
    header.set_size(300 << 20);
    header.set_cksum();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(header.as_bytes()).unwrap();
    let block = vec![0; 1 << 20];
    (0..300).for_each(|_| encoder.write_all(&block).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 2 << 20);
    let (result, files) = unpacked(&bomb);
    assert!(result.is_err() && files.is_empty(), "{result:?}");

    let block = vec![0; 60 << 20];
    let two = archive(&[file("a", &block), file("b", &block)]);
    assert!(unpacked(&gzip(&two)).0.unwrap_err().contains("96 MiB of files"));
}

#[test]
fn what_is_cut_off_or_no_archive_is_refused() {
    let whole = archive(&[file("a", &[1; 3000]), file("b", &[2; 3000])]);
    for bytes in [&whole[..700], &whole[..4000], &gzip(&whole)[..40], b"", b"PK\x03\x04", &GZIP] {
        assert!(unpacked(bytes).0.is_err(), "{} bytes", bytes.len());
    }
    assert!(unpacked(&[0; 1024]).0.unwrap_err().contains("empty"));
}

#[test]
fn a_full_disk_is_told_as_such() {
    let bytes = archive(&[file("a", b"1")]);
    let told = unpack(&bytes[..], Path::new("/nowhere")).unwrap_err();
    assert!(matches!(told, ArchiveError::Store(_)), "{told}");
}

proptest! {
    #[test]
    fn nothing_gets_out_whatever_the_bytes_are(
        flips in prop::collection::vec((0_usize..5120, any::<u8>()), 0..20),
        packed in any::<bool>(),
    ) {
        let mut bytes = archive(&[file("b/a", &[1; 700]), entry("b/l", EntryType::Symlink, b""), file("b/c", b"x")]);
        let length = bytes.len();
        flips.iter().for_each(|(at, value)| bytes[at % length] = *value);
        let bytes = if packed { gzip(&bytes) } else { bytes };
        let (_, files) = unpacked(&bytes);
        prop_assert!(files.len() <= 2);
    }
}
