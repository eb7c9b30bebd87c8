//! Kinds of records, and which of the records that they list count.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::index::{LISTED, NEWEST, is_left};
use crate::search::scope::Scope;
use crate::value::{ColumnValue, Value};

/// A kind, with the newest of its records.
#[derive(Debug, Default)]
pub(super) struct Kind {
    pub(super) ids: Vec<i64>,
    /// Whether there are records that are not among the ids.
    pub(super) is_cut: bool,
}

impl Kind {
    /// Takes in the newest records of a template, and whether there are others.
    pub(super) fn add(&mut self, is_cut: bool, ids: Vec<i64>) {
        self.is_cut |= is_cut;
        self.ids.extend(ids);
    }

    /// Puts the newest first, and keeps this many.
    pub(super) fn newest(&mut self, most: usize) {
        self.ids.sort_unstable_by(|a, b| b.cmp(a));
        self.ids.dedup();
        self.is_cut |= self.ids.len() > most;
        self.ids.truncate(most);
    }
}

/// The records of a template within a span: `ids`, this many of the newest of
/// them, and `is_cut`, whether there may be others.
pub(super) fn records(template: &str, each: &str, span: &str) -> String {
    // Which are wanted is known from the index alone; sums are of integers, since those of bigint
    // are numeric.
    format!(
        "SELECT s.is_cut, coalesce((\
           SELECT array_agg(n.id) FROM search_kinds AS k CROSS JOIN LATERAL unnest(k.newest_ids[1:{each}]) AS n(id) \
           WHERE k.id = ANY (s.kinds)), '{{}}') AS ids \
         FROM (\
           SELECT coalesce(bool_or(is_cut OR newer >= {each} OR listed > {each}), FALSE) AS is_cut, \
             array_agg(id) FILTER (WHERE newer < {each}) AS kinds \
           FROM (\
             SELECT id, is_cut, listed, \
               sum(listed) OVER (ORDER BY last_id DESC, id ROWS UNBOUNDED PRECEDING) - listed AS newer \
             FROM (\
               SELECT id, last_id, rows > {LISTED} AS is_cut, \
                 (CASE WHEN rows > {LISTED} THEN {NEWEST} ELSE rows END)::int AS listed \
               FROM search_kinds WHERE deleted_at IS NULL AND template_id = {template}{span}) AS k) AS k) AS s"
    )
}

/// ` AND …`: that kinds have records of a span that are still there, where `span`
/// says what their ids are like, and `sealed` stands before the statement. What is
/// below the first segment, retention took: see `index/orphans.rs`.
pub(super) fn kept(span: &str) -> String {
    format!("{span} AND last_id >= (SELECT __first FROM sealed)")
}

/// ` AND …`: that a template has kinds that are [`kept`], of a span. Of all times, all
/// have some, but those that retention left.
pub(super) fn has_records(template: &str, target: &str, span: &str) -> String {
    // Looked up for each, and not read for all.
    let has = format!(
        "(SELECT TRUE FROM search_kinds \
         WHERE deleted_at IS NULL AND template_id = {template}{kept} LIMIT 1)",
        kept = kept(span),
    );
    match span.is_empty() {
        true => format!(
            " AND (NOT {is_left} OR {has})",
            is_left = is_left(target, "(SELECT __first FROM sealed)"),
        ),
        false => format!(" AND {has}"),
    }
}

/// ` AND …`: that a template, `t`, may be of a record of the scope; with its
/// values bound in what is returned first.
pub(super) fn possible(table: &'static Table, scope: &Scope<'_>) -> Result<(Sql, String), Error> {
    let mut sql = scope.never()?;
    let never = sql.take_text();
    if never.is_empty() {
        return Ok((sql, never));
    }
    let fields = table.search.iter().enumerate().map(|(place, column)| {
        let column = table.columns[*column].quoted();
        // For the collation of the column, by which it is compared.
        format!(
            "coalesce(t.fields[{}], (NULL::{}).{column}::text) AS {column}",
            place + 1,
            table.quoted()
        )
    });
    let fields: Vec<String> = fields.collect();
    let condition = format!(
        " AND (SELECT {never} FROM (SELECT {}) AS {}) IS NOT TRUE",
        fields.join(", "),
        table.alias()
    );
    Ok((sql, condition))
}

/// Which of some records are of a scope, and how far from a vector they are.
pub(super) async fn passing(
    conn: &mut PgConnection,
    table: &'static Table,
    vector: Option<&Embedding>,
    mut sql: Sql,
    ids: Vec<i64>,
) -> Result<BTreeMap<i64, Option<f64>>, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let embedding = table.column_of(ColumnRole::Embedding);
    let scope = sql.take_text();
    sql.bind_value(embedding, vector.map_or(Value::Null, ColumnValue::to_value))?;
    let vector = sql.take_text();
    let ids = sql.argument(ids)?;
    sql.push(&format!(
        "SELECT {id} AS __id, {embedding} <=> {vector} AS __distance \
         FROM (SELECT * FROM {from} WHERE {id} = ANY({ids}::bigint[]) OFFSET 0) AS {alias}{scope}",
        embedding = embedding.quoted(),
        from = table.quoted(),
        alias = table.alias(),
    ));
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
