//! `imports`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::Hidden;

/// How far the import of one input has come.
///
/// Changed in the transaction that stores a batch, so that it is always the
/// truth, whenever the importing process was killed.
#[model(
    table = "imports",
    search(name),
    index("imports_name_idx", "(name, id) WHERE deleted_at IS NULL")
)]
pub struct Import {
    /// Primary key.
    pub id: i64,
    /// The input: the full path of a file, or a name given by the caller.
    #[column(not_blank, max_bytes = 2048)]
    pub name: String,
    /// The table that takes the records.
    #[column(not_blank, max_bytes = 63)]
    pub target: String,
    /// Bytes of the input that are done with.
    #[column(range(0, i64::MAX))]
    pub position: i64,
    /// Lines of the input that are done with.
    #[column(range(0, i64::MAX))]
    pub lines: i64,
    /// Records stored.
    #[column(range(0, i64::MAX))]
    pub stored: i64,
    /// Lines rejected.
    #[column(range(0, i64::MAX))]
    pub rejected: i64,
    /// SHA-256, in hexadecimal, of the bytes up to `position`: the same input
    /// begins with them.
    #[column(not_blank, max_bytes = 64)]
    pub prefix_sha256: String,
    /// When the end of the input was reached.
    pub finished_at: Option<DateTime<Utc>>,
    /// When the import began.
    pub created_at: DateTime<Utc>,
    /// When the last batch was stored.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of the name.
    pub embedding: Hidden<Option<Embedding>>,
}
