//! Fetching the rows that may be hits.

use sqlx::{PgConnection, Row as _};

use super::query::Query;
use crate::model::{Role, Table};
use crate::sql::Sql;
use crate::value::{ColumnType, ColumnValue, Value};

/// Rows fetched because they share letters with the words.
const BY_LETTERS: usize = 500;

/// Rows fetched because their embedding is near.
const BY_LIKENESS: usize = 200;

/// Nearness from which likeness may make a hit. Unrelated texts lie around 0
/// with a deviation of a quarter, as directions in 16 dimensions do.
pub(super) const MIN_COSINE: f32 = 0.6;

/// What of a row's text is ranked, in characters.
const RANKED_TEXT: i32 = 2_000;

/// A row that may be a hit.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    /// The text of the search fields, in lower case, cut to what is ranked.
    pub(crate) text: String,
    /// The share of the fetched words that are in the row, by length.
    pub(crate) matched: f32,
    /// The cosine of the embeddings.
    pub(crate) cosine: f32,
}

/// The rows that may be hits.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) candidates: Vec<Candidate>,
    /// Whether there are no others.
    pub(crate) complete: bool,
}

/// Fetches the candidates among the rows of `scope`, which is ` WHERE …` with
/// its values bound.
pub(crate) async fn candidates(
    table: &'static Table,
    query: &Query,
    scope: Sql,
    conn: &mut PgConnection,
) -> Result<Candidates, sqlx::Error> {
    let statement = statement(table, query, scope).map_err(|error| match error {
        crate::Error::Driver(source) => source,
        other => sqlx::Error::Encode(Box::new(other)),
    })?;
    let rows = statement.fetch_all(conn).await?;

    let (mut by_letters, mut by_likeness) = (0, 0);
    let mut nearest_is_complete = true;
    let mut found: Vec<Candidate> = Vec::with_capacity(rows.len());
    for row in &rows {
        let letters: bool = row.try_get("letters")?;
        let cosine: Option<f64> = row.try_get("cosine")?;
        #[allow(clippy::cast_possible_truncation)]
        let cosine = cosine.unwrap_or(0.0) as f32;
        if letters {
            by_letters += 1;
        } else {
            by_likeness += 1;
            // Sorted by nearness: once one is too far, all that were left out are.
            let near = cosine >= MIN_COSINE;
            nearest_is_complete = !near;
            if !near {
                continue;
            }
        }
        found.push(Candidate {
            id: row.try_get("id")?,
            text: row.try_get("text")?,
            matched: row.try_get("matched")?,
            cosine,
        });
    }
    // A row may have been found both ways; the letters come first.
    found.sort_by(|a, b| a.id.cmp(&b.id).then(b.matched.total_cmp(&a.matched)));
    found.dedup_by_key(|candidate| candidate.id);
    Ok(Candidates {
        candidates: found,
        complete: query.is_fetched_by_every_word()
            && by_letters < BY_LETTERS
            && (by_likeness < BY_LIKENESS || nearest_is_complete),
    })
}

fn statement(table: &'static Table, query: &Query, mut sql: Sql) -> Result<Sql, crate::Error> {
    let scope = sql.take_text();
    let embedding = table.role(Role::Embedding);
    let vector = query
        .embedding
        .as_ref()
        .map_or(Value::Null, ColumnValue::to_value);
    sql.bind_value(embedding, vector)?;
    let vector = sql.take_text();

    let mut pieces: Vec<String> = Vec::new();
    let mut scores: Vec<String> = Vec::new();
    let mut matched: Vec<String> = Vec::new();
    let length: usize = query.fetched.iter().map(|f| f.word.chars().count()).sum();
    for fetched in &query.fetched {
        let characters = fetched.word.chars().count();
        // Both sides in lower case by the same hand, the database's.
        let whole = format!("lower({})", sql.argument(contains(&fetched.word))?);
        matched.push(format!(
            "CASE WHEN text LIKE {whole} THEN {characters} ELSE 0 END"
        ));
        if fetched.halves.is_empty() {
            pieces.push(whole);
        }
        for half in &fetched.halves {
            let half_length = half.chars().count();
            let half = format!("lower({})", sql.argument(contains(half))?);
            // A half is worth less than half of a whole word.
            scores.push(format!(
                "CASE WHEN text LIKE {half} THEN {half_length} ELSE 0 END"
            ));
            pieces.push(half);
        }
    }
    let matched = matched.join(" + ");
    let score = match scores.is_empty() {
        true => format!("3 * ({matched})"),
        false => format!("3 * ({matched}) + {}", scores.join(" + ")),
    };
    let by_letters: Vec<String> = pieces
        .iter()
        .map(|piece| format!("text LIKE {piece}"))
        .collect();
    sql.push(&format!(
        "WITH scope AS NOT MATERIALIZED (\
           SELECT {id} AS id, {embedding} AS embedding, lower({text}) AS text FROM {from}{scope}) \
         (SELECT id, left(text, {RANKED_TEXT}) AS text, TRUE AS letters, \
            (({matched})::real / {length})::real AS matched, 1 - (embedding <=> {vector}) AS cosine \
          FROM scope WHERE {by_letters} ORDER BY {score} DESC, id DESC LIMIT {BY_LETTERS}) \
         UNION ALL \
         (SELECT id, left(text, {RANKED_TEXT}), FALSE, 0::real, 1 - (embedding <=> {vector}) \
          FROM scope WHERE embedding IS NOT NULL \
          ORDER BY embedding <=> {vector}, id DESC LIMIT {BY_LIKENESS})",
        id = table.role(Role::Id).quoted(),
        embedding = embedding.quoted(),
        text = text_of(table),
        from = table.quoted(),
        by_letters = by_letters.join(" OR "),
    ));
    Ok(sql)
}

/// The text of the search fields of a row, as one expression.
fn text_of(table: &'static Table) -> String {
    let fields: Vec<String> = table
        .search
        .iter()
        .map(|index| {
            let column = &table.columns[*index];
            let text = match column.ty {
                ColumnType::Text => column.quoted(),
                _ => format!("{}::text", column.quoted()),
            };
            match column.nullable {
                true => format!("coalesce({text}, '')"),
                false => text,
            }
        })
        .collect();
    match fields.is_empty() {
        true => "''::text".to_owned(),
        false => fields.join(" || ' ' || "),
    }
}

/// A pattern for a text that contains `piece`, letter by letter.
fn contains(piece: &str) -> String {
    let mut pattern = String::with_capacity(piece.len() + 2);
    pattern.push('%');
    for c in piece.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
