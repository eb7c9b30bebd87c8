//! The queue: from the callers to the thread that makes batches.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::error::Error;
use crate::model::{ColumnValues, Model as _};
use crate::value::{Json, Value};

/// Who waits for a record.
pub(super) type Waiter = oneshot::Sender<Result<(), Error>>;

/// A record in the queue.
pub(super) struct Entry<N> {
    pub(super) record: N,
    pub(super) waiter: Option<Waiter>,
    /// When it came.
    pub(super) since: Instant,
    /// About how many bytes it takes.
    weight: usize,
}

impl<N: ColumnValues> Entry<N> {
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

/// So many records are taken at once, and wake who takes them.
const HANDFUL: usize = 512;

/// The queue, bounded in records and in bytes.
pub(super) struct Intake<N> {
    state: Mutex<State<N>>,
    /// There is something to do for the thread that makes batches.
    work: Condvar,
    /// There is room.
    room: Notify,
    most_records: usize,
    most_bytes: usize,
}

struct State<N> {
    records: VecDeque<Entry<N>>,
    bytes: usize,
    accepted: u64,
    /// A batch is asked for as soon as the queue is empty.
    urgent: bool,
    asleep: bool,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is in the queue is still written.
    Closing,
    /// Nothing is any more.
    Stopped,
}

/// Why a record was not taken.
pub(super) enum Refused<N> {
    Full(Entry<N>),
    Closed,
}

/// What the thread that makes batches is to do with what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Go on.
    Some,
    /// Let the batch go, full or not.
    Due,
    /// Let it go: no more will come.
    Last,
    /// Nobody wants any of it any more.
    Stop,
}

impl<N: ColumnValues> Intake<N> {
    pub(super) fn new(most_records: usize, most_bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                records: VecDeque::new(),
                bytes: 0,
                accepted: 0,
                urgent: false,
                asleep: false,
                phase: Phase::Open,
            }),
            work: Condvar::new(),
            room: Notify::new(),
            most_records,
            most_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a record at the end, if there is room.
    pub(super) fn try_push(&self, entry: Entry<N>) -> Result<(), Refused<N>> {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(Refused::Closed);
        }
        // One that is larger than the whole queue goes alone.
        let has_room = state.records.len() < self.most_records
            && (state.bytes + entry.weight <= self.most_bytes || state.records.is_empty());
        if !has_room {
            return Err(Refused::Full(entry));
        }
        state.bytes += entry.weight;
        state.accepted += 1;
        state.records.push_back(entry);
        // Asleep without an end if the queue was empty, else until it is worth it.
        let wake = state.asleep && matches!(state.records.len(), 1 | HANDFUL);
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Puts a record at the end, as soon as there is room; false if it is closed.
    pub(super) async fn push(&self, mut entry: Entry<N>) -> bool {
        loop {
            match self.try_push(entry) {
                Ok(()) => return true,
                Err(Refused::Closed) => return false,
                Err(Refused::Full(back)) => entry = back,
            }
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            match self.try_push(entry) {
                Ok(()) => return true,
                Err(Refused::Closed) => return false,
                Err(Refused::Full(back)) => entry = back,
            }
            room.await;
        }
    }

    /// Moves records into `taken`: some as soon as there are many, or a batch
    /// is due. `since` is when the first record of the batch came that is being
    /// made.
    pub(super) fn take(
        &self,
        taken: &mut Vec<Entry<N>>,
        since: Option<Instant>,
        age: Duration,
    ) -> Taken {
        let mut state = self.lock();
        let due = loop {
            if state.phase == Phase::Stopped {
                return Taken::Stop;
            }
            if state.records.len() >= HANDFUL {
                break false;
            }
            if state.urgent || state.phase == Phase::Closing {
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
        let many = state.records.len().min(HANDFUL);
        taken.extend(state.records.drain(..many));
        state.bytes -= taken.iter().map(|entry| entry.weight).sum::<usize>();
        let empty = state.records.is_empty();
        let result = match (due, state.phase) {
            (true, Phase::Closing) if empty => Taken::Last,
            (true, _) if empty => {
                state.urgent = false;
                Taken::Due
            }
            _ => Taken::Some,
        };
        drop(state);
        self.room.notify_waiters();
        result
    }

    /// The number that the next record will have.
    pub(super) fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    /// Since when the oldest record waits here.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.lock().records.front().map(|entry| entry.since)
    }

    /// Asks for a batch of what is here, and returns the number that the next
    /// record will have.
    pub(super) fn hurry(&self) -> u64 {
        let mut state = self.lock();
        state.urgent = true;
        self.work.notify_one();
        state.accepted
    }

    /// No more records are taken.
    pub(super) fn close(&self) {
        drop(self.to(Phase::Closing));
    }

    /// No more records are taken, and those that are here are dropped.
    pub(super) fn stop(&self) {
        self.to(Phase::Stopped).records.clear();
    }

    fn to(&self, phase: Phase) -> MutexGuard<'_, State<N>> {
        let mut state = self.lock();
        if state.phase != Phase::Stopped {
            state.phase = phase;
        }
        self.work.notify_one();
        self.room.notify_waiters();
        state
    }
}
