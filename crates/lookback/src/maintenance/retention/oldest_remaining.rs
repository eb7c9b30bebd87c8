//! The oldest record that pruning leaves.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::measuring::{push_remaining, push_remaining_segments};
use super::plan::PrunePlan;
use crate::db::{Sql, one};
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::sealed_until;

/// Time of the oldest record that a plan leaves; `None` if it leaves none.
///
/// For sealed records it is the time known when they were sealed; records that are not
/// sealed are read.
///
/// # Errors
///
/// Those of the database.
pub async fn oldest_remaining(
    conn: &mut PgConnection,
    table: &'static Table,
    plan: &PrunePlan,
) -> Result<Option<DateTime<Utc>>, Error> {
    // Segments may not have been refreshed since records were deleted.
    let by_age = plan.expired_rows > 0 || plan.scope.is_overdue;
    let sealed = sealed_until(conn, table).await?;
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT min({created_at}) FROM {} WHERE true",
        table.quoted()
    ));
    if let Some(sealed) = sealed {
        sql.push(&format!(
            " AND {} > ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(sealed)?;
    }
    if let (Some(cutoff), true) = (plan.scope.created_before, by_age) {
        sql.push(&format!(" AND {created_at} >= "));
        sql.bind(cutoff)?;
    }
    if let Some(cutoff) = plan.scope.deleted_before {
        let deleted_at = table.column_of(ColumnRole::DeletedAt).quoted();
        sql.push(&format!(" AND ({deleted_at} IS NULL OR {deleted_at} >= "));
        sql.bind(cutoff)?;
        sql.push(")");
    }
    push_remaining(&mut sql, table, plan)?;
    let hot: Option<DateTime<Utc>> = one(conn, sql).await?;
    let mut sql =
        Sql::new("SELECT min(oldest) FROM sealed_segments WHERE deleted_at IS NULL AND target = ");
    sql.bind(table.name)?;
    push_remaining_segments(&mut sql, plan)?;
    let mut straddling = None;
    if let (Some(cutoff), true) = (plan.scope.created_before, by_age) {
        sql.push(" AND oldest >= ");
        sql.bind(cutoff)?;
        straddling = oldest_of_straddling(conn, table, plan, cutoff).await?;
    }
    let sealed: Option<DateTime<Utc>> = one(conn, sql).await?;
    Ok(hot.into_iter().chain(sealed).chain(straddling).min())
}

/// Time of the oldest remaining record in segments of which some rows are deleted by age.
async fn oldest_of_straddling(
    conn: &mut PgConnection,
    table: &'static Table,
    plan: &PrunePlan,
    cutoff: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    sql.push(&format!(
        "SELECT min(r.made) FROM sealed_segments CROSS JOIN LATERAL (\
           SELECT min({created_at}) AS made FROM {from} \
           WHERE {id} BETWEEN first_id AND last_id AND {created_at} >= {cutoff}) AS r \
         WHERE deleted_at IS NULL AND target = {target} AND oldest < {cutoff} AND newest >= {cutoff}",
        created_at = table.column_of(ColumnRole::CreatedAt).quoted(),
        from = table.quoted(),
        id = table.column_of(ColumnRole::Id).quoted(),
    ));
    push_remaining_segments(&mut sql, plan)?;
    one(conn, sql).await
}
