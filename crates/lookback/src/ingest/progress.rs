//! The progress of a writer: which batches are settled.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Counts of records.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// Found in the spill at the start.
    pub(super) found: AtomicU64,
}

impl Counts {
    pub(super) fn add(count: &AtomicU64, records: usize) {
        count.fetch_add(records as u64, Ordering::Relaxed);
    }
}

/// Which of the accepted records are settled: written, rejected, or given up.
///
/// Records are numbered as they are accepted, and batches hold consecutive records; they
/// may be settled in any order.
#[derive(Debug, Default)]
pub(super) struct BatchProgress {
    state: Mutex<ProgressState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct ProgressState {
    /// The batches that are not settled, by the number of their first record, with the time
    /// since when that has been waiting.
    open: BTreeMap<u64, Instant>,
    /// The number of the first record that is in no batch yet.
    next: u64,
    stopped: bool,
}

impl ProgressState {
    fn settled(&self) -> u64 {
        self.open.keys().next().copied().unwrap_or(self.next)
    }
}

impl BatchProgress {
    fn lock(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a batch with this record.
    pub(super) fn begin_batch(&self, first: u64, since: Instant) {
        self.lock().open.insert(first, since);
    }

    /// Ends the last batch before this record.
    pub(super) fn end_batch(&self, next: u64) {
        self.lock().next = next;
    }

    /// Settles every record of a batch.
    pub(super) fn settle(&self, first: Option<u64>) {
        if let Some(first) = first {
            self.lock().open.remove(&first);
        }
        self.changed.notify_waiters();
    }

    /// Ends all waits: nothing will be settled any more.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_waiters();
    }

    /// Since when the oldest record in a batch has been waiting.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.lock().open.values().min().copied()
    }

    /// Waits until every record before this one is settled; false if the writer stops.
    pub(super) async fn wait_until_settled(&self, before: u64) -> bool {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                if state.settled() >= before {
                    return true;
                }
                if state.stopped {
                    return false;
                }
            }
            changed.await;
        }
    }
}
