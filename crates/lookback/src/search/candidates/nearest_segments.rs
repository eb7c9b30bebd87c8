//! The segments nearest to a time: hints of where a page in the order of times ends.

use sqlx::PgConnection;

use super::segment_range::push_times;
use crate::db::{Sql, one};
use crate::error::Error;
use crate::model::Table;
use crate::search::scope::Time;
use crate::value::StoredTime;

/// The segments with records of some times, in the order of time.
///
/// Their times are those of the last count, so they are no more than hints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NearestSegments<'a> {
    pub(crate) table: &'static Table,
    /// Whether the segments with the newest records come first.
    pub(crate) descending: bool,
    /// All of them hold for the records.
    pub(crate) times: &'a [Time<'a>],
    /// The time from which on records count, in this order.
    pub(crate) start: Option<StoredTime>,
}

/// The SQL for whether the role may read segments: a list needs no right on them.
pub(crate) const CAN_READ_SEGMENTS: &str =
    "coalesce(has_table_privilege(to_regclass('sealed_segments'), 'SELECT'), FALSE)";

impl NearestSegments<'_> {
    /// Returns the number of records in the segments that may have records up to a time, in
    /// this order.
    pub(crate) async fn records_within(
        &self,
        conn: &mut PgConnection,
        time: StoredTime,
    ) -> Result<i64, Error> {
        let mut sql = Sql::new("SELECT coalesce(sum(rows), 0)::bigint FROM sealed_segments");
        self.push_where(&mut sql)?;
        sql.push(if self.descending {
            " AND newest >= "
        } else {
            " AND oldest <= "
        });
        sql.bind(time)?;
        one(conn, sql).await
    }

    /// Returns the time beyond which the first segments with this many records together have
    /// none; `None` if they have more than one part in `max_share` of all records.
    pub(crate) async fn time_of(
        &self,
        conn: &mut PgConnection,
        records: i64,
        max_share: i64,
    ) -> Result<Option<StoredTime>, Error> {
        let order = if self.descending {
            "newest DESC"
        } else {
            "oldest"
        };
        let end = if self.descending { "newest" } else { "oldest" };
        let mut sql = Sql::default();
        let condition = sql.fragment(|sql| self.push_where(sql))?;
        let (records, max_share) = (sql.argument(records)?, sql.argument(max_share)?);
        sql.push(&format!(
            "SELECT (SELECT next FROM (\
               SELECT lead({end}) OVER (ORDER BY {order}, id) AS next, sum(rows) OVER () AS every, \
                 sum(rows) OVER (ORDER BY {order}, id ROWS UNBOUNDED PRECEDING) AS records \
               FROM sealed_segments{condition}) AS s \
             WHERE records >= {records} AND records * {max_share} <= every AND next IS NOT NULL \
             ORDER BY records LIMIT 1) AS time"
        ));
        one(conn, sql).await
    }

    fn push_where(&self, sql: &mut Sql) -> Result<(), Error> {
        sql.push(" WHERE NOT is_tombstone AND oldest IS NOT NULL AND target = ");
        sql.bind(self.table.name)?;
        push_times(self.table, self.times, sql)?;
        if let Some(start) = self.start {
            sql.push(if self.descending {
                " AND oldest <= "
            } else {
                " AND newest >= "
            });
            sql.bind(start)?;
        }
        Ok(())
    }
}
