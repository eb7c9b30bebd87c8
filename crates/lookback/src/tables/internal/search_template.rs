//! `search_templates`

use crate::embedding::Embedding;
use crate::model;

/// The common text and vector of records that differ only in numbers and ids.
///
/// Stored once for a table, however many records have it.
/// [`SearchPosting`](super::SearchPosting)s have the ids of these.
#[model(
    table = "search_templates",
    schema_only,
    constraint("search_templates_pkey", "PRIMARY KEY (id)"),
    index("search_templates_target_idx", "(target, key)")
)]
pub(crate) struct SearchTemplate {
    /// Primary key.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The table of the records.
    pub(crate) target: String,
    /// A hash of the fields and the vector, which finds the template.
    pub(crate) key: i64,
    /// The text of the records in lower case, with a `0` for each run of letters
    /// and digits that has a digit. Empty for texts that are too long to keep.
    pub(crate) template: String,
    /// The search fields as they are spelt, with a `0` for each such run. A field
    /// without a `0` is the same in all records. Empty for texts that are too long
    /// to keep.
    pub(crate) fields: Vec<String>,
    /// The vector of the records, if they have one.
    pub(crate) vector: Option<Embedding>,
}
