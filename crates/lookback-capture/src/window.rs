//! Latency windows: what the requests of an endpoint took, minute by minute.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::sketch::Sketch;

/// The requests of an endpoint in a minute.
///
/// It may be a part: of several windows of the same endpoint and minute, from several flushes or
/// processes, the sum is the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// The start of the minute.
    pub start: DateTime<Utc>,
    /// Method and route, such as `GET /orders/{id}`.
    pub endpoint: String,
    /// What is counted of its requests.
    pub totals: Totals,
}

/// Counts, sizes and durations of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// The number of requests.
    pub requests: u64,
    /// The number of requests that ended in a status of 500 or more, or in no response.
    pub errors: u64,
    /// The bytes of the bodies of all requests.
    pub request_bytes: u64,
    /// The bytes of the bodies of all responses.
    pub response_bytes: u64,
    /// How long the requests took, from the request to the end of the response.
    pub latency: Sketch,
}

/// One request, as a window counts it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "what a window counts is fixed by its table"
)]
pub struct Measurement {
    /// The status; `None` if there was no response.
    pub status: Option<u16>,
    /// Milliseconds from the request to the end of the response; `None` if that is not known.
    pub milliseconds: Option<u32>,
    /// The bytes of the body of the request.
    pub request_bytes: u64,
    /// The bytes of the body of the response.
    pub response_bytes: u64,
}

impl Window {
    /// Creates the window of an endpoint in the minute of a time.
    #[must_use]
    pub fn new(time: DateTime<Utc>, endpoint: impl Into<String>) -> Self {
        Self {
            start: start_of_minute(minute_of(time)),
            endpoint: endpoint.into(),
            totals: Totals::default(),
        }
    }
}

impl Totals {
    /// Adds a request.
    pub fn add(&mut self, request: Measurement) {
        self.requests += 1;
        self.errors += u64::from(request.status.is_none_or(|status| status >= 500));
        self.request_bytes = self.request_bytes.saturating_add(request.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(request.response_bytes);
        if let Some(milliseconds) = request.milliseconds {
            self.latency.add(milliseconds);
        }
    }

    /// Adds the requests of another part.
    pub fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.request_bytes = self.request_bytes.saturating_add(other.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(other.response_bytes);
        self.latency.merge(&other.latency);
    }
}

/// The endpoint of requests beyond the most endpoints of a minute.
pub const OTHER: &str = "other";

/// Returns the endpoint of a request: its method and its route.
///
/// A method that HTTP does not define is `_OTHER`, as in the conventions of OpenTelemetry: clients
/// can invent any number of them.
#[must_use]
pub fn endpoint(method: &str, route: &str) -> String {
    const METHODS: [&str; 10] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY",
    ];
    let method = if METHODS.contains(&method) {
        method
    } else {
        "_OTHER"
    };
    // The column has at most 2,048 bytes.
    const MOST: usize = 2_000;
    let route = &route[..route.floor_char_boundary(MOST)];
    [method, " ", route].concat()
}

/// Makes a route of a path: parts that look like an id become `{id}`.
///
/// ```
/// use lookback_capture::route_of_path;
///
/// assert_eq!(route_of_path("/users/42/orders"), "/users/{id}/orders");
/// assert_eq!(route_of_path("/files/3f2504e0-4f89-11d3-9a0c-0305e82c3301"), "/files/{id}");
/// assert_eq!(route_of_path("/v2/articles"), "/v2/articles");
/// ```
#[must_use]
pub fn route_of_path(path: &str) -> String {
    let parts = path.split('/');
    let parts: Vec<&str> = parts
        .map(|part| if is_id(part) { "{id}" } else { part })
        .collect();
    parts.join("/")
}

fn is_id(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let is_of_id = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'_' | b'.' | b'~' | b'%' | b'@' | b':' | b'=' | b'+'
            )
    };
    let is_number = digits > 0
        && part
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b','));
    let is_hex = part.len() >= 8
        && digits > 0
        && part
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    // Ids of other forms are long, or mix digits with letters: `ord_01HX3`, `cus_9s6XKzkNRiz8i3`.
    let is_mixed = digits >= 3 && part.len() >= 8 || digits >= 4;
    is_number || is_hex || part.len() > 40 || is_mixed && part.bytes().all(is_of_id)
}

/// The windows that have not been taken yet.
#[derive(Debug)]
pub(crate) struct Windows {
    hasher: RandomState,
    /// By a hash of the endpoint, so that threads seldom wait for each other.
    shards: [Mutex<Minutes>; SHARDS],
    /// Locked while a shard is, and never the other way.
    endpoints: Mutex<Endpoints>,
}

/// The endpoints that have windows of their own, by a hash of their names, minute by minute.
///
/// A minute is taken several times: at each flush, and again when a request that began in it has
/// ended later. Its endpoints are remembered, so that there is one limit for all of its windows.
#[derive(Debug, Default)]
struct Endpoints {
    /// Of minutes whose windows wait.
    waiting: BTreeMap<i64, HashSet<u64>>,
    /// Of minutes whose windows were taken.
    taken: BTreeMap<i64, HashSet<u64>>,
}

const SHARDS: usize = 16;

/// Windows by minute and endpoint.
type Minutes = HashMap<i64, HashMap<Box<str>, Totals>>;

/// The most minutes that wait while windows cannot be stored, and the most that are remembered.
const MOST_MINUTES: usize = 60;

impl Windows {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: Default::default(),
            endpoints: Mutex::default(),
        }
    }

    /// Adds a request. Returns whether its endpoint was beyond the most of a minute.
    pub(crate) fn add(
        &self,
        time: DateTime<Utc>,
        endpoint: &str,
        most: usize,
        measurement: Measurement,
    ) -> bool {
        let minute = minute_of(time);
        let hash = self.hasher.hash_one(endpoint);
        let mut minutes = lock(self.shard(hash));
        let windows = minutes.entry(minute).or_default();
        if let Some(totals) = windows.get_mut(endpoint) {
            totals.add(measurement);
            return false;
        }
        if self.endpoints().admit(minute, hash, most) {
            windows.entry(endpoint.into()).or_default().add(measurement);
            return false;
        }
        drop(minutes);
        let mut minutes = lock(self.shard(self.hasher.hash_one(OTHER)));
        let windows = minutes.entry(minute).or_default();
        windows.entry(OTHER.into()).or_default().add(measurement);
        true
    }

    fn endpoints(&self) -> MutexGuard<'_, Endpoints> {
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, hash: u64) -> &Mutex<Minutes> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "its low bits are what counts"
        )]
        let hash = hash as usize;
        &self.shards[hash % SHARDS]
    }

    /// Takes the windows of the minutes before this time, or all.
    pub(crate) fn take(&self, before: Option<DateTime<Utc>>) -> Vec<Window> {
        let before = before.map_or(i64::MAX, minute_of);
        let mut windows = Vec::new();
        for shard in &self.shards {
            let taken: Vec<_> = {
                let mut minutes = lock(shard);
                minutes.extract_if(|minute, _| *minute < before).collect()
            };
            for (minute, endpoints) in taken {
                windows.extend(endpoints.into_iter().map(|(endpoint, totals)| Window {
                    start: start_of_minute(minute),
                    endpoint: endpoint.into(),
                    totals,
                }));
            }
        }
        self.endpoints().note_taken(before);
        windows.sort_by(|a, b| (a.start, &a.endpoint).cmp(&(b.start, &b.endpoint)));
        windows
    }

    /// Puts windows back that were not stored. Returns the number of those that are dropped.
    pub(crate) fn put_back(&self, windows: Vec<Window>) -> usize {
        let mut dropped = 0;
        for window in windows {
            let hash = self.hasher.hash_one(window.endpoint.as_str());
            let mut minutes = lock(self.shard(hash));
            let minute = minute_of(window.start);
            if minutes.len() >= MOST_MINUTES && !minutes.contains_key(&minute) {
                dropped += 1;
                continue;
            }
            let endpoints = minutes.entry(minute).or_default();
            match endpoints.get_mut(window.endpoint.as_str()) {
                Some(totals) => totals.merge(&window.totals),
                None => {
                    endpoints.insert(window.endpoint.into(), window.totals);
                }
            }
        }
        dropped
    }
}

impl Endpoints {
    /// Whether an endpoint has windows of its own in a minute: it has already, or there are fewer
    /// than the most. If too many minutes wait, no endpoint of a further one has.
    fn admit(&mut self, minute: i64, endpoint: u64, most: usize) -> bool {
        if !self.waiting.contains_key(&minute) {
            if self.waiting.len() >= MOST_MINUTES {
                return false;
            }
            let known = self.taken.remove(&minute).unwrap_or_default();
            self.waiting.insert(minute, known);
        }
        let known = self.waiting.entry(minute).or_default();
        known.contains(&endpoint) || known.len() < most && known.insert(endpoint)
    }

    /// Notes that the windows of the minutes before one were taken.
    fn note_taken(&mut self, before: i64) {
        let later = self.waiting.split_off(&before);
        self.taken.extend(mem::replace(&mut self.waiting, later));
        while self.taken.len() > MOST_MINUTES {
            self.taken.pop_first();
        }
    }
}

fn lock(shard: &Mutex<Minutes>) -> MutexGuard<'_, Minutes> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn minute_of(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(60)
}

fn start_of_minute(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or_default()
}

/// Merges windows of the same endpoint and minute, and sorts them.
#[must_use]
pub fn merge_windows(windows: Vec<Window>) -> Vec<Window> {
    let mut windows = windows;
    windows.sort_by(|a, b| (a.start, &a.endpoint).cmp(&(b.start, &b.endpoint)));
    let mut merged: Vec<Window> = Vec::with_capacity(windows.len());
    for mut window in windows {
        match merged.last_mut() {
            Some(last) if last.start == window.start && last.endpoint == window.endpoint => {
                last.totals.merge(&mem::take(&mut window.totals));
            }
            _ => merged.push(window),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Measurement, OTHER, Windows, endpoint, merge_windows, route_of_path};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
    }

    fn measurement(status: u16, milliseconds: u32) -> Measurement {
        Measurement {
            status: Some(status),
            milliseconds: Some(milliseconds),
            request_bytes: 10,
            response_bytes: 100,
        }
    }

    #[test]
    fn requests_are_counted_in_the_minute_they_began() {
        let windows = Windows::new();
        for (second, status, took) in [(0, 200, 5), (59, 404, 7), (60, 500, 900), (119, 200, 6)] {
            windows.add(at(second), "GET /a", 100, measurement(status, took));
        }
        windows.add(
            at(1),
            "GET /b",
            100,
            Measurement {
                status: None,
                ..measurement(0, 3)
            },
        );
        let first = windows.take(Some(at(61)));
        let shown: Vec<_> = first
            .iter()
            .map(|w| {
                (
                    w.start,
                    w.endpoint.as_str(),
                    w.totals.requests,
                    w.totals.errors,
                )
            })
            .collect();
        assert_eq!(shown, [(at(0), "GET /a", 2, 0), (at(0), "GET /b", 1, 1)]);
        let second = windows.take(None);
        assert_eq!(second.len(), 1);
        assert_eq!((second[0].totals.requests, second[0].totals.errors), (2, 1));
        assert_eq!(second[0].totals.latency.percentile(100), Some(907));
        assert_eq!(
            (
                second[0].totals.request_bytes,
                second[0].totals.response_bytes
            ),
            (20, 200)
        );
        assert!(windows.take(None).is_empty());
    }

    #[test]
    fn endpoints_beyond_the_most_are_counted_as_other() {
        let windows = Windows::new();
        let mut beyond = 0;
        for path in 0..1_000 {
            let endpoint = format!("GET /{path}");
            beyond += u64::from(windows.add(at(0), &endpoint, 160, measurement(200, 1)));
        }
        let taken = windows.take(None);
        assert_eq!((taken.len(), beyond), (161, 840));
        let other = taken
            .iter()
            .find(|window| window.endpoint == OTHER)
            .unwrap();
        assert_eq!(other.totals.requests, beyond);
        let all: u64 = taken.iter().map(|window| window.totals.requests).sum();
        assert_eq!(all, 1_000);
    }

    #[test]
    fn limit_of_a_minute_holds_over_all_takes() {
        let windows = Windows::new();
        let add = |second: i64, path: usize| {
            windows.add(at(second), &format!("GET /{path}"), 10, measurement(200, 1))
        };
        let mut beyond = 0;
        let mut endpoints = std::collections::BTreeSet::new();
        for round in 0..5 {
            // Some of the round before, and others.
            beyond += (round * 8..round * 8 + 12)
                .filter(|path| add(1, *path))
                .count();
            // A flush within the minute, and a later take.
            let until = (round > 2).then(|| at(61));
            let taken = windows.take(until).into_iter();
            endpoints.extend(taken.map(|window| window.endpoint));
        }
        assert_eq!((endpoints.len(), beyond), (11, 48));
        assert!(endpoints.contains(OTHER), "{endpoints:?}");
        // An endpoint that was counted still is, and another minute has others.
        assert!(!add(2, 3) && add(2, 99) && !add(61, 99));
    }

    #[test]
    fn minutes_that_are_remembered_are_bounded() {
        let windows = Windows::new();
        for minute in 0..500 {
            windows.add(at(minute * 60), "GET /a", 1, measurement(200, 1));
            windows.take(None);
        }
        assert_eq!(windows.endpoints().taken.len(), 60);
        for minute in 500..600 {
            let is_other = windows.add(at(minute * 60), "GET /a", 1, measurement(200, 1));
            assert_eq!(is_other, minute >= 560);
        }
    }

    #[test]
    fn windows_that_are_put_back_merge_with_later_requests() {
        let windows = Windows::new();
        windows.add(at(0), "GET /a", 100, measurement(200, 5));
        let taken = windows.take(None);
        windows.add(at(1), "GET /a", 100, measurement(200, 6));
        assert_eq!(windows.put_back(taken.clone()), 0);
        let whole = windows.take(None);
        assert_eq!((whole.len(), whole[0].totals.requests), (1, 2));
        let merged = merge_windows([taken.clone(), taken].concat());
        assert_eq!((merged.len(), merged[0].totals.requests), (1, 2));
    }

    #[test]
    fn routes_have_no_ids() {
        for (path, route) in [
            ("/", "/"),
            ("/api/v1/users", "/api/v1/users"),
            ("/users/7", "/users/{id}"),
            ("/users/7/", "/users/{id}/"),
            ("/days/2026-11-29", "/days/{id}"),
            ("/o/ord_01HX3ZV9", "/o/{id}"),
            ("/commits/deadbeef01", "/commits/{id}"),
            ("/oauth2/token", "/oauth2/token"),
            ("/s3/utf8", "/s3/utf8"),
            ("/facade", "/facade"),
        ] {
            assert_eq!(route_of_path(path), route);
        }
        assert_eq!(endpoint("GET", "/a"), "GET /a");
        assert_eq!(endpoint("FROB", "/a"), "_OTHER /a");
        assert!(endpoint("GET", &"ä".repeat(9_000)).len() < 2_048);
    }
}
