//! Orphans: summaries of ids whose records retention has dropped.
//!
//! The transaction that drops a partition deletes its segments, which are few,
//! and not its blocks and postings, which are many: they are purged afterwards.
//! Until then no search reads them: blocks are read by their segments, and
//! postings only if they have records at or after the first segment. So all
//! orphans are below the first segment; those of a partition with sealed
//! records before it are deleted at once.
//!
//! Blocks are purged last, together with unused templates: as long as there are
//! blocks below the first segment, there may be such templates.

use sqlx::{PgConnection, Row as _};

use super::postings_builder;
use super::rollups::delete_ranges_between;
use super::{Lock, lock};
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;

/// The number of postings that one transaction deletes, and of blocks, which
/// are 1.6 kB each.
const AT_A_TIME: i64 = 50_000;
const BLOCKS_AT_A_TIME: i64 = 10_000;

/// Returns a subquery for the least sealed id of a target; NULL if nothing is
/// sealed. The target is an SQL expression, too.
pub(super) fn first_sealed_id(target: &str) -> String {
    format!(
        "(SELECT min(first_id) FROM sealed_segments WHERE NOT is_tombstone AND target = {target})"
    )
}

/// Returns the SQL condition that a target has orphans below an id, the least
/// sealed one.
pub(crate) fn has_orphans_below(target: &str, from: &str) -> String {
    // One lookup in the index, which an `EXISTS` need not be.
    format!(
        "coalesce((SELECT min(first_id) FROM search_blocks WHERE target = {target}) < {from}, FALSE)"
    )
}

/// Returns the CTEs that delete the segments of a target that meet a condition.
///
/// `removed_segments` has a row for each. The segment with the greatest id of
/// all tables remains as a tombstone: see `is_snapshot_stale` in
/// `changes.rs`.
pub(super) fn delete_segments_ctes(target: &str, within: &str) -> String {
    format!(
        "last_segment AS (SELECT max(id) AS id FROM sealed_segments), \
         marked_segments AS (\
           UPDATE sealed_segments SET is_tombstone = TRUE \
           WHERE NOT is_tombstone AND target = {target} AND {within} \
           AND id = (SELECT id FROM last_segment) RETURNING 1), \
         deleted_segments AS (\
           DELETE FROM sealed_segments \
           WHERE target = {target} AND (is_tombstone OR {within}) \
           AND id < (SELECT id FROM last_segment) RETURNING is_tombstone), \
         removed_segments AS (\
           SELECT FROM marked_segments \
           UNION ALL SELECT FROM deleted_segments WHERE NOT is_tombstone)"
    )
}

/// Deletes the segments from `first` up to, but not including, `end`, in the
/// transaction that removes their records; and the summaries of these ids that
/// searches would still read. [`purge_orphans`] deletes the rest.
///
/// Returns whether some of the range was unsealed: another process may be
/// sealing it, so call it again once the records are locked.
pub(crate) async fn delete_segments(
    conn: &mut PgConnection,
    table: &'static Table,
    first: i64,
    end: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let (first_id, end_id) = (sql.argument(first)?, sql.argument(end)?);
    let within = format!("(first_id >= {first_id} AND first_id < {end_id} AND last_id < {end_id})");
    sql.push(&format!(
        "WITH {deleting} \
         SELECT (SELECT count(*) FROM removed_segments) AS removed, (\
           SELECT min(first_id) FROM sealed_segments \
           WHERE NOT is_tombstone AND target = {target} AND NOT {within}) AS kept, \
           coalesce((SELECT last_id FROM sealed_segments \
             WHERE NOT is_tombstone AND target = {target} \
             ORDER BY first_id DESC LIMIT 1) < {end_id} - 1, TRUE) AS is_open",
        deleting = delete_segments_ctes(&target, &within),
    ));
    let Some(row) = sql.fetch_optional(&mut *conn).await? else {
        return Ok(true);
    };
    let (removed, kept): (i64, Option<i64>) = (row.try_get("removed")?, row.try_get("kept")?);
    if let Some(kept) = kept.filter(|kept| removed > 0 && *kept < end) {
        delete_summaries_between(&mut *conn, table, first, end, kept).await?;
    }
    if removed > 0 {
        delete_ranges_between(conn, table, first, end).await?;
    }
    Ok(row.try_get("is_open")?)
}

/// Deletes blocks and postings of a range of ids that end at `kept` or later.
async fn delete_summaries_between(
    conn: &mut PgConnection,
    table: &'static Table,
    first: i64,
    end: i64,
    kept: i64,
) -> Result<(), Error> {
    for summaries in ["search_postings", "search_blocks"] {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        let (first, end) = (sql.argument(first)?, sql.argument(end)?);
        let kept = sql.argument(kept)?;
        sql.push(&format!(
            "DELETE FROM {summaries} WHERE target = {target} AND first_id >= {first} \
             AND first_id < {end} AND last_id < {end} AND last_id >= {kept}"
        ));
        sql.execute(&mut *conn).await?;
    }
    // Otherwise a sealing process may be about to use one; they are then purged later.
    if lock(conn, table, Lock::TryExclusive).await? {
        postings_builder::purge_unused_templates(conn, table.name).await?;
    }
    Ok(())
}

/// Returns whether there are orphans.
pub(crate) async fn has_orphans(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<bool, Error> {
    Ok(orphans_below(conn, table).await?.is_some())
}

/// Purges some orphans in the caller's transaction, after waiting for the
/// exclusive lock. There may be more.
pub(crate) async fn purge_orphans(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    lock(conn, table, Lock::Exclusive).await?;
    purge_some_orphans(conn, table).await?;
    Ok(())
}

/// Purges all orphans, in a transaction that has the exclusive lock.
pub(super) async fn purge_all_orphans(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    while purge_some_orphans(conn, table).await? {}
    Ok(())
}

/// Purges some orphans; returns whether there are more.
async fn purge_some_orphans(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    // Read once: blocks and postings of partitions dropped since are for the next call. The value
    // does not decrease while this transaction has the lock.
    let Some(from) = orphans_below(conn, table).await? else {
        return Ok(false);
    };
    // Postings that reach beyond it are no orphans.
    let kinds = "SELECT ctid FROM search_postings WHERE target = {target} AND first_id < {below} \
                 AND last_id < {below} ORDER BY first_id";
    if delete_some(conn, table, "search_postings", kinds, from, AT_A_TIME).await? {
        return Ok(true);
    }
    // From the last on: while the first remains, it is known that there is more to do.
    let blocks = "SELECT ctid FROM search_blocks WHERE target = {target} AND first_id < {below} \
                  ORDER BY first_id DESC";
    let is_full = delete_some(conn, table, "search_blocks", blocks, from, BLOCKS_AT_A_TIME).await?;
    if is_full && orphans_below(conn, table).await?.is_some() {
        return Ok(true);
    }
    postings_builder::purge_unused_templates(conn, table.name).await?;
    Ok(false)
}

/// Deletes at most `most` of the rows that `which` selects by `{target}` and
/// `{below}`, an id; returns whether there were as many.
async fn delete_some(
    conn: &mut PgConnection,
    table: &'static Table,
    summaries: &str,
    which: &str,
    below: i64,
    most: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::default();
    let which = which.replace("{target}", &sql.argument(table.name)?);
    let which = which.replace("{below}", &sql.argument(below)?);
    let limit = sql.argument(most)?;
    sql.push(&format!(
        "DELETE FROM {summaries} WHERE ctid = ANY (ARRAY ({which} LIMIT {limit}))"
    ));
    Ok(sql.execute(conn).await? >= most.unsigned_abs())
}

/// Returns the least sealed id, or the greatest number, if there are orphans
/// below it.
async fn orphans_below(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let none = sql.argument(i64::MAX)?;
    sql.push(&format!(
        "SELECT least_id, {has_orphans_below} AS has_orphans FROM (SELECT coalesce({from}, {none}) AS least_id OFFSET 0) AS s",
        has_orphans_below = has_orphans_below(&target, "least_id"),
        from = first_sealed_id(&target),
    ));
    let Some(row) = sql.fetch_optional(conn).await? else {
        return Ok(None);
    };
    let has_orphans_below: bool = row.try_get("has_orphans")?;
    Ok(has_orphans_below.then_some(row.try_get("least_id")?))
}
