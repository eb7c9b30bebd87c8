//! One reader: from positions to the body of its response.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use lookback::query::Position;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::Instant;

use super::Followed;
use super::event::{self, EndReason};
use super::hub::{Group, Page, Subscription, record_text};
use crate::access::MayRead;
use crate::addresses::OneOfAddress;
use crate::server::Shared;

/// The parts of the body that wait to be sent, and one for the last event.
const PARTS: usize = 3;
/// The bytes of events that are sent at a time.
const PART_BYTES: usize = 64 * 1024;
/// The pause after a read that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A reader that is admitted.
pub(super) struct Reader<M> {
    pub(super) source: Source<M>,
    pub(super) client: Client,
    pub(super) position: Position,
}

/// Where the records come from.
pub(super) struct Source<M> {
    pub(super) group: Arc<Group<M>>,
    pub(super) subscription: Subscription,
}

/// Who reads them.
pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    /// The request, by which its access is checked again.
    pub(super) parts: Parts,
    /// Its place among all readers, and among those of its address.
    pub(super) _place: (OwnedSemaphorePermit, Option<OneOfAddress>),
}

/// Why a tail ends.
enum End {
    /// The client has gone.
    Gone,
    /// The server ends it.
    Announced(EndReason, String),
}

impl<M: Followed> Reader<M> {
    /// Returns the response, whose body lasts until the tail ends.
    pub(super) fn respond(self, last: Vec<M>) -> Response {
        let (sender, receiver) = mpsc::channel(PARTS);
        tokio::spawn(self.run(last, sender));
        let parts = stream::unfold(receiver, async |mut receiver| {
            let part: Bytes = receiver.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(part), receiver))
        });
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (headers, Body::from_stream(parts)).into_response();
        // Proxies that collect a body before they pass it on.
        response
            .headers_mut()
            .insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }

    async fn run(mut self, last: Vec<M>, sender: mpsc::Sender<Bytes>) {
        // The last event has a place, also if the client takes nothing.
        let Ok(end_place) = sender.clone().try_reserve_owned() else {
            return;
        };
        if let Err(End::Announced(reason, detail)) = self.follow(last, &sender).await {
            end_place.send(event::end(reason, &detail, &self.position));
        }
    }

    async fn follow(
        &mut self,
        last: Vec<M>,
        sender: &mpsc::Sender<Bytes>,
    ) -> Result<std::convert::Infallible, End> {
        let Self {
            source,
            client,
            position,
        } = self;
        let settings = client.shared.settings.tail.clone();
        let mut stopping = client.shared.stopping.subscribe();
        let mut check_at = Instant::now() + settings.access_interval;
        client.send(event::start(position), sender).await?;
        client.send_last(&last, sender).await?;
        drop(last);
        let mut sent = Instant::now();
        loop {
            // Nothing is read while this waits: a read that is not polled would keep its connection
            // from those that this waits for.
            if Instant::now() >= check_at {
                client.check_access().await?;
                check_at = Instant::now() + settings.access_interval;
            }
            let page = tokio::select! {
                biased;
                () = stopped(&mut stopping) => return Err(End::shutdown()),
                () = sender.closed() => return Err(End::Gone),
                page = source.read(&client.shared, position) => page?,
            };
            if let Some(page) = page {
                if !page.records.is_empty() {
                    client.send_page(&page, position, sender).await?;
                    sent = Instant::now();
                }
                *position = page.position.clone();
                continue;
            }
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => return Err(End::shutdown()),
                () = sender.closed() => return Err(End::Gone),
                changed = source.subscription.changed() => {
                    changed.map_err(|detail| End::Announced(EndReason::Error, detail))?;
                }
                () = tokio::time::sleep_until(check_at) => {}
                () = tokio::time::sleep_until(sent + settings.heartbeat) => {
                    client.send(event::heartbeat(position), sender).await?;
                    sent = Instant::now();
                }
            }
        }
    }
}

/// Waits until the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Without a sender, there is no server.
    let _stopped = stopping.wait_for(|is_stopping| *is_stopping).await;
}

impl End {
    fn shutdown() -> Self {
        Self::Announced(EndReason::Shutdown, "the server stops".to_owned())
    }
}

impl<M: Followed> Source<M> {
    /// Reads a page of what has arrived behind a position; `None` if nothing has.
    async fn read(&self, shared: &Shared, from: &Position) -> Result<Option<Arc<Page>>, End> {
        let to = self.subscription.position();
        if *from == to {
            return Ok(None);
        }
        loop {
            match self.group.page(&shared.pool, from, &to).await {
                // It is ahead of the poll.
                Ok(page) if page.position == *from => return Ok(None),
                Ok(page) => return Ok(Some(page)),
                Err(error) if error.is_retryable() || error.is_timeout() => {
                    tracing::warn!("a tail waits for the database: {error}");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(End::Announced(EndReason::Error, error.to_string())),
            }
        }
    }
}

impl Client {
    /// Sends the last records of before. Their events have no ids: that of the start is theirs.
    async fn send_last<M: Followed>(
        &self,
        last: &[M],
        sender: &mpsc::Sender<Bytes>,
    ) -> Result<(), End> {
        let mut text = String::new();
        for record in last {
            if let Some(record) = record_text(record) {
                event::push_record(&record, None, &mut text);
            }
            if text.len() >= PART_BYTES {
                self.send(std::mem::take(&mut text), sender).await?;
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        self.send(text, sender).await
    }

    /// Sends a page. The position follows what is sent, if the tail ends in the middle of it.
    async fn send_page(
        &self,
        page: &Page,
        position: &mut Position,
        sender: &mpsc::Sender<Bytes>,
    ) -> Result<(), End> {
        let mut text = String::new();
        for (record, after) in &page.records {
            event::push_record(record, after.as_deref(), &mut text);
            if text.len() >= PART_BYTES {
                self.send(std::mem::take(&mut text), sender).await?;
                if let Some(Ok(after)) = after.as_ref().map(|after| after.parse()) {
                    *position = after;
                }
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        self.send(text, sender).await
    }

    async fn send(&self, part: String, sender: &mpsc::Sender<Bytes>) -> Result<(), End> {
        let mut stopping = self.shared.stopping.subscribe();
        let patience = self.shared.settings.tail.patience;
        let place = tokio::select! {
            place = tokio::time::timeout(patience, sender.reserve()) => place,
            () = stopped(&mut stopping) => return Err(End::shutdown()),
        };
        match place {
            Ok(Ok(place)) => {
                place.send(part.into());
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Announced(
                EndReason::Slow,
                format!("nothing was read for {} s", patience.as_secs_f64()),
            )),
        }
    }

    /// Checks whether the client may still read. A database that does not answer is no reason to
    /// end the tail.
    async fn check_access(&self) -> Result<(), End> {
        let mut parts = self.parts.clone();
        match MayRead::from_request_parts(&mut parts, &self.shared).await {
            Err(problem) if matches!(problem.status().as_u16(), 401 | 403) => Err(End::Announced(
                EndReason::Access,
                problem.detail().to_owned(),
            )),
            _ => Ok(()),
        }
    }
}
