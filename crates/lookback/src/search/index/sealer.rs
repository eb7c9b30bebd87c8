//! The sealer, which seals one segment after another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool, Row as _};
use tokio::sync::Semaphore;

use super::compaction::merge_range;
use super::orphans::purge_all_orphans;
use super::page_ranges::summarise_page_ranges;
use super::postings_builder::SealedRecord;
use super::rollups::{WatchedPartitions, count_sealed, delete_text_notes, merge_ranges, watch};
use super::summary::SegmentSummary;
use super::{Lock, lock, sealed_until, unseal};
use crate::db::Sql;
use crate::db::{CloseOnDrop, Session, TransactionScope};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Table, search_text, search_texts};

/// The number of ids in a segment by default: a scan of as many records takes
/// some tens of milliseconds.
pub const DEFAULT_SEGMENT: i64 = 16_384;

/// The number of segments whose postings are merged.
const SEGMENTS_PER_MERGE: i64 = 16;

/// The length of a long segment, taken when several are sealed together, in
/// segments: fewer statements and postings.
const LONG_SEGMENT_FACTOR: i64 = 4;

/// The longest segment in ids: it is summarised in memory.
pub(super) const MAX_SEGMENT_IDS: i64 = 1 << 24;

/// How often transactions that may still write below the head are polled, and
/// how long an extra connection is waited for.
const POLL: Duration = Duration::from_millis(20);

/// Seals the segments of a table, one with each [`step`](Self::step).
///
/// Any number of processes may do so at once: each step is done by one of them.
/// An interrupted step leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Sealer {
    table: &'static Table,
    segment: i64,
    /// The id up to which all records are visible.
    settled: Option<i64>,
    /// The transactions that must end before all records up to an id are
    /// visible.
    awaited: Option<(Vec<String>, i64)>,
    /// Whether the records of the last segment had few templates.
    has_postings: bool,
    /// The permit to open an extra connection. There is only one: however long
    /// opening takes, steps do not start more and more of them.
    opening: Arc<Semaphore>,
}

/// The outcome of a step of sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealStep {
    /// One or more consecutive segments are sealed.
    #[non_exhaustive]
    Sealed {
        /// The number of segments.
        segments: u64,
        /// Their least id.
        first_id: i64,
        /// Their greatest id.
        last_id: i64,
        /// The number of records in them.
        rows: u64,
        /// The number of used ids beyond them: how far sealing is behind.
        behind: u64,
    },
    /// Less than a segment is unsealed.
    #[non_exhaustive]
    Done {
        /// The number of unsealed ids.
        behind: u64,
    },
    /// Another process is sealing the table, or changing sealed records.
    Busy,
    /// A transaction that began to write before the step has not ended: its
    /// records could belong to the segment.
    Unsettled,
}

/// The next segment.
struct NextSegment {
    /// The greatest sealed id.
    sealed: Option<i64>,
    first_id: i64,
    last_id: i64,
    /// The greatest id in the table, sealed or not.
    head: i64,
}

impl Sealer {
    /// Creates a sealer of a model's table, in segments of this many ids
    /// ([`DEFAULT_SEGMENT`]).
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a model that is not `sealed`, or a segment of
    /// no ids.
    pub fn new(table: &'static Table, segment: i64) -> Result<Self, Error> {
        if !table.sealed {
            return Err(Error::invalid_field(
                table.name,
                "sealed",
                "must be an attribute of the model: its records have no summaries",
            ));
        }
        if !(1..=MAX_SEGMENT_IDS).contains(&segment) {
            return Err(Error::invalid_field(
                table.name,
                "segment",
                format!("must be 1 to {MAX_SEGMENT_IDS} ids, got {segment}"),
            ));
        }
        Ok(Self {
            table,
            segment,
            settled: None,
            awaited: None,
            has_postings: true,
            opening: Arc::new(Semaphore::new(1)),
        })
    }

    /// Returns the table whose records are sealed.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Seals the next segment, in a transaction of its own, once all of its ids
    /// are used and visible. Waits up to `patience` for transactions that may
    /// still write to it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn step(
        &mut self,
        conn: &mut PgConnection,
        patience: Duration,
    ) -> Result<SealStep, Error> {
        self.seal_next(conn, &mut Vec::new(), patience).await
    }

    /// Seals several segments together, for a table that is far behind.
    ///
    /// Up to `at_once` segments, of up to four times as many ids, are each read
    /// on a connection of the pool and summarised by a task, as far as the pool
    /// has connections. One transaction stores them.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn steps(
        &mut self,
        pool: &PgPool,
        at_once: usize,
        patience: Duration,
    ) -> Result<SealStep, Error> {
        let mut session = CloseOnDrop::new(Session::Pooled(pool.acquire().await?));
        let mut extra = Vec::new();
        while extra.len() + 1 < at_once
            && let Some(extra_connection) = self.extra_connection(pool).await
        {
            extra.push(extra_connection);
        }
        let step = self.seal_next(session.conn(), &mut extra, patience).await?;
        session.release();
        extra.into_iter().for_each(CloseOnDrop::release);
        Ok(step)
    }

    /// Takes an extra connection of the pool: an idle one, or a new one if it
    /// opens quickly.
    ///
    /// A connection that opens slowly goes to the pool, for a later step. Otherwise every step
    /// would open one in vain, just when the server is busy. `None` if there is no connection,
    /// for any reason: the step continues without it.
    async fn extra_connection(&self, pool: &PgPool) -> Option<CloseOnDrop<'static>> {
        let acquired = if pool.num_idle() > 0 {
            pool.acquire().await
        } else {
            let permit = Arc::clone(&self.opening).try_acquire_owned().ok()?;
            let acquire = pool.acquire();
            // A task continues when nobody waits for it any more.
            let opening = tokio::spawn(async move {
                let opened = acquire.await;
                drop(permit);
                opened
            });
            tokio::time::timeout(POLL, opening).await.ok()?.ok()?
        };
        Some(CloseOnDrop::new(Session::Pooled(acquired.ok()?)))
    }

    /// Seals the next segment, and one more on each extra session.
    ///
    /// Removes the sessions that it uses from `extra`.
    async fn seal_next(
        &mut self,
        conn: &mut PgConnection,
        extra: &mut Vec<CloseOnDrop<'static>>,
        patience: Duration,
    ) -> Result<SealStep, Error> {
        let clock = Instant::now();
        if self.ids_restarted(conn).await? {
            unseal(conn, self.table).await?;
            self.settled = None;
            self.awaited = None;
        }
        let Some(next) = self.next(conn).await? else {
            return Ok(SealStep::Done { behind: 0 });
        };
        let NextSegment {
            sealed,
            first_id,
            last_id,
            head,
        } = next;
        let behind = |from: i64| head.abs_diff(from.min(head));
        if last_id > head {
            return Ok(SealStep::Done {
                behind: behind(first_id - 1),
            });
        }
        self.settle(conn, head).await?;
        while self.settled.is_none_or(|settled| settled < last_id) {
            if clock.elapsed() >= patience {
                return Ok(SealStep::Unsettled);
            }
            tokio::time::sleep(POLL).await;
            self.settle(conn, head).await?;
        }
        let mut transaction = TransactionScope::begin(conn).await?;
        let locked = lock(transaction.conn(), self.table, Lock::TryExclusive).await?;
        // A process that sealed it since had the exclusive lock, too. Retention deletes what comes
        // before it.
        if !locked || sealed_until(transaction.conn(), self.table).await? != sealed {
            return Ok(SealStep::Busy);
        }
        if sealed.is_none() {
            // The ids may have been sealed once before.
            purge_all_orphans(transaction.conn(), self.table).await?;
        }
        let known = self.settled.map_or(last_id, |settled| settled.min(head));
        let last_id = if extra.is_empty() {
            last_id
        } else {
            self.end(first_id, known).unwrap_or(last_id).max(last_id)
        };
        // Before they are read, so that no change is missed.
        let watched = watch(transaction.conn(), self.table).await?;
        if !watched.is_empty() {
            delete_text_notes(transaction.conn(), self.table, first_id, known.max(last_id)).await?;
        }
        let summaries = self.summarise_all(transaction.conn(), extra, (first_id, last_id), known);
        let summaries = summaries.await?;
        let segments = summaries.len() as u64;
        let end = summaries.last().map_or(last_id, |summary| summary.last_id);
        let rows = self
            .store_all(transaction.conn(), summaries, &watched)
            .await?;
        transaction.commit().await?;
        summarise_page_ranges(conn, self.table).await?;
        Ok(SealStep::Sealed {
            segments,
            first_id,
            last_id: end,
            rows,
            behind: behind(end),
        })
    }

    /// Summarises a range of ids, and on each extra session the next one after it, as
    /// far as all ids are known.
    async fn summarise_all(
        &self,
        conn: &mut PgConnection,
        extra: &mut Vec<CloseOnDrop<'static>>,
        (first_id, last_id): (i64, i64),
        known: i64,
    ) -> Result<Vec<SegmentSummary>, Error> {
        let (table, has_postings, mut end) = (self.table, self.has_postings, last_id);
        let mut others = Vec::new();
        while let Some(last_id) = self.end(end.saturating_add(1), known)
            && let Some(mut session) = extra.pop()
        {
            let first_id = end + 1;
            end = last_id;
            others.push(tokio::spawn(async move {
                let read = summarise(table, session.conn(), first_id, last_id, has_postings);
                let summary = read.await?;
                session.release();
                Ok::<_, Error>(summary)
            }));
        }
        let own = summarise(table, conn, first_id, last_id, has_postings);
        let mut summaries = vec![own.await?];
        for other in others {
            let ended = other.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
            summaries.push(ended?);
        }
        Ok(summaries)
    }

    /// Stores summaries, merges the postings of segments that are complete, and
    /// returns the number of records.
    async fn store_all(
        &mut self,
        conn: &mut PgConnection,
        summaries: Vec<SegmentSummary>,
        watched: &WatchedPartitions,
    ) -> Result<u64, Error> {
        let mut rows = 0;
        for summary in summaries {
            self.has_postings = summary.has_postings();
            rows += summary.rows as u64;
            let (first_id, last_id) = (summary.first_id, summary.last_id);
            let summary = summary.finish();
            summary.store(&mut *conn, self.table.name, watched).await?;
            count_sealed(&mut *conn, self.table, first_id, last_id).await?;
            let after = last_id.saturating_add(1);
            let first = after - SEGMENTS_PER_MERGE * self.segment;
            if after.rem_euclid(SEGMENTS_PER_MERGE * self.segment) == 0 && first < first_id {
                merge_range(&mut *conn, self.table, first, last_id).await?;
                self.merge_counts(&mut *conn, after).await?;
            }
        }
        Ok(rows)
    }

    /// Merges the counts of segments that are complete, and then those of as many of the
    /// merged ones.
    async fn merge_counts(&self, conn: &mut PgConnection, after: i64) -> Result<(), Error> {
        let mut length = self.segment;
        while let Some(longer) = length.checked_mul(SEGMENTS_PER_MERGE)
            && longer <= MAX_SEGMENT_IDS
            && after.rem_euclid(longer) == 0
        {
            merge_ranges(&mut *conn, self.table, after - longer, after - 1).await?;
            length = longer;
        }
        Ok(())
    }

    /// Updates which transactions are awaited, and once all have ended, up to
    /// which id records are visible.
    ///
    /// Current writers may hold ids up to the head, and later ones do not: ids
    /// are assigned in order, and locks are taken before ids.
    async fn settle(&mut self, conn: &mut PgConnection, head: i64) -> Result<(), Error> {
        let now = self.writers(conn).await?;
        if let Some((writers, head)) = &mut self.awaited {
            writers.retain(|writer| now.contains(writer));
            if writers.is_empty() {
                self.settled = self.settled.max(Some(*head));
                self.awaited = None;
            }
        }
        if now.is_empty() {
            self.settled = self.settled.max(Some(head));
        } else if self.awaited.is_none() {
            self.awaited = Some((now, head));
        }
        Ok(())
    }

    /// Returns the end of a segment that begins with an id, if all of its ids
    /// are known: of a long one if there is room for it.
    fn end(&self, first_id: i64, known: i64) -> Option<i64> {
        let lengths = [LONG_SEGMENT_FACTOR * self.segment, self.segment];
        let ends = lengths.map(|length| {
            let start = first_id - first_id.rem_euclid(length);
            start.checked_add(length - 1).filter(|end| *end <= known)
        });
        ends.into_iter().flatten().next()
    }

    /// Returns whether sealed ids are assigned again: the last segment had
    /// records, and all existing records come before it. So it is after a
    /// `TRUNCATE … RESTART IDENTITY`; it does no harm if they were purged.
    async fn ids_restarted(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let (id, from) = (
            self.table.column_of(ColumnRole::Id).quoted(),
            self.table.quoted(),
        );
        let mut sql = Sql::new(&format!(
            "SELECT coalesce((SELECT max({id}) FROM {from}) < first_id, FALSE) AS is_restarted \
             FROM sealed_segments WHERE NOT is_tombstone AND rows > 0 AND target = "
        ));
        sql.bind(self.table.name)?;
        sql.push(" ORDER BY last_id DESC LIMIT 1");
        let row = sql
            .fetch_optional(conn)
            .await
            .map_err(|error| Error::from_driver(self.table, error))?;
        Ok(row
            .map(|row| row.try_get("is_restarted"))
            .transpose()?
            .unwrap_or(false))
    }

    /// Returns the next segment and the greatest id; `None` without an unsealed
    /// record. A segment also covers the gap before its first record.
    async fn next(&self, conn: &mut PgConnection) -> Result<Option<NextSegment>, Error> {
        let sealed = sealed_until(conn, self.table).await?;
        let (id, from) = (
            self.table.column_of(ColumnRole::Id).quoted(),
            self.table.quoted(),
        );
        let mut sql = Sql::new(&format!(
            "SELECT (SELECT max({id}) FROM {from}) AS head, (SELECT min({id}) FROM {from} WHERE {id} > "
        ));
        sql.bind(sealed.unwrap_or(i64::MIN))?;
        sql.push(") AS first");
        let row = sql
            .fetch_optional(conn)
            .await
            .map_err(|error| Error::from_driver(self.table, error))?;
        let Some(row) = row else { return Ok(None) };
        let (Some(first), Some(head)) = (
            row.try_get::<Option<i64>, _>("first")?,
            row.try_get::<Option<i64>, _>("head")?,
        ) else {
            return Ok(None);
        };
        // Segments begin at multiples of their length, so partitions consist of whole ones.
        let start = |id: i64| id.div_euclid(self.segment).saturating_mul(self.segment);
        let first_id = sealed.map_or(start(first), |sealed| sealed.saturating_add(1));
        let end = start(first_id).saturating_add(self.segment - 1);
        let last_id = if first > end { start(first) - 1 } else { end };
        Ok(Some(NextSegment {
            sealed,
            first_id,
            last_id,
            head,
        }))
    }

    /// Returns the transactions that write to the table now.
    async fn writers(&self, conn: &mut PgConnection) -> Result<Vec<String>, Error> {
        let mut sql = Sql::default();
        let table = sql.argument(self.table.quoted())?;
        sql.push(&format!(
            "SELECT DISTINCT virtualtransaction AS writer FROM pg_locks \
             WHERE locktype = 'relation' AND granted AND pid IS DISTINCT FROM pg_backend_pid() \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') \
             AND (relation = {table}::regclass OR relation IN (SELECT relid FROM pg_partition_tree({table}::regclass)))"
        ));
        let rows = sql.fetch_all(conn).await?;
        let writers = rows.iter().map(|row| row.try_get("writer"));
        Ok(writers.collect::<Result<_, _>>()?)
    }
}

/// Summarises the records of a range of ids, including soft-deleted ones. If
/// the assumption on the number of templates turns out wrong, they are read
/// once more.
async fn summarise(
    table: &'static Table,
    conn: &mut PgConnection,
    first_id: i64,
    last_id: i64,
    has_postings: bool,
) -> Result<SegmentSummary, Error> {
    let mut summary = SegmentSummary::new(first_id, last_id, !has_postings);
    read(table, conn, &mut summary).await?;
    if has_postings && !summary.has_postings() {
        summary = SegmentSummary::new(first_id, last_id, true);
        read(table, conn, &mut summary).await?;
    }
    Ok(summary)
}

/// Adds the records of its range to a summary.
async fn read(
    table: &'static Table,
    conn: &mut PgConnection,
    summary: &mut SegmentSummary,
) -> Result<(), Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let fields = search_texts(table);
    let sum = |of: &str| {
        let of_field = |field: &String| format!(" + {of}({field})");
        fields.iter().map(of_field).collect::<String>()
    };
    let columns = fields.iter().map(|field| format!(", ({field})::text"));
    // ASCII is converted to lower case here: that is half of what the server would do.
    let mut sql = Sql::new(&format!(
        "SELECT {id}, {created_at}, {embedding}, tableoid::bigint, \
             CASE WHEN getdatabaseencoding() = 'UTF8' AND 0{bytes} = 0{characters} THEN NULL ELSE {text} END{columns} \
             FROM {from} WHERE {id} BETWEEN ",
        created_at = table.column_of(ColumnRole::CreatedAt).quoted(),
        embedding = table.column_of(ColumnRole::Embedding).quoted(),
        bytes = sum("octet_length"),
        characters = sum("char_length"),
        text = search_text(table),
        columns = columns.collect::<String>(),
        from = table.quoted(),
    ));
    sql.bind(summary.first_id)?;
    sql.push(" AND ");
    sql.bind(summary.last_id)?;
    sql.push(&format!(" ORDER BY {id}"));
    let mut rows = sql.fetch(conn);
    while let Some(row) = std::future::poll_fn(|context| rows.as_mut().poll_next(context)).await {
        let row = row.map_err(|error| Error::from_driver(table, error))?;
        let fields = (0..fields.len()).map(|field| row.try_get(5 + field));
        let fields: Vec<&str> = fields.collect::<Result<_, _>>()?;
        let vector: Option<Embedding> = row.try_get(2)?;
        let record = SealedRecord {
            id: row.try_get(0)?,
            fields: &fields,
            text: row.try_get(4)?,
            vector: vector.as_ref(),
        };
        summary.add(row.try_get(1)?, row.try_get(3)?, &record);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Sealer;
    use crate::{Log, Model as _};

    #[test]
    fn sealer_end_is_long_segment_when_all_ids_known() {
        let sealer = Sealer::new(Log::TABLE, 100).unwrap();
        for (first_id, known, end) in [
            (0, 399, Some(399)),
            (0, 398, Some(99)),
            (0, 98, None),
            // Up to the start of a long segment, so that partitions consist of whole ones.
            (100, 399, Some(399)),
            (300, 10_000, Some(399)),
            (400, 799, Some(799)),
            (700, 798, None),
            (800, 1_000, Some(899)),
            (900, 1_000, Some(999)),
            (1_000, 1_000, None),
            (-400, -1, Some(-1)),
            (-400, -2, Some(-301)),
            (i64::MAX - 50, i64::MAX, Some(i64::MAX - 8)),
            (i64::MAX, i64::MAX, None),
        ] {
            assert_eq!(sealer.end(first_id, known), end, "{first_id} of {known}");
        }
    }
}
