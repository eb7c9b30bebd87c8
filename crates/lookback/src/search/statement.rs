//! The statement that fetches candidates.
//!
//! ```text
//! lexical         every row that has a fragment of a word, with its signature
//!                 and its coverage: whether it has all words
//! weights         the IDF of each word among them
//! lexical_groups  the rows numbered within their group, newest first
//! best_lexical    the best of them: those with all words, and then the newest
//!                 few of each group first
//! vector_groups   the number of rows of each distance
//! vector_rows     the rows of the nearest groups
//! nearest         the nearest rows, the newest few of each group first
//! others          the newest row of each coverage that is not among the best
//! ```
//!
//! Logs repeat. A group is the rows with the same coverage, signature and
//! cosine: lines that differ only in numbers have the same embedding. Without
//! groups, one template would fill every place.
//!
//! If more rows have all words than are ranked, pages of them come from
//! [`covering`], newest first.
//!
//! In reading order: [`words`] writes the conditions on words, [`nearest`] the
//! part that finds near rows, and [`scan_settings`] the local settings of a
//! search.

mod covering;
mod nearest;
pub(super) mod scan_settings;
mod words;

use super::candidates::RowSet;
use super::parse::query::Query;
use super::rank::MIN_COSINE;
use super::scope::Scope;
use crate::db::Sql;
use crate::error::Error;
pub(in crate::search) use crate::filter::word_condition::{MAX_DELIMITED, whole_phrase};
use crate::model::{ColumnRole, Table};
use crate::model::{search_fields, search_text};
use crate::value::{ColumnValue, Value};
pub(crate) use covering::{CoveringPage, CoveringStart};
pub(super) use covering::{CoveringSource, covering};
use nearest::NearestRows;
pub(super) use words::{Words, signature};
pub(in crate::search) use words::{lateral_signature, signed_rows};

/// The number of lexical candidates.
pub(super) const LEXICAL_LIMIT: i64 = 1_000;

/// The newest rows of a group that come before all others of it, and then the
/// next as many.
pub(super) const LEXICAL_PER_GROUP: i64 = 25;

/// The number of vector candidates, and those of a group that come before all
/// others of it.
pub(super) const VECTOR_LIMIT: i64 = 1_000;
pub(super) const VECTOR_PER_GROUP: i64 = 10;

/// The number of nearest groups, if all near rows are more than `VECTOR_LIMIT`.
pub(super) const MAX_GROUPS: i64 = 100;

/// The number of rows in a step of reading an index. Further steps are taken
/// only if the rows so far are of fewer groups than `MAX_GROUPS`, and start
/// beyond the last row.
pub(super) const INDEX_STEP: i64 = 400;
const INDEX_STEPS: usize = 5;

/// How the nearest rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VectorScan {
    /// In order, from an index.
    Index,
    /// By scans: one counts the rows of each group, one reads the nearest
    /// groups.
    Sequential,
}

/// The characters of a row that are ranked.
pub(super) const MAX_RANKED_CHARS: u32 = 2_000;

/// Where rows are read; by default from the whole table.
#[derive(Clone, Debug, Default)]
pub(super) struct RowSources {
    /// For lexical candidates.
    pub(super) lexical: Option<RowSet>,
    /// For vector candidates.
    pub(super) vector: Option<RowSet>,
    /// Whether an index on the letters is to be used: it does not serve words with
    /// accents.
    pub(super) uses_text_index: bool,
}

/// Returns the statement for the rows of a scope.
pub(super) fn candidates(
    table: &'static Table,
    query: &Query,
    vector_scan: VectorScan,
    sources: &RowSources,
    scope: &Scope<'_>,
) -> Result<Sql, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let embedding_column = table.column_of(ColumnRole::Embedding);
    let embedding = embedding_column.quoted();
    let from = table.quoted();
    let text = search_text(table);
    let mut sql = Sql::default();
    let scope = sql.fragment(|sql| scope.push_where(sql))?;
    let read_from = |rows: &Option<RowSet>, sql: &mut Sql| match rows {
        Some(rows) => rows.from(table, sql),
        None => Ok(table.quoted()),
    };
    let lexical_from = read_from(&sources.lexical, &mut sql)?;
    let vector_from = read_from(&sources.vector, &mut sql)?;
    let vector = query
        .embedding
        .as_ref()
        .map_or(Value::Null, ColumnValue::to_value);
    let vector = sql.value(embedding_column, vector)?;

    let words = Words::bind(query, &mut sql)?;
    // A vector of zeros has no direction: its distance is NaN.
    let cosine = format!("1 - nullif({embedding} <=> {vector}, 'NaN')");
    let coverage = words.coverage();
    let any = if query.phrases.is_empty() {
        format!(
            " AND ({})",
            words.any(table, &text, !sources.uses_text_index)
        )
    } else {
        String::new()
    };
    let columns = format!("{id} AS __id, {cosine} AS __cosine");
    let lexical = format!("{lexical_from}{scope}{any}");
    sql.push(&format!(
        "WITH lexical AS MATERIALIZED (\
           SELECT __id, __cosine, __signature, {coverage} AS __coverage FROM {lexical}), \
         weights AS (SELECT {weights} FROM lexical), \
         lexical_groups AS (\
           SELECT __id, __coverage, __signature, __cosine, row_number() OVER (\
             PARTITION BY __coverage, __signature, (__cosine * 10000)::int ORDER BY __id DESC) AS nth FROM lexical), \
         best_lexical AS MATERIALIZED (\
           SELECT __id FROM lexical_groups CROSS JOIN weights \
           ORDER BY __coverage DESC, (nth - 1) / {LEXICAL_PER_GROUP}, {score} DESC, __cosine DESC NULLS LAST, __id DESC \
           LIMIT {LEXICAL_LIMIT}), \
         others AS (\
           SELECT max(__id) FILTER (WHERE __coverage = 0) AS __partial, \
             max(__id) FILTER (WHERE __coverage = 1) AS __words, max(__id) FILTER (WHERE __coverage = 2) AS __typed \
           FROM lexical WHERE {covers} AND (SELECT count(*) FROM lexical WHERE {covers}) > {LEXICAL_LIMIT} \
             AND NOT EXISTS (SELECT FROM best_lexical AS b WHERE b.__id = lexical.__id))",
        lexical = signed_rows(table, &words, &columns, &lexical),
        weights = Words::weights(query.fetch_words.len()),
        score = Words::score(0..query.fetch_words.len()),
        covers = if query.phrases.is_empty() { "__coverage > 0" } else { "TRUE" },
    ));
    let mut found = "SELECT __id FROM best_lexical".to_owned();
    // The rows that were read, and whether they are all.
    let mut scanned =
        "SELECT 0::bigint AS index_rows, NULL::float8 AS min_cosine, TRUE AS complete".to_owned();
    if query.has_vector_candidates() {
        let rows = format!("{vector_from}{scope} AND {embedding} IS NOT NULL");
        let rows = NearestRows {
            id: &id,
            distance: &format!("{embedding} <=> {vector}"),
            rows: &rows,
        };
        sql.push(&match vector_scan {
            VectorScan::Index => rows.by_index(),
            VectorScan::Sequential => rows.by_scan(sources.vector.is_some()),
        });
        found.push_str(" UNION SELECT __id FROM nearest");
        scanned = nearest::scanned(vector_scan);
    }
    let fields = search_fields(table, Some(MAX_RANKED_CHARS));
    sql.push(&format!(
        ", vector_scan AS ({scanned}) \
         SELECT __id, __signature, {coverage} AS __coverage, __cosine, __fields, \
           (SELECT count(*) FROM lexical) AS __lexical_rows, \
           (SELECT count(*) FROM lexical WHERE __coverage > 0) AS __covering_rows, (SELECT index_rows FROM vector_scan) AS __index_rows, \
           (SELECT min_cosine FROM vector_scan) AS __min_cosine, (SELECT complete FROM vector_scan) AS __complete, \
           (SELECT ARRAY[__partial, __words, __typed] FROM others) AS __others \
         FROM {rows}",
        rows = signed_rows(
            table,
            &words,
            &format!("{columns}, {fields} AS __fields"),
            &format!("{from} WHERE {id} = ANY (ARRAY({found}))"),
        ),
    ));
    Ok(sql)
}

/// Steps of a distance within which rows are of one group: lines of one
/// template are equal, and others hardly ever are.
pub(super) const DISTANCE_STEPS: i64 = 10_000;

/// The farthest group that can contain a hit.
#[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
pub(super) const MAX_DISTANCE_STEP: i64 = ((1.0 - MIN_COSINE) * DISTANCE_STEPS as f32) as i64;

#[cfg(test)]
mod tests {
    use super::{RowSources, VectorScan, candidates};
    use crate::search::RowSet;
    use crate::search::fixtures::{lines, query, with_scope};
    use crate::{Log, Model as _};

    fn statement(text: &str, vector_scan: VectorScan, sources: &RowSources) -> String {
        with_scope(|scope| {
            let sql = candidates(Log::TABLE, &query(text), vector_scan, sources, scope);
            lines(&sql.unwrap())
        })
    }

    #[test]
    fn statement_of_candidates_is_unchanged() {
        let all = RowSources::default();
        let row_sets = RowSources {
            lexical: Some(RowSet::new(vec![(1, 9), (20, 29)], vec![12])),
            vector: Some(RowSet::new(vec![(1, 9)], Vec::new())),
            uses_text_index: false,
        };
        for (name, text, vector_scan, sources) in [
            (
                "words_by_scan",
                "conection error",
                VectorScan::Sequential,
                &all,
            ),
            ("words_by_index", "conection error", VectorScan::Index, &all),
            (
                "words_of_row_sets",
                "error 42",
                VectorScan::Sequential,
                &row_sets,
            ),
            (
                "phrase",
                "\"slow query\" error",
                VectorScan::Sequential,
                &all,
            ),
        ] {
            insta::assert_snapshot!(name, statement(text, vector_scan, sources));
        }
    }
}
