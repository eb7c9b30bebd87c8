//! A new connection of a lane: preparing it, and reading the lane's position from its
//! row in `ingest_lanes`.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, Row as _};

use super::spill::LANE_PREFIX;
use crate::db::{Sql, begin, cutoff_clock};
use crate::error::{Error, FieldError, sqlstate};
use crate::setup::check_encoder;

/// The table of lanes, for errors.
const LANES: &str = "ingest_lanes";

/// The longest wait for the transaction of a lost connection before it is terminated.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(2);

/// Rows of lanes that were not updated for this long belong to killed writers.
///
/// A running writer that has lost its row creates another one.
const STALE_AFTER: TimeDelta = TimeDelta::days(7);

/// A process of the server; its start distinguishes it from others with the same pid.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerProcess {
    pid: i32,
    started: DateTime<Utc>,
}

/// Prepares a new connection; returns its server process, and the lane's row and number.
///
/// Each of its steps may take as long as the timeout.
pub(super) async fn prepare(
    conn: &mut PgConnection,
    timeout: Duration,
    has_vectors: bool,
    name: &str,
    lost: Option<&ServerProcess>,
) -> Result<(ServerProcess, Option<(i64, i64)>), Error> {
    // A commit has to survive a crash of the server.
    let durable = sqlx::query(
        "SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
    );
    timed(timeout, durable.execute(&mut *conn)).await?;
    if has_vectors {
        timed(timeout, check_encoder(conn)).await?;
    }
    let process =
        sqlx::query("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()");
    let row = timed(timeout, process.fetch_one(&mut *conn)).await?;
    let process = ServerProcess {
        pid: row.try_get("pid")?,
        started: row.try_get("backend_start")?,
    };
    Ok((process, read_batch_number(conn, timeout, name, lost).await?))
}

/// Reads the number of the last batch of a lane.
///
/// The transaction of a lost connection locked the row before it could store anything:
/// once the row is read under a lock, nothing will change it any more. After an error the
/// connection can no longer be used.
pub(super) async fn read_batch_number(
    conn: &mut PgConnection,
    timeout: Duration,
    name: &str,
    lost: Option<&ServerProcess>,
) -> Result<Option<(i64, i64)>, Error> {
    let wait = lock_wait(timeout);
    let mut transaction = timed(timeout, begin(conn)).await?;
    let limit = sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(format!("{}ms", wait.as_millis()));
    timed(timeout, limit.execute(&mut *transaction)).await?;
    let mut sql = Sql::new("SELECT id, batch FROM ingest_lanes WHERE name = ");
    sql.bind(name)?;
    sql.push(" FOR UPDATE");
    // After the wait for the lock, the server has as long to answer as for any other step.
    let found = timed(timeout + wait, sql.fetch_optional(&mut transaction));
    let found = match found.await {
        Ok(found) => found,
        Err(error) => {
            let error = lane_error(error);
            if let (true, Some(lost)) = (error.is_timeout(), lost) {
                timed(timeout, transaction.rollback()).await?;
                timed(timeout, terminate(conn, lost)).await?;
            }
            return Err(error);
        }
    };
    timed(timeout, transaction.commit()).await?;
    found
        .map(|row| Ok((row.try_get("id")?, row.try_get("batch")?)))
        .transpose()
}

/// How long a lock is waited for.
///
/// Less than an answer may take: otherwise the client would give up its connection first
/// and never get to terminate the other one.
fn lock_wait(timeout: Duration) -> Duration {
    // PostgreSQL counts in milliseconds, and 0 means no limit.
    (timeout / 2).clamp(Duration::from_millis(1), MAX_LOCK_WAIT)
}

/// Terminates the process of a lost connection, if it is still in a transaction.
///
/// Its client may have disappeared without a packet, which a server does not notice for
/// hours.
async fn terminate(conn: &mut PgConnection, lost: &ServerProcess) -> Result<(), Error> {
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

/// Creates the row of a lane, and returns its id.
///
/// Its times, like those of [`advance_batch_number`], are the server's: other writers
/// compare them ([`delete_stale_lanes`]), and their clocks may differ from this one's.
pub(super) async fn create_lane_row(
    conn: &mut PgConnection,
    name: &str,
    number: i64,
) -> Result<i64, Error> {
    let mut sql = Sql::default();
    let (name, number) = (sql.argument(name)?, sql.argument(number)?);
    sql.push(&format!(
        "INSERT INTO ingest_lanes (name, batch, updated_at) \
         VALUES ({name}, {number}, clock_timestamp()) RETURNING id"
    ));
    let row = sql.fetch_optional(conn).await.map_err(lane_error)?;
    Ok(row.ok_or(sqlx::Error::RowNotFound)?.try_get("id")?)
}

/// Sets the batch number of a lane, in the transaction that stores the batch.
pub(super) async fn advance_batch_number(
    conn: &mut PgConnection,
    row: i64,
    number: i64,
) -> Result<(), Error> {
    let mut sql = Sql::default();
    let (id, number) = (sql.argument(row)?, sql.argument(number)?);
    sql.push(&format!(
        "UPDATE ingest_lanes SET batch = {number}, updated_at = clock_timestamp() WHERE id = {id}"
    ));
    match sql.execute(conn).await.map_err(lane_error)? {
        0 => Err(Error::not_found(LANES, row)),
        _ => Ok(()),
    }
}

/// Deletes the rows of writers that were killed long ago, except those that a spill needs.
pub(super) async fn delete_stale_lanes(conn: &mut PgConnection) -> Result<(), Error> {
    let cutoff = cutoff_clock(conn).await? - STALE_AFTER;
    delete_lanes(conn, |sql| {
        sql.push("updated_at < ");
        sql.bind(cutoff)?;
        sql.push(" AND NOT starts_with(name, ");
        sql.bind(LANE_PREFIX)?;
        sql.push(")");
        Ok(())
    })
    .await
}

/// Deletes the rows of other writers that sent through the spill of this lane.
pub(super) async fn delete_senders(
    conn: &mut PgConnection,
    spill: &str,
    own: &str,
) -> Result<(), Error> {
    delete_lanes(conn, |sql| {
        sql.push("starts_with(name, ");
        sql.bind(format!("{spill}-"))?;
        sql.push(") AND name <> ");
        sql.bind(own)
    })
    .await
}

/// Deletes the rows that meet a condition, except locked ones.
///
/// A transaction that stores a batch has locked its row, needs it, and may take long.
async fn delete_lanes(
    conn: &mut PgConnection,
    condition: impl FnOnce(&mut Sql) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut sql = Sql::default();
    let condition = sql.fragment(condition)?;
    sql.push(&format!(
        "DELETE FROM ingest_lanes WHERE id IN (SELECT id FROM ingest_lanes \
         WHERE {condition} FOR UPDATE SKIP LOCKED)"
    ));
    sql.execute(conn).await.map_err(lane_error)?;
    Ok(())
}

/// Deletes the row of a lane whose writer has finished.
pub(super) async fn delete_lane(conn: &mut PgConnection, row: i64) -> Result<(), Error> {
    let mut sql = Sql::new("DELETE FROM ingest_lanes WHERE id = ");
    sql.bind(row)?;
    sql.execute(conn).await.map_err(lane_error)?;
    Ok(())
}

/// Translates an error of a statement on `ingest_lanes`, whatever the language of the
/// server's message.
fn lane_error(error: sqlx::Error) -> Error {
    let error = Error::of_internal_table(LANES, error);
    match error.sqlstate() {
        Some(sqlstate::UNIQUE_VIOLATION) => {
            Error::conflict(FieldError::new("name", "is the name of a lane already"))
        }
        _ => error,
    }
}

/// Limits the time of a step; a missing answer counts as a lost connection.
pub(super) async fn timed<T, E: From<sqlx::Error>>(
    timeout: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
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

    use super::{MAX_LOCK_WAIT, lock_wait};

    #[test]
    fn lock_wait_is_shorter_than_the_answer_timeout() {
        let millis = Duration::from_millis;
        for (timeout, wait) in [
            (Duration::from_nanos(1), millis(1)),
            (millis(1), millis(1)),
            (millis(500), millis(250)),
            (millis(2_000), millis(1_000)),
            (millis(4_000), MAX_LOCK_WAIT),
            (millis(60_000), MAX_LOCK_WAIT),
        ] {
            assert_eq!(lock_wait(timeout), wait, "{timeout:?}");
        }
    }
}
