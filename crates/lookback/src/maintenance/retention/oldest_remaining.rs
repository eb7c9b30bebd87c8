//! The oldest record that pruning leaves.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::measuring::{merged_id_ranges, push_remaining};
use super::plan::PrunePlan;
use crate::db::{Sql, one};
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::{self, sealed_until};
use crate::value::StoredTime;

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
    let hot: Option<StoredTime> = one(conn, sql).await?;
    let hot = hot.map(StoredTime::time);
    let dropped = merged_id_ranges(&plan.partitions);
    let cutoff = plan.scope.created_before.filter(|_| by_age);
    let straddling = match cutoff {
        Some(cutoff) => index::oldest_in_straddling_segments(conn, table, cutoff, &dropped).await?,
        None => None,
    };
    let sealed = index::oldest_sealed(conn, table, cutoff, &dropped).await?;
    Ok(hot.into_iter().chain(sealed).chain(straddling).min())
}
