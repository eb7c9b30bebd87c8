//! What letters a text has, as bits of a signature: a Bloom filter (Bloom,
//! "Space/time trade-offs in hash coding with allowable errors", 1970) with one
//! bit for each piece of the text.
//!
//! A piece is three bytes that follow each other, or five where one of the three
//! is a digit: there are only a thousand numbers of three digits, and a few
//! hundred lines with ids in them have them all. Whether a piece counts depends
//! on its own bytes alone, so that every piece of a part of a text is a piece of
//! the text.
//!
//! A piece of a run that no template has (see [`super::template`]) has a second
//! bit, if it has no digit: so a word without a digit is looked for in templates,
//! and only in the blocks that may have it elsewhere.
//!
//! Signatures are stored: neither the pieces nor their places ever change.

use super::template::{is_kept, odd_runs};

/// The length of a signature, in bits. Not longer than PostgreSQL keeps in the
/// row itself (2 KB, with what else is in it).
pub(crate) const BITS: usize = 12_288;

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

    /// Adds the pieces of the text of a record, in the lower case of the
    /// database.
    pub(crate) fn add_record(&mut self, text: &str) {
        self.set(places(text));
        match is_kept(text) {
            true => odd_runs(text).for_each(|run| self.set(odd_places(run))),
            false => self.set(odd_places(text)),
        }
    }

    fn set(&mut self, places: impl Iterator<Item = usize>) {
        for place in places {
            let (byte, bit) = (&mut self.bytes[place / 8], 1_u8 << (place % 8));
            self.ones += usize::from(*byte & bit == 0);
            *byte |= bit;
        }
    }
}

/// The places of the bits of the pieces of a text; of PostgreSQL's
/// `get_bit(bytea, n)` as well, which counts from the least bit of each byte.
pub(crate) fn places(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    bytes.windows(3).enumerate().filter_map(|(at, three)| {
        let piece = match three.iter().any(u8::is_ascii_digit) {
            false => three,
            true => bytes.get(at..at + 5)?,
        };
        Some(place(piece))
    })
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
        let mut add = |text: &str| {
            for place in letter_places(text) {
                self.0[place / 8] |= 1 << (place % 8);
            }
        };
        match is_kept(text) {
            true => odd_runs(text).for_each(add),
            false => add(text),
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
        false => EXACT + place(three) % HASHED,
    })
}

/// The places of the second bits of the pieces without a digit.
pub(crate) fn odd_places(text: &str) -> impl Iterator<Item = usize> + '_ {
    let pieces = text.as_bytes().windows(3);
    let pieces = pieces.filter(|three| !three.iter().any(u8::is_ascii_digit));
    // As no piece of three bytes has: with a fourth.
    pieces.map(|three| place(&[three[0], three[1], three[2], 0]))
}

/// The place of a piece of at most seven bytes: its bytes and its length as one
/// number, multiplied by an odd constant (the golden ratio in 64 bits), of which
/// the upper half is scaled to the number of bits.
fn place(piece: &[u8]) -> usize {
    let number = piece.iter().fold(piece.len() as u64, |number, byte| {
        number << 8 | u64::from(*byte)
    });
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The upper bits alone depend on all bytes.
    let upper = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
    usize::try_from((upper * BITS as u64) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BITS, Signature, letter_places, odd_places, places};

    #[test]
    fn places_never_change() {
        let of = |text: &str| places(text).collect::<Vec<_>>();
        assert_eq!(of("ab"), [0; 0]);
        assert_eq!(of("abcd"), [9933, 608]);
        assert_eq!(of("a 12345"), [2633, 7363, 6405]);
        assert_eq!(of("日本"), [6471, 10164, 736, 6004]);
        let odd: Vec<usize> = odd_places("abc1").collect();
        assert_eq!(odd, [9882]);
        let mut signature = Signature::new();
        signature.add_record("connection refused, port 50011 of 7fabc");
        assert_eq!(signature.ones(), 39);
        let letters: Vec<usize> = letter_places("aaz1zé").collect();
        assert_eq!(letters, [25, 17_766]);
        let again = Signature::from_bytes(signature.as_bytes().to_vec()).unwrap();
        assert!(again == signature);
        assert!(Signature::from_bytes(vec![0; BITS / 8 + 1]).is_none());
    }

    proptest! {
        #[test]
        fn a_text_has_the_pieces_of_each_of_its_parts(
            before in "[a-f0-9é \n-]{0,12}", part in "\\PC{0,20}|[a-c0-9.]{0,20}", after in "[a-f0-9é \n-]{0,12}",
        ) {
            let whole: Vec<usize> = places(&format!("{before}{part}{after}")).collect();
            prop_assert!(places(&part).all(|place| place < BITS && whole.contains(&place)));
        }
    }
}
