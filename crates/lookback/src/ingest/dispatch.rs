//! From the thread that makes batches to the lanes that send them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::batch::Batch;

/// A short queue of batches. What makes them waits while it is full.
#[derive(Debug)]
pub(super) struct Dispatch {
    state: Mutex<State>,
    most: usize,
    room: Condvar,
    work: Notify,
}

/// What became of a batch.
pub(super) enum Pushed {
    Done,
    Elsewhere(Batch),
    /// There are no lanes any more.
    Stopped,
}

const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Batch>,
    /// No more batches come.
    ended: bool,
    /// Nobody takes any more.
    stopped: bool,
}

impl Dispatch {
    pub(super) fn new(most: usize) -> Self {
        Self {
            state: Mutex::default(),
            most,
            room: Condvar::new(),
            work: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a batch to the lanes. While there is no room it waits, unless the
    /// batch is to go elsewhere.
    pub(super) fn push(&self, batch: Batch, elsewhere: impl Fn() -> bool) -> Pushed {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Pushed::Stopped;
            }
            if state.ready.len() < self.most {
                state.ready.push_back(batch);
                drop(state);
                self.work.notify_one();
                return Pushed::Done;
            }
            if elsewhere() {
                return Pushed::Elsewhere(batch);
            }
            // What `elsewhere` looks at may change without a word.
            let woken = self.room.wait_timeout(state, LOOK_AGAIN);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether no more batches come.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// No more batches come.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_waiters();
    }

    /// Nobody takes batches any more.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.ready.clear();
        drop(state);
        self.room.notify_all();
        self.work.notify_waiters();
    }

    /// The next batch, or none if no more come.
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
