//! Records what an application does: its requests, its log lines, and its latency.
//!
//! ```
//! use lookback_capture::{Capture, MemorySink};
//!
//! # fn main() -> Result<(), lookback_capture::Error> {
//! let capture = Capture::builder()
//!     .version(env!("CARGO_PKG_VERSION"))
//!     .stage("test")
//!     .start(MemorySink::new())?;
//! let _requests = capture.layer(); // a tower layer, for a server
//! let _calls = capture.client_layer(); // a tower layer, for a client
//! let _events = capture.tracing_layer::<tracing_subscriber::Registry>(); // a layer of `tracing`
//! # Ok(())
//! # }
//! ```
//!
//! Applications that store in PostgreSQL add the crate `lookback`, with its feature `capture`: it
//! has the sink. This crate has no database driver.
//!
//! # It never harms its host
//!
//! - Bodies are passed on frame by frame. What is kept of them is a copy up to a limit.
//! - A record is made only if there is a place for it in the queue, which is bounded in records and
//!   bytes. What has no place is counted, and reported as a log line and by [`Capture::health`].
//! - Secrets are masked before a record is queued ([`Settings::masking`]).
//! - Sinks run on one thread that capture starts. It ignores the events of that thread.

mod capture;
mod client_address;
mod delivery;
#[cfg(feature = "http")]
mod http_client;
mod layer;
mod locate;
mod logs;

mod queue;
mod rate;
mod record;
mod settings;
mod sink;
mod sketch;
mod trace;
mod window;

pub use capture::{Capture, CaptureBuilder, Error, Health, KindHealth};
pub use client_address::{ProxyError, TrustedProxies};
#[cfg(feature = "http")]
pub use http_client::HttpClient;
pub use layer::{CaptureFuture, CaptureLayer, CaptureService, TeeBody};
#[cfg(feature = "geoip")]
pub use locate::DatabaseError;
pub use locate::{LocationHeaders, Locator, Platform};
pub use logs::{CaptureLevel, CaptureLogs};
pub use lookback_json::secrets;
pub use record::{Batch, CapturedLog, CapturedRequest, Level, Location, LocationSource};
pub use settings::{IGNORED_PATHS, IGNORED_USER_AGENTS, Settings};
#[cfg(feature = "http")]
pub use sink::{HttpSink, HttpSinkError};
pub use sink::{JsonLinesSink, MemorySink, Rejected, Sink, SinkError};
pub use sketch::{Sketch, SketchError};
pub use trace::{TraceContext, TraceContextError, current_trace, inject_trace, set_user_id};
pub use window::{Measurement, OTHER, Totals, Window, endpoint, merge_windows, route_of_path};
