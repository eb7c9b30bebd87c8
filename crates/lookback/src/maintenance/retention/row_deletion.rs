//! Rows that are deleted one by one, because their partition stays.

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::plan::PrunePlan;
use super::pruning::{OnProgress, PruneReport};
use crate::db::{Sql, one};
use crate::error::Error;
use crate::maintenance::lock_retry::{self, LockRetry};
use crate::model::{ColumnRole, Table};
use crate::search::index;

/// How long to retry the lock of the partitions; the next prune continues.
const REFRESH_LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Rows that one statement deletes and commits.
const ROWS_PER_STATEMENT: i64 = 10_000;

/// Deletes the expired and the soft-deleted rows of a plan.
pub(super) async fn delete_rows(
    conn: &mut PgConnection,
    table: &'static Table,
    plan: &PrunePlan,
    report: &mut PruneReport,
    on_progress: OnProgress<'_>,
) -> Result<(), Error> {
    let created_before = plan.scope.created_before;
    if let Some(cutoff) = created_before.filter(|_| plan.expired_rows > 0 || plan.scope.is_overdue)
    {
        let goes_on = delete_expired(conn, table, cutoff, plan, report, on_progress).await?;
        if table.sealed {
            refresh_segments(conn, table, cutoff, LockRetry::new(REFRESH_LOCK_TIMEOUT)).await?;
        }
        if goes_on.is_break() {
            return Ok(());
        }
    }
    let Some(cutoff) = plan.scope.deleted_before else {
        return Ok(());
    };
    loop {
        let deleted = delete_soft_deleted(conn, table, cutoff).await?;
        report.deleted_rows += deleted;
        if deleted == 0 || on_progress(report).is_break() {
            return Ok(());
        }
    }
}

async fn delete_expired(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    plan: &PrunePlan,
    report: &mut PruneReport,
    on_progress: OnProgress<'_>,
) -> Result<ControlFlow<()>, Error> {
    let mut after = i64::MIN;
    while let Some(rows) =
        delete_expired_batch(conn, table, cutoff, after, plan.scope.newest_id).await?
    {
        after = rows.last;
        report.deleted_rows += rows.deleted;
        if on_progress(report).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The result of one statement.
struct DeletedBatch {
    deleted: u64,
    /// The greatest id among the deleted rows.
    last: i64,
}

/// Deletes some rows after this id that were created before this time.
///
/// Returns `None` if there are no more.
async fn delete_expired_batch(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    after: i64,
    newest_id: i64,
) -> Result<Option<DeletedBatch>, Error> {
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::default();
    let cutoff = sql.argument(cutoff)?;
    let after = sql.argument(after)?;
    let newest_id = sql.argument(newest_id)?;
    let limit = sql.argument(ROWS_PER_STATEMENT)?;
    // In the order of ids, so that no statement passes rows that an earlier one deleted.
    sql.push(&format!(
        "WITH old AS MATERIALIZED (SELECT {id} AS id FROM {from} WHERE {created_at} < {cutoff} \
           AND {id} > {after} AND {id} <= {newest_id} ORDER BY {id} LIMIT {limit}), \
         gone AS (DELETE FROM {from} WHERE {id} IN (SELECT id FROM old) \
           AND {created_at} < {cutoff} RETURNING 1) \
         SELECT (SELECT max(id) FROM old) AS last, (SELECT count(*) FROM gone) AS deleted"
    ));
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?
        .ok_or(sqlx::Error::RowNotFound)?;
    let Some(last) = row.try_get("last")? else {
        return Ok(None);
    };
    Ok(Some(DeletedBatch {
        deleted: row.try_get::<i64, _>("deleted")?.unsigned_abs(),
        last,
    }))
}

/// Purges some of the records that were soft-deleted before this time.
async fn delete_soft_deleted(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
) -> Result<u64, Error> {
    let deleted_at = table.column_of(ColumnRole::DeletedAt).quoted();
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let mut sql = Sql::default();
    let before = sql.argument(cutoff)?;
    let limit = sql.argument(ROWS_PER_STATEMENT)?;
    // Under the condition twice: a record that is being restored is waited for, checked again,
    // and kept. The second time it is written so that only the ids choose an index.
    sql.push(&format!(
        "DELETE FROM {from} WHERE {id} = ANY(ARRAY(\
         SELECT {id} FROM {from} WHERE {deleted_at} < {before} LIMIT {limit})) \
         AND ({deleted_at} < {before}) IS TRUE"
    ));
    sql.execute(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))
}

/// Segments that one statement counts again.
const SEGMENTS_PER_STATEMENT: i64 = 4;

/// Updates the segments of a table after records created before this time were deleted.
///
/// Segments before the first remaining record are removed; others that had older
/// records are counted again. If others hold the locks, the next prune does it: until
/// then searches read segments that are out of date, and find nothing through them.
pub(super) async fn refresh_segments(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    mut retry: LockRetry,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let step = match after {
            None => delete_leading_segments(conn, table).await,
            Some(after) => {
                index::recount_segments(conn, table, cutoff, after, SEGMENTS_PER_STATEMENT)
                    .await
                    .map(|last| last.map_or(RefreshOutcome::Complete, RefreshOutcome::UpTo))
            }
        };
        match step {
            Ok(RefreshOutcome::Complete) => return Ok(()),
            Ok(RefreshOutcome::UpTo(id)) => after = Some(id),
            Ok(RefreshOutcome::Busy) if retry.pause().await => {}
            Ok(RefreshOutcome::Busy) => return Ok(()),
            Err(error) if retry.after(&error).await => {}
            Err(error) if error.is_timeout() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// How far a refresh is.
enum RefreshOutcome {
    Complete,
    /// Segments that begin after this id remain to be counted.
    UpTo(i64),
    /// Another process works on the partitions.
    Busy,
}

async fn delete_leading_segments(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<RefreshOutcome, Error> {
    let Some(mut transaction) = lock_retry::begin(conn, table, "partitions").await? else {
        return Ok(RefreshOutcome::Busy);
    };
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let sql = Sql::new(&format!("SELECT min({id}) FROM {from}"));
    let first: Option<i64> = one(&mut transaction, sql).await?;
    // Without a record, all segments.
    let end = first.unwrap_or(i64::MAX);
    index::delete_segments(&mut transaction, table, i64::MIN, end).await?;
    transaction.commit().await?;
    Ok(RefreshOutcome::UpTo(i64::MIN))
}
