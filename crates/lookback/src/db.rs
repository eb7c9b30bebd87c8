//! The connection of a query: a pool, a connection, or the caller's transaction.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};

use crate::error::Error;

mod answer;
mod clock;
pub(crate) mod constraints;
mod distributed;
mod driver_error;
mod local_settings;
pub(crate) mod sequence;
mod sql;
mod time_limit;

pub(crate) use answer::{one, row};
pub use clock::cutoff_clock;
pub(crate) use distributed::{is_distributed, is_distributed_sql};
pub(crate) use driver_error::{code_of, is_sequence_behind};
pub(crate) use local_settings::{LocalSetting, LocalSettings};
pub(crate) use sql::Sql;
pub(crate) use time_limit::Limited;

/// The connection of a query: `&pool`, `&mut connection` or `&mut transaction`.
///
/// Nothing commits in the caller's transaction before the caller commits. As always
/// in PostgreSQL, an error of the server fails the transaction; errors that Lookback
/// itself finds (most of them) do not.
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
    /// Returns the same connection, for one of several operations.
    pub(crate) fn reborrow(&mut self) -> Db<'_> {
        Db(match &mut self.0 {
            Inner::Pool(pool) => Inner::Pool(pool),
            Inner::Connection(connection) => Inner::Connection(connection),
        })
    }

    pub(crate) async fn session(self) -> Result<Session<'c>, Error> {
        Ok(match self.0 {
            Inner::Pool(pool) => Session::Pooled(pool.acquire().await?),
            Inner::Connection(connection) => Session::Borrowed(connection),
        })
    }

    /// Returns a session that limits the time of each statement, if there is a limit.
    pub(crate) async fn limited(self, timeout: Option<Duration>) -> Result<Limited<'c>, Error> {
        Limited::begin(self.session().await?, timeout).await
    }
}

/// The connection of one operation.
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

/// A session whose connection is closed on drop, unless it is released.
///
/// A COPY that is dropped half-way leaves the connection out of step with the
/// server: the next read would get its response. The rest of a long result would be
/// read first. And the driver does not know of a transaction whose `BEGIN` was sent
/// but not answered, so that later writes of others would become part of it (sqlx
/// 0.9, November 2026). So unless the operation has ended, the connection of a pool
/// is closed, and the server rolls back.
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

    /// Keeps the connection, because the operation has ended.
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

/// Begins a transaction of the operation itself, whatever isolation level the role has by
/// default: Lookback waits for rows that others change, and then sees their change.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Begins a transaction with [`BEGIN`], or a savepoint in the caller's transaction.
pub(crate) async fn begin(
    conn: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    if conn.is_in_transaction() {
        conn.begin().await
    } else {
        conn.begin_with(BEGIN).await
    }
}

/// The transaction that several statements belong to.
#[derive(Debug)]
pub(crate) enum TransactionScope<'s> {
    /// A transaction of the operation itself.
    Own(Transaction<'s, Postgres>),
    /// The caller's transaction, without a savepoint. A savepoint whose future is
    /// dropped half-way, or that begins in a failed transaction, would end the
    /// caller's transaction with the driver's next rollback (sqlx 0.9, November 2026).
    Outer(&'s mut PgConnection),
}

impl<'s> TransactionScope<'s> {
    pub(crate) async fn begin(conn: &'s mut PgConnection) -> Result<Self, sqlx::Error> {
        if conn.is_in_transaction() {
            Ok(Self::Outer(conn))
        } else {
            conn.begin_with(BEGIN).await.map(Self::Own)
        }
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Own(transaction) => transaction,
            Self::Outer(connection) => connection,
        }
    }

    /// Commits a transaction of its own; leaves the commit of another one to the
    /// caller.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Own(transaction) => transaction.commit().await,
            Self::Outer(_) => Ok(()),
        }
    }
}
