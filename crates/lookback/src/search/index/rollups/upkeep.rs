//! Upkeep of roll-ups: counting what sealing could not count, and folding corrections.

use sqlx::{PgConnection, Row as _};

use super::counting::count_range;
use super::merging::merge;
use super::text_notes::{fold_text_notes, has_many_text_notes};
use super::{definition, may_write, try_lock, watched_partitions};
use crate::db::{Sql, TransactionScope, one};
use crate::error::Error;
use crate::model::Table;

/// The number of corrections from which they are folded into the counts. Each of them takes
/// about a microsecond of every query.
const MAX_CORRECTIONS: i64 = 1_000;

/// The number of corrections among which the next task looks.
const AT_ONCE: i64 = 10_000;

/// A task of upkeep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RollupTask {
    /// To count the records of a sealed segment.
    Count {
        /// The first id.
        first_id: i64,
        /// The last id.
        last_id: i64,
    },
    /// To add the corrections of a range to its counts.
    Fold {
        /// The first id.
        first_id: i64,
        /// The last id.
        last_id: i64,
    },
    /// To delete the corrections of records that no range counts.
    Purge,
    /// To take the ids of changed texts out of the segments that know them.
    FoldTexts,
}

/// Returns the next task of a table that has the trigger: a segment that is not in a valid
/// range, or else the range with the most corrections if there are many. `None` without the
/// tables, or with nothing to do.
pub(crate) async fn next_task(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<RollupTask>, Error> {
    if table.rollup.is_none() || !may_write(conn).await? {
        return Ok(None);
    }
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    sql.push(&format!(
        "WITH watched AS MATERIALIZED ({watched}), \
         valid AS MATERIALIZED (\
           SELECT first_id, last_id FROM rollup_ranges \
           WHERE target = {target} AND definition = {definition} \
             AND partitions <@ (SELECT coalesce(array_agg(identity), '{{}}') FROM watched)), \
         hulls AS MATERIALIZED (\
           SELECT coalesce(range_agg(int8range(first_id, last_id)), int8multirange()) AS ids FROM valid) \
         SELECT s.first_id, s.last_id FROM sealed_segments AS s, hulls \
         WHERE s.target = {target} AND NOT s.is_tombstone \
           AND NOT int8range(s.first_id, s.last_id) <@ hulls.ids \
         ORDER BY random() LIMIT 1",
        watched = watched_partitions(table),
        definition = definition(table),
    ));
    if let Some(row) = sql.fetch_optional(&mut *conn).await? {
        return Ok(Some(RollupTask::Count {
            first_id: row.try_get("first_id")?,
            last_id: row.try_get("last_id")?,
        }));
    }
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    sql.push(&format!(
        "WITH noted AS MATERIALIZED (\
           SELECT record_id FROM rollup_corrections AS n \
           WHERE target = {target} AND record_id IS NOT NULL AND amount <> 0 \
             AND NOT EXISTS (SELECT 1 FROM rollup_corrections AS other \
               WHERE other.target = {target} AND other.record_id = n.record_id \
                 AND (other.created_at < {first_time} OR other.created_at >= {end_time})) \
           ORDER BY record_id LIMIT {AT_ONCE}) \
         SELECT r.first_id, r.last_id FROM noted AS n LEFT JOIN LATERAL (\
           SELECT first_id, last_id, ids FROM rollup_ranges \
           WHERE target = {target} AND first_id <= n.record_id ORDER BY first_id DESC LIMIT 1) AS r \
           ON n.record_id <@ r.ids \
         WHERE (SELECT count(*) FROM noted) > {MAX_CORRECTIONS} \
         GROUP BY 1, 2 ORDER BY count(*) DESC, 1 LIMIT 1",
        first_time = super::FIRST_TIME,
        end_time = super::END_TIME,
    ));
    let row = sql.fetch_optional(&mut *conn).await?;
    if row.is_none() {
        let are_many = has_many_text_notes(conn, table).await?;
        return Ok(are_many.then_some(RollupTask::FoldTexts));
    }
    row.map(|row| {
        let ids = Option::zip(row.try_get("first_id")?, row.try_get("last_id")?);
        Ok(
            ids.map_or(RollupTask::Purge, |(first_id, last_id)| RollupTask::Fold {
                first_id,
                last_id,
            }),
        )
    })
    .transpose()
}

/// Does a task in a transaction of its own; false if another process works on the roll-ups,
/// or nothing changed.
pub(crate) async fn do_task(
    conn: &mut PgConnection,
    table: &'static Table,
    task: RollupTask,
) -> Result<bool, Error> {
    let mut transaction = TransactionScope::begin(conn).await?;
    if !try_lock(transaction.conn(), table).await? {
        return Ok(false);
    }
    let conn = transaction.conn();
    let is_done = match task {
        RollupTask::Count { first_id, last_id } => {
            delete_ranges(conn, table, first_id, last_id).await?;
            count_range(conn, table, first_id, last_id).await?
        }
        RollupTask::Fold { first_id, last_id } => {
            let before = corrections(conn, table).await?;
            merge(conn, table, first_id, last_id).await?;
            corrections(conn, table).await? < before
        }
        RollupTask::Purge => purge_uncounted(conn, table).await?,
        RollupTask::FoldTexts => fold_text_notes(conn, table).await?,
    };
    transaction.commit().await?;
    Ok(is_done)
}

/// Returns the number of corrections.
async fn corrections(conn: &mut PgConnection, table: &'static Table) -> Result<i64, Error> {
    let mut sql =
        Sql::new("SELECT count(*) FROM rollup_corrections WHERE amount <> 0 AND target = ");
    sql.bind(table.name)?;
    one(conn, sql).await
}

/// Deletes ranges without a segment, and the corrections of records that no range counts, in a
/// transaction that has the lock; returns whether there were any.
///
/// What counts these records later sees their change.
async fn purge_uncounted(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    sql.push(&format!(
        "WITH ranges AS (DELETE FROM rollup_ranges AS r WHERE r.target = {target} \
           AND NOT EXISTS (SELECT 1 FROM sealed_segments AS s \
             WHERE s.target = {target} AND NOT s.is_tombstone \
               AND s.first_id <= r.last_id AND s.last_id >= r.first_id) RETURNING id) \
         DELETE FROM rollup_cells AS c USING ranges AS r WHERE c.range_id = r.id"
    ));
    let cells = sql.execute(&mut *conn).await?;
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    sql.push(&format!(
        "DELETE FROM rollup_corrections WHERE target = {target} AND record_id IS NOT NULL AND amount <> 0 \
         AND NOT record_id <@ (SELECT coalesce(range_agg(ids), int8multirange()) \
           FROM rollup_ranges WHERE target = {target})"
    ));
    Ok(sql.execute(conn).await? + cells > 0)
}

/// Deletes the ranges that have one of these ids, with their cells.
async fn delete_ranges(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(), Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let (first, last) = (sql.argument(first_id)?, sql.argument(last_id)?);
    sql.push(&format!(
        "WITH ranges AS (DELETE FROM rollup_ranges \
           WHERE target = {target} AND first_id <= {last} AND last_id >= {first} RETURNING id) \
         DELETE FROM rollup_cells AS c USING ranges AS r WHERE c.range_id = r.id"
    ));
    sql.execute(conn).await?;
    Ok(())
}

/// Deletes the ranges within a range of ids, whose segments are deleted in the same
/// transaction.
pub(in crate::search::index) async fn delete_ranges_between(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    end_id: i64,
) -> Result<(), Error> {
    if table.rollup.is_none() || !may_write(conn).await? {
        return Ok(());
    }
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let (first, end) = (sql.argument(first_id)?, sql.argument(end_id)?);
    sql.push(&format!(
        "WITH ranges AS (DELETE FROM rollup_ranges \
           WHERE target = {target} AND first_id >= {first} AND first_id < {end} AND last_id < {end} \
           RETURNING id) \
         DELETE FROM rollup_cells AS c USING ranges AS r WHERE c.range_id = r.id"
    ));
    sql.execute(conn).await?;
    Ok(())
}

/// Deletes all roll-ups of a table. Corrections remain until [`next_task`] finds many of them:
/// a range that another process counts just now needs its own.
pub(in crate::search::index) async fn delete_rollups(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    if table.rollup.is_none() || !may_write(conn).await? {
        return Ok(());
    }
    delete_ranges(conn, table, i64::MIN, i64::MAX).await
}

/// Deletes all roll-ups of a table and what is noted for them, in the transaction that drops its
/// trigger.
pub(crate) async fn delete_rollups_and_notes(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    if table.rollup.is_none() || !may_write(conn).await? {
        return Ok(());
    }
    delete_ranges(conn, table, i64::MIN, i64::MAX).await?;
    let mut sql = Sql::new("DELETE FROM rollup_corrections WHERE target = ");
    sql.bind(table.name)?;
    sql.execute(conn).await?;
    Ok(())
}
