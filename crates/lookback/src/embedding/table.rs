//! The table of the encoder, which `make train-encoder` writes.
//! `tools/train-encoder/table.py` describes its format.

/// The number of dimensions that are stored and indexed; `FULL` is the number
/// of all.
pub(super) const STORED: usize = 16;
pub(super) const FULL: usize = 96;

const WORDS: usize = 30_000;
const BUCKETS: usize = 8_192;
const SLOTS: usize = 65_536;
const ROWS: usize = WORDS + BUCKETS;
const EMPTY: u16 = 0xffff;

const HASHES: usize = 2 * SLOTS;
const FACTORS: usize = HASHES + 4 * WORDS;
const HEADS: usize = FACTORS + 2 * ROWS;
const TAILS: usize = HEADS + STORED * ROWS;
const BYTES: usize = TAILS + (FULL - STORED) * ROWS;

/// A table file of another length is a compile error.
static TABLE: &[u8; BYTES] = include_bytes!("table.bin");

/// FNV-1a's offset basis, and another one so that a word of three letters is
/// hashed differently from a run of three letters.
const GRAM_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const WORD_BASIS: u64 = 0x9e37_79b9_7f4a_7c15;

/// A row of the table: words by descending frequency, then buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row(u16);

impl Row {
    /// Looks up a folded word.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        let mut hash = WordHash::new();
        word.bytes().for_each(|byte| hash.add(byte));
        hash.row()
    }

    /// Returns the row of a run of characters; many runs share it.
    pub(super) fn of_gram(gram: &[u8]) -> Self {
        let hash = finish(gram.iter().copied().fold(GRAM_BASIS, step));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "less than the number of buckets"
        )]
        let bucket = (hash % BUCKETS as u64) as usize;
        #[expect(clippy::cast_possible_truncation, reason = "less than 65,536")]
        let row = (WORDS + bucket) as u16;
        Self(row)
    }

    /// Returns the rank: the more frequent the word, the lower.
    pub(super) fn rank(self) -> u16 {
        self.0
    }

    /// Adds the factor times the numbers to the first `N` dimensions: 16 or 96.
    pub(super) fn add_to<const N: usize>(self, sums: &mut [i32; N]) {
        let row = usize::from(self.0);
        let factor = i32::from(u16_at(FACTORS + 2 * row));
        let (head, tail) = sums.split_at_mut(STORED);
        add(head, &TABLE[HEADS + STORED * row..][..STORED], factor);
        let from = TAILS + (FULL - STORED) * row;
        add(tail, &TABLE[from..][..N - STORED], factor);
    }
}

fn add(sums: &mut [i32], numbers: &[u8], factor: i32) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += factor * i32::from(number.cast_signed());
    }
}

/// The hash of a word, letter by letter, so that each prefix of a text can be
/// looked up on the way.
#[derive(Clone, Copy)]
pub(super) struct WordHash(u64);

impl WordHash {
    pub(super) fn new() -> Self {
        Self(WORD_BASIS)
    }

    pub(super) fn add(&mut self, byte: u8) {
        self.0 = step(self.0, byte);
    }

    /// Returns the row of the word so far.
    pub(super) fn row(self) -> Option<Row> {
        let hash = finish(self.0);
        let check = (hash >> 32).to_le_bytes();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "less than the number of slots"
        )]
        let mut slot = (hash % SLOTS as u64) as usize;
        loop {
            let row = u16_at(2 * slot);
            if row == EMPTY {
                return None;
            }
            if TABLE[HASHES + 4 * usize::from(row)..][..4] == check[..4] {
                return Some(Row(row));
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

fn u16_at(offset: usize) -> u16 {
    u16::from_le_bytes([TABLE[offset], TABLE[offset + 1]])
}

/// Computes a step of FNV-1a with 64 bits (draft-eastlake-fnv).
fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// Computes MurmurHash3's `fmix64`, without which the low bits of short inputs
/// depend on little but the last byte.
fn finish(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
