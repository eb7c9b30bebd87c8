//! `rollup_cells`

use crate::model;

/// The number of records of a [`RollupRange`](super::RollupRange) with the same
/// values, by buckets of time of one length.
#[model(
    table = "rollup_cells",
    schema_only,
    constraint("rollup_cells_pkey", "PRIMARY KEY (id)"),
    index("rollup_cells_range_id_idx", "(range_id, depth, unit)")
)]
pub(crate) struct RollupCell {
    /// Primary key.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The range, by its `id`.
    pub(crate) range_id: i64,
    /// The length of the buckets, in seconds.
    pub(crate) unit: i32,
    /// The number of values: of the first columns of the definition of the range.
    pub(crate) depth: i32,
    /// The values, as text. An element may be NULL.
    pub(crate) keys: Vec<String>,
    /// Whether the records were deleted.
    pub(crate) is_deleted: bool,
    /// The first of the buckets.
    pub(crate) first_bucket: i32,
    /// The last of the buckets.
    pub(crate) last_bucket: i32,
    /// The buckets that have records, as numbers of buckets since 2000-01-01, in order.
    pub(crate) buckets: Vec<i32>,
    /// The number of records in each.
    pub(crate) counts: Vec<i32>,
}
