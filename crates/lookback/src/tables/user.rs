//! `users`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::value::Hidden;
use crate::{ColumnEnum, model};

/// An account with access to the records.
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
    /// The e-mail address, unique among live users, ignoring case.
    #[column(not_blank, email, max_bytes = 320)]
    pub email: String,
    /// The hash of the password: see `lookback::password`.
    #[column(not_blank, max_bytes = 1024)]
    pub password_hash: Hidden<String>,
    /// The permissions of the user.
    #[column(default = UserRole::User)]
    pub role: UserRole,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted; NULL for a live record.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of e-mail and role.
    pub embedding: Hidden<Option<Embedding>>,
}

/// The permissions of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
#[column_enum(type = "user_role")]
pub enum UserRole {
    /// Full access.
    Admin,
    /// Read access.
    User,
}
