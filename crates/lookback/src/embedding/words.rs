//! Splitting a text into words, and adding their rows of the table.

use super::table::{Row, WordHash};

const MAX_BYTES: usize = 8 * 1024;
const MAX_WORD: usize = 64;
/// The lengths of the runs of characters of an unknown word.
const GRAMS: [usize; 2] = [3, 4];
/// The limits of a compound: 6 to 32 letters, in words of 3 letters or more,
/// which are among the 8,192 most frequent.
const MAX_MADE: usize = 32;
const MIN_PART: usize = 3;
const PART_RANKS: u16 = 8_192;

/// The sums of one or more texts, in the first `N` dimensions.
#[derive(Debug)]
pub(super) struct Sums<const N: usize> {
    sums: [i32; N],
    empty: bool,
    bytes: usize,
    /// A buffer for folded text.
    folded: String,
    /// `<word>`, and the start of each of its characters.
    word: String,
    starts: Vec<usize>,
}

impl<const N: usize> Sums<N> {
    pub(super) fn new() -> Self {
        Self {
            sums: [0; N],
            empty: true,
            bytes: 0,
            // Most words fit without reallocation.
            folded: String::with_capacity(64),
            word: String::new(),
            starts: Vec::new(),
        }
    }

    /// Returns whether there was nothing but white space.
    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Adds the words of a text.
    pub(super) fn add(&mut self, text: &str) {
        if text.is_ascii() {
            self.add_ascii(text);
        } else {
            self.add_any(text);
        }
    }

    /// Adds ASCII byte by byte, with the result of [`add_any`](Self::add_any):
    /// only letters and digits continue a word, and white space is never a part
    /// of one.
    fn add_ascii(&mut self, text: &str) {
        let mut folded = std::mem::take(&mut self.folded);
        self.empty &= text
            .bytes()
            .all(|byte| matches!(byte, b'\t'..=b'\r' | b' '));
        for run in text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()) {
            if self.bytes >= MAX_BYTES {
                break;
            }
            if run.is_empty() {
                continue;
            }
            folded.clear();
            folded.extend(run.iter().map(|byte| match byte {
                b'0'..=b'9' => '0',
                letter => char::from(letter.to_ascii_lowercase()),
            }));
            self.add_run(&folded);
        }
        self.folded = folded;
    }

    fn add_any(&mut self, text: &str) {
        let mut folded = std::mem::take(&mut self.folded);
        for piece in text.split_whitespace() {
            if self.bytes >= MAX_BYTES {
                break;
            }
            self.empty = false;
            folded.clear();
            // Folding comes before splitting: a character may fold to several.
            piece.chars().for_each(|c| fold(c, &mut folded));
            for run in folded.split(|c: char| !c.is_alphanumeric()) {
                self.add_run(run);
            }
        }
        self.folded = folded;
    }

    /// Adds the words of a folded run of letters and digits.
    fn add_run(&mut self, run: &str) {
        let beside_digits = run.as_bytes().contains(&b'0');
        if !beside_digits {
            if !run.is_empty() {
                self.add_word(run, false);
            }
        } else if !is_hex(run) {
            for word in run.split('0').filter(|word| !word.is_empty()) {
                self.add_word(word, true);
            }
        }
    }

    /// Returns the sums divided by their length; `None` if all are zero.
    pub(super) fn unit(&self) -> Option<[f32; N]> {
        // At most 2,741 rows within MAX_BYTES, each of at most 1,023 × 127 in a dimension: a
        // sum is below 2^29, and 96 squares are below 2^64.
        let square = |sum: &i32| u64::from(sum.unsigned_abs()).pow(2);
        let squares: u64 = self.sums.iter().map(square).sum();
        if squares == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "squares are below 2^64; rounding is part of the encoding"
        )]
        let length = (squares as f64).sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the precision of a stored vector"
        )]
        let unit = |sum| (f64::from(sum) / length) as f32;
        Some(self.sums.map(unit))
    }

    fn add_word(&mut self, word: &str, beside_digits: bool) {
        if self.bytes >= MAX_BYTES || (beside_digits && word.len() < MIN_PART) {
            return;
        }
        self.bytes += word.len() + 2;
        if let Some(row) = Row::of_word(word) {
            row.add_to(&mut self.sums);
        } else if let Some(made) = Made::of(word) {
            made.rows(|row| row.add_to(&mut self.sums));
        } else if !beside_digits {
            self.add_grams(word);
        }
    }

    /// Adds the mean over the runs of characters of a word.
    fn add_grams(&mut self, word: &str) {
        self.word.clear();
        self.starts.clear();
        self.push('<');
        word.chars().take(MAX_WORD).for_each(|c| self.push(c));
        self.push('>');
        self.starts.push(self.word.len());

        let mut sums = [0; N];
        let mut count = 0;
        for size in GRAMS {
            for ends in self.starts.windows(size + 1) {
                let gram = &self.word.as_bytes()[ends[0]..ends[size]];
                Row::of_gram(gram).add_to(&mut sums);
                count += 1;
            }
        }
        for (sum, of_word) in self.sums.iter_mut().zip(sums) {
            *sum += of_word / count;
        }
    }

    fn push(&mut self, c: char) {
        self.starts.push(self.word.len());
        self.word.push(c);
    }
}

/// A compound of known words.
struct Made {
    length: usize,
    /// By the length of a prefix: the cost of its cheapest division, and its
    /// last word.
    best: [Option<(u32, usize, Row)>; MAX_MADE + 1],
}

impl Made {
    fn of(word: &str) -> Option<Self> {
        let letters = word.as_bytes();
        if !(2 * MIN_PART..=MAX_MADE).contains(&letters.len()) || !word.is_ascii() {
            return None;
        }
        let mut best: [Option<(u32, usize, Row)>; MAX_MADE + 1] = [None; MAX_MADE + 1];
        for start in 0..=letters.len() - MIN_PART {
            let before = match best[start] {
                Some((cost, ..)) => cost,
                None if start == 0 => 0,
                None => continue,
            };
            let mut hash = WordHash::new();
            for (index, letter) in letters.iter().enumerate().skip(start) {
                hash.add(*letter);
                let end = index + 1;
                if end - start < MIN_PART {
                    continue;
                }
                let Some(row) = hash.row().filter(|row| row.rank() < PART_RANKS) else {
                    continue;
                };
                // A split into fewer words costs less, whatever their
                // frequency.
                let cost = before + (1 << 16) + u32::from(row.rank());
                if best[end].is_none_or(|(least, ..)| cost < least) {
                    best[end] = Some((cost, start, row));
                }
            }
        }
        best[letters.len()].map(|_| Self {
            length: letters.len(),
            best,
        })
    }

    fn rows(&self, mut each: impl FnMut(Row)) {
        let mut end = self.length;
        while let Some((_, start, row)) = self.best[end] {
            each(row);
            end = start;
        }
    }
}

/// Returns whether a run has letters of hexadecimal numbers alone: `0xfff0`,
/// `4afe`.
fn is_hex(run: &str) -> bool {
    run.bytes().all(|b| matches!(b, b'0' | b'a'..=b'f' | b'x'))
}

/// Appends a character in lower case, a digit as `0`.
fn fold(c: char, folded: &mut String) {
    if c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric()) {
        folded.push('0');
    } else if c.is_ascii() {
        folded.push(c.to_ascii_lowercase());
    } else {
        // Lower case comes first: the capital ẞ is its own upper case, and the
        // upper case of its lower case ß is SS.
        let upper = c.to_lowercase().flat_map(char::to_uppercase);
        folded.extend(upper.flat_map(char::to_lowercase));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Sums;

    fn parts(sums: &Sums<16>) -> ([i32; 16], bool, usize) {
        (sums.sums, sums.empty, sums.bytes)
    }

    proptest! {
        /// ASCII has a code path of its own, with the same result.
        #[test]
        fn add_ascii_gives_same_sums_as_add_any(texts in prop::collection::vec(
            prop_oneof![
                "[ -~\\t\\n\\x0b\\x0c\\r\\x1c]{0,60}",
                "([A-Za-z]{2,9}|0x[0-9a-f]{4}|[a-z]{3}[0-9]{2}|user(id|name)?)([ =:/_.-]|, ){1,2}",
                "[a-z ]{4096}",
            ],
            0..6,
        )) {
            let (mut bytes, mut chars) = (Sums::new(), Sums::new());
            for text in &texts {
                bytes.add_ascii(text);
                chars.add_any(text);
                prop_assert_eq!(parts(&bytes), parts(&chars));
            }
        }
    }
}
