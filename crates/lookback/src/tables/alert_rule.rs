//! `alert_rules`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::value::Hidden;
use crate::{ColumnEnum, model};

/// A rule that a server watches records by: it fires while a measure is above or below a threshold.
#[model(
    table = "alert_rules",
    search(name, filter),
    index(
        "alert_rules_name_key",
        "UNIQUE (name) WHERE deleted_at IS NULL",
        problem(name, "is the name of another rule")
    )
)]
pub struct AlertRule {
    /// Primary key.
    pub id: i64,
    /// What people call it, unique among live rules.
    #[column(not_blank, max_bytes = 256)]
    pub name: String,
    /// The records that it watches.
    pub subject: AlertSubject,
    /// Which of them, as in the query of a URL: `level=error&source=shop`; NULL for all.
    #[column(max_bytes = 65_536)]
    pub filter: Option<String>,
    /// What is measured.
    pub measure: AlertMeasure,
    /// Whether it fires above or below the threshold.
    #[column(default = AlertComparison::Above)]
    pub comparison: AlertComparison,
    /// The threshold.
    #[column(default = 0.0)]
    pub threshold: f64,
    /// The seconds that are looked back on.
    #[column(range(60, 86_400), default = 300, comment = "seconds")]
    pub period: i32,
    /// How many seconds the condition must hold before the rule fires.
    #[column(range(0, 86_400), default = 0, comment = "seconds")]
    pub fire_after: i32,
    /// How many seconds the condition must not hold before the rule is resolved.
    #[column(range(0, 86_400), default = 60, comment = "seconds")]
    pub resolve_after: i32,
    /// Where changes are sent; NULL if they are only stored. It often has a secret.
    #[column(max_bytes = 4096)]
    pub webhook_url: Hidden<Option<String>>,
    /// Whether it is evaluated.
    #[column(default = true)]
    pub enabled: bool,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted; NULL for a live record.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of name and filter.
    pub embedding: Hidden<Option<Embedding>>,
}

/// The records that an alert rule watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
pub enum AlertSubject {
    /// Log lines.
    Logs,
    /// Captured requests.
    Requests,
    /// Latency windows.
    Metrics,
}

/// What an alert rule measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
pub enum AlertMeasure {
    /// The number of log lines or requests.
    Count,
    /// The number of patterns whose first record is of the period.
    NewPatterns,
    /// The share of requests that failed, from 0 to 1.
    ErrorRate,
    /// The median latency in milliseconds.
    P50Latency,
    /// The 95th percentile of the latency in milliseconds.
    P95Latency,
    /// The 99th percentile of the latency in milliseconds.
    P99Latency,
    /// The number of requests in windows.
    TrafficCount,
}

/// Whether an alert rule fires above or below its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
pub enum AlertComparison {
    /// Above it.
    Above,
    /// Below it.
    Below,
}
