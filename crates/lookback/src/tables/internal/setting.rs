//! `settings`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::Hidden;

/// A fact about the database itself, such as the version of the encoder that
/// made its vectors.
#[model(
    table = "settings",
    search(),
    index(
        "settings_name_key",
        "UNIQUE (name) WHERE deleted_at IS NULL",
        problem(name, "is set already")
    )
)]
pub struct Setting {
    /// Primary key.
    pub id: i64,
    /// The name, unique among live settings.
    #[column(not_blank, max_bytes = 255)]
    pub name: String,
    /// The value.
    pub value: String,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// Always null: settings are not searched.
    pub embedding: Hidden<Option<Embedding>>,
}
