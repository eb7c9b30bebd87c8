//! The range of segments that a search reads.

use sqlx::{PgConnection, Row as _};

use super::row_set::unsealed_ranges;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::Comparison;
use crate::model::{ColumnRole, Table};
use crate::search::scope::{Scope, Time};

/// The ids of the segments with records at the times of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentRange(Option<SegmentBounds>);

/// A part of the segments that were sealed when the range was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SegmentBounds {
    ids: (i64, i64),
    until: Option<i64>,
}

impl SegmentRange {
    /// Reads the range; all segments if the scope has no filter on times.
    pub(super) async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        scope: &Scope<'_>,
    ) -> Result<Self, Error> {
        if scope.times().is_empty() {
            return Ok(Self(None));
        }
        let sql = Self::statement(table, scope.times())?;
        let (mut ids, mut until) = (None, None);
        if let Some(row) = sql.fetch_optional(conn).await? {
            let (first, last) = (row.try_get("first")?, row.try_get("last")?);
            ids = Option::zip(first, last);
            until = row.try_get("until")?;
        }
        let ids = ids.unwrap_or((1, 0));
        Ok(Self(Some(SegmentBounds { ids, until })))
    }

    /// Returns the statement that reads the range of segments with these times.
    fn statement(table: &'static Table, times: &[Time<'_>]) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        let condition = sql.fragment(|sql| push_times(table, times, sql))?;
        let target = sql.argument(table.name)?;
        sql.push(&format!(
            "SELECT min(first_id) FILTER (WHERE TRUE{condition}) AS first, \
               max(last_id) FILTER (WHERE TRUE{condition}) AS last, max(last_id) AS until \
             FROM sealed_segments WHERE NOT is_tombstone AND target = {target}"
        ));
        Ok(sql)
    }

    /// Returns ` AND …`: the condition that `first_id` to `last_id` overlaps the
    /// range.
    pub(super) fn condition(self, sql: &mut Sql) -> Result<String, Error> {
        Ok(match self.0 {
            None => String::new(),
            Some(SegmentBounds { ids, .. }) => {
                let (first, last) = (sql.argument(ids.0)?, sql.argument(ids.1)?);
                format!(" AND last_id >= {first} AND first_id <= {last}")
            }
        })
    }

    /// Returns the unsealed ranges of a table that is sealed between two ids.
    /// Segments sealed after the range was read count as unsealed.
    pub(super) fn unsealed_ranges(self, first: i64, until: i64) -> [(i64, i64); 2] {
        match self.0 {
            None => unsealed_ranges(first, until),
            Some(within) => {
                let nothing = first.saturating_sub(1);
                let known = within.until.map_or(nothing, |known| known.min(until));
                unsealed_ranges(first, known)
            }
        }
    }

    /// Returns the range of all segments.
    pub(super) fn all() -> Self {
        Self(None)
    }

    #[cfg(test)]
    pub(super) fn of_ids(first: i64, last: i64) -> Self {
        Self(Some(SegmentBounds {
            ids: (first, last),
            until: Some(last),
        }))
    }
}

/// Appends ` AND …`: the condition that a segment may have records of these times.
pub(super) fn push_times(
    table: &'static Table,
    times: &[Time<'_>],
    sql: &mut Sql,
) -> Result<(), Error> {
    for (comparison, value) in times {
        let (ends, sign): (&[&str], _) = match comparison {
            Comparison::Eq => (&["oldest <=", "newest >="], ""),
            Comparison::Gt => (&["newest"], " >"),
            Comparison::Gte => (&["newest"], " >="),
            Comparison::Lt => (&["oldest"], " <"),
            Comparison::Lte => (&["oldest"], " <="),
        };
        for end in ends {
            sql.push(&format!(" AND {end}{sign} "));
            sql.bind_value(table.column_of(ColumnRole::CreatedAt), (*value).clone())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::SegmentRange;
    use crate::search::fixtures::{lines, with_scope};
    use crate::{Log, Model as _};

    #[test]
    fn statement_of_a_segment_range_is_unchanged() {
        let sql = with_scope(|scope| SegmentRange::statement(Log::TABLE, scope.times()));
        insta::assert_snapshot!("segment_range", lines(&sql.unwrap()));
    }
}
