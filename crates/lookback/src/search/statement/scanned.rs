//! The one scan of a statement, which compares each row with the words and the vector.

use super::words::{SIGNATURE, TEXT, Words, is_not_ascii};
use super::{DISTANCE_STEPS, MAX_DISTANCE_STEP, MAX_RANKED_CHARS};
use crate::model::{Table, search_fields, search_is_not_ascii, search_text};
use crate::search::candidates::IS_LISTED;
use crate::search::parse::query::Query;

/// The rows that a statement scans once.
pub(super) struct ScannedRows<'a> {
    pub(super) table: &'static Table,
    pub(super) id: &'a str,
    pub(super) distance: &'a str,
    /// Whether the texts of the search fields are kept.
    pub(super) keeps_fields: bool,
    /// Whether they are those of row sets, most of which are kept.
    pub(super) are_row_sets: bool,
    /// ` … FROM table WHERE …`, after the `FROM`.
    pub(super) rows: &'a str,
}

impl ScannedRows<'_> {
    /// Returns the common table expression `scanned`, with a comma: the rows that have a
    /// fragment of a word, or that are near.
    ///
    /// Subqueries, because each part of a row is to be computed once. The rows of a table are
    /// chosen in the first one, so that several processes can scan it: otherwise the planner
    /// expects that they would have to pass on too many.
    pub(super) fn with_either(&self, query: &Query, words: &Words) -> String {
        let Self {
            table,
            id,
            distance,
            rows,
            ..
        } = self;
        let text = search_text(table);
        // Every row of the scope has the phrases.
        let (is_lexical, has_any) = if query.phrases.is_empty() {
            (
                words.any(TEXT, Some(&is_not_ascii(TEXT))),
                words.any(&text, Some(&search_is_not_ascii(table))),
            )
        } else {
            ("TRUE".to_owned(), "TRUE".to_owned())
        };
        // With a lower bound, which every distance has, the planner expects few rows.
        let is_near = |distance: &str| {
            if query.has_vector_candidates() {
                format!(
                    " OR {distance} * {DISTANCE_STEPS} >= -1 \
                     AND {distance} * {DISTANCE_STEPS} <= {MAX_DISTANCE_STEP} + 0.5"
                )
            } else {
                String::new()
            }
        };
        let (chosen_first, chosen) = if self.are_row_sets {
            let chosen = format!("WHERE __is_lexical{} ", is_near("__distance"));
            (String::new(), chosen)
        } else {
            let chosen = format!(" AND ({has_any}{})", is_near(&format!("({distance})")));
            (chosen, String::new())
        };
        let is_listed = if self.are_row_sets {
            IS_LISTED
        } else {
            "FALSE"
        };
        // The texts only of the rows that are kept.
        let (mut columns, mut texts) = (String::new(), String::new());
        if self.keeps_fields {
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
                   FROM (SELECT {id} AS __id, {distance} AS __distance, {text} AS {TEXT}, {is_listed} AS {IS_LISTED}{columns} \
                     FROM {rows}{chosen_first} OFFSET 0) AS __searched \
                   OFFSET 0) AS __compared \
                 {chosen}OFFSET 0) AS __signed), ",
            coverage = words.coverage(),
            signature = words.signature(TEXT),
        )
    }
}
