//! From the thread that makes batches to the lanes that send them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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

    /// Gives a batch to the lanes; false if there are none any more.
    pub(super) fn push(&self, batch: Batch) -> bool {
        let mut state = self.lock();
        while state.ready.len() >= self.most && !state.stopped {
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return false;
        }
        state.ready.push_back(batch);
        drop(state);
        self.work.notify_one();
        true
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
