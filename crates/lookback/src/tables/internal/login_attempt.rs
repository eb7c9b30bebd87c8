//! `login_attempts`

use chrono::{DateTime, Utc};

use crate::model;

/// Failed attempts to log in, and until when there may be no other.
#[model(
    table = "login_attempts",
    schema_only,
    constraint("login_attempts_pkey", "PRIMARY KEY (subject)"),
    index("login_attempts_last_failed_at_idx", "(last_failed_at)")
)]
pub(crate) struct LoginAttempt {
    /// Whose: an address, an e-mail or both, as a hash.
    pub(crate) subject: String,
    /// The number of attempts in sequence that failed.
    pub(crate) failures: i32,
    /// When the last of them was; NULL if none was.
    pub(crate) last_failed_at: Option<DateTime<Utc>>,
    /// Until when every other is refused.
    pub(crate) blocked_until: DateTime<Utc>,
    /// When an attempt last succeeded; NULL if none did.
    pub(crate) succeeded_at: Option<DateTime<Utc>>,
}
