//! A transaction that is always rolled back.

use sqlx::{Connection as _, Executor as _, PgConnection, Postgres, Transaction};

use crate::error::Error;
use crate::session_settings;
use crate::sqlstate::is_no_transaction;

/// A transaction, or a savepoint in the caller's transaction.
///
/// It is rolled back by [`end`](Self::end), and when it is dropped.
pub(crate) enum ScratchTransaction<'c> {
    /// A transaction that the driver has started.
    Known(Transaction<'c, Postgres>),
    /// A savepoint in a transaction that was started with a `BEGIN` query.
    Unknown(&'c mut PgConnection),
}

impl<'c> ScratchTransaction<'c> {
    /// Starts a transaction with the statement `begin`, or a savepoint if the
    /// caller already has a transaction.
    pub(crate) async fn begin(
        conn: &'c mut PgConnection,
        begin: &'static str,
    ) -> Result<Self, Error> {
        let mut transaction = Self::begin_with_any_settings(conn, begin).await?;
        // Until the end, which rolls them back.
        session_settings::set_for_transaction(transaction.conn()).await?;
        Ok(transaction)
    }

    async fn begin_with_any_settings(
        conn: &'c mut PgConnection,
        begin: &'static str,
    ) -> Result<Self, Error> {
        if conn.is_in_transaction() {
            return Ok(Self::Known(conn.begin().await?));
        }
        match conn.execute("SAVEPOINT lookback_rolled_back").await {
            Ok(_) => Ok(Self::Unknown(conn)),
            Err(error) if is_no_transaction(&error) => {
                Ok(Self::Known(conn.begin_with(begin).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The connection of the transaction.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Known(transaction) => transaction,
            Self::Unknown(conn) => conn,
        }
    }

    /// Rolls back and returns `result`. An error in `result` comes before an
    /// error of the rollback.
    pub(crate) async fn end<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        let undone = match self {
            Self::Known(transaction) => transaction.rollback().await,
            Self::Unknown(conn) => conn
                .execute(
                    "ROLLBACK TO SAVEPOINT lookback_rolled_back; \
                     RELEASE SAVEPOINT lookback_rolled_back",
                )
                .await
                .map(drop),
        };
        let done = result?;
        undone?;
        Ok(done)
    }
}
