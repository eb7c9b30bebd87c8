//! How a writer is set up.

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
pub enum WhenFull {
    /// Wait until there is room, which slows down whoever writes.
    #[default]
    Wait,
    /// Drop the record, with an error, and count it.
    Drop,
}

/// Sets up a [`Writer`]; made by [`Writer::builder`].
///
/// What is not right is said by [`start`](Self::start).
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

    /// How many records wait at most to be encoded (20,000), and about how many
    /// bytes they take in memory (32 MiB). A record that is larger than all of
    /// it waits alone. Up to 512 more are being encoded.
    pub fn queue(mut self, records: usize, bytes: usize) -> Self {
        (self.options.queue, self.options.queue_bytes) = (records, bytes);
        self
    }

    /// A batch is sent when it has so many rows (10,000), or so many bytes as
    /// PostgreSQL is sent them (4 MiB). There are at most two batches in
    /// memory for each connection, and one.
    pub fn batch(mut self, rows: usize, bytes: usize) -> Self {
        (self.options.batch_rows, self.options.batch_bytes) = (rows, bytes);
        self
    }

    /// A batch is sent, full or not, when its first record has waited so long
    /// (100 ms).
    pub fn batch_age(mut self, age: Duration) -> Self {
        self.options.batch_age = age;
        self
    }

    /// How many connections send batches at the same time (4).
    ///
    /// A COPY over TCP ends with two small packets, of which TCP holds the
    /// second back for some 40 ms (sqlx 0.9 sets no `TCP_NODELAY`, November
    /// 2026): with more connections than processors, others go on meanwhile.
    pub fn connections(mut self, connections: usize) -> Self {
        self.options.connections = connections;
        self
    }

    /// What to do with a record while the queue is full (wait).
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.options.when_full = when_full;
        self
    }

    /// How long a connection waits before it tries again: between nothing and
    /// `first` (50 ms), twice that after each failure, at most `longest` (5 s).
    pub fn back_off(mut self, first: Duration, longest: Duration) -> Self {
        self.options.back_off = (first, longest);
        self
    }

    /// How long a step of a transaction may take (60 s) before the connection
    /// counts as lost, as one does whose other end is gone without a word.
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.options.answer_timeout = timeout;
        self
    }

    /// How long to go on trying (60 s) while the table takes no row at all: it
    /// is not there, lacks a column, or the role may not write to it. After
    /// that, batches are given up, with the reason.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// Keeps batches in a folder (off) of so many bytes while the database is
    /// away and there is no more room in memory, and at a
    /// [`close`](Writer::close) that finds it away. They are stored by this
    /// writer, or the next one that has the folder. It is one writer's at a
    /// time.
    ///
    /// What is in it is not acknowledged: that still means committed.
    pub fn spill(mut self, folder: impl Into<PathBuf>, bytes: u64) -> Self {
        self.options.spill = Some((folder.into(), bytes));
        self
    }

    /// Called with each record that was not stored and that nobody waits for.
    ///
    /// It is called where the writer works and has to be quick: hand the record
    /// on.
    pub fn on_rejected(mut self, each: impl Fn(Rejected) + Send + Sync + 'static) -> Self {
        self.options.on_rejected = Some(Arc::new(each));
        self
    }

    /// Starts the writer, on connections of its own to where the pool connects
    /// to. What the pool does to its connections (`after_connect`) is not done
    /// to them.
    ///
    /// Its tasks run on the Tokio runtime that this is called on, and one
    /// thread.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every option that is not right;
    /// [`Error::is_setup`] if the database lacks a table or has vectors of
    /// another encoder; [`Error::is_unavailable`] if it cannot be reached, unless
    /// there is a spill.
    pub async fn start(self, pool: &PgPool) -> Result<Writer<M>, Error> {
        self.start_with(PgConnectOptions::clone(&pool.connect_options()))
            .await
    }

    /// The same, to where these options connect to.
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
            wrong.then(|| FieldError::new(field, format!("{number} is not from 1 to {most}")))
        };
        let time = |field: &str, time: Duration| {
            let wrong = time.is_zero() || time > HOUR;
            let problem = format!("{time:?} is not more than nothing and at most an hour");
            wrong.then(|| FieldError::new(field, problem))
        };
        let (first, longest) = self.back_off;
        let backwards = first > longest;
        let wrong: Vec<FieldError> = [
            number("queue.records", self.queue, 10_000_000),
            number("queue.bytes", self.queue_bytes, 64 * 1024 * MIB),
            number("batch.rows", self.batch_rows, 1_000_000),
            number("batch.bytes", self.batch_bytes, 512 * MIB),
            number("connections", self.connections, 64),
            time("batch_age", self.batch_age),
            time("back_off.first", first),
            time("back_off.longest", longest),
            backwards.then(|| {
                let problem = format!("{first:?} is more than back_off.longest, {longest:?}");
                FieldError::new("back_off.first", problem)
            }),
            time("answer_timeout", self.answer_timeout),
            self.spill
                .as_ref()
                .filter(|(_, bytes)| *bytes == 0)
                .map(|_| FieldError::new("spill.bytes", "is 0, which holds no batch")),
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
