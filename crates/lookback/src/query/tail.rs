//! Records as they arrive.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use self::statement::{Control, PAGE};
use self::window::{MAX_RANGES, Window};
use super::{MAX_LIMIT, QueryBuilder};
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::{ColumnRole, Model};

mod arrivals;
mod position;
mod start;
mod statement;
mod window;

pub use arrivals::{Arrivals, ArrivedPage, ArrivedRecord};
pub use position::Position;

/// The pause between two polls, by default.
const INTERVAL: Duration = Duration::from_millis(200);

/// The number of ranges of ids that one statement reads.
const RANGES_PER_STATEMENT: usize = 64;

/// The time within which the database has to answer. Without it, a connection whose other end is
/// gone would be waited for as long as its keepalive takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Limits the time of a read.
async fn in_time<T>(read: impl Future<Output = T>) -> Result<T, Error> {
    let answer = tokio::time::timeout(PATIENCE, read).await;
    answer.map_err(|_| Error::from(sqlx::Error::PoolTimedOut))
}

impl<M: Model> QueryBuilder<M> {
    /// Follows the table: returns the records that match the filters, as they arrive.
    ///
    /// A record arrives when it becomes visible, whatever stored it: this program, another one, or
    /// an `INSERT` by hand. Each is returned once, at the latest half a second after its commit if
    /// the database answers at once. That includes a record whose transaction commits long after
    /// others with larger ids. The order is that of arrival, and by id for those that arrive
    /// together.
    ///
    /// - A record that is changed, deleted or restored does not arrive again. If it was deleted or
    ///   changed before it was read, it counts as it is then.
    /// - Ids are expected to come from the sequence of the table, in the transaction that stores
    ///   the record. A record under an id that its writer chose arrives if that is larger than all
    ///   before it.
    /// - It reads the table by its primary key only, needs only `SELECT` on it, and works through a
    ///   pooler. It needs the primary server, because a standby does not know which transactions
    ///   are running.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    ///
    /// let mut tail = Log::records().filter(Log::level().eq("error")).tail().last(10);
    /// loop {
    ///     match tail.next(&pool).await {
    ///         Ok(log) => println!("{} {} (next: {:?})", log.id, log.message, tail.position()),
    ///         // Nothing is lost: the next call continues.
    ///         Err(error) if error.is_retryable() => tokio::time::sleep(tail.interval()).await,
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use = "a tail does nothing until `next` is called"]
    pub fn tail(self) -> Tail<M> {
        Tail {
            query: self,
            last: 0,
            interval: INTERVAL,
            after: None,
            window: None,
            before: VecDeque::new(),
            poll: None,
            buffer: VecDeque::new(),
            next_poll: None,
        }
    }
}

/// Records as they arrive, created by [`QueryBuilder::tail`].
pub struct Tail<M> {
    query: QueryBuilder<M>,
    last: u32,
    interval: Duration,
    after: Option<Position>,
    /// `None` until it has started.
    window: Option<Window>,
    /// The last records before the start that are still to be returned.
    before: VecDeque<M>,
    /// The poll that has begun.
    poll: Option<Poll>,
    /// Ids that a poll has read, with the records that match.
    buffer: VecDeque<Arrived<M>>,
    next_poll: Option<Instant>,
}

/// A poll that has begun.
#[derive(Debug)]
struct Poll {
    /// The last id of the sequence before the poll.
    assigned: Option<i64>,
    /// The ranges of ids that are still to be read, in ascending order.
    ranges: VecDeque<(i64, i64)>,
}

/// A visible id.
struct Arrived<M> {
    id: i64,
    /// `None` for a record that does not match.
    record: Option<Result<M, Error>>,
}

impl<M: Model> fmt::Debug for Tail<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail")
            .field("query", &self.query)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

impl<M: Model> Tail<M> {
    /// Returns the last matching records before the start first, the oldest of them first: 0 by
    /// default, at most 10,000.
    ///
    /// It has no effect [`after`](Self::after) a position.
    #[must_use]
    pub fn last(mut self, records: u32) -> Self {
        self.last = records;
        self
    }

    /// Continues after this position, instead of starting now: with every record that has arrived
    /// since.
    ///
    /// The position may be of a tail with other filters.
    #[must_use]
    pub fn after(mut self, position: Position) -> Self {
        self.after = Some(position);
        self
    }

    /// Sets the pause between two polls of the database: 200 ms by default.
    #[must_use]
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The pause between two polls of the database.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns the position after the last record that [`next`](Self::next) returned.
    ///
    /// A tail [`after`](Self::after) it continues with the next record, in this process or in
    /// another one. `None` before the first call of `next` has started the tail, unless that
    /// continues after a position. Until the last of [`last`](Self::last) is returned, it is the
    /// position of the start.
    pub fn position(&self) -> Option<Position> {
        match &self.window {
            Some(window) => Some(window.position(M::TABLE.name)),
            None => self.after.clone(),
        }
    }

    /// Starts the tail, unless it has started: records that are committed from now on arrive.
    ///
    /// The first call of [`next`](Self::next) does it, too. It waits up to a second for running
    /// transactions that have taken ids. If one runs longer, it reads the ids in the partitions in
    /// which that transaction has stored records.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn start<'c>(&mut self, db: impl Into<Db<'c>>) -> Result<(), Error> {
        self.start_on(&mut db.into()).await
    }

    /// Waits for the next record.
    ///
    /// While it waits, it holds no connection of a pool. A dropped future loses no record, but
    /// leaves a connection of the caller in the middle of a read. A connection must not be in a
    /// transaction.
    ///
    /// # Errors
    ///
    /// Those of the database; [`Error::is_timeout`] if it does not answer within 30 s. After an
    /// error, the next call continues; none of the records is left out or repeated. A connection of
    /// the caller has to be replaced first. A record that cannot be read is an error once, in its
    /// place.
    ///
    /// [`Error::is_invalid`] for a query with more than filters, a
    /// position of another table, or a position that is ahead of the ids of the table: its sequence
    /// was set back, as by `TRUNCATE … RESTART IDENTITY`, or it is another database; also for a
    /// table without a sequence, and one whose sequence is not `CACHE 1` or does not ascend.
    /// [`Error::is_setup`] on a standby.
    pub async fn next<'c>(&mut self, db: impl Into<Db<'c>>) -> Result<M, Error> {
        let mut db = db.into();
        self.start_on(&mut db).await?;
        loop {
            if let Some(record) = self.next_ready() {
                return record;
            }
            self.step(&mut db).await?;
        }
    }

    /// Does the next step of a poll: begins it, reads a page, or ends it.
    async fn step(&mut self, db: &mut Db<'_>) -> Result<(), Error> {
        match &self.poll {
            None => {
                if let Some(time) = self.next_poll {
                    tokio::time::sleep_until(time).await;
                }
                let mut session = CloseOnDrop::new(db.reborrow().session().await?);
                let begun = in_time(self.begin_poll(session.conn())).await?;
                session.release();
                begun
            }
            Some(poll) if poll.ranges.is_empty() => self.end_poll(),
            Some(_) => {
                let mut session = CloseOnDrop::new(db.reborrow().session().await?);
                let page = in_time(self.read_page(session.conn())).await?;
                session.release();
                page
            }
        }
    }

    /// Returns the next record if it has been read already, without reading from the database.
    ///
    /// Use it to send several records at a time.
    ///
    /// # Errors
    ///
    /// A record that cannot be read.
    pub fn next_ready(&mut self) -> Option<Result<M, Error>> {
        if let Some(record) = self.before.pop_front() {
            return Some(Ok(record));
        }
        while let Some(arrived) = self.buffer.pop_front() {
            let is_new = self.started().see(arrived.id);
            if let Some(record) = arrived.record.filter(|_| is_new) {
                return Some(record);
            }
        }
        None
    }

    async fn start_on(&mut self, db: &mut Db<'_>) -> Result<(), Error> {
        if self.window.is_some() {
            return Ok(());
        }
        self.check()?;
        let mut session = CloseOnDrop::new(db.reborrow().session().await?);
        if session.conn().is_in_transaction() {
            session.release();
            return Err(Error::invalid_field(
                M::TABLE.name,
                "tail",
                "cannot be in a transaction: give a pool, or a connection without one",
            ));
        }
        if let Some(position) = &self.after {
            session.release();
            self.window = Some(Window::new(position));
            return Ok(());
        }
        let started = self.started_now(session.conn()).await;
        // An error may leave its transaction open.
        if started.is_ok() {
            session.release();
        }
        let (window, before) = started?;
        self.before = before.into();
        self.window = Some(window);
        Ok(())
    }

    /// The window of a tail that has started.
    fn started(&mut self) -> &mut Window {
        match &mut self.window {
            Some(window) => window,
            None => unreachable!("`start_on` sets the window"),
        }
    }

    /// Returns an error for settings that a tail does not support.
    fn check(&self) -> Result<(), Error> {
        let table = M::TABLE.name;
        self.query.check_only_filters("a tail")?;
        self.query.check_no_if_updated_at("a tail")?;
        if self.last > MAX_LIMIT {
            let problem = format!("{} is more than {MAX_LIMIT}; list them", self.last);
            return Err(Error::invalid_field(table, "last", problem));
        }
        if let Some(position) = &self.after
            && position.table() != table
        {
            let problem = format!(
                "is a position in {}, and cannot be used for {table}",
                position.table()
            );
            return Err(Error::invalid_field(table, "position", problem));
        }
        Ok(())
    }

    async fn begin_poll(&mut self, conn: &mut PgConnection) -> Result<(), Error> {
        let with_holders = self.started().needs_holders();
        let control = Control::read(conn, M::TABLE, with_holders).await?;
        let seen = self.started().seen();
        if control.assigned.is_some_and(|assigned| assigned < seen)
            && !statement::has_id_from(conn, M::TABLE, seen).await?
        {
            let problem = format!(
                "is after id {seen}, and the ids of {} were set back since, or this is another \
                 database; start a new tail",
                M::TABLE.name
            );
            return Err(Error::invalid_field(M::TABLE.name, "position", problem));
        }
        let window = self.started();
        window.begin(control.holders);
        self.poll = Some(Poll {
            assigned: control.assigned,
            ranges: window.to_read().into(),
        });
        Ok(())
    }

    /// Reads a page of the ranges into the buffer.
    async fn read_page(&mut self, conn: &mut PgConnection) -> Result<(), Error> {
        let Some(poll) = &mut self.poll else {
            return Ok(());
        };
        let ranges = poll.ranges.iter().take(RANGES_PER_STATEMENT);
        let ranges: Vec<(i64, i64)> = ranges.copied().collect();
        let page = statement::read_ranges(&self.query, conn, &ranges).await?;
        let last = page.last().filter(|_| page.len() == PAGE);
        match last.map(|arrived| arrived.id) {
            None => drop(poll.ranges.drain(..ranges.len())),
            Some(last) => {
                while poll.ranges.front().is_some_and(|(_, end)| *end <= last) {
                    poll.ranges.pop_front();
                }
                if let Some((first, _)) = poll.ranges.front_mut() {
                    *first = last.saturating_add(1).max(*first);
                }
            }
        }
        self.buffer.extend(page);
        Ok(())
    }

    fn end_poll(&mut self) -> Result<(), Error> {
        let Some(poll) = self.poll.take() else {
            return Ok(());
        };
        self.next_poll = Some(Instant::now() + self.interval);
        let window = self.started();
        window.end(poll.assigned);
        if window.ranges() > MAX_RANGES {
            let problem = format!(
                "has more than {MAX_RANGES} ranges of ids that may still arrive: many transactions \
                 were rolled back while an older one is running; end that one (pg_locks has it, \
                 with a lock of the sequence of {}.{})",
                M::TABLE.name,
                M::TABLE.column_of(ColumnRole::Id).name
            );
            return Err(Error::invalid_field(M::TABLE.name, "tail", problem));
        }
        Ok(())
    }
}
