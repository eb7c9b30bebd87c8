//! A request and its response, from its start to its record.

use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, Version, header};
use lookback_json::secrets::Masking;
use lookback_json::{Json, JsonMap};

use super::Direction;
use super::headers::{insert_own, query_of, stored_headers};
use super::stored_body::{stored_body, weight, weight_of_map};
use super::tee::Kept;
use crate::capture::Capture;
use crate::record::{CapturedRequest, Location, now};
use crate::settings::Settings;
use crate::trace::{CurrentRequest, Entered, TraceContext};
use crate::window::{Measurement, endpoint, route_of_path};

/// The route of a request that no route matches.
const UNMATCHED: &str = "unmatched";

/// A request that has begun.
pub(super) struct Exchange {
    capture: Capture,
    settings: Arc<Settings>,
    direction: Direction,
    /// Whether it is captured only if it fails.
    is_probe: bool,
    started: Instant,
    timestamp: DateTime<Utc>,
    method: Method,
    uri: Uri,
    version: Version,
    route: String,
    /// The parts of a record; `None` if there will be none.
    head: Option<Head>,
    current: Arc<CurrentRequest>,
    request_body: Mutex<Kept>,
}

/// The parts of a request that a record needs.
struct Head {
    headers: HeaderMap,
    user_id: Option<String>,
    client: Option<IpAddr>,
    location: Location,
}

impl Exchange {
    /// Begins a request. `None` if nothing of it is captured.
    pub(super) fn begin(
        capture: &Capture,
        direction: Direction,
        parts: &Parts,
        trace: TraceContext,
    ) -> Option<Arc<Self>> {
        // A hook of the application that panics does not fail the request.
        let begin = || Self::begin_unguarded(capture, direction, parts, trace);
        catch_unwind(AssertUnwindSafe(begin)).unwrap_or_else(|_| {
            crate::queue::count(&capture.shared().counters.requests.failed, 1);
            None
        })
    }

    fn begin_unguarded(
        capture: &Capture,
        direction: Direction,
        parts: &Parts,
        trace: TraceContext,
    ) -> Option<Arc<Self>> {
        let active = capture.active_settings();
        let is_incoming = direction == Direction::Incoming;
        if is_incoming && active.is_ignored(parts.uri.path()) {
            return None;
        }
        let user_agent = parts.headers.get(header::USER_AGENT);
        let is_probe =
            is_incoming && user_agent.is_some_and(|name| active.is_probe(name.as_bytes()));
        let settings = Arc::clone(&active.settings);
        // If the queue is full, a record is most likely dropped: nothing is kept for it.
        let is_kept = settings.requests && !capture.queue().is_full_of_requests();
        let head = is_kept.then(|| Head::of(capture, direction, &settings, parts));
        let mut kept = Kept {
            limit: if settings.request_bodies && is_kept {
                settings.body_limit
            } else {
                0
            },
            ..Kept::default()
        };
        kept.room.capture = Some(capture.clone());
        Some(Arc::new(Self {
            started: Instant::now(),
            timestamp: now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            route: route(capture, &settings.masking, parts),
            head,
            current: Arc::new(CurrentRequest {
                trace,
                user_id: OnceLock::new(),
            }),
            request_body: Mutex::new(kept),
            capture: capture.clone(),
            settings,
            direction,
            is_probe,
        }))
    }

    /// Makes it the request that this thread works on.
    pub(super) fn enter(&self) -> Option<Entered> {
        // What a client waits for is part of another request.
        (self.direction == Direction::Incoming).then(|| Entered::new(&self.current))
    }

    pub(super) fn trace(&self) -> TraceContext {
        self.current.trace
    }

    /// The header of the response that has the trace.
    pub(super) fn trace_header(&self) -> Option<HeaderName> {
        let is_incoming = self.direction == Direction::Incoming;
        is_incoming.then(|| self.capture.hooks().trace_header.clone())?
    }

    /// The path: not empty. `CONNECT` has an authority in its place.
    fn path(&self) -> &str {
        let authority = || self.uri.authority().map(http::uri::Authority::as_str);
        match self.uri.path() {
            "" => authority().unwrap_or("*"),
            path => path,
        }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn request_body(&self, note: impl FnOnce(&mut Kept)) {
        note(
            &mut self
                .request_body
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Returns why a response did not come to its end.
    pub(super) fn hung_up(&self) -> &'static str {
        match self.direction {
            Direction::Incoming => "client hung up",
            Direction::Outgoing => "not read to its end",
        }
    }

    /// Ends a request that has no response.
    pub(super) fn end_without_response(&self, status: Option<u16>, error: &str) {
        self.end(status, None, &Kept::default(), Some(error));
    }

    fn end(
        &self,
        status: Option<u16>,
        response_headers: Option<&HeaderMap>,
        response: &Kept,
        error: Option<&str>,
    ) {
        // It also runs while a thread panics, where another panic would end the process.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.measure_and_record(status, response_headers, response, error);
        }));
        if ended.is_err() {
            crate::queue::count(&self.capture.shared().counters.requests.failed, 1);
        }
    }

    fn measure_and_record(
        &self,
        status: Option<u16>,
        response_headers: Option<&HeaderMap>,
        response: &Kept,
        error: Option<&str>,
    ) {
        let elapsed = self.started.elapsed();
        // Rounded, as in the record, so that windows can be computed from records.
        let rounded = elapsed.as_micros().saturating_add(500) / 1_000;
        let duration = u32::try_from(rounded)
            .unwrap_or(u32::MAX)
            .min(i32::MAX.unsigned_abs());
        // Taken out, so that a task that still reads the body does not wait.
        let request = {
            let mut kept = self
                .request_body
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *kept)
        };
        if self.settings.windows && self.direction == Direction::Incoming {
            let measurement = Measurement {
                status,
                milliseconds: Some(duration),
                request_bytes: request.size,
                response_bytes: response.size,
            };
            let endpoint = endpoint(self.method.as_str(), &self.route);
            let shared = self.capture.shared();
            let most = self.settings.endpoints;
            if shared
                .windows
                .add(self.timestamp, &endpoint, most, measurement)
            {
                crate::queue::count(&shared.counters.other, 1);
            }
        }
        let is_failed = status.is_none_or(|status| status >= 500);
        let is_important = is_failed || elapsed >= self.settings.slow;
        let is_probe = self.is_probe && status.is_some_and(|status| status < 400);
        let is_chosen =
            !is_probe && (is_important || self.trace().fraction() < self.settings.sample_rate);
        if !self.settings.requests || !is_chosen {
            return;
        }
        let shared = self.capture.shared();
        let most = self.settings.requests_per_second;
        if !shared.rates.requests.admits(most, is_important) {
            crate::queue::count(&shared.counters.requests.over_rate, 1);
            return;
        }
        let Some(head) = &self.head else {
            crate::queue::count(&self.capture.shared().counters.requests.dropped, 1);
            return;
        };
        let Some(place) = self.capture.queue().request() else {
            return;
        };
        let end = Response {
            status,
            headers: response_headers,
            body: response,
            error,
        };
        let record = self.record(head, &request, &end, duration);
        let bytes = weight_of(&record);
        place.put(record, bytes);
    }

    fn record(
        &self,
        head: &Head,
        request: &Kept,
        response: &Response<'_>,
        duration: u32,
    ) -> CapturedRequest {
        let settings = &self.settings;
        let masking = &settings.masking;
        let mut headers = stored_headers(&head.headers, masking);
        if !headers.contains_key("host")
            && settings.headers
            && let Some(authority) = self.uri.authority()
        {
            // No name and password of a URL is stored.
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            headers.insert("host".to_owned(), host.into());
        }
        let mut own = vec![
            ("request_size", Json::from(request.size)),
            ("http_version", format!("{:?}", self.version).into()),
        ];
        match self.direction {
            Direction::Incoming => own.push(("route", self.route.as_str().into())),
            Direction::Outgoing => own.push(("direction", "outgoing".into())),
        }
        own.extend(
            head.client
                .map(|client| ("client_ip", client.to_string().into())),
        );
        if let Some(error) = &request.error {
            own.push(("error", masking.mask_text(error).into_owned().into()));
        }
        insert_own(&mut headers, own);
        let has_response = response.headers.is_some() || response.error.is_some();
        let response_headers = has_response.then(|| {
            let mut headers = match response.headers {
                Some(headers) if settings.headers => stored_headers(headers, masking),
                _ => JsonMap::new(),
            };
            let error = response.error.or(response.body.error.as_deref());
            let mut own = vec![("response_size", Json::from(response.body.size))];
            own.extend(error.map(|error| ("error", masking.mask_text(error).into_owned().into())));
            insert_own(&mut headers, own);
            headers
        });
        let user_id = self.current.user_id.get().or(head.user_id.as_ref());
        let cut = |text: &str, most: usize| text[..text.floor_char_boundary(most)].to_owned();
        let hooks = self.capture.hooks();
        CapturedRequest {
            timestamp: self.timestamp,
            method: cut(self.method.as_str(), 64),
            path: cut(&masking.mask_text(self.path()), 65_536),
            query: self.uri.query().and_then(|query| query_of(query, masking)),
            headers,
            body: stored_body(request, &head.headers, settings),
            user_id: user_id
                .map(|id| cut(&masking.mask_text(id), 1_024))
                .filter(|id| !id.is_empty()),
            version: cut(&hooks.version, 1_024),
            stage: cut(&hooks.stage, 1_024),
            status_code: response.status,
            response_headers,
            response_body: response
                .headers
                .and_then(|headers| stored_body(response.body, headers, settings)),
            duration,
            location: head.location.clone(),
            trace_id: self.trace().trace_id(),
        }
    }
}

impl Head {
    fn of(capture: &Capture, direction: Direction, settings: &Settings, parts: &Parts) -> Self {
        let hooks = capture.hooks();
        let is_incoming = direction == Direction::Incoming;
        let peer = hooks
            .peer
            .as_ref()
            .filter(|_| is_incoming)
            .and_then(|peer| peer(parts));
        // An application that could know the peer and does not may be asked by anyone.
        let believes_headers = match peer {
            Some(peer) => hooks.trusted.trusts(peer),
            None => hooks.peer.is_none(),
        };
        let client = hooks.trusted.client(peer, &parts.headers);
        let location = if is_incoming {
            let locator = &capture.shared().locator;
            locator.locate(&parts.headers, believes_headers, client)
        } else {
            Location::default()
        };
        let user = hooks.user_id.as_ref().filter(|_| is_incoming);
        let headers = if settings.headers {
            parts.headers.clone()
        } else {
            // How to read the body.
            let mut headers = HeaderMap::new();
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
                headers.extend(parts.headers.get(&name).map(|value| (name, value.clone())));
            }
            headers
        };
        Self {
            headers,
            user_id: user.and_then(|user_id| user_id(parts)),
            client,
            location,
        }
    }
}

fn route(capture: &Capture, masking: &Masking, parts: &Parts) -> String {
    match &capture.hooks().route {
        Some(route) => route(parts).unwrap_or_else(|| UNMATCHED.to_owned()),
        None => route_of_path(&masking.mask_text(parts.uri.path())),
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("method", &self.method)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// Returns about the bytes that a record takes in memory.
fn weight_of(record: &CapturedRequest) -> usize {
    const OTHER_FIELDS: usize = 1_024;
    let values = [&record.query, &record.body, &record.response_body];
    let headers = [Some(&record.headers), record.response_headers.as_ref()];
    let values: usize = values.into_iter().flatten().map(weight).sum();
    let headers: usize = headers.into_iter().flatten().map(weight_of_map).sum();
    OTHER_FIELDS + record.path.len() + values + headers
}

/// A response at its end.
struct Response<'a> {
    status: Option<u16>,
    headers: Option<&'a HeaderMap>,
    body: &'a Kept,
    error: Option<&'a str>,
}

/// A response on its way. When it is dropped, it has ended.
pub(super) struct ResponseSide {
    exchange: Arc<Exchange>,
    status: StatusCode,
    headers: HeaderMap,
    pub(super) kept: Kept,
    /// Whether the body has not come back from a poll: it panicked.
    pub(super) is_polling: bool,
}

impl ResponseSide {
    pub(super) fn new(exchange: Arc<Exchange>, status: StatusCode, headers: &HeaderMap) -> Self {
        let settings = &exchange.settings;
        let is_kept = exchange.head.is_some();
        let is_stream = || {
            let name = headers.get(header::CONTENT_TYPE);
            name.is_some_and(|name| name.as_bytes().starts_with(b"text/event-stream"))
        };
        let is_body_kept = is_kept && settings.response_bodies && !is_stream();
        let mut kept = Kept {
            limit: if is_body_kept { settings.body_limit } else { 0 },
            ..Kept::default()
        };
        kept.room.capture = Some(exchange.capture.clone());
        Self {
            headers: if is_kept {
                headers.clone()
            } else {
                let length = headers.get(header::CONTENT_LENGTH).cloned();
                length
                    .map(|length| (header::CONTENT_LENGTH, length))
                    .into_iter()
                    .collect()
            },
            status,
            kept,
            is_polling: false,
            exchange,
        }
    }

    pub(super) fn enter(&self) -> Option<Entered> {
        self.exchange.enter()
    }

    /// Ends a response whose body is not captured.
    pub(super) fn end(mut self) {
        self.kept.is_complete = true;
    }
}

impl Drop for ResponseSide {
    fn drop(&mut self) {
        // A server stops at the length that it has sent, without asking for the end.
        let length = self.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        self.kept.is_complete |= length == Some(self.kept.size) && self.kept.error.is_none();
        let hung_up = self.exchange.hung_up();
        let reason = if self.is_polling { "panicked" } else { hung_up };
        let error = (!self.kept.is_complete && self.kept.error.is_none()).then_some(reason);
        let status = Some(self.status.as_u16()).filter(|status| (100..600).contains(status));
        self.exchange
            .end(status, Some(&self.headers), &self.kept, error);
    }
}
