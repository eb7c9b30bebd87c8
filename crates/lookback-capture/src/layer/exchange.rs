//! A request and its response, from its start to its record.

use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

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
use crate::settings::{ActiveSettings, Settings};
use crate::trace::{CurrentRequest, Entered, Span, TraceContext};
use crate::window::{Measurement, endpoint, route_of_path};

/// The route of a request that no route matches.
const UNMATCHED: &str = "unmatched";

/// A request that has begun.
pub(super) struct Exchange {
    capture: Capture,
    active: Arc<ActiveSettings>,
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
    /// The bytes of its bodies, among those that all bodies may have.
    reserved: AtomicUsize,
}

/// The parts of a request that a record needs.
struct Head {
    headers: HeaderMap,
    user_id: Option<String>,
    /// The other end of the connection.
    peer: Option<IpAddr>,
}

/// Whether a request is among those of its second that are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Undecided,
    Admitted,
    /// There are the most, unless it turns out to fail or to be slow.
    Refused,
}

impl Exchange {
    /// Begins a request. `None` if nothing of it is captured.
    pub(super) fn begin(
        capture: &Capture,
        direction: Direction,
        parts: &Parts,
        span: Span,
    ) -> Option<Arc<Self>> {
        // A hook of the application that panics does not fail the request.
        let begin = || Self::begin_unguarded(capture, direction, parts, span);
        catch_unwind(AssertUnwindSafe(begin)).unwrap_or_else(|_| {
            crate::queue::count(&capture.shared().counters.requests.failed, 1);
            None
        })
    }

    fn begin_unguarded(
        capture: &Capture,
        direction: Direction,
        parts: &Parts,
        span: Span,
    ) -> Option<Arc<Self>> {
        let active = capture.active_settings();
        let is_incoming = direction == Direction::Incoming;
        if is_incoming && active.is_ignored(parts.uri.path()) {
            return None;
        }
        let user_agent = parts.headers.get(header::USER_AGENT);
        let is_probe =
            is_incoming && user_agent.is_some_and(|name| active.is_probe(name.as_bytes()));
        let settings = &active.settings;
        // If the queue is full, a record is most likely dropped: nothing is kept for it.
        let is_kept = settings.requests && !capture.queue().is_full_of_requests();
        let head = is_kept.then(|| Head::of(capture, direction, parts));
        let kept = Kept {
            limit: if settings.request_bodies && is_kept {
                settings.body_limit
            } else {
                0
            },
            ..Kept::default()
        };
        Some(Arc::new(Self {
            started: Instant::now(),
            timestamp: now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            route: route(capture, &settings.masking, parts),
            head,
            current: Arc::new(CurrentRequest {
                span,
                user_id: OnceLock::new(),
            }),
            request_body: Mutex::new(kept),
            reserved: AtomicUsize::new(0),
            capture: capture.clone(),
            active,
            direction,
            is_probe,
        }))
    }

    fn settings(&self) -> &Settings {
        &self.active.settings
    }

    /// Takes room for bytes of a body; false if there is none. It is given back at the end.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let is_room = self.capture.shared().reserve_body(bytes);
        if is_room {
            self.reserved.fetch_add(bytes, Relaxed);
        }
        is_room
    }

    /// Makes it the request that this thread works on.
    pub(super) fn enter(&self) -> Option<Entered> {
        // What a client waits for is part of another request.
        (self.direction == Direction::Incoming).then(|| Entered::new(&self.current))
    }

    pub(super) fn trace(&self) -> TraceContext {
        self.current.span.context
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
        let response = Response {
            status,
            headers: None,
            body: &Kept::default(),
            error: Some(error),
        };
        self.end(&response, Admission::Undecided);
    }

    fn end(&self, response: &Response<'_>, admission: Admission) {
        // It also runs while a thread panics, where another panic would end the process.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.measure_and_record(response, admission);
        }));
        if ended.is_err() {
            crate::queue::count(&self.capture.shared().counters.requests.failed, 1);
        }
    }

    /// Whether a request with this status, after this time, is captured however many others are.
    fn is_important(&self, status: Option<u16>, elapsed: Duration) -> bool {
        status.is_none_or(|status| status >= 500) || elapsed >= self.settings().slow
    }

    /// Whether the settings choose a request, if there are not too many.
    fn is_chosen(&self, status: Option<u16>, is_important: bool) -> bool {
        let is_probe = self.is_probe && status.is_some_and(|status| status < 400);
        let is_sampled = || self.trace().fraction() < self.settings().sample_rate;
        self.settings().requests && !is_probe && (is_important || is_sampled())
    }

    /// Decides about a response when it begins, if that can be: what is not captured is not kept.
    fn admit(&self, status: Option<u16>) -> Admission {
        let is_important = self.is_important(status, self.started.elapsed());
        if is_important || !self.is_chosen(status, false) {
            return Admission::Undecided;
        }
        if self.is_admitted(false) {
            Admission::Admitted
        } else {
            Admission::Refused
        }
    }

    fn is_admitted(&self, is_important: bool) -> bool {
        let most = self.settings().requests_per_second;
        let rates = &self.capture.shared().rates;
        rates.requests.admits(most, is_important)
    }

    fn measure_and_record(&self, response: &Response<'_>, admission: Admission) {
        let settings = self.settings();
        let status = response.status;
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
        let shared = self.capture.shared();
        if settings.windows && self.direction == Direction::Incoming {
            let measurement = Measurement {
                status,
                milliseconds: Some(duration),
                request_bytes: request.size,
                response_bytes: response.body.size,
            };
            let endpoint = endpoint(self.method.as_str(), &self.route);
            let most = settings.endpoints;
            if shared
                .windows
                .add(self.timestamp, &endpoint, most, measurement)
            {
                crate::queue::count(&shared.counters.other, 1);
            }
        }
        let is_important = self.is_important(status, elapsed);
        if !self.is_chosen(status, is_important) {
            return;
        }
        let is_admitted = match admission {
            Admission::Admitted => true,
            Admission::Refused if !is_important => false,
            Admission::Refused | Admission::Undecided => self.is_admitted(is_important),
        };
        if !is_admitted {
            crate::queue::count(&shared.counters.requests.over_rate, 1);
            return;
        }
        let Some(head) = &self.head else {
            crate::queue::count(&shared.counters.requests.dropped, 1);
            return;
        };
        let Some(place) = self.capture.queue().request() else {
            return;
        };
        let record = self.record(head, &request, response, duration);
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
        let settings = self.settings();
        let masking = &settings.masking;
        let (client, location) = head.origin(&self.capture, self.direction);
        let mut headers = if settings.headers {
            stored_headers(&head.headers, masking)
        } else {
            JsonMap::new()
        };
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
            ("span_id", self.trace().span_id().into()),
        ];
        let parent = self.current.span.parent;
        own.extend(parent.map(|parent| ("parent_span_id", parent.span_id().into())));
        match self.direction {
            Direction::Incoming => own.push(("route", self.route.as_str().into())),
            Direction::Outgoing => own.push(("direction", "outgoing".into())),
        }
        own.extend(client.map(|client| ("client_ip", client.to_string().into())));
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
            location,
            trace_id: self.trace().trace_id(),
        }
    }
}

impl Head {
    fn of(capture: &Capture, direction: Direction, parts: &Parts) -> Self {
        let hooks = capture.hooks();
        let is_incoming = direction == Direction::Incoming;
        let peer = hooks.peer.as_ref().filter(|_| is_incoming);
        let user = hooks.user_id.as_ref().filter(|_| is_incoming);
        Self {
            headers: parts.headers.clone(),
            user_id: user.and_then(|user_id| user_id(parts)),
            peer: peer.and_then(|peer| peer(parts)),
        }
    }

    /// Returns the address of the client, and where it is.
    fn origin(&self, capture: &Capture, direction: Direction) -> (Option<IpAddr>, Location) {
        if direction == Direction::Outgoing {
            return (None, Location::default());
        }
        let hooks = capture.hooks();
        // An application that could know the peer and does not may be asked by anyone.
        let believes_headers = match self.peer {
            Some(peer) => hooks.trusted.trusts(peer),
            None => hooks.peer.is_none(),
        };
        let client = hooks.trusted.client(self.peer, &self.headers);
        let locator = &capture.shared().locator;
        let location = locator.locate(&self.headers, believes_headers, client);
        (client, location)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let reserved = *self.reserved.get_mut();
        if reserved > 0 {
            self.capture.shared().release_body(reserved);
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
    pub(super) exchange: Arc<Exchange>,
    status: Option<u16>,
    /// Its length, if its head says one.
    length: Option<u64>,
    /// Empty if the response is not kept.
    headers: HeaderMap,
    pub(super) kept: Kept,
    /// Whether the body has not come back from a poll: it panicked.
    pub(super) is_polling: bool,
    admission: Admission,
}

impl ResponseSide {
    /// Begins a response. If its body `is_short`, it hardly becomes slow from now on.
    pub(super) fn new(
        exchange: Arc<Exchange>,
        status: StatusCode,
        headers: &HeaderMap,
        is_short: bool,
    ) -> Self {
        let settings = exchange.settings();
        let status = Some(status.as_u16()).filter(|status| (100..600).contains(status));
        let admission = exchange.admit(status);
        let is_stream = || {
            let name = headers.get(header::CONTENT_TYPE);
            name.is_some_and(|name| name.as_bytes().starts_with(b"text/event-stream"))
        };
        let is_kept = exchange.head.is_some() && !(is_short && admission == Admission::Refused);
        let is_body_kept = is_kept && settings.response_bodies && !is_stream();
        let kept = Kept {
            limit: if is_body_kept { settings.body_limit } else { 0 },
            ..Kept::default()
        };
        let length = headers.get(header::CONTENT_LENGTH);
        Self {
            status,
            length: length.and_then(|length| length.to_str().ok()?.parse().ok()),
            headers: if is_kept {
                headers.clone()
            } else {
                HeaderMap::new()
            },
            kept,
            is_polling: false,
            admission,
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
        self.kept.is_complete |= self.length == Some(self.kept.size) && self.kept.error.is_none();
        let hung_up = self.exchange.hung_up();
        let reason = if self.is_polling { "panicked" } else { hung_up };
        let error = (!self.kept.is_complete && self.kept.error.is_none()).then_some(reason);
        let response = Response {
            status: self.status,
            headers: Some(&self.headers),
            body: &self.kept,
            error,
        };
        self.exchange.end(&response, self.admission);
    }
}
