//! Retention blockers: why records stay that are past their policy.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::measuring::push_id_range;
use super::plan::PrunePlan;
use super::policy::RetentionPolicy;
use crate::db::{Sql, is_distributed, row};
use crate::error::Error;
use crate::maintenance::partitions::{self, Partition};
use crate::model::{ColumnRole, Table};
use crate::search::index;
use crate::value::StoredTime;

/// A partition that is not dropped, though some of its records are past their policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionBlocker {
    /// The name of the partition.
    pub partition: String,
    /// Why it is not dropped.
    pub reason: BlockerReason,
    /// Time of the oldest record that is too old; `None` if none is, and the table is
    /// too large.
    pub oldest: Option<DateTime<Utc>>,
}

/// The reason why a partition is not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlockerReason {
    /// It is the default partition, which is never dropped.
    ///
    /// [`precreate_partitions`](crate::maintenance::precreate_partitions) splits it.
    DefaultPartition,
    /// The newest id is in it.
    #[non_exhaustive]
    TakesInserts {
        /// The first id beyond it.
        to: Option<i64>,
    },
    /// It also has records that are not too old.
    HasNewerRows,
}

impl BlockerReason {
    /// The reason as a word, such as `takes_inserts`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DefaultPartition => "default_partition",
            Self::TakesInserts { .. } => "takes_inserts",
            Self::HasNewerRows => "has_newer_rows",
        }
    }
}

/// Partitions that a [`PrunePlan`] keeps, though the policy has a reason against them.
///
/// They have records that are too old, or the table is too large. Pre-created partitions
/// are left out. Empty if old records are deleted row by row, and for a table that is
/// not partitioned.
///
/// # Errors
///
/// As [`partitions`](crate::maintenance::partitions()); those of the database.
pub async fn retention_blockers(
    conn: &mut PgConnection,
    table: &'static Table,
    policy: &RetentionPolicy,
    plan: &PrunePlan,
) -> Result<Vec<RetentionBlocker>, Error> {
    if plan.expired_rows > 0 {
        return Ok(Vec::new());
    }
    let Some(mut partitions) = partitions::list_partitions(conn, table, true).await? else {
        return Ok(Vec::new());
    };
    partitions.retain(|partition| {
        let mut dropped = plan.partitions.iter();
        !dropped.any(|dropped| dropped.name == partition.name)
    });
    let is_too_large = match policy.larger_than {
        Some(limit) => {
            let bytes: u64 = partitions.iter().map(|partition| partition.bytes).sum();
            bytes + index::summary_bytes(conn, table, None).await? > limit
        }
        None => false,
    };
    let mut blockers = Vec::new();
    for partition in partitions {
        let is_precreated = partition.first() > plan.scope.newest_id;
        if is_precreated && !partition.is_default {
            continue;
        }
        let (oldest, has_records) =
            oldest_expired(conn, table, &partition, plan.scope.created_before).await?;
        if oldest.is_none() && !(is_too_large && has_records) {
            continue;
        }
        let reason = match (partition.is_default, partition.to) {
            (true, _) => BlockerReason::DefaultPartition,
            (false, to) if to.is_none_or(|to| to > plan.scope.newest_id) => {
                BlockerReason::TakesInserts { to }
            }
            (false, _) => BlockerReason::HasNewerRows,
        };
        blockers.push(RetentionBlocker {
            partition: partition.name,
            reason,
            oldest,
        });
    }
    Ok(blockers)
}

/// Time of the oldest record that is too old, and whether the partition has, or had, records.
async fn oldest_expired(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
    cutoff: Option<DateTime<Utc>>,
) -> Result<(Option<DateTime<Utc>>, bool), Error> {
    // That of a distributed table is empty, and its rows do not know their partition here.
    let is_distributed = is_distributed(conn, table).await?;
    let size = if is_distributed {
        "citus_relation_size"
    } else {
        "pg_relation_size"
    };
    let mut sql = Sql::new(&format!("SELECT coalesce({size}(to_regclass("));
    sql.bind(partition.quoted())?;
    sql.push(")), 0) > 0 AS has_records");
    let has_records: bool = row(conn, sql).await?.try_get("has_records")?;
    if !has_records || cutoff.is_none() {
        return Ok((None, has_records));
    }
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    // Through the table: a role that may read it needs no rights on its partitions.
    let by_itself = partition.is_default && is_distributed;
    let mut sql = Sql::new(&format!(
        "SELECT min({created_at}) AS oldest FROM {} WHERE {created_at} < ",
        if by_itself {
            partition.quoted()
        } else {
            table.quoted()
        }
    ));
    sql.bind(cutoff)?;
    if by_itself {
        // All of it.
    } else if partition.is_default {
        sql.push(" AND tableoid = to_regclass(");
        sql.bind(partition.quoted())?;
        sql.push(")");
    } else {
        push_id_range(&mut sql, table, partition)?;
    }
    let oldest: Option<StoredTime> = row(conn, sql).await?.try_get("oldest")?;
    Ok((oldest.map(StoredTime::time), has_records))
}
