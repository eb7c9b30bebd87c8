//! The options of a writer.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use super::{Rejected, Writer};
use crate::error::{Error, FieldError};
use crate::model::Model;

/// What to do with a record while the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Wait until there is room, which slows down the callers.
    #[default]
    Wait,
    /// Drop the record, with an error, and count it.
    Drop,
}

/// Builds a [`Writer`]; created by [`Writer::builder`].
///
/// Options that are not valid are reported by [`start`](Self::start).
#[must_use = "a writer is started by `start`"]
pub struct WriterBuilder<M> {
    options: Options,
    of: PhantomData<fn() -> M>,
}

pub(super) type OnRejected = Arc<dyn Fn(Rejected) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Options {
    pub(super) queue: usize,
    pub(super) queue_bytes: usize,
    pub(super) batch_rows: usize,
    pub(super) batch_bytes: usize,
    pub(super) batch_age: Duration,
    pub(super) connections: usize,
    pub(super) when_full: WhenFull,
    pub(super) back_off: (Duration, Duration),
    pub(super) answer_timeout: Duration,
    pub(super) patience: Duration,
    pub(super) on_rejected: Option<OnRejected>,
    pub(super) spill: Option<(PathBuf, u64)>,
}

const MIB: usize = 1024 * 1024;

impl<M: Model> WriterBuilder<M> {
    pub(super) fn new() -> Self {
        Self {
            options: Options {
                queue: 20_000,
                queue_bytes: 32 * MIB,
                batch_rows: 10_000,
                batch_bytes: 4 * MIB,
                batch_age: Duration::from_millis(100),
                connections: 4,
                when_full: WhenFull::Wait,
                back_off: (Duration::from_millis(50), Duration::from_secs(5)),
                answer_timeout: Duration::from_secs(60),
                patience: Duration::from_secs(60),
                on_rejected: None,
                spill: None,
            },
            of: PhantomData,
        }
    }

    /// The size of the queue: 20,000 records and about 32 MiB by default.
    ///
    /// A record that is larger than that waits alone. Up to 512 more records are being
    /// encoded.
    pub fn queue(mut self, records: usize, bytes: usize) -> Self {
        (self.options.queue, self.options.queue_bytes) = (records, bytes);
        self
    }

    /// The size at which a batch is sent: 10,000 rows or 4 MiB by default.
    ///
    /// The bytes are those sent to PostgreSQL. There are at most two batches in memory for
    /// each connection, and one more.
    pub fn batch(mut self, rows: usize, bytes: usize) -> Self {
        (self.options.batch_rows, self.options.batch_bytes) = (rows, bytes);
        self
    }

    /// The age at which a batch is sent, full or not: 100 ms by default.
    ///
    /// The age is the waiting time of its first record.
    pub fn batch_age(mut self, age: Duration) -> Self {
        self.options.batch_age = age;
        self
    }

    /// The number of connections that send batches at the same time: 4 by default.
    ///
    /// A COPY over TCP ends with two small packets, of which TCP holds the
    /// second back for some 40 ms (sqlx 0.9 sets no `TCP_NODELAY`, November
    /// 2026): with more connections than processors, others go on meanwhile.
    pub fn connections(mut self, connections: usize) -> Self {
        self.options.connections = connections;
        self
    }

    /// What to do with a record while the queue is full: wait by default.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.options.when_full = when_full;
        self
    }

    /// The pauses before a reconnect: up to 50 ms at first and 5 s in the end by default.
    ///
    /// A pause is random, below a bound that begins at `first`, doubles after each failure,
    /// and ends at `longest`.
    pub fn back_off(mut self, first: Duration, longest: Duration) -> Self {
        self.options.back_off = (first, longest);
        self
    }

    /// How long a step of a transaction may take: 60 s by default.
    ///
    /// After that the connection counts as lost, as when its other end disappeared without
    /// a packet.
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.options.answer_timeout = timeout;
        self
    }

    /// How long to retry while the table accepts no row at all: 60 s by default.
    ///
    /// It may be missing, lack a column, or the role may not write to it. After that,
    /// batches are given up, with the reason.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// Keeps batches in a folder while the database cannot be reached; off by default.
    ///
    /// Up to this many bytes are written there if memory has no room, and at a
    /// [`close`](Writer::close) that cannot reach the database. This writer stores them, or
    /// the next one with the folder. Only one writer at a time can use it.
    ///
    /// A spilled record is not acknowledged: that still means committed.
    pub fn spill(mut self, folder: impl Into<PathBuf>, bytes: u64) -> Self {
        self.options.spill = Some((folder.into(), bytes));
        self
    }

    /// Calls a function with each record that was not stored and that no caller waits for.
    ///
    /// It runs on the threads of the writer and has to be quick: hand the record on.
    pub fn on_rejected(mut self, each: impl Fn(Rejected) + Send + Sync + 'static) -> Self {
        self.options.on_rejected = Some(Arc::new(each));
        self
    }

    /// Starts the writer, with connections of its own to the database of the pool.
    ///
    /// Hooks of the pool (`after_connect`) do not run for these connections. Its tasks run
    /// on the current Tokio runtime, and on one thread.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every option that is not valid;
    /// [`Error::is_setup`] if the database lacks a table or has vectors of
    /// another encoder; [`Error::is_unavailable`] if it cannot be reached, unless
    /// there is a spill.
    pub async fn start(self, pool: &PgPool) -> Result<Writer<M>, Error> {
        self.start_with(PgConnectOptions::clone(&pool.connect_options()))
            .await
    }

    /// Same as [`start`](Self::start), with connection options instead of a pool.
    ///
    /// # Errors
    ///
    /// As those of [`start`](Self::start).
    pub async fn start_with(self, connect: PgConnectOptions) -> Result<Writer<M>, Error> {
        self.options.check(M::TABLE.name)?;
        Writer::start(self.options, connect).await
    }
}

impl Options {
    fn check(&self, table: &'static str) -> Result<(), Error> {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        let number = |field: &str, number: usize, most: usize| {
            let wrong = !(1..=most).contains(&number);
            wrong.then(|| FieldError::new(field, format!("must be from 1 to {most}, got {number}")))
        };
        let time = |field: &str, time: Duration| {
            let wrong = time.is_zero() || time > HOUR;
            let problem = format!("must be more than zero and at most an hour, got {time:?}");
            wrong.then(|| FieldError::new(field, problem))
        };
        let (first, longest) = self.back_off;
        let is_reversed = first > longest;
        let wrong: Vec<FieldError> = [
            number("queue.records", self.queue, 10_000_000),
            number("queue.bytes", self.queue_bytes, 64 * 1024 * MIB),
            number("batch.rows", self.batch_rows, 1_000_000),
            number("batch.bytes", self.batch_bytes, 512 * MIB),
            number("connections", self.connections, 64),
            time("batch_age", self.batch_age),
            time("back_off.first", first),
            time("back_off.longest", longest),
            is_reversed.then(|| {
                let problem =
                    format!("must be at most back_off.longest ({longest:?}), got {first:?}");
                FieldError::new("back_off.first", problem)
            }),
            time("answer_timeout", self.answer_timeout),
            self.spill
                .as_ref()
                .filter(|(_, bytes)| *bytes == 0)
                .map(|_| FieldError::new("spill.bytes", "must be more than 0")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(table, wrong))
    }
}

impl<M: Model> std::fmt::Debug for WriterBuilder<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterBuilder")
            .field("table", &M::TABLE.name)
            .finish_non_exhaustive()
    }
}
