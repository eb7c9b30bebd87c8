//! Hybrid search: exact words first, then parts and misspellings of words, then
//! similarity.
//!
//! [`QueryBuilder::hits`](crate::QueryBuilder::hits) returns these types: the score
//! of each hit, why it matched and where.

// In reading order:
//
// - `parse` splits the typed text into terms and the words of a query
//   (pure).
// - `hit` has the public types of a result.
// - `scope` has the conditions that every row of a search must pass.
// - `statement` writes the single statement that fetches candidates.
// - `index` seals segments of ids into summaries, and owns all SQL on their
//   tables.
// - `candidates` reads the summaries and names the row set of a statement.
// - `rank` orders candidates and explains hits (pure).
// - `run` runs the statement, on the row sets or on the whole table.
// - `patterns` counts records by their templates.
//
// Every filter and soft delete apply before any limit, so no filter can starve
// the result. `docs/decisions/0003-search-candidates.md` explains why lexical
// candidates are fetched by `LIKE` on fragments of words and not by full-text
// search.

mod candidates;
mod hit;
pub(crate) mod index;
mod parse;
mod patterns;
mod rank;
mod run;

#[cfg(test)]
pub(crate) mod fixtures;
mod scope;
mod statement;
pub(crate) mod total;

pub(crate) use candidates::{
    CAN_READ_SEGMENTS, Candidate, Candidates, Coverage, MatchRows, MatchWords, NearestSegments,
    RowSet, match_settings, nearest_rows,
};
pub use hit::{Copies, Highlight, Hit, MatchKind, Note, Why, WordMatch};
pub(crate) use index::templates::template;
pub(crate) use parse::query::Query;
pub(crate) use parse::terms::Terms;
pub(crate) use patterns::{
    Pattern as FoundPattern, SummaryUse, patterns, resolve_examples, resolve_times,
};
pub(crate) use rank::explain::Explainer;
pub(crate) use rank::{Ranked, compare, rank, score};
pub(crate) use run::Search;
pub(crate) use scope::{Scope, Time};
pub(crate) use statement::scan_settings::SearchSession;
pub(crate) use statement::{CoveringPage, CoveringStart};

/// Returns whether a search finds a record with these texts in its search
/// fields.
///
/// The result is that of fetching and ranking, for one record and without a
/// database. Field terms of the search are ignored.
#[doc(hidden)]
pub fn finds<M: crate::Model>(
    search: &str,
    texts: &[String],
    embedding: Option<&crate::embedding::Embedding>,
) -> bool {
    let terms = Terms::parse(M::TABLE, search);
    let whole = parse::text::lower(&texts.join("\n"));
    let has = |text: &String| whole.contains(&parse::text::lower(text));
    let excludes = |without: &crate::filter::Exclusion| {
        let text = parse::text::lower(&without.text);
        if without.is_option {
            rank::contains_option(&whole, &text)
        } else {
            whole.contains(&text)
        }
    };
    if !terms.phrases.iter().all(has) || terms.without.iter().any(excludes) {
        return false;
    }
    terms.is_only_filters() || rank::finds(&Query::new(&terms), texts, embedding)
}
