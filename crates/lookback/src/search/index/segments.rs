//! Segments: their ids, times and counts, and the size of all summaries.

use std::ops::Range;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::orphans::{delete_segments_ctes, first_sealed_id};
use super::rollups::{TABLES, delete_rollups, may_read};
use super::{Lock, lock};
use crate::db::{Sql, TransactionScope, one, row};
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::value::StoredTime;

/// The tables of summaries by `target` and ids.
const SUMMARIES: [&str; 3] = ["sealed_segments", "search_blocks", "search_postings"];

/// The table of templates, which belong to no range of ids.
const TEMPLATES: &str = "search_templates";

/// Deletes all summaries of a table: its records are unsealed until they are
/// sealed again.
///
/// # Errors
///
/// Those of the database.
pub async fn unseal(conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
    let mut transaction = TransactionScope::begin(conn).await?;
    lock(transaction.conn(), table, Lock::Exclusive).await?;
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let deleting = delete_segments_ctes(&target, "TRUE");
    sql.push(&format!(
        "WITH {deleting} SELECT count(*) FROM removed_segments"
    ));
    sql.execute(transaction.conn()).await?;
    for summaries in ["search_blocks", "search_postings", TEMPLATES] {
        let mut sql = Sql::new(&format!("DELETE FROM {summaries} WHERE target = "));
        sql.bind(table.name)?;
        sql.execute(transaction.conn()).await?;
    }
    delete_rollups(transaction.conn(), table).await?;
    Ok(transaction.commit().await?)
}

/// Vacuums and analyzes the tables of summaries.
///
/// # Errors
///
/// Those of the database.
pub async fn vacuum_summaries(conn: &mut PgConnection) -> Result<(), Error> {
    for summaries in SUMMARIES.into_iter().chain([TEMPLATES]) {
        Sql::new(&format!("VACUUM (ANALYZE) {summaries}"))
            .define(conn)
            .await?;
    }
    if may_read(conn).await? {
        for rollups in TABLES {
            Sql::new(&format!("VACUUM (ANALYZE) {rollups}"))
                .define(conn)
                .await?;
        }
    }
    Ok(())
}

/// Returns the least and the greatest sealed id.
pub(super) async fn sealed_range(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<(i64, i64)>, Error> {
    let mut sql = Sql::new(
        "SELECT min(first_id) AS first_id, max(last_id) AS last_id \
         FROM sealed_segments WHERE NOT is_tombstone AND target = ",
    );
    sql.bind(table.name)?;
    let Some(row) = sql.fetch_optional(conn).await? else {
        return Ok(None);
    };
    let (first, last) = (row.try_get("first_id")?, row.try_get("last_id")?);
    Ok(Option::zip(first, last))
}

/// Returns the greatest sealed id.
pub(crate) async fn sealed_until(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new(
        "SELECT max(last_id) AS last_id FROM sealed_segments WHERE NOT is_tombstone AND target = ",
    );
    sql.bind(table.name)?;
    let row = sql.fetch_optional(conn).await?;
    Ok(row.map(|row| row.try_get("last_id")).transpose()?.flatten())
}

/// Returns the least id of the segments within a range of ids.
pub(crate) async fn first_sealed_id_within(
    conn: &mut PgConnection,
    table: &'static Table,
    ids: Range<i64>,
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::default();
    let within = push_within(&mut sql, table, ids)?;
    sql.push(&format!(
        "SELECT min(first_id) FROM sealed_segments WHERE NOT is_tombstone AND {within}"
    ));
    one(conn, sql).await
}

/// Binds a range of ids, and writes the condition that summaries lie within it.
fn push_within(sql: &mut Sql, table: &'static Table, ids: Range<i64>) -> Result<String, Error> {
    let target = sql.argument(table.name)?;
    let first = sql.argument(ids.start)?;
    let end = sql.argument(ids.end)?;
    Ok(format!(
        "target = {target} AND first_id >= {first} AND first_id < {end} AND last_id < {end}"
    ))
}

/// Returns the number of records in a range of ids, as its segments have counted
/// them; `None` if a segment is partly outside, or there is none.
pub(crate) async fn sealed_rows(
    conn: &mut PgConnection,
    table: &'static Table,
    ids: Range<i64>,
) -> Result<Option<u64>, Error> {
    let mut sql = Sql::default();
    let from = sql.argument(ids.start)?;
    let to = sql.argument(ids.end)?;
    sql.push(&format!(
        "SELECT coalesce(sum(rows), 0)::bigint AS rows, \
         coalesce(bool_and(first_id >= {from} AND last_id < {to}), false) AS own \
         FROM sealed_segments WHERE NOT is_tombstone AND last_id >= {from} \
         AND first_id < {to} AND target = "
    ));
    sql.bind(table.name)?;
    let row = row(conn, sql).await?;
    let rows = row.try_get::<i64, _>("rows")?.unsigned_abs();
    Ok(row.try_get::<bool, _>("own")?.then_some(rows))
}

/// Returns the bytes in rows of summaries within a range of ids, or of all.
pub(crate) async fn summary_bytes(
    conn: &mut PgConnection,
    table: &'static Table,
    ids: Option<Range<i64>>,
) -> Result<u64, Error> {
    let mut sql = Sql::default();
    let size = |name: &str, of: &str| {
        format!("(SELECT coalesce(sum(pg_column_size(s.*)), 0) FROM {name} AS s WHERE {of})")
    };
    let mut sizes: Vec<String> = Vec::new();
    let of = if let Some(ids) = ids {
        push_within(&mut sql, table, ids)?
    } else {
        let target = sql.argument(table.name)?;
        let all = format!("target = {target}");
        // Templates belong to all partitions.
        sizes.push(size(TEMPLATES, &all));
        // Orphans are about to be purged, and no reason to remove anything else.
        format!("{all} AND last_id >= {}", first_sealed_id(&target))
    };
    sizes.extend(SUMMARIES.iter().map(|name| size(name, &of)));
    sql.push(&format!("SELECT ({})::bigint", sizes.join(" + ")));
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// The records of all segments of a table, as they were last counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentTotals {
    pub(crate) rows: u64,
    pub(crate) oldest: Option<DateTime<Utc>>,
    pub(crate) newest: Option<DateTime<Utc>>,
}

/// Returns the totals of a table's segments.
pub(crate) async fn segment_totals(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<SegmentTotals, Error> {
    let mut sql = Sql::new(
        "SELECT coalesce(sum(rows), 0)::bigint AS rows, min(oldest) AS oldest, \
         max(newest) AS newest FROM sealed_segments WHERE NOT is_tombstone AND target = ",
    );
    sql.bind(table.name)?;
    let row = row(conn, sql).await?;
    Ok(SegmentTotals {
        rows: row.try_get::<i64, _>("rows")?.unsigned_abs(),
        oldest: row
            .try_get::<Option<StoredTime>, _>("oldest")?
            .map(StoredTime::time),
        newest: row
            .try_get::<Option<StoredTime>, _>("newest")?
            .map(StoredTime::time),
    })
}

/// Returns whether there are records created before a cutoff, outside of ranges
/// of first and last id.
///
/// Segments know this of sealed records. Of unsealed ones, beyond and before
/// these, the first is read: an older one that was inserted after it is noticed
/// once it is sealed.
pub(crate) async fn has_records_before(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    sealed_until: Option<i64>,
    outside: &[(i64, i64)],
) -> Result<bool, Error> {
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    sql.push(&format!(
        "SELECT EXISTS (SELECT 1 FROM sealed_segments \
         WHERE NOT is_tombstone AND target = {target} AND oldest < {cutoff}"
    ));
    push_segments_outside(&mut sql, outside)?;
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    if let Some(sealed) = sealed_until {
        sql.push(&format!(
            ") OR coalesce((SELECT {created_at} FROM {from} WHERE {id} > "
        ));
        sql.bind(sealed)?;
        push_records_outside(&mut sql, table, outside)?;
        sql.push(&format!(
            " ORDER BY {id} LIMIT 1) < {cutoff}, FALSE) \
             OR coalesce((SELECT {created_at} FROM {from} WHERE {id} < {}",
            first_sealed_id(&target)
        ));
        push_records_outside(&mut sql, table, outside)?;
        sql.push(&format!(" ORDER BY {id} LIMIT 1) < {cutoff}, FALSE)"));
    } else {
        sql.push(&format!(
            ") OR EXISTS (SELECT 1 FROM {from} WHERE {created_at} < {cutoff}"
        ));
        push_records_outside(&mut sql, table, outside)?;
        sql.push(")");
    }
    one(conn, sql).await
}

/// Appends ` AND …`: the condition that an id is outside of all ranges.
pub(crate) fn push_records_outside(
    sql: &mut Sql,
    table: &'static Table,
    ranges: &[(i64, i64)],
) -> Result<(), Error> {
    for (first, last) in ranges {
        sql.push(&format!(
            " AND NOT ({} BETWEEN ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(first)?;
        sql.push(" AND ");
        sql.bind(last)?;
        sql.push(")");
    }
    Ok(())
}

/// Appends ` AND …`: the condition that a segment is not within one of the ranges.
fn push_segments_outside(sql: &mut Sql, ranges: &[(i64, i64)]) -> Result<(), Error> {
    for (first, last) in ranges {
        sql.push(" AND NOT (first_id >= ");
        sql.bind(first)?;
        sql.push(" AND last_id <= ");
        sql.bind(last)?;
        sql.push(")");
    }
    Ok(())
}

/// Returns the least time of segments that are not within one of the ranges, and
/// whose oldest record is not before the cutoff.
pub(crate) async fn oldest_sealed(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: Option<DateTime<Utc>>,
    outside: &[(i64, i64)],
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut sql =
        Sql::new("SELECT min(oldest) FROM sealed_segments WHERE NOT is_tombstone AND target = ");
    sql.bind(table.name)?;
    push_segments_outside(&mut sql, outside)?;
    if let Some(cutoff) = cutoff {
        sql.push(" AND oldest >= ");
        sql.bind(cutoff)?;
    }
    let oldest: Option<StoredTime> = one(conn, sql).await?;
    Ok(oldest.map(StoredTime::time))
}

/// Returns the time of the oldest record from the cutoff on, in the segments that
/// have records on both sides of it and are not within one of the ranges.
pub(crate) async fn oldest_in_straddling_segments(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    outside: &[(i64, i64)],
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    sql.push(&format!(
        "SELECT min(r.{created_at}) FROM sealed_segments AS s \
         JOIN {from} AS r ON r.{id} BETWEEN s.first_id AND s.last_id AND r.{created_at} >= {cutoff} \
         WHERE NOT is_tombstone AND target = {target} AND oldest < {cutoff} AND newest >= {cutoff}",
        created_at = table.column_of(ColumnRole::CreatedAt).quoted(),
        from = table.quoted(),
        id = table.column_of(ColumnRole::Id).quoted(),
    ));
    push_segments_outside(&mut sql, outside)?;
    let oldest: Option<StoredTime> = one(conn, sql).await?;
    Ok(oldest.map(StoredTime::time))
}

/// Counts the records of the first `limit` segments after an id whose oldest record
/// is before the cutoff, and returns the greatest first id of them; `None` if there
/// are no more.
///
/// One statement, for which only changes of their own records wait.
pub(crate) async fn recount_segments(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    after: i64,
    limit: i64,
) -> Result<Option<i64>, Error> {
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    let (after, limit) = (sql.argument(after)?, sql.argument(limit)?);
    sql.push(&format!(
        "WITH given AS MATERIALIZED (\
           SELECT id, first_id, last_id FROM sealed_segments \
           WHERE NOT is_tombstone AND target = {target} AND oldest < {cutoff} \
             AND first_id > {after} ORDER BY first_id LIMIT {limit}), \
         records AS MATERIALIZED (\
           SELECT g.id, count(*) AS rows, min(r.{created_at}) AS oldest, max(r.{created_at}) AS newest \
           FROM given AS g JOIN {from} AS r ON r.{id} BETWEEN g.first_id AND g.last_id GROUP BY g.id), \
         counted AS (\
           UPDATE sealed_segments AS s \
           SET rows = coalesce(r.rows, 0), oldest = r.oldest, newest = r.newest \
           FROM given AS g LEFT JOIN records AS r USING (id) \
           WHERE s.id = g.id RETURNING s.first_id) \
         SELECT max(first_id) FROM counted"
    ));
    one(conn, sql).await
}
