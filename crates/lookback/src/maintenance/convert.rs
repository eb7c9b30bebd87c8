//! A default partition that has rows, made a partition of their ids.
//!
//! PostgreSQL reads a table that is attached, to see that its rows belong
//! there, and the default partition whenever another is attached: under a lock
//! that keeps everyone out. It reads neither if a `CHECK` says so already. So a
//! large default partition is given one before, in steps that are committed one
//! by one and of which each can be the last for now:
//!
//! 1. `CHECK (id < bound) NOT VALID`. From here on ids from the bound on are
//!    refused, so it is [`FAR`] beyond the newest id: no insert gets there,
//!    however fast ids come and however long the next step is away.
//! 2. `VALIDATE`, which reads the partition while everyone works.
//! 3. In one transaction, without reading: the partition is detached, renamed,
//!    attached up to the bound, and another one made the default.
//! 4. The sequence of the ids goes on from the bound ([`skip`]), where the next
//!    partitions are: the ids between are not used.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use super::ahead::{AheadOptions, Made, Step};
use super::layout::Layout;
use super::partitions::{self, Partition, qualified};
use super::turns;
use crate::db::Sql;
use crate::db::constraints::SPLIT_BOUND_PREFIX;
use crate::db::one;
use crate::error::Error;
use crate::model::{ColumnRole, Table, quote_identifier};

/// Rows with ids of partitions that are gone, moved when it is converted.
const MOVED: i64 = 100_000;

/// How far beyond the newest id a bound is. At a million ids a second they come
/// there after twelve days, and 8,000 conversions keep ids below 2^53, which
/// programs that take numbers for floats still tell apart.
const FAR: i64 = 1 << 40;

/// The bound that a default partition was given.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    name: String,
    before: i64,
    is_valid: bool,
}

impl Bound {
    pub(super) async fn of(
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

/// The next step of a conversion.
pub(super) async fn step(
    conn: &mut PgConnection,
    table: &'static Table,
    layout: &Layout,
    bound: Option<Bound>,
    options: &AheadOptions,
    made: &mut Made,
) -> Result<Step, Error> {
    let Some(default) = layout.default() else {
        return Ok(Step::More);
    };
    let is_small = default.bytes <= options.small;
    match bound {
        Some(bound) if bound.is_valid => swap(conn, table, Some(bound), options, made).await,
        // One transaction, which needs no bound.
        _ if is_small => swap(conn, table, None, options, made).await,
        Some(bound) if !is_near(&bound, layout) => validate(conn, table, default, &bound).await,
        near => set_bound(conn, table, near, options, made).await,
    }
}

/// Whether ids have come a good part of the way to a bound.
fn is_near(bound: &Bound, layout: &Layout) -> bool {
    bound.before.saturating_sub(layout.head) < FAR / 2
}

/// Step 1; once more, with a bound further off, if ids have come near one.
async fn set_bound(
    conn: &mut PgConnection,
    table: &'static Table,
    near: Option<Bound>,
    options: &AheadOptions,
    made: &mut Made,
) -> Result<Step, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        made.busy = true;
        return Ok(Step::Done);
    };
    turns::lock(&mut transaction, &table.quoted(), "SHARE UPDATE EXCLUSIVE").await?;
    let layout = Layout::read(&mut transaction, table).await?;
    let Some(default) = layout.default() else {
        transaction.rollback().await?;
        return Ok(Step::More);
    };
    let now = Bound::of(&mut transaction, default).await?;
    if now.as_ref().map(|now| &now.name) != near.as_ref().map(|near| &near.name) {
        // Another one was quicker.
        transaction.rollback().await?;
        return Ok(Step::More);
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
        let strays = strays(&mut transaction, table, default, end).await?;
        if strays > 0 {
            transaction.rollback().await?;
            return Err(Error::Setup {
                problem: format!(
                    "{} has {strays} rows of ids below {end}, for which there is no partition any \
                     more, and is too large to be converted with them",
                    default.name
                ),
                hint: format!(
                    "delete the records of {} with ids below {end}",
                    default.name
                ),
            });
        }
    }
    let before = far(&mut transaction, table, &layout, options).await?;
    let from = match layout.end() {
        Some(end) => format!("{id} >= '{end}'::bigint AND "),
        None => String::new(),
    };
    changes.push(format!(
        "ADD CONSTRAINT {} CHECK ({from}{id} < '{before}'::bigint) NOT VALID",
        quote_identifier(&format!("{SPLIT_BOUND_PREFIX}{before}"))
    ));
    let sql = Sql::new(&format!(
        "ALTER TABLE {} {}",
        default.quoted(),
        changes.join(", ")
    ));
    sql.define(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Step::More)
}

/// A bound that ids do not come to: a whole number of partitions, so that the
/// next one begins at a multiple.
async fn far(
    conn: &mut PgConnection,
    table: &'static Table,
    layout: &Layout,
    options: &AheadOptions,
) -> Result<i64, Error> {
    let far = options.end(layout.head.saturating_add(FAR));
    let last = partitions::last_id(conn, table).await?;
    if far >= last {
        return Err(Error::Setup {
            problem: format!(
                "the default partition of {table} was not converted: its ids are at {head}, and \
                 end at {last}, which is too near for {FAR} of them to be left out",
                table = table.name,
                head = layout.head,
            ),
            hint: format!("let the sequence of {}.id end later", table.name),
        });
    }
    Ok(far)
}

/// Step 2: reads the rows.
async fn validate(
    conn: &mut PgConnection,
    table: &'static Table,
    default: &Partition,
    bound: &Bound,
) -> Result<Step, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        // Whoever is at it reads for as long as it takes.
        tokio::time::sleep(Duration::from_millis(200)).await;
        return Ok(Step::More);
    };
    let sql = Sql::new(&format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {}",
        default.quoted(),
        quote_identifier(&bound.name)
    ));
    sql.define(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Step::More)
}

/// Step 3.
async fn swap(
    conn: &mut PgConnection,
    table: &'static Table,
    bound: Option<Bound>,
    options: &AheadOptions,
    made: &mut Made,
) -> Result<Step, Error> {
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        made.busy = true;
        return Ok(Step::Done);
    };
    // The table first, as everyone else does.
    turns::lock(&mut transaction, &table.quoted(), "ACCESS EXCLUSIVE").await?;
    let layout = Layout::read(&mut transaction, table).await?;
    let Some(default) = layout.default().cloned() else {
        transaction.rollback().await?;
        return Ok(Step::More);
    };
    let now = Bound::of(&mut transaction, &default).await?;
    let is_same = match (&bound, &now) {
        (Some(bound), Some(now)) => now.is_valid && now.name == bound.name,
        (None, _) => default.bytes <= options.small,
        (Some(_), None) => false,
    };
    if !is_same {
        transaction.rollback().await?;
        return Ok(Step::More);
    }
    let end = layout.end();
    let strays = match end {
        Some(end) if bound.is_none() => strays(&mut transaction, table, &default, end).await?,
        _ => 0,
    };
    let greatest = greatest(&mut transaction, table, &default).await?;
    let to = match &bound {
        Some(bound) => bound.before,
        None => options.end(greatest.max(end.unwrap_or(0))),
    };
    let name = layout.name(end.unwrap_or(0));
    let (old, new) = (
        qualified(&layout.schema, &name),
        qualified(&layout.schema, &default.name),
    );
    let quoted_name = quote_identifier(&name);
    let mut sql = Sql::new(&format!(
        "ALTER TABLE {} DETACH PARTITION {new}; ALTER TABLE {new} RENAME TO {quoted_name};",
        table.quoted()
    ));
    if let (None, Some(now)) = (&bound, &now) {
        // Left by a conversion that took the longer way.
        let constraint = quote_identifier(&now.name);
        sql.push(&format!("ALTER TABLE {old} DROP CONSTRAINT {constraint};"));
    }
    sql.define(&mut transaction).await?;
    layout.create(&mut transaction, &new).await?;
    if strays > 0 {
        let id = table.column_of(ColumnRole::Id).quoted();
        let mut sql = Sql::new(&format!("WITH gone AS (DELETE FROM {old} WHERE {id} < "));
        sql.bind(end.unwrap_or(i64::MIN))?;
        sql.push(&format!(
            " RETURNING *) INSERT INTO {new} SELECT * FROM gone"
        ));
        sql.execute(&mut transaction).await?;
    }
    let mut sql = Sql::default();
    layout.push_attach(&mut sql, &old, end, to);
    if let Some(bound) = &bound {
        // The partition says the same from here on.
        let constraint = quote_identifier(&bound.name);
        sql.push(&format!("ALTER TABLE {old} DROP CONSTRAINT {constraint};"));
    }
    sql.push(&format!(
        "ALTER TABLE {} ATTACH PARTITION {new} DEFAULT;",
        table.quoted()
    ));
    sql.define(&mut transaction).await?;
    // Where ids are to go on, there have to be partitions first.
    let head = if is_long(to, layout.head, options) {
        to
    } else {
        layout.head
    };
    let names = layout
        .make(&mut transaction, Some(to), head, options)
        .await?;
    transaction.commit().await?;
    made.converted = Some(name);
    made.partitions.extend(names);
    Ok(Step::More)
}

/// Whether a partition that takes inserts goes on for as long as only one does
/// that was a default partition.
fn is_long(to: i64, head: i64, options: &AheadOptions) -> bool {
    to.saturating_sub(head) > options.ids.max(FAR / 2)
}

/// Where ids are to go on, if they are in a partition that was the default one.
pub(super) fn skips_to(layout: &Layout, options: &AheadOptions) -> Option<i64> {
    layout
        .end_of(layout.head)
        .filter(|to| is_long(*to, layout.head, options))
}

/// Step 4: the next id is the first beyond the partition. What was given out
/// before stays where it is. Should the process be killed just before, ids go
/// on in the partition until the next call.
pub(super) async fn skip(
    conn: &mut PgConnection,
    table: &'static Table,
    options: &AheadOptions,
    made: &mut Made,
) -> Result<Step, Error> {
    // Alone: a sequence that was set forward by another one, and has given out ids since, would
    // be set back.
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        made.busy = true;
        return Ok(Step::Done);
    };
    let layout = Layout::read(&mut transaction, table).await?;
    let is_set = match skips_to(&layout, options) {
        Some(to) => partitions::set_head(&mut transaction, table, to - 1).await?,
        None => true,
    };
    transaction.commit().await?;
    if is_set {
        Ok(Step::More)
    } else {
        // Ids that the application gives itself go where they belong.
        Ok(Step::Done)
    }
}

/// Rows of the default partition whose ids are those of partitions that are
/// gone.
///
/// # Errors
///
/// [`Error::is_setup`] if there are so many that they should not be moved.
async fn strays(
    conn: &mut PgConnection,
    table: &'static Table,
    default: &Partition,
    end: i64,
) -> Result<i64, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM (SELECT FROM {} WHERE {id} < ",
        default.quoted()
    ));
    sql.bind(end)?;
    sql.push(" LIMIT ");
    sql.bind(MOVED + 1)?;
    sql.push(") AS strays");
    let strays: i64 = one(conn, sql).await?;
    match strays > MOVED {
        false => Ok(strays),
        true => Err(Error::Setup {
            problem: format!(
                "{} has more than {MOVED} rows of ids below {end}, for which there is no \
                 partition any more, and cannot be converted with them",
                default.name
            ),
            hint: format!(
                "delete the records of {} with ids below {end}",
                default.name
            ),
        }),
    }
}

async fn greatest(
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
