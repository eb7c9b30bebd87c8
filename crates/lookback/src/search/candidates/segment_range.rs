//! Which segments a search is about.

use sqlx::{PgConnection, Row as _};

use super::row_set::hot;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::Comparison;
use crate::model::{ColumnRole, Table};
use crate::search::scope::Scope;

/// The ids of the segments that have records of the times of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(Option<Within>);

/// Some of what was sealed when the span was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Within {
    ids: (i64, i64),
    until: Option<i64>,
}

impl Span {
    /// All, if the scope says nothing of times.
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
        Ok(Self(Some(Within { ids, until })))
    }

    /// ` AND …`: that a range of ids, `first_id` to `last_id`, has some of these.
    pub(super) fn condition(self, sql: &mut Sql) -> Result<String, Error> {
        Ok(match self.0 {
            None => String::new(),
            Some(Within { ids, .. }) => {
                let (first, last) = (sql.argument(ids.0)?, sql.argument(ids.1)?);
                format!(" AND last_id >= {first} AND first_id <= {last}")
            }
        })
    }

    /// What is not sealed, of a table that is sealed from the one id to the other.
    /// What was sealed after the span was asked for is of no segment in it.
    pub(super) fn hot(self, first: i64, until: i64) -> [(i64, i64); 2] {
        match self.0 {
            None => hot(first, until),
            Some(within) => {
                let nothing = first.saturating_sub(1);
                let known = within.until.map_or(nothing, |known| known.min(until));
                hot(first, known)
            }
        }
    }
}
