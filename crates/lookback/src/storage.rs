//! Partitions, and what is done with them: made ahead of need, finished once
//! they are full, dropped once they are old.
//!
//! Any process may do it, and any number of them at once: each step is a short
//! transaction under an advisory lock of its own. Nothing here is needed for
//! inserts and searches to be right. docs/guide/storage.md

mod ahead;
mod convert;
mod partitions;
mod turns;

pub use ahead::{AheadOptions, Made, make_ahead};
pub(crate) use convert::BEFORE;
pub use partitions::{Partition, partitions};
