//! `ingest_lanes`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::model;
use crate::value::Hidden;

/// How far a connection of a writer has come.
///
/// Changed in the transaction that stores a batch, so that a writer that lost
/// its connection can tell whether the batch was stored.
#[model(
    table = "ingest_lanes",
    search(),
    index(
        "ingest_lanes_name_key",
        "UNIQUE (name) WHERE deleted_at IS NULL",
        problem(name, "is the name of a lane already")
    )
)]
pub struct IngestLane {
    /// Primary key.
    pub id: i64,
    /// The name of the writer, and the number of its connection.
    #[column(not_blank, max_bytes = 255)]
    pub name: String,
    /// The number of the last batch that was stored.
    #[column(range(0, i64::MAX))]
    pub batch: i64,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// Always null: these records are not searched.
    pub embedding: Hidden<Option<Embedding>>,
}
