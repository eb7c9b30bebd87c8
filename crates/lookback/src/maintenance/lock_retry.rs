//! Lock retries: a lock is waited for briefly and requested again after a pause,
//! because later requests of other sessions queue behind a waiting one.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, Postgres, Row as _, Transaction};

use crate::db::{self, Sql, row};
use crate::error::Error;
use crate::model::Table;

/// How long a lock is waited for in one attempt.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// The attempts of one task, up to a total time.
#[derive(Debug)]
pub(super) struct LockRetry {
    started: Instant,
    timeout: Duration,
    pause: Duration,
}

impl LockRetry {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            started: Instant::now(),
            timeout,
            pause: Duration::from_millis(50),
        }
    }

    /// Pauses before another attempt; false if the error is permanent or time is up.
    pub(super) async fn after(&mut self, error: &Error) -> bool {
        let is_transient = error.is_timeout() || is_deadlock(error);
        is_transient && self.pause().await
    }

    /// Pauses before another attempt; false if time is up.
    pub(super) async fn pause(&mut self) -> bool {
        if self.started.elapsed() >= self.timeout {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        // Pauses end up longer than the attempts: others get most of the time.
        self.pause = (self.pause * 2).min(Duration::from_secs(2));
        true
    }
}

fn is_deadlock(error: &Error) -> bool {
    error.sqlstate().is_some() && error.is_retryable()
}

/// Begins a transaction that waits 200 ms for a lock.
///
/// The server ends it should this process hang in the middle of it. Returns `None` if
/// another process does the same `work` on the table: the advisory lock belongs to the
/// transaction, so it works through connection poolers.
pub(super) async fn begin<'c>(
    conn: &'c mut PgConnection,
    table: &'static Table,
    work: &str,
) -> Result<Option<Transaction<'c, Postgres>>, Error> {
    let mut transaction = db::begin(conn).await?;
    let mut sql = Sql::new("SELECT set_config('lock_timeout', ");
    sql.bind(format!("{}ms", LOCK_TIMEOUT.as_millis()))?;
    sql.push(", true), set_config('idle_in_transaction_session_timeout', '10s', true), ");
    sql.push("set_config('statement_timeout', '0', true), ");
    // Definitions contain literals that the server prints and reads again.
    sql.push("set_config('standard_conforming_strings', 'on', true), ");
    sql.push("set_config('datestyle', 'ISO, MDY', true), set_config('timezone', 'UTC', true), ");
    sql.push("pg_try_advisory_xact_lock(hashtextextended('lookback storage ' || ");
    sql.bind(work)?;
    sql.push(" || ' ' || to_regclass(");
    sql.bind(table.quoted())?;
    sql.push(")::oid::text, 0)) AS got");
    if row(&mut transaction, sql).await?.try_get("got")? {
        Ok(Some(transaction))
    } else {
        transaction.rollback().await?;
        Ok(None)
    }
}

/// Locks a table, or a single partition, until the transaction ends.
///
/// `relation` is its name as an identifier.
pub(super) async fn lock(conn: &mut PgConnection, relation: &str, mode: &str) -> Result<(), Error> {
    let sql = Sql::new(&format!("LOCK TABLE ONLY {relation} IN {mode} MODE"));
    sql.execute(conn).await?;
    Ok(())
}
