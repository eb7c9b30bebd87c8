//! `search_blocks`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::{Bytes, Hidden};

/// Which numbers and ids the records of a short range of ids have among them: what
/// their templates leave out. A record whose text has a word with a digit is in a
/// block that has all pieces of the word; the other way round it is likely, and
/// the record itself tells.
#[model(
    table = "search_blocks",
    search(),
    index("search_blocks_target_idx", "(target, first_id)")
)]
pub struct SearchBlock {
    /// Primary key.
    pub id: i64,
    /// The table of the records.
    #[column(not_blank, max_bytes = 63)]
    pub target: String,
    /// The least id that belongs to the block.
    pub first_id: i64,
    /// The greatest.
    pub last_id: i64,
    /// Whether the templates of the records are known. If not, all of their text is
    /// among the pieces.
    pub has_templates: bool,
    /// A bit for each piece, by its hash.
    pub grams: Bytes,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// Always null: these records are not searched.
    pub embedding: Hidden<Option<Embedding>>,
}
