//! What retention takes record by record.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::plan::Retention;
use super::retain::{Retained, Say};
use super::turns::{self, Turns};
use crate::error::Error;
use crate::model::{Role, Table};
use crate::seal;
use crate::sql::Sql;

/// Rows deleted by one statement, and for good with it.
const DELETED_AT_A_TIME: i64 = 10_000;

/// Deletes what goes of the table one by one.
pub(super) async fn delete(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    retained: &mut Retained,
    say: Say<'_>,
) -> Result<ControlFlow<()>, Error> {
    if let Some(cutoff) = retention
        .of
        .created_before
        .filter(|_| retention.older_rows > 0)
    {
        let mut after = i64::MIN;
        while let Some(rows) = delete_older(conn, table, cutoff, after, retention.of.head).await? {
            after = rows.last;
            retained.rows += rows.deleted;
            if say(retained).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    let Some(cutoff) = retention.of.deleted_before else {
        return Ok(ControlFlow::Continue(()));
    };
    loop {
        let deleted = delete_deleted(conn, table, cutoff).await?;
        if deleted == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        retained.rows += deleted;
        if say(retained).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
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
    let (from, id) = (table.quoted(), table.role(Role::Id).quoted());
    let created_at = table.role(Role::CreatedAt).quoted();
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
        .map_err(|error| Error::of_table(table, error))?
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
    let deleted_at = table.role(Role::DeletedAt).quoted();
    let (from, id) = (table.quoted(), table.role(Role::Id).quoted());
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
        .map_err(|error| Error::of_table(table, error))
}

/// Has the segments of a table know what they have still, once all records are
/// gone that were made before this time: those before the first record that
/// stays are forgotten, and the others that had older ones are counted again.
///
/// Whether others kept it from that does not matter much: what is not forgotten
/// is read by searches, and finds nothing.
pub(super) async fn settle(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    mut turns: Turns,
) -> Result<(), Error> {
    loop {
        match settle_once(conn, table, cutoff).await {
            Ok(true) => return Ok(()),
            Ok(false) if turns.pause().await => {}
            Ok(false) => return Ok(()),
            Err(error) if turns.again(&error).await => {}
            Err(error) if error.is_timeout() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Returns whether it could; another one may be at it.
async fn settle_once(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
) -> Result<bool, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        return Ok(false);
    };
    let (from, id) = (table.quoted(), table.role(Role::Id).quoted());
    let created_at = table.role(Role::CreatedAt).quoted();
    let first: Option<i64> = super::answer::one(
        &mut transaction,
        Sql::new(&format!("SELECT min({id}) FROM {from}")),
    )
    .await?;
    // Without a record, all of them.
    let end = first.unwrap_or(i64::MAX);
    seal::forget_segments(&mut transaction, table, i64::MIN, end).await?;
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    sql.push(&format!(
        "UPDATE sealed_segments AS s \
         SET rows = k.rows, oldest = k.oldest, newest = k.newest, updated_at = now() \
         FROM (\
           SELECT g.id, r.* FROM sealed_segments AS g CROSS JOIN LATERAL (\
             SELECT count(*) AS rows, min({created_at}) AS oldest, max({created_at}) AS newest \
             FROM {from} WHERE {id} BETWEEN g.first_id AND g.last_id) AS r \
           WHERE g.deleted_at IS NULL AND g.target = {target} AND g.oldest < {cutoff}) AS k \
         WHERE s.id = k.id"
    ));
    sql.execute(&mut transaction).await?;
    transaction.commit().await?;
    Ok(true)
}
