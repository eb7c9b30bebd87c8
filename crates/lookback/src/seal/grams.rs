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
//! Signatures are stored: neither the pieces nor their places ever change.

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

    /// Adds the pieces of a text, which is in the lower case of the database.
    pub(crate) fn add(&mut self, text: &str) {
        for place in places(text) {
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

    use super::{BITS, Signature, places};

    #[test]
    fn places_never_change() {
        let of = |text: &str| places(text).collect::<Vec<_>>();
        assert_eq!(of("ab"), [0; 0]);
        insta::assert_debug_snapshot!((of("abcd"), of("a 12345"), of("日本")), @"");
        let mut signature = Signature::new();
        signature.add("connection refused, port 50011");
        insta::assert_snapshot!(signature.ones(), @"");
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
