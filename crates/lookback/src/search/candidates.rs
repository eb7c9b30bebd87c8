//! The candidates of a search, and the row sets of a sealed table that contain
//! them.
//!
//! The summaries ([`crate::search::index`]) name these row sets:
//!
//! ```text
//! unsealed   every record that is not sealed
//! postings   the newest records of the templates with the most words, and of
//!            those with the nearest vectors
//! blocks     the records of blocks that may have words with digits, or a word
//!            within an id
//! ```
//!
//! The one statement of a search reads a row set instead of the table, and
//! compares its rows as in any other table. So a search finds the same as
//! without summaries, up to its limits; beyond these it reads less.
//!
//! In reading order: [`segment_range`], [`row_set`], [`tokens`], [`postings`],
//! [`blocks`], then [`lexical`] and [`vector`] candidates. [`patterns`] are counts of
//! templates, without candidates, [`nearest_segments`] hints of where a time is, and
//! [`matching`] the rows of a filter on words.

mod blocks;
mod lexical;
mod matching;
mod nearest_segments;
mod patterns;
mod postings;
mod row_set;
mod segment_range;
mod tokens;
mod vector;

pub(super) use lexical::LexicalCandidates;
pub(crate) use matching::{MatchRows, MatchWords, match_settings};
pub(crate) use nearest_segments::{CAN_READ_SEGMENTS, NearestSegments};
pub(crate) use patterns::SummaryPattern;
pub(super) use patterns::{SealedPatterns, newest_in_scope};
pub(super) use postings::ScopeCheck;
pub(super) use row_set::IS_LISTED;
pub(crate) use row_set::RowSet;
pub(crate) use vector::{VectorCandidates, nearest_rows};

/// A row that may be a hit.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    /// The texts of the search fields, truncated to what is ranked.
    pub(crate) fields: Vec<String>,
    /// Which of the fetching words all of its text contains.
    pub(crate) presence: Vec<WordPresence>,
    /// The cosine of the embeddings, if both exist.
    pub(crate) cosine: Option<f32>,
    pub(crate) coverage: Coverage,
}

/// How many of the words of a search a text contains. The numbers are those of
/// the statements and of cursors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Coverage {
    /// Not all.
    #[default]
    Partial = 0,
    /// All, function words aside.
    AllWords = 1,
    /// All, next to each other as they were typed.
    AsTyped = 2,
}

impl Coverage {
    /// Reads a number.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Partial, Self::AllWords, Self::AsTyped]
            .into_iter()
            .find(|coverage| *coverage as i64 == number)
    }
}

/// Which part of a word a text contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordPresence {
    /// None.
    Absent,
    /// A fragment.
    Fragment,
    /// The word, possibly within another.
    Word,
}

/// The rows that may be hits.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) candidates: Vec<Candidate>,
    /// Whether these are all.
    pub(crate) complete: bool,
    /// Whether more rows cover the search than are candidates: those with all its
    /// words or, of a search for phrases, all with these.
    pub(crate) more_covering: bool,
    /// The number of covering rows, at least.
    pub(crate) covering_rows: u64,
    /// The greatest id of the covering rows that are not candidates, by the number of
    /// their coverage; `None` if there are no others.
    pub(crate) others: [Option<i64>; 3],
}
