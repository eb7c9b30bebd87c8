//! Row sets: the rows that a search reads instead of the whole table.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::segment_range::SegmentRange;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::corruption;

/// The column that says whether a row of a row set is there by its id, and in no range.
pub(crate) const IS_LISTED: &str = "__is_listed";

/// The rows that a search reads instead of the whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowSet {
    /// Ranges of first and last id, neither overlapping nor adjacent.
    ranges: Vec<(i64, i64)>,
    ids: Vec<i64>,
    /// The ids that were given and lie in the ranges.
    in_ranges: Vec<i64>,
    /// Whether the table is distributed.
    is_distributed: bool,
}

impl RowSet {
    /// Creates a row set from ranges and ids, without duplicates.
    pub(crate) fn new(ranges: Vec<(i64, i64)>, mut ids: Vec<i64>) -> Self {
        let ranges = joined(ranges);
        ids.sort_unstable();
        ids.dedup();
        let (in_ranges, ids) = ids.into_iter().partition(|id| {
            let after = ranges.partition_point(|(first, _)| first <= id);
            after > 0 && *id <= ranges[after - 1].1
        });
        Self {
            ranges,
            ids,
            in_ranges,
            is_distributed: false,
        }
    }

    /// Says whether the table is distributed.
    pub(crate) fn of_distributed(mut self, is_distributed: bool) -> Self {
        self.is_distributed = is_distributed;
        self
    }

    /// Returns the rows of both.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let ranges = self.ranges.iter().chain(&other.ranges).copied();
        let ids = self.given().chain(other.given());
        Self::new(ranges.collect(), ids.collect()).of_distributed(self.is_distributed)
    }

    fn given(&self) -> impl Iterator<Item = i64> + '_ {
        self.ids.iter().chain(&self.in_ranges).copied()
    }

    /// Returns the number of ids that were given.
    pub(crate) fn listed(&self) -> usize {
        self.ids.len() + self.in_ranges.len()
    }

    /// Returns the SQL condition that a row of [`from`](Self::from), with its id as
    /// `__id`, is one of the given ids.
    pub(crate) fn is_listed(&self, sql: &mut Sql) -> Result<String, Error> {
        if self.in_ranges.is_empty() {
            return Ok(IS_LISTED.to_owned());
        }
        let ids = sql.argument(&self.in_ranges)?;
        Ok(format!("({IS_LISTED} OR __id = ANY({ids}::bigint[]))"))
    }

    /// Returns the SQL condition that an id is none of its rows.
    pub(crate) fn excludes(&self, id: &str, sql: &mut Sql) -> Result<String, Error> {
        let first: Vec<i64> = self.ranges.iter().map(|(first, _)| *first).collect();
        let last: Vec<i64> = self.ranges.iter().map(|(_, last)| *last).collect();
        let (first, last) = (sql.argument(first)?, sql.argument(last)?);
        let ids = sql.argument(&self.ids)?;
        // `NOT IN`: by a hash table, whether or not the planner knows the ids.
        Ok(format!(
            "{id} NOT IN (SELECT unnest({ids}::bigint[])) \
             AND NOT EXISTS (SELECT 1 FROM unnest({first}::bigint[], {last}::bigint[]) AS __r(__first, __last) \
               WHERE {id} BETWEEN __first AND __last)"
        ))
    }

    /// Returns about the most rows that it has, in a table up to an id. What is before the
    /// first segment counts nothing: it is mostly pruned.
    pub(crate) fn most_rows(&self, until: i64) -> u64 {
        let of_range = |(first, last): &(i64, i64)| match *first {
            i64::MIN => 0,
            first => (last.min(&until).saturating_add(1))
                .saturating_sub(first)
                .max(0)
                .unsigned_abs(),
        };
        let ranges: u64 = self
            .ranges
            .iter()
            .map(of_range)
            .fold(0, u64::saturating_add);
        ranges.saturating_add(self.ids.len() as u64)
    }

    /// Returns the item of the `FROM` list, under the alias of the table.
    ///
    /// Its column [`IS_LISTED`] says whether a row is there by its id.
    pub(crate) fn from(&self, table: &'static Table, sql: &mut Sql) -> Result<String, Error> {
        let (id, from) = (table.column_of(ColumnRole::Id).quoted(), table.quoted());
        if self.is_distributed {
            return self.in_shards(table, sql);
        }
        let first: Vec<i64> = self.ranges.iter().map(|(first, _)| *first).collect();
        let last: Vec<i64> = self.ranges.iter().map(|(_, last)| *last).collect();
        let (first, last) = (sql.argument(first)?, sql.argument(last)?);
        // `OFFSET 0`: range by range through the primary key, however many ranges the planner
        // expects.
        let mut rows = format!(
            "SELECT __r.*, FALSE AS {IS_LISTED} FROM unnest({first}::bigint[], {last}::bigint[]) AS __ranges(__first, __last) \
             CROSS JOIN LATERAL (SELECT * FROM {from} WHERE {id} BETWEEN __first AND __last OFFSET 0) AS __r"
        );
        if !self.ids.is_empty() {
            let ids = sql.argument(&self.ids)?;
            // One by one: the planner would look at each id of a list for each partition, which
            // takes longer than reading them.
            rows.push_str(&format!(
                " UNION ALL SELECT __r.*, TRUE AS {IS_LISTED} FROM unnest({ids}::bigint[]) AS __ids(__id) \
                 CROSS JOIN LATERAL (SELECT * FROM {from} WHERE {id} = __ids.__id OFFSET 0) AS __r"
            ));
        }
        Ok(format!("({rows}) AS {}", table.alias()))
    }

    /// The same as one scan of each shard, because a shard joins with no other list of its rows.
    ///
    /// The ranges are written out: each shard then combines its primary keys for them.
    fn in_shards(&self, table: &'static Table, sql: &mut Sql) -> Result<String, Error> {
        let (id, from) = (table.column_of(ColumnRole::Id).quoted(), table.quoted());
        let ids = sql.argument(&self.ids)?;
        let is_listed = format!("{id} = ANY({ids}::bigint[])");
        let mut rows = vec![is_listed.clone()];
        let bound = |id: i64| format!("'{id}'::bigint");
        rows.extend(
            self.ranges.iter().map(|(first, last)| {
                format!("{id} BETWEEN {} AND {}", bound(*first), bound(*last))
            }),
        );
        Ok(format!(
            "(SELECT *, {is_listed} AS {IS_LISTED} FROM {from} WHERE {rows}) AS {alias}",
            rows = rows.join(" OR "),
            alias = table.alias(),
        ))
    }
}

/// Joins ranges that overlap or are adjacent.
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

/// Returns the unsealed ranges: before the first segment and beyond the last.
pub(super) fn unsealed_ranges(first: i64, until: i64) -> [(i64, i64); 2] {
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

/// The aggregate that returns whether segments end after their start and do not
/// overlap. There may be gaps between them, where partitions were dropped.
pub(super) const SEGMENTS_ARE_DISJOINT: &str = "bool_and(first_id <= last_id) \
    AND sum(last_id::numeric - first_id + 1) <= max(last_id)::numeric - min(first_id) + 1";

/// Rejects segments that are not [`SEGMENTS_ARE_DISJOINT`], by the column
/// `__are_disjoint`: unsealed records could be mistaken for sealed ones.
pub(super) fn check_disjoint(table: &'static Table, row: &PgRow) -> Result<(), Error> {
    match row.try_get("__are_disjoint")? {
        Some(false) => Err(corruption(
            table,
            "segments overlap, or end before they begin (sealed_segments.first_id, last_id)",
        )),
        _ => Ok(()),
    }
}

/// Returns the first CTE of a statement: the sealed ids, and the segments of a
/// range that have no postings.
pub(super) fn sealed_cte(target: &str, range: &str) -> String {
    format!(
        "WITH sealed AS (\
           SELECT min(first_id) AS __first, max(last_id) AS __until, \
             {SEGMENTS_ARE_DISJOINT} AS __are_disjoint, \
             array_agg(first_id) FILTER (WHERE NOT has_postings{range}) AS __first_ids, \
             array_agg(last_id) FILTER (WHERE NOT has_postings{range}) AS __last_ids \
           FROM sealed_segments WHERE NOT is_tombstone AND target = {target})"
    )
}

/// The rows of a statement that begins with [`sealed_cte`], at least one, and the
/// ranges of records that are compared row by row; `None` if nothing is sealed.
pub(super) async fn fetch_with_ranges(
    sql: Sql,
    conn: &mut PgConnection,
    table: &'static Table,
    range: SegmentRange,
) -> Result<Option<(Vec<PgRow>, Vec<(i64, i64)>)>, Error> {
    let rows = sql.fetch_all(conn).await?;
    let ranges = match rows.first() {
        Some(row) => row_by_row_ranges(table, row, range)?,
        None => None,
    };
    Ok(ranges.map(|ranges| (rows, ranges)))
}

fn row_by_row_ranges(
    table: &'static Table,
    row: &PgRow,
    range: SegmentRange,
) -> Result<Option<Vec<(i64, i64)>>, Error> {
    check_disjoint(table, row)?;
    let (Some(first), Some(until)) = (row.try_get("__first")?, row.try_get("__until")?) else {
        return Ok(None);
    };
    let mut ranges = range.unsealed_ranges(first, until).to_vec();
    let first_ids: Option<Vec<i64>> = row.try_get("__first_ids")?;
    let last_ids: Option<Vec<i64>> = row.try_get("__last_ids")?;
    let unknown = first_ids.into_iter().flatten();
    ranges.extend(unknown.zip(last_ids.into_iter().flatten()));
    Ok(Some(ranges))
}

#[cfg(test)]
mod tests {
    use super::{IS_LISTED, RowSet};
    use crate::db::Sql;

    #[test]
    fn given_ids_count_wherever_they_lie() {
        let rows = RowSet::new(vec![(1, 9), (10, 12)], vec![20, 5, 20]);
        let more = RowSet::new(vec![(18, 25)], vec![30]);
        let both = rows.union(&more);
        assert_eq!([rows.listed(), more.listed(), both.listed()], [2, 1, 3]);
        // What is in a range is read with it, and known by its id.
        let mut sql = Sql::default();
        let is_listed = both.is_listed(&mut sql).unwrap();
        assert_eq!(
            is_listed,
            format!("({IS_LISTED} OR __id = ANY($1::bigint[]))")
        );
        assert_eq!(more.is_listed(&mut sql).unwrap(), IS_LISTED);
    }

    #[test]
    fn most_rows_are_those_up_to_an_id() {
        let rows = RowSet::new(vec![(i64::MIN, -1), (5, 9), (100, i64::MAX)], vec![50]);
        assert_eq!(rows.most_rows(149), 5 + 50 + 1);
        assert_eq!(rows.most_rows(7), 3 + 1);
        // The number after the last id is none: that id is not counted.
        let all = i64::MAX.unsigned_abs() - 100 + 5 + 1;
        assert_eq!(rows.most_rows(i64::MAX), all);
    }
}
