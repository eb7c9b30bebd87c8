//! The state of a table and its partitions.

use chrono::{DateTime, Utc};
use lookback_json::json;
use sqlx::{PgConnection, Row as _};

use super::distribution::{self, Shards};
use super::partitions::{self, Partition};
use crate::db::{Sql, is_distributed};
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::{self, sealed_until};
use crate::value::{Json, StoredTime, time};

/// The partitions, size and sealing progress of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageStatus {
    /// The table.
    pub table: &'static str,
    /// Its partitions in the order of their ids, the default partition last; none for a
    /// table that is not partitioned.
    pub partitions: Vec<(Partition, PartitionState)>,
    /// The number of its rows, soft-deleted ones included.
    ///
    /// Sealed rows are those counted when they were sealed, or when some of them were
    /// pruned by age; they include rows that were hard-deleted since.
    pub rows: u64,
    /// Whether all [`rows`](Self::rows) were counted just now: none is sealed.
    pub rows_are_exact: bool,
    /// The size of its rows on disk, in bytes.
    pub table_bytes: u64,
    /// The size of its indexes, in bytes.
    pub index_bytes: u64,
    /// The size of the search summaries of its sealed records, in bytes.
    pub search_bytes: u64,
    /// The number of rows that are not sealed, which a search reads one by one; 0 for a
    /// model that is not `sealed`.
    pub unsealed_rows: u64,
    /// The newest id that was given to a row.
    pub newest_id: i64,
    /// The last id that is sealed.
    pub sealed_until: Option<i64>,
    /// The time of the oldest record.
    pub oldest: Option<DateTime<Utc>>,
    /// The time of the newest record.
    pub newest: Option<DateTime<Utc>>,
    /// Its shards on several servers; `None` if it is not distributed.
    pub shards: Option<Shards>,
}

/// The stage of a partition in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartitionState {
    /// Receives rows that belong to no other partition.
    Default,
    /// No id has reached it yet.
    Precreated,
    /// Receives inserts, or is not sealed yet.
    Hot,
    /// All its ids are sealed.
    Sealed,
    /// Sealed and frozen, and the planner knows its range of times.
    Frozen,
}

impl PartitionState {
    fn new(partition: &Partition, sealed: Option<i64>, newest_id: i64) -> Self {
        if partition.is_default {
            Self::Default
        } else if partition.is_frozen {
            Self::Frozen
        } else if partition.is_sealed(sealed) {
            Self::Sealed
        } else if partition.first() > newest_id {
            Self::Precreated
        } else {
            Self::Hot
        }
    }

    /// Returns the state as a word, such as `hot`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Precreated => "precreated",
            Self::Hot => "hot",
            Self::Sealed => "sealed",
            Self::Frozen => "frozen",
        }
    }
}

impl StorageStatus {
    /// Returns its size on disk in bytes, with indexes and search summaries.
    pub fn bytes(&self) -> u64 {
        self.table_bytes + self.index_bytes + self.search_bytes
    }

    /// Counts the partitions in this state.
    pub fn count(&self, state: PartitionState) -> usize {
        self.partitions
            .iter()
            .filter(|(_, other)| *other == state)
            .count()
    }

    /// Returns the status as JSON, with times as RFC 3339.
    pub fn to_json(&self) -> Json {
        let partitions = self.partitions.iter().map(|(partition, state)| {
            json!({
                "name": partition.name.as_str(),
                "state": state.name(),
                "from": partition.from,
                "to": partition.to,
                "bytes": partition.bytes,
                "estimated_rows": partition.estimated_rows,
            })
        });
        json!({
            "table": self.table,
            "rows": self.rows,
            "rows_are_exact": self.rows_are_exact,
            "bytes": {
                "table": self.table_bytes,
                "indexes": self.index_bytes,
                "search": self.search_bytes,
                "all": self.bytes(),
            },
            "unsealed_rows": self.unsealed_rows,
            "newest_id": self.newest_id,
            "sealed_until": self.sealed_until,
            "oldest": self.oldest.as_ref().map(time::text),
            "newest": self.newest.as_ref().map(time::text),
            "shards": self.shards.as_ref().map(Shards::to_json),
            "partitions": partitions.collect::<Json>(),
        })
    }
}

/// Returns the status of a table; reads its rows that are not sealed.
///
/// # Errors
///
/// [`Error::is_invalid`] for a table that is partitioned by something else than its id;
/// those of the database.
pub async fn status(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<StorageStatus, Error> {
    let sealed = sealed_until(conn, table).await?;
    let newest_id = partitions::newest_id(conn, table).await?;
    let partitions = partitions::list_partitions(conn, table, true).await?;
    let mut status = StorageStatus {
        table: table.name,
        partitions: partitions
            .into_iter()
            .flatten()
            .map(|partition| {
                let state = PartitionState::new(&partition, sealed, newest_id);
                (partition, state)
            })
            .collect(),
        rows: 0,
        rows_are_exact: true,
        table_bytes: 0,
        index_bytes: 0,
        search_bytes: index::summary_bytes(conn, table, None).await?,
        unsealed_rows: 0,
        newest_id,
        sealed_until: sealed,
        oldest: None,
        newest: None,
        shards: distribution::shards(conn, table).await?,
    };
    // Of what Citus distributes, the tables here are empty.
    let (of_table, of_indexes) = if is_distributed(conn, table).await? {
        (
            "citus_table_size(relid)",
            "citus_total_relation_size(relid) - citus_table_size(relid)",
        )
    } else {
        ("pg_table_size(relid)", "pg_indexes_size(relid)")
    };
    let mut sql = Sql::new(&format!(
        "SELECT coalesce(sum({of_table}), 0)::bigint AS table_bytes, \
         coalesce(sum({of_indexes}), 0)::bigint AS index_bytes \
         FROM (SELECT to_regclass(",
    ));
    let name = sql.argument(table.quoted())?;
    // The partition tree of a table without partitions is empty.
    sql.push(&format!(
        "{name}) AS relid UNION SELECT relid FROM pg_partition_tree(to_regclass({name}))) AS parts"
    ));
    if let Some(row) = sql.fetch_optional(conn).await? {
        status.table_bytes = row.try_get::<i64, _>("table_bytes")?.unsigned_abs();
        status.index_bytes = row.try_get::<i64, _>("index_bytes")?.unsigned_abs();
    }
    let totals = index::segment_totals(conn, table).await?;
    (status.oldest, status.newest) = (totals.oldest, totals.newest);
    status.rows = totals.rows;
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

impl StorageStatus {
    /// Adds the rows that a statement counts.
    async fn add(&mut self, conn: &mut PgConnection, sql: Sql) -> Result<(), Error> {
        let Some(row) = sql.fetch_optional(conn).await? else {
            return Ok(());
        };
        self.rows += row.try_get::<i64, _>("rows")?.unsigned_abs();
        let time = |name: &str| -> Result<Option<DateTime<Utc>>, Error> {
            let time: Option<StoredTime> = row.try_get(name)?;
            Ok(time.map(StoredTime::time))
        };
        self.oldest = self.oldest.into_iter().chain(time("oldest")?).min();
        self.newest = self.newest.into_iter().chain(time("newest")?).max();
        Ok(())
    }
}
