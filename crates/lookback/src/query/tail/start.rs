//! The start of a tail: which ids have arrived by now, and which may still arrive.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, Row as _};

use super::statement::Control;
use super::{Position, Tail, Window};
use crate::db::{Sql, one};
use crate::error::{Error, ErrorKind};
use crate::model::{ColumnRole, Model, Table};

/// How often, and how many times, it looks whether the transactions that hold the sequence have
/// ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: u32 = 20;

impl<M: Model> Tail<M> {
    /// Reads the window of the present, and the last records before it.
    pub(super) async fn started_now(
        &self,
        conn: &mut PgConnection,
    ) -> Result<(Window, Vec<M>), Error> {
        let table = M::TABLE;
        let floor = floor(conn, table).await?;
        // One snapshot: a record is either among the last ones, or arrives.
        let mut transaction = conn
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let position = position(&mut transaction, table, floor).await?;
        let last = self.last_records(&mut transaction).await?;
        transaction.commit().await?;
        Ok((Window::new(&position), last))
    }

    /// The last matching records, the oldest first.
    async fn last_records(&self, conn: &mut PgConnection) -> Result<Vec<M>, Error> {
        if self.last == 0 {
            return Ok(Vec::new());
        }
        if let Some(timeout) = self.query.timeout {
            let mut sql = Sql::new("SELECT set_config('statement_timeout', ");
            let milliseconds = timeout.as_millis().clamp(1, i32::MAX.unsigned_abs().into());
            sql.bind(milliseconds.to_string())?;
            sql.push(", true)");
            one::<String>(conn, sql).await?;
        }
        let query = self.query.clone().limit(self.last).without_total();
        let page = query.list_ordered(conn, &query.whole()).await;
        let mut last = page.map_err(|error| match self.query.timeout {
            Some(timeout) if error.is_timeout() => ErrorKind::TooSlow {
                table: M::TABLE.name,
                timeout,
            }
            .into(),
            _ => error,
        })?;
        last.data.reverse();
        Ok(last.data)
    }
}

/// Returns an id up to which nothing can arrive that is not visible by now.
async fn floor(conn: &mut PgConnection, table: &'static Table) -> Result<i64, Error> {
    let control = Control::read(conn, table, false).await?;
    let assigned = match control.assigned {
        Some(assigned) => assigned,
        None => greatest_id(conn, table).await?.unwrap_or(0),
    };
    // Read after the last id: a transaction that took an id up to it holds the sequence, or has
    // ended.
    let before = Control::read(conn, table, true).await?.holders;
    let mut running = before.clone();
    for _ in 0..LOOKS {
        if running.is_empty() {
            return Ok(assigned);
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let now = Control::read(conn, table, true).await?.holders;
        // One that was prepared has another name.
        let is_running = |name: &String| before.contains(name) || name.starts_with("-1/");
        running = now.into_iter().filter(is_running).collect();
    }
    let stored = first_stored(conn, table, &running).await?;
    Ok(stored
        .unwrap_or(control.least)
        .saturating_sub(1)
        .min(assigned))
}

/// Returns the first id of the partitions in which these transactions have stored records.
///
/// `None` if it is unknown: a partition has no lower bound, or a transaction has stored nothing
/// yet. A transaction locks each partition that it stores records in, until it ends.
async fn first_stored(
    conn: &mut PgConnection,
    table: &'static Table,
    running: &[String],
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new(
        "SELECT substring(pg_get_expr(relpartbound, relid) FROM '^FOR VALUES FROM [(]''?([0-9]+)''?[)]') \
         AS first_id FROM unnest(",
    );
    sql.bind(running.to_vec())?;
    sql.push(
        "::text[]) AS running (holder) LEFT JOIN (pg_locks JOIN (SELECT relid FROM pg_partition_tree(",
    );
    sql.bind(table.quoted())?;
    sql.push(
        "::regclass) WHERE isleaf) AS leaf ON locktype = 'relation' AND relation = relid \
         AND mode = 'RowExclusiveLock' JOIN pg_class ON oid = relid) \
         ON virtualtransaction = holder",
    );
    let rows = sql.fetch_all(conn).await?;
    let mut least = None;
    for row in rows {
        let first: Option<String> = row.try_get("first_id")?;
        let Some(first) = first.and_then(|text| text.parse::<i64>().ok()) else {
            return Ok(None);
        };
        least = Some(least.map_or(first, |least: i64| least.min(first)));
    }
    Ok(least)
}

/// The position of the present, if nothing can arrive up to this id.
async fn position(
    conn: &mut PgConnection,
    table: &'static Table,
    floor: i64,
) -> Result<Position, Error> {
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    // Runs of ids without a gap: the difference of an id and its number is the same for all of a
    // run.
    let mut sql = Sql::new(&format!(
        "SELECT min(run.id) AS first_id, max(run.id) AS last_id FROM (SELECT {id} AS id, \
         {id} - row_number() OVER (ORDER BY {id}) AS number FROM {from} WHERE {id} > "
    ));
    sql.bind(floor)?;
    sql.push(") AS run GROUP BY run.number ORDER BY first_id");
    let rows = sql
        .fetch_all(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    let mut open = Vec::new();
    let mut seen = None;
    for row in rows {
        let first: i64 = row.try_get("first_id")?;
        let before = seen.unwrap_or(floor);
        if first - 1 > before {
            open.push((before + 1, first - 1));
        }
        seen = Some(row.try_get("last_id")?);
    }
    let seen = match seen {
        Some(seen) => seen,
        None => greatest_id(conn, table).await?.unwrap_or(floor),
    };
    Ok(Position::new(table.name, seen, open))
}

/// The greatest id of a visible record.
async fn greatest_id(conn: &mut PgConnection, table: &'static Table) -> Result<Option<i64>, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let sql = Sql::new(&format!(
        "SELECT {id} AS __id FROM {} ORDER BY {id} DESC LIMIT 1",
        table.quoted()
    ));
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    Ok(row.map(|row| row.try_get("__id")).transpose()?)
}
