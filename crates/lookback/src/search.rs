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
mod hit;
pub(crate) mod index;
mod parse;
mod rank;
mod run;
mod scope;
mod statement;

pub(crate) use candidates::{Places, nearest};
pub use hit::{Highlight, Hit, MatchKind, Why, WordMatch};
pub(crate) use parse::query::Query;
pub(crate) use parse::terms::Terms;
pub(crate) use rank::explain::Explainer;
pub(crate) use rank::{Ranked, Ranking, rank};
pub(crate) use run::candidates;
pub(crate) use scope::{Scope, Time};
pub(crate) use statement::scan_settings::Session as ScanSession;

/// Whether a record with these texts in its search fields is found, the fields
/// of the search apart: what fetching and ranking come to, for one record
/// and without a database.
pub fn finds<M: crate::Model>(
    search: &str,
    texts: &[String],
    embedding: Option<&crate::Embedding>,
) -> bool {
    let terms = Terms::parse(M::TABLE, search);
    let whole = parse::text::lower(&texts.join("\n"));
    let has = |piece: &String| whole.contains(&parse::text::lower(piece));
    if !terms.phrases.iter().all(has) || terms.without.iter().any(has) {
        return false;
    }
    terms.is_only_filters() || rank::finds(&Query::new(&terms), texts, &whole, embedding)
}
