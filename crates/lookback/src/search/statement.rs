//! The statement that fetches candidates.
//!
//! ```text
//! scanned         every row that has a fragment of a word or is near, unless an
//!                 index finds either
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
//! In reading order: [`words`] writes the conditions on words, [`scanned`] the one
//! scan, [`nearest`] the part that finds near rows, and [`scan_settings`] the local settings of a
//! search.

mod covering;
mod nearest;
pub(super) mod scan_settings;
mod scanned;
mod words;

use super::candidates::RowSet;
use super::parse::query::Query;
use super::rank::MIN_COSINE;
use super::scope::Scope;
use crate::db::Sql;
use crate::error::Error;
pub(in crate::search) use crate::filter::word_condition::{MAX_DELIMITED, whole_phrase};
use crate::model::{ColumnRole, Table};
use crate::model::{search_fields, search_is_not_ascii, search_text};
use crate::value::{ColumnValue, Value};
pub(crate) use covering::{CoveringPage, CoveringStart};
pub(super) use covering::{CoveringSource, covering, covering_ids};
use nearest::NearestRows;
use scanned::ScannedRows;
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
    /// Whether the rows are few, so that the texts of candidates are kept from the scan:
    /// reading the rows again takes longer. Texts of many would fill the memory.
    pub(super) are_few: bool,
}

/// The statement that fetches candidates.
pub(super) struct CandidateStatement {
    pub(super) sql: Sql,
    /// Whether each row has its texts; otherwise [`fields`] reads them.
    pub(super) has_fields: bool,
}

impl RowSources {
    /// Says whether the table is distributed.
    pub(super) fn of_distributed(self, is_distributed: bool) -> Self {
        let of = |rows: Option<RowSet>| rows.map(|rows| rows.of_distributed(is_distributed));
        Self {
            lexical: of(self.lexical),
            vector: of(self.vector),
            ..self
        }
    }

    /// Returns about the most rows of a table up to an id; `None` if one of them is the
    /// whole table.
    pub(super) fn most_rows(&self, until: i64) -> Option<u64> {
        let lexical = self.lexical.as_ref()?;
        Some(match &self.vector {
            Some(vector) => lexical.union(vector).most_rows(until),
            None => lexical.most_rows(until),
        })
    }

    /// Returns the number of ids that the row sets were given.
    pub(super) fn listed(&self) -> usize {
        match (&self.lexical, &self.vector) {
            (Some(lexical), Some(vector)) => lexical.union(vector).listed(),
            (Some(rows), None) | (None, Some(rows)) => rows.listed(),
            (None, None) => 0,
        }
    }

    /// Returns the rows of both candidates, if a scan of them finds both: row sets, or
    /// `Some(None)` for the whole table. `None` if they are read in different ways.
    fn of_one_scan(&self, query: &Query, vector_scan: VectorScan) -> Option<Option<RowSet>> {
        let has_vector = query.has_vector_candidates();
        if self.uses_text_index || (has_vector && vector_scan == VectorScan::Index) {
            return None;
        }
        match (&self.lexical, &self.vector) {
            (None, _) if !has_vector => Some(None),
            (None, None) => Some(None),
            (Some(lexical), _) if !has_vector => Some(Some(lexical.clone())),
            (Some(lexical), Some(vector)) => Some(Some(lexical.union(vector))),
            (Some(_), None) | (None, Some(_)) => None,
        }
    }
}

/// Returns the statement for the rows of a scope.
pub(super) fn candidates(
    table: &'static Table,
    query: &Query,
    vector_scan: VectorScan,
    sources: &RowSources,
    scope: &Scope<'_>,
) -> Result<CandidateStatement, Error> {
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
    let one_scan = sources.of_one_scan(query, vector_scan);
    let (lexical_from, vector_from) = match &one_scan {
        Some(rows) => (read_from(rows, &mut sql)?, String::new()),
        None => (
            read_from(&sources.lexical, &mut sql)?,
            read_from(&sources.vector, &mut sql)?,
        ),
    };
    let vector = query
        .embedding
        .as_ref()
        .map_or(Value::Null, ColumnValue::to_value);
    let vector = sql.value(embedding_column, vector)?;

    let words = Words::bind(query, &mut sql)?;
    let distance = format!("{embedding} <=> {vector}");
    // A vector of zeros has no direction: its distance is NaN.
    let columns = format!("{id} AS __id, 1 - nullif({distance}, 'NaN') AS __cosine");
    let coverage = words.coverage();
    let has_fields = one_scan.is_some() && sources.are_few;
    let fields = if has_fields { ", __fields" } else { "" };
    let (scanned, lexical) = if one_scan.is_some() {
        let rows = ScannedRows {
            table,
            id: &id,
            distance: &distance,
            keeps_fields: has_fields,
            are_row_sets: matches!(one_scan, Some(Some(_))),
            rows: &format!("{lexical_from}{scope}"),
        };
        let scanned = rows.with_either(query, &words);
        let lexical = format!(
            "SELECT __id, 1 - nullif(__distance, 'NaN') AS __cosine, __signature, __coverage{fields} \
             FROM scanned WHERE __is_lexical"
        );
        (scanned, lexical)
    } else {
        let any = if query.phrases.is_empty() {
            let is_not_ascii = search_is_not_ascii(table);
            let is_not_ascii = (!sources.uses_text_index).then_some(is_not_ascii.as_str());
            format!(" AND ({})", words.any(&text, is_not_ascii))
        } else {
            String::new()
        };
        let rows = format!("{lexical_from}{scope}{any}");
        let rows = signed_rows(table, &words, &columns, &rows);
        let lexical =
            format!("SELECT __id, __cosine, __signature, {coverage} AS __coverage FROM {rows}");
        (String::new(), lexical)
    };
    // The weights are computed once: a plan for a few expected rows would do it for each row.
    sql.push(&format!(
        "WITH {scanned}lexical AS MATERIALIZED ({lexical}), \
         weights AS MATERIALIZED (SELECT {weights} FROM lexical), \
         lexical_groups AS (\
           SELECT __id, __coverage, __signature, __cosine{fields}, row_number() OVER (\
             PARTITION BY __coverage, __signature, (__cosine * 10000)::int ORDER BY __id DESC) AS nth FROM lexical), \
         best_lexical AS MATERIALIZED (\
           SELECT __id, __signature, __coverage, __cosine{fields} FROM lexical_groups CROSS JOIN weights \
           ORDER BY __coverage DESC, (nth - 1) / {LEXICAL_PER_GROUP}, {score} DESC, __cosine DESC NULLS LAST, __id DESC \
           LIMIT {LEXICAL_LIMIT}), \
         others AS (\
           SELECT max(__id) FILTER (WHERE __coverage = 0) AS __partial, \
             max(__id) FILTER (WHERE __coverage = 1) AS __words, max(__id) FILTER (WHERE __coverage = 2) AS __typed \
           FROM lexical WHERE {covers} AND (SELECT count(*) FROM lexical WHERE {covers}) > {LEXICAL_LIMIT} \
             AND NOT EXISTS (SELECT 1 FROM best_lexical AS b WHERE b.__id = lexical.__id))",
        weights = Words::weights(query.fetch_words.len()),
        score = Words::score(0..query.fetch_words.len()),
        covers = if query.phrases.is_empty() { "__coverage > 0" } else { "TRUE" },
    ));
    let mut found = match &one_scan {
        Some(_) => {
            format!("SELECT __id, __signature, __coverage, __cosine{fields} FROM best_lexical")
        }
        None => "SELECT __id FROM best_lexical".to_owned(),
    };
    // The rows that were read, and whether they are all.
    let mut scanned =
        "SELECT 0::bigint AS index_rows, NULL::float8 AS min_cosine, TRUE AS complete".to_owned();
    if query.has_vector_candidates() {
        let rows = format!("{vector_from}{scope} AND {embedding} IS NOT NULL");
        let near_columns = format!(", __signature, __coverage{fields}");
        let rows = match &one_scan {
            Some(_) => NearestRows {
                id: "__id",
                distance: "__distance",
                columns: &near_columns,
                rows: "scanned WHERE __distance IS NOT NULL",
            },
            None => NearestRows {
                id: &id,
                distance: &distance,
                columns: "",
                rows: &rows,
            },
        };
        sql.push(&match vector_scan {
            VectorScan::Index => rows.by_index(),
            VectorScan::Sequential => rows.by_scan(),
        });
        found.push_str(&match &one_scan {
            Some(_) => format!(
                " UNION ALL SELECT __id, __signature, __coverage, 1 - nullif(distance, 'NaN'){fields} FROM nearest"
            ),
            None => " UNION SELECT __id FROM nearest".to_owned(),
        });
        scanned = nearest::scanned(vector_scan);
    }
    let mut listed = "0::bigint".to_owned();
    let (coverage, rows) = match &one_scan {
        Some(_) => {
            if let Some(Some(rows)) = &one_scan {
                let is_listed = rows.is_listed(&mut sql)?;
                listed = format!("(SELECT count(*) FROM scanned WHERE {is_listed})");
            }
            ("__coverage".to_owned(), format!("({found}) AS __found"))
        }
        None => {
            let rows = format!("{from} WHERE {id} = ANY (ARRAY({found}))");
            (coverage, signed_rows(table, &words, &columns, &rows))
        }
    };
    sql.push(&format!(
        ", vector_scan AS ({scanned}) \
         SELECT __id, __signature, {coverage} AS __coverage, __cosine{fields}, \
           (SELECT count(*) FROM lexical) AS __lexical_rows, \
           (SELECT count(*) FROM lexical WHERE __coverage > 0) AS __covering_rows, (SELECT index_rows FROM vector_scan) AS __index_rows, \
           (SELECT min_cosine FROM vector_scan) AS __min_cosine, (SELECT complete FROM vector_scan) AS __complete, \
           (SELECT ARRAY[__partial, __words, __typed] FROM others) AS __others, {listed} AS __listed_rows \
         FROM {rows}"
    ));
    Ok(CandidateStatement { sql, has_fields })
}

/// Returns the statement for the texts of the search fields of candidates, as
/// far as they are ranked.
///
/// One of its own: it is the same for every search, so its plan is kept.
pub(super) fn fields(table: &'static Table, ids: &[i64]) -> Result<Sql, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let mut sql = Sql::new("SELECT r.* FROM unnest(");
    sql.bind(ids.to_vec())?;
    // A list of ids would be estimated for each partition, which takes longer than reading.
    sql.push(&format!(
        "::bigint[]) AS k(id) CROSS JOIN LATERAL (\
           SELECT {id} AS __id, {fields} AS __fields FROM {from} WHERE {id} = k.id) AS r",
        fields = search_fields(table, Some(MAX_RANKED_CHARS)),
        from = table.quoted(),
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
            lines(&sql.unwrap().sql)
        })
    }

    #[test]
    fn statement_of_candidates_is_unchanged() {
        let all = RowSources::default();
        let row_sets = RowSources {
            lexical: Some(RowSet::new(vec![(1, 9), (20, 29)], vec![12])),
            vector: Some(RowSet::new(vec![(1, 9)], Vec::new())),
            uses_text_index: false,
            are_few: true,
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
