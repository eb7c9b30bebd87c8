//! The statement for a page of the rows with a coverage, newest first.

use super::words::lateral_signature;
use super::{MAX_RANKED_CHARS, Words};
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::model::{search_fields, search_text};
use crate::search::candidates::{Coverage, RowSet};
use crate::search::parse::query::Query;
use crate::search::scope::Scope;
use crate::value::{ColumnValue, Value};

/// A page of the rows with a coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoveringPage {
    pub(crate) coverage: Coverage,
    /// Where the page starts or ends.
    pub(crate) start: CoveringStart,
    pub(crate) limit: u64,
}

impl CoveringPage {
    /// Returns whether its rows come in reverse order.
    pub(crate) fn is_backwards(&self) -> bool {
        matches!(self.start, CoveringStart::Before(_) | CoveringStart::Oldest)
    }
}

/// The rows that a page is read from, instead of the table.
#[derive(Clone, Debug)]
pub(in crate::search) struct CoveringSource {
    pub(in crate::search) rows: RowSet,
    /// The id from which on these are all that may have the coverage; `None` if there
    /// are no others at all.
    pub(in crate::search) floor: Option<i64>,
}

/// Where a page of rows, newest first, starts or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoveringStart {
    /// With the newest row.
    Newest,
    /// After the row with this id.
    After(i64),
    /// It ends before the row with this id.
    Before(i64),
    /// It ends with the oldest row.
    Oldest,
}

/// Returns the statement for a page of a scope. A page that ends before a row
/// comes in reverse order.
pub(in crate::search) fn covering(
    table: &'static Table,
    query: &Query,
    page: CoveringPage,
    source: Option<&CoveringSource>,
    scope: &Scope<'_>,
) -> Result<Sql, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let embedding_column = table.column_of(ColumnRole::Embedding);
    let embedding = embedding_column.quoted();
    let text = search_text(table);
    let mut sql = Sql::default();
    let scope = sql.fragment(|sql| scope.push_where(sql))?;
    let vector = query.embedding.as_ref();
    let vector = sql.value(
        embedding_column,
        vector.map_or(Value::Null, ColumnValue::to_value),
    )?;
    let words = Words::bind(query, &mut sql)?;
    let (bound, order) = match page.start {
        CoveringStart::Newest => (String::new(), "DESC"),
        CoveringStart::Oldest => (String::new(), "ASC"),
        CoveringStart::After(after) => (format!(" AND {id} < {}", sql.argument(after)?), "DESC"),
        CoveringStart::Before(before) => (format!(" AND {id} > {}", sql.argument(before)?), "ASC"),
    };
    let mut bound = bound;
    let from = match source {
        Some(source) => {
            if let Some(floor) = source.floor {
                bound.push_str(&format!(" AND {id} >= {}", sql.argument(floor)?));
            }
            source.rows.from(table, &mut sql)?
        }
        None => table.quoted(),
    };
    let limit = sql.argument(i64::try_from(page.limit).unwrap_or(i64::MAX))?;
    let coverage = page.coverage as u8;
    // The patterns first: they compute the text once, and leave few rows.
    let all = match page.coverage {
        Coverage::Partial => String::new(),
        Coverage::AllWords | Coverage::AsTyped => format!(" AND {}", words.all(&text)),
    };
    sql.push(&format!(
        "SELECT {id} AS __id, __signature, {coverage} AS __coverage, \
           1 - nullif({embedding} <=> {vector}, 'NaN') AS __cosine, {fields} AS __fields, \
           0::bigint AS __lexical_rows, 0::bigint AS __covering_rows, 0::bigint AS __index_rows, \
           NULL::float8 AS __min_cosine, TRUE AS __complete, NULL::bigint[] AS __others, 0::bigint AS __listed_rows \
         FROM {from} \
         {searched}{scope}{all}{bound} \
           AND {has_coverage} = {coverage} \
         ORDER BY {id} {order} LIMIT {limit}",
        fields = search_fields(table, Some(MAX_RANKED_CHARS)),
        searched = lateral_signature(&text, &words),
        has_coverage = words.coverage(),
    ));
    Ok(sql)
}

/// Returns the statement for the ids of the covering rows of a row set, up to a limit, in no
/// order: those with all required words or, of a search for phrases, with these.
pub(in crate::search) fn covering_ids(
    table: &'static Table,
    query: &Query,
    rows: &RowSet,
    scope: &Scope<'_>,
    limit: i64,
) -> Result<Sql, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let text = search_text(table);
    let mut sql = Sql::default();
    let scope = sql.fragment(|sql| scope.push_where(sql))?;
    let from = rows.from(table, &mut sql)?;
    let limit = sql.argument(limit)?;
    let (mut searched, mut covers) = (String::new(), String::new());
    if query.phrases.is_empty() {
        let words = Words::bind(query, &mut sql)?;
        searched = lateral_signature(&text, &words);
        // The patterns first, as in `covering`.
        covers = format!(" AND {} AND {} > 0", words.all(&text), words.coverage());
    }
    sql.push(&format!(
        "SELECT {id} AS __id FROM {from} {searched}{scope}{covers} LIMIT {limit}"
    ));
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use super::{CoveringPage, CoveringSource, CoveringStart, covering, covering_ids};
    use crate::search::fixtures::{lines, query, with_scope};
    use crate::search::{Coverage, RowSet};
    use crate::{Log, Model as _};

    #[test]
    fn statement_of_covering_page_is_unchanged() {
        let row_set = CoveringSource {
            rows: RowSet::new(vec![(1, 9)], vec![12]),
            floor: Some(5),
        };
        for (name, text, coverage, start, source) in [
            (
                "covering_words",
                "second line 33",
                Coverage::AllWords,
                CoveringStart::After(7),
                None,
            ),
            (
                "covering_phrase",
                "\"Zoë\" 4111-1111-1111-1111",
                Coverage::Partial,
                CoveringStart::Before(7),
                Some(&row_set),
            ),
        ] {
            let page = CoveringPage {
                coverage,
                start,
                limit: 21,
            };
            let query = query(text);
            let sql = with_scope(|scope| covering(Log::TABLE, &query, page, source, scope));
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }

    #[test]
    fn statement_of_covering_ids_is_unchanged() {
        let rows = RowSet::new(vec![(1, 9)], Vec::new());
        for (name, text) in [
            ("covering_ids_of_words", "second line 33"),
            ("covering_ids_of_phrase", "\"line 33\" second"),
        ] {
            let query = query(text);
            let sql = with_scope(|scope| covering_ids(Log::TABLE, &query, &rows, scope, 21));
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }
}
