//! `search_templates`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::Hidden;

/// What records have in common whose texts differ in numbers and ids alone, and
/// whose vectors are the same: each once for a table, however many records have
/// it. Which do is in [`SearchKind`](crate::tables::SearchKind)s.
#[model(
    table = "search_templates",
    search(),
    index("search_templates_target_idx", "(target, key)")
)]
pub struct SearchTemplate {
    /// Primary key.
    pub id: i64,
    /// The table of the records.
    #[column(not_blank, max_bytes = 63)]
    pub target: String,
    /// A hash of the fields and the vector, by which it is found again.
    pub key: i64,
    /// The text of the records in lower case, with a `0` for each run of letters
    /// and digits that has a digit. Empty for texts that are too long to keep.
    #[column(max_bytes = 8192)]
    pub template: String,
    /// Their search fields as they are spelt, one by one, with a `0` for each
    /// such run: what has no `0` is what the field of each of them is. None for
    /// texts that are too long to keep.
    pub fields: Vec<String>,
    /// The vector of the records, if they have one.
    pub vector: Hidden<Option<Embedding>>,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// Always null: these records are not searched.
    pub embedding: Hidden<Option<Embedding>>,
}
