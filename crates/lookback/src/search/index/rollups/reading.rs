//! Reading roll-ups: the records of a table as counts, in one statement.

use sqlx::{PgConnection, Row as _};

use super::key::{columns_of_keys, names_of_keys};
use super::{EPOCH, Names, Windows, definition, may_read, watched_partitions};
use crate::db::{Sql, row};
use crate::error::Error;
use crate::model::{Table, quote_identifier};

/// Appends a condition to a statement.
type PushCondition<'a> = &'a dyn Fn(&mut Sql) -> Result<(), Error>;

/// The counts to read.
pub(crate) struct RollupScan<'a> {
    /// How many of the columns that are counted by are needed: the first ones.
    pub(crate) depth: usize,
    pub(crate) windows: &'a Windows,
    /// Appends the condition on the columns that are counted by, and on deletion.
    pub(crate) push_keys: PushCondition<'a>,
    /// Appends the condition on a record, its time included.
    pub(crate) push_condition: PushCondition<'a>,
}

/// The roll-ups of a table that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundRollups {
    /// The choice among the windows.
    pub(crate) chosen: usize,
    /// Whether the server would compile the statement, which takes longer than running it:
    /// the planner cannot know how few records are beside the counts.
    pub(crate) compiles: bool,
}

/// Looks for roll-ups by the first columns that count most of the records, and chooses among
/// the windows: those with short buckets leave few records at the edges, but where records
/// are few, only longer buckets are counted.
///
/// `None` without roll-ups, or if the role may read only some of the records. This only decides
/// how records are read. The statement looks at the ranges itself.
pub(crate) async fn find_rollups(
    conn: &mut PgConnection,
    table: &'static Table,
    depth: usize,
    windows: &[Windows],
) -> Result<Option<FoundRollups>, Error> {
    if table.rollup.is_none() || !may_read(conn).await? {
        return Ok(None);
    }
    let Names {
        table: from,
        id,
        regclass,
        ..
    } = Names::of(table);
    let mut sql = Sql::default();
    let ranges = ranges(&mut sql, table, depth, i32::MAX)?;
    let sums = windows.iter().map(|windows| {
        format!(
            "coalesce(sum(rows) FILTER (WHERE finest <= {}), 0)",
            windows.finest()
        )
    });
    let sums = sums.collect::<Vec<_>>().join(", ");
    sql.push(&format!(
        "WITH {ranges} \
         SELECT ARRAY[{sums}]::bigint[] AS rows, \
           (coalesce((SELECT max({id}) FROM {from}), 0)::numeric - max(last_id))::float8 AS beyond, \
           row_security_active({regclass}) AS is_restricted, \
           current_setting('jit') = 'on' AND pg_jit_available() AS compiles \
         FROM ranges"
    ));
    let row = row(conn, sql).await?;
    let rows: Vec<i64> = row.try_get("rows")?;
    let beyond: Option<f64> = row.try_get("beyond")?;
    let most = rows.iter().copied().max().unwrap_or(0);
    let chosen = rows.iter().position(|rows| *rows >= most - most / 16);
    #[expect(clippy::cast_precision_loss, reason = "a comparison of sizes")]
    let is_useful = beyond.is_some_and(|beyond| most > 0 && most as f64 >= beyond);
    let is_restricted: bool = row.try_get("is_restricted")?;
    let compiles = row.try_get("compiles")?;
    let found = chosen.filter(|_| is_useful && !is_restricted);
    Ok(found.map(|chosen| FoundRollups { chosen, compiles }))
}

/// Appends the records of a table as a relation with its name: the columns that are counted
/// by, the time, the time of deletion, and `__rows`, the number of records.
///
/// Counts may be zero or less; only their sum has a meaning.
pub(crate) fn push_rollup_scan(
    sql: &mut Sql,
    table: &'static Table,
    scan: &RollupScan<'_>,
) -> Result<(), Error> {
    let names = Names::of(table);
    let Names {
        table: from,
        id,
        time,
        deleted_at,
        keys,
        ..
    } = &names;
    let target = sql.argument(table.name)?;
    let ranges = ranges(sql, table, scan.depth, scan.windows.finest())?;
    let depth = scan.depth;
    let keys_condition = sql.fragment(scan.push_keys)?;
    let condition = sql.fragment(scan.push_condition)?;
    let (units, firsts, ends): (Vec<i32>, Vec<i32>, Vec<i32>) = {
        let mut split = (Vec::new(), Vec::new(), Vec::new());
        for (unit, first, end) in &scan.windows.buckets {
            split.0.push(*unit);
            split.1.push(*first);
            split.2.push(*end);
        }
        split
    };
    let (units, firsts, ends) = (
        sql.argument(units)?,
        sql.argument(firsts)?,
        sql.argument(ends)?,
    );
    let list = |columns: Vec<String>| -> String {
        columns.iter().map(|column| format!("{column}, ")).collect()
    };
    let (values, columns) = (list(columns_of_keys(keys)), list(names_of_keys(keys)));
    let deletion = "CASE WHEN is_deleted THEN timestamptz '-infinity' END";
    let (inner, edges) = (
        inner(sql, scan.windows, time)?,
        edges(sql, scan.windows, time)?,
    );
    sql.push(&format!(
        "(WITH {ranges}, \
         covered AS MATERIALIZED (SELECT coalesce(range_agg(ids), int8multirange()) AS ids FROM ranges), \
         counted AS MATERIALIZED (\
           SELECT c.ids - coalesce((SELECT range_agg(int8range(record_id, record_id + 1)) \
             FROM rollup_corrections WHERE target = {target} AND is_removal AND record_id <@ c.ids), \
             int8multirange()) AS ids FROM covered AS c) \
         SELECT {columns}{time}, {deleted_at}, __rows FROM (\
           SELECT {values}{EPOCH} + bucket::bigint * unit * interval '1 second' AS {time}, \
             {deletion} AS {deleted_at}, rows AS __rows \
           FROM (\
             SELECT c.keys, c.is_deleted, w.unit, w.first, w.last, unnest(c.buckets) AS bucket, \
               unnest(c.counts) AS rows \
             FROM ranges AS r \
             JOIN rollup_cells AS c ON c.range_id = r.id \
             JOIN unnest({units}::integer[], {firsts}::integer[], {ends}::integer[]) AS w(unit, first, last) \
               ON c.depth = {depth} AND c.unit = w.unit AND c.last_bucket >= w.first AND c.first_bucket < w.last) AS cells \
           WHERE bucket >= first AND bucket < last) AS cells WHERE {keys_condition} \
         UNION ALL \
         SELECT {columns}{time}, {deleted_at}, __rows FROM (\
           SELECT {values}created_at AS {time}, {deletion} AS {deleted_at}, amount::integer AS __rows \
           FROM rollup_corrections AS n \
           WHERE target = {target} AND amount <> 0 AND record_id <@ (SELECT ids FROM covered) \
             AND NOT EXISTS (SELECT 1 FROM rollup_corrections AS removal \
               WHERE removal.target = {target} AND removal.record_id = n.record_id \
                 AND removal.is_removal AND removal.id < n.id)) AS corrections \
         WHERE {keys_condition}{inner} \
         UNION ALL \
         SELECT {columns}{time}, {deleted_at}, 1 AS __rows FROM (\
           SELECT coalesce(lower(ids), -9223372036854775808) AS first, \
             coalesce(upper(ids) - 1, 9223372036854775807) AS last \
           FROM unnest(int8multirange(int8range(NULL, NULL)) - (SELECT ids FROM counted)) AS gap(ids) \
           OFFSET 0) AS gap \
         CROSS JOIN LATERAL (\
           SELECT {columns}{time}, {deleted_at} FROM {from} \
           WHERE {id} BETWEEN gap.first AND gap.last AND {condition}) AS uncounted \
         WHERE gap.first = gap.first + 0",
    ));
    if !edges.is_empty() {
        sql.push(&format!(
            " UNION ALL SELECT {columns}{time}, {deleted_at}, 1 AS __rows FROM {from} \
             WHERE {id} <@ (SELECT ids FROM counted) AND ({edges}) AND {condition}"
        ));
    }
    sql.push(&format!(") AS {}", quote_identifier(table.name)));
    Ok(())
}

/// Returns the CTEs of the ranges that can be used, which end in `ranges`.
fn ranges(
    sql: &mut Sql,
    table: &'static Table,
    depth: usize,
    finest: i32,
) -> Result<String, Error> {
    let target = sql.argument(table.name)?;
    let finest = sql.argument(finest)?;
    let place = depth + 1;
    Ok(format!(
        "watched AS MATERIALIZED ({watched}), \
         ranges AS MATERIALIZED (\
           SELECT id, first_id, last_id, ids, rows, finest[{place}] AS finest FROM rollup_ranges \
           WHERE target = {target} AND finest[{place}] <= {finest} AND definition = {definition} \
             AND partitions <@ (SELECT coalesce(array_agg(identity), '{{}}') FROM watched) \
             AND NOT isempty(ids) \
             AND NOT EXISTS (SELECT 1 FROM rollup_corrections WHERE target = {target} AND record_id IS NULL))",
        watched = watched_partitions(table),
        definition = definition(table),
    ))
}

/// Returns ` AND …`: the condition that a time is in the range of the buckets.
fn inner(sql: &mut Sql, windows: &Windows, time_column: &str) -> Result<String, Error> {
    let (from, end) = windows.inner;
    let mut condition = String::new();
    for (time, comparison) in [(from, ">="), (end, "<")] {
        if let Some(time) = time {
            let time = time_of(sql, time)?;
            condition.push_str(&format!(" AND {time_column} {comparison} {time}"));
        }
    }
    Ok(condition)
}

/// Returns the condition that a time is in one of the edges; empty without edges.
fn edges(sql: &mut Sql, windows: &Windows, time_column: &str) -> Result<String, Error> {
    let mut edges = Vec::new();
    for (from, end) in &windows.edges {
        let mut bounds = Vec::new();
        if let Some(from) = from {
            bounds.push(format!("{time_column} >= {}", time_of(sql, *from)?));
        }
        if let Some(end) = end {
            bounds.push(format!("{time_column} < {}", time_of(sql, *end)?));
        }
        edges.push(format!("({})", bounds.join(" AND ")));
    }
    Ok(edges.join(" OR "))
}

fn time_of(sql: &mut Sql, microseconds: i64) -> Result<String, Error> {
    let time = crate::value::StoredTime::of_microseconds(microseconds);
    sql.argument(time)
}
