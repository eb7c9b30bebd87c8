//! Sealing: summaries that make a search of many records fast without an index
//! on rows.
//!
//! Records are inserted into a table without a search index, and a search reads
//! the newest of them row by row. Older records are *sealed* in segments: one
//! transaction summarises a range of ids in
//!
//! - postings ([`SearchPosting`](crate::tables::SearchPosting)): how many records have each
//!   [`SearchTemplate`](crate::tables::SearchTemplate), and the newest of them.
//!   Templates are the distinct texts of the table without their numbers and
//!   ids, with their vectors. A search compares these, and reads the newest
//!   records of those that contain its words or are near.
//! - blocks ([`SearchBlock`](crate::tables::SearchBlock)): Bloom filters of the numbers
//!   and ids in a few hundred consecutive records. A search reads the records
//!   of the blocks that may contain its own.
//! - a [`SealedSegment`](crate::tables::SealedSegment), which marks the range as
//!   sealed.
//!
//! A summary may name too many records and never too few, and each record is
//! read and compared before it is a hit. So deleting a record changes no
//! summary, and changing its text adds to them ([`changes`]).
//! `docs/decisions/0010-sealed-segments.md` explains why there is no trigram
//! index and no HNSW.
//!
//! In reading order: [`templates`] and [`bloom_filter`] define what is kept of
//! a text (pure); [`postings`] are stored lists of ids, [`postings_builder`]
//! and [`summary`] collect a segment, and [`sealer`] seals it. [`compaction`]
//! merges postings, [`rollups`] counts records, [`page_ranges`] summarises BRIN indexes,
//! [`orphans`] purges what retention left, [`corruption`]
//! reports summaries that another program changed.

pub(crate) mod bloom_filter;
mod changes;
mod compaction;
mod corruption;
mod insert_rows;
mod lock;
mod orphans;
mod page_ranges;
mod postings;
mod postings_builder;
pub(crate) mod rollups;
mod sealer;
mod segments;
mod summary;
pub(crate) mod templates;

pub(crate) use changes::Changes;
pub use compaction::merge_postings;
pub(crate) use corruption::{corruption, map_summary_error};
use lock::{Lock, lock};
pub(crate) use orphans::{delete_segments, has_orphans, has_orphans_below, purge_orphans};
pub(crate) use postings::{FULL_POSTING, NEWEST_IDS};
pub use sealer::{DEFAULT_SEGMENT, SealStep, Sealer};
pub(crate) use segments::{
    first_sealed_id_within, has_records_before, oldest_in_straddling_segments, oldest_sealed,
    push_records_outside, recount_segments, sealed_rows, sealed_until, segment_totals,
    summary_bytes,
};
pub use segments::{unseal, vacuum_summaries};
