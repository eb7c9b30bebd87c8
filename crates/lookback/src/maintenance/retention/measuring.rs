//! Counts and sizes of what a plan would delete and of what would remain.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::plan::{PartitionDrop, PrunePlan};
use crate::db::{Sql, one};
use crate::error::Error;
use crate::maintenance::partitions::Partition;
use crate::model::{ColumnRole, Table};
use crate::search::index;

/// Whether a partition has a record created at this time or later.
///
/// For a frozen partition the planner knows its range of times; for others an index
/// helps, or the whole partition is read.
pub(super) async fn has_newer_rows(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
    cutoff: DateTime<Utc>,
) -> Result<bool, Error> {
    let mut sql = Sql::new(&format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {} >= ",
        // Through the table: the planner considers constraints only when it chooses partitions.
        table.quoted(),
        table.column_of(ColumnRole::CreatedAt).quoted()
    ));
    sql.bind(cutoff)?;
    push_id_range(&mut sql, table, partition)?;
    sql.push(")");
    one(conn, sql).await
}

/// Appends ` AND id is in the partition`.
pub(super) fn push_id_range(
    sql: &mut Sql,
    table: &'static Table,
    partition: &Partition,
) -> Result<(), Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    if let Some(from) = partition.from {
        sql.push(&format!(" AND {id} >= "));
        sql.bind(from)?;
    }
    if let Some(to) = partition.to {
        sql.push(&format!(" AND {id} < "));
        sql.bind(to)?;
    }
    Ok(())
}

/// Counts the rows of a partition.
///
/// The count comes from its segments if no other partition shares them; otherwise the
/// rows are counted.
pub(super) async fn count_rows(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
    sealed: Option<i64>,
) -> Result<u64, Error> {
    if let (Some(to), true) = (partition.to, partition.is_sealed(sealed))
        && let Some(rows) = index::sealed_rows(conn, table, partition.first()..to).await?
    {
        return Ok(rows);
    }
    // Through the table: a role that may read it needs no rights on its partitions.
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM {} WHERE true",
        table.quoted()
    ));
    push_id_range(&mut sql, table, partition)?;
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Counts remaining records that were created before this time.
pub(super) async fn count_expired(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    plan: &PrunePlan,
) -> Result<u64, Error> {
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM {} WHERE {} < ",
        table.quoted(),
        table.column_of(ColumnRole::CreatedAt).quoted()
    ));
    sql.bind(cutoff)?;
    push_remaining(&mut sql, table, plan)?;
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Counts soft-deleted records that are deleted for no other reason.
pub(super) async fn count_soft_deleted(
    conn: &mut PgConnection,
    table: &'static Table,
    plan: &PrunePlan,
) -> Result<u64, Error> {
    let Some(cutoff) = plan.scope.deleted_before else {
        return Ok(0);
    };
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM {} WHERE {} < ",
        table.quoted(),
        table.column_of(ColumnRole::DeletedAt).quoted()
    ));
    sql.bind(cutoff)?;
    if let Some(cutoff) = plan.scope.created_before
        && plan.expired_rows > 0
    {
        sql.push(&format!(
            " AND {} >= ",
            table.column_of(ColumnRole::CreatedAt).quoted()
        ));
        sql.bind(cutoff)?;
    }
    push_remaining(&mut sql, table, plan)?;
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Appends ` AND id is in no partition that the plan drops`.
pub(super) fn push_remaining(
    sql: &mut Sql,
    table: &'static Table,
    plan: &PrunePlan,
) -> Result<(), Error> {
    index::push_records_outside(sql, table, &merged_id_ranges(&plan.partitions))
}

/// The id ranges of partitions, with adjacent ones merged.
pub(super) fn merged_id_ranges(partitions: &[PartitionDrop]) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for dropped in partitions {
        let first = dropped.partition.first();
        let last = dropped.partition.to.map_or(i64::MAX, |to| to - 1);
        match ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
            _ => ranges.push((first, last)),
        }
    }
    ranges
}
