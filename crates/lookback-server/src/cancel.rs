//! Requests whose client has gone: what they do in the database ends with them.
//!
//! A connection of a pool that is dropped in the middle of a statement goes back to the pool, which
//! waits for the end of the statement. So a connection that is dropped with its request is closed
//! instead; PostgreSQL notices within `client_connection_check_interval`, and cancels the statement.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use crate::problem::Problem;
use crate::server::Shared;

thread_local! {
    /// Whether this thread drops a request that has not ended.
    static IS_CANCELLED: Cell<bool> = const { Cell::new(false) };
}

/// A request. Dropped before its end, it closes the connections that it uses.
pub(crate) struct CancelScope<F>(Option<Pin<Box<F>>>);

impl<F: Future> CancelScope<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future> Future for CancelScope<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.0 else {
            // As every future that has ended.
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F> Drop for CancelScope<F> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take() {
            let before = IS_CANCELLED.replace(true);
            drop(future);
            IS_CANCELLED.set(before);
        }
    }
}

/// A connection of the pool. Dropped with a request that has not ended, it is closed.
pub(crate) struct DbConnection(Option<PoolConnection<Postgres>>);

impl DbConnection {
    pub(crate) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self(Some(connection))
    }
}

/// A connection for a stream, which is as long as its reader wants, or for a statement that is given
/// up after a time. Dropped before it is given back, it is closed.
pub(crate) struct CloseOnDrop(Option<PoolConnection<Postgres>>);

impl CloseOnDrop {
    pub(crate) async fn take(shared: &Shared) -> Result<Self, Problem> {
        let mut connection = shared.connection().await?;
        Ok(Self(connection.0.take()))
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        match &mut self.0 {
            Some(connection) => connection,
            None => unreachable!("only `release` and `drop` take it"),
        }
    }

    /// Gives the connection back to the pool, because its statement has ended.
    pub(crate) fn release(mut self) {
        drop(self.0.take());
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

impl Deref for DbConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.0 {
            Some(connection) => connection,
            None => unreachable!("only `drop` and `CloseOnDrop` take it"),
        }
    }
}

impl DerefMut for DbConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.0 {
            Some(connection) => connection,
            None => unreachable!("only `drop` and `CloseOnDrop` take it"),
        }
    }
}

impl Drop for DbConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && IS_CANCELLED.get()
        {
            drop(connection.detach());
        }
    }
}

/// How often PostgreSQL checks that its client is still there.
const CHECK_INTERVAL: &str = "2s";

/// Makes PostgreSQL cancel the statement of a connection that was closed, where it can: call it for
/// each new connection of the pool of a [`Server`](crate::Server).
///
/// # Errors
///
/// Those of the database.
pub async fn prepare_connection(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Only some systems can: on others, the setting is an error.
    sqlx::query(
        "SELECT CASE WHEN version() ILIKE '%linux%' \
         THEN set_config('client_connection_check_interval', $1, false) END",
    )
    .bind(CHECK_INTERVAL)
    .execute(conn)
    .await?;
    Ok(())
}
