//! A new connection of a lane: made ready, and how far the lane has come.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::error::Error;
use crate::model::Model as _;
use crate::models::IngestLane;
use crate::setup::check_encoder;
use crate::sql::Sql;

/// How long the transaction of a lost connection is waited for before it is
/// ended.
const LOST: &str = "2s";

/// A process of the server: numbers of processes come again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backend {
    pid: i32,
    started: DateTime<Utc>,
}

/// Makes a new connection ready: who serves it, and the row and number of the
/// lane.
pub(super) async fn greet(
    conn: &mut PgConnection,
    has_vectors: bool,
    name: &str,
    lost: Option<&Backend>,
) -> Result<(Backend, Option<(i64, i64)>), Error> {
    // What is committed has to survive a crash of the server.
    sqlx::query(
        "SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
    )
    .execute(&mut *conn)
    .await?;
    if has_vectors {
        check_encoder(conn).await?;
    }
    let row =
        sqlx::query("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            .fetch_one(&mut *conn)
            .await?;
    let backend = Backend {
        pid: row.try_get("pid")?,
        started: row.try_get("backend_start")?,
    };
    Ok((backend, number_of(conn, name, lost).await?))
}

/// Reads how far a lane has come. The transaction of a lost connection has
/// locked the row before it could store anything: once it is read under a lock,
/// nothing will change it any more.
pub(super) async fn number_of(
    conn: &mut PgConnection,
    name: &str,
    lost: Option<&Backend>,
) -> Result<Option<(i64, i64)>, Error> {
    let mut transaction = conn.begin().await?;
    sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(LOST)
        .execute(&mut *transaction)
        .await?;
    let table = IngestLane::TABLE;
    let mut sql = Sql::new(&format!(
        "SELECT id, batch FROM {} WHERE deleted_at IS NULL AND name = ",
        table.quoted()
    ));
    sql.bind(name)?;
    sql.push(" FOR UPDATE");
    let found = match sql.fetch_optional(&mut transaction).await {
        Ok(found) => found,
        Err(error) => {
            let error = Error::of_table(table, error);
            transaction.rollback().await?;
            if let (true, Some(lost)) = (error.is_timeout(), lost) {
                end(conn, lost).await?;
            }
            return Err(error);
        }
    };
    transaction.commit().await?;
    found
        .map(|row| Ok((row.try_get("id")?, row.try_get("batch")?)))
        .transpose()
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
