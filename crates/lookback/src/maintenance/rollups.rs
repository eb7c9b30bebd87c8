//! Roll-ups: creating the trigger that notes changes, and their upkeep.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::lock_retry::{self, LockRetry};
use crate::db::{CloseOnDrop, Db, Sql, is_distributed, one};
use crate::error::{Error, sqlstate};
use crate::model::Table;
use crate::search::index::rollups::{
    do_task, is_trigger_current, may_write, next_task, trigger_statements,
};

/// How long to retry the lock of the table; the next call continues.
const LOCK_RETRY_TIMEOUT: Duration = Duration::from_secs(2);

/// Does a step of the upkeep of a table's roll-ups, and returns whether there was one.
///
/// It creates the trigger that notes changes, counts a sealed segment that is not counted
/// yet, or adds the noted changes to the counts. Queries give the same answers with and
/// without it; with it, they are faster.
///
/// Without the tables of roll-ups, or the right to create the trigger, there is nothing to
/// do, and neither is there in a table that Citus distributes: it has no triggers of rows.
///
/// # Errors
///
/// Those of the database.
pub async fn maintain_rollups(pool: &PgPool, table: &'static Table) -> Result<bool, Error> {
    if table.rollup.is_none() {
        return Ok(false);
    }
    let mut session = CloseOnDrop::new(Db::from(pool).session().await?);
    let step = step(session.conn(), table).await;
    session.release();
    step
}

async fn step(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    if !may_write(conn).await? || is_distributed(conn, table).await? {
        return Ok(false);
    }
    if !is_trigger_current(conn, table).await? {
        return create_trigger(conn, table, LOCK_RETRY_TIMEOUT).await;
    }
    match next_task(conn, table).await? {
        Some(task) => do_task(conn, table, task).await,
        None => Ok(false),
    }
}

/// Creates the trigger of a table that a migration has just created.
#[cfg(feature = "migrate")]
pub(crate) async fn create_missing_trigger(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    if may_write(conn).await?
        && !is_distributed(conn, table).await?
        && !is_trigger_current(conn, table).await?
    {
        create_trigger(conn, table, LOCK_RETRY_TIMEOUT).await?;
    }
    Ok(())
}

/// Creates the trigger of a table, if the role may, and returns whether it did.
///
/// Writers wait for it at most as long as for one attempt to lock the table. If others hold
/// the table, it is left to the next call.
async fn create_trigger(
    conn: &mut PgConnection,
    table: &'static Table,
    timeout: Duration,
) -> Result<bool, Error> {
    if !may_create(conn, table).await? {
        return Ok(false);
    }
    let mut retry = LockRetry::new(timeout);
    loop {
        match try_create(conn, table).await {
            Ok(true) => return Ok(true),
            Ok(false) if retry.pause().await => {}
            Ok(false) => return Ok(false),
            Err(error) if retry.after(&error).await => {}
            // Some extensions have tables without triggers.
            Err(error)
                if error.is_timeout()
                    || error.is_permission_denied()
                    || error.sqlstate() == Some(sqlstate::FEATURE_NOT_SUPPORTED) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
}

async fn may_create(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    let mut sql = Sql::new(
        "SELECT coalesce((SELECT pg_has_role(relowner, 'USAGE') \
           AND has_schema_privilege(relnamespace, 'CREATE') \
           FROM pg_catalog.pg_class WHERE oid = to_regclass(",
    );
    sql.bind(table.quoted())?;
    sql.push(")), FALSE)");
    one(conn, sql).await
}

async fn try_create(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    let Some(mut transaction) = lock_retry::begin(conn, table, "partitions").await? else {
        return Ok(false);
    };
    // All writers have ended then, and later ones have the trigger.
    lock_retry::lock(&mut transaction, &table.quoted(), "SHARE ROW EXCLUSIVE").await?;
    for statement in trigger_statements(&mut transaction, table).await? {
        statement.once().execute(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(true)
}
