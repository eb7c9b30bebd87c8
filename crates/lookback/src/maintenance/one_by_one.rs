//! What retention takes record by record.

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::plan::Retention;
use super::retain::{Retained, Say};
use super::turns::{self, Turns};
use crate::db::Sql;
use crate::db::one;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index;

/// How long the lock of the partitions is asked for, to settle: the next retention
/// goes on, too.
const SETTLING: Duration = Duration::from_secs(10);

/// Rows deleted by one statement, and for good with it.
const DELETED_AT_A_TIME: i64 = 10_000;

/// Deletes what goes of the table one by one.
pub(super) async fn delete(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    retained: &mut Retained,
    say: Say<'_>,
) -> Result<(), Error> {
    let (older, deleted) = (retention.of.created_before, retention.of.deleted_before);
    if let Some(cutoff) = older.filter(|_| retention.older_rows > 0 || retention.of.is_overdue) {
        let goes_on = delete_all_older(conn, table, cutoff, retention, retained, say).await?;
        if table.sealed {
            settle(conn, table, cutoff, Turns::new(SETTLING)).await?;
        }
        if goes_on.is_break() {
            return Ok(());
        }
    }
    let Some(cutoff) = deleted else {
        return Ok(());
    };
    loop {
        let deleted = delete_deleted(conn, table, cutoff).await?;
        retained.rows += deleted;
        if deleted == 0 || say(retained).is_break() {
            return Ok(());
        }
    }
}

async fn delete_all_older(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    retention: &Retention,
    retained: &mut Retained,
    say: Say<'_>,
) -> Result<ControlFlow<()>, Error> {
    let mut after = i64::MIN;
    while let Some(rows) = delete_older(conn, table, cutoff, after, retention.of.head).await? {
        after = rows.last;
        retained.rows += rows.deleted;
        if say(retained).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

struct Deleted {
    deleted: u64,
    /// The greatest id of them.
    last: i64,
}

/// Deletes some of the records after this id that were made before this time;
/// `None` if there are no more.
async fn delete_older(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    after: i64,
    head: i64,
) -> Result<Option<Deleted>, Error> {
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::default();
    let cutoff = sql.argument(cutoff)?;
    let after = sql.argument(after)?;
    let head = sql.argument(head)?;
    let at_a_time = sql.argument(DELETED_AT_A_TIME)?;
    // In the order of ids: what was deleted before is not passed again.
    sql.push(&format!(
        "WITH old AS MATERIALIZED (SELECT {id} AS id FROM {from} WHERE {created_at} < {cutoff} \
           AND {id} > {after} AND {id} <= {head} ORDER BY {id} LIMIT {at_a_time}), \
         gone AS (DELETE FROM {from} WHERE {id} IN (SELECT id FROM old) \
           AND {created_at} < {cutoff} RETURNING 1) \
         SELECT (SELECT max(id) FROM old) AS last, (SELECT count(*) FROM gone) AS deleted"
    ));
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?
        .ok_or(sqlx::Error::RowNotFound)?;
    let Some(last) = row.try_get("last")? else {
        return Ok(None);
    };
    Ok(Some(Deleted {
        deleted: row.try_get::<i64, _>("deleted")?.unsigned_abs(),
        last,
    }))
}

/// Deletes some of the records for good that were softly deleted before this time.
async fn delete_deleted(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
) -> Result<u64, Error> {
    let deleted_at = table.column_of(ColumnRole::DeletedAt).quoted();
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let mut sql = Sql::default();
    let before = sql.argument(cutoff)?;
    let at_a_time = sql.argument(DELETED_AT_A_TIME)?;
    // Locked where they are chosen: a record that is restored meanwhile is waited for,
    // looked at again there, and left alone.
    sql.push(&format!(
        "DELETE FROM {from} WHERE {id} IN (SELECT {id} FROM {from} \
         WHERE {deleted_at} < {before} LIMIT {at_a_time} FOR UPDATE)"
    ));
    sql.execute(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))
}

/// Segments that are counted again by one transaction.
const COUNTED_AT_A_TIME: i64 = 4;

/// Has the segments of a table know what they have still, once records are gone
/// that were made before this time: those before the first record that stays are
/// forgotten, and others that had older ones are counted again.
///
/// Where others keep it from that, the next retention does it: until then
/// searches read what is not forgotten, and find nothing by it.
pub(super) async fn settle(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    mut turns: Turns,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let step = match after {
            None => forget_leading(conn, table).await,
            Some(after) => count_again(conn, table, cutoff, after).await,
        };
        match step {
            Ok(Settled::All) => return Ok(()),
            Ok(Settled::UpTo(id)) => after = Some(id),
            Ok(Settled::Busy) if turns.pause().await => {}
            Ok(Settled::Busy) => return Ok(()),
            Err(error) if turns.again(&error).await => {}
            Err(error) if error.is_timeout() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// How far it is.
enum Settled {
    All,
    /// Segments that begin after this id are still to be counted.
    UpTo(i64),
    /// Another process is at the partitions.
    Busy,
}

async fn forget_leading(conn: &mut PgConnection, table: &'static Table) -> Result<Settled, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        return Ok(Settled::Busy);
    };
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let sql = Sql::new(&format!("SELECT min({id}) FROM {from}"));
    let first: Option<i64> = one(&mut transaction, sql).await?;
    // Without a record, all of them.
    let end = first.unwrap_or(i64::MAX);
    index::forget_segments(&mut transaction, table, i64::MIN, end).await?;
    transaction.commit().await?;
    Ok(Settled::UpTo(i64::MIN))
}

/// Counts some segments in one statement, which nobody waits for but a change of
/// their own records.
async fn count_again(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    after: i64,
) -> Result<Settled, Error> {
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    let (after, most) = (sql.argument(after)?, sql.argument(COUNTED_AT_A_TIME)?);
    sql.push(&format!(
        "WITH counted AS (\
           UPDATE sealed_segments AS s \
           SET rows = k.rows, oldest = k.oldest, newest = k.newest, updated_at = now() \
           FROM (\
             SELECT g.id, r.* FROM (\
               SELECT id, first_id, last_id FROM sealed_segments \
               WHERE deleted_at IS NULL AND target = {target} AND oldest < {cutoff} \
                 AND first_id > {after} ORDER BY first_id LIMIT {most}) AS g \
             CROSS JOIN LATERAL (\
               SELECT count(*) AS rows, min({created_at}) AS oldest, max({created_at}) AS newest \
               FROM {from} WHERE {id} BETWEEN g.first_id AND g.last_id) AS r) AS k \
           WHERE s.id = k.id RETURNING s.first_id) \
         SELECT max(first_id) FROM counted"
    ));
    let last: Option<i64> = one(conn, sql).await?;
    Ok(last.map_or(Settled::All, Settled::UpTo))
}
