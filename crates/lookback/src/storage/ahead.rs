//! Partitions ahead of need.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Postgres, Row as _, Transaction};

use super::answer::one;
use super::convert::{self, Bound};
use super::partitions::{self, Partition, not_by_id, qualified};
use super::turns::{self, Turns};
use crate::db::{Db, Whole};
use crate::error::Error;
use crate::model::{Role, Table};
use crate::sql::Sql;

/// What partitions [`make_ahead`] makes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AheadOptions {
    /// How many ids a partition has; 1,048,576 by default. Partitions begin at
    /// multiples of it.
    pub ids: i64,
    /// How many partitions there are to be beyond the one that takes inserts;
    /// 2 by default.
    pub ahead: u32,
    /// For how long to ask for locks that others hold, in short turns; 30 s by
    /// default.
    pub patience: Duration,
    /// A default partition of at most this many bytes is read under a lock when
    /// it is converted, which takes some milliseconds; 32 MiB by default.
    pub small: u64,
}

impl Default for AheadOptions {
    fn default() -> Self {
        Self {
            ids: 1 << 20,
            ahead: 2,
            patience: Duration::from_secs(30),
            small: 32 << 20,
        }
    }
}

impl AheadOptions {
    /// Where a partition begins that has this id.
    fn floor(&self, id: i64) -> i64 {
        id.saturating_sub(id.rem_euclid(self.ids))
    }

    /// Where the next one begins.
    pub(super) fn end(&self, id: i64) -> i64 {
        self.floor(id).saturating_add(self.ids)
    }
}

/// What [`make_ahead`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Made {
    /// The partitions that were made, by name.
    pub partitions: Vec<String>,
    /// What the default partition was made, if it had rows: this partition.
    pub converted: Option<String>,
    /// Another process was at it, and it was left to that.
    pub busy: bool,
}

/// Makes partitions ahead of need; where rows are in the default partition,
/// makes that one a partition of their ids first, and another one the default.
///
/// Cut short at any point, it is gone on with when it is called again. Inserts
/// go on meanwhile; no lock is waited for longer than 200 ms at a time. A
/// default partition of more than [`AheadOptions::small`] bytes takes two
/// connections of the pool.
///
/// # Errors
///
/// [`Error::is_timeout`] if others held their locks for longer than
/// [`AheadOptions::patience`]: call it again; [`Error::is_invalid`] if the table
/// is not partitioned by range of its id, or an option is not right;
/// [`Error::is_setup`] if the default partition cannot be converted; those of
/// the database.
pub async fn make_ahead(
    pool: &PgPool,
    table: &'static Table,
    options: &AheadOptions,
) -> Result<Made, Error> {
    if options.ids < 1 {
        let problem = format!("{} is not a number of ids; it is 1 or more", options.ids);
        return Err(Error::invalid_field(table.name, "ids", problem));
    }
    let mut turns = Turns::new(options.patience);
    let mut made = Made::default();
    let mut tries = convert::Tries::default();
    loop {
        match step(pool, table, options, &mut made, &mut tries).await {
            Ok(Step::Done) => return Ok(made),
            Ok(Step::More) => {}
            Err(error) if turns.again(&error).await => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether there is more to do.
pub(super) enum Step {
    Done,
    More,
}

/// One transaction's worth of work, on a connection that does not go back to
/// its pool if it is dropped in the middle of it.
async fn step(
    pool: &PgPool,
    table: &'static Table,
    options: &AheadOptions,
    made: &mut Made,
    tries: &mut convert::Tries,
) -> Result<Step, Error> {
    let mut session = Whole::new(Db::from(pool).session().await?);
    let step = step_on(session.conn(), pool, table, options, made, tries).await;
    session.give_back();
    step
}

async fn step_on(
    conn: &mut PgConnection,
    pool: &PgPool,
    table: &'static Table,
    options: &AheadOptions,
    made: &mut Made,
    tries: &mut convert::Tries,
) -> Result<Step, Error> {
    let layout = Layout::read(conn, table).await?;
    let bound = match layout.default() {
        Some(default) => Bound::of(conn, default).await?,
        None => None,
    };
    if bound.is_none() && layout.wanted(options).is_empty() {
        return Ok(Step::Done);
    }
    match layout.default() {
        Some(default) if bound.is_some() || layout.is_in_the_way(conn, default).await? => {
            convert::step(conn, pool, table, &layout, bound, options, made, tries).await
        }
        _ => attach(conn, table, options, made).await,
    }
}

/// The partitions of a table, and how far its ids are.
pub(super) struct Layout {
    pub(super) table: &'static Table,
    pub(super) partitions: Vec<Partition>,
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

    /// The ranges for which there are no partitions yet and should be: from the
    /// one of the next id on.
    pub(super) fn wanted(&self, options: &AheadOptions) -> Vec<(Option<i64>, i64)> {
        ranges(self.end(), self.head, options)
    }

    /// Whether the default partition has rows beyond the other partitions.
    async fn is_in_the_way(
        &self,
        conn: &mut PgConnection,
        default: &Partition,
    ) -> Result<bool, Error> {
        let id = self.table.role(Role::Id).quoted();
        let mut sql = Sql::new(&format!(
            "SELECT EXISTS (SELECT FROM {} WHERE {id} >= ",
            default.quoted()
        ));
        sql.bind(self.end().unwrap_or(i64::MIN))?;
        sql.push(")");
        one(conn, sql).await
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

/// Makes the partitions that are wanted, where no row of the default partition
/// is in the way.
async fn attach(
    conn: &mut PgConnection,
    table: &'static Table,
    options: &AheadOptions,
    made: &mut Made,
) -> Result<Step, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        made.busy = true;
        return Ok(Step::Done);
    };
    // A row that was on its way into the default partition when another one takes its id is
    // refused by PostgreSQL. So where ids are near, writers wait for a moment, and readers do not;
    // where they are far, nobody waits but another one who changes the table.
    turns::lock(&mut transaction, &table.quoted(), "SHARE UPDATE EXCLUSIVE").await?;
    let mut layout = Layout::read(&mut transaction, table).await?;
    let first = layout
        .wanted(options)
        .first()
        .map(|(from, _)| from.unwrap_or(0));
    if first.is_some_and(|first| first <= layout.head.saturating_add(options.ids / 2)) {
        turns::lock(&mut transaction, &table.quoted(), "SHARE ROW EXCLUSIVE").await?;
        layout = Layout::read(&mut transaction, table).await?;
    }
    if let Some(default) = layout.default() {
        turns::lock(&mut transaction, &default.quoted(), "ACCESS EXCLUSIVE").await?;
        if layout.is_in_the_way(&mut transaction, default).await? {
            transaction.rollback().await?;
            return Ok(Step::More);
        }
    }
    let names = layout.make(&mut transaction, layout.end(), options).await?;
    transaction.commit().await?;
    made.partitions.extend(names);
    Ok(Step::Done)
}

impl Layout {
    /// Makes and attaches the partitions that are wanted from `end` on.
    pub(super) async fn make(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        end: Option<i64>,
        options: &AheadOptions,
    ) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for (from, to) in ranges(end, self.head, options) {
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
