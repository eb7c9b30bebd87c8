//! `ingest_lanes`

use chrono::{DateTime, Utc};

use crate::model;

/// The number of the last batch that a connection of a writer has stored.
///
/// Updated in the transaction that stores the batch. A writer that lost its
/// connection reads it to find out whether the batch was stored.
#[model(
    table = "ingest_lanes",
    schema_only,
    constraint("ingest_lanes_pkey", "PRIMARY KEY (id)"),
    constraint("ingest_lanes_name_key", "UNIQUE (name)")
)]
pub(crate) struct IngestLane {
    /// Primary key.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The name of the writer, and the number of its connection.
    pub(crate) name: String,
    /// The number of the last batch that was stored.
    pub(crate) batch: i64,
    /// When it was stored, by the clock of the server.
    #[column(sql_default = "now()")]
    pub(crate) updated_at: DateTime<Utc>,
}
