//! Hybrid search: exact words first, then parts and misspellings of words,
//! then likeness.
//!
//! 1. [`Terms`] are what was typed, taken apart, and [`Query`] its words (pure).
//! 2. [`candidates`] fetches, in one statement, the rows that share letters
//!    with the words and the rows whose embedding is near. Every filter and
//!    soft delete apply before either limit, so that none can starve the
//!    result.
//! 3. [`rank`] orders them, and [`Explainer`] says why (pure).
//!
//! Why letters are fetched by `LIKE` over pieces of words, and not by full text
//! search: see `docs/decisions/0003-search-candidates.md`.

mod candidates;
mod explain;
mod fold;
mod grammar;
mod hit;
pub(crate) mod index;
mod query;
mod rank;
mod scan;
mod scope;
mod sealed;
mod statement;
mod text;
mod word;

pub(crate) use candidates::candidates;
pub(crate) use explain::Explainer;
pub(crate) use grammar::Terms;
pub use hit::{Highlight, Hit, MatchKind, Why, WordMatch};
pub(crate) use query::Query;
pub(crate) use rank::{Ranked, Ranking, rank};
pub(crate) use scan::Session as ScanSession;
pub(crate) use scope::{Scope, Time};
pub(crate) use sealed::{Places, nearest};

/// Whether a record with these texts in its search fields is found, the fields
/// of the search apart: what fetching and ranking come to, for one record
/// and without a database.
pub fn finds<M: crate::Model>(
    search: &str,
    texts: &[String],
    embedding: Option<&crate::Embedding>,
) -> bool {
    let terms = Terms::parse(M::TABLE, search);
    let whole = text::lower(&texts.join("\n"));
    let has = |piece: &String| whole.contains(&text::lower(piece));
    if !terms.phrases.iter().all(has) || terms.without.iter().any(has) {
        return false;
    }
    terms.is_only_filters() || rank::finds(&Query::new(&terms), texts, &whole, embedding)
}
