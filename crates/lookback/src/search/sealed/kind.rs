//! Kinds of records, and which of the records that they list count.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{Role, Table};
use crate::search::scope::Scope;
use crate::sql::Sql;
use crate::value::{ColumnValue, Value};

/// A kind that is near, with the newest of its records.
#[derive(Debug, Default)]
pub(super) struct Kind {
    pub(super) ids: Vec<i64>,
    /// Whether there are records that are not among the ids.
    pub(super) is_cut: bool,
    /// Some of each entry that is a part of it.
    samples: Vec<Vec<i64>>,
}

/// So many records of an entry stand for all of it.
const SAMPLE: usize = 5;

impl Kind {
    /// Takes in an entry: how many records it has, and the newest of them.
    pub(super) fn add(&mut self, rows: i64, ids: Vec<i64>) {
        self.is_cut |= rows.unsigned_abs() > ids.len() as u64;
        self.samples
            .push(ids.iter().copied().take(SAMPLE).collect());
        self.ids.extend(ids);
    }

    /// Whether the filters leave no record of it, listed or not.
    fn is_never(&self, never: &BTreeMap<i64, bool>) -> bool {
        self.samples.iter().all(|sample| {
            let mut known = sample.iter().filter_map(|id| never.get(id)).peekable();
            known.peek().is_some() && known.all(|never| *never)
        })
    }

    /// Puts the newest first, and keeps this many.
    pub(super) fn newest(&mut self, most: usize) {
        self.ids.sort_unstable_by(|a, b| b.cmp(a));
        self.ids.dedup();
        self.is_cut |= self.ids.len() > most;
        self.ids.truncate(most);
    }
}

/// Which of some records are of a scope, and how far from a vector they are.
pub(super) async fn passing(
    conn: &mut PgConnection,
    table: &'static Table,
    vector: Option<&Embedding>,
    mut sql: Sql,
    ids: Vec<i64>,
) -> Result<BTreeMap<i64, Option<f64>>, Error> {
    let id = table.role(Role::Id).quoted();
    let embedding = table.role(Role::Embedding);
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
        .map_err(|error| Error::of_table(table, error))?;
    let record = |row: &PgRow| Ok((row.try_get("__id")?, row.try_get("__distance")?));
    Ok(rows
        .iter()
        .map(record)
        .collect::<Result<_, sqlx::Error>>()?)
}

/// Whether there may be records of some kinds that are of a scope and not
/// listed.
pub(super) async fn are_starved<'k>(
    conn: &mut PgConnection,
    table: &'static Table,
    scope: &Scope<'_>,
    kinds: impl Iterator<Item = &'k Kind>,
) -> Result<bool, Error> {
    let kinds: Vec<&Kind> = kinds.collect();
    if kinds.is_empty() {
        return Ok(false);
    }
    let mut sql = scope.never()?;
    if sql.is_empty() {
        return Ok(true);
    }
    let never = sql.take_text();
    let samples = kinds.iter().flat_map(|kind| kind.samples.iter().flatten());
    let samples: Vec<i64> = samples.copied().collect();
    let id = table.role(Role::Id).quoted();
    let ids = sql.argument(samples)?;
    sql.push(&format!(
        "SELECT {id} AS __id, ({never}) AS __never FROM {} WHERE {id} = ANY({ids}::bigint[])",
        table.quoted()
    ));
    let rows = sql
        .fetch_all(conn)
        .await
        .map_err(|error| Error::of_table(table, error))?;
    let record = |row: &PgRow| Ok((row.try_get("__id")?, row.try_get("__never")?));
    let never = rows
        .iter()
        .map(record)
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(!kinds.iter().all(|kind| kind.is_never(&never)))
}
