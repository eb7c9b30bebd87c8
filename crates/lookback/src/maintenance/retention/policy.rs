//! Retention policies.

use std::time::Duration;

/// How long, and how much of, the records of a table are kept.
///
/// A limit that is `None` deletes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Deletes records whose `created_at` is longer ago than this.
    ///
    /// A partition is dropped once all its records are older. In a partition that
    /// also has newer records, old ones are deleted row by row as soon as one of
    /// them is a tenth older than this. So no record is kept for longer than that,
    /// and where partitions fill up quickly, no row is deleted that is soon dropped
    /// with its partition.
    pub older_than: Option<Duration>,
    /// Drops the oldest partitions while the table is larger than this, in bytes
    /// with its indexes and search summaries. For partitioned tables only.
    pub larger_than: Option<u64>,
    /// Purges records that were soft-deleted longer ago than this.
    pub deleted_older_than: Option<Duration>,
}

impl RetentionPolicy {
    /// Whether the policy has no limit.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
