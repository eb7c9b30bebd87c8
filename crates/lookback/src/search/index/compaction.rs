//! The kinds of many segments as those of one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::{PgConnection, Row as _};

use super::orphans::forget_all_gone;
use super::postings::{Listed, store};
use super::postings_builder::forget_unused;
use super::sealer::MOST_IDS;
use super::{Lock, lock, of_summaries, sealed_from};
use crate::db::Sql;
use crate::db::TransactionScope;
use crate::error::Error;
use crate::model::Table;

/// Makes one kind of all that have the same template and lie within a range of
/// ids, forgets what is left of records that retention took and templates that
/// no kind has, and returns how many kinds there were and are. What a search finds
/// stays the same; it reads fewer kinds. Returns `None`, having done nothing, while
/// another process is sealing the table.
///
/// # Errors
///
/// Those of the database.
pub async fn compact(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<Option<(u64, u64)>, Error> {
    let mut together = TransactionScope::begin(conn).await?;
    if !lock(together.conn(), table, Lock::Alone).await? {
        return Ok(None);
    }
    forget_all_gone(together.conn(), table).await?;
    let merged = merge(together.conn(), table, first_id, last_id).await;
    let merged = merged.map_err(|error| of_summaries(table, error))?;
    forget_unused(together.conn(), table.name).await?;
    together.commit().await?;
    Ok(Some(merged))
}

/// As [`compact`], in a transaction that has the lock, for so many ids at a time.
///
/// Put together here and not by the server, which knows nothing about what was
/// stored a moment ago, and would compare each kind with each.
pub(super) async fn merge(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(u64, u64), Error> {
    let (mut before, mut after, mut next) = (0, 0, Some(first_id));
    while let Some(from) = next {
        // Where ids were left out there is nothing to read.
        let Some(first) = first_kind(conn, table, from, last_id).await? else {
            break;
        };
        let last = first.saturating_add(MOST_IDS - 1).min(last_id);
        let (were, are) = merge_slice(conn, table, first, last).await?;
        (before, after) = (before + were, after + are);
        next = last.checked_add(1);
    }
    Ok((before, after))
}

/// Where the first kind begins of a range.
async fn first_kind(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new("SELECT min(first_id) AS first_id FROM search_kinds WHERE target = ");
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
        "DELETE FROM search_kinds \
         WHERE target = {target} AND first_id BETWEEN {first} AND {last} AND last_id <= {last} \
           AND last_id >= {from} \
         RETURNING template_id, first_id, last_id, rows, newest_ids",
        // Of records that are gone, none: see `gone.rs`.
        from = sealed_from(&target),
    ));
    let mut merged: HashMap<i64, Listed> = HashMap::new();
    let mut before = 0;
    let mut rows = sql.fetch(&mut *conn);
    while let Some(row) = std::future::poll_fn(|context| rows.as_mut().poll_next(context)).await {
        let row = row?;
        let part = Listed::new(
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
    let mut merged: Vec<Listed> = merged.into_values().collect();
    merged.sort_unstable_by_key(|kind| kind.first_id);
    let after = merged.len() as u64;
    store(conn, table.name, merged).await?;
    Ok((before, after))
}
