//! What a search returns: records with the reason why they were found.

use std::fmt;
use std::ops::Range;

/// A record that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit<M> {
    /// The record.
    pub record: M,
    /// How good it is, from 0 up: comparable among the hits of one search. For
    /// what is like another record, the cosine.
    pub score: f32,
    /// What of the search it matched.
    pub why: Why,
    /// Where in its search fields, a field each that has a match.
    pub highlights: Vec<Highlight>,
}

/// What of a search a record matched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Why {
    /// The words of the search that it matched, in their order. Those of 24
    /// words at most are looked at.
    pub words: Vec<WordMatch>,
    /// Whether it has the words of the search as they were typed, next to each
    /// other.
    pub phrase: bool,
    /// How like it is in meaning to the search, or to the record it is to be
    /// similar to, from -1 to 1; none where either has no meaning, such as
    /// numbers alone.
    pub likeness: Option<f32>,
}

/// How a record matched a word of the search.
#[derive(Clone, Debug, PartialEq)]
pub struct WordMatch {
    /// The word of the search, in lower case.
    pub word: String,
    /// How it was matched.
    pub kind: MatchKind,
    /// The search field that has the match.
    pub field: &'static str,
    /// The word of the record that matched best, as it stands there.
    pub matched: String,
    /// How well, from 0 to 1.
    pub quality: f32,
    /// What the word counts among those of the search, from 0 to 1: together
    /// they come to 1. The rarer, the more.
    pub weight: f32,
}

/// How a word of a search matched one of a record, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchKind {
    /// It is the same word.
    Exact,
    /// It is how the other word starts.
    Start,
    /// It is within the other word.
    Part,
    /// They start alike and end otherwise: `closed` and `closing`.
    OtherEnding,
    /// They share most runs of three letters: a misspelling.
    SpeltAlike,
    /// They are spelt otherwise and used alike.
    AlikeInMeaning,
}

impl MatchKind {
    /// In a word or two: `exact`, `start`, `part`, `other ending`, `spelt
    /// alike`, `alike in meaning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Start => "start",
            Self::Part => "part",
            Self::OtherEnding => "other ending",
            Self::SpeltAlike => "spelt alike",
            Self::AlikeInMeaning => "alike in meaning",
        }
    }
}

impl fmt::Display for MatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a search field of a record matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// The field.
    pub field: &'static str,
    /// What was searched: the value of a text field as it is, of another as
    /// PostgreSQL writes it.
    pub text: String,
    /// Ranges of bytes in `text`, in order and apart, each on the borders of
    /// characters.
    pub ranges: Vec<Range<usize>>,
}
