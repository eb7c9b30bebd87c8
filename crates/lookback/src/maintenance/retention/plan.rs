//! Prune plans: computed once, then shown or carried out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::RetentionPolicy;
use super::measuring::{
    count_expired, count_rows, count_soft_deleted, has_newer_rows, merged_id_ranges,
};
use crate::error::Error;
use crate::maintenance::partitions::{self, Partition};
use crate::model::Table;
use crate::search::index::{self, sealed_until};

/// Rows are deleted one by one when a record exceeds its limit by this part of it.
const GRACE_DIVISOR: u32 = 10;

/// The partitions and rows of one table that are past its retention policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunePlan {
    /// The table.
    pub table: &'static str,
    /// The partitions to drop, the oldest first.
    pub partitions: Vec<PartitionDrop>,
    /// The number of rows to delete because of their age, in no partition or in one
    /// that stays.
    pub expired_rows: u64,
    /// The number of soft-deleted rows to purge from partitions that stay.
    pub soft_deleted_rows: u64,
    pub(super) scope: PruneScope,
}

/// The cutoffs of a plan, and the facts about the table when it was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PruneScope {
    pub(super) created_before: Option<DateTime<Utc>>,
    pub(super) deleted_before: Option<DateTime<Utc>>,
    /// The newest id of the table.
    pub(super) newest_id: i64,
    /// Whether segments report overdue records: these are deleted now, or were deleted
    /// without the segments being refreshed.
    pub(super) is_overdue: bool,
}

/// A partition that a plan drops.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionDrop {
    /// The name of the partition.
    pub name: String,
    /// The number of its rows, soft-deleted ones included; for a sealed partition, as
    /// counted when it was sealed.
    pub rows: u64,
    /// Its size on disk in bytes, with indexes.
    pub bytes: u64,
    /// Whether all its records are too old; otherwise it is dropped for its size.
    pub is_expired: bool,
    pub(super) partition: Partition,
}

impl PrunePlan {
    /// Returns the number of all rows that the plan deletes.
    pub fn rows(&self) -> u64 {
        let dropped: u64 = self.partitions.iter().map(|partition| partition.rows).sum();
        dropped + self.expired_rows + self.soft_deleted_rows
    }

    /// Returns the number of bytes that dropping the partitions returns to the disk.
    ///
    /// Space of rows that are deleted one by one is reused by later rows of the
    /// same table.
    pub fn bytes(&self) -> u64 {
        self.partitions
            .iter()
            .map(|partition| partition.bytes)
            .sum()
    }

    /// Whether segments may need a refresh, even if there is nothing to delete.
    pub(in crate::maintenance) fn is_overdue(&self) -> bool {
        self.scope.is_overdue
    }

    /// Whether there is nothing to delete.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0 && self.partitions.is_empty()
    }
}

/// Determines what a policy deletes from a table at this time; changes nothing.
///
/// `now` is [`cutoff_clock`](crate::maintenance::cutoff_clock), unless the question
/// is about another time.
///
/// The partition that takes inserts, pre-created partitions and the default
/// partition are never dropped; old records in them are deleted row by row, see
/// [`RetentionPolicy::older_than`].
///
/// # Errors
///
/// [`Error::is_invalid`] for [`RetentionPolicy::larger_than`] and a table without
/// partitions; those of the database.
pub async fn plan_prune(
    conn: &mut PgConnection,
    table: &'static Table,
    policy: &RetentionPolicy,
    now: DateTime<Utc>,
) -> Result<PrunePlan, Error> {
    let before = |age: Option<Duration>| {
        age.and_then(|age| chrono::TimeDelta::from_std(age).ok())
            .and_then(|age| now.checked_sub_signed(age))
    };
    let scope = PruneScope {
        created_before: before(policy.older_than),
        deleted_before: before(policy.deleted_older_than),
        newest_id: partitions::newest_id(conn, table).await?,
        is_overdue: false,
    };
    // Sizes take longest to look up, and only one limit compares them.
    let with_sizes = policy.larger_than.is_some();
    let partitions = partitions::list_partitions(conn, table, with_sizes).await?;
    if with_sizes && partitions.is_none() {
        let problem = format!("is for partitioned tables, and {} is not", table.name);
        return Err(Error::invalid_field(table.name, "larger_than", problem));
    }
    let mut plan = PrunePlan {
        table: table.name,
        partitions: Vec::new(),
        expired_rows: 0,
        soft_deleted_rows: 0,
        scope,
    };
    let sealed = sealed_until(conn, table).await?;
    if let Some(partitions) = partitions {
        plan.partitions =
            droppable_partitions(conn, table, partitions, policy, &scope, sealed).await?;
        let latest = policy
            .older_than
            .map(|age| age.saturating_add(age / GRACE_DIVISOR));
        let dropped = merged_id_ranges(&plan.partitions);
        if let (Some(cutoff), Some(overdue)) = (scope.created_before, before(latest))
            && index::has_records_before(conn, table, overdue, sealed, &dropped).await?
        {
            plan.expired_rows = count_expired(conn, table, cutoff, &plan).await?;
            plan.scope.is_overdue = true;
        }
    } else if let Some(cutoff) = scope.created_before {
        plan.expired_rows = count_expired(conn, table, cutoff, &plan).await?;
    }
    plan.soft_deleted_rows = count_soft_deleted(conn, table, &plan).await?;
    Ok(plan)
}

/// Selects the partitions to drop.
async fn droppable_partitions(
    conn: &mut PgConnection,
    table: &'static Table,
    partitions: Vec<Partition>,
    policy: &RetentionPolicy,
    scope: &PruneScope,
    sealed: Option<i64>,
) -> Result<Vec<PartitionDrop>, Error> {
    let mut remaining_bytes: u64 = partitions.iter().map(|partition| partition.bytes).sum();
    if policy.larger_than.is_some() {
        remaining_bytes += index::summary_bytes(conn, table, None).await?;
    }
    let mut droppable = Vec::new();
    for mut partition in partitions {
        // It receives inserts, or will.
        if partition.is_default || partition.to.is_none_or(|to| to > scope.newest_id) {
            continue;
        }
        let is_expired = match scope.created_before {
            Some(cutoff) => !has_newer_rows(conn, table, &partition, cutoff).await?,
            None => false,
        };
        let is_too_much = policy
            .larger_than
            .is_some_and(|most| remaining_bytes > most);
        if !is_expired && !is_too_much {
            continue;
        }
        remaining_bytes = remaining_bytes.saturating_sub(partition.bytes);
        if policy.larger_than.is_some() {
            let summaries = index::summary_bytes(conn, table, Some(partition.ids())).await?;
            remaining_bytes = remaining_bytes.saturating_sub(summaries);
        } else {
            partition.bytes = partitions::bytes(conn, table, &partition).await?;
        }
        droppable.push(PartitionDrop {
            name: partition.name.clone(),
            rows: count_rows(conn, table, &partition, sealed).await?,
            bytes: partition.bytes,
            is_expired,
            partition,
        });
    }
    Ok(droppable)
}
