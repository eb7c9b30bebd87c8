//! Adding up the counts of neighbouring ranges, with their corrections.

use sqlx::PgConnection;

use super::counting::{MIN_GAP_LIMIT, RECORDS_PER_GAP};
use super::{END_TIME, EPOCH, FIRST_TIME, UNITS, definition, keys, may_write, try_lock};
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;

/// Merges the ranges within a range of ids in the transaction that seals the last of them,
/// if their table has roll-ups.
pub(in crate::search::index) async fn merge_ranges(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(), Error> {
    if table.rollup.is_some() && may_write(conn).await? && try_lock(conn, table).await? {
        merge(conn, table, first_id, last_id).await?;
    }
    Ok(())
}

/// Replaces the ranges within a range of ids by a single one, and adds their corrections to
/// its counts, in one statement, for a transaction that has the lock.
///
/// Ranges of different partitions or definitions stay as they are, and so do the corrections
/// of ranges that are not within it as a whole. The ids of removed
/// records are not counted any more: other records may get them, and are read.
pub(super) async fn merge(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(), Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let (first, last) = (sql.argument(first_id)?, sql.argument(last_id)?);
    let within = format!("target = {target} AND first_id >= {first} AND last_id <= {last}");
    let noted =
        format!("target = {target} AND record_id BETWEEN {first} AND {last} AND amount <> 0");
    let units = UNITS.map(|unit| format!("({unit})")).join(", ");
    sql.push(&format!(
        "WITH mergeable AS MATERIALIZED (\
           SELECT count(DISTINCT partitions) FILTER (WHERE NOT isempty(ids)) <= 1 \
             AND bool_and(definition = {definition}) AS yes FROM rollup_ranges WHERE {within}), \
         ranges AS (\
           DELETE FROM rollup_ranges WHERE {within} AND (SELECT yes FROM mergeable) \
           RETURNING id, first_id, last_id, definition, partitions, ids, rows, finest), \
         cells AS (\
           DELETE FROM rollup_cells AS c USING ranges AS r WHERE c.range_id = r.id \
           RETURNING c.depth, c.unit, c.keys, c.is_deleted, c.buckets, c.counts), \
         notes AS (\
           DELETE FROM rollup_corrections WHERE {noted} AND (SELECT yes FROM mergeable) \
             AND record_id <@ (SELECT range_agg(ids) FROM rollup_ranges WHERE {within}) \
             AND record_id NOT IN (SELECT record_id FROM rollup_corrections WHERE {noted} \
               AND (created_at < {FIRST_TIME} OR created_at >= {END_TIME})) \
           RETURNING id, record_id, amount, is_removal, created_at, keys, is_deleted), \
         merged AS MATERIALIZED (\
           SELECT min(first_id) AS first_id, max(last_id) AS last_id, min(definition) AS definition, \
             coalesce(max(partitions) FILTER (WHERE NOT isempty(ids)), '{{}}') AS partitions, \
             range_agg(ids) AS ids, sum(rows) AS rows, \
             coalesce((SELECT array_agg(unit ORDER BY place) FROM (\
               SELECT place, max(unit) AS unit FROM ranges AS r, unnest(r.finest) WITH ORDINALITY AS u(unit, place) \
               WHERE NOT isempty(r.ids) GROUP BY place) AS finest), '{{}}') AS finest \
           FROM ranges HAVING count(*) > 0), \
         applied AS MATERIALIZED (\
           SELECT n.* FROM notes AS n WHERE NOT EXISTS (SELECT 1 FROM notes AS removal WHERE removal.record_id = n.record_id \
               AND removal.is_removal AND removal.id < n.id)), \
         kept AS MATERIALIZED (\
           SELECT m.ids - coalesce((SELECT range_agg(int8range(record_id, record_id + 1)) \
               FROM applied WHERE is_removal), int8multirange()) AS ids, \
             m.rows + coalesce((SELECT sum(amount) FROM applied), 0) AS rows FROM merged AS m), \
         counted AS (\
           INSERT INTO rollup_ranges (target, first_id, last_id, definition, partitions, ids, rows, finest) \
           SELECT {target}, m.first_id, m.last_id, m.definition, m.partitions, \
             CASE WHEN (SELECT count(*) FROM unnest(k.ids)) <= {MIN_GAP_LIMIT} + k.rows / {RECORDS_PER_GAP} \
               THEN k.ids ELSE int8multirange() END, k.rows, m.finest \
           FROM merged AS m, kept AS k RETURNING id, finest, ids), \
         parts AS (\
           SELECT depth, unit, keys, is_deleted, unnest(buckets) AS bucket, unnest(counts) AS rows FROM cells \
           UNION ALL \
           SELECT d.depth, u.unit, a.keys[1:d.depth], a.is_deleted, \
             floor(extract(epoch FROM a.created_at - {EPOCH})::float8 / u.unit)::integer, a.amount \
           FROM applied AS a, generate_series(0, {deepest}) AS d(depth), (VALUES {units}) AS u(unit)), \
         buckets AS (\
           SELECT c.id, p.depth, p.unit, p.keys, p.is_deleted, p.bucket, sum(p.rows)::integer AS rows \
           FROM parts AS p, counted AS c WHERE p.unit >= c.finest[p.depth + 1] AND NOT isempty(c.ids) \
           GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(p.rows) <> 0) \
         INSERT INTO rollup_cells \
           (range_id, depth, unit, keys, is_deleted, first_bucket, last_bucket, buckets, counts) \
         SELECT id, depth, unit, keys, is_deleted, min(bucket), max(bucket), \
           array_agg(bucket ORDER BY bucket), array_agg(rows ORDER BY bucket) \
         FROM buckets GROUP BY 1, 2, 3, 4, 5",
        definition = definition(table),
        deepest = keys(table).len(),
    ));
    sql.execute(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    Ok(())
}
