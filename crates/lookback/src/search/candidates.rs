//! Which records of a sealed table are worth reading: see [`crate::search::index`].
//!
//! ```text
//! hot       every record that is not sealed
//! kinds     of those whose template has the most of the words, and of those
//!           whose vector is the nearest, the newest records
//! blocks    those that may have words with digits, or a word within an id
//! ```
//!
//! What is read is read and compared as in any other table, by the one statement
//! of a search, which is given the places instead of the table. So a search
//! finds the same as without summaries, up to its own bounds; beyond these it
//! reads less.

mod blocks;
mod lexical;
mod postings;
mod row_set;
mod segment_range;
mod tokens;
mod vector;

pub(super) use lexical::Lettered;
pub(crate) use row_set::Places;
pub(crate) use vector::{Nearest, nearest};

/// A row that may be a hit.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    /// The texts of the search fields, cut so that together they are no more
    /// than what is ranked.
    pub(crate) fields: Vec<String>,
    /// What all of its text has of each word that rows are fetched by.
    pub(crate) had: Vec<Had>,
    /// The cosine of the embeddings, if both are there.
    pub(crate) cosine: Option<f32>,
}

/// What a text has of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Had {
    /// Not a piece.
    Nothing,
    /// A piece of it.
    Piece,
    /// The word, maybe within another.
    Word,
}

/// The rows that may be hits.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) candidates: Vec<Candidate>,
    /// Whether there are no others.
    pub(crate) complete: bool,
}
