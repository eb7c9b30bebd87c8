//! Maintenance of partitions: pre-creating, splitting, freezing, pruning.
//!
//! Any number of processes may do it: each step is a short transaction under an
//! advisory lock of its own. Inserts and searches are correct without any of it.
//! docs/guide/storage.md

/// Sealing: summarising records, which makes a search of many of them fast.
pub mod sealing {
    pub use crate::search::index::{DEFAULT_SEGMENT, SealStep, Sealer, merge_postings, unseal};
}

mod compaction;
mod distribution;
mod freezing;
mod lock_retry;
mod partition_layout;
mod partitions;
mod precreating;
mod report;
mod retention;
mod rollups;
mod splitting;
mod status;
mod worker;

pub use crate::db::cutoff_clock;
pub use crate::search::index::vacuum_summaries;
pub use compaction::compact;
pub use distribution::{Cluster, ShardServer, Shards, cluster, distribute, shards, undistribute};
pub use freezing::freeze_partition;
pub use partitions::{Partition, partitions};
pub use precreating::{
    DEFAULT_PARTITION_IDS, PrecreateOptions, PrecreateReport, precreate_partitions,
};
pub use report::{StorageReport, storage_report};
pub use retention::{
    BlockerReason, PartitionDrop, PrunePlan, PrunePreview, PruneReport, RetentionBlocker,
    RetentionPolicy, oldest_remaining, plan_prune, preview_prune, prune, retention_blockers,
};
pub use rollups::maintain_rollups;
pub use status::{PartitionState, StorageStatus, status};
pub use worker::{MaintenanceObserver, MaintenanceOptions, MaintenanceStats, MaintenanceWorker};

#[cfg(feature = "migrate")]
pub(crate) use partition_layout::is_managed_name;
#[cfg(feature = "migrate")]
pub(crate) use precreating::create_first_partitions;
#[cfg(feature = "migrate")]
pub(crate) use rollups::create_missing_trigger;
