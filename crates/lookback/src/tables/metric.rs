//! `metrics`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::{Bytes, ErrorRate, Hidden};

/// The latency window of an endpoint: 60 seconds of its requests.
#[model(
    table = "metrics",
    search(endpoint),
    constraint(
        "metrics_window_check",
        "CHECK (window_start = date_trunc('minute', window_start, 'UTC')
            AND window_end = window_start + interval '00:01:00')",
        problem(
            window_end,
            "is not 60 seconds after a window_start on the full minute"
        )
    ),
    index(
        "metrics_endpoint_window_start_key",
        "UNIQUE (endpoint, window_start) WHERE deleted_at IS NULL",
        problem(endpoint, "has a window of this window_start already")
    ),
    index("metrics_window_start_idx", "(window_start)")
)]
pub struct Metric {
    /// Primary key.
    pub id: i64,
    /// Start of the window, on the full minute.
    pub window_start: DateTime<Utc>,
    /// End of the window, 60 seconds later.
    pub window_end: DateTime<Utc>,
    /// The endpoint, such as `GET /orders/{id}`.
    #[column(not_blank, max_bytes = 2048)]
    pub endpoint: String,
    /// Half of the requests took this many milliseconds or less.
    #[column(range(0, i32::MAX as i64), comment = "milliseconds")]
    pub p50_latency: i32,
    /// 95 % of the requests took this many milliseconds or less.
    #[column(range(0, i32::MAX as i64), comment = "milliseconds")]
    pub p95_latency: i32,
    /// 99 % of the requests took this many milliseconds or less.
    #[column(range(0, i32::MAX as i64), comment = "milliseconds")]
    pub p99_latency: i32,
    /// The share of requests that ended in a status of 500 or more, or in no
    /// response.
    #[column(range(0, 1_000_000), comment = "errors per million requests")]
    pub error_rate: ErrorRate,
    /// The number of requests.
    #[column(range(0, i32::MAX as i64))]
    pub traffic_count: i32,
    /// Bytes of all requests.
    #[column(range(0, i64::MAX), comment = "bytes of all requests")]
    pub request_size: Option<i64>,
    /// Bytes of all responses.
    #[column(range(0, i64::MAX), comment = "bytes of all responses")]
    pub response_size: Option<i64>,
    /// A sketch of the latency distribution, used to merge windows; at most 64
    /// KiB.
    #[column(max_bytes = 65_536)]
    pub latency_sketch: Option<Bytes>,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted; NULL for a live record.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of the endpoint.
    pub embedding: Hidden<Option<Embedding>>,
}
