//! Ingest: storing many records fast with a [`Writer`].
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
//! Records wait in a queue that is bounded in records and in bytes. The encoder, one
//! thread, validates them, computes embeddings, encodes the rows of a binary COPY, and
//! cuts batches by rows, bytes and age. The dispatcher hands the batches to a few
//! connections, *lanes*, which store them sequentially: a batch is a transaction.
//!
//! Each lane has a row in `ingest_lanes`, with the number of its last batch, which the
//! transaction of the batch updates. A lane that loses its connection does not know
//! whether its batch was stored; after it has reconnected, it reads the number. It locks
//! the row to read it, and so waits for the transaction of the lost connection, should
//! that still be running.
//!
//! If PostgreSQL rejects a row, its batch is rolled back and bisected until each bad row
//! is known; the others are stored.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod back_off;
mod batch;
mod batch_key;
mod bisecting;
mod connection;
mod dispatcher;
mod encoder;
mod error_class;
mod lane;
mod options;
mod progress;
mod queue;
mod row;
mod spill;

pub use batch_key::{BatchClaim, claim_batch, forget_batches, note_outcome};
pub use options::{WhenFull, WriterBuilder};

use crate::error::Error;
use crate::model::Model;
use crate::value::JsonMap;
use batch::Batch;
use dispatcher::Dispatcher;
use lane::Lane;
use options::Options;
use progress::{BatchProgress, Counts};
use queue::{PushError, QueuedRecord, RecordQueue, Waiter};
use spill::{InDoubtBatch, Spill};

/// Stores records in batches, by binary COPY over a few connections.
///
/// It is cheap to clone: all clones are one writer. An acknowledgement, be it
/// of [`write`](Self::write), of a [`Receipt`] or of [`flush`](Self::flush),
/// means that the record is committed in PostgreSQL. Records of one writer are
/// not stored in the order in which they were sent.
///
/// # Dropping
///
/// Call [`close`](Self::close) at the end. A writer whose last clone is dropped stops
/// at once: acknowledged records are stored; of the others, some may be.
pub struct Writer<M: Model>(Arc<WriterHandle<M>>);

/// The state behind the clones of a writer. The last clone stops it.
struct WriterHandle<M: Model> {
    shared: Arc<Shared<M>>,
    lanes: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
    /// Closed when the encoder thread has ended.
    thread: tokio::sync::Mutex<Option<tokio::sync::oneshot::Receiver<()>>>,
    abort: Vec<tokio::task::AbortHandle>,
}

/// The state that the parts of a writer share.
struct Shared<M: Model> {
    options: Options,
    connect: PgConnectOptions,
    queue: RecordQueue<M::New>,
    dispatcher: Dispatcher,
    progress: BatchProgress,
    counts: Counts,
    spill: Option<Spill>,
    /// The error that keeps each lane from storing its batch, by index; the last is that
    /// of the spill.
    errors: Mutex<Vec<Option<Arc<Error>>>>,
}

/// The number of records of a writer, by outcome.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Accepted into the queue, or found in the spill.
    pub accepted: u64,
    /// Committed in PostgreSQL.
    pub written: u64,
    /// Rejected with a reason by Lookback's checks or PostgreSQL, or given up.
    pub rejected: u64,
    /// Not accepted because the queue was full.
    pub dropped: u64,
    /// Accepted, and neither written nor rejected yet.
    pub pending: u64,
    /// Pending records in the spill.
    pub spilled: u64,
    /// How long the oldest pending record has been waiting.
    pub lag: Duration,
    /// The error that keeps a connection of the writer from storing its batch, if any.
    pub last_error: Option<Arc<Error>>,
}

/// A record that was not stored.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected {
    /// Its values as the insert type reads them, without hidden columns.
    pub values: JsonMap,
    /// Why it was not stored.
    pub error: Error,
}

/// Resolves when a record is committed or rejected.
///
/// Dropping it changes nothing for the record.
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
                Err(Error::not_written(
                    table,
                    "the writer was dropped; the record may be stored or not",
                ))
            })
        })
    }
}

impl<M: Model> Writer<M> {
    /// Returns a builder for a writer with options.
    pub fn builder() -> WriterBuilder<M> {
        WriterBuilder::new()
    }

    /// Puts a record into the queue.
    ///
    /// Its outcome is reported by [`flush`](Self::flush) and
    /// [`on_rejected`](WriterBuilder::on_rejected).
    ///
    /// # Errors
    ///
    /// [`Error::is_not_written`] if the writer is closed, or the queue is full
    /// and the writer [drops](WhenFull::Drop) records that do not fit.
    pub async fn send(&self, record: M::New) -> Result<(), Error> {
        self.put(QueuedRecord::new(record, None)).await
    }

    /// Puts a record into the queue, and returns a receipt that resolves at its commit.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send); the receipt has those of
    /// [`write`](Self::write).
    pub async fn submit(&self, record: M::New) -> Result<Receipt, Error> {
        let (sender, outcome) = oneshot::channel();
        self.put(QueuedRecord::new(record, Some(sender))).await?;
        Ok(Receipt {
            outcome,
            table: M::TABLE.name,
        })
    }

    /// Stores a record: returns when it is committed.
    ///
    /// It waits for a batch to be full or old enough: many concurrent calls are as fast as
    /// [`send`](Self::send), sequential calls are not.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] or [`Error::is_conflict`] with the reason why the record is
    /// rejected; [`Error::is_not_written`] if the writer is closed or dropped,
    /// the queue is full, or the table accepts no rows.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is done, the record may be stored or not.
    pub async fn write(&self, record: M::New) -> Result<(), Error> {
        self.submit(record).await?.await
    }

    /// Puts a record into the queue if there is room, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_written`] if the queue is full or the writer is closed.
    pub fn try_send(&self, record: M::New) -> Result<(), Error> {
        match self
            .0
            .shared
            .queue
            .try_push(QueuedRecord::new(record, None))
        {
            Ok(()) => Ok(()),
            Err(PushError::Closed) => Err(closed::<M>()),
            Err(PushError::Full(_)) => Err(self.dropped()),
        }
    }

    /// Waits until the queue has room for a small record, or the writer is closed.
    #[cfg(feature = "capture")]
    pub(crate) async fn ready(&self) {
        self.0.shared.queue.ready().await;
    }

    async fn put(&self, entry: QueuedRecord<M::New>) -> Result<(), Error> {
        let shared = &self.0.shared;
        let entry = match shared.queue.try_push(entry) {
            Ok(()) => return Ok(()),
            Err(PushError::Closed) => return Err(closed::<M>()),
            Err(PushError::Full(entry)) => entry,
        };
        match shared.options.when_full {
            WhenFull::Drop => Err(self.dropped()),
            WhenFull::Wait if shared.queue.push(entry).await => Ok(()),
            WhenFull::Wait => Err(closed::<M>()),
        }
    }

    fn dropped(&self) -> Error {
        Counts::add(&self.0.shared.counts.dropped, 1);
        Error::not_written(M::TABLE.name, "the queue of the writer is full")
    }

    /// Waits until every record that was accepted before is committed or rejected.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_written`] if the writer stops before that.
    pub async fn flush(&self) -> Result<(), Error> {
        let shared = &self.0.shared;
        let before = shared.queue.request_flush();
        if shared.progress.wait_until_settled(before).await {
            return Ok(());
        }
        Err(Error::not_written(
            M::TABLE.name,
            "the writer was stopped before all records were stored",
        ))
    }

    /// Accepts no more records, writes those it has, and stops.
    ///
    /// Further calls, on any clone, wait for the same. While the database cannot be reached,
    /// this waits for it, unless there is a spill, which then receives all remaining records.
    /// Dropping the writer does not wait.
    ///
    /// # Errors
    ///
    /// As those of [`flush`](Self::flush).
    pub async fn close(&self) -> Result<(), Error> {
        let shared = &self.0.shared;
        shared.queue.close();
        let mut lanes = self.0.lanes.lock().await;
        while let Some(lane) = lanes.last_mut() {
            // A lane that was aborted or has panicked has left its batch, which `flush` reports.
            let _ended = lane.await;
            lanes.pop();
        }
        for (first, waiters) in shared.spill.iter().flat_map(Spill::take_waiters) {
            for waiter in waiters {
                let kept = "the database cannot be reached; the record is kept in the spill of the \
                            writer, and the next writer with that folder stores it";
                // The caller may have stopped waiting.
                let _gone = waiter.send(Err(Error::not_written(M::TABLE.name, kept)));
            }
            shared.progress.settle(first);
        }
        let settled = self.flush().await;
        shared.stop();
        if let Some(ended) = self.0.thread.lock().await.take() {
            // Nothing is sent: the thread has ended when the sender is dropped.
            let _ended = ended.await;
        }
        settled
    }

    /// Returns the number of its records, by outcome.
    pub fn counters(&self) -> Counters {
        use std::sync::atomic::Ordering::Relaxed;
        let shared = &self.0.shared;
        // Settled records are read first, so that they are never more than the accepted ones.
        let written = shared.counts.written.load(Relaxed);
        let rejected = shared.counts.rejected.load(Relaxed);
        let accepted = shared.queue.accepted() + shared.counts.found.load(Relaxed);
        let oldest = [shared.progress.oldest(), shared.queue.oldest()];
        let oldest = oldest.into_iter().flatten().min();
        let errors = shared.errors.lock();
        let errors = errors.unwrap_or_else(PoisonError::into_inner);
        Counters {
            accepted,
            written,
            rejected,
            dropped: shared.counts.dropped.load(Relaxed),
            pending: accepted.saturating_sub(written + rejected),
            spilled: shared.spill.as_ref().map_or(0, Spill::rows),
            lag: oldest.map_or(Duration::ZERO, |oldest: Instant| oldest.elapsed()),
            last_error: errors.iter().flatten().next().cloned(),
        }
    }

    async fn start(options: Options, connect: PgConnectOptions) -> Result<Self, Error> {
        let spill = match options.spill.clone() {
            None => None,
            Some((folder, bytes)) => Some(
                tokio::task::spawn_blocking(move || Spill::open(M::TABLE, &folder, bytes))
                    .await
                    .map_err(|error| Error::io("cannot open the spill", error.into()))??,
            ),
        };
        let found = spill.as_ref().map_or(0, Spill::rows);
        let shared = Arc::new(Shared::<M> {
            queue: RecordQueue::new(options.queue, options.queue_bytes),
            // One batch is being encoded, each lane holds one, and the next ones are ready.
            dispatcher: Dispatcher::new(options.connections.div_ceil(2)),
            progress: BatchProgress::default(),
            counts: Counts {
                found: found.into(),
                ..Counts::default()
            },
            errors: Mutex::new(vec![None; options.connections + 1]),
            spill,
            connect,
            options,
        });
        let lanes = Lane::start_all(&shared).await?;
        let encoder_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(format!("write {}", M::TABLE.name));
        let (ended, thread_ended) = tokio::sync::oneshot::channel();
        thread
            .spawn(move || {
                encoder::run(&encoder_shared);
                // Releases the lock of the spill's folder.
                drop(encoder_shared);
                drop(ended);
            })
            .map_err(|error| Error::io("cannot start a thread of the writer", error))?;
        let running = Arc::new(lane::Running::new(&shared));
        let senders = Arc::new(lane::Senders::new(&shared));
        let mut tasks: Vec<JoinHandle<()>> = Vec::with_capacity(lanes.len() + 1);
        if let Some(lane) = Lane::for_spill(&shared) {
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
        Ok(Self(Arc::new(WriterHandle {
            shared,
            abort: tasks.iter().map(JoinHandle::abort_handle).collect(),
            lanes: tokio::sync::Mutex::new(tasks),
            thread: tokio::sync::Mutex::new(Some(thread_ended)),
        })))
    }
}

impl<M: Model> Shared<M> {
    /// Makes all parts stop; nothing more is accepted or stored.
    fn stop(&self) {
        self.queue.stop();
        self.dispatcher.stop();
        self.progress.stop();
    }

    /// Whether a batch may go to the spill: no lane can store, and the folder has room.
    fn may_spill(&self) -> bool {
        self.spill.as_ref().is_some_and(Spill::has_room) && self.is_away()
    }

    /// Whether no lane can store anything.
    fn is_away(&self) -> bool {
        let errors = self.errors.lock();
        let errors = errors.unwrap_or_else(PoisonError::into_inner);
        errors[..self.options.connections]
            .iter()
            .all(Option::is_some)
    }

    /// Puts a batch into the spill, or returns it.
    fn spill(&self, batch: Batch, doubt: Option<InDoubtBatch>) -> Option<Batch> {
        let Some(spill) = &self.spill else {
            return Some(batch);
        };
        let (back, error) = match spill.put(batch, doubt) {
            Ok(()) => (None, None),
            Err((back, error)) => (
                Some(back),
                Some(Error::io("cannot write to the spill", error)),
            ),
        };
        let index = self.options.connections;
        self.set_error(index, error.map(Arc::new).as_ref());
        if back.is_some() {
            // The disk may be full: pause before the next attempt.
            std::thread::sleep(Duration::from_millis(100));
        }
        back
    }

    fn set_error(&self, index: usize, error: Option<&Arc<Error>>) {
        let errors = self.errors.lock();
        errors.unwrap_or_else(PoisonError::into_inner)[index] = error.cloned();
    }

    /// Reports to the caller that waits, or to the handler, why a record is not stored.
    fn reject(&self, waiter: Option<Waiter>, error: Error, values: impl FnOnce() -> JsonMap) {
        Counts::add(&self.counts.rejected, 1);
        match (waiter, &self.options.on_rejected) {
            // The caller may have stopped waiting.
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
    Error::not_written(M::TABLE.name, "the writer is closed")
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

impl<M: Model> Drop for WriterHandle<M> {
    fn drop(&mut self) {
        self.shared.stop();
        self.abort.iter().for_each(tokio::task::AbortHandle::abort);
    }
}
