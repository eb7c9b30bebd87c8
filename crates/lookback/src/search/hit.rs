//! The result of a search: records with the reasons why they were found.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Utc};
use lookback_json::json;
use serde::Serialize;

use super::total::Total;
use crate::value::{Json, JsonError, JsonMap, time};

/// A record that a search found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hit<M> {
    /// The record.
    pub record: M,
    /// Its score, from 0 up: comparable among the hits of one search. For
    /// [`similar_to`](crate::QueryBuilder::similar_to), the cosine.
    pub score: f32,
    /// The terms of the search that it matched.
    pub why: Why,
    /// The matches in its search fields, one entry for each field with a match.
    pub highlights: Vec<Highlight>,
    /// The hits that it stands for, if copies are folded
    /// ([`fold_copies`](crate::QueryBuilder::fold_copies)).
    pub copies: Option<Copies>,
}

impl<M: Serialize> Hit<M> {
    /// Returns the record as JSON, with its score, reasons, highlights and copies as the field
    /// `hit`. Ranges are pairs of byte offsets in `text`.
    ///
    /// # Errors
    ///
    /// The record has no form in JSON.
    pub fn to_json(&self) -> Result<Json, JsonError> {
        let mut record = Json::from_serialize(&self.record)?;
        let words = self.why.words.iter().map(|word| {
            json!({
                "word": word.word,
                "kind": word.kind.as_str(),
                "field": word.field,
                "matched": word.matched,
                "quality": word.quality,
                "weight": word.weight,
            })
        });
        let highlights = self.highlights.iter().map(|highlight| {
            let ranges = highlight.ranges.iter();
            let ranges = ranges.map(|range| json!([range.start, range.end]));
            json!({
                "field": highlight.field,
                "text": highlight.text,
                "ranges": ranges.collect::<Vec<Json>>(),
            })
        });
        if let Json::Object(fields) = &mut record {
            let mut hit = JsonMap::from([
                ("score".to_owned(), json!(self.score)),
                (
                    "why".to_owned(),
                    json!({
                        "words": words.collect::<Vec<Json>>(),
                        "phrase": self.why.phrase,
                        "similarity": self.why.similarity,
                    }),
                ),
                (
                    "highlights".to_owned(),
                    highlights.collect::<Vec<Json>>().into(),
                ),
            ]);
            if let Some(copies) = &self.copies {
                hit.insert("copies".to_owned(), copies.to_json());
            }
            fields.insert("hit".to_owned(), Json::Object(hit));
        }
        Ok(record)
    }
}

/// Hits that differ only in numbers and ids, and have as many of the words of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copies {
    /// The number of hits, itself included.
    pub count: Total,
    /// The time of the first of them.
    pub first: DateTime<Utc>,
    /// The time of the last of them.
    pub last: DateTime<Utc>,
}

impl Copies {
    pub(crate) fn new(count: Total, first: DateTime<Utc>, last: DateTime<Utc>) -> Self {
        Self { count, first, last }
    }

    fn to_json(self) -> Json {
        json!({
            "count": self.count.value(),
            "count_is_exact": self.count.is_exact(),
            "first": time::text(&self.first),
            "last": time::text(&self.last),
        })
    }
}

/// The reasons why a record is a hit.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Why {
    /// The words of the search that it matched, in their order. At most 24
    /// words are compared.
    pub words: Vec<WordMatch>,
    /// Whether it contains the words of the search as typed, next to each
    /// other.
    pub phrase: bool,
    /// The similarity of meaning to the search, or to the given record, from -1
    /// to 1; `None` if either has no meaning, such as numbers alone.
    pub similarity: Option<f32>,
}

/// How a record matched a word of the search.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WordMatch {
    /// The word of the search, in lower case.
    pub word: String,
    /// How it was matched.
    pub kind: MatchKind,
    /// The search field that has the match.
    pub field: &'static str,
    /// The word of the record that matched best, as it stands there.
    pub matched: String,
    /// The quality of the match, from 0 to 1.
    pub quality: f32,
    /// The weight of the word among those of the search, from 0 to 1; all of
    /// them add up to 1. Rarer words weigh more.
    pub weight: f32,
}

/// How a word of a search matched a word of a record, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MatchKind {
    /// The same word.
    Exact,
    /// The start of the other word.
    Start,
    /// A part of the other word.
    Part,
    /// The same start with another ending: `closed` and `closing`.
    Inflection,
    /// Most trigrams are shared.
    Misspelling,
    /// Different letters, used alike.
    Similar,
}

impl MatchKind {
    /// Returns its name: `exact`, `start`, `part`, `inflection`, `misspelling`
    /// or `similar`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Start => "start",
            Self::Part => "part",
            Self::Inflection => "inflection",
            Self::Misspelling => "misspelling",
            Self::Similar => "similar",
        }
    }
}

impl fmt::Display for MatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A note on how a search text was read, for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Records with this word or phrase are no hits: it was typed after a `-`.
    Excluded(String),
    /// A `field:value` that is searched as words: the model has no such field, or
    /// the field has no such value.
    NotAField(String),
}

/// The matches in a search field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Highlight {
    /// The field.
    pub field: &'static str,
    /// The searched text: the value of a text field, or the text form of
    /// another type in PostgreSQL.
    pub text: String,
    /// Ranges of bytes in `text`, in order and disjoint, on character
    /// boundaries.
    pub ranges: Vec<Range<usize>>,
}
