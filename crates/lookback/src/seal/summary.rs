//! What the records of a segment have among them: blocks of letters, and kinds.

use chrono::{DateTime, Utc};

use super::grams::{BITS, Letters, Signature};
use super::kinds::Kinds;
use super::template::{is_kept, runs};
use crate::embedding::Embedding;
use crate::models::{NewSealedSegment, NewSearchBlock};
use crate::types::Bytes;

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
    first_id: i64,
    last_id: i64,
    pub(super) rows: usize,
    oldest: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
    block: Block,
    last_added: i64,
    blocks: Vec<Block>,
    kinds: Kinds,
    letters: Letters,
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
    texts: Signature,
}

impl Block {
    fn new(first_id: i64) -> Self {
        Self {
            first_id,
            last_id: first_id,
            rows: 0,
            left_out: Signature::new(),
            texts: Signature::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.rows >= BLOCK_ROWS
            || self.left_out.ones() >= BLOCK_ONES
            || self.texts.ones() >= BLOCK_ONES
    }
}

impl Summary {
    pub(super) fn new(first_id: i64, last_id: i64) -> Self {
        Self {
            first_id,
            last_id,
            rows: 0,
            oldest: None,
            newest: None,
            block: Block::new(first_id),
            last_added: first_id,
            blocks: Vec::new(),
            kinds: Kinds::default(),
            letters: Letters::new(),
        }
    }

    /// Adds a record, with all of its text in the lower case of the database, and
    /// its search fields as they are.
    pub(super) fn add(
        &mut self,
        id: i64,
        created_at: DateTime<Utc>,
        text: &str,
        fields: &[&str],
        embedding: Option<&Embedding>,
    ) {
        if self.block.is_full() {
            self.end_block(self.last_added);
        }
        match is_kept(text) {
            true => {
                for (run, is_odd) in runs(text) {
                    if is_odd {
                        self.block.left_out.add_run(run);
                        self.letters.add(run);
                    }
                }
            }
            false => {
                self.block.left_out.add_record(text);
                self.letters.add(text);
            }
        }
        self.block.texts.add_text(text);
        self.block.rows += 1;
        self.last_added = id;
        self.rows += 1;
        self.oldest = Some(self.oldest.map_or(created_at, |time| time.min(created_at)));
        self.newest = Some(self.newest.map_or(created_at, |time| time.max(created_at)));
        self.kinds.add(text, fields, embedding, id);
    }

    /// Blocks follow each other without a gap, so that each id is in one.
    fn end_block(&mut self, last_id: i64) {
        let next = Block::new(last_id.saturating_add(1));
        let mut block = std::mem::replace(&mut self.block, next);
        block.last_id = last_id;
        self.blocks.push(block);
    }

    pub(super) fn finish(mut self, target: &str) -> Finished {
        self.end_block(self.last_id);
        let has_kinds = self.kinds.len() <= FEW_KINDS.max(self.rows / 4);
        let blocks = self.blocks.into_iter().map(|mut block| {
            if !has_kinds {
                block.left_out.add_all(&block.texts);
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
            kinds: has_kinds.then_some(self.kinds).unwrap_or_default(),
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
