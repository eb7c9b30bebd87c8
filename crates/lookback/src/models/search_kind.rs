//! `search_kinds`

use chrono::{DateTime, Utc};

use crate::{Embedding, Hidden, model};

/// The records of a range of ids whose texts differ in numbers and ids alone, and
/// whose vectors are the same. There are few kinds, however many records.
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
    /// The text of the records in lower case, with a `0` for each run of letters
    /// and digits that has a digit. Empty for texts that are too long to keep.
    #[column(max_bytes = 8192)]
    pub template: String,
    /// A hash of their search fields as they are spelt, one by one: of one kind
    /// they are the same up to what the template leaves out.
    pub spelling: i64,
    /// The vector of the records, if they have one.
    pub vector: Hidden<Option<Embedding>>,
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
