//! A loaded model whose tensors are those that its manifest names.

use std::path::Path;

use super::ModelError;
use super::manifest::{Boxes, Place, Task, Tensor};
use crate::runtime::{Interpreter, RuntimeError, TensorSpec};

/// Most outputs of a model: more than any task reads, and each takes a place on the stack.
const MAX_OUTPUTS: usize = 16;

/// A loaded model and the memory of its outputs: one input, and the outputs that the task
/// reads, by their role.
pub struct Loaded {
    model: Box<dyn Interpreter>,
    outputs: Vec<Vec<f32>>,
    /// Where the outputs of [`Task::outputs`] are, in that order.
    places: Vec<usize>,
    /// Which of these are scores.
    scores: Option<usize>,
    /// Which of these says how many rows of the others are meant.
    count: Option<usize>,
}

impl Task {
    /// The outputs that the task reads, with their keys in the manifest.
    #[must_use]
    pub fn outputs(&self) -> Vec<(&'static str, &Tensor)> {
        match self {
            Self::Classify(task) => vec![("scores", &task.scores)],
            Self::HandSign(task) => vec![("scores", &task.scores)],
            Self::HandLandmarks => Vec::new(),
            Self::Detect(task) => match &task.boxes {
                Boxes::Ssd { boxes, classes, scores, count } => vec![
                    ("boxes", boxes),
                    ("classes", classes),
                    ("scores", scores),
                    ("count", count),
                ],
                Boxes::Anchors { boxes, scores, .. } => vec![("boxes", boxes), ("scores", scores)],
            },
        }
    }

    /// How many labels the model scores; `None` where it gives their numbers instead.
    #[must_use]
    pub fn scores(&self) -> Option<usize> {
        let last = |tensor: &Tensor| tensor.shape.last().copied();
        match self {
            Self::Classify(task) => last(&task.scores),
            Self::HandSign(task) => last(&task.scores),
            Self::HandLandmarks => None,
            Self::Detect(task) => match &task.boxes {
                Boxes::Ssd { .. } => None,
                Boxes::Anchors { scores, anchors, .. } => {
                    last(scores).map(|all| all - usize::from(anchors.background))
                }
            },
        }
    }

    fn input(&self) -> Option<&Tensor> {
        match self {
            Self::Classify(task) => Some(&task.model.input),
            Self::Detect(task) => Some(&task.model.input),
            Self::HandSign(task) => Some(&task.model.input),
            Self::HandLandmarks => None,
        }
    }
}

impl Loaded {
    /// Finds the tensors that the task needs; `path` is what errors call the model.
    ///
    /// # Errors
    /// [`ModelError::Tensors`] with every one that is not as the manifest says.
    pub fn new(path: &Path, model: Box<dyn Interpreter>, task: &Task) -> Result<Self, ModelError> {
        let mut problems = Vec::new();
        let inputs = model.inputs();
        if inputs.len() != 1 {
            problems.push(format!("the model has {} inputs, and one can be fed", inputs.len()));
        }
        if model.outputs().len() > MAX_OUTPUTS {
            let found = model.outputs().len();
            problems
                .push(format!("the model has {found} outputs: at most {MAX_OUTPUTS} are allowed"));
        }
        if let Some(tensor) = task.input() {
            place("input", tensor, inputs, &mut problems);
        }
        let find =
            |(key, tensor)| place(&format!("output.{key}"), tensor, model.outputs(), &mut problems);
        let places: Vec<_> = task.outputs().into_iter().filter_map(find).collect();
        if !problems.is_empty() {
            return Err(ModelError::Tensors { path: path.to_owned(), problems });
        }
        let outputs = model.outputs().iter().map(|spec| vec![0.0; spec.len()]).collect();
        let role = |wanted| task.outputs().iter().position(|(key, _)| *key == wanted);
        let (scores, count) = (role("scores"), role("count"));
        Ok(Self { model, outputs, places, scores, count })
    }

    /// Runs the model on as many values as its input has. Blocks for the whole inference and
    /// allocates nothing.
    ///
    /// # Errors
    /// As [`Interpreter::run`], and [`RuntimeError::NotANumber`] if an output that the task
    /// reads has a NaN, or its scores an infinity.
    pub fn run(&mut self, input: &[f32]) -> Result<(), RuntimeError> {
        let count = self.outputs.len();
        let mut slices: [&mut [f32]; MAX_OUTPUTS] = Default::default();
        for (slice, output) in slices.iter_mut().zip(&mut self.outputs) {
            *slice = output;
        }
        self.model.run(&[input], &mut slices[..count])?;
        let bad = (0..self.places.len()).find(|role| {
            let mut values = self.output(*role).iter();
            match self.scores == Some(*role) {
                true => !values.all(|value| value.is_finite()),
                false => values.any(|value| value.is_nan()),
            }
        });
        let name = |role: usize| self.model.outputs()[self.places[role]].name.clone();
        bad.map_or(Ok(()), |role| Err(RuntimeError::NotANumber { tensor: name(role) }))
    }

    /// The model itself, as to measure it.
    pub fn interpreter(&mut self) -> &mut dyn Interpreter {
        self.model.as_mut()
    }

    /// What the last run gave for the output of this number in [`Task::outputs`]. Where the
    /// model counts its rows, those alone: `TFLite_Detection_PostProcess` leaves in the others
    /// what was in its memory before.
    #[must_use]
    pub fn output(&self, role: usize) -> &[f32] {
        let values = &self.outputs[self.places[role]];
        let Some(count) = self.count.filter(|count| *count != role) else { return values };
        let most = self.model.outputs()[self.places[role]].shape[1];
        let rows = (self.output(count)[0].round().max(0.0) as usize).min(most);
        &values[..values.len() / most * rows]
    }
}

/// Where the tensor is among those found, if it is as the manifest says.
fn place(
    key: &str,
    wanted: &Tensor,
    found: &[TensorSpec],
    problems: &mut Vec<String>,
) -> Option<usize> {
    let index = match &wanted.place {
        Place::Index(index) => Some(*index).filter(|index| *index < found.len()),
        Place::Name(name) => found.iter().position(|spec| spec.name == *name),
    };
    let Some(index) = index else {
        let which = match &wanted.place {
            Place::Index(index) => format!("number {index}"),
            Place::Name(name) => format!("named {name:?}"),
        };
        let names: Vec<_> = found.iter().map(|spec| spec.name.as_str()).collect();
        problems.push(format!("{key}: the model has no tensor {which}; it has {names:?}"));
        return None;
    };
    let spec = &found[index];
    if spec.shape != wanted.shape {
        let (wanted, found) = (&wanted.shape, &spec.shape);
        problems.push(format!("{key}.shape = {wanted:?}: the model's is {found:?}"));
    }
    let kind = spec.element.kind();
    if kind != wanted.kind {
        let (wanted, found) = (wanted.kind.name(), kind.name());
        problems.push(format!("{key}.type = {wanted:?}: the model's is {found:?}"));
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;
    use crate::model::Manifest;
    use crate::model::manifest::tests::HAND_SIGN;
    use crate::runtime::Scripted;

    fn task() -> Task {
        Manifest::parse(HAND_SIGN).unwrap().task
    }

    fn load(input: &[usize], output: &[usize], value: f32) -> Result<Loaded, ModelError> {
        let specs = |name, shape| vec![TensorSpec::f32(name, shape)];
        let model = Scripted::new("m", specs("x", input), specs("y", output), move |_, outputs| {
            outputs[0].fill(value);
            Ok(())
        });
        Loaded::new(Path::new("m.tflite"), Box::new(model), &task())
    }

    #[test]
    fn what_the_manifest_says_is_run() {
        let mut model = load(&[1, 10, 64], &[1, 3], 0.5).unwrap();
        model.run(&[0.0; 640]).unwrap();
        assert_eq!(model.output(0), [0.5; 3]);
    }

    #[test]
    fn a_result_that_is_no_number_is_an_error() {
        let mut model = load(&[1, 10, 64], &[1, 3], f32::NAN).unwrap();
        let error = model.run(&[0.0; 640]).unwrap_err().to_string();
        assert_eq!(error, "the model gave a value that is not a number in its output y");
    }

    #[test]
    fn every_tensor_that_differs_is_told() {
        let error = load(&[1, 9, 64], &[1, 4], 0.0).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            error,
            "model file m.tflite: input.shape = [1, 10, 64]: the model's is [1, 9, 64]; \
             output.scores.shape = [1, 3]: the model's is [1, 4]"
        );
    }

    #[test]
    fn a_name_that_the_model_does_not_have_is_told_with_those_it_has() {
        let named = HAND_SIGN.replace("shape = [1, 3]", "name = \"scores\"\nshape = [1, 3]");
        let task = Manifest::parse(&named).unwrap().task;
        let spec = |name, shape: &[usize]| vec![TensorSpec::f32(name, shape)];
        let model = Scripted::new("m", spec("x", &[1, 10, 64]), spec("y", &[1, 3]), |_, _| Ok(()));
        let error = Loaded::new(Path::new("m"), Box::new(model), &task).map(|_| ()).unwrap_err();
        let expected = "output.scores: the model has no tensor named \"scores\"; it has [\"y\"]";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}
