//! The statement that fetches candidates.
//!
//! ```text
//! letters   every row that has a piece of a word, with a signature of which
//! weights   how rare each word is among them
//! lettered  the best of them, but the newest few of each kind first
//! nearest   the nearest rows, the newest few of each kind first
//! ```
//!
//! Logs repeat. A kind is the rows that have the same of the words and the same
//! cosine: lines that differ in numbers alone have the same embedding. Without
//! kinds, one template would fill every place.

mod nearest;
pub(super) mod scan_settings;
mod words;

use super::candidates::Places;
use super::parse::query::Query;
use super::rank::MIN_COSINE;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::model::{search_fields, search_text};
use crate::value::{ColumnValue, Value};
use nearest::Near;
pub(super) use words::{Words, signature};

/// Rows fetched because they share letters with the words.
pub(super) const BY_LETTERS: i64 = 1_000;

/// Of these, the newest of a kind that come before all others of it, and then
/// the next as many.
pub(super) const OF_A_KIND: i64 = 20;

/// Rows fetched because their embedding is near, and of a kind before all others
/// of it.
pub(super) const NEAR: i64 = 1_000;
pub(super) const NEAR_OF_A_KIND: i64 = 10;

/// Kinds that are looked at, the nearest, where all of them are more than `NEAR`
/// rows.
pub(super) const KINDS: i64 = 100;

/// From an index, rows are read in steps of this many. Those after the first
/// are taken only if the rows so far are of fewer kinds than `KINDS`, and begin
/// beyond the last row.
pub(super) const STEP: i64 = 400;
const STEPS: usize = 5;

/// How the nearest rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// In their order, from an index.
    ByIndex,
    /// All of them: how many there are of each kind, then those of the nearest
    /// kinds.
    ByScan,
}

/// What of a search field is ranked at most, in characters.
pub(super) const RANKED_TEXT: u32 = 2_000;

/// Where rows are read: all of the table, if nothing else is said.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// Those that share letters with the words.
    pub(super) letters: Option<Places>,
    /// Those that are near.
    pub(super) near: Option<Places>,
}

/// The candidates among the rows of `scope`, which is ` WHERE …` with its
/// values bound.
pub(super) fn candidates(
    table: &'static Table,
    query: &Query,
    likeness: Likeness,
    sources: &Sources,
    mut sql: Sql,
) -> Result<Sql, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let embedding_column = table.column_of(ColumnRole::Embedding);
    let embedding = embedding_column.quoted();
    let from = table.quoted();
    let text = search_text(table);
    let scope = sql.take_text();
    let read_from = |places: &Option<Places>, sql: &mut Sql| match places {
        Some(places) => places.from(table, sql),
        None => Ok(table.quoted()),
    };
    let letters_from = read_from(&sources.letters, &mut sql)?;
    let near_from = read_from(&sources.near, &mut sql)?;
    let vector = query
        .embedding
        .as_ref()
        .map_or(Value::Null, ColumnValue::to_value);
    sql.bind_value(embedding_column, vector)?;
    let vector = sql.take_text();

    let words = Words::bind(query, &mut sql)?;
    let signature = words.signature("__searched.__text");
    // A vector of zeros has no direction: its distance is no number.
    let cosine = format!("1 - nullif({embedding} <=> {vector}, 'NaN')");
    let lateral = format!("CROSS JOIN LATERAL (SELECT {text} AS __text OFFSET 0) AS __searched");
    let any = match query.phrases.is_empty() {
        true => format!(" AND ({})", words.any(&text)),
        false => String::new(),
    };
    sql.push(&format!(
        "WITH letters AS MATERIALIZED (\
           SELECT {id} AS __id, {cosine} AS __cosine, {signature} AS __signature \
           FROM {letters_from} {lateral}{scope}{any}), \
         weights AS (SELECT {weights} FROM letters), \
         kinds AS (\
           SELECT __id, __signature, __cosine, row_number() OVER (\
             PARTITION BY __signature, (__cosine * 10000)::int ORDER BY __id DESC) AS nth FROM letters), \
         lettered AS (\
           SELECT __id FROM kinds CROSS JOIN weights \
           ORDER BY (nth - 1) / {OF_A_KIND}, {score} DESC, __cosine DESC NULLS LAST, __id DESC \
           LIMIT {BY_LETTERS})",
        weights = Words::weights(query.fetched.len()),
        score = Words::score(0..query.fetched.len()),
    ));
    let mut found = "SELECT __id FROM lettered".to_owned();
    // What was read, and whether that is all there is.
    let mut read = "SELECT 0::bigint AS taken, NULL::float8 AS least, TRUE AS complete".to_owned();
    if query.is_fetched_by_likeness() {
        let rows = format!("{near_from}{scope} AND {embedding} IS NOT NULL");
        let near = Near {
            id: &id,
            distance: &format!("{embedding} <=> {vector}"),
            rows: &rows,
        };
        sql.push(&match likeness {
            Likeness::ByIndex => near.by_index(),
            Likeness::ByScan => near.by_scan(sources.near.is_some()),
        });
        found.push_str(" UNION SELECT __id FROM nearest");
        read = match likeness {
            Likeness::ByIndex => {
                "SELECT count(*) AS taken, 1 - max(distance) AS least, FALSE AS complete FROM near"
                    .to_owned()
            }
            Likeness::ByScan => format!(
                "SELECT 0::bigint AS taken, NULL::float8 AS least, \
                   coalesce((SELECT sum(counted) FROM near_kinds WHERE kind <= {FAR}), 0) <= {NEAR} AS complete"
            ),
        };
    }
    sql.push(&format!(
        ", read AS ({read}) \
         SELECT {id} AS __id, {signature} AS __signature, {cosine} AS __cosine, {fields} AS __fields, \
           (SELECT count(*) FROM letters) AS __by_letters, (SELECT taken FROM read) AS __taken, \
           (SELECT least FROM read) AS __least, (SELECT complete FROM read) AS __complete \
         FROM {from} {lateral} WHERE {id} = ANY (ARRAY({found}))",
        fields = search_fields(table, Some(RANKED_TEXT)),
    ));
    Ok(sql)
}

/// A kind is a distance in this many parts of one: lines of one template are
/// equal, and others are hardly ever.
pub(super) const PARTS: i64 = 10_000;

/// The farthest kind that can make a hit.
#[allow(clippy::cast_possible_truncation)]
pub(super) const FAR: i64 = ((1.0 - MIN_COSINE) * PARTS as f32) as i64;
