//! What the figure programs share: the data folder, photographs, references, models.

#![allow(dead_code, reason = "each program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "a program of the tests: a panic with the place is the report"
)]

pub mod words;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signpost::cascade::{Cascade, Frame, Hand, Handedness, Plane};
use signpost::model::{HandModels, Places, Wanted};
use signpost::runtime::LiteRt;

/// The frame that photographs are pasted into, as data/README.md says.
pub const WIDTH: usize = 640;
pub const HEIGHT: usize = 480;
pub const LEFT: usize = 120;
pub const TOP: usize = 40;

/// One line of landmarks.jsonl: points in pixels of the photograph.
#[derive(Serialize, Deserialize, Clone)]
pub struct Reference {
    pub hand: String,
    pub sign: String,
    pub file: String,
    pub handedness: String,
    pub landmarks: Vec<[f64; 3]>,
}

/// `$TEST_DATA_DIR`, else `../shared/data` beside the checkout; says so if neither is there.
pub fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("TEST_DATA_DIR").map_or(beside, PathBuf::from);
    if folder.join("asl-hands").is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no data folder at {}", folder.display());
    None
}

/// Where the models lie: the defaults with the environment on top.
pub fn settings() -> signpost::config::Model {
    match signpost::config::load(None, Vec::new()) {
        Ok(config) => config.model,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(3)
        }
    }
}

/// MediaPipe's models on one thread, following `max_hands`.
pub fn cascade(max_hands: usize) -> Cascade {
    let places = Places::of_this_machine();
    let settings = settings();
    let library = places.find(Wanted::Runtime, &settings.runtime);
    let hands = places.find(Wanted::Hands, &settings.hands);
    let stop = |error: &dyn std::fmt::Display| -> ! {
        eprintln!("{error}");
        std::process::exit(5)
    };
    let library = library.unwrap_or_else(|error| stop(&error));
    let hands = hands.unwrap_or_else(|error| stop(&error));
    let runtime = LiteRt::open(&library).unwrap_or_else(|error| stop(&error));
    let models = HandModels::load(&runtime, &hands, 1).unwrap_or_else(|error| stop(&error));
    Cascade::new(models, max_hands)
}

/// Every photograph, sorted by its path.
pub fn photographs(data: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let signs = list(&data.join("asl-hands")).into_iter().filter(|path| path.is_dir());
    let mut files: Vec<_> = signs.flat_map(|folder| list(&folder)).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jpeg"));
    files.sort();
    files
}

/// The reference without points for a photograph `<sign>/hand<N>_<sign>_<light>_seg_<k>_cropped.jpeg`.
pub fn named(path: &Path) -> Reference {
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut parts = name.split('_');
    let (hand, sign) = (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned());
    let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let file = format!("{folder}/{name}");
    Reference { hand, sign, file, handedness: String::new(), landmarks: Vec::new() }
}

/// A photograph in the middle of a black 640x480 RGB frame.
pub fn pasted(path: &Path) -> Vec<u8> {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut decoder = zune_jpeg::JpegDecoder::new(file);
    let pixels = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    assert_eq!(pixels.len(), width * height * 3, "{} is RGB", path.display());
    let mut frame = vec![0; WIDTH * HEIGHT * 3];
    for (y, row) in pixels.chunks_exact(width * 3).enumerate().take(HEIGHT - TOP) {
        let start = ((y + TOP) * WIDTH + LEFT) * 3;
        frame[start..start + row.len()].copy_from_slice(row);
    }
    frame
}

/// The frame's view of such memory.
pub fn rgb(frame: &[u8]) -> Frame<'_> {
    Frame::rgb(WIDTH, HEIGHT, Plane { data: frame, stride: WIDTH * 3 }).unwrap()
}

/// A hand's points in pixels of the photograph.
pub fn in_photograph(hand: &Hand) -> Vec<[f64; 3]> {
    let (width, height) = (WIDTH as f64, HEIGHT as f64);
    let point = |[x, y, z]: [f32; 3]| {
        let (x, y, z) = (f64::from(x), f64::from(y), f64::from(z));
        [x * width - LEFT as f64, y * height - TOP as f64, z * width]
    };
    hand.landmarks.iter().copied().map(point).collect()
}

/// MediaPipe's label for it, which takes the picture for a mirrored one.
pub fn label(hand: &Hand) -> &'static str {
    match hand.handedness {
        Handedness::Left => "Right",
        Handedness::Right => "Left",
    }
}

/// Distances in x and y of two hands' points, in palm lengths of the reference.
pub fn distances<'a>(
    reference: &'a [[f64; 3]],
    ours: &'a [[f64; 3]],
) -> impl Iterator<Item = f64> + 'a {
    let apart = |a: [f64; 3], b: [f64; 3]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let palm = apart(reference[0], reference[9]);
    reference.iter().zip(ours).map(move |(a, b)| apart(*a, *b) / palm)
}

/// The value below which a share of the values lies. Sorts them.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let index = (share * values.len() as f64) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
