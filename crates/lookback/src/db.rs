//! Where a query runs: a pool, a connection, or the caller's transaction.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::error::Error;

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
