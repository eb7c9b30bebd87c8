//! The summary of a segment: its blocks and postings.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::bloom_filter::{BloomFilter, FILTER_BITS, TrigramSet};
use super::insert_rows::insert_rows;
use super::postings_builder::{PostingsBuilder, SealedRecord};
use super::rollups::{MIN_GAP_LIMIT, RECORDS_PER_GAP, WatchedPartitions};
use super::templates::digit_runs;
use crate::db::Sql;
use crate::error::Error;
use crate::value::StoredTime;

/// The number of records in a block, and of set bits at which it ends. A word
/// of four letters that no record has is then found in one block of sixty, and
/// a longer one hardly ever.
const MAX_BLOCK_ROWS: usize = 256;
const MAX_BLOCK_BITS: usize = FILTER_BITS * 35 / 100;

/// The number of templates up to which postings are always stored. With more,
/// and more than a quarter of the records, comparing templates is no less work
/// than comparing records.
const MIN_TEMPLATE_LIMIT: usize = 1_024;

/// A summary of the records of a range of ids, added in the order of ids.
#[derive(Debug)]
pub(super) struct SegmentSummary {
    pub(super) first_id: i64,
    pub(super) last_id: i64,
    pub(super) rows: usize,
    oldest: Option<StoredTime>,
    newest: Option<StoredTime>,
    block: BlockBuilder,
    last_added: i64,
    /// The runs of ids.
    ids: Vec<(i64, i64)>,
    /// The partitions of the records.
    partitions: BTreeSet<i64>,
    blocks: Vec<BlockBuilder>,
    postings: PostingsBuilder,
    trigrams: TrigramSet,
    /// A buffer for a run with a digit.
    lower: String,
}

/// A block that is being built.
#[derive(Debug)]
struct BlockBuilder {
    first_id: i64,
    last_id: i64,
    rows: usize,
    /// The masked tokens.
    masked: BloomFilter,
    /// The trigrams of the texts, needed if there are no templates.
    texts: Option<BloomFilter>,
}

impl BlockBuilder {
    fn new(first_id: i64, with_texts: bool) -> Self {
        Self {
            first_id,
            last_id: first_id,
            rows: 0,
            masked: BloomFilter::new(),
            texts: with_texts.then(BloomFilter::new),
        }
    }

    fn is_full(&self) -> bool {
        let texts = self.texts.as_ref().map_or(0, BloomFilter::bits_set);
        self.rows >= MAX_BLOCK_ROWS || self.masked.bits_set().max(texts) >= MAX_BLOCK_BITS
    }
}

impl SegmentSummary {
    /// Creates an empty summary. Without texts it suits records with few
    /// templates only.
    pub(super) fn new(first_id: i64, last_id: i64, with_texts: bool) -> Self {
        Self {
            first_id,
            last_id,
            rows: 0,
            oldest: None,
            newest: None,
            block: BlockBuilder::new(first_id, with_texts),
            last_added: first_id,
            ids: Vec::new(),
            partitions: BTreeSet::new(),
            blocks: Vec::new(),
            postings: PostingsBuilder::default(),
            trigrams: TrigramSet::new(),
            lower: String::new(),
        }
    }

    /// Adds a record of a partition.
    pub(super) fn add(
        &mut self,
        created_at: StoredTime,
        partition: i64,
        record: &SealedRecord<'_>,
    ) {
        match self.ids.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(record.id) => *last = record.id,
            _ => self.ids.push((record.id, record.id)),
        }
        if self.partitions.last() != Some(&partition) {
            self.partitions.insert(partition);
        }
        if self.block.is_full() {
            self.end_block(self.last_added);
        }
        let (masked, trigrams) = (&mut self.block.masked, &mut self.trigrams);
        let lower = &mut self.lower;
        match record.text {
            // In one pass over the text.
            None if record.fits_template() => {
                self.postings.add(record, |run| {
                    lower.clear();
                    lower.push_str(run);
                    lower.make_ascii_lowercase();
                    masked.add_run(lower);
                    trigrams.add(lower);
                });
                for field in record.fields {
                    masked.add_separated(field);
                }
            }
            _ => {
                let text = record.lower();
                masked.add_record(&text);
                trigrams.add_record(&text);
                // In lower case a letter may be two, which end a run: `İ` is one in some locales.
                // The template of these records masks the run as it was.
                for run in record.fields.iter().flat_map(|field| digit_runs(field)) {
                    let run = run.to_lowercase();
                    masked.add_run(&run);
                    trigrams.add(&run);
                }
                self.postings.add(record, |_| {});
            }
        }
        if let Some(texts) = &mut self.block.texts {
            texts.add_text(&record.lower());
        }
        self.block.rows += 1;
        self.last_added = record.id;
        self.rows += 1;
        self.oldest = Some(self.oldest.map_or(created_at, |time| time.min(created_at)));
        self.newest = Some(self.newest.map_or(created_at, |time| time.max(created_at)));
    }

    /// Ends a block. Blocks are adjacent, so that each id is in one.
    fn end_block(&mut self, last_id: i64) {
        let next = BlockBuilder::new(last_id.saturating_add(1), self.block.texts.is_some());
        let mut block = std::mem::replace(&mut self.block, next);
        block.last_id = last_id;
        self.blocks.push(block);
    }

    /// Returns whether the records have few templates.
    pub(super) fn has_postings(&self) -> bool {
        self.postings.len() <= MIN_TEMPLATE_LIMIT.max(self.rows / 4)
    }

    pub(super) fn finish(mut self) -> FinishedSummary {
        self.end_block(self.last_id);
        let has_postings = self.has_postings();
        let blocks = self.blocks.into_iter().map(|mut block| {
            if let Some(texts) = block.texts.filter(|_| !has_postings) {
                block.masked.add_all(&texts);
            }
            (block.first_id, block.last_id, block.masked)
        });
        FinishedSummary {
            first_id: self.first_id,
            last_id: self.last_id,
            rows: i64::try_from(self.rows).unwrap_or(i64::MAX),
            oldest: self.oldest,
            newest: self.newest,
            has_postings,
            trigrams: self.trigrams,
            ids: self.ids,
            partitions: self.partitions,
            blocks: blocks.collect(),
            postings: if has_postings {
                self.postings
            } else {
                PostingsBuilder::default()
            },
        }
    }
}

/// The summary of all records of a segment.
#[derive(Debug)]
pub(super) struct FinishedSummary {
    first_id: i64,
    last_id: i64,
    rows: i64,
    oldest: Option<StoredTime>,
    newest: Option<StoredTime>,
    has_postings: bool,
    trigrams: TrigramSet,
    /// The runs of the ids of its records.
    ids: Vec<(i64, i64)>,
    partitions: BTreeSet<i64>,
    /// The first and the last id of each block, and its tokens.
    blocks: Vec<(i64, i64, BloomFilter)>,
    /// Empty if there are too many.
    postings: PostingsBuilder,
}

impl FinishedSummary {
    /// Stores the summary, in a transaction that has the lock. `watched` are the partitions
    /// whose changes were noted since before it was read.
    pub(super) async fn store(
        self,
        conn: &mut PgConnection,
        target: &str,
        watched: &WatchedPartitions,
    ) -> Result<(), Error> {
        let known = self.known_ids(watched);
        let (ids, partitions) = known.map_or((None, None), |(ids, of)| (Some(ids), Some(of)));
        let columns = [
            "target",
            "first_id",
            "last_id",
            "has_templates",
            "bloom_filter",
        ];
        insert_rows(
            conn,
            "search_blocks",
            columns,
            &self.blocks,
            |block, sql| {
                let (first_id, last_id, tokens) = block;
                Ok([
                    sql.argument(target)?,
                    sql.argument(first_id)?,
                    sql.argument(last_id)?,
                    sql.argument(self.has_postings)?,
                    sql.argument(tokens.as_bytes())?,
                ])
            },
        )
        .await?;
        self.postings.store(conn, target).await?;
        let mut sql = Sql::default();
        let values = [
            sql.argument(target)?,
            sql.argument(self.first_id)?,
            sql.argument(self.last_id)?,
            sql.argument(self.rows)?,
            sql.argument(self.oldest)?,
            sql.argument(self.newest)?,
            sql.argument(self.has_postings)?,
            sql.argument(self.trigrams.into_bytes())?,
            format!("{}::int8multirange", sql.argument(ids)?),
            sql.argument(partitions)?,
        ];
        sql.push(&format!(
            "INSERT INTO sealed_segments \
               (target, first_id, last_id, rows, oldest, newest, has_postings, trigrams, ids, partitions) \
             VALUES ({})",
            values.join(", ")
        ));
        sql.execute(conn).await?;
        Ok(())
    }

    /// Returns the ids of its records, as a multirange, and the identities of their
    /// partitions; `None` if a partition is not watched, or there are too many ranges.
    fn known_ids(&self, watched: &WatchedPartitions) -> Option<(String, Vec<String>)> {
        let most = MIN_GAP_LIMIT.saturating_add(self.rows / RECORDS_PER_GAP);
        // PostgreSQL stores the end of a range as the id after it.
        let first = self.ids.first().map(|(first, _)| *first);
        let last = self.ids.last().map(|(_, last)| *last);
        let is_stored = first != Some(i64::MIN) && last != Some(i64::MAX);
        if self.ids.len() as i64 > most || !is_stored {
            return None;
        }
        let known = watched.known(&self.partitions);
        let ids = self
            .ids
            .iter()
            .map(|(first, last)| format!("[{first},{last}]"));
        let ids = ids.collect::<Vec<_>>().join(",");
        known.map(|known| (format!("{{{ids}}}"), known))
    }
}
