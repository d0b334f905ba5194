//! Manifests of bundles: a manifest that is taken can be run.

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use signpost::cascade::{Frame, Plane};
use signpost::model::manifest::{HandSign, Place, Task, Tensor};
use signpost::model::{Bundle, Loaded, Manifest, ModelError, Models};
use signpost::recognition::Chain;
use signpost::recognition::judge::{Judge, Scale, Sight};
use signpost::recognition::normalise::tensor;
use signpost::recognition::stabiliser::Settings;
use signpost::recognition::window::{Hop, Shape, Window};
use signpost::runtime::{Element, Kind, Quantisation, Scripted, TensorSpec};

/// Larger tensors only need more memory, of which a target has little.
const MOST_VALUES: usize = 1 << 18;
/// A model's outputs, at most.
const MOST_OUTPUTS: usize = 16;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(manifest) = Manifest::parse(text) else { return };
    let mut tensors = manifest.task.outputs();
    tensors.extend(manifest.model().map(|model| ("input", &model.input)));
    for (_, tensor) in &tensors {
        assert!(tensor.shape.iter().product::<usize>() > 0);
    }
    if tensors.iter().any(|(_, tensor)| tensor.shape.iter().product::<usize>() > MOST_VALUES) {
        return;
    }
    let labels = (0..manifest.task.scores().unwrap_or(2)).map(|label| label.to_string()).collect();
    match &manifest.task {
        Task::HandLandmarks => {}
        Task::HandSign(task) => read_hands(task, &manifest.task, labels),
        Task::Classify(_) | Task::Detect(_) => read_pictures(manifest, labels),
    }
});

/// A model of just the tensors that the task names, if there can be one.
fn model(task: &Task, input: &Tensor) -> Option<Loaded> {
    let outputs: Vec<_> = task.outputs().into_iter().map(|(_, tensor)| tensor).collect();
    let mut specs = BTreeMap::new();
    for tensor in &outputs {
        if let Place::Index(index) = tensor.place {
            let other = specs.insert(index, spec(&format!("number {index}"), tensor));
            if index >= MOST_OUTPUTS || other.is_some() {
                return None;
            }
        }
    }
    for tensor in &outputs {
        if let Place::Name(name) = &tensor.place {
            let free = (0..MOST_OUTPUTS).find(|index| !specs.contains_key(index))?;
            if specs.values().any(|spec: &TensorSpec| spec.name == *name) {
                return None;
            }
            specs.insert(free, spec(name, tensor));
        }
    }
    let most = specs.keys().max().map_or(0, |index| index + 1);
    let other = |index: &usize| TensorSpec::f32(&format!("other {index}"), &[1]);
    let specs = (0..most).map(|index| specs.remove(&index).unwrap_or_else(|| other(&index)));
    let model = Scripted::new("m", vec![spec("x", input)], specs.collect(), |_, outputs| {
        for (place, value) in outputs.iter_mut().flat_map(|output| output.iter_mut().enumerate()) {
            *value = (place % 3) as f32 - 0.5;
        }
        Ok(())
    });
    Some(Loaded::new(Path::new("m"), Box::new(model), task).expect("it is what was asked for"))
}

fn spec(name: &str, tensor: &Tensor) -> TensorSpec {
    let element = match tensor.kind {
        Kind::F32 => Element::F32,
        Kind::F16 => Element::F16,
        Kind::U8 => Element::U8(Quantisation::NONE),
        Kind::I8 => Element::I8(Quantisation::NONE),
    };
    TensorSpec { element, ..TensorSpec::f32(name, &tensor.shape) }
}

/// What `hand-sign` does with a window, without the cascade.
fn read_hands(task: &HandSign, whole: &Task, labels: Vec<String>) {
    let shape = Shape::new(task.window.frames, task.window.rate_hz).expect("it was checked");
    let _ = (Window::<()>::new(shape), Hop::new(shape, task.window.hop));
    let Ok(settings) = Settings::from_table(&task.stabiliser, &labels) else { return };
    let mut judge = Judge::new(Scale::new(&task.judging, &labels), settings);
    let Some(mut model) = model(whole, &task.model.input) else { return };
    let mut input = vec![0.0; task.model.input.shape.iter().product()];
    tensor(&vec![None; shape.elements], 0.75, &mut input);
    model.run(&input).expect("it is as long as the tensor");
    judge.hear(shape.period, Sight::Still, model.output(0));
}

/// Reads pictures until a window of them is full.
fn read_pictures(manifest: Manifest, labels: Vec<String>) {
    let input = manifest.model().map(|model| &model.input);
    let Some(model) = input.and_then(|input| model(&manifest.task, input)) else { return };
    let frames = match &manifest.task {
        Task::Classify(task) => task.window.map_or(1, |(window, _)| window.frames),
        _ => 1,
    };
    let names = labels.len();
    let bundle = Bundle { folder: "b".into(), manifest, labels };
    let mut chain = match Chain::new(Models { hands: None, model: Some(model), bundle }, 1) {
        Ok(chain) => chain,
        Err(ModelError::Manifest { problems, .. }) => {
            assert!(
                problems.iter().all(|problem| problem.starts_with("stabiliser")),
                "{problems:?}"
            );
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let data = [90; 20 * 12 * 3];
    let frame = Frame::rgb(20, 12, Plane { data: &data, stride: 20 * 3 }).expect("it is one");
    for time in 0..=frames as u32 {
        // A graph's own boxes may be of classes that have no label.
        let Ok(reading) = chain.read(&frame, chain.period() * time) else { return };
        assert!(reading.label.is_none_or(|label| label < names));
        assert!(reading.boxes.iter().all(|found| found.label < names));
    }
    chain.flush();
}
