//! What the records of a segment have among them: blocks of letters, and kinds.

use chrono::{DateTime, Utc};

use super::bloom_filter::{BITS, Letters, Signature};
use super::postings_builder::{Kinds, Record};
use crate::tables::{NewSealedSegment, NewSearchBlock};
use crate::value::Bytes;

/// A block has at most this many records, and ends when as many bits are set:
/// then a word of four letters that no record has is taken for one that is there
/// in one block of sixty, and a longer one hardly ever.
const BLOCK_ROWS: usize = 256;
const BLOCK_ONES: usize = BITS * 35 / 100;

/// Where there are more kinds than a quarter of the records, and than this,
/// comparing kinds is no less work than comparing records.
const FEW_KINDS: usize = 1_024;

/// A summary of the records of a range of ids, added in the order of ids.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) first_id: i64,
    pub(super) last_id: i64,
    pub(super) rows: usize,
    oldest: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
    block: Block,
    last_added: i64,
    blocks: Vec<Block>,
    kinds: Kinds,
    letters: Letters,
    /// A run with a digit, while it is added.
    lower: String,
}

/// What some records have that follow each other.
#[derive(Debug)]
struct Block {
    first_id: i64,
    last_id: i64,
    rows: usize,
    /// What templates leave out.
    left_out: Signature,
    /// The letters of the texts, wanted where there are no templates.
    texts: Option<Signature>,
}

impl Block {
    fn new(first_id: i64, with_texts: bool) -> Self {
        Self {
            first_id,
            last_id: first_id,
            rows: 0,
            left_out: Signature::new(),
            texts: with_texts.then(Signature::new),
        }
    }

    fn is_full(&self) -> bool {
        let texts = self.texts.as_ref().map_or(0, Signature::ones);
        self.rows >= BLOCK_ROWS || self.left_out.ones().max(texts) >= BLOCK_ONES
    }
}

impl Summary {
    /// Of no record yet. Without texts it does for records of few kinds only.
    pub(super) fn new(first_id: i64, last_id: i64, with_texts: bool) -> Self {
        Self {
            first_id,
            last_id,
            rows: 0,
            oldest: None,
            newest: None,
            block: Block::new(first_id, with_texts),
            last_added: first_id,
            blocks: Vec::new(),
            kinds: Kinds::default(),
            letters: Letters::new(),
            lower: String::new(),
        }
    }

    /// Adds a record.
    pub(super) fn add(&mut self, created_at: DateTime<Utc>, record: &Record<'_>) {
        if self.block.is_full() {
            self.end_block(self.last_added);
        }
        let (left_out, letters) = (&mut self.block.left_out, &mut self.letters);
        let lower = &mut self.lower;
        match record.text {
            // In one go through it.
            None if record.is_kept() => self.kinds.add(record, |run| {
                lower.clear();
                lower.push_str(run);
                lower.make_ascii_lowercase();
                left_out.add_run(lower);
                letters.add(lower);
            }),
            _ => {
                let text = record.lower();
                left_out.add_record(&text);
                letters.add_record(&text);
                self.kinds.add(record, |_| {});
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

    /// Blocks follow each other without a gap, so that each id is in one.
    fn end_block(&mut self, last_id: i64) {
        let next = Block::new(last_id.saturating_add(1), self.block.texts.is_some());
        let mut block = std::mem::replace(&mut self.block, next);
        block.last_id = last_id;
        self.blocks.push(block);
    }

    /// Whether the records are of few kinds.
    pub(super) fn has_kinds(&self) -> bool {
        self.kinds.len() <= FEW_KINDS.max(self.rows / 4)
    }

    pub(super) fn finish(mut self, target: &str) -> Finished {
        self.end_block(self.last_id);
        let has_kinds = self.has_kinds();
        let blocks = self.blocks.into_iter().map(|mut block| {
            if let Some(texts) = block.texts.filter(|_| !has_kinds) {
                block.left_out.add_all(&texts);
            }
            let bytes = Bytes(block.left_out.as_bytes().to_vec());
            NewSearchBlock::new(target, block.first_id, block.last_id, has_kinds, bytes)
        });
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        let letters = Bytes(self.letters.into_bytes());
        let (first_id, last_id) = (self.first_id, self.last_id);
        let mut segment =
            NewSealedSegment::new(target, first_id, last_id, rows, has_kinds, letters);
        segment.oldest = self.oldest;
        segment.newest = self.newest;
        Finished {
            segment,
            blocks: blocks.collect(),
            kinds: match has_kinds {
                true => self.kinds,
                false => Kinds::default(),
            },
        }
    }
}

/// What is stored of a segment.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) segment: NewSealedSegment,
    pub(super) blocks: Vec<NewSearchBlock>,
    /// None where they are many.
    pub(super) kinds: Kinds,
}
