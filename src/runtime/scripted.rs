//! An interpreter whose answers are written down, so that everything above the runtime
//! builds and is tested on a machine without `libLiteRt.so`.

use super::{Interpreter, RuntimeError, TensorSpec, check_lengths};

/// Computes outputs from inputs; an `Err` is reported as a refusal of the runtime.
pub type Script = Box<dyn FnMut(&[&[f32]], &mut [&mut [f32]]) -> Result<(), String> + Send>;

/// An [`Interpreter`] that runs a closure. Outputs are zeroed before each run.
pub struct Scripted {
    name: String,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    script: Script,
}

impl Scripted {
    /// A model with these tensors that answers by `script`.
    pub fn new(
        name: &str,
        inputs: Vec<TensorSpec>,
        outputs: Vec<TensorSpec>,
        script: impl FnMut(&[&[f32]], &mut [&mut [f32]]) -> Result<(), String> + Send + 'static,
    ) -> Self {
        Self { name: name.to_owned(), inputs, outputs, script: Box::new(script) }
    }
}

impl Interpreter for Scripted {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn run(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<(), RuntimeError> {
        check_lengths(&self.name, "input", &self.inputs, inputs.iter().map(|slice| slice.len()))?;
        check_lengths(
            &self.name,
            "output",
            &self.outputs,
            outputs.iter().map(|slice| slice.len()),
        )?;
        for output in outputs.iter_mut() {
            output.fill(0.0);
        }
        (self.script)(inputs, outputs).map_err(|reason| RuntimeError::Call {
            model: self.name.clone(),
            step: "running it",
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    fn doubler() -> Scripted {
        let spec = vec![TensorSpec::f32("x", &[1, 3])];
        Scripted::new("doubler", spec.clone(), spec, |inputs, outputs| {
            for (out, x) in outputs[0].iter_mut().zip(inputs[0]) {
                *out = 2.0 * x;
            }
            if inputs[0][0] < 0.0 { Err("negative".to_owned()) } else { Ok(()) }
        })
    }

    #[test]
    fn the_script_answers() {
        let mut out = [0.0; 3];
        doubler().run(&[&[1.0, 2.0, 3.0]], &mut [&mut out]).unwrap();
        assert_eq!(out, [2.0, 4.0, 6.0]);
    }

    #[test]
    fn a_refusal_names_the_model() {
        let mut out = [0.0; 3];
        let error = doubler().run(&[&[-1.0, 0.0, 0.0]], &mut [&mut out]).unwrap_err();
        assert_eq!(error.to_string(), "model doubler: running it failed: negative");
    }

    #[test]
    fn slices_that_do_not_fit_are_refused() {
        let mut model = doubler();
        let mut out = [0.0; 3];
        let short = model.run(&[&[1.0]], &mut [&mut out]).unwrap_err();
        assert_eq!(short.to_string(), "model doubler: input 0 has 1 values, the tensor takes 3");
        let missing = model.run(&[], &mut [&mut out]).unwrap_err();
        assert_eq!(missing.to_string(), "model doubler: input 0 has 0 values, the tensor takes 3");
        let mut more = [0.0; 3];
        assert!(model.run(&[&[1.0; 3]], &mut [&mut out, &mut more]).is_err());
    }
}
