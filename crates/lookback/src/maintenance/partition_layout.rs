//! The layout of a table's partitions: where further ones go, their names, and the
//! statements that create them.

use sqlx::{PgConnection, Postgres, Row as _, Transaction};

use super::partitions::{self, Partition, not_partitioned_by_id, qualified};
use super::precreating::PrecreateOptions;
use crate::db::{Sql, one};
use crate::error::Error;
use crate::model::{ColumnRole, Table};

/// The partitions of a table, and its newest id.
pub(super) struct PartitionLayout {
    table: &'static Table,
    partitions: Vec<Partition>,
    pub(super) newest_id: i64,
    pub(super) schema: String,
}

impl PartitionLayout {
    pub(super) async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
    ) -> Result<Self, Error> {
        let partitions = partitions::partitions(conn, table).await?;
        let newest_id = partitions::newest_id(conn, table).await?;
        let schema = schema_of(conn, table).await?;
        Ok(Self {
            table,
            partitions,
            newest_id,
            schema,
        })
    }

    pub(super) fn default(&self) -> Option<&Partition> {
        self.partitions
            .iter()
            .find(|partition| partition.is_default)
    }

    /// The end of the last partition; `None` if there is only the default one.
    pub(super) fn end(&self) -> Option<i64> {
        let mut ranges = self.partitions.iter().filter(|p| !p.is_default);
        ranges.next_back().map(|last| last.to.unwrap_or(i64::MAX))
    }

    /// Returns the end of the partition of this id.
    ///
    /// `None` for the default partition, and for one whose name this module did not
    /// generate.
    pub(super) fn managed_end(&self, id: i64) -> Option<i64> {
        self.partitions
            .iter()
            .filter(|partition| !partition.is_default && partition.first() <= id)
            .filter(|partition| partition.name == self.partition_name(partition.from.unwrap_or(0)))
            .filter_map(|partition| partition.to)
            .find(|to| id < *to)
    }

    /// The ranges for which partitions are to be created, from that of the next id on.
    pub(super) fn missing_ranges(&self, options: &PrecreateOptions) -> Vec<(Option<i64>, i64)> {
        missing_ranges(self.end(), self.newest_id, options)
    }

    /// Whether the default partition has rows beyond the other partitions.
    pub(super) async fn has_rows_to_split(
        &self,
        conn: &mut PgConnection,
        default: &Partition,
    ) -> Result<bool, Error> {
        let id = self.table.column_of(ColumnRole::Id).quoted();
        let mut sql = Sql::new(&format!(
            "SELECT EXISTS (SELECT 1 FROM {} WHERE {id} >= ",
            default.quoted()
        ));
        sql.bind(self.end().unwrap_or(i64::MIN))?;
        sql.push(")");
        one(conn, sql).await
    }

    /// Creates and attaches the missing partitions from `end` on.
    pub(super) async fn create_partitions(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        end: Option<i64>,
        newest_id: i64,
        options: &PrecreateOptions,
    ) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for (from, to) in missing_ranges(end, newest_id, options) {
            let name = self.partition_name(from.unwrap_or(0));
            let quoted = qualified(&self.schema, &name);
            self.create_table(transaction, &quoted).await?;
            let mut sql = Sql::default();
            self.push_attach(&mut sql, &quoted, from, to);
            sql.define(transaction).await?;
            names.push(name);
        }
        Ok(names)
    }

    /// Creates an empty table to attach.
    ///
    /// It is attached rather than created `PARTITION OF`, which would lock the table for
    /// all other sessions.
    pub(super) async fn create_table(
        &self,
        conn: &mut PgConnection,
        quoted: &str,
    ) -> Result<(), Error> {
        let sql = Sql::new(&format!(
            "CREATE TABLE {quoted} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS \
             INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)",
            self.table.quoted()
        ));
        Ok(sql.define(conn).await?)
    }

    /// Appends the statement that attaches a table.
    ///
    /// PostgreSQL accepts no parameters for bounds; these are numbers.
    pub(super) fn push_attach(&self, sql: &mut Sql, quoted: &str, from: Option<i64>, to: i64) {
        let from = from.map_or("MINVALUE".to_owned(), |from| format!("'{from}'"));
        sql.push(&format!(
            "ALTER TABLE {} ATTACH PARTITION {quoted} FOR VALUES FROM ({from}) TO ('{to}');",
            self.table.quoted()
        ));
    }

    pub(super) fn partition_name(&self, first: i64) -> String {
        partition_name(self.table.name, first)
    }
}

/// Ranges of ids to create from `end` on; the very first has no lower bound.
fn missing_ranges(
    end: Option<i64>,
    newest_id: i64,
    options: &PrecreateOptions,
) -> Vec<(Option<i64>, i64)> {
    let current = options.floor(newest_id.max(options.next_id.unwrap_or(0)).max(0));
    let until = current.saturating_add(
        options
            .ids_per_partition
            .saturating_mul(i64::from(options.count) + 1),
    );
    // Unused ids, as after a sequence was advanced, need no partitions.
    let mut from = match end {
        Some(end) => Some(end.max(current)),
        None if current > 0 => Some(current),
        None => None,
    };
    let mut ranges = Vec::new();
    while from.unwrap_or(0) < until {
        let to = options.end(from.unwrap_or(0));
        if from == Some(to) {
            break;
        }
        ranges.push((from, to));
        from = Some(to);
    }
    ranges
}

/// The name of the partition of a table that begins at this id.
///
/// Names sort in the order of ids, and fit PostgreSQL's limit.
fn partition_name(table: &str, first: i64) -> String {
    const MAX_IDENTIFIER: usize = 63;
    const MAX_SUFFIX: usize = "_p".len() + 19;
    let suffix = if first < 0 {
        format!("_n{:016}", first.unsigned_abs())
    } else {
        format!("_p{first:016}")
    };
    // Cut to the same length for all partitions of a table, however long their numbers.
    let mut name = table.to_owned();
    while name.len() + MAX_SUFFIX > MAX_IDENTIFIER {
        name.pop();
    }
    name + &suffix
}

/// Whether this module generated the name of a partition.
#[cfg(feature = "migrate")]
pub(crate) fn is_managed_name(table: &str, partition: &str) -> bool {
    let first = partition
        .rsplit_once("_p")
        .map(|(_, digits)| digits.parse());
    matches!(first, Some(Ok(first)) if partition_name(table, first) == partition)
}

async fn schema_of(conn: &mut PgConnection, table: &'static Table) -> Result<String, Error> {
    let mut sql = Sql::new(
        "SELECT n.nspname::text FROM pg_class AS c JOIN pg_namespace AS n \
         ON n.oid = c.relnamespace WHERE c.oid = to_regclass(",
    );
    sql.bind(table.quoted())?;
    sql.push(")");
    match sql.fetch_optional(conn).await? {
        Some(row) => Ok(row.try_get(0)?),
        None => Err(not_partitioned_by_id(table)),
    }
}

#[cfg(test)]
mod tests {
    use super::{PrecreateOptions, missing_ranges, partition_name};

    fn options(ids_per_partition: i64, count: u32) -> PrecreateOptions {
        PrecreateOptions {
            ids_per_partition,
            count,
            ..PrecreateOptions::default()
        }
    }

    #[test]
    fn missing_ranges_without_partitions_begin_without_lower_bound() {
        assert_eq!(
            missing_ranges(None, 0, &options(100, 2)),
            [(None, 100), (Some(100), 200), (Some(200), 300)]
        );
    }

    #[test]
    fn missing_ranges_after_last_partition_begin_at_multiples() {
        assert_eq!(missing_ranges(Some(300), 99, &options(100, 2)), []);
        assert_eq!(
            missing_ranges(Some(300), 100, &options(100, 2)),
            [(Some(300), 400)]
        );
        // Another size than before.
        assert_eq!(
            missing_ranges(Some(250), 240, &options(100, 1)),
            [(Some(250), 300), (Some(300), 400)]
        );
    }

    #[test]
    fn missing_ranges_skip_unused_ids() {
        assert_eq!(
            missing_ranges(Some(300), 5_050, &options(100, 1)),
            [(Some(5_000), 5_100), (Some(5_100), 5_200)]
        );
        assert_eq!(
            missing_ranges(None, 550, &options(100, 0)),
            [(Some(500), 600)]
        );
    }

    #[test]
    fn missing_ranges_reach_the_next_id() {
        let options = PrecreateOptions {
            next_id: Some(720),
            ..options(100, 1)
        };
        assert_eq!(
            missing_ranges(Some(300), 250, &options),
            [(Some(700), 800), (Some(800), 900)]
        );
        assert_eq!(missing_ranges(Some(900), 250, &options), []);
    }

    #[test]
    fn partition_names_sort_by_id() {
        let names = [0, 9, 1 << 20, i64::MAX].map(|first| partition_name(&"é".repeat(40), first));
        assert!(names.is_sorted() && names.iter().all(|name| name.len() <= 63));
        assert_eq!(partition_name("logs", 1 << 20), "logs_p0000000001048576");
    }

    #[test]
    fn missing_ranges_at_greatest_id_end() {
        assert!(missing_ranges(Some(i64::MAX), i64::MAX, &options(1 << 20, 2)).is_empty());
        let last = missing_ranges(None, i64::MAX - 5, &options(1 << 20, 2));
        assert_eq!(last.last().map(|(_, to)| *to), Some(i64::MAX));
    }
}
