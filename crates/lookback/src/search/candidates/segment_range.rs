//! The range of segments that a search reads.

use sqlx::{PgConnection, Row as _};

use super::row_set::unsealed_ranges;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::Comparison;
use crate::model::{ColumnRole, Table};
use crate::search::scope::Scope;

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
        let mut sql = Sql::default();
        for (comparison, value) in scope.times() {
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
        let times = sql.take_text();
        let target = sql.argument(table.name)?;
        sql.push(&format!(
            "SELECT min(first_id) FILTER (WHERE TRUE{times}) AS first, \
               max(last_id) FILTER (WHERE TRUE{times}) AS last, max(last_id) AS until \
             FROM sealed_segments WHERE deleted_at IS NULL AND target = {target}"
        ));
        let (mut ids, mut until) = (None, None);
        if let Some(row) = sql.fetch_optional(conn).await? {
            let (first, last) = (row.try_get("first")?, row.try_get("last")?);
            ids = Option::zip(first, last);
            until = row.try_get("until")?;
        }
        let ids = ids.unwrap_or((1, 0));
        Ok(Self(Some(SegmentBounds { ids, until })))
    }

    /// Writes ` AND …`: the condition that `first_id` to `last_id` overlaps the
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
}
