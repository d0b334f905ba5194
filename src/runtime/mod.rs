//! Runs TensorFlow Lite models behind one small trait.
//!
//! [`litert`] is the real runtime, the one file that calls its C library;
//! [`scripted`] stands in for it where the library is not installed and in tests.

use std::path::PathBuf;

pub mod element;
pub mod litert;
mod pin;
pub mod scripted;
mod status;

pub use element::{Element, Kind, Quantisation};
pub use litert::LiteRt;
pub use scripted::Scripted;

/// A model's input or output tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// The tensor's name in the model file.
    pub name: String,
    /// Type of its elements.
    pub element: Element,
    /// Dimensions, outermost first, for example `[1, 192, 192, 3]`.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// A float32 tensor, for scripted interpreters and expectations.
    pub fn f32(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), element: Element::F32, shape: shape.to_vec() }
    }

    /// Number of elements.
    #[allow(clippy::len_without_is_empty, reason = "a tensor without elements is refused at load")]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// One loaded model. Its owner holds it by value and runs one inference at a time.
pub trait Interpreter: Send {
    /// The model's inputs, in the order that [`Interpreter::run`] takes them.
    fn inputs(&self) -> &[TensorSpec];

    /// The model's outputs, in the order that [`Interpreter::run`] fills them.
    fn outputs(&self) -> &[TensorSpec];

    /// Runs the model once: one slice a tensor, each as long as its [`TensorSpec::len`].
    /// Elements of other types are converted on the way ([`Element`]).
    ///
    /// Blocks for the whole inference (milliseconds) and allocates nothing. After an
    /// error the outputs hold nothing useful and the interpreter may be run again.
    ///
    /// # Errors
    /// [`RuntimeError::Arguments`] if a slice is missing or of another length,
    /// [`RuntimeError::Call`] if the runtime refuses.
    fn run(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<(), RuntimeError>;
}

/// What can go wrong between the runtime library and a model's outputs.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The library could not be read or opened.
    #[error("runtime library {}: cannot be opened ({reason}); run ./dev to install it", path.display())]
    Open {
        /// The library's file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The library is not the pinned build, so its C interface may differ without a sign.
    #[error(
        "runtime library {}: sha256 is {found}, expected {expected} (LiteRT 2.1.6); run ./dev to install it",
        path.display()
    )]
    Pin {
        /// The library's file.
        path: PathBuf,
        /// Sum of the file as it is.
        found: String,
        /// Sum of the build that the wrapper was written against.
        expected: &'static str,
    },
    /// No pinned build exists for this processor.
    #[error("runtime library: no LiteRT build is pinned for {0}; x86_64 and aarch64 are supported")]
    Processor(&'static str),
    /// The library lacks a function, so it is of another release.
    #[error("runtime library {}: has no function {symbol}; LiteRT 2.1.6 is needed, run ./dev to install it", path.display())]
    Symbol {
        /// The library's file.
        path: PathBuf,
        /// Name of the missing function.
        symbol: String,
    },
    /// The library loads but computes wrongly.
    #[error(
        "runtime library: self-test gave {found:?}, expected {expected:?}; reinstall it with ./dev"
    )]
    SelfTest {
        /// What the tiny model answered.
        found: Vec<f32>,
        /// What it must answer.
        expected: Vec<f32>,
    },
    /// The runtime refused a call.
    #[error("model {model}: {step} failed: {reason}")]
    Call {
        /// The model's name as its loader gave it.
        model: String,
        /// What was being done.
        step: &'static str,
        /// The runtime's name for the failure.
        reason: String,
    },
    /// The model has a tensor that this program cannot feed.
    #[error(
        "model {model}: tensor {tensor} {problem}; tensors must be float32, float16, uint8 or int8 and of fixed shape"
    )]
    Tensor {
        /// The model's name as its loader gave it.
        model: String,
        /// The tensor's name in the file.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The model's result is none.
    #[error("the model gave a value that is not a number in its output {tensor}")]
    NotANumber {
        /// The tensor's name in the file.
        tensor: String,
    },
    /// The model names a label that its bundle does not have.
    #[error("the model names label number {class}, and the bundle has {labels}, counted from 0")]
    Label {
        /// As the model gave it.
        class: f32,
        /// How many there are.
        labels: usize,
    },
    /// The caller's slices do not fit the model's tensors.
    #[error("model {model}: {side} {index} has {found} values, the tensor takes {expected}")]
    Arguments {
        /// The model's name as its loader gave it.
        model: String,
        /// `input` or `output`.
        side: &'static str,
        /// Which of them, from 0.
        index: usize,
        /// Length of the caller's slice; 0 if there is none.
        found: usize,
        /// Length of the tensor.
        expected: usize,
    },
}

/// Checks the caller's slices against the model's tensors; both interpreters call it first.
fn check_lengths(
    model: &str,
    side: &'static str,
    specs: &[TensorSpec],
    lengths: impl ExactSizeIterator<Item = usize>,
) -> Result<(), RuntimeError> {
    let given = lengths.len();
    let wrong = |index, found, expected| RuntimeError::Arguments {
        model: model.to_owned(),
        side,
        index,
        found,
        expected,
    };
    for (index, (spec, found)) in specs.iter().zip(lengths).enumerate() {
        if found != spec.len() {
            return Err(wrong(index, found, spec.len()));
        }
    }
    match specs.get(given) {
        Some(missing) => Err(wrong(given, 0, missing.len())),
        None if given > specs.len() => Err(wrong(specs.len(), given, 0)),
        None => Ok(()),
    }
}
