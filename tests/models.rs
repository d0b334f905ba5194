//! The real runtime with real and damaged models. Skipped where the library is not installed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use signpost::config;
use signpost::model::{self, HandModels, ModelError, Places, Wanted};
use signpost::runtime::{Element, Interpreter, LiteRt, RuntimeError};

fn settings() -> config::Model {
    config::load(None, Vec::new()).unwrap().model
}

fn library() -> Option<PathBuf> {
    let found = Places::of_this_machine().find(Wanted::Runtime, &settings().runtime);
    found.inspect_err(|error| eprintln!("skipped: {error}")).ok()
}

fn hands() -> Option<PathBuf> {
    let found = Places::of_this_machine().find(Wanted::Hands, &settings().hands);
    found.inspect_err(|error| eprintln!("skipped: {error}")).ok()
}

fn runtime() -> Option<LiteRt> {
    library().map(|path| LiteRt::open(&path).unwrap())
}

/// The self-test's model: y = x W + b, 4 values in, 3 out.
fn tiny() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/runtime/selftest.tflite");
    std::fs::read(path).unwrap()
}

#[test]
fn a_model_tells_its_tensors_and_runs_again_and_again() {
    let Some(runtime) = runtime() else { return };
    let mut model = runtime.load("tiny", tiny(), 1).unwrap();
    assert_eq!(model.inputs().len(), 1);
    assert_eq!(
        (&model.inputs()[0].shape[..], model.inputs()[0].element),
        (&[1, 4][..], Element::F32)
    );
    assert_eq!(model.outputs()[0].shape, [1, 3]);
    for scale in [0.0, 1.0, -2.0] {
        let mut out = [0.0; 3];
        model.run(&[&[scale, 0.0, 0.0, 0.0]], &mut [&mut out]).unwrap();
        assert_eq!(out, [0.5 + scale, -1.0 - scale, 2.0 + 0.25 * scale]);
    }
}

#[test]
fn models_outlive_the_runtime_and_move_between_threads() {
    let Some(runtime) = runtime() else { return };
    let models: Vec<_> = (0..3).map(|_| runtime.load("tiny", tiny(), 1).unwrap()).collect();
    drop(runtime);
    let threads = models.into_iter().map(|mut model| {
        std::thread::spawn(move || {
            let mut out = [0.0; 3];
            model.run(&[&[1.0, 2.0, -3.0, 0.5]], &mut [&mut out]).unwrap();
            out
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        assert_eq!(thread.join().unwrap(), [-1.5, 0.0, -61.75]);
    }
}

#[test]
fn slices_of_another_length_are_refused() {
    let Some(runtime) = runtime() else { return };
    let mut model = runtime.load("tiny", tiny(), 1).unwrap();
    let error = model.run(&[&[1.0; 5]], &mut [&mut [0.0; 3]]).unwrap_err();
    assert_eq!(error.to_string(), "model tiny: input 0 has 5 values, the tensor takes 4");
}

#[test]
fn a_model_that_is_cut_off_is_an_error_at_every_length() {
    let Some(runtime) = runtime() else { return };
    let whole = tiny();
    for length in (0..whole.len()).step_by(23) {
        if let Ok(mut model) = runtime.load("cut", whole[..length].to_vec(), 1) {
            // What still loads must still run, or refuse, without a crash.
            let _ = model.run(&[&[0.0; 4]], &mut [&mut [0.0; 3]]);
        }
    }
    let error = match runtime.load("cut", whole[..whole.len() / 2].to_vec(), 1) {
        Ok(_) => panic!("half a model loaded"),
        Err(error) => error.to_string(),
    };
    assert!(error.starts_with("model cut: reading the file failed:"), "{error}");
}

#[test]
fn bytes_that_are_no_model_are_an_error() {
    let Some(runtime) = runtime() else { return };
    for bytes in [Vec::new(), vec![0; 4096], b"TFL3".repeat(300), vec![0xff; 100_000]] {
        assert!(runtime.load("junk", bytes, 1).is_err());
    }
}

#[test]
fn another_library_is_refused_before_it_is_opened() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libLiteRt.so");
    let mut bytes = std::fs::read(library).unwrap();
    bytes[1_000_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = LiteRt::open(&path).map(|_| ()).unwrap_err();
    assert!(matches!(error, RuntimeError::Pin { .. }), "{error}");
    assert!(error.to_string().contains("run ./dev"), "{error}");
    let error = LiteRt::open(Path::new("/nowhere.so")).map(|_| ()).unwrap_err();
    assert!(matches!(error, RuntimeError::Open { .. }), "{error}");
}

#[test]
fn the_hand_models_load_and_a_damaged_one_does_not() {
    let (Some(runtime), Some(hands)) = (runtime(), hands()) else { return };
    HandModels::load(&runtime, &hands, 1).map(|_| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let names = ["palm_detection_full.tflite", "hand_landmark_full.tflite"];
    let missing = HandModels::load(&runtime, folder.path(), 1).map(|_| ()).unwrap_err();
    assert!(matches!(missing, ModelError::Read { .. }), "{missing}");
    for name in names {
        std::fs::copy(hands.join(name), folder.path().join(name)).unwrap();
    }
    let path = folder.path().join(names[1]);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let cut = HandModels::load(&runtime, folder.path(), 1).map(|_| ()).unwrap_err();
    assert!(matches!(cut, ModelError::Sum { .. }), "{cut}");
}

#[test]
fn a_model_of_another_shape_is_refused() {
    let Some(runtime) = runtime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.tflite");
    std::fs::write(&path, tiny()).unwrap();
    let sum = "441fb5ad9c1f7dfbe22cc8d5499ef364a418057616d4b3b6d5669cca8862d6ce";
    let load = |inputs: &[&[usize]]| {
        model::load(&runtime, &path, sum, 1, inputs, &[&[1, 3]])
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let error = load(&[&[1, 10, 64]]);
    assert!(error.ends_with("input 0 has shape [1, 4], expected [1, 10, 64]"), "{error}");
}

#[test]
fn the_number_of_threads_is_what_was_asked() {
    let (Some(runtime), Some(hands)) = (runtime(), hands()) else { return };
    let bytes = std::fs::read(hands.join("hand_landmark_full.tflite")).unwrap();
    let count = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let load = |threads| {
        let before = count();
        let mut model = runtime.load("hand", bytes.clone(), threads).unwrap();
        let picture = vec![0.0; model.inputs()[0].len()];
        let mut outputs = [vec![0.0; 63], vec![0.0; 1], vec![0.0; 1], vec![0.0; 63]];
        let mut outputs: Vec<_> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        model.run(&[&picture], &mut outputs).unwrap();
        count() as i64 - before as i64
    };
    // Other tests of this file start and end threads meanwhile; three more stand out.
    let one = (0..5).map(|_| load(1)).min();
    let four = (0..5).map(|_| load(4)).max();
    assert!(one <= Some(0) && four >= Some(3), "{one:?} {four:?}");
}
