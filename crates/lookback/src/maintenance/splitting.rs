//! Splitting a default partition that has rows: it becomes a partition of their ids.
//!
//! PostgreSQL reads a table that is attached, to check that its rows belong there, and
//! the default partition whenever another one is attached: under a lock that blocks all
//! other sessions. It reads neither if a `CHECK` proves it already. So a large default
//! partition gets such a constraint first, in steps that are committed separately and
//! can be interrupted between any two:
//!
//! 1. `CHECK (id < bound) NOT VALID`. From then on, ids at or above the bound are
//!    rejected, so it is [`BOUND_DISTANCE`] beyond the newest id: no insert reaches it,
//!    at any rate and however late the next step comes.
//! 2. `VALIDATE`, which reads the partition while other sessions work.
//! 3. One transaction without reading: the partition is detached, renamed, attached up
//!    to the bound, and another one becomes the default.
//! 4. The sequence of the ids continues at the bound ([`skip_ids`]), where the next
//!    partitions are: the ids in between stay unused.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use super::lock_retry;
use super::partition_layout::PartitionLayout;
use super::partitions::{Partition, qualified};
use super::precreating::{PrecreateOptions, PrecreateReport, PrecreateStep, begin_change};
use crate::db::constraints::SPLIT_BOUND_PREFIX;
use crate::db::{Sql, one, sequence};
use crate::error::{Error, Remedy};
use crate::model::{ColumnRole, Table, quote_identifier};

/// The number of rows with ids of dropped partitions up to which a split moves them.
const MAX_STRAY_ROWS: i64 = 100_000;

/// How far a bound is beyond the newest id.
///
/// At a million ids per second, it is reached after twelve days; and 8,000 splits keep ids
/// below 2^53, which programs that read numbers as floats still tell apart.
const BOUND_DISTANCE: i64 = 1 << 40;

/// The bound that step 1 gave a default partition.
#[derive(Clone, Debug)]
pub(super) struct SplitBound {
    name: String,
    before: i64,
    is_valid: bool,
}

impl SplitBound {
    pub(super) async fn find(
        conn: &mut PgConnection,
        default: &Partition,
    ) -> Result<Option<Self>, Error> {
        let mut sql = Sql::new(
            "SELECT conname::text AS name, convalidated AS is_valid FROM pg_constraint \
             WHERE contype = 'c' AND conrelid = to_regclass(",
        );
        sql.bind(default.quoted())?;
        sql.push(") AND starts_with(conname, ");
        sql.bind(SPLIT_BOUND_PREFIX)?;
        sql.push(")");
        for row in sql.fetch_all(conn).await? {
            let name: String = row.try_get("name")?;
            if let Some(Ok(before)) = name.strip_prefix(SPLIT_BOUND_PREFIX).map(str::parse) {
                return Ok(Some(Self {
                    name,
                    before,
                    is_valid: row.try_get("is_valid")?,
                }));
            }
        }
        Ok(None)
    }
}

/// Runs the next step of a split.
pub(super) async fn step(
    conn: &mut PgConnection,
    table: &'static Table,
    layout: &PartitionLayout,
    bound: Option<SplitBound>,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    let Some(default) = layout.default() else {
        return Ok(PrecreateStep::More);
    };
    let is_small = default.bytes <= options.max_locked_split_bytes;
    match bound {
        Some(bound) if bound.is_valid => {
            replace_default(conn, table, Some(bound), options, report).await
        }
        // One transaction, which needs no bound.
        _ if is_small => replace_default(conn, table, None, options, report).await,
        Some(bound) if !ids_are_near(&bound, layout) => {
            validate_bound(conn, table, default, &bound).await
        }
        near => set_bound(conn, table, near, options, report).await,
    }
}

/// Whether ids have covered half the way to a bound.
fn ids_are_near(bound: &SplitBound, layout: &PartitionLayout) -> bool {
    bound.before.saturating_sub(layout.newest_id) < BOUND_DISTANCE / 2
}

/// Step 1; repeated with a later bound if ids have come near an earlier one.
async fn set_bound(
    conn: &mut PgConnection,
    table: &'static Table,
    near: Option<SplitBound>,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    let change = begin_change(conn, table, "SHARE UPDATE EXCLUSIVE", report).await?;
    let Some((mut transaction, layout)) = change else {
        return Ok(PrecreateStep::Done);
    };
    let Some(default) = layout.default() else {
        transaction.rollback().await?;
        return Ok(PrecreateStep::More);
    };
    let now = SplitBound::find(&mut transaction, default).await?;
    if now.as_ref().map(|now| &now.name) != near.as_ref().map(|near| &near.name) {
        // Another process set a bound first.
        transaction.rollback().await?;
        return Ok(PrecreateStep::More);
    }
    let mut changes = Vec::new();
    if let Some(near) = &near {
        changes.push(format!(
            "DROP CONSTRAINT IF EXISTS {}",
            quote_identifier(&near.name)
        ));
    }
    let id = table.column_of(ColumnRole::Id).quoted();
    if let Some(end) = layout.end() {
        let stray_rows = stray_rows(&mut transaction, table, default, end).await?;
        if stray_rows > 0 {
            transaction.rollback().await?;
            return Err(Error::setup(
                format!(
                    "cannot split {}: it has rows with ids below {end} ({stray_rows}), which belong to \
                     dropped partitions, and is too large to be split with them",
                    default.name
                ),
                Remedy::DeleteStrayRows {
                    partition: default.name.clone(),
                    before: end,
                },
            ));
        }
    }
    let before = distant_bound(&mut transaction, table, &layout, options).await?;
    let from = match layout.end() {
        Some(end) => format!("{id} >= '{end}'::bigint AND "),
        None => String::new(),
    };
    changes.push(format!(
        "ADD CONSTRAINT {} CHECK ({from}{id} < '{before}'::bigint) NOT VALID",
        quote_identifier(&format!("{SPLIT_BOUND_PREFIX}{before}"))
    ));
    // One by one: Citus adds a constraint in a statement of its own only.
    for change in changes {
        let alter = format!("ALTER TABLE {} {change}", default.quoted());
        Sql::new(&alter).define(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(PrecreateStep::More)
}

/// A bound that ids do not reach, at a multiple of the partition size.
async fn distant_bound(
    conn: &mut PgConnection,
    table: &'static Table,
    layout: &PartitionLayout,
    options: &PrecreateOptions,
) -> Result<i64, Error> {
    let far = options.end(layout.newest_id.saturating_add(BOUND_DISTANCE));
    let last = sequence::end(conn, table).await?;
    if far >= last {
        return Err(Error::setup(
            format!(
                "cannot split the default partition of {table}: its newest id is {newest_id} and the \
                 last one {last}; fewer than {BOUND_DISTANCE} ids are left to skip",
                table = table.name,
                newest_id = layout.newest_id,
            ),
            Remedy::RaiseSequence { table: table.name },
        ));
    }
    Ok(far)
}

/// Step 2: reads the rows.
async fn validate_bound(
    conn: &mut PgConnection,
    table: &'static Table,
    default: &Partition,
    bound: &SplitBound,
) -> Result<PrecreateStep, Error> {
    let Some(mut transaction) = lock_retry::begin(conn, table, "partitions").await? else {
        // Another process is reading the partition, for as long as that takes.
        tokio::time::sleep(Duration::from_millis(200)).await;
        return Ok(PrecreateStep::More);
    };
    let sql = Sql::new(&format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {}",
        default.quoted(),
        quote_identifier(&bound.name)
    ));
    sql.define(&mut transaction).await?;
    transaction.commit().await?;
    Ok(PrecreateStep::More)
}

/// Step 3: gives the partition its bounds and creates a new default.
async fn replace_default(
    conn: &mut PgConnection,
    table: &'static Table,
    bound: Option<SplitBound>,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    let change = begin_change(conn, table, "ACCESS EXCLUSIVE", report).await?;
    let Some((mut transaction, layout)) = change else {
        return Ok(PrecreateStep::Done);
    };
    let Some(default) = layout.default().cloned() else {
        transaction.rollback().await?;
        return Ok(PrecreateStep::More);
    };
    let now = SplitBound::find(&mut transaction, &default).await?;
    let is_same = match (&bound, &now) {
        (Some(bound), Some(now)) => now.is_valid && now.name == bound.name,
        (None, _) => default.bytes <= options.max_locked_split_bytes,
        (Some(_), None) => false,
    };
    if !is_same {
        transaction.rollback().await?;
        return Ok(PrecreateStep::More);
    }
    let end = layout.end();
    let stray_rows = match end {
        Some(end) if bound.is_none() => stray_rows(&mut transaction, table, &default, end).await?,
        _ => 0,
    };
    let greatest_id = greatest_id(&mut transaction, table, &default).await?;
    let to = match &bound {
        Some(bound) => bound.before,
        None => options.end(greatest_id.max(end.unwrap_or(0))),
    };
    let name = layout.partition_name(end.unwrap_or(0));
    let swap = DefaultSwap {
        table,
        layout: &layout,
        split: qualified(&layout.schema, &name),
        default: qualified(&layout.schema, &default.name),
    };
    // A bound left over from a split that began in steps.
    let leftover = now.filter(|_| bound.is_none());
    swap.detach(&mut transaction, &name, leftover.as_ref())
        .await?;
    layout.create_table(&mut transaction, &swap.default).await?;
    if stray_rows > 0 {
        swap.move_stray_rows(&mut transaction, end.unwrap_or(i64::MIN))
            .await?;
    }
    swap.attach(&mut transaction, end, to, bound.as_ref())
        .await?;
    // Partitions must exist where ids will continue.
    let newest_id = if extends_far(to, layout.newest_id, options) {
        to
    } else {
        layout.newest_id
    };
    let names = layout
        .create_partitions(&mut transaction, Some(to), newest_id, options)
        .await?;
    transaction.commit().await?;
    report.split = Some(name);
    report.created.extend(names);
    Ok(PrecreateStep::More)
}

/// The statements of step 3, with the names of both partitions as identifiers.
struct DefaultSwap<'a> {
    table: &'static Table,
    layout: &'a PartitionLayout,
    /// The partition that the rows are in afterwards.
    split: String,
    /// The default partition, before and after.
    default: String,
}

impl DefaultSwap<'_> {
    /// Detaches the default partition and gives it its new name.
    async fn detach(
        &self,
        conn: &mut PgConnection,
        name: &str,
        leftover: Option<&SplitBound>,
    ) -> Result<(), Error> {
        let (table, default) = (self.table.quoted(), &self.default);
        // One by one: Citus passes the text of a change of a table on as a whole.
        let name = quote_identifier(name);
        for change in [
            format!("ALTER TABLE {table} DETACH PARTITION {default}"),
            format!("ALTER TABLE {default} RENAME TO {name}"),
        ] {
            Sql::new(&change).define(conn).await?;
        }
        self.drop_bound(conn, leftover).await
    }

    /// Moves rows with ids below `end` to the new default partition.
    async fn move_stray_rows(&self, conn: &mut PgConnection, end: i64) -> Result<(), Error> {
        let id = self.table.column_of(ColumnRole::Id).quoted();
        let mut sql = Sql::new(&format!(
            "WITH gone AS (DELETE FROM {} WHERE {id} < ",
            self.split
        ));
        sql.bind(end)?;
        sql.push(&format!(
            " RETURNING *) INSERT INTO {} SELECT * FROM gone",
            self.default
        ));
        sql.execute(conn).await?;
        Ok(())
    }

    /// Attaches both partitions. From then on, the bounds of the partition replace `bound`.
    async fn attach(
        &self,
        conn: &mut PgConnection,
        from: Option<i64>,
        to: i64,
        bound: Option<&SplitBound>,
    ) -> Result<(), Error> {
        let mut sql = Sql::default();
        self.layout.push_attach(&mut sql, &self.split, from, to);
        sql.define(conn).await?;
        self.drop_bound(conn, bound).await?;
        let sql = Sql::new(&format!(
            "ALTER TABLE {} ATTACH PARTITION {} DEFAULT",
            self.table.quoted(),
            self.default
        ));
        Ok(sql.define(conn).await?)
    }

    async fn drop_bound(
        &self,
        conn: &mut PgConnection,
        bound: Option<&SplitBound>,
    ) -> Result<(), Error> {
        if let Some(bound) = bound {
            let name = quote_identifier(&bound.name);
            let drop = format!("ALTER TABLE {} DROP CONSTRAINT {name}", self.split);
            Sql::new(&drop).define(conn).await?;
        }
        Ok(())
    }
}

/// Whether a partition that receives inserts is so long that it was a default partition.
fn extends_far(to: i64, newest_id: i64, options: &PrecreateOptions) -> bool {
    to.saturating_sub(newest_id) > options.ids_per_partition.max(BOUND_DISTANCE / 2)
}

/// Where ids are to continue, if they are in a partition that was the default one.
pub(super) fn sequence_target(layout: &PartitionLayout, options: &PrecreateOptions) -> Option<i64> {
    layout
        .managed_end(layout.newest_id)
        .filter(|to| extends_far(*to, layout.newest_id, options))
}

/// Step 4: the next id is the first one after the partition.
///
/// Ids assigned before stay where they are. If the process is killed just before this
/// step, ids continue in the partition until the next call.
pub(super) async fn skip_ids(
    conn: &mut PgConnection,
    table: &'static Table,
    options: &PrecreateOptions,
    report: &mut PrecreateReport,
) -> Result<PrecreateStep, Error> {
    // Under the lock: otherwise a sequence that another process has advanced, and that has assigned
    // ids since, could be set back.
    let Some(mut transaction) = lock_retry::begin(conn, table, "partitions").await? else {
        report.busy = true;
        return Ok(PrecreateStep::Done);
    };
    let layout = PartitionLayout::read(&mut transaction, table).await?;
    let is_set = match sequence_target(&layout, options) {
        Some(to) => sequence::advance(&mut transaction, table, to - 1).await?,
        None => true,
    };
    transaction.commit().await?;
    if is_set {
        Ok(PrecreateStep::More)
    } else {
        // The application assigns ids itself.
        Ok(PrecreateStep::Done)
    }
}

/// Counts rows of the default partition whose ids belong to dropped partitions.
///
/// # Errors
///
/// [`Error::is_setup`] if there are too many to move.
async fn stray_rows(
    conn: &mut PgConnection,
    table: &'static Table,
    default: &Partition,
    end: i64,
) -> Result<i64, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {id} < ",
        default.quoted()
    ));
    sql.bind(end)?;
    sql.push(" LIMIT ");
    sql.bind(MAX_STRAY_ROWS + 1)?;
    sql.push(") AS stray_rows");
    let stray_rows: i64 = one(conn, sql).await?;
    if stray_rows <= MAX_STRAY_ROWS {
        return Ok(stray_rows);
    }
    Err(Error::setup(
        format!(
            "cannot split {}: it has more than {MAX_STRAY_ROWS} rows with ids below {end}, \
             which belong to dropped partitions",
            default.name
        ),
        Remedy::DeleteStrayRows {
            partition: default.name.clone(),
            before: end,
        },
    ))
}

async fn greatest_id(
    conn: &mut PgConnection,
    table: &'static Table,
    default: &Partition,
) -> Result<i64, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let sql = Sql::new(&format!(
        "SELECT coalesce(max({id}), 0) FROM {}",
        default.quoted()
    ));
    one(conn, sql).await
}
