//! The embedding: 16 numbers that lie close together for texts that share
//! words and parts of words.

use std::borrow::Cow;
use std::fmt;

use pgvector::Vector;
use sqlx::Postgres;

use crate::value::{ColumnType, ColumnValue, Json, Problem, Value};

/// The number of dimensions.
pub const DIMENSIONS: usize = 16;

/// The version of the encoding. It is recorded in the database; vectors of
/// different versions are not comparable.
pub const ENCODER_VERSION: u32 = 1;

/// A vector of unit length made from text.
///
/// ```
/// use lookback::Embedding;
///
/// let near = Embedding::of("database connection refused").unwrap();
/// let same = Embedding::of("Database  CONNECTION\nrefused").unwrap();
/// let far = Embedding::of("user logged in").unwrap();
/// assert_eq!(near, same);
/// assert!(near.cosine(&far) < near.cosine(&same));
/// assert_eq!(Embedding::of("  "), None);
/// ```
///
/// # The encoding, version 1
///
/// 1. Text is split at white space. Letters are folded, character by
///    character, to lower, to upper and to lower case (`ẞ`, `ß` and `SS` are one);
///    digits become `0`, so that two lines that differ in a number are alike.
///    Each piece is split into its runs of letters and digits; a piece with
///    neither is a word as it stands.
/// 2. The features of a word are the word itself, with weight 3, and each run
///    of three characters of `<word>`, with weight 1. A word of more than 64
///    characters is cut there; words beyond the first 8 KiB are left out.
/// 3. A feature is hashed: FNV-1a with 64 bits over its UTF-8 bytes (a word
///    starts from another basis than a run of characters), then the finaliser
///    of MurmurHash3. The 16 lowest bits are signs: bit *i* adds the weight to
///    dimension *i* or takes it away. Sums are integers, so that no order of
///    words changes them.
/// 4. The sums are divided by their length. If all are zero, the vector is the
///    first dimension.
///
/// A text without a word has no embedding: null, not zero.
///
/// Every step is exact or correctly rounded, so that the vector is the same on
/// every platform. A change to any of it is a new [`ENCODER_VERSION`].
#[derive(Clone, Copy, PartialEq)]
pub struct Embedding([f32; DIMENSIONS]);

impl Embedding {
    /// The embedding of a text, or `None` for a text without a word.
    pub fn of(text: &str) -> Option<Self> {
        let mut encoder = Encoder::default();
        encoder.add(text);
        encoder.finish()
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The cosine of the angle to `other`: 1 for the same direction, -1 for
    /// the opposite one.
    pub fn cosine(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}

/// Collects the features of one or more texts.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    sums: [i32; DIMENSIONS],
    words: usize,
    bytes: usize,
    /// A piece of text, folded.
    folded: String,
    /// `<word>`, and where each of its characters starts.
    word: String,
    starts: Vec<usize>,
}

const MAX_BYTES: usize = 8 * 1024;
const MAX_WORD: usize = 64;
const WORD_WEIGHT: i32 = 3;
const GRAM_WEIGHT: i32 = 1;
const GRAM: usize = 3;

/// FNV-1a's offset basis, and another one so that a word of three letters is
/// not the same feature as a run of three letters.
const GRAM_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const WORD_BASIS: u64 = 0x9e37_79b9_7f4a_7c15;

impl Encoder {
    /// Adds the words of a text.
    pub(crate) fn add(&mut self, text: &str) {
        let mut folded = std::mem::take(&mut self.folded);
        for piece in text.split_whitespace() {
            if self.bytes >= MAX_BYTES {
                break;
            }
            folded.clear();
            // A character may be several in another case: folded first, then split.
            piece.chars().for_each(|c| fold(c, &mut folded));
            let mut runs = folded
                .split(|c: char| !c.is_alphanumeric())
                .filter(|run| !run.is_empty())
                .peekable();
            if runs.peek().is_none() {
                self.add_word(&folded);
            }
            for run in runs {
                self.add_word(run);
            }
        }
        self.folded = folded;
    }

    /// Adds the words in the keys and values of JSON.
    pub(crate) fn add_json(&mut self, json: &Json) {
        match json {
            Json::Null => {}
            Json::Bool(value) => self.add(if *value { "true" } else { "false" }),
            Json::Number(number) => self.add(&number.to_string()),
            Json::String(text) => self.add(text),
            Json::Array(items) => items.iter().for_each(|item| self.add_json(item)),
            Json::Object(map) => {
                for (key, value) in map {
                    self.add(key);
                    self.add_json(value);
                }
            }
        }
    }

    /// Adds the words of a value, if it has any.
    pub(crate) fn add_value(&mut self, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.add(text),
            Value::Jsonb(json) => self.add_json(json),
            Value::Int4(number) => self.add(&number.to_string()),
            Value::Int8(number) => self.add(&number.to_string()),
            Value::Array(_, items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Null
            | Value::Bool(_)
            | Value::Float8(_)
            | Value::Timestamptz(_)
            | Value::Bytea(_)
            | Value::Vector(_) => {}
        }
    }

    pub(crate) fn finish(self) -> Option<Embedding> {
        if self.words == 0 {
            return None;
        }
        let squares: i64 = self.sums.iter().map(|sum| i64::from(*sum).pow(2)).sum();
        let mut vector = [0.0; DIMENSIONS];
        if squares == 0 {
            vector[0] = 1.0;
        } else {
            // Below 2^53 for any text within MAX_BYTES, so the conversion is exact.
            #[allow(clippy::cast_precision_loss)]
            let length = (squares as f64).sqrt();
            for (number, sum) in vector.iter_mut().zip(&self.sums) {
                #[allow(clippy::cast_possible_truncation)]
                let unit = (f64::from(*sum) / length) as f32;
                *number = unit;
            }
        }
        Some(Embedding(vector))
    }

    fn add_word(&mut self, run: &str) {
        if self.bytes >= MAX_BYTES {
            return;
        }
        self.word.clear();
        self.starts.clear();
        self.push('<');
        run.chars().take(MAX_WORD).for_each(|c| self.push(c));
        self.push('>');
        self.words += 1;
        self.bytes += self.word.len();

        let (whole, starts) = (self.word.as_bytes(), &self.starts);
        add_feature(
            &mut self.sums,
            WORD_BASIS,
            &whole[1..whole.len() - 1],
            WORD_WEIGHT,
        );
        for (index, start) in starts.iter().enumerate() {
            if index + GRAM > starts.len() {
                break;
            }
            let end = starts.get(index + GRAM).copied().unwrap_or(whole.len());
            add_feature(&mut self.sums, GRAM_BASIS, &whole[*start..end], GRAM_WEIGHT);
        }
    }

    fn push(&mut self, c: char) {
        self.starts.push(self.word.len());
        self.word.push(c);
    }
}

/// Appends a character in lower case, a digit as `0`.
fn fold(c: char, folded: &mut String) {
    if c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric()) {
        folded.push('0');
    } else if c.is_ascii() {
        folded.push(c.to_ascii_lowercase());
    } else {
        // Down first: the capital ẞ has no upper case but itself, and its lower case ß has SS.
        let upper = c.to_lowercase().flat_map(char::to_uppercase);
        folded.extend(upper.flat_map(char::to_lowercase));
    }
}

fn add_feature(sums: &mut [i32; DIMENSIONS], basis: u64, bytes: &[u8], weight: i32) {
    let signs = hash(basis, bytes);
    for (dimension, sum) in sums.iter_mut().enumerate() {
        *sum += if signs >> dimension & 1 == 1 {
            weight
        } else {
            -weight
        };
    }
}

/// FNV-1a with 64 bits (draft-eastlake-fnv), then MurmurHash3's `fmix64`,
/// without which the low bits of short inputs depend on little but the last
/// byte.
fn hash(basis: u64, bytes: &[u8]) -> u64 {
    let mut hash = bytes.iter().fold(basis, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0).finish()
    }
}

impl TryFrom<Vec<f32>> for Embedding {
    type Error = Problem;

    fn try_from(numbers: Vec<f32>) -> Result<Self, Problem> {
        let count = numbers.len();
        numbers
            .try_into()
            .map(Self)
            .map_err(|_| Problem::new(format!("has {count} dimensions, not {DIMENSIONS}")))
    }
}

impl ColumnValue for Embedding {
    // The type of the column and the length of the array, the same number twice.
    const TYPE: ColumnType = ColumnType::Vector(16);

    fn to_value(&self) -> Value<'_> {
        Value::Vector(Cow::Borrowed(&self.0))
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        let json = serde_json::from_str(text)
            .map_err(|_| Problem::unreadable(text, "an array of 16 numbers"))?;
        Self::from_json(json)
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        let numbers: Option<Vec<f32>> = json.as_array().and_then(|items| {
            #[allow(clippy::cast_possible_truncation)]
            let number = |item: &Json| item.as_f64().map(|number| number as f32);
            items.iter().map(number).collect()
        });
        match numbers {
            Some(numbers) => numbers.try_into(),
            None => Err(Problem::wrong_json(&json, "an array of 16 numbers")),
        }
    }
}

impl sqlx::Type<Postgres> for Embedding {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        <Vector as sqlx::Type<Postgres>>::type_info()
    }
}

impl<'r> sqlx::Decode<'r, Postgres> for Embedding {
    fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let vector = <Vector as sqlx::Decode<'r, Postgres>>::decode(value)?;
        Ok(Self::try_from(vector.to_vec())?)
    }
}
