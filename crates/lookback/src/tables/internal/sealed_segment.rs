//! `sealed_segments`

use chrono::{DateTime, Utc};

use crate::model;
use crate::value::{Bytes, Opaque};

/// A range of ids whose records are summarised for search, in
/// [`SearchBlock`](super::SearchBlock)s and [`SearchPosting`](super::SearchPosting)s.
///
/// The segments of a table are adjacent, except for ranges whose partition was
/// dropped. Records beyond the last segment are unsealed: a search reads each of
/// them.
#[model(
    table = "sealed_segments",
    schema_only,
    constraint("sealed_segments_pkey", "PRIMARY KEY (id)"),
    index(
        "sealed_segments_target_key",
        "UNIQUE (target, first_id) WHERE NOT is_tombstone"
    )
)]
pub(crate) struct SealedSegment {
    /// Primary key, in the order of sealing.
    #[column(identity = "always")]
    pub(crate) id: i64,
    /// The table of the records.
    pub(crate) target: String,
    /// The first id of the range.
    pub(crate) first_id: i64,
    /// The last id of the range.
    pub(crate) last_id: i64,
    /// The number of its records, as last counted: when it was sealed, or when
    /// retention deleted some of them.
    pub(crate) rows: i64,
    /// The time of the oldest of these records.
    pub(crate) oldest: Option<DateTime<Utc>>,
    /// The time of the newest of these records.
    pub(crate) newest: Option<DateTime<Utc>>,
    /// Whether it has postings. Without them, where records have too many
    /// templates, a search compares each record.
    pub(crate) has_postings: bool,
    /// The trigrams that the templates of its records leave out, a bit for each.
    pub(crate) trigrams: Bytes,
    /// The ids of its records that were summarised: a record with another id may have been
    /// inserted since. NULL if they are not known, or are too many ranges.
    #[column(type = "int8multirange")]
    pub(crate) ids: Option<Opaque>,
    /// The partitions of these records, each with its file and its trigger: another file or
    /// trigger means that records changed without a note in
    /// [`RollupCorrection`](super::RollupCorrection)s.
    pub(crate) partitions: Option<Vec<String>>,
    /// Whether the segment was deleted, and its row remains only as the one with
    /// the greatest id.
    #[column(sql_default = "false")]
    pub(crate) is_tombstone: bool,
}
