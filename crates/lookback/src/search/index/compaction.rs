//! Compaction: merging the postings of many segments.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::{PgConnection, Row as _};

use super::orphans::{first_sealed_id, purge_all_orphans};
use super::postings::{Posting, store};
use super::postings_builder::purge_unused_templates;
use super::rollups::merge_ranges;
use super::sealer::MAX_SEGMENT_IDS;
use super::{Lock, lock, map_summary_error};
use crate::db::Sql;
use crate::db::TransactionScope;
use crate::error::Error;
use crate::model::Table;

/// Merges the postings of each template within a range of ids, purges orphans
/// and unused templates, and returns the number of postings before and after.
///
/// A search finds the same and reads fewer postings. Returns `None`, having
/// done nothing, while another process is sealing the table.
///
/// # Errors
///
/// Those of the database.
pub async fn merge_postings(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<Option<(u64, u64)>, Error> {
    let mut transaction = TransactionScope::begin(conn).await?;
    if !lock(transaction.conn(), table, Lock::TryExclusive).await? {
        return Ok(None);
    }
    purge_all_orphans(transaction.conn(), table).await?;
    let merged = merge_range(transaction.conn(), table, first_id, last_id).await;
    let merged = merged.map_err(|error| map_summary_error(table, error))?;
    purge_unused_templates(transaction.conn(), table.name).await?;
    merge_ranges(transaction.conn(), table, first_id, last_id).await?;
    transaction.commit().await?;
    Ok(Some(merged))
}

/// Merges postings in a transaction that has the lock, a slice of ids at a
/// time.
///
/// Merged here and not by the server, which has no statistics on rows that were
/// just stored, and would compare each posting with each.
pub(super) async fn merge_range(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(u64, u64), Error> {
    let (mut before, mut after, mut next) = (0, 0, Some(first_id));
    while let Some(from) = next {
        // Skips gaps in the ids.
        let Some(first) = first_posting(conn, table, from, last_id).await? else {
            break;
        };
        let last = first.saturating_add(MAX_SEGMENT_IDS - 1).min(last_id);
        let (were, are) = merge_slice(conn, table, first, last).await?;
        (before, after) = (before + were, after + are);
        next = last.checked_add(1);
    }
    Ok((before, after))
}

/// Returns the first id of the first posting in a range.
async fn first_posting(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new("SELECT min(first_id) AS first_id FROM search_postings WHERE target = ");
    sql.bind(table.name)?;
    sql.push(" AND first_id BETWEEN ");
    sql.bind(first_id)?;
    sql.push(" AND ");
    sql.bind(last_id)?;
    let row = sql.fetch_optional(conn).await?;
    Ok(row
        .map(|row| row.try_get("first_id"))
        .transpose()?
        .flatten())
}

async fn merge_slice(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(u64, u64), Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let (first, last) = (sql.argument(first_id)?, sql.argument(last_id)?);
    sql.push(&format!(
        "DELETE FROM search_postings \
         WHERE target = {target} AND first_id BETWEEN {first} AND {last} AND last_id <= {last} \
           AND last_id >= {from} \
         RETURNING template_id, first_id, last_id, rows, newest_ids",
        // Excludes orphans: see `orphans.rs`.
        from = first_sealed_id(&target),
    ));
    let mut merged: HashMap<i64, Posting> = HashMap::new();
    let mut before = 0;
    let mut rows = sql.fetch(&mut *conn);
    while let Some(row) = std::future::poll_fn(|context| rows.as_mut().poll_next(context)).await {
        let row = row?;
        let part = Posting::new(
            row.try_get("template_id")?,
            [row.try_get("first_id")?, row.try_get("last_id")?],
            row.try_get("rows")?,
            row.try_get("newest_ids")?,
        );
        before += 1;
        match merged.entry(part.template_id) {
            Entry::Occupied(mut entry) => entry.get_mut().add(part),
            Entry::Vacant(entry) => {
                entry.insert(part);
            }
        }
    }
    drop(rows);
    let mut merged: Vec<Posting> = merged.into_values().collect();
    merged.sort_unstable_by_key(|posting| posting.first_id);
    let after = merged.len() as u64;
    store(conn, table.name, merged).await?;
    Ok((before, after))
}
