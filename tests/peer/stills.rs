//! Pictures over HTTP, from the release binary.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::appliance::Appliance;
use crate::receiver::{PATIENCE, Seen};
use crate::{connected, eventually, is_problem};

/// Starts a stream and reads its head.
fn stream(appliance: &Appliance) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(appliance.authority()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = appliance.authority();
    write!(stream, "GET /api/v1/stream.mjpeg HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut stream = BufReader::new(stream);
    let head = lines(&mut stream);
    assert!(head[0].contains(" 200 "), "{head:?}");
    let kind = head.iter().find(|line| line.starts_with("content-type:")).unwrap();
    assert!(kind.contains("multipart/x-mixed-replace"), "{kind}");
    stream
}

/// Lines up to an empty one.
fn lines(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    let line = || {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        (!line.is_empty()).then_some(line)
    };
    std::iter::from_fn(line).collect()
}

/// The next picture of a stream.
fn picture(stream: &mut BufReader<TcpStream>) -> Vec<u8> {
    let head = lines(stream);
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut jpeg = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut jpeg).unwrap();
    stream.read_line(&mut String::new()).unwrap();
    jpeg
}

fn size(jpeg: &[u8]) -> (usize, usize) {
    let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(jpeg));
    decoder.decode().unwrap();
    decoder.dimensions().unwrap()
}

#[test]
fn a_snapshot_is_a_picture_of_the_wished_size() {
    let appliance = Appliance::start(1);
    eventually("a camera", || appliance.value("/cameras/0/state") == "live");
    let snapshot = |query: &str| appliance.bytes(&format!("/api/v1/snapshot.jpg{query}"));
    let (status, jpeg) = snapshot("");
    assert_eq!((status, size(&jpeg)), (200, (1280, 720)));
    let (status, jpeg) = snapshot("?camera=camera&width=320");
    assert_eq!((status, size(&jpeg)), (200, (320, 180)));
    assert_eq!(snapshot("?camera=cellar").0, 404);
    for wrong in ["?width=0", "?width=-1", "?height=3", "?width=99999999999"] {
        assert_eq!(snapshot(wrong).0, 400, "{wrong}");
    }
}

#[test]
fn a_stream_moves_and_has_places_and_who_reads_nothing_delays_nobody() {
    let appliance = Appliance::start(1);
    eventually("a camera", || appliance.value("/cameras/0/state") == "live");
    let (peer, _) = connected(&appliance);
    let deaf: Vec<_> = (0..3).map(|_| stream(&appliance)).collect();
    let mut reader = stream(&appliance);
    is_problem(&appliance.get("/api/v1/stream.mjpeg"), 503);
    let first = picture(&mut reader);
    assert_eq!(size(&first), (1280, 720));
    assert!((0..50).any(|_| picture(&mut reader) != first), "the picture moves");
    let mut shown = 0;
    peer.until("pictures", |seen| {
        shown += u32::from(matches!(seen, Seen::Picture(_)));
        (shown >= 30).then_some(())
    });
    drop((deaf, reader));
    eventually("a free place", || appliance.starts("/api/v1/stream.mjpeg") == 200);
}
