//! `request_snapshots`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::value::Hidden;
use crate::{ColumnEnum, Json, model};

/// A captured request and its response.
#[model(
    table = "request_snapshots",
    search(method, path, query, body, response_body, user_id),
    constraint(
        "request_snapshots_status_code_check",
        "CHECK (status_code BETWEEN 100 AND 599)",
        problem(status_code, "is not from 100 to 599")
    ),
    constraint(
        "request_snapshots_geo_source_check",
        "CHECK (geo_source IN ('platform', 'header', 'ip', 'none'))",
        problem(geo_source, "is not one of platform, header, ip, none")
    ),
    index(
        "request_snapshots_timestamp_idx",
        "USING brin (timestamp, created_at) WITH (autosummarize = on)"
    ),
    index(
        "request_snapshots_user_id_idx",
        "(user_id, id) WHERE user_id IS NOT NULL"
    ),
    index(
        "request_snapshots_trace_id_idx",
        "(trace_id) WHERE trace_id IS NOT NULL"
    ),
    index(
        "request_snapshots_deleted_at_idx",
        "(deleted_at) WHERE deleted_at IS NOT NULL"
    ),
    partition_by = "RANGE (id)",
    partition("request_snapshots_default", "DEFAULT"),
    open_partitions,
    sealed,
    rollup(
        time = timestamp,
        status_code,
        headers.direction,
        method,
        stage,
        headers.route
    )
)]
pub struct RequestSnapshot {
    /// Primary key.
    pub id: i64,
    /// The HTTP method, such as `GET`.
    #[column(not_blank, max_bytes = 64)]
    pub method: String,
    /// The path, without the query.
    #[column(not_blank, max_bytes = 65_536)]
    pub path: String,
    /// The query parameters, at most 8 MiB.
    pub query: Option<Json>,
    /// The body of the request, at most 8 MiB.
    pub body: Option<Json>,
    /// The headers of the request, at most 8 MiB.
    ///
    /// A path into them finds a name in upper and lower case: `headers.Content-Type`.
    #[column(ignore_key_case)]
    pub headers: Option<Json>,
    /// The id of the user who made the request, in the application.
    #[column(max_bytes = 1024)]
    pub user_id: Option<String>,
    /// When the request came in.
    pub timestamp: DateTime<Utc>,
    /// The version of the application.
    #[column(max_bytes = 1024)]
    pub version: String,
    /// Where the application runs, such as `production`.
    #[column(max_bytes = 1024)]
    pub stage: String,
    /// The HTTP status, from 100 to 599; NULL if there was no response.
    #[column(range(100, 599))]
    pub status_code: Option<i32>,
    /// The body of the response, at most 8 MiB.
    pub response_body: Option<Json>,
    /// The headers of the response, at most 8 MiB. See [`headers`](Self::headers).
    #[column(ignore_key_case)]
    pub response_headers: Option<Json>,
    /// Milliseconds from the request to the end of the response.
    #[column(range(0, i32::MAX as i64), comment = "milliseconds")]
    pub duration: Option<i32>,
    /// The country the request came from.
    #[column(max_bytes = 1024)]
    pub geo_country: Option<String>,
    /// The region the request came from.
    #[column(max_bytes = 1024)]
    pub geo_region: Option<String>,
    /// The city the request came from.
    #[column(max_bytes = 1024)]
    pub geo_city: Option<String>,
    /// Latitude, in degrees from -90 to 90.
    #[column(range(-90, 90))]
    pub geo_lat: Option<f64>,
    /// Longitude, in degrees from -180 to 180.
    #[column(range(-180, 180))]
    pub geo_lon: Option<f64>,
    /// The source of the location.
    pub geo_source: Option<GeoSource>,
    /// The W3C trace id, which connects the request to its log lines.
    #[column(max_bytes = 128)]
    pub trace_id: Option<String>,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted; NULL for a live record.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of method, path, query, bodies and user.
    pub embedding: Hidden<Option<Embedding>>,
}

/// The source of the location of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
pub enum GeoSource {
    /// The platform.
    Platform,
    /// A header.
    Header,
    /// The IP address.
    Ip,
    /// Unknown.
    None,
}
