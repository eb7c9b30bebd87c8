//! Hybrid search: exact words first, then parts and misspellings of words,
//! then likeness.
//!
//! 1. [`Query::parse`] takes the words apart (pure).
//! 2. [`candidates`] fetches, in one statement, the rows that share letters
//!    with the words and the rows whose embedding is near. Every filter and
//!    soft delete apply before either limit, so that none can starve the
//!    result.
//! 3. [`rank`] orders them (pure).
//!
//! Why letters are fetched by `ILIKE` over halves of words, and not by full
//! text search: see `docs/decisions/0003-search-candidates.md`.

mod candidates;
mod query;
mod rank;

pub(crate) use candidates::{Candidate, candidates};
pub(crate) use query::Query;
pub(crate) use rank::rank;
