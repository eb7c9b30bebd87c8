//! Sealing: summaries that make a search of many records fast without an index
//! on rows.
//!
//! Records are inserted into a table without a search index, and a search reads
//! the newest of them row by row. Older records are *sealed* in segments: one
//! transaction summarises a range of ids in
//!
//! - postings ([`SearchKind`](crate::SearchKind)): how many records have each
//!   [`SearchTemplate`](crate::SearchTemplate), and the newest of them.
//!   Templates are the distinct texts of the table without their numbers and
//!   ids, with their vectors. A search compares these, and reads the newest
//!   records of those that contain its words or are near.
//! - blocks ([`SearchBlock`](crate::SearchBlock)): Bloom filters of the numbers
//!   and ids in a few hundred consecutive records. A search reads the records
//!   of the blocks that may contain its own.
//! - a [`SealedSegment`](crate::SealedSegment), which marks the range as
//!   sealed.
//!
//! A summary may name too many records and never too few, and each record is
//! read and compared before it is a hit. So deleting a record changes no
//! summary, and changing its text adds to them ([`changes`]).
//! `docs/decisions/0010-sealed-segments.md` explains why there is no trigram
//! index and no HNSW.
//!
//! In reading order: [`templates`] and [`bloom_filter`] define what is kept of
//! a text (pure); [`postings`] are stored lists of ids, [`postings_builder`]
//! and [`summary`] collect a segment, and [`sealer`] seals it. [`compaction`]
//! merges postings, [`orphans`] purges what retention left, [`corruption`]
//! reports summaries that another program changed.

use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::db::TransactionScope;
use crate::error::Error;
use crate::model::Table;

pub(crate) mod bloom_filter;
mod changes;
mod compaction;
mod corruption;
mod orphans;
mod postings;
mod postings_builder;
mod sealer;
mod summary;
pub(crate) mod templates;

pub(crate) use changes::Changes;
pub use compaction::merge_postings;
pub(crate) use corruption::{corruption, map_summary_error};
pub(crate) use orphans::{
    delete_segments, first_sealed_id, has_orphans, has_orphans_below, purge_orphans,
};
pub(crate) use postings::{FULL_POSTING, NEWEST_IDS};
pub use sealer::{DEFAULT_SEGMENT, SealStep, Sealer};

/// Deletes all summaries of a table: its records are unsealed until they are
/// sealed again.
pub async fn unseal(conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
    let mut together = Together::begin(conn).await?;
    lock(together.conn(), table, Lock::Exclusive).await?;
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let deleting = orphans::delete_segments_ctes(&target, "TRUE");
    sql.push(&format!(
        "WITH {deleting} SELECT count(*) FROM gone_segments"
    ));
    sql.execute(together.conn()).await?;
    for summaries in ["search_blocks", "search_kinds", "search_templates"] {
        let mut sql = Sql::new(&format!("DELETE FROM {summaries} WHERE target = "));
        sql.bind(table.name)?;
        sql.execute(together.conn()).await?;
    }
    Ok(together.commit().await?)
}

/// How a transaction takes the lock of a table's summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    /// Shared with others; waits while a segment is being sealed.
    Shared,
    /// Exclusive, or not at all.
    TryExclusive,
    /// Exclusive; waits for others.
    Exclusive,
}

/// Takes the lock of a table's summaries until the transaction ends, and
/// returns whether it has it. Transaction-level locks work through poolers,
/// too.
async fn lock(conn: &mut PgConnection, table: &'static Table, how: Lock) -> Result<bool, Error> {
    let take = match how {
        Lock::Shared => "pg_advisory_xact_lock_shared({}) IS NOT NULL",
        Lock::TryExclusive => "pg_try_advisory_xact_lock({})",
        Lock::Exclusive => "pg_advisory_xact_lock({}) IS NOT NULL",
    };
    let mut sql = Sql::default();
    let name = sql.argument(format!("lookback seal {}", table.name))?;
    let key = format!("hashtextextended({name} || ' ' || coalesce(current_schema(), ''), 0)");
    sql.push(&format!("SELECT {} AS locked", take.replace("{}", &key)));
    let row = sql.fetch_optional(conn).await?;
    Ok(match row {
        Some(row) => row.try_get("locked")?,
        None => false,
    })
}

/// Returns the least and the greatest sealed id.
async fn sealed(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<(i64, i64)>, Error> {
    let mut sql = Sql::new(
        "SELECT min(first_id) AS first_id, max(last_id) AS last_id \
         FROM sealed_segments WHERE deleted_at IS NULL AND target = ",
    );
    sql.bind(table.name)?;
    let Some(row) = sql.fetch_optional(conn).await? else {
        return Ok(None);
    };
    let (first, last) = (row.try_get("first_id")?, row.try_get("last_id")?);
    Ok(Option::zip(first, last))
}

/// Returns the greatest sealed id.
pub(crate) async fn sealed_until(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new(
        "SELECT max(last_id) AS last_id FROM sealed_segments WHERE deleted_at IS NULL AND target = ",
    );
    sql.bind(table.name)?;
    let row = sql.fetch_optional(conn).await?;
    Ok(row.map(|row| row.try_get("last_id")).transpose()?.flatten())
}
