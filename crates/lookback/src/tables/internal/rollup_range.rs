//! `rollup_ranges`

use crate::model;
use crate::value::Opaque;

/// A range of ids whose records are counted in [`RollupCell`](super::RollupCell)s.
///
/// The counts are those of the records that existed when the range was counted. What
/// became of these records since is in
/// [`RollupCorrection`](super::RollupCorrection)s.
#[model(
    table = "rollup_ranges",
    schema_only,
    constraint("rollup_ranges_pkey", "PRIMARY KEY (id)"),
    index("rollup_ranges_target_idx", "(target, first_id)")
)]
pub(crate) struct RollupRange {
    /// Primary key.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The table of the records.
    pub(crate) target: String,
    /// The first id of the range.
    pub(crate) first_id: i64,
    /// The last id of the range.
    pub(crate) last_id: i64,
    /// The columns that were counted, and the places that they have in the table.
    pub(crate) definition: String,
    /// The partitions whose records were counted, each with its file and its trigger:
    /// another file or trigger means that records changed without a correction.
    pub(crate) partitions: Vec<String>,
    /// The ids of the records that were counted. A record may be inserted only with
    /// another id, and such records are read.
    #[column(type = "int8multirange")]
    pub(crate) ids: Opaque,
    /// The number of these records.
    pub(crate) rows: i64,
    /// The length of the shortest buckets, in seconds: for counts by none of the columns, by
    /// the first, by the first two and so on.
    pub(crate) finest: Vec<i32>,
}
