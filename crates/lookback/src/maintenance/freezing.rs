//! Freezing partitions that are full and sealed.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row as _};

use super::lock_retry::{self, LockRetry};
use super::partitions::{Partition, partitions};
use crate::db::constraints::TIME_RANGE;
use crate::db::{CloseOnDrop, Db, Sql, one, row};
use crate::error::Error;
use crate::model::Table;
use crate::search::index::sealed_until;

/// How long to retry locks; the next call continues.
const LOCK_RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Freezes the oldest partition that is sealed and not frozen yet; returns its name.
///
/// The partition is vacuumed and frozen, and gets a `CHECK` of its range of times, by
/// which the planner skips it. Returns `None` if there is nothing to do, or another
/// process does it.
///
/// If this is interrupted, the next call continues it. Only changes of the partition's
/// own records wait, for a moment.
///
/// # Errors
///
/// As [`partitions`](super::partitions); [`Error::is_timeout`] if
/// others held their locks for 10 s: call it again.
pub async fn freeze_partition(
    pool: &PgPool,
    table: &'static Table,
) -> Result<Option<String>, Error> {
    freeze_within(pool, table, LOCK_RETRY_TIMEOUT).await
}

/// Same as [`freeze_partition`], with its own limit for lock retries.
pub(super) async fn freeze_within(
    pool: &PgPool,
    table: &'static Table,
    timeout: Duration,
) -> Result<Option<String>, Error> {
    let mut retry = LockRetry::new(timeout);
    loop {
        match step(pool, table).await {
            Ok(FreezeStep::Nothing) => return Ok(None),
            Ok(FreezeStep::Frozen(name)) => return Ok(Some(name)),
            Ok(FreezeStep::More) => {}
            Err(error) if retry.after(&error).await => {}
            Err(error) => return Err(error),
        }
    }
}

/// The result of one transaction.
enum FreezeStep {
    Nothing,
    More,
    Frozen(String),
}

async fn step(pool: &PgPool, table: &'static Table) -> Result<FreezeStep, Error> {
    let mut session = CloseOnDrop::new(Db::from(pool).session().await?);
    let step = step_on(session.conn(), table).await;
    session.release();
    step
}

async fn step_on(conn: &mut PgConnection, table: &'static Table) -> Result<FreezeStep, Error> {
    let Some(until) = sealed_until(conn, table).await? else {
        return Ok(FreezeStep::Nothing);
    };
    for partition in partitions(conn, table).await? {
        if partition.is_frozen || !partition.is_sealed(Some(until)) {
            continue;
        }
        if has_time_range(conn, &partition).await? {
            return freeze_and_validate(conn, table, &partition).await;
        }
        match add_time_range(conn, table, &partition).await? {
            // A partition without records stays as it is: no filter finds anything there anyway.
            TimeRangeOutcome::Empty => {}
            TimeRangeOutcome::Busy => return Ok(FreezeStep::Nothing),
            TimeRangeOutcome::Added => return Ok(FreezeStep::More),
        }
    }
    Ok(FreezeStep::Nothing)
}

async fn has_time_range(conn: &mut PgConnection, partition: &Partition) -> Result<bool, Error> {
    let mut sql =
        Sql::new("SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass(");
    sql.bind(partition.quoted())?;
    sql.push(") AND conname = ");
    sql.bind(TIME_RANGE)?;
    sql.push(")");
    one(conn, sql).await
}

/// The result of adding the constraint of a partition's times.
enum TimeRangeOutcome {
    Added,
    Empty,
    Busy,
}

/// Adds the range of times of a partition as a constraint that is not validated yet.
async fn add_time_range(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<TimeRangeOutcome, Error> {
    let Some(mut transaction) = lock_retry::begin(conn, table, "finish").await? else {
        return Ok(TimeRangeOutcome::Busy);
    };
    // Another process may have added it since the check without the lock.
    if has_time_range(&mut transaction, partition).await? {
        transaction.rollback().await?;
        return Ok(TimeRangeOutcome::Added);
    }
    // Literals come from the server, which can write every time that it can store.
    let ends: Vec<String> = table
        .times()
        .flat_map(|column| ["min", "max"].map(|end| (end, column.quoted())))
        .map(|(end, column)| format!("quote_literal({end}({column})::text)"))
        .collect();
    let sql = Sql::new(&format!(
        "SELECT {} FROM {}",
        ends.join(", "),
        partition.quoted()
    ));
    let row = row(&mut transaction, sql).await?;
    let mut checks = Vec::new();
    for (index, column) in table.times().enumerate() {
        let (Some(least), Some(greatest)) = (
            row.try_get::<Option<String>, _>(2 * index)?,
            row.try_get::<Option<String>, _>(2 * index + 1)?,
        ) else {
            transaction.rollback().await?;
            return Ok(TimeRangeOutcome::Empty);
        };
        let (column, ty) = (column.quoted(), column.ty.sql());
        checks.push(format!(
            "{column} >= {least}::{ty} AND {column} <= {greatest}::{ty}"
        ));
    }
    let sql = Sql::new(&format!(
        "ALTER TABLE {} ADD CONSTRAINT {TIME_RANGE} CHECK ({}) NOT VALID",
        partition.quoted(),
        checks.join(" AND ")
    ));
    sql.define(&mut transaction).await?;
    transaction.commit().await?;
    Ok(TimeRangeOutcome::Added)
}

/// Vacuums the partition, then validates its range of times, which marks it as frozen.
async fn freeze_and_validate(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<FreezeStep, Error> {
    // Another process may do the same. VACUUM cannot run in a transaction, so no advisory lock of a
    // transaction covers it; a second one does no harm.
    Sql::new(&format!(
        "VACUUM (FREEZE, ANALYZE, SKIP_LOCKED) {}",
        partition.quoted()
    ))
    .define(conn)
    .await?;
    let Some(mut transaction) = lock_retry::begin(conn, table, "finish").await? else {
        return Ok(FreezeStep::Nothing);
    };
    // Another process may have dropped it because it did not hold.
    if !has_time_range(&mut transaction, partition).await? {
        transaction.rollback().await?;
        return Ok(FreezeStep::More);
    }
    let sql = Sql::new(&format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {TIME_RANGE}",
        partition.quoted()
    ));
    match sql.define(&mut transaction).await {
        Ok(()) => {
            transaction.commit().await?;
            Ok(FreezeStep::Frozen(partition.name.clone()))
        }
        // A record was changed between reading the times and adding the constraint: start over.
        Err(sqlx::Error::Database(error)) if error.is_check_violation() => {
            transaction.rollback().await?;
            drop_time_range(conn, table, partition).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn drop_time_range(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<FreezeStep, Error> {
    let Some(mut transaction) = lock_retry::begin(conn, table, "finish").await? else {
        return Ok(FreezeStep::Nothing);
    };
    let sql = Sql::new(&format!(
        "ALTER TABLE {} DROP CONSTRAINT IF EXISTS {TIME_RANGE}",
        partition.quoted()
    ));
    sql.define(&mut transaction).await?;
    transaction.commit().await?;
    Ok(FreezeStep::More)
}
