//! Pruning: carrying out a plan.

use std::ops::ControlFlow;
use std::time::Duration;

use sqlx::PgConnection;

use super::measuring::has_newer_rows;
use super::orphans::purge_orphans;
use super::plan::{PartitionDrop, PrunePlan};
use super::row_deletion;
use crate::db::{CloseOnDrop, Db, Sql};
use crate::error::Error;
use crate::maintenance::lock_retry::{self, LockRetry};
use crate::maintenance::partitions::is_attached_unchanged;
use crate::model::Table;
use crate::search::index;

/// How long to retry locks; the next call continues.
const LOCK_RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to retry the lock of the summaries; the maintenance worker continues.
const ORPHAN_LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Partitions and rows that [`prune`] has deleted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneReport {
    /// The number of partitions that were dropped.
    pub dropped_partitions: u64,
    /// The number of rows that were deleted, those of dropped partitions included.
    pub deleted_rows: u64,
    /// The number of bytes that were returned to the disk.
    pub freed_bytes: u64,
    /// Partitions of the plan that were not dropped: they have received newer records,
    /// have changed, or another process works on them.
    pub skipped: Vec<String>,
}

/// Called with the report so far; decides whether to continue.
pub(super) type OnProgress<'a> = &'a mut (dyn FnMut(&PruneReport) -> ControlFlow<()> + Send);

/// Deletes the partitions and rows of a plan.
///
/// `on_progress` is called after each partition and after each ten thousand rows, and
/// may end the work there. Each step is committed; after an interruption, the next plan
/// covers the rest. A partition stays if it has received a newer record since it was
/// checked, or is no longer the same.
///
/// Searches ignore the summaries of a partition once it is dropped. They are deleted
/// afterwards: here or, after an interruption, by the maintenance worker, the next
/// prune, or [`compact`](crate::maintenance::compact).
///
/// Dropping a partition blocks all other sessions for some milliseconds. Locks are
/// waited for at most 200 ms at a time. All work runs on one connection, outside the
/// caller's transaction. On the connection that computed the plan, the catalog need not
/// be read again.
///
/// # Errors
///
/// [`Error::is_timeout`] if others held their locks for a minute; those of the
/// database.
pub async fn prune<'c>(
    db: impl Into<Db<'c>>,
    table: &'static Table,
    plan: &PrunePlan,
    on_progress: OnProgress<'_>,
) -> Result<PruneReport, Error> {
    if table.name != plan.table {
        let problem = format!(
            "expected a plan of {}, got one of {}",
            table.name, plan.table
        );
        return Err(Error::invalid_field(table.name, "plan", problem));
    }
    let mut session = CloseOnDrop::new(db.into().session().await?);
    let report = prune_on(session.conn(), table, plan, on_progress).await;
    session.release();
    report
}

async fn prune_on(
    conn: &mut PgConnection,
    table: &'static Table,
    plan: &PrunePlan,
    on_progress: OnProgress<'_>,
) -> Result<PruneReport, Error> {
    let mut report = PruneReport::default();
    let goes_on = drop_partitions(conn, table, plan, &mut report, on_progress).await?;
    if table.sealed {
        purge_orphans(conn, table, ORPHAN_LOCK_TIMEOUT).await?;
    }
    if !goes_on {
        return Ok(report);
    }
    row_deletion::delete_rows(conn, table, plan, &mut report, on_progress).await?;
    if table.sealed && plan.scope.is_overdue {
        purge_orphans(conn, table, ORPHAN_LOCK_TIMEOUT).await?;
    }
    Ok(report)
}

/// Drops the partitions of a plan, and returns whether to continue.
async fn drop_partitions(
    conn: &mut PgConnection,
    table: &'static Table,
    plan: &PrunePlan,
    report: &mut PruneReport,
    on_progress: OnProgress<'_>,
) -> Result<bool, Error> {
    for dropped in &plan.partitions {
        let mut retry = LockRetry::new(LOCK_RETRY_TIMEOUT);
        loop {
            match drop_partition(conn, table, dropped, plan).await {
                Ok(DropOutcome::Dropped) => {
                    report.dropped_partitions += 1;
                    report.deleted_rows += dropped.rows;
                    report.freed_bytes += dropped.bytes;
                    break;
                }
                Ok(DropOutcome::Busy) if retry.pause().await => {}
                Ok(DropOutcome::Skipped | DropOutcome::Busy) => {
                    report.skipped.push(dropped.name.clone());
                    break;
                }
                Err(error) if retry.after(&error).await => {}
                Err(error) => return Err(error),
            }
        }
        if on_progress(report).is_break() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The result of an attempt to drop a partition.
enum DropOutcome {
    Dropped,
    Skipped,
    Busy,
}

async fn drop_partition(
    conn: &mut PgConnection,
    table: &'static Table,
    dropped: &PartitionDrop,
    plan: &PrunePlan,
) -> Result<DropOutcome, Error> {
    // The lock of those who create partitions: they read where the last one ends.
    let Some(mut transaction) = lock_retry::begin(conn, table, "partitions").await? else {
        return Ok(DropOutcome::Busy);
    };
    let partition = &dropped.partition;
    if !is_attached_unchanged(&mut transaction, table, partition).await? {
        transaction.rollback().await?;
        return Ok(DropOutcome::Skipped);
    }
    if let (Some(cutoff), true) = (plan.scope.created_before, dropped.is_expired) {
        // Waits for writers to end, who may have written newer records.
        let sql = Sql::new(&format!(
            "LOCK TABLE ONLY {} IN SHARE MODE",
            partition.quoted()
        ));
        sql.execute(&mut transaction).await?;
        if has_newer_rows(&mut transaction, table, partition, cutoff).await? {
            transaction.rollback().await?;
            return Ok(DropOutcome::Skipped);
        }
    }
    let (first, end) = (partition.first(), partition.to.unwrap_or(i64::MAX));
    let is_open = index::delete_segments(&mut transaction, table, first, end).await?;
    // Last, because it locks the table. The partition is not detached first: PostgreSQL removes
    // the file, which takes longest, after it has released the locks.
    let sql = Sql::new(&format!("DROP TABLE {}", partition.quoted()));
    sql.define(&mut transaction).await?;
    if is_open {
        // Readers of the partition have ended, and may have sealed some of it meanwhile.
        index::delete_segments(&mut transaction, table, first, end).await?;
    }
    transaction.commit().await?;
    Ok(DropOutcome::Dropped)
}
