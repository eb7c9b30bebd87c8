//! `logs`

use chrono::{DateTime, Utc};

use crate::embedding::Embedding;
use crate::value::Hidden;
use crate::{ColumnEnum, Json, model};

/// A log line.
#[model(
    table = "logs",
    search(message, source, level),
    constraint(
        "logs_level_check",
        "CHECK (level IN ('debug', 'info', 'warn', 'error'))",
        problem(level, "is not one of debug, info, warn, error")
    ),
    constraint(
        "logs_message_check",
        r"CHECK (message ~ '\S')",
        problem(message, "must not be blank")
    ),
    index(
        "logs_created_at_idx",
        "USING brin (created_at, \
         (source || '') text_bloom_ops (n_distinct_per_range = '100', false_positive_rate = '0.001'), \
         (level || '') text_bloom_ops (n_distinct_per_range = '16')) \
         WITH (autosummarize = on, pages_per_range = 64)"
    ),
    index("logs_trace_id_idx", "(trace_id) WHERE trace_id IS NOT NULL"),
    index("logs_deleted_at_idx", "(deleted_at) WHERE deleted_at IS NOT NULL"),
    partition_by = "RANGE (id)",
    partition("logs_default", "DEFAULT"),
    open_partitions,
    sealed,
    rollup(level, source)
)]
pub struct Log {
    /// Primary key.
    pub id: i64,
    /// The component that wrote the line, such as `API`, `DB` or `WORKER`.
    #[column(max_bytes = 4096)]
    pub source: String,
    /// The severity.
    pub level: Level,
    /// The text of the line: not blank, at most 1 MiB.
    #[column(not_blank)]
    pub message: String,
    /// Structured context, at most 8 MiB.
    pub meta: Option<Json>,
    /// The W3C trace id of the request that the line belongs to.
    #[column(max_bytes = 128)]
    pub trace_id: Option<String>,
    /// When the line was written.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted; NULL for a live record.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of message, source and level.
    pub embedding: Hidden<Option<Embedding>>,
}

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ColumnEnum)]
pub enum Level {
    /// Details for debugging.
    Debug,
    /// Normal operation.
    Info,
    /// A problem that has not caused a failure.
    Warn,
    /// A failure.
    Error,
}
