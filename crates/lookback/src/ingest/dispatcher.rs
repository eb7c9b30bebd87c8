//! The dispatcher: hands batches from the encoder to the lanes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::batch::Batch;

/// A short queue of batches; the encoder waits while it is full.
#[derive(Debug)]
pub(super) struct Dispatcher {
    state: Mutex<DispatcherState>,
    capacity: usize,
    room: Condvar,
    work: Notify,
}

/// The result of pushing a batch.
pub(super) enum DispatchOutcome {
    Queued,
    Diverted(Batch),
    /// No lane takes batches any more.
    Stopped,
}

const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct DispatcherState {
    ready: VecDeque<Batch>,
    /// No more batches come.
    ended: bool,
    /// No lane takes batches any more.
    stopped: bool,
}

impl Dispatcher {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity,
            room: Condvar::new(),
            work: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, DispatcherState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a batch for the lanes.
    ///
    /// While the queue is full, it waits, unless `divert` says that the batch is to go
    /// elsewhere.
    pub(super) fn push(&self, batch: Batch, divert: impl Fn() -> bool) -> DispatchOutcome {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return DispatchOutcome::Stopped;
            }
            if state.ready.len() < self.capacity {
                state.ready.push_back(batch);
                drop(state);
                self.work.notify_one();
                return DispatchOutcome::Queued;
            }
            if divert() {
                return DispatchOutcome::Diverted(batch);
            }
            // The condition of `divert` may change without a notification.
            let woken = self.room.wait_timeout(state, POLL_INTERVAL);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether no more batches come.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Ends the sequence of batches.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_waiters();
    }

    /// Drops all batches and accepts no more.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.ready.clear();
        drop(state);
        self.room.notify_all();
        self.work.notify_waiters();
    }

    /// The next batch, or `None` if no more come.
    pub(super) async fn take(&self) -> Option<Batch> {
        loop {
            let work = self.work.notified();
            tokio::pin!(work);
            work.as_mut().enable();
            {
                let mut state = self.lock();
                if let Some(batch) = state.ready.pop_front() {
                    self.room.notify_one();
                    return Some(batch);
                }
                if state.ended || state.stopped {
                    return None;
                }
            }
            work.await;
        }
    }
}
