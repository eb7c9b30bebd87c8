//! Partitions ahead of need.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::convert::{self, Bound};
use super::layout::Layout;
use super::turns::{self, Turns};
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::Table;

/// How many ids a partition has, unless said otherwise: some 1.1 GB of logs. Pages
/// and searches look into each partition, so that few large ones are better to
/// read; what goes by age or size goes by the partition.
pub const DEFAULT_PARTITION: i64 = 1 << 22;

/// Ids that may be given out while a partition is attached; more than anybody
/// writes meanwhile.
const NEAR: i64 = 1 << 20;

/// What partitions [`make_ahead`] makes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AheadOptions {
    /// How many ids a partition has; [`DEFAULT_PARTITION`] unless
    /// said otherwise. Partitions begin at multiples of it.
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
            ids: DEFAULT_PARTITION,
            ahead: 2,
            patience: Duration::from_secs(30),
            small: 32 << 20,
        }
    }
}

impl AheadOptions {
    /// Where a partition begins that has this id.
    pub(super) fn floor(&self, id: i64) -> i64 {
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
/// go on meanwhile; no lock is waited for longer than 200 ms at a time. After a
/// default partition of more than [`AheadOptions::small`] bytes ids go on some
/// 2^40 later.
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
    loop {
        match step(pool, table, options, &mut made).await {
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
) -> Result<Step, Error> {
    let mut session = CloseOnDrop::new(Db::from(pool).session().await?);
    let step = step_on(session.conn(), table, options, made).await;
    session.release();
    step
}

async fn step_on(
    conn: &mut PgConnection,
    table: &'static Table,
    options: &AheadOptions,
    made: &mut Made,
) -> Result<Step, Error> {
    let layout = Layout::read(conn, table).await?;
    let bound = match layout.default() {
        Some(default) => Bound::of(conn, default).await?,
        None => None,
    };
    if bound.is_none() && convert::skips_to(&layout, options).is_some() {
        return convert::skip(conn, table, options, made).await;
    }
    if bound.is_none() && layout.wanted(options).is_empty() {
        return Ok(Step::Done);
    }
    match layout.default() {
        Some(default) if bound.is_some() || layout.is_in_the_way(conn, default).await? => {
            convert::step(conn, table, &layout, bound, options, made).await
        }
        _ => attach(conn, table, options, made).await,
    }
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
    let near = layout.head.saturating_add(NEAR.max(options.ids / 2));
    if first.is_some_and(|first| first <= near) {
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
    let names = layout
        .make(&mut transaction, layout.end(), layout.head, options)
        .await?;
    transaction.commit().await?;
    made.partitions.extend(names);
    Ok(Step::Done)
}
