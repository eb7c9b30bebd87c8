//! The queue: from the callers to the encoder.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::error::Error;
use crate::model::{ColumnValues, Model as _};
use crate::value::{Json, Value};

/// Resolves the receipt of a caller that waits for a record.
pub(super) type Waiter = oneshot::Sender<Result<(), Error>>;

/// A record in the queue.
pub(super) struct QueuedRecord<N> {
    pub(super) record: N,
    pub(super) waiter: Option<Waiter>,
    /// When it was queued.
    pub(super) since: Instant,
    /// Its approximate size in bytes.
    weight: usize,
}

impl<N: ColumnValues> QueuedRecord<N> {
    pub(super) fn new(record: N, waiter: Option<Waiter>) -> Self {
        let columns = 0..N::Model::TABLE.columns.len();
        let heap: usize = columns
            .filter_map(|column| record.value(column))
            .map(|value| weight(&value))
            .sum();
        Self {
            record,
            waiter,
            since: Instant::now(),
            weight: size_of::<Self>() + heap,
        }
    }
}

fn weight(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytea(bytes) => bytes.len(),
        Value::Jsonb(json) => json_weight(json),
        Value::Array(_, items) => items.iter().map(|item| 32 + weight(item)).sum(),
        _ => 0,
    }
}

fn json_weight(json: &Json) -> usize {
    size_of::<Json>()
        + match json {
            Json::String(text) => text.len(),
            Json::Array(items) => items.iter().map(json_weight).sum(),
            Json::Object(map) => map
                .iter()
                .map(|(key, value)| 2 * size_of::<String>() + key.len() + json_weight(value))
                .sum(),
            Json::Null | Json::Bool(_) | Json::Number(_) => 0,
        }
}

/// The number of records that are taken at once, and that wake the encoder.
const CHUNK_RECORDS: usize = 512;

/// A queue that is bounded in records and in bytes.
pub(super) struct RecordQueue<N> {
    state: Mutex<QueueState<N>>,
    /// Signals work for the encoder.
    work: Condvar,
    /// Signals room for callers.
    room: Notify,
    max_records: usize,
    max_bytes: usize,
}

struct QueueState<N> {
    records: VecDeque<QueuedRecord<N>>,
    bytes: usize,
    accepted: u64,
    /// A batch is requested as soon as the queue is empty.
    urgent: bool,
    asleep: bool,
    phase: QueuePhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QueuePhase {
    Open,
    /// Queued records are still written.
    Closing,
    /// Nothing is written any more.
    Stopped,
}

/// Why a record was not queued.
pub(super) enum PushError<N> {
    Full(QueuedRecord<N>),
    Closed,
}

/// What the encoder is to do with the records that it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakeOutcome {
    /// Continue.
    More,
    /// Dispatch the batch, full or not.
    Due,
    /// Dispatch the batch: no more records come.
    Last,
    /// Stop: nothing is written any more.
    Stopped,
}

impl<N: ColumnValues> RecordQueue<N> {
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        Self {
            state: Mutex::new(QueueState {
                records: VecDeque::new(),
                bytes: 0,
                accepted: 0,
                urgent: false,
                asleep: false,
                phase: QueuePhase::Open,
            }),
            work: Condvar::new(),
            room: Notify::new(),
            max_records,
            max_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a record, if there is room.
    pub(super) fn try_push(&self, entry: QueuedRecord<N>) -> Result<(), PushError<N>> {
        let mut state = self.lock();
        if state.phase != QueuePhase::Open {
            return Err(PushError::Closed);
        }
        // A record that is larger than the whole queue is queued alone.
        let has_room = state.records.len() < self.max_records
            && (state.bytes + entry.weight <= self.max_bytes || state.records.is_empty());
        if !has_room {
            return Err(PushError::Full(entry));
        }
        state.bytes += entry.weight;
        state.accepted += 1;
        state.records.push_back(entry);
        // Without a timeout if the queue was empty, otherwise until there are enough records.
        let wake = state.asleep && matches!(state.records.len(), 1 | CHUNK_RECORDS);
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Appends a record, as soon as there is room; false if the queue is closed.
    pub(super) async fn push(&self, mut entry: QueuedRecord<N>) -> bool {
        loop {
            match self.try_push(entry) {
                Ok(()) => return true,
                Err(PushError::Closed) => return false,
                Err(PushError::Full(back)) => entry = back,
            }
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            match self.try_push(entry) {
                Ok(()) => return true,
                Err(PushError::Closed) => return false,
                Err(PushError::Full(back)) => entry = back,
            }
            room.await;
        }
    }

    /// Waits until there is room for a small record, or the queue is closed.
    #[cfg(feature = "capture")]
    pub(super) async fn ready(&self) {
        let is_ready = || {
            let state = self.lock();
            let has_room = state.records.len() < self.max_records && state.bytes < self.max_bytes;
            has_room || state.phase != QueuePhase::Open
        };
        while !is_ready() {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if is_ready() {
                return;
            }
            room.await;
        }
    }

    /// Moves records into `taken`, as soon as there are many or a batch is due.
    ///
    /// `since` is when the first record of the batch being built was queued.
    pub(super) fn take(
        &self,
        taken: &mut Vec<QueuedRecord<N>>,
        since: Option<Instant>,
        age: Duration,
    ) -> TakeOutcome {
        let mut state = self.lock();
        let due = loop {
            if state.phase == QueuePhase::Stopped {
                return TakeOutcome::Stopped;
            }
            if state.records.len() >= CHUNK_RECORDS {
                break false;
            }
            if state.urgent || state.phase == QueuePhase::Closing {
                break true;
            }
            let oldest = since.or(state.records.front().map(|entry| entry.since));
            let left = oldest.map(|oldest| age.saturating_sub(oldest.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                break true;
            }
            state.asleep = true;
            state = match left {
                None => self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let woken = self.work.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.asleep = false;
        };
        let count = state.records.len().min(CHUNK_RECORDS);
        taken.extend(state.records.drain(..count));
        state.bytes -= taken.iter().map(|entry| entry.weight).sum::<usize>();
        let empty = state.records.is_empty();
        let result = match (due, state.phase) {
            (true, QueuePhase::Closing) if empty => TakeOutcome::Last,
            (true, _) if empty => {
                state.urgent = false;
                TakeOutcome::Due
            }
            _ => TakeOutcome::More,
        };
        drop(state);
        self.room.notify_waiters();
        result
    }

    /// The number that the next record will have.
    pub(super) fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    /// When the oldest record was queued.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.lock().records.front().map(|entry| entry.since)
    }

    /// Requests a batch of the queued records, and returns the number of the next one.
    pub(super) fn request_flush(&self) -> u64 {
        let mut state = self.lock();
        state.urgent = true;
        self.work.notify_one();
        state.accepted
    }

    /// Accepts no more records.
    pub(super) fn close(&self) {
        drop(self.enter(QueuePhase::Closing));
    }

    /// Accepts no more records, and drops the queued ones.
    pub(super) fn stop(&self) {
        self.enter(QueuePhase::Stopped).records.clear();
    }

    fn enter(&self, phase: QueuePhase) -> MutexGuard<'_, QueueState<N>> {
        let mut state = self.lock();
        if state.phase != QueuePhase::Stopped {
            state.phase = phase;
        }
        self.work.notify_one();
        self.room.notify_waiters();
        state
    }
}
