//! What records have among them: blocks of letters, and kinds.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::grams::{BITS, Letters, Signature};
use super::template::{spelling, template_kept};
use crate::embedding::{DIMENSIONS, Embedding};
use crate::models::{NewSealedSegment, NewSearchBlock, NewSearchKind};
use crate::types::Bytes;

/// A block has at most this many records, and ends when as many bits are set:
/// then a word of eight letters that no record has is taken for one that is
/// there in two blocks of a thousand.
const BLOCK_ROWS: usize = 256;
const BLOCK_ONES: usize = BITS * 35 / 100;

/// All records of a kind are listed up to this many, which is as many as a
/// search looks at for their likeness; of a kind with more, the newest.
const LISTED: usize = 1_000;
const NEWEST: usize = 100;

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
    signature: Signature,
    block_rows: usize,
    block_first: i64,
    last_added: i64,
    blocks: Vec<(i64, i64, Vec<u8>)>,
    kinds: Kinds,
    letters: Letters,
}

impl Summary {
    pub(super) fn new(first_id: i64, last_id: i64) -> Self {
        Self {
            first_id,
            last_id,
            rows: 0,
            oldest: None,
            newest: None,
            signature: Signature::new(),
            block_rows: 0,
            block_first: first_id,
            last_added: first_id,
            blocks: Vec::new(),
            kinds: Kinds::default(),
            letters: Letters::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        id: i64,
        created_at: DateTime<Utc>,
        text: &str,
        fields: &[String],
        embedding: Option<&Embedding>,
    ) {
        if self.block_rows >= BLOCK_ROWS || self.signature.ones() >= BLOCK_ONES {
            self.end_block(self.last_added);
        }
        self.signature.add_record(text);
        self.letters.add_record(text);
        self.block_rows += 1;
        self.last_added = id;
        self.rows += 1;
        self.oldest = Some(
            self.oldest
                .map_or(created_at, |oldest| oldest.min(created_at)),
        );
        self.newest = Some(
            self.newest
                .map_or(created_at, |newest| newest.max(created_at)),
        );
        let template = template_kept(text).unwrap_or_default();
        self.kinds
            .add(template, spelling(fields), embedding, 1, [id]);
    }

    /// Blocks follow each other without a gap, so that each id is in one.
    fn end_block(&mut self, last_id: i64) {
        let signature = std::mem::replace(&mut self.signature, Signature::new());
        let bytes = signature.as_bytes().to_vec();
        self.blocks.push((self.block_first, last_id, bytes));
        self.block_first = last_id.saturating_add(1);
        self.block_rows = 0;
    }

    pub(super) fn finish(mut self, target: &str) -> Finished {
        self.end_block(self.last_id);
        let has_kinds = self.kinds.are_few(self.rows);
        let blocks = self.blocks.into_iter().map(|(first_id, last_id, bytes)| {
            NewSearchBlock::new(target, first_id, last_id, has_kinds, Bytes(bytes))
        });
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        let letters = Bytes(self.letters.into_bytes());
        let (first_id, last_id) = (self.first_id, self.last_id);
        let mut segment =
            NewSealedSegment::new(target, first_id, last_id, rows, has_kinds, letters);
        segment.oldest = self.oldest;
        segment.newest = self.newest;
        let kinds = has_kinds.then(|| self.kinds.finish(target, first_id, last_id));
        Finished {
            segment,
            blocks: blocks.collect(),
            kinds: kinds.unwrap_or_default(),
        }
    }
}

/// What is stored of a segment.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) segment: NewSealedSegment,
    pub(super) blocks: Vec<NewSearchBlock>,
    /// None where they are many.
    pub(super) kinds: Vec<NewSearchKind>,
}

/// Templates and vectors, how many records have each, and the ids of the newest
/// of them.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    places: HashMap<(String, i64, Option<[u32; DIMENSIONS]>), usize>,
    /// In the order in which they first came.
    kinds: Vec<Kind>,
}

#[derive(Debug)]
struct Kind {
    template: String,
    spelling: i64,
    vector: Option<Embedding>,
    rows: u64,
    ids: Vec<i64>,
}

impl Kinds {
    /// Adds records of a kind, in the order of ids.
    pub(super) fn add(
        &mut self,
        template: String,
        spelling: i64,
        vector: Option<&Embedding>,
        rows: u64,
        ids: impl IntoIterator<Item = i64>,
    ) {
        let key = (template, spelling, vector.map(bits));
        let place = self.places.get(&key).copied().unwrap_or_else(|| {
            self.places.insert(key.clone(), self.kinds.len());
            self.kinds.push(Kind {
                template: key.0,
                spelling,
                vector: vector.copied(),
                rows: 0,
                ids: Vec::new(),
            });
            self.kinds.len() - 1
        });
        let kind = &mut self.kinds[place];
        kind.rows += rows;
        kind.ids.extend(ids);
        if kind.ids.len() >= 2 * LISTED {
            kind.ids.drain(..kind.ids.len() - LISTED);
        }
    }

    fn are_few(&self, rows: usize) -> bool {
        self.kinds.len() <= FEW_KINDS.max(rows / 4)
    }

    pub(super) fn finish(self, target: &str, first_id: i64, last_id: i64) -> Vec<NewSearchKind> {
        let kinds = self.kinds.into_iter().map(|kind| {
            let Kind {
                template,
                spelling,
                vector,
                rows,
                mut ids,
            } = kind;
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.dedup();
            ids.truncate(match rows > LISTED as u64 {
                true => NEWEST,
                false => LISTED,
            });
            let rows = i64::try_from(rows).unwrap_or(i64::MAX);
            let mut kind =
                NewSearchKind::new(target, first_id, last_id, template, spelling, rows, ids);
            kind.vector = vector;
            kind
        });
        kinds.collect()
    }
}

fn bits(vector: &Embedding) -> [u32; DIMENSIONS] {
    let mut bits = [0; DIMENSIONS];
    for (bits, number) in bits.iter_mut().zip(vector.as_slice()) {
        *bits = number.to_bits();
    }
    bits
}
