//! What is left of ranges of ids whose records retention took.
//!
//! The transaction that drops a partition forgets its segments, which are few,
//! and not what is known of each block and kind, which are many: they go
//! afterwards. Meanwhile no search reads them: blocks are read by their
//! segments, and no kind is read of which all records come before the first
//! segment. So what is left is all below the first segment; of a partition that
//! has sealed records before it, it goes at once.
//!
//! Blocks go last, together with the templates that nothing has any more: while
//! there are blocks below the first segment, there may be such templates.

use sqlx::{PgConnection, Row as _};

use super::postings_builder;
use super::{Lock, lock};
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;

/// Kinds that are deleted by one transaction, and blocks, which are 1.6 kB each.
const AT_A_TIME: i64 = 50_000;
const BLOCKS_AT_A_TIME: i64 = 10_000;

/// The least id that is sealed of a target, an SQL expression as the target is.
/// Null where nothing is.
pub(crate) fn sealed_from(target: &str) -> String {
    format!(
        "(SELECT min(first_id) FROM sealed_segments WHERE deleted_at IS NULL AND target = {target})"
    )
}

/// Whether something is left of a target below an id: the least one that is sealed.
pub(crate) fn is_left(target: &str, from: &str) -> String {
    // One look into the index, which an `EXISTS` need not be.
    format!(
        "coalesce((SELECT min(first_id) FROM search_blocks WHERE target = {target}) < {from}, FALSE)"
    )
}

/// What deletes the segments of a target within a condition, to be put behind
/// `WITH`; of `gone_segments` there are as many rows. The one with the greatest id
/// of all tables stays, marked as deleted: see `is_outdated` in `change.rs`.
pub(super) fn deleting_segments(target: &str, within: &str) -> String {
    format!(
        "last_segment AS (SELECT max(id) AS id FROM sealed_segments), \
         marked_segments AS (\
           UPDATE sealed_segments SET deleted_at = now(), updated_at = now() \
           WHERE deleted_at IS NULL AND target = {target} AND {within} \
           AND id = (SELECT id FROM last_segment) RETURNING 1), \
         deleted_segments AS (\
           DELETE FROM sealed_segments \
           WHERE target = {target} AND (deleted_at IS NOT NULL OR {within}) \
           AND id < (SELECT id FROM last_segment) RETURNING deleted_at), \
         gone_segments AS (\
           SELECT FROM marked_segments \
           UNION ALL SELECT FROM deleted_segments WHERE deleted_at IS NULL)"
    )
}

/// Forgets the segments of a range of ids, from `first` up to, and not with,
/// `end`, in the transaction that takes their records; and of all else that is
/// known of it what searches would still read. The rest is for
/// [`forget_gone`].
///
/// Returns whether some of the range was still to be sealed: somebody may be at
/// it, and it is to be called again once the records are locked.
pub(crate) async fn forget_segments(
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
         SELECT (SELECT count(*) FROM gone_segments) AS gone, (\
           SELECT min(first_id) FROM sealed_segments \
           WHERE deleted_at IS NULL AND target = {target} AND NOT {within}) AS kept, \
           coalesce((SELECT last_id FROM sealed_segments \
             WHERE deleted_at IS NULL AND target = {target} \
             ORDER BY first_id DESC LIMIT 1) < {end_id} - 1, TRUE) AS is_open",
        deleting = deleting_segments(&target, &within),
    ));
    let Some(row) = sql.fetch_optional(&mut *conn).await? else {
        return Ok(true);
    };
    let (gone, kept): (i64, Option<i64>) = (row.try_get("gone")?, row.try_get("kept")?);
    if let Some(kept) = kept.filter(|kept| gone > 0 && *kept < end) {
        forget_between(conn, table, first, end, kept).await?;
    }
    Ok(row.try_get("is_open")?)
}

/// Forgets blocks and kinds of a range of ids that end at `kept` or after it.
async fn forget_between(
    conn: &mut PgConnection,
    table: &'static Table,
    first: i64,
    end: i64,
    kept: i64,
) -> Result<(), Error> {
    for summaries in ["search_kinds", "search_blocks"] {
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
    // Else whoever is sealing may be about to name one; then they are not deleted at once.
    if lock(conn, table, Lock::Alone).await? {
        postings_builder::forget_unused(conn, table.name).await?;
    }
    Ok(())
}

/// Whether there is something for [`forget_gone`].
pub(crate) async fn has_gone(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<bool, Error> {
    Ok(gone_below(conn, table).await?.is_some())
}

/// Forgets some of what is left of records that are gone, in a transaction of the
/// caller's, as soon as nobody else has the lock. There may be more.
pub(crate) async fn forget_gone(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    lock(conn, table, Lock::AloneAtLast).await?;
    forget_some(conn, table).await?;
    Ok(())
}

/// As [`forget_gone`], all of it, in a transaction that has the lock alone.
pub(super) async fn forget_all_gone(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    while forget_some(conn, table).await? {}
    Ok(())
}

/// Returns whether there is more.
async fn forget_some(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    // Asked once: what is dropped meanwhile is for the next time, blocks and kinds of it. It does not
    // get less while one has the lock.
    let Some(from) = gone_below(conn, table).await? else {
        return Ok(false);
    };
    // Kinds may reach beyond it, and count then.
    let kinds = "SELECT ctid FROM search_kinds WHERE target = {target} AND first_id < {below} \
                 AND last_id < {below} ORDER BY first_id";
    if delete_some(conn, table, "search_kinds", kinds, from, AT_A_TIME).await? {
        return Ok(true);
    }
    // From the last on: while the first is there, it is known that there is more to do.
    let blocks = "SELECT ctid FROM search_blocks WHERE target = {target} AND first_id < {below} \
                  ORDER BY first_id DESC";
    let is_full = delete_some(conn, table, "search_blocks", blocks, from, BLOCKS_AT_A_TIME).await?;
    if is_full && gone_below(conn, table).await?.is_some() {
        return Ok(true);
    }
    postings_builder::forget_unused(conn, table.name).await?;
    Ok(false)
}

/// Deletes this many of the rows that `which` selects, of a `{target}` and
/// `{below}` an id; returns whether there were as many.
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

/// The least id that is sealed, or the greatest number, if something is left
/// below.
async fn gone_below(conn: &mut PgConnection, table: &'static Table) -> Result<Option<i64>, Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let none = sql.argument(i64::MAX)?;
    sql.push(&format!(
        "SELECT least_id, {is_left} AS is_left FROM (SELECT coalesce({from}, {none}) AS least_id OFFSET 0) AS s",
        is_left = is_left(&target, "least_id"),
        from = sealed_from(&target),
    ));
    let Some(row) = sql.fetch_optional(conn).await? else {
        return Ok(None);
    };
    let is_left: bool = row.try_get("is_left")?;
    Ok(is_left.then_some(row.try_get("least_id")?))
}
