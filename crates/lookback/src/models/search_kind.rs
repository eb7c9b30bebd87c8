//! `search_kinds`

use chrono::{DateTime, Utc};

use crate::{Embedding, Hidden, model};

/// The records of a range of ids that have one vector. Lines that differ in
/// numbers alone have; so there are few kinds, however many records.
#[model(
    table = "search_kinds",
    search(),
    index("search_kinds_target_idx", "(target, first_id)")
)]
pub struct SearchKind {
    /// Primary key.
    pub id: i64,
    /// The table of the records.
    #[column(not_blank, max_bytes = 63)]
    pub target: String,
    /// The least id of the range.
    pub first_id: i64,
    /// The greatest.
    pub last_id: i64,
    /// The vector of the records.
    pub vector: Hidden<Embedding>,
    /// How many there are of the kind.
    #[column(range(0, i64::MAX))]
    pub rows: i64,
    /// The ids of the newest of them, the greatest first.
    pub newest_ids: Vec<i64>,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// Always null: these records are not searched.
    pub embedding: Hidden<Option<Embedding>>,
}
