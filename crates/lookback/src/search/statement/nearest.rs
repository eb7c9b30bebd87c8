//! The nearest rows of a statement, the newest few of each group first.

use super::{
    DISTANCE_STEPS, INDEX_STEP, INDEX_STEPS, MAX_DISTANCE_STEP, MAX_GROUPS, VECTOR_LIMIT,
    VECTOR_PER_GROUP, VectorScan,
};

/// Returns a query for the progress of a vector scan.
///
/// It gives the rows and the least cosine read from an index, and whether all
/// near rows were found.
pub(super) fn scanned(vector_scan: VectorScan) -> String {
    match vector_scan {
        VectorScan::Index => {
            "SELECT count(*) AS index_rows, 1 - max(distance) AS min_cosine, FALSE AS complete FROM vector_rows"
                .to_owned()
        }
        VectorScan::Sequential => format!(
            "SELECT 0::bigint AS index_rows, NULL::float8 AS min_cosine, \
               coalesce((SELECT sum(row_count) FROM vector_groups WHERE distance_step <= {MAX_DISTANCE_STEP}), 0) <= {VECTOR_LIMIT} AS complete"
        ),
    }
}

/// Builds the common table expressions for the nearest rows.
pub(super) struct NearestRows<'a> {
    pub(super) id: &'a str,
    pub(super) distance: &'a str,
    /// Further columns of a scan, each with a comma before it.
    pub(super) columns: &'a str,
    /// ` … FROM table WHERE …`, after the `FROM`.
    pub(super) rows: &'a str,
}

impl NearestRows<'_> {
    /// Two scans: one counts the rows of each group, the other reads the
    /// nearest groups, or all near rows if they are few.
    pub(super) fn by_scan(&self) -> String {
        let Self {
            id,
            distance,
            columns,
            rows,
        } = self;
        format!(
            ", vector_groups AS MATERIALIZED (\
               SELECT (nullif({distance}, 'NaN') * {DISTANCE_STEPS})::int AS distance_step, count(*) AS row_count FROM {rows} GROUP BY 1), \
             vector_rows AS (SELECT {id} AS __id, {distance} AS distance{columns} FROM {rows} AND ({distance}) * {DISTANCE_STEPS} <= (\
               SELECT max(distance_step) + 0.5 FROM (\
                 SELECT distance_step FROM vector_groups WHERE distance_step <= {MAX_DISTANCE_STEP} ORDER BY distance_step LIMIT (\
                   SELECT CASE WHEN sum(row_count) > {VECTOR_LIMIT} THEN {MAX_GROUPS} END FROM vector_groups WHERE distance_step <= {MAX_DISTANCE_STEP})) AS k)), {nearest}",
            nearest = Self::nearest(
                &format!("SELECT __id, distance{columns} FROM vector_rows"),
                columns
            ),
        )
    }

    /// Reads an index in its order, and again beyond the last row while the
    /// rows are of few groups.
    pub(super) fn by_index(&self) -> String {
        let Self {
            id, distance, rows, ..
        } = self;
        let mut sql = String::new();
        let mut so_far = String::new();
        for step in 1..=INDEX_STEPS {
            let beyond = if so_far.is_empty() {
                String::new()
            } else {
                format!(
                    " AND {distance} > (SELECT max(distance) + 0.5 / {DISTANCE_STEPS} FROM ({so_far}) AS s) \
                     AND (SELECT count(*) = {full} AND count(DISTINCT (distance * {DISTANCE_STEPS})::int) < {MAX_GROUPS} \
                          AND max(distance) * {DISTANCE_STEPS} <= {MAX_DISTANCE_STEP} FROM ({so_far}) AS s)",
                    full = INDEX_STEP * i64::try_from(step - 1).unwrap_or(i64::MAX),
                )
            };
            sql.push_str(&format!(
                ", step{step} AS MATERIALIZED (SELECT {id} AS __id, nullif({distance}, 'NaN') AS distance \
                   FROM {rows}{beyond} ORDER BY {distance}, {id} DESC LIMIT {INDEX_STEP})"
            ));
            if !so_far.is_empty() {
                so_far.push_str(" UNION ALL ");
            }
            so_far.push_str(&format!("SELECT __id, distance FROM step{step}"));
        }
        format!(
            "{sql}, vector_rows AS ({so_far}), {}",
            Self::nearest(&so_far, "")
        )
    }

    fn nearest(rows: &str, columns: &str) -> String {
        format!(
            "nearest AS (SELECT __id, distance{columns} FROM (\
               SELECT __id, distance{columns}, row_number() OVER (\
                 PARTITION BY (distance * {DISTANCE_STEPS})::int ORDER BY __id DESC) AS nth FROM ({rows}) AS r) AS n \
             ORDER BY (nth - 1) / {VECTOR_PER_GROUP}, distance, __id DESC LIMIT {VECTOR_LIMIT})"
        )
    }
}
