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

use super::query::Query;
use super::rank::MIN_COSINE;
use super::sealed::Places;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::Pattern;
use crate::model::{ColumnRole, Table};
use crate::model::{search_fields, search_text};
use crate::value::{ColumnValue, Value};

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

/// The nearest of some rows.
struct Near<'a> {
    id: &'a str,
    distance: &'a str,
    /// ` … FROM table WHERE …`, after the `FROM`.
    rows: &'a str,
}

impl Near<'_> {
    /// Two scans: one counts what kinds there are, the other reads the nearest
    /// of them; all of them, where they are few rows.
    /// One of them, where the rows are few.
    fn by_scan(&self, are_few: bool) -> String {
        let Self { id, distance, rows } = self;
        if are_few {
            let once = Self {
                id: "__id",
                distance: "distance",
                rows: "near_rows WHERE TRUE",
            };
            return format!(
                ", near_rows AS MATERIALIZED (SELECT {id} AS __id, {distance} AS distance FROM {rows}){}",
                once.by_scan(false)
            );
        }
        format!(
            ", near_kinds AS MATERIALIZED (\
               SELECT (nullif({distance}, 'NaN') * {PARTS})::int AS kind, count(*) AS counted FROM {rows} GROUP BY 1), \
             near AS (SELECT {id} AS __id, {distance} AS distance FROM {rows} AND ({distance}) * {PARTS} <= (\
               SELECT max(kind) + 0.5 FROM (\
                 SELECT kind FROM near_kinds WHERE kind <= {FAR} ORDER BY kind LIMIT (\
                   SELECT CASE WHEN sum(counted) > {NEAR} THEN {KINDS} END FROM near_kinds WHERE kind <= {FAR})) AS k)), {nearest}",
            nearest = Self::nearest("SELECT __id, distance FROM near"),
        )
    }

    /// From an index in the order of nearness; again beyond it, where lines of
    /// a few kinds are all that came.
    fn by_index(&self) -> String {
        let Self { id, distance, rows } = self;
        let mut sql = String::new();
        let mut so_far = String::new();
        for step in 1..=STEPS {
            let beyond = match so_far.is_empty() {
                true => String::new(),
                false => format!(
                    " AND {distance} > (SELECT max(distance) + 0.5 / {PARTS} FROM ({so_far}) AS s) \
                     AND (SELECT count(*) = {full} AND count(DISTINCT (distance * {PARTS})::int) < {KINDS} \
                          AND max(distance) * {PARTS} <= {FAR} FROM ({so_far}) AS s)",
                    full = STEP * i64::try_from(step - 1).unwrap_or(i64::MAX),
                ),
            };
            sql.push_str(&format!(
                ", near{step} AS MATERIALIZED (SELECT {id} AS __id, nullif({distance}, 'NaN') AS distance \
                   FROM {rows}{beyond} ORDER BY {distance}, {id} DESC LIMIT {STEP})"
            ));
            if !so_far.is_empty() {
                so_far.push_str(" UNION ALL ");
            }
            so_far.push_str(&format!("SELECT __id, distance FROM near{step}"));
        }
        format!("{sql}, near AS ({so_far}), {}", Self::nearest(&so_far))
    }

    fn nearest(rows: &str) -> String {
        format!(
            "nearest AS (SELECT __id FROM (\
               SELECT __id, distance, row_number() OVER (\
                 PARTITION BY (distance * {PARTS})::int ORDER BY __id DESC) AS nth FROM ({rows}) AS r) AS n \
             ORDER BY (nth - 1) / {NEAR_OF_A_KIND}, distance, __id DESC LIMIT {NEAR})"
        )
    }
}

/// Conditions on what rows have of the words of a query.
pub(super) struct Words {
    words: Vec<Word>,
}

struct Word {
    whole: String,
    pieces: Vec<String>,
}

impl Words {
    fn bind(query: &Query, sql: &mut Sql) -> Result<Self, Error> {
        // Both sides in lower case by the same hand, the database's.
        let mut pattern = |piece: &String| {
            Ok(format!(
                "lower({})",
                sql.argument(Pattern::containing(piece))?
            ))
        };
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
        // Not one condition a pattern: each would make the text anew, and of a
        // long one that is what takes time. An index serves this as well.
        let patterns: Vec<&str> = patterns.map(String::as_str).collect();
        format!("{text} LIKE ANY (ARRAY[{}])", patterns.join(", "))
    }

    /// What a text has of each, two bits a word: 2 for the word, 1 for a piece.
    fn signature(&self, text: &str) -> String {
        let like = |pattern: &String| format!("{text} LIKE {pattern}");
        let words = self.words.iter().map(|word| {
            let pieces = word.pieces.iter().map(like).collect();
            (like(&word.whole), pieces)
        });
        signature(words)
    }

    /// How rare each word is among the rows that have any.
    pub(super) fn weights(words: usize) -> String {
        let of_word = |place: usize| {
            format!(
                "ln(1 + count(*)::float8 / (1 + count(*) FILTER (WHERE (__signature >> {}) & 2 = 2))) AS w{place}",
                2 * place
            )
        };
        (0..words).map(of_word).collect::<Vec<_>>().join(", ")
    }

    /// The same, where each row stands for as many as it says.
    pub(super) fn weights_of_rows(words: usize) -> String {
        let of_word = |place: usize| {
            format!(
                "ln(1 + sum(rows)::float8 / (1 + coalesce(sum(rows) FILTER (WHERE (__signature >> {}) & 2 = 2), 0))) AS w{place}",
                2 * place
            )
        };
        (0..words).map(of_word).collect::<Vec<_>>().join(", ")
    }

    /// What a row has of these words, each by its weight; a piece is worth half.
    pub(super) fn score(words: impl Iterator<Item = usize>) -> String {
        let of_word = |place: usize| format!("((__signature >> {}) & 3) * w{place}", 2 * place);
        words.map(of_word).collect::<Vec<_>>().join(" + ")
    }
}

/// What something has of words, two bits a word, from conditions that say whether
/// it has each word and each piece of it. What has no piece does not have the
/// word, and most do not.
pub(super) fn signature(words: impl Iterator<Item = (String, Vec<String>)>) -> String {
    let of_word = |(place, (whole, pieces)): (usize, (String, Vec<String>))| {
        let (word, piece) = (2_i64 << (2 * place), 1_i64 << (2 * place));
        match pieces.is_empty() {
            true => format!("CASE WHEN {whole} THEN {word} ELSE 0 END"),
            false => format!(
                "CASE WHEN NOT ({}) THEN 0 WHEN {whole} THEN {word} ELSE {piece} END",
                pieces.join(" OR ")
            ),
        }
    };
    let words: Vec<String> = words.enumerate().map(of_word).collect();
    format!("({})::bigint", words.join(" + "))
}
