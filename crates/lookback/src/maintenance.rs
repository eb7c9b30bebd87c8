//! Partitions, and what is done with them: made ahead of need, finished once
//! they are full, dropped once they are old.
//!
//! Any process may do it, and any number of them at once: each step is a short
//! transaction under an advisory lock of its own. Nothing here is needed for
//! inserts and searches to be right. docs/guide/storage.md

/// Sealing: what makes a search of many records fast.
pub mod sealing {
    pub use crate::search::index::{DEFAULT_SEGMENT, Sealer, Step, compact, forget};
}

mod ahead;
mod clean;
mod compact;
mod convert;
mod finish;
mod keeper;
mod layout;
mod one_by_one;
mod partitions;
mod plan;
mod retain;
mod status;
mod staying;
mod turns;

pub use crate::db::retention_now;
pub use ahead::{AheadOptions, DEFAULT_PARTITION, Made, make_ahead};
pub use compact::{compact, vacuum_summaries};
pub use finish::finish;
pub use keeper::{Keeper, KeeperOptions, Kept};
pub use partitions::{Partition, partitions};
pub use plan::{Dropped, Policy, Retention, oldest_kept, plan_retention};
pub use retain::{Retained, retain};
pub use status::{State, Status, status};
pub use staying::{Staying, Why, staying};

#[cfg(feature = "migrate")]
pub(crate) use layout::is_made;

/// The tables of what search keeps about sealed records, by `target` and ids.
const SUMMARIES: [&str; 3] = ["sealed_segments", "search_blocks", "search_kinds"];

/// What kinds have in common, whatever their ids.
const TEMPLATES: &str = "search_templates";
