//! `users`

use chrono::{DateTime, Utc};

use crate::{ColumnEnum, Embedding, Hidden, model};

/// Somebody who may look at what is recorded.
#[model(
    table = "users",
    search(email, role),
    index(
        "users_email_key",
        "UNIQUE (lower(email)) WHERE deleted_at IS NULL",
        problem(email, "is the e-mail of another user")
    )
)]
pub struct User {
    /// Primary key.
    pub id: i64,
    /// The e-mail, unique among live users whatever the case.
    #[column(not_blank, max_bytes = 320)]
    pub email: String,
    /// The hash of the password: see `lookback::password`.
    #[column(not_blank, max_bytes = 1024)]
    pub password_hash: Hidden<String>,
    /// What the user may do.
    #[column(default = UserRole::User)]
    pub role: UserRole,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of e-mail and role.
    pub embedding: Hidden<Option<Embedding>>,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
#[column_enum(type = "user_role")]
pub enum UserRole {
    /// Everything.
    Admin,
    /// Look.
    User,
}
