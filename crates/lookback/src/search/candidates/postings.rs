//! Reading postings, and which of their records are in the scope.

use std::collections::{BTreeMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::{FULL_POSTING, NEWEST_IDS, has_orphans_below};
use crate::search::scope::Scope;
use crate::value::{ColumnValue, Value};

/// The newest records of some postings.
#[derive(Debug, Default)]
pub(super) struct PostingGroup {
    pub(super) ids: Vec<i64>,
    /// Whether there are records that are not among the ids.
    pub(super) is_truncated: bool,
}

impl PostingGroup {
    /// Adds the newest records of a template, and whether there are others.
    pub(super) fn add(&mut self, is_truncated: bool, ids: Vec<i64>) {
        self.is_truncated |= is_truncated;
        self.ids.extend(ids);
    }

    /// Sorts the ids newest first, and keeps the first `most`.
    pub(super) fn newest(&mut self, most: usize) {
        self.ids.sort_unstable_by(|a, b| b.cmp(a));
        self.ids.dedup();
        self.is_truncated |= self.ids.len() > most;
        self.ids.truncate(most);
    }
}

/// Returns a query for the records of a template in a segment range.
///
/// `ids` are the newest `each` of them, and `is_truncated` states whether there
/// may be others.
pub(super) fn posting_ids(template: &str, each: &str, range: &str) -> String {
    // The wanted postings are chosen from the index alone. Sums are of integers, since those of
    // bigint are numeric.
    format!(
        "SELECT s.is_truncated, coalesce((\
           SELECT array_agg(n.id) FROM search_postings AS k CROSS JOIN LATERAL unnest(k.newest_ids[1:{each}]) AS n(id) \
           WHERE k.id = ANY (s.posting_ids)), '{{}}') AS ids \
         FROM (\
           SELECT coalesce(bool_or(is_truncated OR newer >= {each} OR stored > {each}), FALSE) AS is_truncated, \
             array_agg(id) FILTER (WHERE newer < {each}) AS posting_ids \
           FROM (\
             SELECT id, is_truncated, stored, \
               sum(stored) OVER (ORDER BY last_id DESC, id ROWS UNBOUNDED PRECEDING) - stored AS newer \
             FROM (\
               SELECT id, last_id, rows > {FULL_POSTING} AS is_truncated, \
                 (CASE WHEN rows > {FULL_POSTING} THEN {NEWEST_IDS} ELSE rows END)::int AS stored \
               FROM search_postings WHERE template_id = {template}{range}) AS k) AS k) AS s"
    )
}

/// Returns ` AND …`: the condition that postings in a segment range are not
/// orphans.
///
/// The CTE `sealed` must precede the statement. Postings below the first
/// segment are orphans: see `index/orphans.rs`.
pub(super) fn live_postings(range: &str) -> String {
    format!("{range} AND last_id >= (SELECT __first FROM sealed)")
}

/// Returns ` AND …`: the condition that a template has [`live_postings`] in a
/// segment range.
///
/// Without a range, every template has some, except for templates of orphans.
pub(super) fn has_live_postings(template: &str, target: &str, range: &str) -> String {
    // Looked up for each template, instead of read for all.
    let has = format!(
        "(SELECT TRUE FROM search_postings \
         WHERE template_id = {template}{live_postings} LIMIT 1)",
        live_postings = live_postings(range),
    );
    if range.is_empty() {
        format!(
            " AND (NOT {has_orphans_below} OR {has})",
            has_orphans_below = has_orphans_below(target, "(SELECT __first FROM sealed)"),
        )
    } else {
        format!(" AND {has}")
    }
}

/// Returns ` AND …`: the condition that a record in the scope may have the
/// template `t`. The text is empty if the filters do not determine it.
pub(super) fn template_condition(
    table: &'static Table,
    scope: &Scope<'_>,
    sql: &mut Sql,
) -> Result<String, Error> {
    let exclusion = sql.fragment(|sql| scope.push_template_exclusion(sql))?;
    if exclusion.is_empty() {
        return Ok(String::new());
    }
    let fields = table.search.iter().enumerate().map(|(index, column)| {
        let column = table.columns[*column].quoted();
        // For the collation of the column, which determines comparisons.
        format!(
            "coalesce(t.fields[{}], (NULL::{}).{column}::text) AS {column}",
            index + 1,
            table.quoted()
        )
    });
    let fields: Vec<String> = fields.collect();
    Ok(format!(
        " AND (SELECT {exclusion} FROM (SELECT {}) AS {}) IS NOT TRUE",
        fields.join(", "),
        table.alias()
    ))
}

/// When it is looked up which of the records of postings are in the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::search) enum ScopeCheck {
    /// Before they are read: the filters may leave few of them.
    Before,
    /// As they are read: nearly all of them are in the scope.
    AsRead,
}

/// Returns which of some records are in a scope.
pub(super) async fn ids_in_scope(
    conn: &mut PgConnection,
    table: &'static Table,
    scope: &Scope<'_>,
    check: ScopeCheck,
    ids: Vec<i64>,
) -> Result<HashSet<i64>, Error> {
    match check {
        ScopeCheck::AsRead => Ok(ids.into_iter().collect()),
        ScopeCheck::Before => {
            let in_scope = rows_in_scope(conn, table, None, scope, ids).await?;
            Ok(in_scope.into_keys().collect())
        }
    }
}

/// Returns which of some records are in a scope, with their distance to a
/// vector.
pub(super) async fn rows_in_scope(
    conn: &mut PgConnection,
    table: &'static Table,
    vector: Option<&Embedding>,
    scope: &Scope<'_>,
    ids: Vec<i64>,
) -> Result<BTreeMap<i64, Option<f64>>, Error> {
    let sql = scope_statement(table, vector, scope, ids)?;
    let rows = sql
        .fetch_all(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    let record = |row: &PgRow| Ok((row.try_get("__id")?, row.try_get("__distance")?));
    Ok(rows
        .iter()
        .map(record)
        .collect::<Result<_, sqlx::Error>>()?)
}

/// Returns the statement for [`rows_in_scope`].
fn scope_statement(
    table: &'static Table,
    vector: Option<&Embedding>,
    scope: &Scope<'_>,
    ids: Vec<i64>,
) -> Result<Sql, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let embedding = table.column_of(ColumnRole::Embedding);
    let mut sql = Sql::default();
    let scope = sql.fragment(|sql| scope.push_where(sql))?;
    let vector = sql.value(embedding, vector.map_or(Value::Null, ColumnValue::to_value))?;
    let ids = sql.argument(ids)?;
    sql.push(&format!(
        "SELECT {id} AS __id, {embedding} <=> {vector} AS __distance \
         FROM (SELECT * FROM {from} WHERE {id} = ANY({ids}::bigint[]) OFFSET 0) AS {alias}{scope}",
        embedding = embedding.quoted(),
        from = table.quoted(),
        alias = table.alias(),
    ));
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use super::scope_statement;
    use crate::search::fixtures::{lines, with_scope};
    use crate::{Log, Model as _};

    #[test]
    fn statement_of_rows_in_scope_is_unchanged() {
        let sql = with_scope(|scope| scope_statement(Log::TABLE, None, scope, vec![7]));
        insta::assert_snapshot!("rows_in_scope", lines(&sql.unwrap()));
    }
}
