//! `one_time_passwords`

use chrono::{DateTime, Utc};

use crate::model;
use crate::value::Bytes;

/// A password that its user has to change at the first log-in.
#[model(
    table = "one_time_passwords",
    schema_only,
    constraint("one_time_passwords_pkey", "PRIMARY KEY (user_id)")
)]
pub(crate) struct OneTimePassword {
    /// The user.
    pub(crate) user_id: i64,
    /// The SHA-256 of `users.password_hash`: another password need not be changed.
    pub(crate) password_hash_hash: Bytes,
    /// When the password was set.
    pub(crate) created_at: DateTime<Utc>,
}
