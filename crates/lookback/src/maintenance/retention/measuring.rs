//! Counts and sizes of what a plan would delete and of what would remain.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::plan::{PartitionDrop, PrunePlan};
use crate::db::{Sql, one};
use crate::error::Error;
use crate::maintenance::partitions::Partition;
use crate::maintenance::{SUMMARIES, TEMPLATES};
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
        "SELECT EXISTS (SELECT FROM {} WHERE {} >= ",
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
    if let (Some(to), true) = (partition.to, partition.is_sealed(sealed)) {
        let mut sql = Sql::default();
        let from = sql.argument(partition.first())?;
        let to = sql.argument(to)?;
        sql.push(&format!(
            "SELECT coalesce(sum(rows), 0)::bigint AS rows, \
             coalesce(bool_and(first_id >= {from} AND last_id < {to}), false) AS own \
             FROM sealed_segments WHERE deleted_at IS NULL AND last_id >= {from} \
             AND first_id < {to} AND target = "
        ));
        sql.bind(table.name)?;
        if let Some(row) = sql.fetch_optional(conn).await?
            && row.try_get("own")?
        {
            return Ok(row.try_get::<i64, _>("rows")?.unsigned_abs());
        }
    }
    // Through the table: a role that may read it needs no rights on its partitions.
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM {} WHERE true",
        table.quoted()
    ));
    push_id_range(&mut sql, table, partition)?;
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Size of the search summaries of a partition, or of all, in bytes of their rows.
pub(in crate::maintenance) async fn summary_bytes(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: Option<&Partition>,
) -> Result<u64, Error> {
    let mut sql = Sql::default();
    let size = |name: &str, of: &str| {
        format!("(SELECT coalesce(sum(pg_column_size(s.*)), 0) FROM {name} AS s WHERE {of})")
    };
    let mut sizes: Vec<String> = Vec::new();
    let of = match partition {
        Some(partition) => partition.summaries_condition(&mut sql, table)?,
        None => {
            let target = sql.argument(table.name)?;
            let all = format!("target = {target}");
            // Templates belong to all partitions.
            sizes.push(size(TEMPLATES, &all));
            // Orphans of an earlier prune are about to be purged, and no reason to drop more.
            format!("{all} AND last_id >= {}", index::first_sealed_id(&target))
        }
    };
    sizes.extend(SUMMARIES.iter().map(|name| size(name, &of)));
    sql.push(&format!("SELECT ({})::bigint", sizes.join(" + ")));
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Whether a remaining record was created before this time.
///
/// For sealed records the segments know. For the others, which are after and before the
/// segments, only the first is looked at: a record that was created before it but
/// inserted after it is found once it is sealed.
pub(super) async fn has_overdue_rows(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    sealed: Option<i64>,
    plan: &PrunePlan,
) -> Result<bool, Error> {
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    sql.push(&format!(
        "SELECT EXISTS (SELECT FROM sealed_segments \
         WHERE deleted_at IS NULL AND target = {target} AND oldest < {cutoff}"
    ));
    push_remaining_segments(&mut sql, plan)?;
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    match sealed {
        Some(sealed) => {
            sql.push(&format!(
                ") OR coalesce((SELECT {created_at} FROM {from} WHERE {id} > "
            ));
            sql.bind(sealed)?;
            push_remaining(&mut sql, table, plan)?;
            sql.push(&format!(
                " ORDER BY {id} LIMIT 1) < {cutoff}, FALSE) \
                 OR coalesce((SELECT {created_at} FROM {from} WHERE {id} < {}",
                index::first_sealed_id(&target)
            ));
            push_remaining(&mut sql, table, plan)?;
            sql.push(&format!(" ORDER BY {id} LIMIT 1) < {cutoff}, FALSE)"));
        }
        None => {
            sql.push(&format!(
                ") OR EXISTS (SELECT FROM {from} WHERE {created_at} < {cutoff}"
            ));
            push_remaining(&mut sql, table, plan)?;
            sql.push(")");
        }
    }
    one(conn, sql).await
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
    for (from, to) in merged_id_ranges(&plan.partitions) {
        sql.push(&format!(
            " AND NOT ({} BETWEEN ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(from)?;
        sql.push(" AND ");
        sql.bind(to)?;
        sql.push(")");
    }
    Ok(())
}

/// Appends ` AND the segment is not entirely in partitions that the plan drops`.
pub(super) fn push_remaining_segments(sql: &mut Sql, plan: &PrunePlan) -> Result<(), Error> {
    for (from, to) in merged_id_ranges(&plan.partitions) {
        sql.push(" AND NOT (first_id >= ");
        sql.bind(from)?;
        sql.push(" AND last_id <= ");
        sql.bind(to)?;
        sql.push(")");
    }
    Ok(())
}

/// The id ranges of partitions, with adjacent ones merged.
fn merged_id_ranges(partitions: &[PartitionDrop]) -> Vec<(i64, i64)> {
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
