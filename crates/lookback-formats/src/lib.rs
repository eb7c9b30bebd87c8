//! Decoders of log and request formats: from bytes to records of Lookback.
//!
//! ```
//! use lookback_formats::{Decoder, Options};
//!
//! let mut decoder = Decoder::new(Options::default());
//! let mut entries = Vec::new();
//! decoder.line(br#"{"level":40,"time":1761234568001,"msg":"stock is low","sku":914}"#, &mut entries)?;
//! decoder.finish(&mut entries);
//! let log = entries[0].log.as_ref().unwrap();
//! assert_eq!((log.message.as_str(), log.level), ("stock is low", lookback::Level::Warn));
//! assert_eq!(log.meta.as_ref().unwrap()["sku"], lookback::Json::from(914));
//! # Ok::<(), lookback_formats::Problem>(())
//! ```
//!
//! Pure functions: no I/O, no database, no clock. A line is detected by what it says, so a file may
//! mix formats. What has no column is kept in `meta` under its own name; secrets are masked
//! ([`lookback_json::secrets`]).
//!
//! [`har`] is the one format of other programs that is also written. [`export`] writes records in this
//! and other forms.
//!
//! [`push`] decodes whole bodies that programs push: OpenTelemetry in protobuf and JSON, and Loki.
//!
//! In reading order: [`Decoder`] joins lines into records (`decoder`), `text` and `json` recognise
//! what a record is and read it into a `draft`, with the help of `level`, `time` and `fields`.

mod decoder;
mod draft;
pub mod export;
mod fields;
pub mod har;
mod json;
mod level;
pub mod push;
mod record;
mod text;
mod time;

use std::ops::RangeInclusive;

use chrono::{DateTime, FixedOffset, Utc};
use lookback::{NewLog, NewRequestSnapshot};

pub use decoder::Decoder;
use json::names::Role;

/// How records are decoded.
#[derive(Clone, Debug)]
pub struct Options {
    /// The source of log lines that name none.
    pub source: String,
    /// The offset of times without a zone; by default UTC.
    pub offset: FixedOffset,
    /// The time near which times without a year are; also that of requests without one.
    pub now: DateTime<Utc>,
    /// The format of all records; by default each is detected.
    pub format: Option<Format>,
    /// Names of fields that come before the known ones; by default none.
    pub names: FieldNames,
    /// The unit of times that are numbers; by default their size tells.
    pub time_unit: Option<TimeUnit>,
}

/// The names of the fields that become columns of a log line: keys, or paths such as `http.when`.
/// The first of a list that a record has counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldNames {
    /// The text of the line.
    pub message: Vec<String>,
    /// When it was written.
    pub time: Vec<String>,
    /// Its level.
    pub level: Vec<String>,
    /// What wrote it.
    pub source: Vec<String>,
    /// The id of its trace.
    pub trace_id: Vec<String>,
}

impl FieldNames {
    pub(crate) fn of(&self, role: Role) -> &[String] {
        match role {
            Role::Message => &self.message,
            Role::Time => &self.time,
            Role::Level => &self.level,
            Role::Source => &self.source,
            Role::Trace => &self.trace_id,
            // Those of requests.
            _ => &[],
        }
    }
}

/// The unit of a number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// s
    Seconds,
    /// ms
    Milliseconds,
    /// µs
    Microseconds,
    /// ns
    Nanoseconds,
}

impl TimeUnit {
    pub(crate) const fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }
}

impl Default for Options {
    /// The source `app`, UTC, and the first moment of 1970.
    fn default() -> Self {
        Self {
            source: "app".to_owned(),
            offset: chrono::Offset::fix(&Utc),
            now: DateTime::UNIX_EPOCH,
            format: None,
            names: FieldNames::default(),
            time_unit: None,
        }
    }
}

/// What a record of the input becomes: a log line, a request, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it was recognised as.
    pub format: Format,
    /// The log line.
    pub log: Option<NewLog>,
    /// The request.
    pub request: Option<Box<NewRequestSnapshot>>,
    /// Whether its time had no zone.
    pub is_local_time: bool,
    /// The numbers of its lines, from 1. Between the parts of a long line there may be lines of
    /// other records.
    pub lines: RangeInclusive<u64>,
}

/// Decodes a message as a sender of syslog sends it, by RFC 5424, RFC 3164, or with a priority alone.
///
/// A message is one record, also if it has line ends. Its number is that of the entry's line.
///
/// ```
/// use lookback_formats::{Options, syslog_message};
///
/// let entry = syslog_message(b"<11>shop[42]: stock is low", &Options::default(), 1);
/// let log = entry.log.unwrap();
/// assert_eq!((log.source.as_str(), log.message.as_str()), ("shop", "stock is low"));
/// assert_eq!(log.level, lookback::Level::Error);
/// ```
#[must_use]
pub fn syslog_message(message: &[u8], options: &Options, number: u64) -> Entry {
    let text = String::from_utf8_lossy(message);
    let draft = text::syslog::message(&text, time::Rules::new(options));
    draft.finish(options, &(number..=number))
}

/// A problem of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    text: String,
    lines: RangeInclusive<u64>,
}

impl Problem {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            lines: 1..=1,
        }
    }

    pub(crate) fn at(mut self, lines: &RangeInclusive<u64>) -> Self {
        self.lines = lines.clone();
        self
    }

    /// The numbers of the lines that it is of, from 1.
    #[must_use]
    pub fn lines(&self) -> &RangeInclusive<u64> {
        &self.lines
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for Problem {}

macro_rules! formats {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A format of a record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Format {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Format {
            /// All formats.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name of the format.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

impl Format {
    /// Returns the format with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|format| format.name() == name)
    }

    /// Whether its records are JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        !matches!(
            self,
            Self::Cri
                | Self::Syslog
                | Self::Heroku
                | Self::Logfmt
                | Self::AccessLog
                | Self::Alb
                | Self::S3
                | Self::W3c
                | Self::Text
        )
    }
}

formats! {
    /// JSON of an application's logger: pino, bunyan, winston, zap, zerolog, logrus, slog,
    /// tracing-subscriber, Logback, Log4j 2, ECS, .NET, structlog, loguru, python-json-logger,
    /// Powertools, Monolog, MongoDB, and any other by its names of time, level and message.
    Json = "json",
    /// Compact JSON of Serilog.
    Clef = "clef",
    /// JSON of an access log: nginx, Caddy, Traefik, Envoy, lograge, Cloudflare.
    JsonAccess = "json-access",
    /// Docker's json-file.
    Docker = "docker",
    /// Lines of a container runtime under Kubernetes.
    Cri = "cri",
    /// `journalctl -o json`.
    Journald = "journald",
    /// Syslog of RFC 3164 or 5424.
    Syslog = "syslog",
    /// `heroku logs`, and its drains.
    Heroku = "heroku",
    /// A LogEntry of Google Cloud.
    Gcp = "gcp",
    /// Events of Amazon CloudWatch.
    CloudWatch = "cloudwatch",
    /// Records of Azure Monitor.
    Azure = "azure",
    /// `key=value` pairs.
    Logfmt = "logfmt",
    /// The common and combined format of nginx and Apache, and lines of other servers: Envoy,
    /// HAProxy, gin, Fiber, morgan, PHP.
    AccessLog = "access-log",
    /// The access log of an Amazon load balancer.
    Alb = "alb",
    /// The access log of a bucket of Amazon S3.
    S3 = "s3",
    /// W3C's extended format, of CloudFront and IIS.
    W3c = "w3c",
    /// OpenTelemetry's JSON.
    Otlp = "otlp",
    /// A push to Loki.
    Loki = "loki",
    /// An HTTP archive.
    Har = "har",
    /// Any other text.
    Text = "text",
}
