//! `imports`

use chrono::{DateTime, Utc};

use crate::model;

/// The progress of the import of one input.
///
/// Updated in the transaction that stores a batch, so that it is correct even
/// after the importing process was killed.
#[model(
    table = "imports",
    schema_only,
    constraint("imports_pkey", "PRIMARY KEY (id)"),
    index("imports_name_idx", "(name, id)")
)]
pub(crate) struct Import {
    /// Primary key.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The input: the full path of a file, or a name given by the caller.
    pub(crate) name: String,
    /// The table that receives the records.
    pub(crate) target: String,
    /// The number of bytes of the input that were processed.
    pub(crate) position: i64,
    /// The number of lines of the input that were processed.
    pub(crate) lines: i64,
    /// The number of records stored.
    pub(crate) stored: i64,
    /// The number of lines rejected.
    pub(crate) rejected: i64,
    /// SHA-256, in hexadecimal, of the bytes up to `position`. It identifies
    /// the input.
    pub(crate) prefix_sha256: String,
    /// SHA-256, in hexadecimal, of the first 1,024 bytes, by which the start of
    /// known content is recognised before the rest of it has come. NULL if
    /// fewer were processed, and for imports from before this column.
    pub(crate) start_sha256: Option<String>,
    /// When the end of the input was reached.
    pub(crate) finished_at: Option<DateTime<Utc>>,
    /// When the import began.
    #[column(sql_default = "now()")]
    pub(crate) created_at: DateTime<Utc>,
    /// When the last batch was stored.
    #[column(sql_default = "now()")]
    pub(crate) updated_at: DateTime<Utc>,
}
