//! Why records stay that a policy has a reason against.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::partitions::{self, Partition};
use super::plan::{Policy, Retention, push_ids, summaries};
use crate::db::Sql;
use crate::db::row;
use crate::error::Error;
use crate::model::{ColumnRole, Table};

/// A partition that stays as a whole, though a [`Policy`] has a reason for some
/// of its records to go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Staying {
    /// Its name.
    pub name: String,
    /// Why it stays.
    pub why: Why,
    /// When the oldest of its records was made that are too old; `None` if none
    /// is, and the table is too large.
    pub oldest: Option<DateTime<Utc>>,
}

/// Why a partition stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// It is the default partition, which is never dropped;
    /// [`make_ahead`](super::make_ahead) makes another partition of it.
    IsDefault,
    /// The newest id is in it.
    #[non_exhaustive]
    TakesInserts {
        /// The first id beyond it.
        to: Option<i64>,
    },
    /// It has records that are not too old, too.
    HasNewer,
}

impl Why {
    /// The reason in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::IsDefault => "default",
            Self::TakesInserts { .. } => "takes_inserts",
            Self::HasNewer => "has_newer",
        }
    }
}

/// The partitions that a [`Retention`] leaves, though they have records older than
/// the policy says, or though the table is larger; those made ahead of need apart.
/// None where old records go one by one, and for a table that is not partitioned.
///
/// # Errors
///
/// As [`partitions`](super::partitions()); those of the database.
pub async fn staying(
    conn: &mut PgConnection,
    table: &'static Table,
    policy: &Policy,
    retention: &Retention,
) -> Result<Vec<Staying>, Error> {
    if retention.older_rows > 0 {
        return Ok(Vec::new());
    }
    let Some(mut partitions) = partitions::partitioned(conn, table, true).await? else {
        return Ok(Vec::new());
    };
    partitions.retain(|kept| {
        !retention
            .partitions
            .iter()
            .any(|gone| gone.name == kept.name)
    });
    let is_too_large = match policy.larger_than {
        Some(most) => {
            let bytes: u64 = partitions.iter().map(|partition| partition.bytes).sum();
            bytes + summaries(conn, table, None).await? > most
        }
        None => false,
    };
    let mut staying = Vec::new();
    for partition in partitions {
        let is_ahead = partition.first() > retention.of.head;
        let (oldest, has_records) = match is_ahead && !partition.is_default {
            true => continue,
            false => oldest(conn, table, &partition, retention.of.created_before).await?,
        };
        if oldest.is_none() && !(is_too_large && has_records) {
            continue;
        }
        let why = match (partition.is_default, partition.to) {
            (true, _) => Why::IsDefault,
            (false, to) if to.is_none_or(|to| to > retention.of.head) => Why::TakesInserts { to },
            (false, _) => Why::HasNewer,
        };
        staying.push(Staying {
            name: partition.name,
            why,
            oldest,
        });
    }
    Ok(staying)
}

/// When the oldest of the records was made that are too old, if there are any; and
/// whether it has, or had, records.
async fn oldest(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
    cutoff: Option<DateTime<Utc>>,
) -> Result<(Option<DateTime<Utc>>, bool), Error> {
    let mut sql = Sql::new("SELECT coalesce(pg_relation_size(to_regclass(");
    sql.bind(partition.quoted())?;
    sql.push(")), 0) > 0 AS has_records");
    let has_records: bool = row(conn, sql).await?.try_get("has_records")?;
    if !has_records || cutoff.is_none() {
        return Ok((None, has_records));
    }
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    // By its table: who may read that need not have rights on its partitions.
    let mut sql = Sql::new(&format!(
        "SELECT min({created_at}) AS oldest FROM {} WHERE {created_at} < ",
        table.quoted()
    ));
    sql.bind(cutoff)?;
    match partition.is_default {
        true => {
            sql.push(" AND tableoid = to_regclass(");
            sql.bind(partition.quoted())?;
            sql.push(")");
        }
        false => push_ids(&mut sql, table, partition)?,
    }
    Ok((row(conn, sql).await?.try_get("oldest")?, has_records))
}
