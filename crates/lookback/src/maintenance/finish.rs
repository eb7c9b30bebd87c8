//! Partitions that are full and sealed: what the planner and the server should
//! know of them for good.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row as _};

use super::partitions::{Partition, partitions};
use super::turns::{self, Turns};
use crate::db::constraints::TIME_RANGE;
use crate::db::{CloseOnDrop, Db, Sql};
use crate::db::{one, row};
use crate::error::Error;
use crate::model::Table;
use crate::search::index::sealed_until;

/// How long locks are asked for; the next call goes on.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finishes the oldest partition that is sealed and not finished yet, and
/// returns its name: it is vacuumed and frozen, and gets a `CHECK` of its times
/// by which the planner leaves it out. `None`: there is nothing to do, or
/// another process is at it.
///
/// Cut short at any point, it is gone on with when it is called again. Only
/// changes of the partition's own records wait, and those for a moment.
///
/// # Errors
///
/// As [`partitions`](super::partitions); [`Error::is_timeout`] if
/// others held their locks for 10 s: call it again.
pub async fn finish(pool: &PgPool, table: &'static Table) -> Result<Option<String>, Error> {
    finish_within(pool, table, PATIENCE).await
}

/// As [`finish`], for those who have less patience with others.
pub(super) async fn finish_within(
    pool: &PgPool,
    table: &'static Table,
    patience: Duration,
) -> Result<Option<String>, Error> {
    let mut turns = Turns::new(patience);
    loop {
        match step(pool, table).await {
            Ok(Step::Nothing) => return Ok(None),
            Ok(Step::Finished(name)) => return Ok(Some(name)),
            Ok(Step::More) => {}
            Err(error) if turns.again(&error).await => {}
            Err(error) => return Err(error),
        }
    }
}

enum Step {
    Nothing,
    More,
    Finished(String),
}

async fn step(pool: &PgPool, table: &'static Table) -> Result<Step, Error> {
    let mut session = CloseOnDrop::new(Db::from(pool).session().await?);
    let step = step_on(session.conn(), table).await;
    session.release();
    step
}

async fn step_on(conn: &mut PgConnection, table: &'static Table) -> Result<Step, Error> {
    let Some(until) = sealed_until(conn, table).await? else {
        return Ok(Step::Nothing);
    };
    for partition in partitions(conn, table).await? {
        if partition.is_finished || !partition.is_sealed(Some(until)) {
            continue;
        }
        match has_times(conn, &partition).await? {
            true => return validate(conn, table, &partition).await,
            // One without records stays as it is: no filter finds anything there anyway.
            false => match limit(conn, table, &partition).await? {
                Limited::Empty => {}
                Limited::Busy => return Ok(Step::Nothing),
                Limited::Done => return Ok(Step::More),
            },
        }
    }
    Ok(Step::Nothing)
}

async fn has_times(conn: &mut PgConnection, partition: &Partition) -> Result<bool, Error> {
    let mut sql =
        Sql::new("SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass(");
    sql.bind(partition.quoted())?;
    sql.push(") AND conname = ");
    sql.bind(TIME_RANGE)?;
    sql.push(")");
    one(conn, sql).await
}

enum Limited {
    Done,
    Empty,
    Busy,
}

/// Says what times the partition has, to be proved by [`validate`].
async fn limit(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<Limited, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "finish").await? else {
        return Ok(Limited::Busy);
    };
    // Another process may have been here since the look without the lock.
    if has_times(&mut transaction, partition).await? {
        transaction.rollback().await?;
        return Ok(Limited::Done);
    }
    // As the server itself writes them, whatever range they are in.
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
    for (place, column) in table.times().enumerate() {
        let (Some(least), Some(greatest)) = (
            row.try_get::<Option<String>, _>(2 * place)?,
            row.try_get::<Option<String>, _>(2 * place + 1)?,
        ) else {
            transaction.rollback().await?;
            return Ok(Limited::Empty);
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
    Ok(Limited::Done)
}

/// Vacuums the partition, and proves its times: that comes last, as the mark
/// that all is done.
async fn validate(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<Step, Error> {
    // Another process may be at it. This one cannot be in a transaction, and so has no lock to
    // tell; the second does no harm.
    Sql::new(&format!(
        "VACUUM (FREEZE, ANALYZE, SKIP_LOCKED) {}",
        partition.quoted()
    ))
    .define(conn)
    .await?;
    let Some(mut transaction) = turns::begin(conn, table, "finish").await? else {
        return Ok(Step::Nothing);
    };
    // Another process may have dropped it, as one that does not hold.
    if !has_times(&mut transaction, partition).await? {
        transaction.rollback().await?;
        return Ok(Step::More);
    }
    let sql = Sql::new(&format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {TIME_RANGE}",
        partition.quoted()
    ));
    match sql.define(&mut transaction).await {
        Ok(()) => {
            transaction.commit().await?;
            Ok(Step::Finished(partition.name.clone()))
        }
        // A record was changed between the look at the times and the constraint: look again.
        Err(sqlx::Error::Database(error)) if error.is_check_violation() => {
            transaction.rollback().await?;
            drop_times(conn, table, partition).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn drop_times(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<Step, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "finish").await? else {
        return Ok(Step::Nothing);
    };
    let sql = Sql::new(&format!(
        "ALTER TABLE {} DROP CONSTRAINT IF EXISTS {TIME_RANGE}",
        partition.quoted()
    ));
    sql.define(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Step::More)
}
