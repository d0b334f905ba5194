//! What recognition says about itself.

/// What recognition is doing, published by its worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// The runtime and the model are being loaded.
    Starting,
    /// Results flow.
    Running {
        /// Name and version of the bundle, such as "fingerspelling 1".
        model: String,
        /// Why results are fewer or worse than they should be, in the operator's
        /// words, such as "camera too slow".
        degraded: Option<String>,
    },
    /// No results: why, and what to do, in the operator's words.
    Failed(String),
}
