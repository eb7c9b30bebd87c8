//! Capture: the requests, log lines and latency windows of a running application.
//!
//! ```no_run
//! use std::time::Duration;
//! use lookback::capture::{Capture, PostgresSink};
//!
//! # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! let capture = Capture::builder()
//!     .version(env!("CARGO_PKG_VERSION"))
//!     .stage("production")
//!     .start(PostgresSink::new(&pool))?;
//! let requests = capture.layer(); // for a router, or any other tower service
//! // For the subscriber of `tracing`.
//! let events = capture.tracing_layer::<tracing_subscriber::Registry>();
//! // … serve …
//! capture.flush(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The guide is [docs/guide/capture.md][guide]. With the feature `axum`, `CaptureAxum::axum` reads
//! the route and the peer of a request from axum.
//!
//! [guide]: https://github.com/lookback-db/lookback/blob/main/docs/guide/capture.md

#[cfg(feature = "axum")]
mod axum;
mod postgres_sink;
mod rebuild;
mod window_groups;
mod windows;

#[cfg(feature = "axum")]
pub use self::axum::CaptureAxum;
#[cfg(feature = "geoip")]
pub use lookback_capture::DatabaseError;
pub use lookback_capture::{
    Batch, Capture, CaptureBuilder, CaptureFuture, CaptureLayer, CaptureLevel, CaptureLogs,
    CaptureService, CapturedLog, CapturedRequest, Error, Health, IGNORED_PATHS,
    IGNORED_USER_AGENTS, JsonLinesSink, KindHealth, Location, LocationHeaders, LocationSource,
    Locator, Measurement, MemorySink, OTHER, Platform, ProxyError, Rejected, Settings, Sink,
    SinkError, Sketch, SketchError, TeeBody, Totals, TraceContext, TraceContextError,
    TrustedProxies, Window, current_trace, endpoint, inject_trace, merge_windows, route_of_path,
    secrets, set_user_id,
};
#[cfg(feature = "http-sink")]
pub use lookback_capture::{HttpSink, HttpSinkError};
pub use postgres_sink::PostgresSink;
pub use rebuild::{RebuildOptions, RebuildReport, rebuild_windows};
pub use window_groups::{WindowGroup, WindowGrouping, aggregate_windows};
pub use windows::{store_windows, window_of};
