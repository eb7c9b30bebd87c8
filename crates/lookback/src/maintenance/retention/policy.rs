//! Retention policies.

use std::time::Duration;

/// How long, and up to which size, the records of a table are kept.
///
/// A limit that is `None` deletes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Sets [`older_than`](#structfield.older_than).
    #[must_use]
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }

    /// Sets [`larger_than`](#structfield.larger_than).
    #[must_use]
    pub fn larger_than(mut self, bytes: u64) -> Self {
        self.larger_than = Some(bytes);
        self
    }

    /// Sets [`deleted_older_than`](#structfield.deleted_older_than).
    #[must_use]
    pub fn deleted_older_than(mut self, age: Duration) -> Self {
        self.deleted_older_than = Some(age);
        self
    }

    /// Whether the policy has no limit.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
