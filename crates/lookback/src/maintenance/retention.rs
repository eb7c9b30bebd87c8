//! Retention: determining what is past its policy, and deleting it.

mod blockers;
mod measuring;
mod oldest_remaining;
mod orphans;
mod plan;
mod policy;
mod preview;
mod pruning;
mod row_deletion;

pub use blockers::{BlockerReason, RetentionBlocker, retention_blockers};
pub use oldest_remaining::oldest_remaining;
pub(super) use orphans::purge_orphans;
pub use plan::{PartitionDrop, PrunePlan, plan_prune};
pub use policy::RetentionPolicy;
pub use preview::{PrunePreview, preview_prune};
pub use pruning::{PruneReport, prune};
