//! `search_blocks`

use crate::model;
use crate::value::Bytes;

/// The tokens of the records in a short range of ids that their templates leave
/// out: numbers and ids.
///
/// A record that has a word with a digit is in a block whose Bloom filter has all
/// tokens of the word. A block may also have them by chance.
#[model(
    table = "search_blocks",
    schema_only,
    constraint("search_blocks_pkey", "PRIMARY KEY (id)"),
    index("search_blocks_target_idx", "(target, first_id)")
)]
pub(crate) struct SearchBlock {
    /// Primary key.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The table of the records.
    pub(crate) target: String,
    /// The first id of the range.
    pub(crate) first_id: i64,
    /// The last id of the range.
    pub(crate) last_id: i64,
    /// Whether the records have templates. If not, the tokens are those of their
    /// whole text.
    pub(crate) has_templates: bool,
    /// The bits of the tokens.
    pub(crate) bloom_filter: Bytes,
}
