//! Where records are read, instead of in all of a table.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::segment_range::Span;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::damaged;

/// Records that are read, instead of all of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// From the one id to the other; neither overlapping nor adjacent.
    ranges: Vec<(i64, i64)>,
    ids: Vec<i64>,
}

impl Places {
    /// Ranges, and ids wherever they are: each record is read once.
    pub(super) fn new(ranges: Vec<(i64, i64)>, mut ids: Vec<i64>) -> Self {
        let ranges = joined(ranges);
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| {
            let after = ranges.partition_point(|(first, _)| first <= id);
            after == 0 || ranges[after - 1].1 < *id
        });
        Self { ranges, ids }
    }

    /// What stands after `FROM`, under the name of the table.
    pub(crate) fn from(&self, table: &'static Table, sql: &mut Sql) -> Result<String, Error> {
        let (id, from) = (table.column_of(ColumnRole::Id).quoted(), table.quoted());
        let first: Vec<i64> = self.ranges.iter().map(|(first, _)| *first).collect();
        let last: Vec<i64> = self.ranges.iter().map(|(_, last)| *last).collect();
        let (first, last) = (sql.argument(first)?, sql.argument(last)?);
        // `OFFSET 0`: range by range through the primary key, whatever the planner thinks of the
        // number of ranges.
        let mut places = format!(
            "SELECT __r.* FROM unnest({first}::bigint[], {last}::bigint[]) AS __ranges(__first, __last) \
             CROSS JOIN LATERAL (SELECT * FROM {from} WHERE {id} BETWEEN __first AND __last OFFSET 0) AS __r"
        );
        if !self.ids.is_empty() {
            let ids = sql.argument(&self.ids)?;
            places.push_str(&format!(
                " UNION ALL SELECT * FROM {from} WHERE {id} = ANY({ids}::bigint[])"
            ));
        }
        Ok(format!("({places}) AS {}", table.alias()))
    }
}

/// Joins ranges that overlap or follow each other.
fn joined(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// What is not sealed: beyond the last segment, and before the first one.
pub(super) fn hot(first: i64, until: i64) -> [(i64, i64); 2] {
    let before = match first {
        i64::MIN => (0, -1),
        first => (i64::MIN, first - 1),
    };
    let beyond = match until {
        i64::MAX => (0, -1),
        until => (until + 1, i64::MAX),
    };
    [before, beyond]
}

/// Of some segments: whether each ends behind its beginning, and no two overlap.
/// There may be gaps between them, where partitions were dropped.
pub(super) const ORDERLY: &str = "bool_and(first_id <= last_id) \
    AND sum(last_id::numeric - first_id + 1) <= max(last_id)::numeric - min(first_id) + 1";

/// Refuses segments that are not [`ORDERLY`], as `__orderly` says: records could
/// be taken for sealed that are not.
pub(super) fn check_orderly(table: &'static Table, row: &PgRow) -> Result<(), Error> {
    match row.try_get("__orderly")? {
        Some(false) => Err(damaged(
            table,
            "segments overlap, or end before they begin (sealed_segments.first_id, last_id)",
        )),
        _ => Ok(()),
    }
}

/// The common beginning of statements: what is sealed, and what of a span is
/// compared one by one.
pub(super) fn sealed(target: &str, span: &str) -> String {
    format!(
        "WITH sealed AS (\
           SELECT min(first_id) AS __first, max(last_id) AS __until, \
             {ORDERLY} AS __orderly, \
             array_agg(first_id) FILTER (WHERE NOT has_kinds{span}) AS __first_ids, \
             array_agg(last_id) FILTER (WHERE NOT has_kinds{span}) AS __last_ids \
           FROM sealed_segments WHERE deleted_at IS NULL AND target = {target})"
    )
}

/// The ranges of records that are compared one by one; `None` where nothing is
/// sealed.
pub(super) fn unsealed(
    table: &'static Table,
    row: &PgRow,
    span: Span,
) -> Result<Option<Vec<(i64, i64)>>, Error> {
    check_orderly(table, row)?;
    let (Some(first), Some(until)) = (row.try_get("__first")?, row.try_get("__until")?) else {
        return Ok(None);
    };
    let mut ranges = span.hot(first, until).to_vec();
    let first_ids: Option<Vec<i64>> = row.try_get("__first_ids")?;
    let last_ids: Option<Vec<i64>> = row.try_get("__last_ids")?;
    let unknown = first_ids.into_iter().flatten();
    ranges.extend(unknown.zip(last_ids.into_iter().flatten()));
    Ok(Some(ranges))
}
