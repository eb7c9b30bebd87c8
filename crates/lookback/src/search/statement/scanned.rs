//! The one scan of a statement, which compares each row with the words and the vector.

use super::words::{SIGNATURE, TEXT, Words, is_not_ascii};
use super::{DISTANCE_STEPS, MAX_DISTANCE_STEP, MAX_RANKED_CHARS};
use crate::model::{Table, search_fields};
use crate::search::candidates::IS_LISTED;
use crate::search::parse::query::Query;

/// The rows that a statement scans once.
pub(super) struct ScannedRows<'a> {
    pub(super) id: &'a str,
    pub(super) distance: &'a str,
    pub(super) text: &'a str,
    /// The table whose search fields are kept, if they are.
    pub(super) fields: Option<&'static Table>,
    /// Whether a row is listed by its id.
    pub(super) is_listed: &'a str,
    /// ` … FROM table WHERE …`, after the `FROM`.
    pub(super) rows: &'a str,
}

impl ScannedRows<'_> {
    /// Returns the common table expression `scanned`, with a comma: the rows that have a
    /// fragment of a word, or that are near.
    ///
    /// Subqueries, because each part of a row is to be computed once.
    pub(super) fn with_either(&self, query: &Query, words: &Words) -> String {
        let Self {
            id,
            distance,
            text,
            fields,
            is_listed,
            rows,
        } = self;
        // Every row of the scope has the phrases.
        let is_lexical = if query.phrases.is_empty() {
            words.any(TEXT, Some(&is_not_ascii(TEXT)))
        } else {
            "TRUE".to_owned()
        };
        let is_near = if query.has_vector_candidates() {
            format!(" OR __distance * {DISTANCE_STEPS} <= {MAX_DISTANCE_STEP} + 0.5")
        } else {
            String::new()
        };
        // The texts only of the rows that are kept.
        let (mut columns, mut texts) = (String::new(), String::new());
        if let Some(table) = fields {
            for column in table.search {
                columns.push_str(&format!(", {}", table.columns[*column].quoted()));
            }
            texts = format!(
                ", {} AS __fields",
                search_fields(table, Some(MAX_RANKED_CHARS))
            );
        }
        format!(
            "scanned AS MATERIALIZED (\
               SELECT __id, __distance, __is_lexical, {IS_LISTED}, {SIGNATURE}{texts}, \
                 CASE WHEN __is_lexical THEN {coverage} ELSE 0 END AS __coverage \
               FROM (\
                 SELECT *, CASE WHEN __is_lexical THEN {signature} ELSE 0 END AS {SIGNATURE} \
                 FROM (\
                   SELECT *, {is_lexical} AS __is_lexical \
                   FROM (SELECT {id} AS __id, {distance} AS __distance, {text} AS {TEXT}, {is_listed} AS {IS_LISTED}{columns} FROM {rows} OFFSET 0) AS __searched \
                   OFFSET 0) AS __compared \
                 WHERE __is_lexical{is_near} OFFSET 0) AS __signed), ",
            coverage = words.coverage(),
            signature = words.signature(TEXT),
        )
    }
}
