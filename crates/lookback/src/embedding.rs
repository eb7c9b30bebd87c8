//! Embeddings: vectors of 16 numbers that are close for texts of similar meaning.

mod table;
mod words;

use std::borrow::Cow;
use std::fmt;

use pgvector::Vector;
use sqlx::Postgres;

use crate::value::{ColumnType, ColumnValue, Json, Nearness, Problem, Value};
use words::Sums;

/// The number of dimensions of an embedding: 16.
pub const DIMENSIONS: usize = table::STORED;

/// The version of the encoder, recorded in the database. Vectors of different
/// versions are not comparable.
pub const ENCODER_VERSION: u32 = 2;

/// The embedding of a text, a vector of unit length.
///
/// ```
/// use lookback::embedding::Embedding;
///
/// let of = |text| Embedding::of(text).unwrap();
/// let refused = of("database connection refused");
/// assert_eq!(refused, of("Database  CONNECTION\nrefused"));
/// assert!(refused.cosine(&of("link to the server was denied")) > 0.5);
/// assert!(refused.cosine(&of("heart rate of the runner")) < 0.3);
/// assert_eq!(Embedding::of("  "), None);
/// ```
///
/// # The encoding, version 2
///
/// The library contains a table of 30,000 words and of 8,192 buckets for runs of
/// characters. It was trained once, on technical text (`make train-encoder`,
/// `docs/search.md`). An embedding uses 16 numbers of each row, and a factor that
/// is large for rare words and small for frequent ones.
///
/// 1. Text is split at white space. Each character is folded to lower, to upper
///    and again to lower case, so that `ẞ`, `ß` and `SS` are equal. Each piece is
///    split into runs of letters and digits, and each run into words: the letters
///    between the digits.
/// 2. A word in the table contributes its row. Another word may be a compound
///    (`workerenv`), which contributes the rows of its parts. A compound has 6 to
///    32 ASCII letters, and each part has at least 3 letters and is one of the
///    8,192 most frequent words. The encoder uses the fewest possible parts and,
///    among splits of as many parts, the more frequent ones. Any other word
///    contributes the mean of the rows of all runs of 3 and of 4 characters in
///    `<word>`, of which only the first 64 characters count.
/// 3. Digits contribute nothing. In a run with digits, these words contribute
///    nothing either: words of less than 3 bytes, words that are neither in the
///    table nor compounds, and all words of a run whose letters are all among
///    `abcdefx`. So lines that differ only in numbers, addresses or ids have equal
///    embeddings.
/// 4. A hash finds the row: FNV-1a with 64 bits over the UTF-8 bytes, then the
///    finaliser of MurmurHash3. Words start from another basis than runs of
///    characters. For a word, the low 16 bits are the first slot to look in, and
///    the high 32 bits distinguish it from other words. For a run of characters,
///    the low 13 bits are the bucket.
/// 5. Sums of factor times number are integers, so the order of words does not
///    change them. A mean is rounded towards zero. Words beyond the first 8 KiB
///    are ignored. The sums are divided by their length as a vector. If all are
///    zero, as for numbers alone, the embedding is the unit vector of the first
///    dimension.
///
/// A text of white space alone has no embedding: NULL, not a vector of zeros.
///
/// Every step is exact or correctly rounded, so an embedding is the same on every
/// platform. Any change of the encoding needs a new [`ENCODER_VERSION`].
#[derive(Clone, Copy, PartialEq)]
pub struct Embedding([f32; DIMENSIONS]);

impl Embedding {
    /// Encodes a text; `None` if it is empty or white space alone.
    pub fn of(text: &str) -> Option<Self> {
        let mut encoder = Encoder::default();
        encoder.add(text);
        encoder.finish()
    }

    /// Returns the numbers.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// Returns the cosine of the angle to `other`: 1 for the same direction, -1
    /// for the opposite one.
    pub fn cosine(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}

/// The meaning of a word or a text in all dimensions of the encoder's table.
/// Ranks the texts that an index has fetched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Meaning([f32; table::FULL]);

impl Meaning {
    /// Encodes a text; `None` without a meaning: no word, or numbers alone.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut sums = Sums::<{ table::FULL }>::new();
        sums.add(text);
        sums.unit().map(Self)
    }

    /// Returns the cosine of the angle to `other`: 1 for the same meaning,
    /// about 0 for unrelated ones.
    pub(crate) fn similarity(&self, other: &Self) -> f32 {
        // Eight parallel sums, which the compiler can vectorise, in a fixed order.
        let mut sums = [0.0_f32; 8];
        for (a, b) in self.0.chunks_exact(8).zip(other.0.chunks_exact(8)) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum += a * b;
            }
        }
        sums.iter().sum()
    }
}

/// An encoder of the words of one or more texts.
#[derive(Debug)]
pub(crate) struct Encoder(Sums<DIMENSIONS>);

impl Default for Encoder {
    fn default() -> Self {
        Self(Sums::new())
    }
}

impl Encoder {
    /// Adds the words of a text.
    pub(crate) fn add(&mut self, text: &str) {
        self.0.add(text);
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
            Value::Int2(number) => self.add(&number.to_string()),
            Value::Int4(number) => self.add(&number.to_string()),
            Value::Int8(number) => self.add(&number.to_string()),
            Value::Array(_, items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Null
            | Value::Bool(_)
            | Value::Float4(_)
            | Value::Float8(_)
            | Value::Numeric(_)
            | Value::Uuid(_)
            | Value::Date(_)
            | Value::Time(_)
            | Value::Timestamp(_)
            | Value::Timestamptz(_)
            | Value::Interval(_)
            | Value::Inet(_)
            | Value::Cidr(_)
            | Value::Bytea(_)
            | Value::Vector(_)
            | Value::HalfVector(_) => {}
        }
    }

    pub(crate) fn finish(self) -> Option<Embedding> {
        if self.0.is_empty() {
            return None;
        }
        let mut first = [0.0; DIMENSIONS];
        first[0] = 1.0;
        Some(Embedding(self.0.unit().unwrap_or(first)))
    }
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
    // The same number as `DIMENSIONS`.
    const TYPE: ColumnType = ColumnType::Vector(16);

    fn to_value(&self) -> Value<'_> {
        Value::Vector(Cow::Borrowed(&self.0))
    }

    fn from_value(value: Value<'_>) -> Result<Self, Problem> {
        match value {
            Value::Vector(numbers) => numbers.into_owned().try_into(),
            other => Err(other.mismatch(Self::TYPE)),
        }
    }
}

impl Nearness for Embedding {}

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
