//! Orphans: summaries of records that retention has deleted.

use std::time::Duration;

use sqlx::PgConnection;

use crate::error::Error;
use crate::maintenance::lock_retry::{self, LockRetry};
use crate::model::Table;
use crate::search::index;

/// The result of one transaction.
enum PurgeOutcome {
    Complete,
    Partial,
    /// Another process is purging.
    Busy,
}

/// Deletes orphans in transactions of its own; returns whether it deleted any, and none is left.
///
/// Searches do not read orphans, so the work can be interrupted anywhere. If others hold
/// the lock of the summaries for longer than `timeout`, a later call does it.
pub(in crate::maintenance) async fn purge_orphans(
    conn: &mut PgConnection,
    table: &'static Table,
    timeout: Duration,
) -> Result<bool, Error> {
    let mut retry = LockRetry::new(timeout);
    let mut has_purged = false;
    loop {
        match step(conn, table).await {
            Ok(PurgeOutcome::Complete) => return Ok(has_purged),
            Ok(PurgeOutcome::Partial) => has_purged = true,
            Ok(PurgeOutcome::Busy) => return Ok(false),
            Err(error) if retry.after(&error).await => {}
            Err(error) if error.is_timeout() => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

async fn step(conn: &mut PgConnection, table: &'static Table) -> Result<PurgeOutcome, Error> {
    if !index::has_orphans(conn, table).await? {
        return Ok(PurgeOutcome::Complete);
    }
    let Some(mut transaction) = lock_retry::begin(conn, table, "cleaning").await? else {
        return Ok(PurgeOutcome::Busy);
    };
    index::purge_orphans(&mut transaction, table).await?;
    transaction.commit().await?;
    Ok(PurgeOutcome::Partial)
}
