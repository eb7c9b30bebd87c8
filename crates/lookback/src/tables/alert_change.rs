//! `alert_changes`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::value::Hidden;
use crate::{ColumnEnum, Json, model};

/// A change of the state of an alert rule, and its delivery to the webhook.
#[model(
    table = "alert_changes",
    search(message),
    index(
        "alert_changes_pending_idx",
        "(rule_id, id) WHERE delivery = 'pending'"
    ),
    index("alert_changes_rule_id_idx", "(rule_id, id)")
)]
pub struct AlertChange {
    /// Primary key.
    pub id: i64,
    /// The rule.
    pub rule_id: i64,
    /// Its name at the time.
    #[column(not_blank, max_bytes = 256)]
    pub rule_name: String,
    /// What the rule changed to.
    pub state: AlertState,
    /// What was measured; NULL for a test.
    pub value: Option<f64>,
    /// One line for people.
    #[column(not_blank)]
    pub message: String,
    /// What is sent to the webhook.
    pub payload: Json,
    /// The key by which the webhook recognises a change that is sent again.
    #[column(not_blank, max_bytes = 64)]
    pub delivery_key: String,
    /// What became of sending it.
    pub delivery: AlertDelivery,
    /// How often it was sent.
    #[column(default = 0)]
    pub attempts: i32,
    /// When it is sent next, if it waits.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When the webhook had it.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Why it was not delivered the last time.
    pub last_error: Option<String>,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted; NULL for a live record.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of the message.
    pub embedding: Hidden<Option<Embedding>>,
}

/// What an alert rule changed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
pub enum AlertState {
    /// It fires.
    Firing,
    /// It no longer fires.
    Resolved,
    /// Nothing: somebody tests the webhook.
    Test,
}

/// What became of sending a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
pub enum AlertDelivery {
    /// It waits to be sent.
    Pending,
    /// The webhook has it.
    Delivered,
    /// It was given up.
    Failed,
    /// The rule has no webhook.
    None,
}
