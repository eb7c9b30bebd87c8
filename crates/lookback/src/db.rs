//! Where a query runs: a pool, a connection, or the caller's transaction.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};

use crate::error::Error;

mod answer;
mod clock;
pub(crate) mod constraints;
mod driver_error;
mod sql;
mod time_limit;

pub(crate) use answer::{one, row};
pub use clock::retention_now;
pub(crate) use sql::Sql;
pub(crate) use time_limit::Limited;

/// Where a query runs: `&pool`, `&mut connection` or `&mut transaction`.
///
/// In the caller's transaction nothing is committed before the caller commits.
/// As always in PostgreSQL, a statement that the database refuses ends the
/// transaction; what Lookback itself finds wrong (most of it) does not.
#[derive(Debug)]
pub struct Db<'c>(Inner<'c>);

#[derive(Debug)]
enum Inner<'c> {
    Pool(&'c PgPool),
    Connection(&'c mut PgConnection),
}

impl<'c> From<&'c PgPool> for Db<'c> {
    fn from(pool: &'c PgPool) -> Self {
        Self(Inner::Pool(pool))
    }
}

impl<'c> From<&'c mut PgConnection> for Db<'c> {
    fn from(connection: &'c mut PgConnection) -> Self {
        Self(Inner::Connection(connection))
    }
}

impl<'c> From<&'c mut PoolConnection<Postgres>> for Db<'c> {
    fn from(connection: &'c mut PoolConnection<Postgres>) -> Self {
        Self(Inner::Connection(&mut *connection))
    }
}

impl<'c> From<&'c mut Transaction<'_, Postgres>> for Db<'c> {
    fn from(transaction: &'c mut Transaction<'_, Postgres>) -> Self {
        Self(Inner::Connection(&mut *transaction))
    }
}

impl<'c> Db<'c> {
    pub(crate) async fn session(self) -> Result<Session<'c>, Error> {
        Ok(match self.0 {
            Inner::Pool(pool) => Session::Pooled(pool.acquire().await?),
            Inner::Connection(connection) => Session::Borrowed(connection),
        })
    }

    /// A session in which no statement takes longer than this, if it is given.
    pub(crate) async fn limited(self, timeout: Option<Duration>) -> Result<Limited<'c>, Error> {
        Limited::begin(self.session().await?, timeout).await
    }
}

/// A connection for the length of one operation.
#[derive(Debug)]
pub(crate) enum Session<'c> {
    Pooled(PoolConnection<Postgres>),
    Borrowed(&'c mut PgConnection),
}

impl Session<'_> {
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Borrowed(connection) => connection,
        }
    }
}

/// A session that does not go back to its pool in the middle of something: a
/// COPY, a long answer, a transaction.
///
/// A COPY that is dropped half-way leaves the connection out of step with the
/// server: what is read next belongs to the COPY. The rest of a long answer
/// would be read first. And a transaction whose `BEGIN` is on its way is one
/// that the driver does not know of, so that it would take later writes of
/// others with it (sqlx 0.9, November 2026). So unless it came to its end, a
/// connection of the pool is closed; the server rolls back.
pub(crate) struct CloseOnDrop<'c>(Option<Session<'c>>);

impl<'c> CloseOnDrop<'c> {
    pub(crate) fn new(session: Session<'c>) -> Self {
        Self(Some(session))
    }

    pub(crate) fn session(&mut self) -> &mut Session<'c> {
        match &mut self.0 {
            Some(session) => session,
            None => unreachable!("only `release` and `drop` take the session"),
        }
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.session().conn()
    }

    /// It came to its end: the session is as good as before.
    pub(crate) fn release(mut self) {
        drop(self.0.take());
    }
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(Session::Pooled(connection)) = self.0.take() {
            drop(connection.detach());
        }
    }
}

/// Statements that take effect together.
#[derive(Debug)]
pub(crate) enum TransactionScope<'s> {
    /// In a transaction of their own.
    Own(Transaction<'s, Postgres>),
    /// In the transaction that the caller has begun, without a savepoint: one
    /// whose future is dropped half-way, or that is begun where the transaction
    /// has failed already, ends the caller's transaction with the driver's next
    /// rollback (sqlx 0.9, November 2026).
    Outer(&'s mut PgConnection),
}

impl<'s> TransactionScope<'s> {
    pub(crate) async fn begin(conn: &'s mut PgConnection) -> Result<Self, sqlx::Error> {
        match conn.is_in_transaction() {
            true => Ok(Self::Outer(conn)),
            false => conn.begin().await.map(Self::Own),
        }
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Own(transaction) => transaction,
            Self::Outer(connection) => connection,
        }
    }

    /// They take effect: now, or with the caller's transaction.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Own(transaction) => transaction.commit().await,
            Self::Outer(_) => Ok(()),
        }
    }
}
