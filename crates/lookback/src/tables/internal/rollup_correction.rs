//! `rollup_corrections`

use chrono::{DateTime, Utc};

use crate::model;

/// A change of a record that roll-ups count or will count.
///
/// Written by a trigger, in the transaction of the change: the record with its values
/// before the change, to be subtracted, and the one after it, to be added. Of a record whose
/// text changed, or that was deleted, there is also a row with the amount 0: segments do not
/// know what has its id now.
#[model(
    table = "rollup_corrections",
    schema_only,
    constraint("rollup_corrections_pkey", "PRIMARY KEY (id)"),
    index("rollup_corrections_target_idx", "(target, record_id)"),
    index("rollup_corrections_text_idx", "(target, record_id) WHERE amount = 0")
)]
pub(crate) struct RollupCorrection {
    /// Primary key, in the order of the changes of a record.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The table of the record.
    pub(crate) target: String,
    /// The id of the record. NULL if the trigger does not know the columns of the table
    /// any more: then no roll-up of the table is used.
    pub(crate) record_id: Option<i64>,
    /// 1 for a record to add, -1 for one to subtract, 0 for one to read.
    pub(crate) amount: i16,
    /// Whether the record was removed, and another one may get its id.
    pub(crate) is_removal: bool,
    /// The time of the record.
    pub(crate) created_at: Option<DateTime<Utc>>,
    /// The values of the record, as text. An element may be NULL.
    pub(crate) keys: Option<Vec<String>>,
    /// Whether the record is, or was, soft-deleted.
    pub(crate) is_deleted: bool,
}
