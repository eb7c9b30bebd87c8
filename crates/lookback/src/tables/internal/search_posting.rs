//! `search_postings`

use crate::model;

/// The records in a range of ids that have a
/// [`SearchTemplate`](super::SearchTemplate).
#[model(
    table = "search_postings",
    schema_only,
    constraint("search_postings_pkey", "PRIMARY KEY (id)"),
    index("search_postings_target_idx", "(target, first_id)"),
    index(
        "search_postings_template_id_idx",
        "(template_id, last_id DESC) INCLUDE (id, first_id, rows)"
    )
)]
pub(crate) struct SearchPosting {
    /// Primary key.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The table of the records.
    pub(crate) target: String,
    /// The template, by its `id`.
    pub(crate) template_id: i64,
    /// The first id of the range.
    pub(crate) first_id: i64,
    /// The last id of the range.
    pub(crate) last_id: i64,
    /// The number of records.
    pub(crate) rows: i64,
    /// The ids of the newest of them, the greatest first.
    pub(crate) newest_ids: Vec<i64>,
}
