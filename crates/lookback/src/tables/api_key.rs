//! `api_keys`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::value::{Bytes, Hidden};
use crate::{ColumnEnum, model};

/// A key by which a program uses a Lookback server. Deleting it revokes it.
#[model(
    table = "api_keys",
    search(name),
    index("api_keys_prefix_key", "UNIQUE (prefix)")
)]
pub struct ApiKey {
    /// Primary key.
    pub id: i64,
    /// What it is for, such as `shop, production`.
    #[column(not_blank, max_bytes = 256)]
    pub name: String,
    /// The start of the key, by which it is found.
    #[column(not_blank, max_bytes = 32)]
    pub prefix: String,
    /// The SHA-256 of the key, which itself is not stored.
    #[column(max_bytes = 32)]
    pub key_hash: Hidden<Bytes>,
    /// What it may do.
    pub scope: KeyScope,
    /// From when on it is not valid; NULL for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the key was revoked; NULL for a valid one.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of the name.
    pub embedding: Hidden<Option<Embedding>>,
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
#[column_enum(type = "api_key_scope")]
pub enum KeyScope {
    /// Store records, and nothing else.
    Ingest,
    /// Read records.
    Read,
    /// Everything.
    Admin,
}
