//! The queue between the application and the thread that stores records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio::sync::mpsc;

use crate::record::{CapturedLog, CapturedRequest};

/// The most requests that wait.
pub(crate) const REQUESTS: usize = 8 * 1024;
/// The most log lines that wait.
pub(crate) const LOGS: usize = 16 * 1024;
/// The most bytes that wait, about.
pub(crate) const BYTES: usize = 32 * 1024 * 1024;

/// How many records were captured, and what became of them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: KindCounters,
    pub(crate) logs: KindCounters,
    pub(crate) windows: KindCounters,
    /// Requests that were counted in the window `other`.
    pub(crate) other: AtomicU64,
    /// About the bytes of the records that are not stored yet.
    queued_bytes: AtomicUsize,
}

#[derive(Debug, Default)]
pub(crate) struct KindCounters {
    pub(crate) captured: AtomicU64,
    pub(crate) stored: AtomicU64,
    /// The queue was full.
    pub(crate) dropped: AtomicU64,
    /// There were more than the most of a second.
    pub(crate) over_rate: AtomicU64,
    /// The sink could not store them.
    pub(crate) failed: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Relaxed);
}

/// A record, and its bytes in the queue.
pub(crate) struct Queued<T> {
    record: T,
    bytes: usize,
}

/// The ends of the queue that the application has.
#[derive(Debug)]
pub(crate) struct Queue {
    requests: mpsc::Sender<Queued<CapturedRequest>>,
    logs: mpsc::Sender<Queued<CapturedLog>>,
    counters: Arc<Counters>,
}

/// The ends that the thread has.
pub(crate) struct QueueEnds {
    pub(crate) requests: mpsc::Receiver<Queued<CapturedRequest>>,
    pub(crate) logs: mpsc::Receiver<Queued<CapturedLog>>,
}

/// A place in the queue for one record.
pub(crate) struct Place<'a, T> {
    permit: mpsc::Permit<'a, Queued<T>>,
    counters: &'a Counters,
    captured: &'a AtomicU64,
}

impl Queue {
    pub(crate) fn new(counters: Arc<Counters>) -> (Self, QueueEnds) {
        let (requests, request_end) = mpsc::channel(REQUESTS);
        let (logs, log_end) = mpsc::channel(LOGS);
        let ends = QueueEnds {
            requests: request_end,
            logs: log_end,
        };
        let queue = Self {
            requests,
            logs,
            counters,
        };
        (queue, ends)
    }

    /// Whether there is no place for a request now.
    pub(crate) fn is_full_of_requests(&self) -> bool {
        self.requests.capacity() == 0 || self.is_full_of_bytes()
    }

    fn is_full_of_bytes(&self) -> bool {
        self.counters.queued_bytes.load(Relaxed) >= BYTES
    }

    /// Takes a place for a request; counts it as dropped if there is none.
    pub(crate) fn request(&self) -> Option<Place<'_, CapturedRequest>> {
        self.place(&self.requests, &self.counters.requests)
    }

    /// Takes a place for a log line; counts it as dropped if there is none.
    pub(crate) fn log(&self) -> Option<Place<'_, CapturedLog>> {
        self.place(&self.logs, &self.counters.logs)
    }

    fn place<'a, T>(
        &'a self,
        channel: &'a mpsc::Sender<Queued<T>>,
        counters: &'a KindCounters,
    ) -> Option<Place<'a, T>> {
        let permit = if self.is_full_of_bytes() {
            None
        } else {
            channel.try_reserve().ok()
        };
        if permit.is_none() {
            count(&counters.dropped, 1);
        }
        permit.map(|permit| Place {
            permit,
            counters: &self.counters,
            captured: &counters.captured,
        })
    }
}

impl<T> Place<'_, T> {
    /// Puts a record into its place.
    pub(crate) fn put(self, record: T, bytes: usize) {
        self.counters.queued_bytes.fetch_add(bytes, Relaxed);
        count(self.captured, 1);
        self.permit.send(Queued { record, bytes });
    }
}

impl<T> Queued<T> {
    /// Moves the record to others, and returns its bytes, which stay counted until it is stored.
    pub(crate) fn move_to(self, records: &mut Vec<T>) -> usize {
        records.push(self.record);
        self.bytes
    }
}

impl Counters {
    /// Takes the bytes of records that were stored out of the count.
    pub(crate) fn release(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Relaxed);
    }
}
