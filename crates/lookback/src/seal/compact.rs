//! The kinds of many segments as those of one.

use sqlx::{PgConnection, Row as _};

use super::summary::Kinds;
use super::{Lock, lock};
use crate::db::Together;
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::Table;
use crate::models::SearchKind;
use crate::sql::Sql;

/// Makes one kind of all that have the same vector and lie within a range of
/// ids, and returns how many there were and are. What a search finds stays the
/// same; it compares fewer vectors. Returns `None`, having done nothing, while
/// another process is sealing the table.
///
/// # Errors
///
/// Those of the database.
pub async fn compact(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<Option<(u64, u64)>, Error> {
    let mut together = Together::begin(conn).await?;
    if !lock(together.conn(), table, Lock::Alone).await? {
        return Ok(None);
    }
    let merged = merge(together.conn(), table, first_id, last_id).await?;
    together.commit().await?;
    Ok(Some(merged))
}

/// As [`compact`], in a transaction that has the lock.
pub(super) async fn merge(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(u64, u64), Error> {
    let mut sql = Sql::new("DELETE FROM search_kinds WHERE target = ");
    sql.bind(table.name)?;
    sql.push(" AND first_id >= ");
    sql.bind(first_id)?;
    sql.push(" AND last_id <= ");
    sql.bind(last_id)?;
    sql.push(" RETURNING first_id, template, spelling, vector, rows, newest_ids");
    let mut gone = Vec::new();
    for row in sql.fetch_all(&mut *conn).await? {
        let first: i64 = row.try_get("first_id")?;
        let template: String = row.try_get("template")?;
        let spelling: i64 = row.try_get("spelling")?;
        let vector: Option<Embedding> = row.try_get("vector")?;
        let rows: i64 = row.try_get("rows")?;
        let ids: Vec<i64> = row.try_get("newest_ids")?;
        gone.push((first, ids, (template, spelling, vector, rows)));
    }
    // From the oldest to the newest, as a summary is made.
    gone.sort_by_key(|(first, ids, _)| (*first, ids.first().copied()));
    let before = gone.len() as u64;
    let mut kinds = Kinds::default();
    for (_, ids, (template, spelling, vector, rows)) in gone {
        kinds.add(
            template,
            spelling,
            vector.as_ref(),
            rows.unsigned_abs(),
            ids.into_iter().rev(),
        );
    }
    let kinds = kinds.finish(table.name, first_id, last_id);
    let after = SearchKind::records().create_many(conn, &kinds).await?;
    Ok((before, after))
}
