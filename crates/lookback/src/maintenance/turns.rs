//! Locks in short turns: a lock that is waited for keeps back everyone who
//! comes after, so it is waited for briefly, let go of, and asked for again.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, Postgres, Row as _, Transaction};

use crate::db::Sql;
use crate::db::row;
use crate::error::Error;
use crate::model::Table;

/// How long a lock is waited for in one turn.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// The turns of one undertaking.
#[derive(Debug)]
pub(super) struct Turns {
    begun: Instant,
    patience: Duration,
    pause: Duration,
}

impl Turns {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            begun: Instant::now(),
            patience,
            pause: Duration::from_millis(50),
        }
    }

    /// Pauses before another turn; false if the error is none that passes, or
    /// there were turns enough.
    pub(super) async fn again(&mut self, error: &Error) -> bool {
        let passes = matches!(error, Error::Timeout(_)) || is_deadlock(error);
        passes && self.pause().await
    }

    /// Pauses before another turn; false if there were turns enough.
    pub(super) async fn pause(&mut self) -> bool {
        if self.begun.elapsed() >= self.patience {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        // Longer than the turn itself in the end: others get most of the time.
        self.pause = (self.pause * 2).min(Duration::from_secs(2));
        true
    }
}

fn is_deadlock(error: &Error) -> bool {
    matches!(error, Error::Database { .. }) && error.is_retryable()
}

/// Begins a transaction that waits 200 ms for a lock, and that ends by itself
/// should this process hang in the middle of it. `None` if another one is at
/// the same `work` on the table: the lock is one of the transaction, which
/// poolers pass on.
pub(super) async fn begin<'c>(
    conn: &'c mut PgConnection,
    table: &'static Table,
    work: &str,
) -> Result<Option<Transaction<'c, Postgres>>, Error> {
    let mut transaction = conn.begin().await?;
    let mut sql = Sql::new("SELECT set_config('lock_timeout', ");
    sql.bind(format!("{}ms", LOCK_TIMEOUT.as_millis()))?;
    sql.push(", true), set_config('idle_in_transaction_session_timeout', '10s', true), ");
    sql.push("set_config('statement_timeout', '0', true), ");
    sql.push("pg_try_advisory_xact_lock(hashtextextended('lookback storage ' || ");
    sql.bind(work)?;
    sql.push(" || ' ' || to_regclass(");
    sql.bind(table.quoted())?;
    sql.push(")::oid::text, 0)) AS got");
    match row(&mut transaction, sql).await?.try_get("got")? {
        true => Ok(Some(transaction)),
        false => {
            transaction.rollback().await?;
            Ok(None)
        }
    }
}

/// Locks a table, or a partition alone, in this mode until the transaction
/// ends; `relation` is its name as an identifier.
pub(super) async fn lock(conn: &mut PgConnection, relation: &str, mode: &str) -> Result<(), Error> {
    let sql = Sql::new(&format!("LOCK TABLE ONLY {relation} IN {mode} MODE"));
    sql.execute(conn).await?;
    Ok(())
}
