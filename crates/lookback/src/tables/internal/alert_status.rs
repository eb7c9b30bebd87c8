//! `alert_statuses`

use chrono::{DateTime, Utc};

use crate::model;

/// The state of an alert rule, and who evaluates it.
#[model(
    table = "alert_statuses",
    schema_only,
    constraint("alert_statuses_pkey", "PRIMARY KEY (rule_id)")
)]
pub(crate) struct AlertStatus {
    /// The rule.
    pub(crate) rule_id: i64,
    /// `ok`, `pending`, `firing` or `resolving`.
    pub(crate) phase: String,
    /// When the phase began.
    pub(crate) since: DateTime<Utc>,
    /// What was measured last.
    pub(crate) value: Option<f64>,
    /// When it was measured.
    pub(crate) evaluated_at: Option<DateTime<Utc>>,
    /// Why it could not be measured.
    pub(crate) problem: Option<String>,
    /// When it is evaluated next, or again, if the process that claimed it has died.
    pub(crate) next_at: DateTime<Utc>,
    /// The number of the claim: a process that comes too late changes nothing.
    pub(crate) claim: i64,
}
