//! `search_kinds`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::Hidden;

/// The records of a range of ids that have one
/// [`SearchTemplate`](crate::tables::SearchTemplate).
#[model(
    table = "search_kinds",
    search(),
    index("search_kinds_target_idx", "(target, first_id)"),
    index(
        "search_kinds_template_id_idx",
        "(template_id, last_id DESC) INCLUDE (id, first_id, rows) WHERE deleted_at IS NULL"
    )
)]
pub struct SearchKind {
    /// Primary key.
    pub id: i64,
    /// The table of the records.
    #[column(not_blank, max_bytes = 63)]
    pub target: String,
    /// What the records have in common, by its `id`.
    pub template_id: i64,
    /// The least id of the range.
    pub first_id: i64,
    /// The greatest.
    pub last_id: i64,
    /// How many records there are.
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
