//! `sessions`

use chrono::{DateTime, Utc};

use crate::model;
use crate::value::Bytes;

/// A user that is logged in to a Lookback server.
#[model(
    table = "sessions",
    schema_only,
    constraint("sessions_pkey", "PRIMARY KEY (token_hash)"),
    index("sessions_user_id_idx", "(user_id)")
)]
pub(crate) struct UserSession {
    /// The SHA-256 of the token, which itself is not stored.
    pub(crate) token_hash: Bytes,
    /// The user.
    pub(crate) user_id: i64,
    /// A hash of the user as of the log-in: the session ends when it changes.
    pub(crate) user_hash: Bytes,
    /// When the user logged in.
    pub(crate) created_at: DateTime<Utc>,
    /// When it was last used, to a minute.
    pub(crate) last_used_at: DateTime<Utc>,
    /// From when on it is not valid, however much it is used.
    pub(crate) expires_at: DateTime<Utc>,
}
