//! What a tool is asked. The comments are what an agent reads about each parameter.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchLogs {
    /// Words to search for, with misspellings and similar meanings. `"in quotes"` is as typed,
    /// `-word` excludes. Without words, the newest log lines are listed.
    pub(super) words: Option<String>,
    /// Filters, all of which have to match: `level__in=warn,error`, `source=checkout`,
    /// `message__icontains=timeout`, `meta.user.id=42`, `trace_id=…`.
    #[serde(default)]
    pub(super) filters: Vec<String>,
    /// Only log lines from this time on: `-15m`, `-2h`, `yesterday`, 2026-03-01T10:59:00Z.
    pub(super) since: Option<String>,
    /// Only log lines before this time.
    pub(super) until: Option<String>,
    /// Whether log lines that differ only in numbers and ids are one, with their count. True by
    /// default; only for a search by words.
    pub(super) fold: Option<bool>,
    /// The most records, 1 to 100; 20 by default.
    #[schemars(range(min = 1, max = 100))]
    pub(super) limit: Option<u32>,
    /// The cursor of the next page: `metadata.next` of the answer before.
    pub(super) after: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListRequests {
    /// Words to search for in method, path, query, bodies and user. Without words, the newest
    /// requests are listed.
    pub(super) words: Option<String>,
    /// Filters, all of which have to match: `status_code__gte=500`, `path__startswith=/api/`,
    /// `method=POST`, `duration__gt=1000` (milliseconds), `user_id=42`, `headers.User-Agent__icontains=curl`.
    #[serde(default)]
    pub(super) filters: Vec<String>,
    /// Only requests from this time on: `-15m`, `-2h`, `yesterday`, 2026-03-01T10:59:00Z.
    pub(super) since: Option<String>,
    /// Only requests before this time.
    pub(super) until: Option<String>,
    /// The order, such as `-duration` for the slowest first; the newest first by default.
    pub(super) order_by: Option<String>,
    /// The most records, 1 to 100; 20 by default.
    #[schemars(range(min = 1, max = 100))]
    pub(super) limit: Option<u32>,
    /// The cursor of the next page: `metadata.next` of the answer before.
    pub(super) after: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogPatterns {
    /// Words that the log lines must have.
    pub(super) words: Option<String>,
    /// Filters, all of which have to match, as in `search_logs`.
    #[serde(default)]
    pub(super) filters: Vec<String>,
    /// Only log lines from this time on: `-15m`, `-2h`, `yesterday`, 2026-03-01T10:59:00Z.
    pub(super) since: Option<String>,
    /// Only log lines before this time.
    pub(super) until: Option<String>,
    /// Only patterns that were never seen before this time, such as `-1h`. Leave `since` out with
    /// it: a pattern is new compared with all that is stored.
    pub(super) new_since: Option<String>,
    /// The most patterns, 1 to 100; 20 by default.
    #[schemars(range(min = 1, max = 100))]
    pub(super) limit: Option<u32>,
    /// How many of the most frequent patterns are skipped.
    pub(super) offset: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LatencyWindows {
    /// Only windows of this endpoint, such as `GET /orders/{id}`.
    pub(super) endpoint: Option<String>,
    /// Filters, all of which have to match: `error_rate__gt=0.05`, `p95_latency__gte=500`
    /// (milliseconds), `traffic_count__gte=10`.
    #[serde(default)]
    pub(super) filters: Vec<String>,
    /// Only windows from this time on: `-15m`, `-2h`, `yesterday`, 2026-03-01T10:59:00Z.
    pub(super) since: Option<String>,
    /// Only windows before this time.
    pub(super) until: Option<String>,
    /// The order, such as `-p95_latency` or `-error_rate`; the newest first by default.
    pub(super) order_by: Option<String>,
    /// The most records, 1 to 100; 20 by default.
    #[schemars(range(min = 1, max = 100))]
    pub(super) limit: Option<u32>,
    /// The cursor of the next page: `metadata.next` of the answer before.
    pub(super) after: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetTrace {
    /// The trace id of a request or a log line.
    pub(super) trace_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetRecord {
    /// The table of the record.
    pub(super) table: TableName,
    /// Its id.
    pub(super) id: i64,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TableName {
    Logs,
    Requests,
    Metrics,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayDryRun {
    /// The ids of requests, 1 to 20 of them.
    #[schemars(length(min = 1, max = 20))]
    pub(super) ids: Vec<i64>,
    /// The server that they would be sent to, such as http://localhost:3000. By default that to
    /// which they were sent.
    pub(super) to: Option<String>,
    /// Whether requests that may change data, such as POST, are shown, too. False by default.
    #[serde(default)]
    pub(super) unsafe_methods: bool,
}
