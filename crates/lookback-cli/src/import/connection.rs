//! The connection of an import: its own, or one of a few that many imports share.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;

/// A few connections that imports share, each for one batch at a time.
#[derive(Debug)]
pub(super) struct SharedConnections {
    free: Mutex<Vec<PgConnection>>,
    permits: Arc<Semaphore>,
}

impl SharedConnections {
    pub(super) fn new(first: PgConnection, most: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Mutex::new(vec![first]),
            permits: Arc::new(Semaphore::new(most)),
        })
    }
}

/// The connection of an import.
#[derive(Debug)]
pub(super) struct Connection {
    current: Option<PgConnection>,
    shared: Option<Arc<SharedConnections>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// A connection of its own.
    pub(super) fn own(connection: PgConnection) -> Self {
        Self {
            current: Some(connection),
            shared: None,
            permit: None,
        }
    }

    /// One of the shared connections, from [`Self::get`] to [`Self::release`].
    pub(super) fn shared(shared: &Arc<SharedConnections>) -> Self {
        Self {
            current: None,
            shared: Some(Arc::clone(shared)),
            permit: None,
        }
    }

    /// Returns the connection. Waits for one that is free, and for the database if there is none.
    ///
    /// # Errors
    ///
    /// No more connections are given: the import ends.
    pub(super) async fn get(&mut self, config: &Config) -> Result<&mut PgConnection, Failure> {
        if self.current.is_none() {
            self.take_free().await?;
        }
        if self.current.is_none() {
            self.current = Some(connect(config).await);
        }
        self.current
            .as_mut()
            .ok_or_else(|| Failure::failed("no connection: this is a bug in lookback"))
    }

    async fn take_free(&mut self) -> Result<(), Failure> {
        let Some(shared) = &self.shared else {
            return Ok(());
        };
        if self.permit.is_none() {
            let permit = Arc::clone(&shared.permits).acquire_owned().await;
            self.permit = Some(permit.map_err(|closed| Failure::failed(closed.to_string()))?);
        }
        self.current = shared.free.lock().await.pop();
        Ok(())
    }

    /// Lets others use a shared connection.
    pub(super) async fn release(&mut self) {
        if let Some(shared) = &self.shared {
            shared.free.lock().await.extend(self.current.take());
            self.permit = None;
        }
    }

    /// Drops a connection that was lost, and those that were probably lost with it. Connects until
    /// it succeeds.
    pub(super) async fn reconnect(&mut self, config: &Config) {
        self.current = None;
        if let Some(shared) = &self.shared {
            shared.free.lock().await.clear();
        }
        self.current = Some(connect(config).await);
    }
}

/// Connects until it succeeds, with growing pauses.
async fn connect(config: &Config) -> PgConnection {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);
    let mut pause = FIRST;
    loop {
        match database::reconnect(config).await {
            Ok(connection) => return connection,
            // Whatever keeps it away, it may come back; a signal ends the attempts.
            Err(failure) => output::detail(failure.message()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}
