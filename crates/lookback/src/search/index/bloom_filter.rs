//! Bloom filters of the tokens of texts (Bloom, "Space/time trade-offs in hash
//! coding with allowable errors", 1970).
//!
//! A block's filter has the tokens that templates mask (see
//! [`super::templates`]): of a run of letters and digits with a digit in it
//!
//! - each four bytes that have a digit,
//! - each three letters,
//! - the run itself, if it is shorter than four bytes: for phrases, which say
//!   where it ends,
//!
//! and of the numbers with separators, such as those of phones, each four digits
//! that stand on both sides of a separator.
//!
//! Each of them sets [`BITS_PER_TOKEN`] bits, and any of these can be tested.
//! All numbers of three digits are in every few hundred lines with ids in them;
//! those of four are not. Whether bytes are a token depends on these bytes
//! alone, so every token of a part of a text is a token of the text.
//!
//! Where templates are not known, each three bytes of the whole text without a
//! digit set a bit, too.
//!
//! Filters are stored: neither the tokens nor their bits ever change.

use super::templates::{digit_runs, fits_template, runs};
use crate::letters::ids::separated_fours;

/// The length of a filter, in bits: no more than PostgreSQL keeps in the row
/// itself (2 KB, with the other columns).
pub(crate) const FILTER_BITS: usize = 12_288;

/// The bits of a masked token. In a filter with a third of its bits set, one
/// token in eighty has all of its bits set by chance.
const BITS_PER_TOKEN: u32 = 4;

/// A Bloom filter of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BloomFilter {
    bytes: Vec<u8>,
    bits_set: usize,
}

impl BloomFilter {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; FILTER_BITS / 8],
            bits_set: 0,
        }
    }

    /// Reads a stored filter, if it has the right length.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let bits_set = bytes.iter().map(|byte| byte.count_ones() as usize).sum();
        (bytes.len() == FILTER_BITS / 8).then_some(Self { bytes, bits_set })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of set bits.
    pub(crate) fn bits_set(&self) -> usize {
        self.bits_set
    }

    /// Adds the masked tokens of a record's text in the lower case of the
    /// database: those of all of it, if it is too long for a template.
    pub(crate) fn add_record(&mut self, text: &str) {
        digit_runs(text).for_each(|run| self.add_run(run));
        self.add_separated(text);
        if !fits_template(text.len()) {
            self.set(masked_trigram_bits(text));
        }
    }

    /// Adds the tokens of a run with a digit.
    pub(super) fn add_run(&mut self, run: &str) {
        self.set(run_bits(run, true));
    }

    /// Adds the tokens of the numbers with separators.
    pub(super) fn add_separated(&mut self, text: &str) {
        separated_fours(text.as_bytes(), |four| {
            self.set(bits(TokenKind::Digits, &four));
        });
    }

    /// Adds the trigrams of a text whose template is not known.
    pub(super) fn add_text(&mut self, text: &str) {
        self.set(text_trigram_bits(text));
    }

    /// Adds all bits of another filter.
    pub(super) fn add_all(&mut self, other: &Self) {
        for (byte, more) in self.bytes.iter_mut().zip(&other.bytes) {
            *byte |= more;
        }
        self.bits_set = self.bytes.iter().map(|b| b.count_ones() as usize).sum();
    }

    fn set(&mut self, bits: impl Iterator<Item = usize>) {
        for bit in bits {
            let (byte, bit) = (&mut self.bytes[bit / 8], 1_u8 << (bit % 8));
            self.bits_set += usize::from(*byte & bit == 0);
            *byte |= bit;
        }
    }
}

/// Returns the bits of the runs with a digit in a part of another text, whose
/// first and last run may continue there.
///
/// They are those of PostgreSQL's `get_bit(bytea, n)`, which counts from the
/// least bit of each byte.
pub(crate) fn digit_token_bits(text: &str) -> Vec<usize> {
    let all: Vec<(&str, bool)> = runs(text).collect();
    let mut bits = Vec::new();
    for (index, (run, has_digit)) in all.iter().enumerate() {
        let is_whole = index > 0 && index + 1 < all.len();
        if *has_digit {
            bits.extend(run_bits(run, is_whole));
        }
    }
    bits
}

/// Returns the bits of a run of fewer than four bytes with a digit, as a whole.
pub(crate) fn short_run_bits(run: &str) -> impl Iterator<Item = usize> + '_ {
    bits(TokenKind::Run, run.as_bytes())
}

/// Returns the bits of the letters of a text within a run with a digit, or
/// within a text that is too long for a template.
pub(crate) fn masked_trigram_bits(text: &str) -> impl Iterator<Item = usize> + '_ {
    let threes = text.as_bytes().windows(3);
    let threes = threes.filter(|three| !has_digit(three));
    threes.flat_map(|three| bits(TokenKind::MaskedTrigram, three))
}

/// Returns the bits of the letters of a text where templates are not known.
pub(crate) fn text_trigram_bits(text: &str) -> impl Iterator<Item = usize> + '_ {
    let threes = text.as_bytes().windows(3);
    let threes = threes.filter(|three| !has_digit(three));
    threes.map(|three| scale_to_filter(hash(TokenKind::TextTrigram, three) >> 32))
}

/// Returns the bits of the tokens of a run with a digit, or of a part of one.
fn run_bits(run: &str, is_whole: bool) -> impl Iterator<Item = usize> + '_ {
    let fours = run.as_bytes().windows(4).filter(|four| has_digit(four));
    let fours = fours.flat_map(|four| bits(TokenKind::Digits, four));
    let short = (is_whole && run.len() < 4).then_some(run.as_bytes());
    let short = short.into_iter().flat_map(|run| bits(TokenKind::Run, run));
    fours.chain(masked_trigram_bits(run)).chain(short)
}

fn has_digit(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_digit)
}

/// The trigrams of letters that templates mask: those of `a` to `z` exactly,
/// others by their hash. Few occur, in ids and the like, so most words are
/// known to occur in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrigramSet(Vec<u8>);

const ALPHABET: usize = 26;
const EXACT: usize = ALPHABET * ALPHABET * ALPHABET;
const HASHED: usize = 2_048;

impl TrigramSet {
    pub(crate) fn new() -> Self {
        Self(vec![0; (EXACT + HASHED) / 8])
    }

    /// Reads a stored set, if it has the right length.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == (EXACT + HASHED) / 8).then_some(Self(bytes))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Adds the masked trigrams of a record's text.
    pub(crate) fn add_record(&mut self, text: &str) {
        if fits_template(text.len()) {
            digit_runs(text).for_each(|run| self.add(run));
        } else {
            self.add(text);
        }
    }

    /// Adds the trigrams of a text.
    pub(super) fn add(&mut self, text: &str) {
        for bit in trigram_positions(text) {
            self.0[bit / 8] |= 1 << (bit % 8);
        }
    }
}

/// Returns the positions of a text's trigrams in a [`TrigramSet`].
pub(crate) fn trigram_positions(text: &str) -> impl Iterator<Item = usize> + '_ {
    let threes = text.as_bytes().windows(3);
    let threes = threes.filter(|three| !three.iter().any(u8::is_ascii_digit));
    threes.map(|three| {
        if three.iter().all(u8::is_ascii_lowercase) {
            three.iter().fold(0, |position, letter| {
                position * ALPHABET + usize::from(letter - b'a')
            })
        } else {
            EXACT + hash(TokenKind::MaskedTrigram, three) as usize % HASHED
        }
    })
}

/// The kind of a token; its number is a part of the hash.
#[derive(Clone, Copy, Debug)]
enum TokenKind {
    /// Four bytes with a digit.
    Digits,
    /// Three masked letters.
    MaskedTrigram,
    /// A run of fewer than four bytes.
    Run,
    /// Three bytes of a text whose template is not known.
    TextTrigram,
}

/// Returns the bits of a token: two hashes give any number of them (Kirsch and
/// Mitzenmacher, "Less hashing, same performance", 2006).
fn bits(kind: TokenKind, token: &[u8]) -> impl Iterator<Item = usize> {
    let hash = hash(kind, token);
    let (first, step) = (hash >> 32, (hash & 0xffff_ffff) | 1);
    (0..u64::from(BITS_PER_TOKEN))
        .map(move |bit| scale_to_filter((first + bit * step) & 0xffff_ffff))
}

/// Maps 32 bits to a bit of the filter.
fn scale_to_filter(hash: u64) -> usize {
    usize::try_from((hash * FILTER_BITS as u64) >> 32).unwrap_or(0)
}

/// Hashes a token of at most four bytes: its bytes, their number and its kind,
/// mixed as by SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014).
fn hash(kind: TokenKind, token: &[u8]) -> u64 {
    let bytes = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = token.iter().fold(kind as u64 + 1, bytes) << 8 | token.len() as u64;
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        BloomFilter, FILTER_BITS, digit_runs, digit_token_bits, masked_trigram_bits,
        text_trigram_bits, trigram_positions,
    };

    #[test]
    fn bloom_filter_bits_are_unchanged() {
        assert_eq!(digit_token_bits("abcd"), [0; 0]);
        assert_eq!(digit_token_bits("12 345"), [0; 0]);
        assert_eq!(digit_token_bits("id 1234"), [10397, 7103, 3808, 513]);
        assert_eq!(digit_token_bits("took 12 ms"), [1365, 12177, 10702, 9226]);
        let of = |bits: &mut dyn Iterator<Item = usize>| bits.collect::<Vec<usize>>();
        assert_eq!(of(&mut text_trigram_bits("a日1")), [1378, 10222]);
        assert_eq!(
            of(&mut masked_trigram_bits("abc1")),
            [509, 2113, 3717, 5322]
        );
        let mut filter = BloomFilter::new();
        filter.add_record("connection refused, port 50011 of 7fabc");
        assert_eq!(filter.bits_set(), 20);
        let letters: Vec<usize> = trigram_positions("aaz1zé").collect();
        assert_eq!(letters, [25, 17610]);
        let again = BloomFilter::from_bytes(filter.as_bytes().to_vec()).unwrap();
        assert!(again == filter);
        assert!(BloomFilter::from_bytes(vec![0; FILTER_BITS / 8 + 1]).is_none());
    }

    proptest! {
        #[test]
        fn bloom_filter_of_text_has_tokens_of_any_part(
            before in "[a-f0-9é \n-]{0,12}", part in "\\PC{0,20}|[a-c0-9.]{0,20}", after in "[a-f0-9é \n-]{0,12}",
        ) {
            let whole = format!("{before}{part}{after}");
            let of_text: Vec<usize> = text_trigram_bits(&whole).collect();
            prop_assert!(text_trigram_bits(&part).all(|bit| bit < FILTER_BITS && of_text.contains(&bit)));
            let mut filter = BloomFilter::new();
            filter.add_record(&whole);
            let has = |bit: usize| filter.as_bytes()[bit / 8] >> (bit % 8) & 1 == 1;
            prop_assert!(digit_token_bits(&part).into_iter().all(has));
            // A part of a run with a digit.
            for run in digit_runs(&whole).filter(|run| run.contains(&part)) {
                prop_assert!(masked_trigram_bits(&part).all(has), "{run}");
            }
        }
    }
}
