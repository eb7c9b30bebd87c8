//! `sealed_segments`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::{Bytes, Hidden};

/// A range of ids whose records are summarised for search, in
/// [`SearchBlock`](crate::tables::SearchBlock)s and [`SearchKind`](crate::tables::SearchKind)s.
/// The segments of a table follow each other, but for ranges whose partition was
/// dropped; the records beyond the last of them are the hot part, which a search reads record by record.
#[model(
    table = "sealed_segments",
    search(),
    index(
        "sealed_segments_target_key",
        "UNIQUE (target, first_id) WHERE deleted_at IS NULL",
        problem(first_id, "is the first of a segment already")
    )
)]
pub struct SealedSegment {
    /// Primary key.
    pub id: i64,
    /// The table of the records.
    #[column(not_blank, max_bytes = 63)]
    pub target: String,
    /// The least id that belongs to the segment.
    pub first_id: i64,
    /// The greatest.
    pub last_id: i64,
    /// How many records it had when it was sealed, or when some of them went for
    /// their age.
    #[column(range(0, i64::MAX))]
    pub rows: i64,
    /// When the oldest of these was made.
    pub oldest: Option<DateTime<Utc>>,
    /// When the newest of these was made.
    pub newest: Option<DateTime<Utc>>,
    /// Whether its kinds are known; false where hardly two records are of one
    /// kind, which are then compared one by one.
    pub has_kinds: bool,
    /// A bit for each three letters that follow each other in what the templates
    /// of its kinds leave out.
    pub odd_letters: Bytes,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// Always null: these records are not searched.
    pub embedding: Hidden<Option<Embedding>>,
}
