//! The archive itself: a gzipped tar whose first file lists the others.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::Entry;

/// The folder that everything is unpacked into.
const FOLDER: &str = "signpost-support";
/// The list.
const CONTENTS: &str = "contents.json";

/// Packs the entries that are there, behind a list of all.
///
/// # Errors
/// Never of a disk: it is made in memory, some MiB at most.
pub fn archive(entries: &[Entry], made: SystemTime) -> io::Result<Vec<u8>> {
    let made = made.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let listed: Vec<_> = entries.iter().map(Entry::listed).collect();
    let list = json!({"made": made, "entries": listed});
    let list = serde_json::to_string_pretty(&list)? + "\n";
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let there = entries.iter().filter_map(|entry| Some((entry.path, entry.content.as_ref().ok()?)));
    for (path, content) in [(CONTENTS, &list)].into_iter().chain(there) {
        let mut head = tar::Header::new_gnu();
        head.set_size(content.len() as u64);
        // Whoever unpacks it is asked for by name.
        head.set_mode(0o600);
        head.set_mtime(made);
        tar.append_data(&mut head, format!("{FOLDER}/{path}"), content.as_bytes())?;
    }
    tar.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;
    use std::io::Read as _;
    use std::time::Duration;

    use flate2::read::GzDecoder;
    use serde_json::Value;

    use super::*;
    use crate::device::redaction::Redaction;

    #[test]
    fn what_is_listed_is_what_is_there() {
        let none = Redaction::new::<&str>([]);
        let entries = [
            Entry::text("a.txt", "letters", Ok("abc\n".into()), &none),
            Entry::text("b.txt", "nothing", Err("there is none".into()), &none),
        ];
        let packed = archive(&entries, UNIX_EPOCH + Duration::from_secs(7)).unwrap();
        let mut files = BTreeMap::new();
        for file in tar::Archive::new(GzDecoder::new(&packed[..])).entries().unwrap() {
            let mut file = file.unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            files.insert(file.path().unwrap().display().to_string(), text);
        }
        let list: Value = serde_json::from_str(&files["signpost-support/contents.json"]).unwrap();
        let expected = json!({"made": 7, "entries": [
            {"path": "a.txt", "what": "letters", "bytes": 4},
            {"path": "b.txt", "what": "nothing", "absent": "there is none"}]});
        assert_eq!(list, expected);
        assert_eq!(files["signpost-support/a.txt"], "abc\n");
        assert_eq!(files.len(), 2, "{files:?}");
    }
}
