//! Carrying out what retention was worked out to take.

use std::ops::ControlFlow;
use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use super::clean::clean;
use super::partitions::is_there;
use super::plan::{Dropped, Retention, has_newer};
use super::turns::{self, Turns};
use crate::db::{Db, Whole};
use crate::error::Error;
use crate::model::{Role, Table};
use crate::seal;
use crate::sql::Sql;

/// Rows deleted by one statement, and for good with it.
const DELETED_AT_A_TIME: i64 = 10_000;

/// How long locks are asked for; the next call goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// And how long for the lock of the summaries, to clean up: a keeper goes on, too.
const CLEANING: Duration = Duration::from_secs(10);

/// What [`retain`] has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// Partitions that are dropped.
    pub partitions: u64,
    /// Records that are gone, those of the partitions with them.
    pub rows: u64,
    /// Bytes that are free on the disk.
    pub bytes: u64,
    /// Partitions that stay, since they have newer records by now.
    pub kept: Vec<String>,
}

/// Told how far it is, and asked whether to go on.
type Say<'a> = &'a mut (dyn FnMut(&Retained) -> ControlFlow<()> + Send);

/// Takes what a [`Retention`] says, partition by partition, and tells `say`
/// after each and after each ten thousand records, which may end it there.
///
/// What is done is done for good; cut short, what is left goes with the next
/// retention that is worked out. A partition that has got a newer record
/// meanwhile, or that is not the same any more, stays.
///
/// What search keeps about a partition is not read any more once it is dropped,
/// and is deleted after that: here, or by whoever comes next if this is cut
/// short (a keeper, the next retention, [`compact`](super::compact)).
///
/// Dropping a partition locks the table from everyone, for some milliseconds;
/// others are waited for 200 ms at a time at most. All of it is done on one
/// connection, outside of a transaction of the caller's. On the one that it was
/// worked out on, nothing has to be looked up anew.
///
/// # Errors
///
/// [`Error::is_timeout`] if others held their locks for a minute; those of the
/// database.
pub async fn retain<'c>(
    db: impl Into<Db<'c>>,
    table: &'static Table,
    retention: &Retention,
    say: Say<'_>,
) -> Result<Retained, Error> {
    if table.name != retention.table {
        let problem = format!("is of {}, not of {}", retention.table, table.name);
        return Err(Error::invalid_field(table.name, "retention", problem));
    }
    let mut session = Whole::new(db.into().session().await?);
    let retained = retain_on(session.conn(), table, retention, say).await;
    session.give_back();
    retained
}

async fn retain_on(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    say: Say<'_>,
) -> Result<Retained, Error> {
    let mut retained = Retained::default();
    let goes_on = drop_all(conn, table, retention, &mut retained, say).await?;
    if table.sealed {
        clean(conn, table, CLEANING).await?;
    }
    if goes_on {
        delete(conn, table, retention, &mut retained, say).await?;
    }
    Ok(retained)
}

/// Drops the partitions that go, and returns whether to go on after them.
async fn drop_all(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    retained: &mut Retained,
    say: Say<'_>,
) -> Result<bool, Error> {
    for dropped in &retention.partitions {
        let mut turns = Turns::new(PATIENCE);
        loop {
            match drop_partition(conn, table, dropped, retention).await {
                Ok(Gone::Yes) => {
                    retained.partitions += 1;
                    retained.rows += dropped.rows;
                    retained.bytes += dropped.bytes;
                    break;
                }
                Ok(Gone::Busy) if turns.pause().await => {}
                Ok(Gone::No | Gone::Busy) => {
                    retained.kept.push(dropped.name.clone());
                    break;
                }
                Err(error) if turns.again(&error).await => {}
                Err(error) => return Err(error),
            }
        }
        if say(retained).is_break() {
            return Ok(false);
        }
    }
    Ok(true)
}

enum Gone {
    Yes,
    No,
    Busy,
}

async fn drop_partition(
    conn: &mut PgConnection,
    table: &'static Table,
    dropped: &Dropped,
    retention: &Retention,
) -> Result<Gone, Error> {
    // With those who make partitions: they look where the last one ends.
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        return Ok(Gone::Busy);
    };
    let partition = &dropped.partition;
    if !is_there(&mut transaction, table, partition).await? {
        transaction.rollback().await?;
        return Ok(Gone::No);
    }
    if let (Some(cutoff), true) = (retention.of.created_before, dropped.is_old) {
        // Whoever writes there comes to an end first, and may have written newer records.
        let sql = Sql::new(&format!(
            "LOCK TABLE ONLY {} IN SHARE MODE",
            partition.quoted()
        ));
        sql.execute(&mut transaction).await?;
        if has_newer(&mut transaction, table, partition, cutoff).await? {
            transaction.rollback().await?;
            return Ok(Gone::No);
        }
    }
    let (first, end) = (partition.first(), partition.to.unwrap_or(i64::MAX));
    let is_open = seal::forget_segments(&mut transaction, table, first, end).await?;
    // The last, as it locks the table. It is not detached first: PostgreSQL removes the file, which
    // takes longest, after it has let go of the locks.
    let sql = Sql::new(&format!("DROP TABLE {}", partition.quoted()));
    sql.define(&mut transaction).await?;
    if is_open {
        // Whoever read the partition has ended, and may have sealed some of it meanwhile.
        seal::forget_segments(&mut transaction, table, first, end).await?;
    }
    transaction.commit().await?;
    Ok(Gone::Yes)
}

/// Deletes what goes row by row.
async fn delete(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    retained: &mut Retained,
    say: Say<'_>,
) -> Result<(), Error> {
    if retention.older_rows > 0
        && let Some(cutoff) = retention.of.created_before
    {
        let mut after = i64::MIN;
        loop {
            let rows = delete_older(conn, table, cutoff, after, retention.of.head).await?;
            let Some(last) = rows.last else { break };
            after = last;
            retained.rows += rows.deleted;
            if say(retained).is_break() {
                return Ok(());
            }
        }
    }
    if let Some(cutoff) = retention.of.deleted_before {
        let deleted_at = table.role(Role::DeletedAt).quoted();
        let (from, id) = (table.quoted(), table.role(Role::Id).quoted());
        loop {
            let mut sql = Sql::default();
            let before = sql.argument(cutoff)?;
            let at_a_time = sql.argument(DELETED_AT_A_TIME)?;
            // Locked where they are chosen: a record that is restored meanwhile is waited for,
            // looked at again there, and left alone.
            sql.push(&format!(
                "DELETE FROM {from} WHERE {id} IN (SELECT {id} FROM {from} \
                 WHERE {deleted_at} < {before} LIMIT {at_a_time} FOR UPDATE)"
            ));
            let deleted = sql
                .execute(conn)
                .await
                .map_err(|error| Error::of_table(table, error))?;
            if deleted == 0 {
                break;
            }
            retained.rows += deleted;
            if say(retained).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

struct Deleted {
    deleted: u64,
    /// The greatest id of them; `None` if there are no more.
    last: Option<i64>,
}

/// Deletes some of the records after this id that were made before this time.
async fn delete_older(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: chrono::DateTime<chrono::Utc>,
    after: i64,
    head: i64,
) -> Result<Deleted, Error> {
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
    Ok(Deleted {
        deleted: row.try_get::<i64, _>("deleted")?.unsigned_abs(),
        last: row.try_get("last")?,
    })
}
