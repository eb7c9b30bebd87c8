//! What retention would take: worked out once, shown or carried out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::partitions::{self, Partition};
use crate::db::Sql;
use crate::db::one;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::{self, sealed_until};

/// How long, and how much, the records of a table are kept. What is `None` is
/// no reason for any to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Records go that were made longer ago than this (`created_at`); of a
    /// partitioned table whole partitions, once all of their records are older.
    /// What is in one with newer records goes record by record, as soon as some
    /// of it is a tenth older than this: no record is kept for longer, and where
    /// records come fast, none is deleted that goes with its partition soon.
    pub older_than: Option<Duration>,
    /// The oldest partitions go while the table has more bytes than this, with
    /// its indexes and what search keeps about it. For partitioned tables only.
    pub larger_than: Option<u64>,
    /// Softly deleted records go that were deleted longer ago than this.
    pub deleted_older_than: Option<Duration>,
}

impl Policy {
    /// Whether there is no reason for any record to go.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A record may be older than is said by such a part of it.
const LATE: u32 = 10;

/// What retention takes, or would take, of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// The table.
    pub table: &'static str,
    /// Partitions that are dropped, the oldest first.
    pub partitions: Vec<Dropped>,
    /// Records that are deleted because of their age, in no partition or in one
    /// that stays.
    pub older_rows: u64,
    /// Softly deleted records that are deleted for good, in other partitions.
    pub deleted_rows: u64,
    pub(super) of: Of,
}

/// What a retention was worked out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Of {
    pub(super) created_before: Option<DateTime<Utc>>,
    pub(super) deleted_before: Option<DateTime<Utc>>,
    /// The newest record there was.
    pub(super) head: i64,
    /// Segments say that they have records that are overdue: whether these go, or
    /// went before without being told to them.
    pub(super) is_overdue: bool,
}

/// A partition that is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Its name.
    pub name: String,
    /// Its records, softly deleted ones too; those of a sealed partition as
    /// they were counted when it was sealed.
    pub rows: u64,
    /// What it has on disk, with its indexes.
    pub bytes: u64,
    /// Whether all of its records are too old; else it goes for its size.
    pub is_old: bool,
    pub(super) partition: Partition,
}

impl Retention {
    /// All records that go.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|p| p.rows).sum::<u64>() + self.older_rows + self.deleted_rows
    }

    /// Bytes that are free on the disk afterwards. Those of records that are
    /// deleted one by one are used by later ones of the same table.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|p| p.bytes).sum()
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0 && self.partitions.is_empty()
    }
}

/// Works out what goes of a table by this policy at this time, which is
/// [`retention_now`] unless it is a question of what would be. Nothing is
/// changed.
///
/// The partition that takes inserts stays, and those made ahead of need, and
/// the default partition; what is old in them goes record by record, see
/// [`Policy::older_than`].
///
/// # Errors
///
/// [`Error::is_invalid`] for [`Policy::larger_than`] and a table without
/// partitions; those of the database.
pub async fn plan_retention(
    conn: &mut PgConnection,
    table: &'static Table,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Retention, Error> {
    let before = |age: Option<Duration>| {
        age.and_then(|age| chrono::TimeDelta::from_std(age).ok())
            .and_then(|age| now.checked_sub_signed(age))
    };
    let of = Of {
        created_before: before(policy.older_than),
        deleted_before: before(policy.deleted_older_than),
        head: partitions::head(conn, table).await?,
        is_overdue: false,
    };
    // Sizes take longest to look up, and are compared for one reason only.
    let partitions = partitions::partitioned(conn, table, policy.larger_than.is_some()).await?;
    if policy.larger_than.is_some() && partitions.is_none() {
        let problem = format!("is for partitioned tables, and {} is not", table.name);
        return Err(Error::invalid_field(table.name, "larger_than", problem));
    }
    let mut retention = Retention {
        table: table.name,
        partitions: Vec::new(),
        older_rows: 0,
        deleted_rows: 0,
        of,
    };
    let sealed = sealed_until(conn, table).await?;
    if let Some(partitions) = partitions {
        retention.partitions = leaving(conn, table, partitions, policy, &of, sealed).await?;
        let latest = policy.older_than.map(|age| age.saturating_add(age / LATE));
        if let (Some(cutoff), Some(overdue)) = (of.created_before, before(latest))
            && has_older(conn, table, overdue, sealed, &retention).await?
        {
            retention.older_rows = count_older(conn, table, cutoff, &retention).await?;
            retention.of.is_overdue = true;
        }
    } else if let Some(cutoff) = of.created_before {
        retention.older_rows = count_older(conn, table, cutoff, &retention).await?;
    }
    retention.deleted_rows = count_deleted(conn, table, &retention).await?;
    Ok(retention)
}

/// The partitions that go.
async fn leaving(
    conn: &mut PgConnection,
    table: &'static Table,
    partitions: Vec<Partition>,
    policy: &Policy,
    of: &Of,
    sealed: Option<i64>,
) -> Result<Vec<Dropped>, Error> {
    let mut left: u64 = partitions.iter().map(|partition| partition.bytes).sum();
    if policy.larger_than.is_some() {
        left += summaries(conn, table, None).await?;
    }
    let mut leaving = Vec::new();
    for mut partition in partitions {
        // Those that take inserts, or will.
        if partition.is_default || partition.to.is_none_or(|to| to > of.head) {
            continue;
        }
        let is_old = match of.created_before {
            Some(cutoff) => !has_newer(conn, table, &partition, cutoff).await?,
            None => false,
        };
        let is_too_much = policy.larger_than.is_some_and(|most| left > most);
        if !is_old && !is_too_much {
            continue;
        }
        left = left.saturating_sub(partition.bytes);
        if policy.larger_than.is_some() {
            left = left.saturating_sub(summaries(conn, table, Some(&partition)).await?);
        }
        if policy.larger_than.is_none() {
            partition.bytes = partitions::bytes(conn, &partition).await?;
        }
        leaving.push(Dropped {
            name: partition.name.clone(),
            rows: rows(conn, table, &partition, sealed).await?,
            bytes: partition.bytes,
            is_old,
            partition,
        });
    }
    Ok(leaving)
}

/// Whether a partition has a record that was made at this time or later. Of a
/// finished one the planner knows; in others an index helps, or all is read.
pub(super) async fn has_newer(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
    cutoff: DateTime<Utc>,
) -> Result<bool, Error> {
    let mut sql = Sql::new(&format!(
        "SELECT EXISTS (SELECT FROM {} WHERE {} >= ",
        // By its table: constraints are looked at for the sake of partitions only.
        table.quoted(),
        table.column_of(ColumnRole::CreatedAt).quoted()
    ));
    sql.bind(cutoff)?;
    push_ids(&mut sql, table, partition)?;
    sql.push(")");
    one(conn, sql).await
}

/// ` AND id is of the partition`.
pub(super) fn push_ids(
    sql: &mut Sql,
    table: &'static Table,
    partition: &Partition,
) -> Result<(), Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    if let Some(from) = partition.from {
        sql.push(&format!(" AND {id} >= "));
        sql.bind(from)?;
    }
    if let Some(to) = partition.to {
        sql.push(&format!(" AND {id} < "));
        sql.bind(to)?;
    }
    Ok(())
}

/// How many records a partition has: as its segments say if they are of it
/// alone, else counted.
async fn rows(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
    sealed: Option<i64>,
) -> Result<u64, Error> {
    if let (Some(to), true) = (partition.to, partition.is_sealed(sealed)) {
        let mut sql = Sql::default();
        let from = sql.argument(partition.first())?;
        let to = sql.argument(to)?;
        sql.push(&format!(
            "SELECT coalesce(sum(rows), 0)::bigint AS rows, \
             coalesce(bool_and(first_id >= {from} AND last_id < {to}), false) AS own \
             FROM sealed_segments WHERE deleted_at IS NULL AND last_id >= {from} \
             AND first_id < {to} AND target = "
        ));
        sql.bind(table.name)?;
        if let Some(row) = sql.fetch_optional(conn).await?
            && row.try_get("own")?
        {
            return Ok(row.try_get::<i64, _>("rows")?.unsigned_abs());
        }
    }
    // By its table: who may read that need not have rights on its partitions.
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM {} WHERE true",
        table.quoted()
    ));
    push_ids(&mut sql, table, partition)?;
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// What search keeps about a partition, or all of them, in bytes of its rows.
pub(super) async fn summaries(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: Option<&Partition>,
) -> Result<u64, Error> {
    let mut sql = Sql::default();
    let size = |name: &str, of: &str| {
        format!("(SELECT coalesce(sum(pg_column_size(s.*)), 0) FROM {name} AS s WHERE {of})")
    };
    let mut sizes: Vec<String> = Vec::new();
    let of = match partition {
        Some(partition) => partition.summaries(&mut sql, table)?,
        None => {
            let target = sql.argument(table.name)?;
            let all = format!("target = {target}");
            // Templates are of all partitions.
            sizes.push(size(super::TEMPLATES, &all));
            // What an earlier retention has left is about to go, and no reason for others to.
            format!("{all} AND last_id >= {}", index::sealed_from(&target))
        }
    };
    sizes.extend(super::SUMMARIES.iter().map(|name| size(name, &of)));
    sql.push(&format!("SELECT ({})::bigint", sizes.join(" + ")));
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Whether there are records in what stays that were made before this time. Of
/// sealed ones their segments know. Of others, beyond and before these, the first is
/// looked at: one that was made before it, and came after it, is known of once it
/// is sealed.
async fn has_older(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    sealed: Option<i64>,
    retention: &Retention,
) -> Result<bool, Error> {
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    sql.push(&format!(
        "SELECT EXISTS (SELECT FROM sealed_segments \
         WHERE deleted_at IS NULL AND target = {target} AND oldest < {cutoff}"
    ));
    push_kept_segments(&mut sql, retention)?;
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    match sealed {
        Some(sealed) => {
            sql.push(&format!(
                ") OR coalesce((SELECT {created_at} FROM {from} WHERE {id} > "
            ));
            sql.bind(sealed)?;
            push_kept(&mut sql, table, retention)?;
            sql.push(&format!(
                " ORDER BY {id} LIMIT 1) < {cutoff}, FALSE) \
                 OR coalesce((SELECT {created_at} FROM {from} WHERE {id} < {}",
                index::sealed_from(&target)
            ));
            push_kept(&mut sql, table, retention)?;
            sql.push(&format!(" ORDER BY {id} LIMIT 1) < {cutoff}, FALSE)"));
        }
        None => {
            sql.push(&format!(
                ") OR EXISTS (SELECT FROM {from} WHERE {created_at} < {cutoff}"
            ));
            push_kept(&mut sql, table, retention)?;
            sql.push(")");
        }
    }
    one(conn, sql).await
}

/// Records in what stays that were made before this time.
async fn count_older(
    conn: &mut PgConnection,
    table: &'static Table,
    cutoff: DateTime<Utc>,
    retention: &Retention,
) -> Result<u64, Error> {
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM {} WHERE {} < ",
        table.quoted(),
        table.column_of(ColumnRole::CreatedAt).quoted()
    ));
    sql.bind(cutoff)?;
    push_kept(&mut sql, table, retention)?;
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Softly deleted records that go for that alone.
async fn count_deleted(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
) -> Result<u64, Error> {
    let Some(cutoff) = retention.of.deleted_before else {
        return Ok(0);
    };
    let mut sql = Sql::new(&format!(
        "SELECT count(*) FROM {} WHERE {} < ",
        table.quoted(),
        table.column_of(ColumnRole::DeletedAt).quoted()
    ));
    sql.bind(cutoff)?;
    if let Some(cutoff) = retention.of.created_before
        && retention.older_rows > 0
    {
        sql.push(&format!(
            " AND {} >= ",
            table.column_of(ColumnRole::CreatedAt).quoted()
        ));
        sql.bind(cutoff)?;
    }
    push_kept(&mut sql, table, retention)?;
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// ` AND id is of no partition that goes`.
fn push_kept(sql: &mut Sql, table: &'static Table, retention: &Retention) -> Result<(), Error> {
    for (from, to) in merged(&retention.partitions) {
        sql.push(&format!(
            " AND NOT ({} BETWEEN ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(from)?;
        sql.push(" AND ");
        sql.bind(to)?;
        sql.push(")");
    }
    Ok(())
}

/// ` AND not all of the segment is of a partition that goes`.
fn push_kept_segments(sql: &mut Sql, retention: &Retention) -> Result<(), Error> {
    for (from, to) in merged(&retention.partitions) {
        sql.push(" AND NOT (first_id >= ");
        sql.bind(from)?;
        sql.push(" AND last_id <= ");
        sql.bind(to)?;
        sql.push(")");
    }
    Ok(())
}

/// The ids of partitions, those that follow each other as one range.
fn merged(partitions: &[Dropped]) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for dropped in partitions {
        let first = dropped.partition.first();
        let last = dropped.partition.to.map_or(i64::MAX, |to| to - 1);
        match ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
            _ => ranges.push((first, last)),
        }
    }
    ranges
}

/// When the oldest record was made that stays; `None` if none does. Of sealed
/// records, as it was when they were sealed; what is not sealed is read for it.
///
/// # Errors
///
/// Those of the database.
pub async fn oldest_kept(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
) -> Result<Option<DateTime<Utc>>, Error> {
    // Segments may not know yet what has gone.
    let by_age = retention.older_rows > 0 || retention.of.is_overdue;
    let sealed = sealed_until(conn, table).await?;
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT min({created_at}) FROM {} WHERE true",
        table.quoted()
    ));
    if let Some(sealed) = sealed {
        sql.push(&format!(
            " AND {} > ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(sealed)?;
    }
    if let (Some(cutoff), true) = (retention.of.created_before, by_age) {
        sql.push(&format!(" AND {created_at} >= "));
        sql.bind(cutoff)?;
    }
    if let Some(cutoff) = retention.of.deleted_before {
        let deleted_at = table.column_of(ColumnRole::DeletedAt).quoted();
        sql.push(&format!(" AND ({deleted_at} IS NULL OR {deleted_at} >= "));
        sql.bind(cutoff)?;
        sql.push(")");
    }
    push_kept(&mut sql, table, retention)?;
    let hot: Option<DateTime<Utc>> = one(conn, sql).await?;
    let mut sql =
        Sql::new("SELECT min(oldest) FROM sealed_segments WHERE deleted_at IS NULL AND target = ");
    sql.bind(table.name)?;
    push_kept_segments(&mut sql, retention)?;
    let mut straddling = None;
    if let (Some(cutoff), true) = (retention.of.created_before, by_age) {
        sql.push(" AND oldest >= ");
        sql.bind(cutoff)?;
        straddling = oldest_of_straddling(conn, table, retention, cutoff).await?;
    }
    let sealed: Option<DateTime<Utc>> = one(conn, sql).await?;
    Ok(hot.into_iter().chain(sealed).chain(straddling).min())
}

/// When the oldest record was made that stays, of segments with records of which
/// some stay and some go for their age.
async fn oldest_of_straddling(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    cutoff: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut sql = Sql::default();
    let (target, cutoff) = (sql.argument(table.name)?, sql.argument(cutoff)?);
    sql.push(&format!(
        "SELECT min(r.made) FROM sealed_segments CROSS JOIN LATERAL (\
           SELECT min({created_at}) AS made FROM {from} \
           WHERE {id} BETWEEN first_id AND last_id AND {created_at} >= {cutoff}) AS r \
         WHERE deleted_at IS NULL AND target = {target} AND oldest < {cutoff} AND newest >= {cutoff}",
        created_at = table.column_of(ColumnRole::CreatedAt).quoted(),
        from = table.quoted(),
        id = table.column_of(ColumnRole::Id).quoted(),
    ));
    push_kept_segments(&mut sql, retention)?;
    one(conn, sql).await
}
