//! `users`

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::letters;
use crate::value::Hidden;
use crate::{ColumnEnum, model};

/// An account with access to the records.
#[model(
    table = "users",
    search(email, role),
    // The same in any database: in one of Turkish, `lower` alone takes ALI@x.com and ali@x.com
    // for two. Of other letters an e-mail has the lower case: see `stored_email`.
    index(
        "users_email_key",
        "UNIQUE (lower(email COLLATE \"C\")) WHERE deleted_at IS NULL",
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

impl User {
    /// Returns an e-mail address as it is stored: as it is if it is of ASCII characters alone,
    /// else in the lower case of Unicode, composed (NFC).
    ///
    /// Databases of the locale `C` know the case of ASCII alone, and would not see that two
    /// addresses are the same.
    ///
    /// ```
    /// # use lookback::User;
    /// assert_eq!(User::stored_email("Ada@Example.com"), "Ada@Example.com");
    /// assert_eq!(User::stored_email("ÅSA@Example.se"), "åsa@example.se");
    /// ```
    pub fn stored_email(email: &str) -> Cow<'_, str> {
        if email.is_ascii() {
            email.into()
        } else {
            letters::lower(email).into()
        }
    }
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
