//! How the partitions of a table lie, where further ones go and what those are
//! called, and the statements that make them.

use sqlx::{PgConnection, Postgres, Row as _, Transaction};

use super::ahead::AheadOptions;
use super::partitions::{self, Partition, not_by_id, qualified};
use crate::db::Sql;
use crate::db::one;
use crate::error::Error;
use crate::model::{ColumnRole, Table};

/// The partitions of a table, and how far its ids are.
pub(super) struct Layout {
    table: &'static Table,
    partitions: Vec<Partition>,
    pub(super) head: i64,
    pub(super) schema: String,
}

impl Layout {
    pub(super) async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
    ) -> Result<Self, Error> {
        let partitions = partitions::partitions(conn, table).await?;
        let head = partitions::head(conn, table).await?;
        let schema = schema_of(conn, table).await?;
        Ok(Self {
            table,
            partitions,
            head,
            schema,
        })
    }

    pub(super) fn default(&self) -> Option<&Partition> {
        self.partitions
            .iter()
            .find(|partition| partition.is_default)
    }

    /// Where the last partition ends. `None`: there is none but the default.
    pub(super) fn end(&self) -> Option<i64> {
        let mut ranges = self.partitions.iter().filter(|p| !p.is_default);
        ranges.next_back().map(|last| last.to.unwrap_or(i64::MAX))
    }

    /// Where the partition ends that has this id; `None` for the default one, and
    /// for one that has another name than those made here.
    pub(super) fn end_of(&self, id: i64) -> Option<i64> {
        self.partitions
            .iter()
            .filter(|partition| !partition.is_default && partition.first() <= id)
            .filter(|partition| partition.name == self.name(partition.from.unwrap_or(0)))
            .filter_map(|partition| partition.to)
            .find(|to| id < *to)
    }

    /// The ranges for which there are no partitions yet and should be: from the
    /// one of the next id on.
    pub(super) fn wanted(&self, options: &AheadOptions) -> Vec<(Option<i64>, i64)> {
        ranges(self.end(), self.head, options)
    }

    /// Whether the default partition has rows beyond the other partitions.
    pub(super) async fn is_in_the_way(
        &self,
        conn: &mut PgConnection,
        default: &Partition,
    ) -> Result<bool, Error> {
        let id = self.table.column_of(ColumnRole::Id).quoted();
        let mut sql = Sql::new(&format!(
            "SELECT EXISTS (SELECT FROM {} WHERE {id} >= ",
            default.quoted()
        ));
        sql.bind(self.end().unwrap_or(i64::MIN))?;
        sql.push(")");
        one(conn, sql).await
    }

    /// Makes and attaches the partitions that are wanted from `end` on, with the
    /// newest id at `head`.
    pub(super) async fn make(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        end: Option<i64>,
        head: i64,
        options: &AheadOptions,
    ) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for (from, to) in ranges(end, head, options) {
            let name = self.name(from.unwrap_or(0));
            let quoted = qualified(&self.schema, &name);
            self.create(transaction, &quoted).await?;
            let mut sql = Sql::default();
            self.push_attach(&mut sql, &quoted, from, to);
            sql.define(transaction).await?;
            names.push(name);
        }
        Ok(names)
    }

    /// Makes an empty table that can be attached. It is attached, and not made
    /// `PARTITION OF`, as that would lock the table from everyone.
    pub(super) async fn create(&self, conn: &mut PgConnection, quoted: &str) -> Result<(), Error> {
        let sql = Sql::new(&format!(
            "CREATE TABLE {quoted} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS \
             INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)",
            self.table.quoted()
        ));
        Ok(sql.define(conn).await?)
    }

    /// Bounds cannot be bound, and are numbers.
    pub(super) fn push_attach(&self, sql: &mut Sql, quoted: &str, from: Option<i64>, to: i64) {
        let from = from.map_or("MINVALUE".to_owned(), |from| format!("'{from}'"));
        sql.push(&format!(
            "ALTER TABLE {} ATTACH PARTITION {quoted} FOR VALUES FROM ({from}) TO ('{to}');",
            self.table.quoted()
        ));
    }

    pub(super) fn name(&self, first: i64) -> String {
        name_of(self.table.name, first)
    }
}

/// Ranges of ids from `end` on, as far as they are wanted with the newest id at
/// `head`. The first partition of all has no least id.
fn ranges(end: Option<i64>, head: i64, options: &AheadOptions) -> Vec<(Option<i64>, i64)> {
    let current = options.floor(head.max(0));
    let until = current.saturating_add(options.ids.saturating_mul(i64::from(options.ahead) + 1));
    // Ids that nobody has, as after a sequence was set forward, need no partitions.
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

/// The name of the partition of a table that begins at this id. Names are in the
/// order of ids, and as long as PostgreSQL takes them.
fn name_of(table: &str, first: i64) -> String {
    const LONGEST: usize = 63;
    let end = match first < 0 {
        true => format!("_n{:016}", first.unsigned_abs()),
        false => format!("_p{first:016}"),
    };
    // Cut to the same for all of a table, however long their numbers.
    const LONGEST_END: usize = "_p".len() + 19;
    let mut name = table.to_owned();
    while name.len() + LONGEST_END > LONGEST {
        name.pop();
    }
    name + &end
}

/// Whether a partition of a table has a name that is made here.
#[cfg(feature = "migrate")]
pub(crate) fn is_made(table: &str, partition: &str) -> bool {
    let first = partition
        .rsplit_once("_p")
        .map(|(_, digits)| digits.parse());
    matches!(first, Some(Ok(first)) if name_of(table, first) == partition)
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
        None => Err(not_by_id(table)),
    }
}

#[cfg(test)]
mod tests {
    use super::{AheadOptions, name_of, ranges};

    fn options(ids: i64, ahead: u32) -> AheadOptions {
        AheadOptions {
            ids,
            ahead,
            ..AheadOptions::default()
        }
    }

    #[test]
    fn the_first_partition_has_no_least_id() {
        assert_eq!(
            ranges(None, 0, &options(100, 2)),
            [(None, 100), (Some(100), 200), (Some(200), 300)]
        );
    }

    #[test]
    fn partitions_follow_the_last_one_and_begin_at_multiples() {
        assert_eq!(ranges(Some(300), 99, &options(100, 2)), []);
        assert_eq!(ranges(Some(300), 100, &options(100, 2)), [(Some(300), 400)]);
        // Another size than before.
        assert_eq!(
            ranges(Some(250), 240, &options(100, 1)),
            [(Some(250), 300), (Some(300), 400)]
        );
    }

    #[test]
    fn ids_that_nobody_has_need_no_partitions() {
        assert_eq!(
            ranges(Some(300), 5_050, &options(100, 1)),
            [(Some(5_000), 5_100), (Some(5_100), 5_200)]
        );
        assert_eq!(ranges(None, 550, &options(100, 0)), [(Some(500), 600)]);
    }

    #[test]
    fn names_are_in_the_order_of_ids() {
        let names = [0, 9, 1 << 20, i64::MAX].map(|first| name_of(&"é".repeat(40), first));
        assert!(names.is_sorted() && names.iter().all(|name| name.len() <= 63));
        assert_eq!(name_of("logs", 1 << 20), "logs_p0000000001048576");
    }

    #[test]
    fn at_the_end_of_all_ids_there_is_an_end() {
        assert!(ranges(Some(i64::MAX), i64::MAX, &options(1 << 20, 2)).is_empty());
        let last = ranges(None, i64::MAX - 5, &options(1 << 20, 2));
        assert_eq!(last.last().map(|(_, to)| *to), Some(i64::MAX));
    }
}
