//! Which pieces texts have, as bits of a signature: a Bloom filter (Bloom,
//! "Space/time trade-offs in hash coding with allowable errors", 1970).
//!
//! What has a digit is looked for in signatures, and what templates leave out
//! (see [`super::templates`]): of a run of letters and digits with a digit in it
//!
//! - each four bytes that have a digit,
//! - each three letters,
//! - the run itself, if it is shorter than four bytes: for phrases, which say
//!   where it ends.
//!
//! Each of them sets [`BITS_OF_A_PIECE`] bits, of which any can be asked for. All
//! numbers of three digits are in every few hundred lines with ids in them;
//! those of four are not. Whether a piece counts depends on its own bytes alone,
//! so that every piece of a part of a text is a piece of the text.
//!
//! Where templates are not known, each three bytes of the whole text without a
//! digit set a bit, too.
//!
//! Signatures are stored: neither the pieces nor their places ever change.

use super::templates::{is_kept, odd_runs, runs};

/// The length of a signature, in bits. Not longer than PostgreSQL keeps in the
/// row itself (2 KB, with what else is in it).
pub(crate) const BITS: usize = 12_288;

/// How many bits a piece of what templates leave out sets. Of a signature with a
/// third of its bits set, one in eighty has all bits of a piece by chance.
const BITS_OF_A_PIECE: u32 = 4;

/// The bits of the pieces of some texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    bytes: Vec<u8>,
    ones: usize,
}

impl Signature {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; BITS / 8],
            ones: 0,
        }
    }

    /// The signature that was stored, if it is one.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let ones = bytes.iter().map(|byte| byte.count_ones() as usize).sum();
        (bytes.len() == BITS / 8).then_some(Self { bytes, ones })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bits are set.
    pub(crate) fn ones(&self) -> usize {
        self.ones
    }

    /// Adds what the template of the text of a record leaves out, in the lower
    /// case of the database: all of it, of a text that is too long to have one.
    pub(crate) fn add_record(&mut self, text: &str) {
        odd_runs(text).for_each(|run| self.add_run(run));
        if !is_kept(text.len()) {
            self.set(left_out_places(text));
        }
    }

    /// Adds a run with a digit.
    pub(super) fn add_run(&mut self, run: &str) {
        self.set(run_places(run, true));
    }

    /// Adds the letters of a text whose template is not known.
    pub(super) fn add_text(&mut self, text: &str) {
        self.set(text_places(text));
    }

    /// Adds all bits of another.
    pub(super) fn add_all(&mut self, other: &Self) {
        for (byte, more) in self.bytes.iter_mut().zip(&other.bytes) {
            *byte |= more;
        }
        self.ones = self.bytes.iter().map(|b| b.count_ones() as usize).sum();
    }

    fn set(&mut self, places: impl Iterator<Item = usize>) {
        for place in places {
            let (byte, bit) = (&mut self.bytes[place / 8], 1_u8 << (place % 8));
            self.ones += usize::from(*byte & bit == 0);
            *byte |= bit;
        }
    }
}

/// The places of what a text with a digit has in its runs with a digit, as a part
/// of another text: its first and its last run may go on there. They are those
/// of PostgreSQL's `get_bit(bytea, n)`, which counts from the least bit of each
/// byte.
pub(crate) fn odd_places(text: &str) -> Vec<usize> {
    let all: Vec<(&str, bool)> = runs(text).collect();
    let mut places = Vec::new();
    for (place, (run, is_odd)) in all.iter().enumerate() {
        let is_whole = place > 0 && place + 1 < all.len();
        if *is_odd {
            places.extend(run_places(run, is_whole));
        }
    }
    places
}

/// The places of the letters of a text that is in a run with a digit, or in a
/// text that is too long for a template.
pub(crate) fn left_out_places(text: &str) -> impl Iterator<Item = usize> + '_ {
    let threes = text.as_bytes().windows(3);
    let threes = threes.filter(|three| !has_digit(three));
    threes.flat_map(|three| bits(Kind::Letters, three))
}

/// The places of the letters of a text where templates are not known.
pub(crate) fn text_places(text: &str) -> impl Iterator<Item = usize> + '_ {
    let threes = text.as_bytes().windows(3);
    let threes = threes.filter(|three| !has_digit(three));
    threes.map(|three| scaled(hash(Kind::Text, three) >> 32))
}

/// The places of the pieces of a run with a digit, or of a part of one.
fn run_places(run: &str, is_whole: bool) -> impl Iterator<Item = usize> + '_ {
    let fours = run.as_bytes().windows(4).filter(|four| has_digit(four));
    let fours = fours.flat_map(|four| bits(Kind::Digits, four));
    let short = (is_whole && run.len() < 4).then_some(run.as_bytes());
    let short = short.into_iter().flat_map(|run| bits(Kind::Run, run));
    fours.chain(left_out_places(run)).chain(short)
}

fn has_digit(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_digit)
}

/// Which three letters follow each other in what templates leave out: those of
/// `a` to `z` exactly, others by their hash. Few do, in ids and the like, so that
/// most words are known to be in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letters(Vec<u8>);

const ALPHABET: usize = 26;
const EXACT: usize = ALPHABET * ALPHABET * ALPHABET;
const HASHED: usize = 2_048;

impl Letters {
    pub(crate) fn new() -> Self {
        Self(vec![0; (EXACT + HASHED) / 8])
    }

    /// Those that were stored, if they are such.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == (EXACT + HASHED) / 8).then_some(Self(bytes))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Adds what the template of the text of a record leaves out.
    pub(crate) fn add_record(&mut self, text: &str) {
        match is_kept(text.len()) {
            true => odd_runs(text).for_each(|run| self.add(run)),
            false => self.add(text),
        }
    }

    /// Adds what no template has.
    pub(super) fn add(&mut self, text: &str) {
        for place in letter_places(text) {
            self.0[place / 8] |= 1 << (place % 8);
        }
    }
}

/// The places of the letters of a text among [`Letters`].
pub(crate) fn letter_places(text: &str) -> impl Iterator<Item = usize> + '_ {
    let threes = text.as_bytes().windows(3);
    let threes = threes.filter(|three| !three.iter().any(u8::is_ascii_digit));
    threes.map(|three| match three.iter().all(u8::is_ascii_lowercase) {
        true => three.iter().fold(0, |place, letter| {
            place * ALPHABET + usize::from(letter - b'a')
        }),
        false => EXACT + hash(Kind::Letters, three) as usize % HASHED,
    })
}

/// What a piece is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Four bytes with a digit.
    Digits,
    /// Three letters of what templates leave out.
    Letters,
    /// A run of fewer than four bytes.
    Run,
    /// Three bytes of a text whose template is not known.
    Text,
}

/// The places of the bits of a piece: two hashes make any number of them (Kirsch
/// and Mitzenmacher, "Less hashing, same performance", 2006).
fn bits(kind: Kind, piece: &[u8]) -> impl Iterator<Item = usize> {
    let hash = hash(kind, piece);
    let (first, step) = (hash >> 32, (hash & 0xffff_ffff) | 1);
    (0..u64::from(BITS_OF_A_PIECE)).map(move |bit| scaled((first + bit * step) & 0xffff_ffff))
}

/// 32 bits as a place among the bits.
fn scaled(hash: u64) -> usize {
    usize::try_from((hash * BITS as u64) >> 32).unwrap_or(0)
}

/// A hash of a piece of at most four bytes: its bytes, their number and what it
/// is, mixed as SplitMix64 does (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
fn hash(kind: Kind, piece: &[u8]) -> u64 {
    let bytes = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = piece.iter().fold(kind as u64 + 1, bytes) << 8 | piece.len() as u64;
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        BITS, Signature, left_out_places, letter_places, odd_places, odd_runs, text_places,
    };

    #[test]
    fn places_never_change() {
        assert_eq!(odd_places("abcd"), [0; 0]);
        assert_eq!(odd_places("12 345"), [0; 0]);
        assert_eq!(odd_places("id 1234"), [10397, 7103, 3808, 513]);
        assert_eq!(odd_places("took 12 ms"), [1365, 12177, 10702, 9226]);
        let of = |places: &mut dyn Iterator<Item = usize>| places.collect::<Vec<usize>>();
        assert_eq!(of(&mut text_places("a日1")), [1378, 10222]);
        assert_eq!(of(&mut left_out_places("abc1")), [509, 2113, 3717, 5322]);
        let mut signature = Signature::new();
        signature.add_record("connection refused, port 50011 of 7fabc");
        assert_eq!(signature.ones(), 20);
        let letters: Vec<usize> = letter_places("aaz1zé").collect();
        assert_eq!(letters, [25, 17610]);
        let again = Signature::from_bytes(signature.as_bytes().to_vec()).unwrap();
        assert!(again == signature);
        assert!(Signature::from_bytes(vec![0; BITS / 8 + 1]).is_none());
    }

    proptest! {
        #[test]
        fn a_text_has_the_pieces_of_each_of_its_parts(
            before in "[a-f0-9é \n-]{0,12}", part in "\\PC{0,20}|[a-c0-9.]{0,20}", after in "[a-f0-9é \n-]{0,12}",
        ) {
            let whole = format!("{before}{part}{after}");
            let of_text: Vec<usize> = text_places(&whole).collect();
            prop_assert!(text_places(&part).all(|place| place < BITS && of_text.contains(&place)));
            let mut signature = Signature::new();
            signature.add_record(&whole);
            let has = |place: usize| signature.as_bytes()[place / 8] >> (place % 8) & 1 == 1;
            prop_assert!(odd_places(&part).into_iter().all(has));
            // A part of a run with a digit.
            for run in odd_runs(&whole).filter(|run| run.contains(&part)) {
                prop_assert!(left_out_places(&part).all(has), "{run}");
            }
        }
    }
}
