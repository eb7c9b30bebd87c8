//! The nearest rows of a statement, the newest few of each kind first.

use super::{FAR, KINDS, NEAR, NEAR_OF_A_KIND, PARTS, STEP, STEPS};

/// The nearest of some rows.
pub(super) struct Near<'a> {
    pub(super) id: &'a str,
    pub(super) distance: &'a str,
    /// ` … FROM table WHERE …`, after the `FROM`.
    pub(super) rows: &'a str,
}

impl Near<'_> {
    /// Two scans: one counts what kinds there are, the other reads the nearest
    /// of them; all of them, where they are few rows.
    /// One of them, where the rows are few.
    pub(super) fn by_scan(&self, are_few: bool) -> String {
        let Self { id, distance, rows } = self;
        if are_few {
            let once = Self {
                id: "__id",
                distance: "distance",
                rows: "near_rows WHERE TRUE",
            };
            return format!(
                ", near_rows AS MATERIALIZED (SELECT {id} AS __id, {distance} AS distance FROM {rows}){}",
                once.by_scan(false)
            );
        }
        format!(
            ", near_kinds AS MATERIALIZED (\
               SELECT (nullif({distance}, 'NaN') * {PARTS})::int AS kind, count(*) AS counted FROM {rows} GROUP BY 1), \
             near AS (SELECT {id} AS __id, {distance} AS distance FROM {rows} AND ({distance}) * {PARTS} <= (\
               SELECT max(kind) + 0.5 FROM (\
                 SELECT kind FROM near_kinds WHERE kind <= {FAR} ORDER BY kind LIMIT (\
                   SELECT CASE WHEN sum(counted) > {NEAR} THEN {KINDS} END FROM near_kinds WHERE kind <= {FAR})) AS k)), {nearest}",
            nearest = Self::nearest("SELECT __id, distance FROM near"),
        )
    }

    /// From an index in the order of nearness; again beyond it, where lines of
    /// a few kinds are all that came.
    pub(super) fn by_index(&self) -> String {
        let Self { id, distance, rows } = self;
        let mut sql = String::new();
        let mut so_far = String::new();
        for step in 1..=STEPS {
            let beyond = match so_far.is_empty() {
                true => String::new(),
                false => format!(
                    " AND {distance} > (SELECT max(distance) + 0.5 / {PARTS} FROM ({so_far}) AS s) \
                     AND (SELECT count(*) = {full} AND count(DISTINCT (distance * {PARTS})::int) < {KINDS} \
                          AND max(distance) * {PARTS} <= {FAR} FROM ({so_far}) AS s)",
                    full = STEP * i64::try_from(step - 1).unwrap_or(i64::MAX),
                ),
            };
            sql.push_str(&format!(
                ", near{step} AS MATERIALIZED (SELECT {id} AS __id, nullif({distance}, 'NaN') AS distance \
                   FROM {rows}{beyond} ORDER BY {distance}, {id} DESC LIMIT {STEP})"
            ));
            if !so_far.is_empty() {
                so_far.push_str(" UNION ALL ");
            }
            so_far.push_str(&format!("SELECT __id, distance FROM near{step}"));
        }
        format!("{sql}, near AS ({so_far}), {}", Self::nearest(&so_far))
    }

    fn nearest(rows: &str) -> String {
        format!(
            "nearest AS (SELECT __id FROM (\
               SELECT __id, distance, row_number() OVER (\
                 PARTITION BY (distance * {PARTS})::int ORDER BY __id DESC) AS nth FROM ({rows}) AS r) AS n \
             ORDER BY (nth - 1) / {NEAR_OF_A_KIND}, distance, __id DESC LIMIT {NEAR})"
        )
    }
}
