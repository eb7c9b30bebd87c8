//! Pre-creating partitions before they are needed.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::lock_retry::{self, LockRetry};
use super::partition_layout::PartitionLayout;
#[cfg(feature = "migrate")]
use super::partitions;
use super::splitting::{self, SplitBound};
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::Table;

/// Default number of ids per partition: about 1.1 GB of logs.
///
/// Pages and searches look into each partition, so a few large ones are faster to
/// read; pruning by age and size drops whole partitions, so small ones are more exact.
pub const DEFAULT_PARTITION_IDS: i64 = 1 << 22;

/// Ids that may be assigned while a partition is being attached; more than any
/// application writes meanwhile.
const NEAR: i64 = 1 << 20;

/// Options of [`precreate_partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrecreateOptions {
    /// The number of ids per partition; [`DEFAULT_PARTITION_IDS`] by default.
    /// Partitions begin at multiples of it.
    pub ids_per_partition: i64,
    /// The number of partitions beyond the one that takes inserts; 2 by default.
    pub count: u32,
    /// How long to retry locks that others hold; 30 s by default.
    pub lock_retry_timeout: Duration,
    /// The size of a default partition, in bytes, up to which it is split in one
    /// transaction that reads it under a lock, for some milliseconds; 32 MiB by
    /// default.
    pub max_locked_split_bytes: u64,
    /// An id that is about to be inserted, if it is greater than the newest one: partitions are
    /// created for it, too. `None` by default, because the sequence assigns ids in order.
    pub next_id: Option<i64>,
}

impl Default for PrecreateOptions {
    fn default() -> Self {
        Self {
            ids_per_partition: DEFAULT_PARTITION_IDS,
            count: 2,
            lock_retry_timeout: Duration::from_secs(30),
            max_locked_split_bytes: 32 << 20,
            next_id: None,
        }
    }
}

impl PrecreateOptions {
    /// The first id of the partition of this id.
    pub(super) fn floor(&self, id: i64) -> i64 {
        id.saturating_sub(id.rem_euclid(self.ids_per_partition))
    }

    /// The first id after that partition.
    pub(super) fn end(&self, id: i64) -> i64 {
        self.floor(id).saturating_add(self.ids_per_partition)
    }
}

/// The partitions that [`precreate_partitions`] created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrecreateReport {
    /// Names of the partitions that were created.
    pub created: Vec<String>,
    /// The partition that the rows of the default partition are in now, if it was split.
    pub split: Option<String>,
    /// Whether another process does the work, and was left to it.
    pub busy: bool,
}

/// Creates partitions before ids reach them.
///
/// If the default partition has rows, it is split first: it becomes a partition of their
/// ids, and another one becomes the default. After splitting a default partition of more
/// than [`PrecreateOptions::max_locked_split_bytes`], ids continue some 2^40 later.
///
/// If this is interrupted, the next call continues it. Inserts go on meanwhile; no lock
/// is waited for longer than 200 ms at a time.
///
/// # Errors
///
/// [`Error::is_timeout`] if others held their locks for longer than
/// [`PrecreateOptions::lock_retry_timeout`]: call it again; [`Error::is_invalid`] if the
/// table is not partitioned by range of its id, or an option is not valid;
/// [`Error::is_setup`] if the default partition cannot be split; those of the database.
pub async fn precreate_partitions(
    pool: &PgPool,
    table: &'static Table,
    options: &PrecreateOptions,
) -> Result<PrecreateReport, Error> {
    if options.ids_per_partition < 1 {
        let problem = format!("must be 1 or more, got {}", options.ids_per_partition);
        return Err(Error::invalid_field(
            table.name,
            "ids_per_partition",
            problem,
        ));
    }
    let mut retry = LockRetry::new(options.lock_retry_timeout);
    let mut report = PrecreateReport::default();
    loop {
        match step(pool, table, options, &mut report).await {
            Ok(PrecreateStep::Done) => return Ok(report),
            Ok(PrecreateStep::More) => {}
            Err(error) if retry.after(&error).await => {}
            Err(error) => return Err(error),
        }
    }
}

/// Creates the first partitions of a table that has only its default partition, if that is
/// empty.
///
/// It leaves the work to maintenance if the role may not do it, or if others hold their locks.
///
/// # Errors
///
/// Those of the database, other than these.
#[cfg(feature = "migrate")]
pub(crate) async fn create_first_partitions(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    let options = PrecreateOptions {
        lock_retry_timeout: Duration::from_secs(5),
        ..PrecreateOptions::default()
    };
    let mut retry = LockRetry::new(options.lock_retry_timeout);
    let mut report = PrecreateReport::default();
    loop {
        let attempt = match first_step(conn, table, &options, &mut report).await {
            Ok(PrecreateStep::More) => continue,
            Ok(PrecreateStep::Done) => return Ok(()),
            Err(error) => error,
        };
        if attempt.is_permission_denied() {
            return Ok(());
        }
        if !retry.after(&attempt).await {
            return if attempt.is_timeout() {
                Ok(())
            } else {
                Err(attempt)
            };
        }
    }
}

#[cfg(feature = "migrate")]
async fn first_step(
    conn: &mut PgConnection,
    table: &'static Table,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    let partitions = match partitions::list_partitions(conn, table, false).await {
        Ok(partitions) => partitions.unwrap_or_default(),
        // A user has dropped the table, or partitioned it in another way.
        Err(error) if error.is_setup() || error.is_invalid() => Vec::new(),
        Err(error) => return Err(error),
    };
    let [default] = partitions.as_slice() else {
        return Ok(PrecreateStep::Done);
    };
    let layout = PartitionLayout::read(conn, table).await?;
    if !default.is_default || layout.has_rows_to_split(conn, default).await? {
        return Ok(PrecreateStep::Done);
    }
    attach(conn, table, options, report).await
}

/// Whether more steps follow.
pub(super) enum PrecreateStep {
    Done,
    More,
}

/// Runs one transaction, on a connection that is closed if the future is dropped.
async fn step(
    pool: &PgPool,
    table: &'static Table,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    let mut session = CloseOnDrop::new(Db::from(pool).session().await?);
    let step = step_on(session.conn(), table, options, report).await;
    session.release();
    step
}

async fn step_on(
    conn: &mut PgConnection,
    table: &'static Table,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    let layout = PartitionLayout::read(conn, table).await?;
    let bound = match layout.default() {
        Some(default) => SplitBound::find(conn, default).await?,
        None => None,
    };
    if bound.is_none() && splitting::sequence_target(&layout, options).is_some() {
        return splitting::skip_ids(conn, table, options, report).await;
    }
    if bound.is_none() && layout.missing_ranges(options).is_empty() {
        return Ok(PrecreateStep::Done);
    }
    match layout.default() {
        Some(default) if bound.is_some() || layout.has_rows_to_split(conn, default).await? => {
            splitting::step(conn, table, &layout, bound, options, report).await
        }
        _ => attach(conn, table, options, report).await,
    }
}

/// Begins a transaction that changes the partitions of a table, locks the table, and reads
/// them.
///
/// `None` if another process changes them; the report then says so.
pub(super) async fn begin_change<'c>(
    conn: &'c mut PgConnection,
    table: &'static Table,
    mode: &str,
    report: &mut PrecreateReport,
) -> Result<Option<(Transaction<'c, Postgres>, PartitionLayout)>, Error> {
    let Some(mut transaction) = lock_retry::begin(conn, table, "partitions").await? else {
        report.busy = true;
        return Ok(None);
    };
    // The table first: all transactions lock in this order.
    lock_retry::lock(&mut transaction, &table.quoted(), mode).await?;
    let layout = PartitionLayout::read(&mut transaction, table).await?;
    Ok(Some((transaction, layout)))
}

/// Creates the missing partitions, if no row of the default partition is in their ranges.
async fn attach(
    conn: &mut PgConnection,
    table: &'static Table,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    // PostgreSQL rejects a row that is on its way into the default partition when another partition
    // takes its id. So if ids are near, writers wait for a moment, and readers do not; if they are
    // far, only others that change the table wait.
    let change = begin_change(conn, table, "SHARE UPDATE EXCLUSIVE", report).await?;
    let Some((mut transaction, mut layout)) = change else {
        return Ok(PrecreateStep::Done);
    };
    let first = layout
        .missing_ranges(options)
        .first()
        .map(|(from, _)| from.unwrap_or(0));
    let near = layout
        .newest_id
        .saturating_add(NEAR.max(options.ids_per_partition / 2));
    if first.is_some_and(|first| first <= near) {
        lock_retry::lock(&mut transaction, &table.quoted(), "SHARE ROW EXCLUSIVE").await?;
        layout = PartitionLayout::read(&mut transaction, table).await?;
    }
    if let Some(default) = layout.default() {
        lock_retry::lock(&mut transaction, &default.quoted(), "ACCESS EXCLUSIVE").await?;
        if layout.has_rows_to_split(&mut transaction, default).await? {
            transaction.rollback().await?;
            return Ok(PrecreateStep::More);
        }
    }
    let names = layout
        .create_partitions(&mut transaction, layout.end(), layout.newest_id, options)
        .await?;
    transaction.commit().await?;
    report.created.extend(names);
    Ok(PrecreateStep::Done)
}
