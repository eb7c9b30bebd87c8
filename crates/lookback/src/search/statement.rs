//! The statement that fetches candidates.
//!
//! ```text
//! letters   every row that has a piece of a word, with a signature of which
//! weights   how rare each word is among them
//! lettered  the best of them, but the newest few of each kind first
//! near1…3   the nearest rows; again beyond them, where they are all alike
//! found     these together
//! ```
//!
//! Logs repeat. A kind is the rows that have the same of the words and the same
//! cosine: lines that differ in numbers alone have the same embedding. Without
//! kinds, one template would fill every place.

use super::grammar::containing;
use super::query::Query;
use super::rank::MIN_COSINE;
use crate::error::Error;
use crate::model::{Role, Table};
use crate::sql::Sql;
use crate::value::{ColumnType, ColumnValue, Value};

/// Rows fetched because they share letters with the words.
pub(super) const BY_LETTERS: i64 = 1_000;

/// Of these, the newest of a kind that come before all others of it, and then
/// the next as many.
const OF_A_KIND: i64 = 20;

/// Rows fetched in a step because their embedding is near.
pub(super) const NEAREST: i64 = 300;

/// Steps by likeness; those after the first are taken only if the rows so far
/// are of fewer kinds than `KINDS`, and begin where the last one ended.
pub(super) const STEPS: usize = 3;
const KINDS: i64 = 60;

/// What of a row's text is ranked, in characters.
const RANKED_TEXT: i32 = 2_000;

/// The candidates among the rows of `scope`, which is ` WHERE …` with its
/// values bound.
pub(super) fn candidates(table: &'static Table, query: &Query, mut sql: Sql) -> Result<Sql, Error> {
    let id = table.role(Role::Id).quoted();
    let embedding_column = table.role(Role::Embedding);
    let embedding = embedding_column.quoted();
    let from = table.quoted();
    let text = searched(table);
    let scope = sql.take_text();
    let vector = query
        .embedding
        .as_ref()
        .map_or(Value::Null, ColumnValue::to_value);
    sql.bind_value(embedding_column, vector)?;
    let vector = sql.take_text();

    let words = Words::bind(query, &mut sql)?;
    let signature = words.signature("__searched.__text");
    let lateral = format!("CROSS JOIN LATERAL (SELECT {text} AS __text OFFSET 0) AS __searched");
    let any = match query.phrases.is_empty() {
        true => format!(" AND ({})", words.any(&text)),
        false => String::new(),
    };
    sql.push(&format!(
        "WITH letters AS MATERIALIZED (\
           SELECT {id} AS __id, 1 - ({embedding} <=> {vector}) AS __cosine, {signature} AS __signature \
           FROM {from} {lateral}{scope}{any}), \
         weights AS (SELECT {weights} FROM letters), \
         kinds AS (\
           SELECT __id, __signature, __cosine, row_number() OVER (\
             PARTITION BY __signature, (__cosine * 10000)::int ORDER BY __id DESC) AS nth FROM letters), \
         lettered AS (\
           SELECT __id FROM kinds CROSS JOIN weights \
           ORDER BY (nth - 1) / {OF_A_KIND}, {score} DESC, __cosine DESC NULLS LAST, __id DESC \
           LIMIT {BY_LETTERS})",
        weights = words.weights(),
        score = words.score(),
    ));
    let mut found = "SELECT __id FROM lettered".to_owned();
    let mut nearest = "SELECT 0::bigint AS taken, NULL::float8 AS least".to_owned();
    if query.is_fetched_by_likeness() {
        let mut steps: Vec<String> = Vec::new();
        for step in 1..=STEPS {
            let beyond = match steps.is_empty() {
                true => String::new(),
                false => {
                    let so_far = steps
                        .iter()
                        .map(|step| format!("SELECT distance FROM {step}"))
                        .collect::<Vec<_>>()
                        .join(" UNION ALL ");
                    format!(
                        " AND {embedding} <=> {vector} > (SELECT max(distance) + 0.00005 FROM ({so_far}) AS s) \
                         AND (SELECT count(*) = {full} AND count(DISTINCT (distance * 10000)::int) < {KINDS} \
                              AND max(distance) < {far} FROM ({so_far}) AS s)",
                        full = NEAREST * i64::try_from(step - 1).unwrap_or(i64::MAX),
                        far = 1.0 - MIN_COSINE,
                    )
                }
            };
            sql.push(&format!(
                ", near{step} AS MATERIALIZED (\
                   SELECT {id} AS __id, {embedding} <=> {vector} AS distance \
                   FROM {from}{scope} AND {embedding} IS NOT NULL{beyond} \
                   ORDER BY {embedding} <=> {vector}, {id} DESC LIMIT {NEAREST})"
            ));
            found.push_str(&format!(" UNION SELECT __id FROM near{step}"));
            steps.push(format!("near{step}"));
        }
        let last: Vec<String> = steps
            .iter()
            .rev()
            .map(|step| format!("nullif((SELECT count(*) FROM {step}), 0)"))
            .collect();
        let all = steps
            .iter()
            .map(|step| format!("SELECT distance FROM {step}"))
            .collect::<Vec<_>>()
            .join(" UNION ALL ");
        nearest = format!(
            "SELECT coalesce({}, 0) AS taken, (SELECT 1 - max(distance) FROM ({all}) AS s) AS least",
            last.join(", ")
        );
    }
    sql.push(&format!(
        ", nearest AS ({nearest}) \
         SELECT {id} AS __id, {signature} AS __signature, 1 - ({embedding} <=> {vector}) AS __cosine, {fields} AS __fields, \
           (SELECT count(*) FROM letters) AS __by_letters, \
           (SELECT taken FROM nearest) AS __nearest, (SELECT least FROM nearest) AS __least \
         FROM {from} {lateral} WHERE {id} IN ({found})",
        fields = fields(table, Some(RANKED_TEXT)),
    ));
    Ok(sql)
}

/// Conditions on what rows have of the words of a query.
struct Words {
    words: Vec<Word>,
}

struct Word {
    whole: String,
    pieces: Vec<String>,
}

impl Words {
    fn bind(query: &Query, sql: &mut Sql) -> Result<Self, Error> {
        // Both sides in lower case by the same hand, the database's.
        let mut pattern =
            |piece: &String| Ok(format!("lower({})", sql.argument(containing(piece))?));
        let mut words = Vec::new();
        for fetched in &query.fetched {
            words.push(Word {
                whole: pattern(&fetched.word)?,
                pieces: fetched
                    .pieces
                    .iter()
                    .map(&mut pattern)
                    .collect::<Result<_, Error>>()?,
            });
        }
        Ok(Self { words })
    }

    /// Whether a text has any of them.
    fn any(&self, text: &str) -> String {
        let patterns = self
            .words
            .iter()
            .flat_map(|word| match word.pieces.is_empty() {
                true => std::slice::from_ref(&word.whole),
                false => word.pieces.as_slice(),
            });
        patterns
            .map(|pattern| format!("{text} LIKE {pattern}"))
            .collect::<Vec<_>>()
            .join(" OR ")
    }

    /// What a text has of each, two bits a word: 2 for the word, 1 for a piece.
    fn signature(&self, text: &str) -> String {
        let of_word = |(place, word): (usize, &Word)| {
            let pieces: Vec<String> = word
                .pieces
                .iter()
                .map(|piece| format!("{text} LIKE {piece}"))
                .collect();
            let piece = match pieces.is_empty() {
                true => String::new(),
                false => format!(
                    " WHEN {} THEN {}",
                    pieces.join(" OR "),
                    1_i64 << (2 * place)
                ),
            };
            format!(
                "CASE WHEN {text} LIKE {} THEN {}{piece} ELSE 0 END",
                word.whole,
                2_i64 << (2 * place)
            )
        };
        let words: Vec<String> = self.words.iter().enumerate().map(of_word).collect();
        format!("({})::bigint", words.join(" + "))
    }

    /// How rare each word is among the rows that have any.
    fn weights(&self) -> String {
        let of_word = |place: usize| {
            format!(
                "ln(1 + count(*)::float8 / (1 + count(*) FILTER (WHERE (__signature >> {}) & 2 = 2))) AS w{place}",
                2 * place
            )
        };
        (0..self.words.len())
            .map(of_word)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// What a row has of the words, each by its weight; a piece is worth half.
    fn score(&self) -> String {
        let of_word = |place: usize| format!("((__signature >> {}) & 3) * w{place}", 2 * place);
        (0..self.words.len())
            .map(of_word)
            .collect::<Vec<_>>()
            .join(" + ")
    }
}

/// What is searched of a row: its search fields in lower case, each on a line
/// of its own. A trigram index that serves a search is on this expression.
pub(crate) fn searched(table: &'static Table) -> String {
    let fields = texts(table);
    match fields.is_empty() {
        true => "''::text".to_owned(),
        false => format!("lower({})", fields.join(" || E'\\n' || ")),
    }
}

/// The texts of the search fields of a row as an array, together cut to a
/// number of characters.
pub(crate) fn fields(table: &'static Table, cut: Option<i32>) -> String {
    let fields: Vec<String> = texts(table)
        .into_iter()
        .map(|text| match cut {
            Some(cut) => format!("left({text}, {cut})"),
            None => text,
        })
        .collect();
    format!("ARRAY[{}]::text[]", fields.join(", "))
}

fn texts(table: &'static Table) -> Vec<String> {
    let text = |index: &usize| {
        let column = &table.columns[*index];
        let text = match column.ty {
            ColumnType::Text => column.quoted(),
            _ => format!("{}::text", column.quoted()),
        };
        match column.nullable {
            true => format!("coalesce({text}, '')"),
            false => text,
        }
    };
    table.search.iter().map(text).collect()
}
