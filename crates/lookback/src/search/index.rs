//! Sealing: what makes a search of many records fast, without an index on any of
//! them.
//!
//! Records land in a table that has no search index, and a search reads the
//! newest of them one by one. What is behind is *sealed*, segment by segment: a
//! range of ids is summarised, in one transaction, into
//!
//! - [`SearchKind`](crate::SearchKind)s: how many records have each
//!   [`SearchTemplate`](crate::SearchTemplate), and the newest of them. Templates
//!   are the distinct texts of the table, up to numbers and ids, with their
//!   vectors. A search compares these, and reads the newest records of those that
//!   have its words or are near.
//! - [`SearchBlock`](crate::SearchBlock)s: which numbers and ids a few hundred
//!   records that follow each other have among them. A search reads the records
//!   of the blocks that may have its own.
//! - a [`SealedSegment`](crate::SealedSegment), which says that it is done.
//!
//! A summary is never the last word: it may name too many records and never too
//! few, and each record is read and compared before it is a hit. So deleting a
//! record needs nothing, and changing its text adds to the summaries
//! (`index/changes.rs`). Why no trigram index and no HNSW:
//! `docs/decisions/0010-sealed-segments.md`.

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
pub use compaction::compact;
pub(crate) use corruption::{damaged, of_summaries};
pub(crate) use orphans::{forget_gone, forget_segments, has_gone, is_left, sealed_from};
pub(crate) use postings::{LISTED, NEWEST};
pub use sealer::{DEFAULT_SEGMENT, Sealer, Step};

/// Forgets all summaries of a table: all of its records count as new, until
/// they are sealed again.
///
/// # Errors
///
/// Those of the database.
pub async fn forget(conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
    let mut together = TransactionScope::begin(conn).await?;
    lock(together.conn(), table, Lock::AloneAtLast).await?;
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let deleting = orphans::deleting_segments(&target, "TRUE");
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
    /// Beside others that do; waits for a segment that is being sealed.
    Shared,
    /// Alone, or not at all.
    Alone,
    /// Alone, as soon as nobody else has it.
    AloneAtLast,
}

/// Takes the lock of the summaries of a table until the transaction ends, and
/// tells whether it has it. Locks of transactions work through poolers, too.
async fn lock(conn: &mut PgConnection, table: &'static Table, how: Lock) -> Result<bool, Error> {
    let take = match how {
        Lock::Shared => "pg_advisory_xact_lock_shared({}) IS NOT NULL",
        Lock::Alone => "pg_try_advisory_xact_lock({})",
        Lock::AloneAtLast => "pg_advisory_xact_lock({}) IS NOT NULL",
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

/// The least and the greatest id that are sealed.
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

/// The greatest id that is sealed.
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
