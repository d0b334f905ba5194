//! Figures of the last ten minutes, which the diagnostics page draws: a sample every two
//! seconds ([`ring`], pure) of what cameras, recognition and viewers measure, told as
//! [`columns`] (pure).

pub mod columns;
mod owner;
pub mod ring;

pub use columns::{Columns, columns};
pub use owner::{Followed, History, start};
