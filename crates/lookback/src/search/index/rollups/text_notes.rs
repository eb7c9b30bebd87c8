//! Which texts segments know: the partitions and columns that they were read from, and notes of
//! what changed since.
//!
//! The trigger writes a row with the amount 0 for a record with another text or id, and for one
//! that is deleted. A segment counts as known while its partitions and columns are as they were.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, Row as _};

use super::counting::{MIN_GAP_LIMIT, RECORDS_PER_GAP};
use super::trigger::is_trigger_current;
use super::{Names, may_write, watched_partitions};
use crate::db::{Sql, one};
use crate::error::Error;
use crate::model::{Table, literal};
use crate::search::index::{Lock, lock};

/// The query of the identities that the segments of a table may know: its partitions, and its
/// search fields with their places, types and values. They change if a column gets another's
/// name.
pub(crate) fn known_identities(table: &'static Table) -> String {
    let names = table
        .search
        .iter()
        .map(|place| literal(table.columns[*place].name));
    format!(
        "SELECT identity FROM ({watched}) AS watched \
         UNION ALL SELECT 'search ' || coalesce(string_agg(concat_ws(' ', d.name, a.attnum, a.atttypid, \
           (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum AS e \
            WHERE e.enumtypid = a.atttypid)), ', ' ORDER BY d.place), '') \
         FROM unnest(ARRAY[{names}]::text[]) WITH ORDINALITY AS d(name, place) \
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = {regclass} AND a.attname = d.name \
           AND NOT a.attisdropped",
        watched = watched_partitions(table),
        names = names.collect::<Vec<_>>().join(", "),
        regclass = Names::of(table).regclass,
    )
}

/// The partitions whose changes are noted: their object ids, and what identifies each.
#[derive(Debug, Default)]
pub(in crate::search::index) struct WatchedPartitions {
    identities: BTreeMap<i64, String>,
    /// What is known of the columns.
    columns: Vec<String>,
}

impl WatchedPartitions {
    pub(in crate::search::index) fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// Returns what a segment knows with records in these partitions; `None` if one of them is
    /// not watched.
    pub(in crate::search::index) fn known(
        &self,
        partitions: &BTreeSet<i64>,
    ) -> Option<Vec<String>> {
        let of = |partition| self.identities.get(partition).cloned();
        let known: Option<Vec<String>> = partitions.iter().map(of).collect();
        let known = known.filter(|_| !self.is_empty())?;
        Some(known.into_iter().chain(self.columns.clone()).collect())
    }
}

/// Returns the partitions of a table whose changes are noted from now on; none if the role may
/// not read the notes, or another version of the library made the trigger.
pub(in crate::search::index) async fn watch(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<WatchedPartitions, Error> {
    let is_noted =
        table.rollup.is_some() && may_write(conn).await? && is_trigger_current(conn, table).await?;
    if !is_noted {
        return Ok(WatchedPartitions::default());
    }
    let sql = Sql::new(&format!(
        "SELECT w.oid::bigint, k.identity FROM ({}) AS k LEFT JOIN ({}) AS w USING (identity)",
        known_identities(table),
        watched_partitions(table)
    ));
    let mut watched = WatchedPartitions::default();
    for row in sql.fetch_all(conn).await? {
        let identity = row.try_get(1)?;
        match row.try_get(0)? {
            Some(partition) => drop(watched.identities.insert(partition, identity)),
            None => watched.columns.push(identity),
        }
    }
    Ok(watched)
}

/// The number of notes of changed texts from which their ids are taken out of the segments,
/// and the most at once.
const MAX_TEXT_NOTES: i64 = 1_000;
const TEXT_NOTES_AT_ONCE: i64 = 50_000;

/// Returns whether notes are many: their ids are then taken out of the segments.
pub(super) async fn has_many_text_notes(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<bool, Error> {
    let mut sql = Sql::new("SELECT count(*) > ");
    sql.bind(MAX_TEXT_NOTES)?;
    sql.push(" FROM rollup_corrections WHERE amount = 0 AND record_id IS NOT NULL AND target = ");
    sql.bind(table.name)?;
    one(conn, sql).await
}

/// Takes the ids of records whose text changed, or that were deleted, out of the segments that
/// know them; returns whether there were any.
///
/// Such a record is read from then on, like any other that no segment knows. The lock of the
/// summaries keeps out a step of sealing, whose segment may be of such ids.
pub(super) async fn fold_text_notes(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<bool, Error> {
    if !lock(&mut *conn, table, Lock::TryExclusive).await? {
        return Ok(false);
    }
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    sql.push(&format!(
        "WITH notes AS (DELETE FROM rollup_corrections WHERE id IN (\
             SELECT id FROM rollup_corrections \
             WHERE amount = 0 AND target = {target} AND record_id < 9223372036854775807 \
             ORDER BY record_id LIMIT {TEXT_NOTES_AT_ONCE}) RETURNING record_id), \
         gone AS MATERIALIZED (\
           SELECT range_agg(int8range(record_id, record_id + 1)) AS ids FROM notes), \
         known AS (\
           UPDATE sealed_segments AS s SET ids = CASE \
             WHEN (SELECT count(*) FROM unnest(s.ids - gone.ids)) <= {MIN_GAP_LIMIT} + s.rows / {RECORDS_PER_GAP} \
             THEN s.ids - gone.ids END \
           FROM gone WHERE s.target = {target} AND NOT s.is_tombstone AND s.ids && gone.ids) \
         SELECT count(*) > 0 FROM notes"
    ));
    one(conn, sql).await
}

/// Deletes the notes of records in a range of ids whose text changed, before a transaction
/// summarises them.
pub(in crate::search::index) async fn delete_text_notes(
    conn: &mut PgConnection,
    table: &'static Table,
    first_id: i64,
    last_id: i64,
) -> Result<(), Error> {
    let mut sql = Sql::new("DELETE FROM rollup_corrections WHERE amount = 0 AND target = ");
    sql.bind(table.name)?;
    sql.push(" AND record_id BETWEEN ");
    sql.bind(first_id)?;
    sql.push(" AND ");
    sql.bind(last_id)?;
    sql.execute(conn).await?;
    Ok(())
}
