//! One segment after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool, Row as _};
use tokio::sync::Semaphore;

use super::compaction::merge;
use super::orphans::forget_all_gone;
use super::postings_builder::Record;
use super::summary::{Finished, Summary};
use super::{Lock, forget, lock, sealed_until};
use crate::db::Sql;
use crate::db::{CloseOnDrop, Session, TransactionScope};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::model::{search_text, search_texts};
use crate::tables::SealedSegment;
use crate::value::ColumnType;
use crate::write::insert;

/// How many ids a segment has, unless said otherwise: so many records are
/// scanned in some tens of milliseconds.
pub const DEFAULT_SEGMENT: i64 = 16_384;

/// The kinds of so many segments become those of one.
const COMPACTED: i64 = 16;

/// Segments that are taken as one where several are sealed together: as many fewer
/// statements, and kinds.
const LONG: i64 = 4;

/// The longest segment that is taken, in ids: it is summarised in memory.
pub(super) const MOST_IDS: i64 = 1 << 24;

/// In most databases each of the first is one of the second in lower case.
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";

/// How often transactions are looked at that may still write below the head, and
/// how long a connection is waited for that the step can do without.
const POLL: Duration = Duration::from_millis(20);

/// Seals the segments of a table, one with each [`step`](Self::step).
///
/// Any number of processes may do so at once: one step is done by one of them.
/// A step that is cut short, in whatever way, leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Sealer {
    table: &'static Table,
    segment: i64,
    /// No record with an id up to this one is still to come.
    settled: Option<i64>,
    /// The transactions that have to end before no record with an id up to this one
    /// is still to come.
    awaited: Option<(Vec<String>, i64)>,
    /// Whether the records of the last segment were of few kinds.
    has_kinds: bool,
    /// The permit to open a connection beside the first one. There is only one:
    /// however long opening takes, steps do not start more and more of them.
    opening: Arc<Semaphore>,
}

/// What a step of sealing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// A segment is sealed, or several are that follow each other.
    #[non_exhaustive]
    Sealed {
        /// How many segments.
        segments: u64,
        /// The least id of them.
        first_id: i64,
        /// The greatest.
        last_id: i64,
        /// How many records they have.
        rows: u64,
        /// Ids beyond them that are in use: how far sealing is behind.
        behind: u64,
    },
    /// What is not sealed is less than a segment.
    #[non_exhaustive]
    Done {
        /// Ids that are not sealed.
        behind: u64,
    },
    /// Another process is sealing the table, or changing sealed records.
    Busy,
    /// A transaction that began to write before the step has not ended: its
    /// records could be of the segment.
    Unsettled,
}

/// The next segment.
struct Next {
    /// The greatest id that is sealed.
    sealed: Option<i64>,
    first_id: i64,
    last_id: i64,
    /// The greatest id there is.
    head: i64,
}

impl Sealer {
    /// A sealer of a model's table, in segments of this many ids
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
                "is not among the attributes of the model: its records are not summarised",
            ));
        }
        if !(1..=MOST_IDS).contains(&segment) {
            return Err(Error::invalid_field(
                table.name,
                "segment",
                format!("is {segment}, not a number of ids from 1 to {MOST_IDS}"),
            ));
        }
        Ok(Self {
            table,
            segment,
            settled: None,
            awaited: None,
            has_kinds: true,
            opening: Arc::new(Semaphore::new(1)),
        })
    }

    /// The table whose records are sealed.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Seals the next segment, in a transaction of its own, if all ids of it are
    /// in use and settled. Waits up to `patience` for transactions that may
    /// still write records of it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn step(
        &mut self,
        conn: &mut PgConnection,
        patience: Duration,
    ) -> Result<Step, Error> {
        self.seal_next(conn, &mut Vec::new(), patience).await
    }

    /// As [`step`](Self::step), on connections of a pool, for a table that is far
    /// behind: up to `at_once` segments together, of up to four times as many ids,
    /// each read on a connection of its own and summarised by a task of its own, as
    /// far as the pool has connections at once. One transaction stores them.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn steps(
        &mut self,
        pool: &PgPool,
        at_once: usize,
        patience: Duration,
    ) -> Result<Step, Error> {
        let mut session = CloseOnDrop::new(Session::Pooled(pool.acquire().await?));
        let mut beside = Vec::new();
        while beside.len() + 1 < at_once
            && let Some(another) = self.another(pool).await
        {
            beside.push(another);
        }
        let step = self
            .seal_next(session.conn(), &mut beside, patience)
            .await?;
        session.release();
        beside.into_iter().for_each(CloseOnDrop::release);
        Ok(step)
    }

    /// Takes one more connection of the pool: an idle one, or a new one if it opens
    /// quickly. One that opens slowly goes to the pool and is there for a later
    /// step: thrown away, it would be opened in vain at every step, just where the
    /// server is busy. None if there is no other connection, for whatever reason:
    /// the step goes on without it.
    async fn another(&self, pool: &PgPool) -> Option<CloseOnDrop<'static>> {
        let acquired = if pool.num_idle() > 0 {
            pool.acquire().await
        } else {
            let permit = Arc::clone(&self.opening).try_acquire_owned().ok()?;
            let acquire = pool.acquire();
            // A task of its own goes on when it is not waited for any more.
            let opening = tokio::spawn(async move {
                let opened = acquire.await;
                drop(permit);
                opened
            });
            tokio::time::timeout(POLL, opening).await.ok()?.ok()?
        };
        Some(CloseOnDrop::new(Session::Pooled(acquired.ok()?)))
    }

    /// Seals the next segment, and as many after it as there are sessions beside,
    /// which it takes as far as it needs them.
    async fn seal_next(
        &mut self,
        conn: &mut PgConnection,
        beside: &mut Vec<CloseOnDrop<'static>>,
        patience: Duration,
    ) -> Result<Step, Error> {
        let clock = Instant::now();
        if self.is_begun_anew(conn).await? {
            forget(conn, self.table).await?;
            self.settled = None;
            self.awaited = None;
        }
        let Some(next) = self.next(conn).await? else {
            return Ok(Step::Done { behind: 0 });
        };
        let Next {
            sealed,
            first_id,
            last_id,
            head,
        } = next;
        let behind = |from: i64| head.abs_diff(from.min(head));
        if last_id > head {
            return Ok(Step::Done {
                behind: behind(first_id - 1),
            });
        }
        self.settle(conn, head).await?;
        while self.settled.is_none_or(|settled| settled < last_id) {
            if clock.elapsed() >= patience {
                return Ok(Step::Unsettled);
            }
            tokio::time::sleep(POLL).await;
            self.settle(conn, head).await?;
        }
        let mut together = TransactionScope::begin(conn).await?;
        let locked = lock(together.conn(), self.table, Lock::Alone).await?;
        // Whoever sealed it meanwhile was alone, too. What retention forgets comes before it.
        if !locked || sealed_until(together.conn(), self.table).await? != sealed {
            return Ok(Step::Busy);
        }
        if sealed.is_none() {
            // The ids may be some that were sealed once.
            forget_all_gone(together.conn(), self.table).await?;
        }
        let known = self.settled.map_or(last_id, |settled| settled.min(head));
        let last_id = match beside.is_empty() {
            true => last_id,
            false => self.end(first_id, known).unwrap_or(last_id).max(last_id),
        };
        let (table, has_kinds, mut end) = (self.table, self.has_kinds, last_id);
        let mut others = Vec::new();
        while let Some(last_id) = self.end(end.saturating_add(1), known)
            && let Some(mut session) = beside.pop()
        {
            let first_id = end + 1;
            end = last_id;
            others.push(tokio::spawn(async move {
                let read = summarise(table, session.conn(), first_id, last_id, has_kinds);
                let summary = read.await?;
                session.release();
                Ok::<_, Error>(summary)
            }));
        }
        let own = summarise(table, together.conn(), first_id, last_id, has_kinds);
        let mut summaries = vec![own.await?];
        for other in others {
            let ended = other.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
            summaries.push(ended?);
        }
        let (segments, mut rows) = (summaries.len() as u64, 0);
        for summary in summaries {
            self.has_kinds = summary.has_kinds();
            rows += summary.rows as u64;
            let (first_id, last_id) = (summary.first_id, summary.last_id);
            store(table, together.conn(), summary).await?;
            let after = last_id.saturating_add(1);
            let first = after - COMPACTED * self.segment;
            if after.rem_euclid(COMPACTED * self.segment) == 0 && first < first_id {
                merge(together.conn(), table, first, last_id).await?;
            }
        }
        together.commit().await?;
        Ok(Step::Sealed {
            segments,
            first_id,
            last_id: end,
            rows,
            behind: behind(end),
        })
    }

    /// Looks who of those has ended that wrote when it was last asked, up to which
    /// id, and if all have, who writes now.
    ///
    /// Who writes now may hold ids up to the head, and nobody who begins later does:
    /// ids are handed out in order, and locks are taken before ids are.
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

    /// Where a segment ends that begins with an id, if it is not beyond the last
    /// that is known: a long one if there is room for it.
    fn end(&self, first_id: i64, known: i64) -> Option<i64> {
        let lengths = [LONG * self.segment, self.segment];
        let ends = lengths.map(|length| {
            let start = first_id - first_id.rem_euclid(length);
            start.checked_add(length - 1).filter(|end| *end <= known)
        });
        ends.into_iter().flatten().next()
    }

    /// Whether ids are given again that are sealed: the last segment had records,
    /// and all that there are come before it. So it is after a `TRUNCATE …
    /// RESTART IDENTITY`, and it does no harm where they were deleted for good.
    async fn is_begun_anew(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let (id, from) = (
            self.table.column_of(ColumnRole::Id).quoted(),
            self.table.quoted(),
        );
        let mut sql = Sql::new(&format!(
            "SELECT coalesce((SELECT max({id}) FROM {from}) < first_id, FALSE) AS anew \
             FROM sealed_segments WHERE deleted_at IS NULL AND rows > 0 AND target = "
        ));
        sql.bind(self.table.name)?;
        sql.push(" ORDER BY last_id DESC LIMIT 1");
        let row = sql
            .fetch_optional(conn)
            .await
            .map_err(|error| Error::from_driver(self.table, error))?;
        Ok(row
            .map(|row| row.try_get("anew"))
            .transpose()?
            .unwrap_or(false))
    }

    /// The next segment and the greatest id there is; `None` without a record
    /// that is not sealed. Where ids were left out, the segment is as long as
    /// they are many.
    async fn next(&self, conn: &mut PgConnection) -> Result<Option<Next>, Error> {
        let sealed = sealed_until(conn, self.table).await?;
        let (id, from) = (
            self.table.column_of(ColumnRole::Id).quoted(),
            self.table.quoted(),
        );
        let mut sql = Sql::new(&format!(
            "SELECT min({id}) AS first, (SELECT max({id}) FROM {from}) AS head FROM {from} WHERE {id} > "
        ));
        sql.bind(sealed.unwrap_or(i64::MIN))?;
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
        // Segments begin at multiples of their length, and so partitions are of whole ones.
        let start = |id: i64| id.div_euclid(self.segment).saturating_mul(self.segment);
        let first_id = sealed.map_or(start(first), |sealed| sealed.saturating_add(1));
        let end = start(first_id).saturating_add(self.segment - 1);
        let last_id = match first > end {
            true => start(first) - 1,
            false => end,
        };
        Ok(Some(Next {
            sealed,
            first_id,
            last_id,
            head,
        }))
    }

    /// The transactions that write to the table now.
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

/// Summarises the records of a range of ids, of deleted ones too. Whether they
/// are of few kinds turns out on the way; what was taken for granted has them read
/// once more where it was wrong.
async fn summarise(
    table: &'static Table,
    conn: &mut PgConnection,
    first_id: i64,
    last_id: i64,
    has_kinds: bool,
) -> Result<Summary, Error> {
    let mut summary = Summary::new(first_id, last_id, !has_kinds);
    read(table, conn, &mut summary).await?;
    if has_kinds && !summary.has_kinds() {
        summary = Summary::new(first_id, last_id, true);
        read(table, conn, &mut summary).await?;
    }
    Ok(summary)
}

/// Stores a summary, in a transaction that has the lock.
async fn store(
    table: &'static Table,
    conn: &mut PgConnection,
    summary: Summary,
) -> Result<(), Error> {
    let Finished {
        segment,
        blocks,
        kinds,
    } = summary.finish(table.name);
    insert(conn, &blocks).await?;
    kinds.store(conn, table.name).await?;
    SealedSegment::records().create(&mut *conn, segment).await?;
    Ok(())
}

/// Adds the records of a summary's range to it.
async fn read(
    table: &'static Table,
    conn: &mut PgConnection,
    summary: &mut Summary,
) -> Result<(), Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let fields = search_texts(table);
    let sum = |of: &str| {
        let of_field = |field: &String| format!(" + {of}({field})");
        fields.iter().map(of_field).collect::<String>()
    };
    let columns = fields.iter().map(|field| format!(", ({field})::text"));
    // What is ASCII has its lower case here: that is half of what the server would do.
    let mut sql = Sql::new(&format!(
        "SELECT {id}, {created_at}, {embedding}, \
             CASE WHEN getdatabaseencoding() = 'UTF8'{lower} AND 0{bytes} = 0{characters} THEN NULL ELSE {text} END{columns} \
             FROM {from} WHERE {id} BETWEEN ",
        created_at = table.column_of(ColumnRole::CreatedAt).quoted(),
        embedding = table.column_of(ColumnRole::Embedding).quoted(),
        // Known before a row is read.
        lower = texts_of_columns(table)
            .map(|column| format!(
                " AND lower(coalesce((NULL::{}).{column}::text, '{UPPER}')) = '{LOWER}'",
                table.quoted()
            ))
            .collect::<String>(),
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
        let fields = (0..fields.len()).map(|field| row.try_get(4 + field));
        let fields: Vec<&str> = fields.collect::<Result<_, _>>()?;
        let vector: Option<Embedding> = row.try_get(2)?;
        let record = Record {
            id: row.try_get(0)?,
            fields: &fields,
            text: row.try_get(3)?,
            vector: vector.as_ref(),
        };
        summary.add(row.try_get(1)?, &record);
    }
    Ok(())
}

/// The search fields that are text, whose collation says what is lower case.
fn texts_of_columns(table: &'static Table) -> impl Iterator<Item = String> {
    let columns = table.search.iter().map(|place| &table.columns[*place]);
    columns
        .filter(|column| column.ty == ColumnType::Text)
        .map(|column| column.quoted())
}

#[cfg(test)]
mod tests {
    use super::Sealer;
    use crate::{Log, Model as _};

    #[test]
    fn a_segment_is_long_if_all_ids_up_to_the_next_multiple_are_known() {
        let sealer = Sealer::new(Log::TABLE, 100).unwrap();
        for (first_id, known, end) in [
            (0, 399, Some(399)),
            (0, 398, Some(99)),
            (0, 98, None),
            // Up to where long ones begin, so that partitions are of whole ones.
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
