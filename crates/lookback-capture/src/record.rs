//! Captured records.

use chrono::{DateTime, SubsecRound as _, Utc};
use lookback_json::{Json, JsonMap};

use crate::window::Window;

/// A request and its response.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CapturedRequest {
    /// When the request came in, or was sent.
    pub timestamp: DateTime<Utc>,
    /// The HTTP method, such as `GET`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The parameters of the query: texts, or lists of them. `None` if there are none.
    pub query: Option<Json>,
    /// The headers, in lower case, and what else is known of the request: see
    /// [`CaptureLayer`](crate::CaptureLayer#what-is-captured).
    pub headers: JsonMap,
    /// The body. See [bodies](crate::CaptureLayer#bodies).
    pub body: Option<Json>,
    /// The user who made the request.
    pub user_id: Option<String>,
    /// The version of the application.
    pub version: String,
    /// Where the application runs, such as `production`.
    pub stage: String,
    /// The status, from 100 to 599; `None` if there was no response.
    pub status_code: Option<u16>,
    /// The headers of the response, and what else is known of it.
    pub response_headers: Option<JsonMap>,
    /// The body of the response.
    pub response_body: Option<Json>,
    /// Milliseconds from the request to the end of the response.
    pub duration: u32,
    /// Where the request came from.
    pub location: Location,
    /// The W3C trace id.
    pub trace_id: String,
}

/// A log line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CapturedLog {
    /// When it was written.
    pub timestamp: DateTime<Utc>,
    /// The component that wrote it.
    pub source: String,
    /// The severity.
    pub level: Level,
    /// The text: not blank.
    pub message: String,
    /// The other fields, and those of the spans around it.
    pub meta: Option<JsonMap>,
    /// The W3C trace id of the request that it belongs to.
    pub trace_id: Option<String>,
}

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the levels of the table `logs`")]
pub enum Level {
    /// Details for debugging.
    Debug,
    /// Normal operation.
    Info,
    /// A problem that has not caused a failure.
    Warn,
    /// A failure.
    Error,
}

impl Level {
    /// Returns its name: `debug`, `info`, `warn` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Location {
    /// The country, such as `CH`.
    pub country: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// Latitude and longitude, in degrees.
    pub coordinates: Option<(f64, f64)>,
    /// How it is known.
    pub source: LocationSource,
}

/// How a location is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the sources of the table `request_snapshots`"
)]
pub enum LocationSource {
    /// By a header of the platform, such as Cloudflare.
    Platform,
    /// By a header that the application named.
    Header,
    /// By a database of IP addresses.
    Ip,
    /// Not at all.
    #[default]
    None,
}

impl LocationSource {
    /// Returns its name: `platform`, `header`, `ip` or `none`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Header => "header",
            Self::Ip => "ip",
            Self::None => "none",
        }
    }
}

/// Records for a [`Sink`](crate::Sink).
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a sink takes it apart")]
pub struct Batch {
    /// Requests, in the order in which they ended.
    pub requests: Vec<CapturedRequest>,
    /// Log lines, in the order in which they were written.
    pub logs: Vec<CapturedLog>,
    /// Windows, or parts of them.
    pub windows: Vec<Window>,
}

impl Batch {
    /// Whether it has no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.logs.is_empty() && self.windows.is_empty()
    }
}

/// Returns the time, in microseconds, as PostgreSQL stores it.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Lines as `lookback import` and the library read them: with the columns of the tables as fields.
mod json {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
    use lookback_json::{Json, JsonMap};

    use super::{CapturedLog, CapturedRequest};
    use crate::window::Window;

    /// An object that leaves out what is `None`.
    #[derive(Default)]
    struct Object(JsonMap);

    impl Object {
        fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
            self.0.insert(name.to_owned(), value.into());
            self
        }

        fn maybe<T: Into<Json>>(self, name: &str, value: Option<T>) -> Self {
            match value {
                Some(value) => self.with(name, value),
                None => self,
            }
        }

        fn finish(self) -> Json {
            Json::Object(self.0)
        }
    }

    fn time(time: DateTime<Utc>) -> String {
        time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    impl CapturedRequest {
        /// Returns it as an object with the columns of the table `request_snapshots`.
        #[must_use]
        pub fn to_json(&self) -> Json {
            let location = &self.location;
            Object::default()
                .with("method", &self.method)
                .with("path", &self.path)
                .maybe("query", self.query.clone())
                .maybe("body", self.body.clone())
                .with("headers", self.headers.clone())
                .maybe("user_id", self.user_id.as_ref())
                .with("timestamp", time(self.timestamp))
                .with("version", &self.version)
                .with("stage", &self.stage)
                .maybe("status_code", self.status_code)
                .maybe("response_body", self.response_body.clone())
                .maybe("response_headers", self.response_headers.clone())
                .with("duration", self.duration)
                .maybe("geo_country", location.country.as_ref())
                .maybe("geo_region", location.region.as_ref())
                .maybe("geo_city", location.city.as_ref())
                .maybe(
                    "geo_lat",
                    location.coordinates.map(|(latitude, _)| latitude),
                )
                .maybe(
                    "geo_lon",
                    location.coordinates.map(|(_, longitude)| longitude),
                )
                .with("geo_source", location.source.as_str())
                .with("trace_id", &self.trace_id)
                .finish()
        }
    }

    impl CapturedLog {
        /// Returns it as an object with the columns of the table `logs`.
        #[must_use]
        pub fn to_json(&self) -> Json {
            Object::default()
                .with("source", &self.source)
                .with("level", self.level.as_str())
                .with("message", &self.message)
                .maybe("meta", self.meta.clone())
                .maybe("trace_id", self.trace_id.as_ref())
                .with("created_at", time(self.timestamp))
                .finish()
        }
    }

    impl Window {
        /// Returns it as an object with the columns of the table `metrics`.
        #[must_use]
        pub fn to_json(&self) -> Json {
            let totals = &self.totals;
            let latency = |percent| totals.latency.percentile(percent).unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "the column has six digits")]
            let share = totals.errors as f64 / totals.requests.max(1) as f64;
            let sketch = totals.latency.to_bytes();
            Object::default()
                .with("window_start", time(self.start))
                .with("window_end", time(self.start + TimeDelta::seconds(60)))
                .with("endpoint", &self.endpoint)
                .with("p50_latency", latency(50))
                .with("p95_latency", latency(95))
                .with("p99_latency", latency(99))
                .with("error_rate", share)
                .with("traffic_count", totals.requests)
                .with("request_size", totals.request_bytes)
                .with("response_size", totals.response_bytes)
                .with("latency_sketch", BASE64_STANDARD.encode(sketch))
                .finish()
        }
    }
}
