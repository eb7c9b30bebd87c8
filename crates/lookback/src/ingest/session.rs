//! A new connection of a lane: made ready, and how far the lane has come, which
//! its row in `ingest_lanes` says.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::spill::LANE;
use crate::db::Sql;
use crate::db::cutoff_clock;
use crate::error::Error;
use crate::model::Model as _;
use crate::setup::check_encoder;
use crate::tables::IngestLane;

/// How long the transaction of a lost connection is waited for at most before it
/// is ended.
const LOST: Duration = Duration::from_secs(2);

/// Rows of lanes that were not changed for so long are of writers that were
/// killed: one that lives and has lost its row makes another.
const FORGOTTEN: TimeDelta = TimeDelta::days(7);

/// A process of the server: numbers of processes come again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backend {
    pid: i32,
    started: DateTime<Utc>,
}

/// Makes a new connection ready: who serves it, and the row and number of the
/// lane. Each of its steps may take as long as the timeout.
pub(super) async fn greet(
    conn: &mut PgConnection,
    timeout: Duration,
    has_vectors: bool,
    name: &str,
    lost: Option<&Backend>,
) -> Result<(Backend, Option<(i64, i64)>), Error> {
    // What is committed has to survive a crash of the server.
    let durable = sqlx::query(
        "SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
    );
    timed(timeout, durable.execute(&mut *conn)).await?;
    if has_vectors {
        timed_out(timeout, check_encoder(conn)).await?;
    }
    let backend =
        sqlx::query("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()");
    let row = timed(timeout, backend.fetch_one(&mut *conn)).await?;
    let backend = Backend {
        pid: row.try_get("pid")?,
        started: row.try_get("backend_start")?,
    };
    Ok((backend, number_of(conn, timeout, name, lost).await?))
}

/// Reads how far a lane has come. The transaction of a lost connection has
/// locked the row before it could store anything: once it is read under a lock,
/// nothing will change it any more.
///
/// After an error the connection is good for nothing any more.
pub(super) async fn number_of(
    conn: &mut PgConnection,
    timeout: Duration,
    name: &str,
    lost: Option<&Backend>,
) -> Result<Option<(i64, i64)>, Error> {
    let wait = lock_wait(timeout);
    let mut transaction = timed(timeout, conn.begin()).await?;
    let limit = sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(format!("{}ms", wait.as_millis()));
    timed(timeout, limit.execute(&mut *transaction)).await?;
    let table = IngestLane::TABLE;
    let mut sql = Sql::new(&format!(
        "SELECT id, batch FROM {} WHERE deleted_at IS NULL AND name = ",
        table.quoted()
    ));
    sql.bind(name)?;
    sql.push(" FOR UPDATE");
    // The server has as long to answer as for any other step after the wait for the lock.
    let found = timed(timeout + wait, sql.fetch_optional(&mut transaction));
    let found = match found.await {
        Ok(found) => found,
        Err(error) => {
            let error = Error::from_driver(table, error);
            if let (true, Some(lost)) = (error.is_timeout(), lost) {
                timed(timeout, transaction.rollback()).await?;
                timed_out(timeout, end(conn, lost)).await?;
            }
            return Err(error);
        }
    };
    timed(timeout, transaction.commit()).await?;
    found
        .map(|row| Ok((row.try_get("id")?, row.try_get("batch")?)))
        .transpose()
}

/// How long a lock is waited for: less than an answer may take, or the client
/// would give up the connection first and never get to end the other one.
fn lock_wait(timeout: Duration) -> Duration {
    // PostgreSQL counts in milliseconds, and takes 0 for no limit.
    (timeout / 2).clamp(Duration::from_millis(1), LOST)
}

/// Ends what served a lost connection, if it is still in a transaction: the
/// other end may be gone without a word, which a server does not notice for
/// hours.
async fn end(conn: &mut PgConnection, lost: &Backend) -> Result<(), Error> {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE pid = $1 AND backend_start = $2 AND xact_start IS NOT NULL",
    )
    .bind(lost.pid)
    .bind(lost.started)
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes the row of a lane, and returns its id.
///
/// Its times, like those of [`move_to`], are the server's: they are compared by
/// other writers ([`forget_killed`]), whose clocks may differ from this one's.
pub(super) async fn create_row(
    conn: &mut PgConnection,
    name: &str,
    number: i64,
) -> Result<i64, Error> {
    let table = IngestLane::TABLE;
    let mut sql = Sql::default();
    let (name, number) = (sql.argument(name)?, sql.argument(number)?);
    sql.push(&format!(
        "INSERT INTO {} (name, batch, created_at, updated_at) \
         VALUES ({name}, {number}, clock_timestamp(), clock_timestamp()) RETURNING id",
        table.quoted()
    ));
    let row = sql.fetch_optional(conn).await;
    let row = row.map_err(|error| Error::from_driver(table, error))?;
    Ok(row.ok_or(sqlx::Error::RowNotFound)?.try_get("id")?)
}

/// Moves a lane to the batch of this number, which its transaction stores.
pub(super) async fn move_to(conn: &mut PgConnection, row: i64, number: i64) -> Result<(), Error> {
    let table = IngestLane::TABLE;
    let mut sql = Sql::default();
    let (id, number) = (sql.argument(row)?, sql.argument(number)?);
    sql.push(&format!(
        "UPDATE {} SET batch = {number}, updated_at = clock_timestamp() \
         WHERE deleted_at IS NULL AND id = {id}",
        table.quoted()
    ));
    let moved = sql.execute(conn).await;
    match moved.map_err(|error| Error::from_driver(table, error))? {
        0 => Err(Error::NotFound {
            table: table.name,
            id: row,
        }),
        _ => Ok(()),
    }
}

/// Removes the rows of writers that were killed long ago, but for those that a
/// spill needs.
pub(super) async fn forget_killed(conn: &mut PgConnection) -> Result<(), Error> {
    let cutoff = cutoff_clock(conn).await? - FORGOTTEN;
    let mut sql = Sql::new("updated_at < ");
    sql.bind(cutoff)?;
    sql.push(" AND NOT starts_with(name, ");
    sql.bind(LANE)?;
    sql.push(")");
    forget(conn, sql).await
}

/// Removes the rows of other writers that sent through the spill of this lane.
pub(super) async fn forget_senders(
    conn: &mut PgConnection,
    spill: &str,
    own: &str,
) -> Result<(), Error> {
    let mut sql = Sql::new("starts_with(name, ");
    sql.bind(format!("{spill}-"))?;
    sql.push(") AND name <> ");
    sql.bind(own)?;
    forget(conn, sql).await
}

/// Removes the rows that meet a condition, but for those that are locked: that is
/// by a transaction that stores a batch, which needs its row, and may take long.
async fn forget(conn: &mut PgConnection, mut which: Sql) -> Result<(), Error> {
    let table = IngestLane::TABLE;
    let condition = which.take_text();
    let name = table.quoted();
    which.push(&format!(
        "DELETE FROM {name} WHERE id IN (SELECT id FROM {name} \
         WHERE deleted_at IS NULL AND {condition} FOR UPDATE SKIP LOCKED)"
    ));
    let forgotten = which.execute(conn).await;
    forgotten.map_err(|error| Error::from_driver(table, error))?;
    Ok(())
}

/// An answer that does not come is that of a lost connection.
pub(super) async fn timed<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(timeout, work)
        .await
        .unwrap_or_else(|_| Err(late(timeout)))
}

pub(super) async fn timed_out<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(timeout, work)
        .await
        .unwrap_or_else(|_| Err(late(timeout).into()))
}

fn late(timeout: Duration) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!("no answer within {timeout:?}"),
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LOST, lock_wait};

    #[test]
    fn a_lock_is_waited_for_less_than_an_answer() {
        let millis = Duration::from_millis;
        for (timeout, wait) in [
            (Duration::from_nanos(1), millis(1)),
            (millis(1), millis(1)),
            (millis(500), millis(250)),
            (millis(2_000), millis(1_000)),
            (millis(4_000), LOST),
            (millis(60_000), LOST),
        ] {
            assert_eq!(lock_wait(timeout), wait, "{timeout:?}");
        }
    }
}
