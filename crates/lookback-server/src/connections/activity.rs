//! The activity of a connection: a request, the head of one, or nothing.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The activity of a connection.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<ActivityState>,
    /// An earlier deadline.
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct ActivityState {
    /// The requests that are under way, until their responses have been sent.
    requests: usize,
    /// Since when there is none.
    idle_since: Instant,
    /// Since when a head comes.
    head_since: Option<Instant>,
    /// In HTTP/2, bytes between requests need be no head.
    is_http2: bool,
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct RequestUnderWay(Arc<Activity>);

impl Activity {
    /// The activity of a connection that was just accepted, and has to send a head.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(ActivityState {
                requests: 0,
                idle_since: now,
                head_since: Some(now),
                is_http2: false,
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, ActivityState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that bytes came.
    pub(super) fn read(&self) {
        let mut state = self.state();
        if state.requests == 0 && state.head_since.is_none() && !state.is_http2 {
            state.head_since = Some(Instant::now());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Notes that bytes were taken by the client. hyper lets go of a response before the client has
    /// taken all of it: meanwhile, the connection is not idle.
    pub(super) fn wrote(&self) {
        let mut state = self.state();
        // In HTTP/2 there are pings, and a response is let go of when nearly all of it is sent.
        if state.is_http2 || state.requests > 0 {
            return;
        }
        let now = Instant::now();
        state.idle_since = now;
        if let Some(since) = &mut state.head_since {
            *since = now;
        }
    }

    /// Notes that the head of a request is complete.
    pub(super) fn start(self: &Arc<Self>, is_http2: bool) -> RequestUnderWay {
        let mut state = self.state();
        state.requests += 1;
        state.head_since = None;
        state.is_http2 |= is_http2;
        RequestUnderWay(Arc::clone(self))
    }

    fn end(&self) {
        let mut state = self.state();
        state.requests -= 1;
        state.idle_since = Instant::now();
        drop(state);
        self.changed.notify_one();
    }

    /// Waits until a head, or the next request, takes longer than it may.
    pub(super) async fn overdue(&self, head: Duration, idle: Duration) {
        loop {
            let deadline = self.deadline(head, idle);
            match deadline {
                None => self.changed.notified().await,
                Some(deadline) if deadline <= Instant::now() => return,
                Some(deadline) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(deadline) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    fn deadline(&self, head: Duration, idle: Duration) -> Option<Instant> {
        let state = *self.state();
        if state.requests > 0 {
            return None;
        }
        Some(match state.head_since {
            Some(since) => since + head,
            None => state.idle_since + idle,
        })
    }
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Returns a body with which a request is under way until it is sent.
pub(super) fn until_sent(body: Body, request: RequestUnderWay) -> Body {
    Body::new(SentBody {
        body,
        _request: request,
    })
}

struct SentBody {
    body: Body,
    _request: RequestUnderWay,
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
