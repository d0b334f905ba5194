//! `libLiteRt.so` 2.1.6 (TensorFlow Lite's present form, with XNNPACK) behind [`Interpreter`].
//!
//! The library is opened at run time, so building and testing need no copy of it. What the
//! wrapper does differently from the header's own example, and why, each measured:
//! - models come from memory and their bytes stay alive with them: the file loader of later
//!   releases crashes on damaged files, and the runtime reads weights in place;
//! - the library is never unloaded: `dlclose` of 2.1.6 ends in a segmentation fault;
//! - its C interface changes between patch releases without a sign, so the file is pinned by
//!   sha256, one function that older releases lack is required, and a tiny model is run;
//! - accelerators other than the CPU are not registered and the log level is raised, or each
//!   start looks for GPU libraries and writes a dozen lines to standard error.
#![allow(unsafe_code, reason = "the one file that calls the C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use libloading::Library;

use super::pin;
use super::status::{Status, check};
use super::{Element, Interpreter, Quantisation, RuntimeError, TensorSpec, check_lengths};

/// `LiteRtEnvOptionTag` values of 2.1.6.
const TAG_AUTO_REGISTER_ACCELERATORS: c_int = 24;
const TAG_MIN_LOGGER_SEVERITY: c_int = 25;
/// `kLiteRtHwAcceleratorCpu`.
const ACCELERATOR_CPU: c_int = 1;
/// Errors only.
const SEVERITY_ERROR: i64 = 3;
/// `kLiteRtAnyTypeInt`.
const ANY_INT: c_int = 2;
/// `LiteRtElementType` values.
const ELEMENT_F32: c_int = 1;
const ELEMENT_U8: c_int = 3;
const ELEMENT_I8: c_int = 9;
const ELEMENT_F16: c_int = 10;
/// `LiteRtQuantizationTypeId` values.
const QUANTISED_NOT: c_int = 0;
const QUANTISED_PER_TENSOR: c_int = 1;
/// `LITERT_TENSOR_MAX_RANK`.
const MAX_RANK: usize = 8;
/// Most elements of one tensor, 64 MB as float32: a window of thirty pictures of 224x224 is
/// a quarter of it, and what a damaged file asks for is far more.
const MAX_ELEMENTS: usize = 1 << 24;
/// Models here have one signature; those without any get a default one from the runtime.
const SIGNATURE: usize = 0;

/// See `make_selftest.py` beside it.
const SELF_TEST_MODEL: &[u8] = include_bytes!("selftest.tflite");
const SELF_TEST_INPUT: [f32; 4] = [1.0, 2.0, -3.0, 0.5];
const SELF_TEST_OUTPUT: [f32; 3] = [-1.5, 0.0, -61.75];

type Ptr = *mut c_void;
type Destroy = unsafe extern "C" fn(Ptr);
type Create2<A, B> = unsafe extern "C" fn(A, B, *mut Ptr) -> Status;
type Create3<A, B, C> = unsafe extern "C" fn(A, B, C, *mut Ptr) -> Status;

/// `LiteRtAny` holding an integer.
#[repr(C)]
struct AnyInt {
    kind: c_int,
    value: i64,
}

/// `LiteRtEnvOption`, 24 bytes.
#[repr(C)]
struct EnvOption {
    tag: c_int,
    value: AnyInt,
}

/// `LiteRtRankedTensorType`, 72 bytes. `rank_and_flags`: rank in the low 7 bits.
#[repr(C)]
#[derive(Default)]
struct TensorType {
    element: c_int,
    rank_and_flags: u32,
    dimensions: [i32; MAX_RANK],
    strides: [u32; MAX_RANK],
}

/// `LiteRtQuantizationPerTensor`, 16 bytes.
#[repr(C)]
#[derive(Default)]
struct PerTensor {
    scale: f32,
    zero_point: i64,
}

const _: () = assert!(size_of::<EnvOption>() == 24 && size_of::<TensorType>() == 72);
const _: () = assert!(size_of::<PerTensor>() == 16);

/// Declares the table of C functions and its loader.
macro_rules! functions {
    ($($field:ident: $symbol:literal, $kind:ty;)*) => {
        /// The library's functions. Valid for ever, because the library is never unloaded.
        struct Functions { $($field: $kind,)* }

        impl Functions {
            fn find(library: &Library, path: &Path) -> Result<Self, RuntimeError> {
                Ok(Self { $($field: {
                    // SAFETY: the type is the declaration of this symbol in the headers of
                    // release 2.1.6, and the caller has checked that the file is that build.
                    let symbol = unsafe { library.get::<$kind>($symbol.as_bytes()) };
                    *symbol.map_err(|_| RuntimeError::Symbol {
                        path: path.to_owned(),
                        symbol: $symbol.to_owned(),
                    })?
                },)* })
            }
        }
    };
}

functions! {
    create_environment: "LiteRtCreateEnvironment", Create2<c_int, *const EnvOption>;
    destroy_environment: "LiteRtDestroyEnvironment", Destroy;
    create_model: "LiteRtCreateModelFromBuffer", Create3<Ptr, *const c_void, usize>;
    destroy_model: "LiteRtDestroyModel", Destroy;
    create_options: "LiteRtCreateOptions", unsafe extern "C" fn(*mut Ptr) -> Status;
    destroy_options: "LiteRtDestroyOptions", Destroy;
    set_accelerators: "LiteRtSetOptionsHardwareAccelerators", unsafe extern "C" fn(Ptr, c_int) -> Status;
    create_opaque: "LiteRtCreateOpaqueOptions", Create3<*const c_char, Ptr, Destroy>;
    destroy_opaque: "LiteRtDestroyOpaqueOptions", Destroy;
    add_opaque: "LiteRtAddOpaqueOptions", unsafe extern "C" fn(Ptr, Ptr) -> Status;
    create_compiled: "LiteRtCreateCompiledModel", Create3<Ptr, Ptr, Ptr>;
    destroy_compiled: "LiteRtDestroyCompiledModel", Destroy;
    signature: "LiteRtGetModelSignature", Create2<Ptr, usize>;
    input_count: "LiteRtGetNumSignatureInputs", unsafe extern "C" fn(Ptr, *mut usize) -> Status;
    output_count: "LiteRtGetNumSignatureOutputs", unsafe extern "C" fn(Ptr, *mut usize) -> Status;
    input_tensor: "LiteRtGetSignatureInputTensorByIndex", Create2<Ptr, usize>;
    output_tensor: "LiteRtGetSignatureOutputTensorByIndex", Create2<Ptr, usize>;
    tensor_name: "LiteRtGetTensorName", unsafe extern "C" fn(Ptr, *mut *const c_char) -> Status;
    tensor_type: "LiteRtGetRankedTensorType", unsafe extern "C" fn(Ptr, *mut TensorType) -> Status;
    quantisation_kind: "LiteRtGetQuantizationTypeId", unsafe extern "C" fn(Ptr, *mut c_int) -> Status;
    quantisation: "LiteRtGetPerTensorQuantization", unsafe extern "C" fn(Ptr, *mut PerTensor) -> Status;
    input_requirements: "LiteRtGetCompiledModelInputBufferRequirements", Create3<Ptr, usize, usize>;
    output_requirements: "LiteRtGetCompiledModelOutputBufferRequirements", Create3<Ptr, usize, usize>;
    create_buffer: "LiteRtCreateManagedTensorBufferFromRequirements", Create3<Ptr, *const TensorType, Ptr>;
    destroy_buffer: "LiteRtDestroyTensorBuffer", Destroy;
    lock: "LiteRtLockTensorBuffer", unsafe extern "C" fn(Ptr, *mut *mut c_void, c_int) -> Status;
    unlock: "LiteRtUnlockTensorBuffer", unsafe extern "C" fn(Ptr) -> Status;
    run: "LiteRtRunCompiledModel", unsafe extern "C" fn(Ptr, usize, usize, *mut Ptr, usize, *mut Ptr) -> Status;
    // The guard: in 2.1.6 and later. Before it the create functions lack the environment
    // argument, and calling them with it is not an error but nonsense.
    _guard: "LiteRtCreateModelFromFd", unsafe extern "C" fn(Ptr, c_int, usize, usize, *mut Ptr) -> Status;
}

/// The opened runtime library. Cheap to clone; models keep working after it is dropped.
#[derive(Clone)]
pub struct LiteRt {
    functions: Arc<Functions>,
}

impl LiteRt {
    /// Opens the library at `path`, after checking that it is the pinned build, and runs the
    /// self-test. Takes about 40 ms, most of it for the checksum. The library stays in memory
    /// until the process ends, whatever is dropped.
    ///
    /// # Errors
    /// Every variant of [`RuntimeError`] but `Tensor` and `Arguments`.
    pub fn open(path: &Path) -> Result<Self, RuntimeError> {
        pin::check(path)?;
        // SAFETY: the file is the pinned build, whose initialisers only fill its own tables.
        let library = unsafe { Library::new(path) }.map_err(|error| RuntimeError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let library = ManuallyDrop::new(library);
        let functions = Functions::find(&library, path)?;
        let runtime = Self { functions: Arc::new(functions) };
        runtime.self_test()?;
        Ok(runtime)
    }

    /// Loads a model that is in memory; `name` is what errors call it. `threads`: 1 computes
    /// on the caller's thread alone; XNNPACK's threads spin while they wait, so keep the
    /// number below that of the processor's cores.
    ///
    /// # Errors
    /// [`RuntimeError::Call`] if the bytes are no model or one that cannot be run,
    /// [`RuntimeError::Tensor`] if a tensor is of no type of [`Element`] or has no fixed shape.
    pub fn load(&self, name: &str, bytes: Vec<u8>, threads: usize) -> Result<Model, RuntimeError> {
        Loader { functions: &self.functions, name }.load(bytes, threads)
    }

    fn self_test(&self) -> Result<(), RuntimeError> {
        let mut model = self.load("self-test", SELF_TEST_MODEL.to_vec(), 1)?;
        let mut found = [0.0; SELF_TEST_OUTPUT.len()];
        model.run(&[&SELF_TEST_INPUT], &mut [&mut found])?;
        if found == SELF_TEST_OUTPUT {
            return Ok(());
        }
        Err(RuntimeError::SelfTest { found: found.to_vec(), expected: SELF_TEST_OUTPUT.to_vec() })
    }
}

/// An object of the C library, destroyed once when dropped.
struct Handle {
    pointer: Ptr,
    destroy: Destroy,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the create function that belongs to this destroy
        // function, nobody else destroys it, and `Model` drops users before what they use.
        unsafe { (self.destroy)(self.pointer) }
    }
}

/// A compiled model with its tensors' memory. Not `Sync`: one thread at a time runs it.
///
/// Field order is drop order: users before what they use, the bytes last.
pub struct Model {
    inputs: Side,
    outputs: Side,
    compiled: Handle,
    _options: Handle,
    _model: Handle,
    _environment: Handle,
    _bytes: Vec<u8>,
    functions: Arc<Functions>,
    name: String,
}

/// The tensors of one side: what they are and the runtime's memory for them.
struct Side {
    specs: Vec<TensorSpec>,
    /// Owns what `pointers` lists.
    _buffers: Vec<Handle>,
    /// The form in which the run function wants them.
    pointers: Vec<Ptr>,
}

impl Side {
    fn iter(&self) -> impl Iterator<Item = (&Ptr, &TensorSpec)> {
        self.pointers.iter().zip(&self.specs)
    }
}

// SAFETY: the C objects are bound to no thread; they are used through `&mut self` only, so
// moving the whole set to another thread is a hand-over and never a sharing.
unsafe impl Send for Model {}

/// What loading needs at every step.
struct Loader<'a> {
    functions: &'a Arc<Functions>,
    name: &'a str,
}

impl Loader<'_> {
    fn load(&self, bytes: Vec<u8>, threads: usize) -> Result<Model, RuntimeError> {
        let environment = self.environment()?;
        let model = self.model(&environment, &bytes)?;
        let options = self.options(threads)?;
        let compiled =
            self.handle("preparing it to run", self.functions.destroy_compiled, |out| {
                // SAFETY: three live objects of the right kinds and a place for the result.
                unsafe {
                    (self.functions.create_compiled)(
                        environment.pointer,
                        model.pointer,
                        options.pointer,
                        out,
                    )
                }
            })?;
        let signature = self.borrowed("reading its signature", |out| {
            // SAFETY: a live model; the index is checked by the callee.
            unsafe { (self.functions.signature)(model.pointer, SIGNATURE, out) }
        })?;
        let f = self.functions;
        let side = |count, tensor, requirements| {
            self.side(signature, &compiled, &environment, count, tensor, requirements)
        };
        let inputs = side(f.input_count, f.input_tensor, f.input_requirements)?;
        let outputs = side(f.output_count, f.output_tensor, f.output_requirements)?;
        Ok(Model {
            inputs,
            outputs,
            compiled,
            _options: options,
            _model: model,
            _environment: environment,
            _bytes: bytes,
            functions: Arc::clone(self.functions),
            name: self.name.to_owned(),
        })
    }

    fn environment(&self) -> Result<Handle, RuntimeError> {
        let option = |tag, value| EnvOption { tag, value: AnyInt { kind: ANY_INT, value } };
        let settings = [
            option(TAG_MIN_LOGGER_SEVERITY, SEVERITY_ERROR),
            option(TAG_AUTO_REGISTER_ACCELERATORS, i64::from(ACCELERATOR_CPU)),
        ];
        self.handle("starting the runtime", self.functions.destroy_environment, |out| {
            // SAFETY: two options of the header's layout, read during the call only.
            unsafe { (self.functions.create_environment)(2, settings.as_ptr(), out) }
        })
    }

    fn model(&self, environment: &Handle, bytes: &[u8]) -> Result<Handle, RuntimeError> {
        let start = bytes.as_ptr().cast();
        self.handle("reading the file", self.functions.destroy_model, |out| {
            // SAFETY: a live environment, and `bytes.len()` readable bytes that `Model` keeps
            // (a moved Vec keeps its heap memory) until the model is destroyed.
            unsafe { (self.functions.create_model)(environment.pointer, start, bytes.len(), out) }
        })
    }

    fn options(&self, threads: usize) -> Result<Handle, RuntimeError> {
        let step = "setting its threads";
        let options = self.handle(step, self.functions.destroy_options, |out| {
            // SAFETY: a place for the result.
            unsafe { (self.functions.create_options)(out) }
        })?;
        // SAFETY: a live options object and a value of the header's bit set.
        self.check(step, unsafe {
            (self.functions.set_accelerators)(options.pointer, ACCELERATOR_CPU)
        })?;
        let payload = CString::new(format!("num_threads = {threads}\n"))
            .expect("a number has no zero byte")
            .into_raw();
        let opaque = self.handle(step, self.functions.destroy_opaque, |out| {
            // SAFETY: a literal name; the payload is handed over together with its destructor.
            unsafe {
                (self.functions.create_opaque)(
                    c"xnnpack".as_ptr(),
                    payload.cast(),
                    free_payload,
                    out,
                )
            }
        })?;
        // SAFETY: two live objects; on success the first owns the second.
        self.check(step, unsafe { (self.functions.add_opaque)(options.pointer, opaque.pointer) })?;
        let _owned_by_options = ManuallyDrop::new(opaque);
        Ok(options)
    }

    fn side(
        &self,
        signature: Ptr,
        compiled: &Handle,
        environment: &Handle,
        count: unsafe extern "C" fn(Ptr, *mut usize) -> Status,
        tensor: Create2<Ptr, usize>,
        requirements: Create3<Ptr, usize, usize>,
    ) -> Result<Side, RuntimeError> {
        let step = "reading its tensors";
        let mut number = 0;
        // SAFETY: a signature of the live model and a place for the result.
        self.check(step, unsafe { count(signature, &mut number) })?;
        let mut side = Side { specs: Vec::new(), _buffers: Vec::new(), pointers: Vec::new() };
        for index in 0..number {
            let tensor = self.borrowed(step, |out| {
                // SAFETY: a signature of the live model and an index below its count.
                unsafe { tensor(signature, index, out) }
            })?;
            let (spec, kind) = self.tensor(tensor)?;
            let needs = self.borrowed(step, |out| {
                // SAFETY: the live compiled model; the indices exist.
                unsafe { requirements(compiled.pointer, SIGNATURE, index, out) }
            })?;
            let buffer =
                self.handle("reserving its memory", self.functions.destroy_buffer, |out| {
                    // SAFETY: live objects; the type is read during the call only.
                    unsafe {
                        (self.functions.create_buffer)(environment.pointer, &kind, needs, out)
                    }
                })?;
            side.specs.push(spec);
            side.pointers.push(buffer.pointer);
            side._buffers.push(buffer);
        }
        Ok(side)
    }

    fn tensor(&self, tensor: Ptr) -> Result<(TensorSpec, TensorType), RuntimeError> {
        let step = "reading its tensors";
        let mut name = ptr::null();
        // SAFETY: a tensor of the live model and a place for the result.
        self.check(step, unsafe { (self.functions.tensor_name)(tensor, &mut name) })?;
        // SAFETY: what the library just gave for a tensor of the live model.
        let name = unsafe { text(name) };
        let mut kind = TensorType::default();
        // SAFETY: a tensor of the live model and a place of the header's layout.
        self.check(step, unsafe { (self.functions.tensor_type)(tensor, &mut kind) })?;
        let refuse = |problem: String| RuntimeError::Tensor {
            model: self.name.to_owned(),
            tensor: name.clone(),
            problem,
        };
        let element = match kind.element {
            ELEMENT_F32 => Element::F32,
            ELEMENT_F16 => Element::F16,
            ELEMENT_U8 => Element::U8(self.quantisation(tensor)?.map_err(refuse)?),
            ELEMENT_I8 => Element::I8(self.quantisation(tensor)?.map_err(refuse)?),
            other => return Err(refuse(format!("has TensorFlow Lite's element type {other}"))),
        };
        let rank = (kind.rank_and_flags & 0x7f) as usize;
        let dimensions = kind.dimensions.get(..rank).unwrap_or_default();
        let shape: Vec<usize> =
            dimensions.iter().filter_map(|&d| usize::try_from(d).ok().filter(|&d| d > 0)).collect();
        let length = shape.iter().try_fold(1, |length: usize, &d| length.checked_mul(d));
        let bounded = length.is_some_and(|length| length <= MAX_ELEMENTS);
        if shape.is_empty() || shape.len() != rank || !bounded {
            return Err(refuse(format!("has the shape {dimensions:?}")));
        }
        Ok((TensorSpec { name, element, shape }, kind))
    }

    /// How a tensor of integers is quantised; the inner error is what is wrong with that.
    fn quantisation(&self, tensor: Ptr) -> Result<Result<Quantisation, String>, RuntimeError> {
        let step = "reading how its tensors are quantised";
        let mut kind = QUANTISED_NOT;
        // SAFETY: a tensor of the live model and a place for the result.
        self.check(step, unsafe { (self.functions.quantisation_kind)(tensor, &mut kind) })?;
        match kind {
            QUANTISED_NOT => return Ok(Ok(Quantisation::NONE)),
            QUANTISED_PER_TENSOR => {}
            _ => return Ok(Err("has several scales".to_owned())),
        }
        let mut found = PerTensor::default();
        // SAFETY: a tensor of the live model and a place of the header's layout.
        self.check(step, unsafe { (self.functions.quantisation)(tensor, &mut found) })?;
        let PerTensor { scale, zero_point } = found;
        let quantisation = Quantisation::new(scale, zero_point);
        Ok(quantisation.ok_or_else(|| format!("has scale {scale} and zero point {zero_point}")))
    }

    /// Calls a create function and takes its result over.
    fn handle(
        &self,
        step: &'static str,
        destroy: Destroy,
        create: impl FnOnce(*mut Ptr) -> Status,
    ) -> Result<Handle, RuntimeError> {
        self.borrowed(step, create).map(|pointer| Handle { pointer, destroy })
    }

    /// Calls a function whose result stays the library's.
    fn borrowed(
        &self,
        step: &'static str,
        create: impl FnOnce(*mut Ptr) -> Status,
    ) -> Result<Ptr, RuntimeError> {
        let mut pointer = ptr::null_mut();
        self.check(step, create(&mut pointer))?;
        Ok(pointer)
    }

    fn check(&self, step: &'static str, status: Status) -> Result<(), RuntimeError> {
        check(self.name, step, status)
    }
}

impl Model {
    /// Lets `copy` see the tensor's memory.
    fn with_memory(
        &self,
        buffer: Ptr,
        spec: &TensorSpec,
        mode: c_int,
        copy: impl FnOnce(&mut [u8]),
    ) -> Result<(), RuntimeError> {
        let mut start = ptr::null_mut();
        // SAFETY: a live buffer that is not locked, and a place for the address.
        let status = unsafe { (self.functions.lock)(buffer, &mut start, mode) };
        check(&self.name, "moving its tensors", status)?;
        let bytes = spec.len() * spec.element.size();
        // SAFETY: locked host memory of at least this tensor's size, that nobody else touches
        // until it is unlocked.
        copy(unsafe { std::slice::from_raw_parts_mut(start.cast::<u8>(), bytes) });
        // SAFETY: the buffer locked above.
        let status = unsafe { (self.functions.unlock)(buffer) };
        check(&self.name, "moving its tensors", status)
    }
}

impl Interpreter for Model {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs.specs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs.specs
    }

    fn run(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<(), RuntimeError> {
        const READ: c_int = 0;
        const WRITE: c_int = 1;
        let lengths = inputs.iter().map(|slice| slice.len());
        check_lengths(&self.name, "input", &self.inputs.specs, lengths)?;
        let lengths = outputs.iter().map(|slice| slice.len());
        check_lengths(&self.name, "output", &self.outputs.specs, lengths)?;
        for ((&buffer, spec), input) in self.inputs.iter().zip(inputs) {
            self.with_memory(buffer, spec, WRITE, |memory| spec.element.write(input, memory))?;
        }
        let (ins, outs) = (&mut self.inputs.pointers, &mut self.outputs.pointers);
        // SAFETY: a live compiled model and one live, unlocked buffer for each tensor of its
        // signature, in the signature's order.
        let status = unsafe {
            (self.functions.run)(
                self.compiled.pointer,
                SIGNATURE,
                ins.len(),
                ins.as_mut_ptr(),
                outs.len(),
                outs.as_mut_ptr(),
            )
        };
        check(&self.name, "running it", status)?;
        for ((&buffer, spec), output) in self.outputs.iter().zip(outputs.iter_mut()) {
            self.with_memory(buffer, spec, READ, |memory| spec.element.read(memory, output))?;
        }
        Ok(())
    }
}

/// Frees the text handed over in [`Loader::options`].
unsafe extern "C" fn free_payload(payload: Ptr) {
    // SAFETY: the library calls this once with the pointer that `CString::into_raw` gave.
    drop(unsafe { CString::from_raw(payload.cast()) });
}

/// Copies a text of the library; empty if it gave none or one that is not UTF-8.
///
/// # Safety
/// `start` is null, or points to bytes that end in a zero and are alive during this call.
unsafe fn text(start: *const c_char) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the rest is the caller's promise.
    unsafe { CStr::from_ptr(start) }.to_str().unwrap_or_default().to_owned()
}
