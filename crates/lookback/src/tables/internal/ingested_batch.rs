//! `ingested_batches`

use chrono::{DateTime, Utc};

use crate::{Json, model};

/// A batch that was stored under a key of its sender, who may send it again.
#[model(
    table = "ingested_batches",
    schema_only,
    constraint("ingested_batches_pkey", "PRIMARY KEY (key)"),
    index("ingested_batches_created_at_idx", "(created_at)")
)]
pub(crate) struct IngestedBatch {
    /// The key, with what sent it and where.
    pub(crate) key: String,
    /// A hash of the batch: the same key with another batch is a mistake.
    pub(crate) digest: i64,
    /// What the sender was told; NULL while the batch is being stored.
    pub(crate) outcome: Option<Json>,
    /// When it was stored.
    #[column(sql_default = "now()")]
    pub(crate) created_at: DateTime<Utc>,
}
