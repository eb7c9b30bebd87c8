//! How the tables are.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::partitions::{self, Partition};
use super::plan::summaries;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::sealed_until;

/// How a table is: its partitions, how much there is, and how far sealing is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The table.
    pub table: &'static str,
    /// Its partitions in the order of their ids, the default partition last;
    /// none for a table that is not partitioned.
    pub partitions: Vec<(Partition, State)>,
    /// Its records, softly deleted ones too; sealed ones as they were counted
    /// when they were sealed, or when some went for their age, with those that were
    /// deleted for good since.
    pub rows: u64,
    /// Whether [`rows`](Self::rows) were all counted now: none of them is sealed.
    pub rows_are_exact: bool,
    /// Bytes of its records.
    pub table_bytes: u64,
    /// Bytes of its indexes.
    pub index_bytes: u64,
    /// Bytes of what search keeps about its sealed records.
    pub search_bytes: u64,
    /// Records that are not sealed, which a search reads one by one; 0 for a
    /// model that is not `sealed`.
    pub unsealed_rows: u64,
    /// When the oldest record was made.
    pub oldest: Option<DateTime<Utc>>,
    /// When the newest was.
    pub newest: Option<DateTime<Utc>>,
}

/// What a partition is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Takes what belongs to no other.
    Default,
    /// Made ahead of need.
    Ahead,
    /// Takes inserts, or is not sealed yet.
    Hot,
    /// All its ids are sealed.
    Sealed,
    /// And the planner knows its times.
    Finished,
}

impl State {
    fn of(partition: &Partition, sealed: Option<i64>, head: i64) -> Self {
        if partition.is_default {
            Self::Default
        } else if partition.is_finished {
            Self::Finished
        } else if partition.is_sealed(sealed) {
            Self::Sealed
        } else if partition.first() > head {
            Self::Ahead
        } else {
            Self::Hot
        }
    }

    /// The state in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Ahead => "ahead",
            Self::Hot => "hot",
            Self::Sealed => "sealed",
            Self::Finished => "finished",
        }
    }
}

impl Status {
    /// What it has on disk, with its indexes and what search keeps about it.
    pub fn bytes(&self) -> u64 {
        self.table_bytes + self.index_bytes + self.search_bytes
    }

    /// How many partitions are in this state.
    pub fn count(&self, state: State) -> usize {
        self.partitions
            .iter()
            .filter(|(_, is)| *is == state)
            .count()
    }
}

/// Looks at a table. What is not sealed is read for it.
///
/// # Errors
///
/// As [`partitions`](super::partitions) for a table that is partitioned
/// otherwise; those of the database.
pub async fn status(conn: &mut PgConnection, table: &'static Table) -> Result<Status, Error> {
    let sealed = sealed_until(conn, table).await?;
    let head = partitions::head(conn, table).await?;
    let partitions = partitions::partitioned(conn, table, true).await?;
    let mut status = Status {
        table: table.name,
        partitions: partitions
            .into_iter()
            .flatten()
            .map(|partition| {
                let state = State::of(&partition, sealed, head);
                (partition, state)
            })
            .collect(),
        rows: 0,
        rows_are_exact: true,
        table_bytes: 0,
        index_bytes: 0,
        search_bytes: summaries(conn, table, None).await?,
        unsealed_rows: 0,
        oldest: None,
        newest: None,
    };
    let mut sql = Sql::new(
        "SELECT coalesce(sum(pg_table_size(relid)), 0)::bigint AS table_bytes, \
         coalesce(sum(pg_indexes_size(relid)), 0)::bigint AS index_bytes \
         FROM (SELECT to_regclass(",
    );
    let name = sql.argument(table.quoted())?;
    // Of a table without partitions, the tree has nothing.
    sql.push(&format!(
        "{name}) AS relid UNION SELECT relid FROM pg_partition_tree(to_regclass({name}))) AS parts"
    ));
    if let Some(row) = sql.fetch_optional(conn).await? {
        status.table_bytes = row.try_get::<i64, _>("table_bytes")?.unsigned_abs();
        status.index_bytes = row.try_get::<i64, _>("index_bytes")?.unsigned_abs();
    }
    let mut sql = Sql::new(
        "SELECT coalesce(sum(rows), 0)::bigint AS rows, min(oldest) AS oldest, \
         max(newest) AS newest FROM sealed_segments WHERE deleted_at IS NULL AND target = ",
    );
    sql.bind(table.name)?;
    status.add(conn, sql).await?;
    let in_segments = status.rows;
    status.rows_are_exact = in_segments == 0;
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT count(*) AS rows, min({created_at}) AS oldest, max({created_at}) AS newest FROM {}",
        table.quoted()
    ));
    if let Some(sealed) = sealed {
        sql.push(&format!(
            " WHERE {} > ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(sealed)?;
    }
    status.add(conn, sql).await?;
    if table.sealed {
        status.unsealed_rows = status.rows - in_segments;
    }
    Ok(status)
}

impl Status {
    /// Adds the records that a statement is about.
    async fn add(&mut self, conn: &mut PgConnection, sql: Sql) -> Result<(), Error> {
        let Some(row) = sql.fetch_optional(conn).await? else {
            return Ok(());
        };
        self.rows += row.try_get::<i64, _>("rows")?.unsigned_abs();
        let (oldest, newest): (Option<DateTime<Utc>>, Option<DateTime<Utc>>) =
            (row.try_get("oldest")?, row.try_get("newest")?);
        self.oldest = self.oldest.into_iter().chain(oldest).min();
        self.newest = self.newest.into_iter().chain(newest).max();
        Ok(())
    }
}
