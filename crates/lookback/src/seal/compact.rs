//! The kinds of many segments as those of one.

use sqlx::{PgConnection, Row as _};

use super::gone::forget_all_gone;
use super::kinds::{LISTED, NEWEST, forget_unused};
use super::{Lock, lock, sealed_from};
use crate::db::Together;
use crate::error::Error;
use crate::model::Table;
use crate::sql::Sql;

/// Makes one kind of all that have the same template and lie within a range of
/// ids, forgets what is left of records that retention took and templates that
/// no kind has, and returns how many kinds there were and are. What a search finds stays the same; it reads fewer kinds.
/// Returns `None`, having done nothing, while another process is sealing the
/// table.
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
    forget_all_gone(together.conn(), table).await?;
    let merged = merge(together.conn(), table, first_id, last_id).await?;
    forget_unused(together.conn(), table.name).await?;
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
    let mut sql = Sql::default();
    let (target, first, last) = (
        sql.argument(table.name)?,
        sql.argument(first_id)?,
        sql.argument(last_id)?,
    );
    // As a kind is made of records: see `kinds.rs`. Of records that are gone, none: see `gone.rs`.
    sql.push(&format!(
        "WITH gone AS (\
           DELETE FROM search_kinds \
           WHERE target = {target} AND first_id BETWEEN {first} AND {last} AND last_id <= {last} \
             AND last_id >= {from} \
           RETURNING template_id, first_id, last_id, rows, newest_ids), \
         counted AS (\
           SELECT template_id, min(first_id) AS first_id, max(last_id) AS last_id, \
             sum(rows)::bigint AS rows, bool_and(rows <= {LISTED}) AS all_listed FROM gone GROUP BY 1), \
         listed AS (\
           SELECT template_id, array_agg(DISTINCT id ORDER BY id DESC) AS ids \
           FROM gone CROSS JOIN LATERAL unnest(newest_ids) AS id GROUP BY 1), \
         made AS (\
           INSERT INTO search_kinds (target, template_id, first_id, last_id, rows, newest_ids) \
           SELECT {target}, template_id, first_id, last_id, of.rows, \
             ids[1:CASE WHEN of.rows > {LISTED} THEN {NEWEST} ELSE {LISTED} END] \
           FROM counted JOIN listed USING (template_id) CROSS JOIN LATERAL (\
             SELECT CASE WHEN all_listed THEN cardinality(ids) ELSE counted.rows END AS rows) AS of \
           ORDER BY template_id RETURNING 1) \
         SELECT (SELECT count(*) FROM gone) AS before, (SELECT count(*) FROM made) AS after",
        from = sealed_from(&target),
    ));
    let Some(row) = sql.fetch_optional(conn).await? else {
        return Ok((0, 0));
    };
    let count = |name| Ok::<u64, sqlx::Error>(row.try_get::<i64, _>(name)?.unsigned_abs());
    Ok((count("before")?, count("after")?))
}
