//! Which segments a search is about.

use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::filter::Comparison;
use crate::model::{Role, Table};
use crate::search::scope::Scope;
use crate::sql::Sql;

/// The ids of the segments that have records of the times of a scope; all, if it
/// says nothing of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(Option<(i64, i64)>);

impl Span {
    pub(super) async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        scope: &Scope<'_>,
    ) -> Result<Self, Error> {
        if scope.times().is_empty() {
            return Ok(Self(None));
        }
        let mut sql = Sql::new(
            "SELECT min(first_id) AS first, max(last_id) AS last FROM sealed_segments \
             WHERE deleted_at IS NULL AND target = ",
        );
        sql.bind(table.name)?;
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
                sql.bind_value(table.role(Role::CreatedAt), (*value).clone())?;
            }
        }
        let row = sql.fetch_optional(conn).await?;
        let (mut first, mut last) = (None, None);
        if let Some(row) = row {
            (first, last) = (row.try_get("first")?, row.try_get("last")?);
        }
        Ok(Self(Some(first.zip(last).unwrap_or((1, 0)))))
    }

    /// ` AND …`: that a range of ids, `first_id` to `last_id`, has some of these.
    pub(super) fn condition(self, sql: &mut Sql) -> Result<String, Error> {
        Ok(match self.0 {
            None => String::new(),
            Some((first, last)) => {
                let (first, last) = (sql.argument(first)?, sql.argument(last)?);
                format!(" AND last_id >= {first} AND first_id <= {last}")
            }
        })
    }
}
