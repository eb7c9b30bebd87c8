//! Taking records in, many and fast: [`Writer`].
//!
//! ```no_run
//! use lookback::ingest::Writer;
//! use lookback::{Level, Log, NewLog};
//!
//! # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
//! let logs = Writer::<Log>::builder().start(&pool).await?;
//! logs.send(NewLog::new("API", Level::Info, "GET /orders answered 200")).await?;
//! logs.write(NewLog::new("DB", Level::Error, "disk full")).await?; // it is stored
//! logs.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! Records wait in a queue that is bounded in records and in bytes. One thread
//! checks and encodes them, embedding included, into the rows of a binary COPY,
//! and cuts batches by rows, bytes and age. A few connections, *lanes*, each
//! store one batch after the other: a batch is a transaction.
//!
//! Each lane has a row in `ingest_lanes`, with the number of its last batch,
//! which the transaction of the batch moves. A lane that loses its connection
//! does not know whether its batch was stored; when it has connected again it
//! reads the number, and knows. It locks the row to read it, and so waits for
//! the transaction of the lost connection, should that still be there.
//!
//! A batch of which PostgreSQL refuses a row is undone, and sent again in parts
//! until each bad row is known; the others are stored.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod assemble;
mod back_off;
mod batch;
mod dispatch;
mod fault;
mod intake;
mod lane;
mod options;
mod progress;
mod refused;
mod row;
mod session;
mod spill;

pub use options::{WhenFull, WriterBuilder};

use crate::error::Error;
use crate::model::Model;
use crate::value::JsonMap;
use batch::Batch;
use dispatch::Dispatch;
use intake::{Entry, Intake, Refused, Waiter};
use lane::Lane;
use options::Options;
use progress::{Counts, Progress};
use spill::{Doubt, Spill};

/// Stores records in batches, by binary COPY over a few connections.
///
/// It is cheap to clone: all clones are one writer. An acknowledgement, be it
/// of [`write`](Self::write), of a [`Receipt`] or of [`flush`](Self::flush),
/// means that the record is committed in PostgreSQL. Records of one writer are
/// not stored in the order in which they came.
///
/// # Dropped
///
/// Call [`close`](Self::close) at the end. A writer whose last clone is dropped
/// stops at once: what was acknowledged is stored, of the rest some may be.
pub struct Writer<M: Model>(Arc<Owner<M>>);

/// What the clones of a writer share. The last one stops it.
struct Owner<M: Model> {
    shared: Arc<Shared<M>>,
    lanes: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
    /// Closed when the thread that makes batches has ended.
    thread: tokio::sync::Mutex<Option<tokio::sync::oneshot::Receiver<()>>>,
    abort: Vec<tokio::task::AbortHandle>,
}

/// What the parts of a writer share.
struct Shared<M: Model> {
    options: Options,
    connect: PgConnectOptions,
    intake: Intake<M::New>,
    dispatch: Dispatch,
    progress: Progress,
    counts: Counts,
    spill: Option<Spill>,
    /// What keeps lanes from storing their batches, by their place; the last is that of
    /// the spill.
    trouble: Mutex<Vec<Option<Arc<Error>>>>,
}

/// How many records a writer has taken, and what became of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Taken into the queue, or found in the spill.
    pub accepted: u64,
    /// Stored: committed in PostgreSQL.
    pub written: u64,
    /// Refused with a reason, by Lookback's checks or by PostgreSQL, or given up.
    pub rejected: u64,
    /// Not taken, since the queue was full.
    pub dropped: u64,
    /// Accepted, and neither written nor rejected yet.
    pub pending: u64,
    /// Of these, in the spill.
    pub spilled: u64,
    /// How long the oldest pending record has been waiting.
    pub lag: Duration,
    /// What keeps a connection of the writer from storing its batch, if
    /// something does.
    pub trouble: Option<Arc<Error>>,
}

/// A record that was not stored.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected {
    /// What was given for it, as an insert type reads it, without hidden
    /// columns.
    pub values: JsonMap,
    /// Why.
    pub error: Error,
}

/// Resolves when a record is committed, or was refused.
///
/// Dropped, it changes nothing for the record.
#[derive(Debug)]
#[must_use = "a receipt does nothing unless it is awaited"]
pub struct Receipt {
    outcome: oneshot::Receiver<Result<(), Error>>,
    table: &'static str,
}

impl Future for Receipt {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let table = self.table;
        Pin::new(&mut self.outcome).poll(context).map(|outcome| {
            outcome.unwrap_or_else(|_| {
                Err(Error::unwritten(
                    table,
                    "the writer was dropped; it is not known whether the record is stored",
                ))
            })
        })
    }
}

impl<M: Model> Writer<M> {
    /// A writer with other options than the default ones.
    pub fn builder() -> WriterBuilder<M> {
        WriterBuilder::new()
    }

    /// Puts a record into the queue. What becomes of it can be learned by
    /// [`flush`](Self::flush), and by
    /// [`on_rejected`](WriterBuilder::on_rejected).
    ///
    /// # Errors
    ///
    /// [`Error::is_unwritten`] if the writer is closed, or the queue is full
    /// and the writer [drops](WhenFull::Drop) what does not fit.
    pub async fn send(&self, record: M::New) -> Result<(), Error> {
        self.put(Entry::new(record, None)).await
    }

    /// Puts a record into the queue, and returns what resolves when it is
    /// committed.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send); the receipt has those of
    /// [`write`](Self::write).
    pub async fn submit(&self, record: M::New) -> Result<Receipt, Error> {
        let (sender, outcome) = oneshot::channel();
        self.put(Entry::new(record, Some(sender))).await?;
        Ok(Receipt {
            outcome,
            table: M::TABLE.name,
        })
    }

    /// Stores a record: returns when it is committed.
    ///
    /// It waits for a batch to be full or old enough: many at the same time are
    /// as fast as [`send`](Self::send), one after the other are not.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] or [`Error::is_conflict`] with what is wrong with
    /// the record; [`Error::is_unwritten`] if the writer is closed or dropped,
    /// the queue full, or the table takes no rows.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, the record may be stored or not.
    pub async fn write(&self, record: M::New) -> Result<(), Error> {
        self.submit(record).await?.await
    }

    /// Puts a record into the queue if there is room, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::is_unwritten`] if the queue is full or the writer is closed.
    pub fn try_send(&self, record: M::New) -> Result<(), Error> {
        match self.0.shared.intake.try_push(Entry::new(record, None)) {
            Ok(()) => Ok(()),
            Err(Refused::Closed) => Err(closed::<M>()),
            Err(Refused::Full(_)) => Err(self.dropped()),
        }
    }

    async fn put(&self, entry: Entry<M::New>) -> Result<(), Error> {
        let shared = &self.0.shared;
        let entry = match shared.intake.try_push(entry) {
            Ok(()) => return Ok(()),
            Err(Refused::Closed) => return Err(closed::<M>()),
            Err(Refused::Full(entry)) => entry,
        };
        match shared.options.when_full {
            WhenFull::Drop => Err(self.dropped()),
            WhenFull::Wait if shared.intake.push(entry).await => Ok(()),
            WhenFull::Wait => Err(closed::<M>()),
        }
    }

    fn dropped(&self) -> Error {
        Counts::add(&self.0.shared.counts.dropped, 1);
        Error::unwritten(M::TABLE.name, "the queue of the writer is full")
    }

    /// Waits until every record that was accepted before is committed, or was
    /// refused.
    ///
    /// # Errors
    ///
    /// [`Error::is_unwritten`] if the writer stops before that.
    pub async fn flush(&self) -> Result<(), Error> {
        let shared = &self.0.shared;
        let before = shared.intake.hurry();
        match shared.progress.settled(before).await {
            true => Ok(()),
            false => Err(Error::unwritten(
                M::TABLE.name,
                "the writer was stopped before all records were stored",
            )),
        }
    }

    /// Takes no more records, writes those it has, and stops. Further calls,
    /// on any clone, wait for the same.
    ///
    /// While the database is away this waits for it, unless there is a spill,
    /// which then takes all that is left; dropping the writer does not wait.
    ///
    /// # Errors
    ///
    /// As those of [`flush`](Self::flush).
    pub async fn close(&self) -> Result<(), Error> {
        let shared = &self.0.shared;
        shared.intake.close();
        let mut lanes = self.0.lanes.lock().await;
        while let Some(lane) = lanes.last_mut() {
            // One that was aborted or has panicked has left its batch, which `flush` knows.
            let _ended = lane.await;
            lanes.pop();
        }
        for (first, waiters) in shared.spill.iter().flat_map(Spill::left) {
            for waiter in waiters {
                let kept = "the database is away; the record is kept in the spill of the writer, \
                            and stored by the next that has it";
                // Who waited may have gone.
                let _gone = waiter.send(Err(Error::unwritten(M::TABLE.name, kept)));
            }
            shared.progress.settle(first);
        }
        let settled = self.flush().await;
        shared.stop();
        if let Some(ended) = self.0.thread.lock().await.take() {
            // Nothing is sent: it is over when the other end is gone.
            let _ended = ended.await;
        }
        settled
    }

    /// How many records it has taken, and what became of them.
    pub fn counters(&self) -> Counters {
        use std::sync::atomic::Ordering::Relaxed;
        let shared = &self.0.shared;
        // What was settled is read first: it is never more than what was accepted.
        let written = shared.counts.written.load(Relaxed);
        let rejected = shared.counts.rejected.load(Relaxed);
        let accepted = shared.intake.accepted() + shared.counts.found.load(Relaxed);
        let oldest = [shared.progress.oldest(), shared.intake.oldest()];
        let oldest = oldest.into_iter().flatten().min();
        let trouble = shared.trouble.lock();
        let trouble = trouble.unwrap_or_else(PoisonError::into_inner);
        Counters {
            accepted,
            written,
            rejected,
            dropped: shared.counts.dropped.load(Relaxed),
            pending: accepted.saturating_sub(written + rejected),
            spilled: shared.spill.as_ref().map_or(0, Spill::rows),
            lag: oldest.map_or(Duration::ZERO, |oldest: Instant| oldest.elapsed()),
            trouble: trouble.iter().flatten().next().cloned(),
        }
    }

    async fn start(options: Options, connect: PgConnectOptions) -> Result<Self, Error> {
        let spill = match options.spill.clone() {
            None => None,
            Some((folder, bytes)) => Some(
                tokio::task::spawn_blocking(move || Spill::open(M::TABLE, &folder, bytes))
                    .await
                    .map_err(|error| Error::Driver(sqlx::Error::Io(error.into())))??,
            ),
        };
        let found = spill.as_ref().map_or(0, Spill::rows);
        let shared = Arc::new(Shared::<M> {
            intake: Intake::new(options.queue, options.queue_bytes),
            // One is made, each lane has one in its hands, and the next ones are ready.
            dispatch: Dispatch::new(options.connections.div_ceil(2)),
            progress: Progress::default(),
            counts: Counts {
                found: found.into(),
                ..Counts::default()
            },
            trouble: Mutex::new(vec![None; options.connections + 1]),
            spill,
            connect,
            options,
        });
        let lanes = Lane::start_all(&shared).await?;
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(format!("write {}", M::TABLE.name));
        let (ended, thread_ended) = tokio::sync::oneshot::channel();
        thread
            .spawn(move || {
                assemble::run(&of_thread);
                // With it the lock of the spill's folder.
                drop(of_thread);
                drop(ended);
            })
            .map_err(|error| Error::Driver(sqlx::Error::Io(error)))?;
        let running = Arc::new(lane::Running::new(&shared));
        let senders = Arc::new(lane::Senders::new(&shared));
        let mut tasks: Vec<JoinHandle<()>> = Vec::with_capacity(lanes.len() + 1);
        if let Some(lane) = Lane::of_spill(&shared) {
            let running = Arc::clone(&running);
            tasks.push(tokio::spawn(async move {
                lane.replay().await;
                drop(running);
            }));
        }
        for lane in lanes {
            let (running, senders) = (Arc::clone(&running), Arc::clone(&senders));
            tasks.push(tokio::spawn(async move {
                lane.run().await;
                drop((senders, running));
            }));
        }
        Ok(Self(Arc::new(Owner {
            shared,
            abort: tasks.iter().map(JoinHandle::abort_handle).collect(),
            lanes: tokio::sync::Mutex::new(tasks),
            thread: tokio::sync::Mutex::new(Some(thread_ended)),
        })))
    }
}

impl<M: Model> Shared<M> {
    /// Nothing more is taken or stored.
    fn stop(&self) {
        self.intake.stop();
        self.dispatch.stop();
        self.progress.stop();
    }

    /// Whether a batch may go to the spill: the database is away, and there is
    /// room in the folder.
    fn may_spill(&self) -> bool {
        self.spill.as_ref().is_some_and(Spill::has_room) && self.is_away()
    }

    /// Whether no lane can store anything.
    fn is_away(&self) -> bool {
        let trouble = self.trouble.lock();
        let trouble = trouble.unwrap_or_else(PoisonError::into_inner);
        trouble[..self.options.connections]
            .iter()
            .all(Option::is_some)
    }

    /// Puts a batch into the spill, or gives it back.
    fn spill(&self, batch: Batch, doubt: Option<Doubt>) -> Option<Batch> {
        let Some(spill) = &self.spill else {
            return Some(batch);
        };
        let (back, trouble) = match spill.put(batch, doubt) {
            Ok(()) => (None, None),
            Err((back, error)) => (Some(back), Some(Error::Driver(sqlx::Error::Io(error)))),
        };
        let place = self.options.connections;
        self.trouble(place, trouble.map(Arc::new).as_ref());
        if back.is_some() {
            // The disk is full, or the like: not again at once.
            std::thread::sleep(Duration::from_millis(100));
        }
        back
    }

    fn trouble(&self, place: usize, error: Option<&Arc<Error>>) {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner)[place] = error.cloned();
    }

    /// Tells who waits for a record, or else the handler, why it is not stored.
    fn reject(&self, waiter: Option<Waiter>, error: Error, values: impl FnOnce() -> JsonMap) {
        Counts::add(&self.counts.rejected, 1);
        match (waiter, &self.options.on_rejected) {
            // Who waited may have gone.
            (Some(waiter), _) => drop(waiter.send(Err(error))),
            (None, Some(handler)) => handler(Rejected {
                values: values(),
                error,
            }),
            (None, None) => {}
        }
    }
}

fn closed<M: Model>() -> Error {
    Error::unwritten(M::TABLE.name, "the writer is closed")
}

impl<M: Model> Clone for Writer<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Model> fmt::Debug for Writer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("table", &M::TABLE.name)
            .field("counters", &self.counters())
            .finish()
    }
}

impl<M: Model> Drop for Owner<M> {
    fn drop(&mut self) {
        self.shared.stop();
        self.abort.iter().for_each(tokio::task::AbortHandle::abort);
    }
}
