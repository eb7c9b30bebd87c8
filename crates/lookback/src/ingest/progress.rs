//! How far a writer has come.

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
/// Records are numbered as they are accepted, and batches hold records that
/// follow each other; they may be settled in any order.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The batches that are not settled, by the number of their first record,
    /// and since when that waits.
    open: BTreeMap<u64, Instant>,
    /// The number of the first record that is in no batch yet.
    next: u64,
    stopped: bool,
}

impl State {
    fn settled(&self) -> u64 {
        self.open.keys().next().copied().unwrap_or(self.next)
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch starts with this record.
    pub(super) fn begin(&self, first: u64, since: Instant) {
        self.lock().open.insert(first, since);
    }

    /// The last batch ends before this record.
    pub(super) fn end(&self, next: u64) {
        self.lock().next = next;
    }

    /// Every record of the batch is settled.
    pub(super) fn settle(&self, first: Option<u64>) {
        if let Some(first) = first {
            self.lock().open.remove(&first);
        }
        self.changed.notify_waiters();
    }

    /// Nothing will be settled any more.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_waiters();
    }

    /// Since when the oldest record in a batch waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.lock().open.values().min().copied()
    }

    /// Waits until every record before this one is settled; false if that will
    /// not be.
    pub(super) async fn settled(&self, before: u64) -> bool {
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
