//! Counting the records of a range of ids.

use sqlx::{PgConnection, Row as _};

use super::{EPOCH, Key, Names, definition, may_write, try_lock, watched_partitions};
use crate::db::{Sql, is_distributed};
use crate::error::Error;
use crate::model::Table;

/// The number of cells that are always stored. With more, and more than a quarter of the
/// records, adding them up is no less work than reading records.
const MIN_CELL_LIMIT: i64 = 1_000;

/// The length of the shortest buckets where no counts are stored.
const NEVER: i32 = i32::MAX;

/// The number of gaps in ids that are always stored, and the records for each further one.
/// A query looks for records in each gap.
pub(in crate::search::index) const MIN_GAP_LIMIT: i64 = 1_024;
pub(in crate::search::index) const RECORDS_PER_GAP: i64 = 256;

/// Counts a segment in the transaction that seals it, if its table has roll-ups.
///
/// Does nothing without the tables, without the trigger, or if another process works on the
/// roll-ups: [`upkeep`](super::upkeep) counts the segment later.
pub(in crate::search::index) async fn count_sealed(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(), Error> {
    if table.rollup.is_some()
        && may_write(conn).await?
        && !is_distributed(conn, table).await?
        && try_lock(conn, table).await?
    {
        count_range(conn, table, first_id, last_id).await?;
    }
    Ok(())
}

/// Counts the records of a range of ids and deletes their corrections, in one statement, for
/// a transaction that has the lock.
///
/// Stores nothing, and returns false, if a partition of them has no trigger. A range with too many cells or gaps
/// counts no ids: its records are read.
pub(super) async fn count_range(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<bool, Error> {
    let names = Names::of(table);
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let (first, last) = (sql.argument(first_id)?, sql.argument(last_id)?);
    let Names {
        table: from,
        id,
        time,
        deleted_at,
        keys,
        ..
    } = &names;
    let within = format!("{id} BETWEEN {first} AND {last} AND {}", names.countable());
    let (mut values, mut raw_keys, mut cell) = (Vec::new(), Vec::new(), Vec::new());
    for (place, key) in keys.iter().enumerate() {
        values.push(format!(", {} AS key{place}", key.value()));
        raw_keys.push(format!(", key{place}"));
        cell.push(format!("key{place}::text"));
    }
    // A place in JSON is looked for once.
    let once = if keys.iter().any(Key::is_in_json) {
        " OFFSET 0"
    } else {
        ""
    };
    sql.push(&format!(
        "WITH watched AS MATERIALIZED ({watched}), \
         noted AS (DELETE FROM rollup_corrections \
           WHERE target = {target} AND record_id BETWEEN {first} AND {last} AND amount <> 0), \
         cells AS MATERIALIZED (\
           SELECT leaf, minute, ARRAY[{cell}]::text[] AS keys, is_deleted, count(*) AS rows, \
             min(id) AS first_id, max(id) AS last_id \
           FROM (SELECT tableoid AS leaf, date_bin(interval '1 minute', {time}, {EPOCH}) AS minute, \
             {id} AS id, {deleted_at} IS NOT NULL AS is_deleted{values} \
             FROM {from} WHERE {within}{once}) AS counted \
           GROUP BY leaf, minute, is_deleted{raw_keys}), \
         totals AS MATERIALIZED (\
           SELECT coalesce(sum(rows), 0)::bigint AS rows, min(first_id) AS first_id, \
             max(last_id) AS last_id, count(*) AS cells FROM cells), \
         leaves AS MATERIALIZED (SELECT DISTINCT leaf FROM cells), \
         partitions AS MATERIALIZED (\
           SELECT coalesce(array_agg(w.identity ORDER BY w.identity), '{{}}') AS partitions, \
             coalesce(bool_and(w.identity IS NOT NULL), TRUE) AS are_watched \
           FROM leaves AS l LEFT JOIN watched AS w ON w.oid = l.leaf), \
         ids AS MATERIALIZED (\
           SELECT CASE WHEN rows = 0 THEN int8multirange() \
             WHEN rows = last_id - first_id + 1 THEN int8multirange(int8range(first_id, last_id + 1)) \
             ELSE (SELECT range_agg(int8range(run.first_id, run.last_id + 1)) FROM (\
               SELECT min(id) AS first_id, max(id) AS last_id FROM (\
                 SELECT {id} AS id, {id} - row_number() OVER (ORDER BY {id}) AS run \
                 FROM {from} WHERE {within}) AS numbered GROUP BY run) AS run) END AS ids \
           FROM totals), \
         minutes AS MATERIALIZED ({minutes}), \
         quarters AS MATERIALIZED ({quarters}), \
         hours AS MATERIALIZED ({hours}), \
         days AS ({days}), \
         buckets AS MATERIALIZED (\
           SELECT 60 AS unit, * FROM minutes UNION ALL SELECT 900, * FROM quarters \
           UNION ALL SELECT 3600, * FROM hours UNION ALL SELECT 86400, * FROM days), \
         sizes AS MATERIALIZED (SELECT depth, unit, count(*) AS cells FROM buckets GROUP BY 1, 2), \
         finest AS MATERIALIZED (\
           SELECT array_agg(coalesce((SELECT min(unit) FROM sizes WHERE sizes.depth = d.depth \
               AND sizes.cells <= greatest({MIN_CELL_LIMIT}, totals.rows / 4)), {NEVER}) ORDER BY d.depth) AS units \
           FROM generate_series(0, {deepest}) AS d(depth), totals), \
         gaps AS MATERIALIZED (\
           SELECT (SELECT count(*) FROM unnest(ids.ids)) \
             <= {MIN_GAP_LIMIT} + totals.rows / {RECORDS_PER_GAP} AS are_few FROM ids, totals), \
         counted AS (\
           INSERT INTO rollup_ranges (target, first_id, last_id, definition, partitions, ids, rows, finest) \
           SELECT {target}, {first}, {last}, {definition}, p.partitions, \
             CASE WHEN gaps.are_few THEN ids.ids ELSE int8multirange() END, totals.rows, finest.units \
           FROM totals, ids, finest, gaps, partitions AS p WHERE p.are_watched RETURNING id), \
         stored AS (INSERT INTO rollup_cells \
           (range_id, depth, unit, keys, is_deleted, first_bucket, last_bucket, buckets, counts) \
         SELECT counted.id, b.depth, b.unit, b.keys, b.is_deleted, min(b.bucket), max(b.bucket), \
           array_agg(b.bucket ORDER BY b.bucket), array_agg(b.rows ORDER BY b.bucket) \
         FROM counted, gaps, finest, buckets AS b \
         WHERE gaps.are_few AND b.unit >= finest.units[b.depth + 1] GROUP BY 1, 2, 3, 4, 5) \
         SELECT EXISTS (SELECT 1 FROM counted)",
        watched = watched_partitions(table),
        values = values.concat(),
        raw_keys = raw_keys.concat(),
        cell = cell.join(", "),
        definition = definition(table),
        minutes = minutes(keys.len()),
        quarters = longer("minutes", 15),
        hours = longer("quarters", 4),
        days = longer("hours", 24),
        deepest = keys.len(),
    ));
    let row = sql.fetch_optional(conn).await;
    let row = row.map_err(|error| Error::from_driver(table, error))?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

/// Returns the query of counts by minute: by all columns, and by fewer and fewer of them.
fn minutes(columns: usize) -> String {
    let minute = format!("(extract(epoch FROM minute - {EPOCH}) / 60)::integer");
    let mut all = vec![format!(
        "SELECT {columns} AS depth, keys, is_deleted, {minute} AS bucket, rows::integer AS rows FROM cells"
    )];
    for depth in (0..columns).rev() {
        all.push(format!(
            "SELECT {depth}, keys[1:{depth}] AS keys, is_deleted, {minute}, sum(rows)::integer \
             FROM cells GROUP BY 2, 3, 4"
        ));
    }
    all.join(" UNION ALL ")
}

/// Returns the query of counts by buckets that are some times as long.
fn longer(shorter: &str, times: i32) -> String {
    format!(
        "SELECT depth, keys, is_deleted, floor(bucket::float8 / {times})::integer AS bucket, \
         sum(rows)::integer AS rows FROM {shorter} GROUP BY 1, 2, 3, 4"
    )
}
