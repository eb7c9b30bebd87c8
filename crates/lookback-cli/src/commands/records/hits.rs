//! `search` and `similar`: hits with their explanation.

use lookback::search::{Hit, Note, WordMatch};
use lookback::{Json, Model, QueryBuilder, json};
use serde::Serialize;

use super::{
    PageCursors, TableRow, envelope, insert_deleted_column, print_count, query_failure,
    with_deleted_at,
};
use crate::args::PageArgs;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell};

pub(super) async fn run<M: Model + Serialize + TableRow>(
    config: &Config,
    query: &QueryBuilder<M>,
    args: &PageArgs,
    explain: bool,
) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let hits = query.hits(&mut conn).await.map_err(query_failure)?;
    let cursors = PageCursors::of(&hits.next, &hits.previous);
    database::warn_about_encoder(&mut conn).await;
    print_notes::<M>(&hits.notes);
    if args.json {
        let data = hits
            .data
            .iter()
            .map(hit_json)
            .collect::<Result<Vec<Json>, Failure>>()?;
        return output::json(&envelope(&data, hits.total, cursors, args)?);
    }
    let mut headings = M::HEADINGS.to_vec();
    let mut rows: Vec<Vec<Cell>> = hits.data.iter().map(marked_cells).collect();
    let records = hits.data.iter().map(|hit| &hit.record);
    insert_deleted_column(args.deleted, records, &mut headings, &mut rows);
    let notes: Vec<Vec<String>> = if explain {
        hits.data.iter().map(reasons).collect()
    } else {
        Vec::new()
    };
    output::noted_table(&headings, &rows, &notes)?;
    print_count::<M>(hits.data.len(), hits.total, cursors);
    Ok(())
}

/// Prints how the search text was read, where a person might not expect it.
fn print_notes<M: TableRow>(notes: &[Note]) {
    for note in notes {
        match note {
            Note::Excluded(text) => output::note(&format!(
                "excluded: records with {text:?}; to search for it, quote it: '\"-{text}\"'"
            )),
            Note::NotAField(term) => output::note(&format!(
                "searched as words: {term:?} names no field of {}, or a value that it cannot have",
                M::COMMAND
            )),
            _ => {}
        }
    }
}

/// Converts a record to cells, with highlights in the last one.
fn marked_cells<M: TableRow>(hit: &Hit<M>) -> Vec<Cell> {
    let mut cells = hit.record.cells();
    if let Some(last) = cells.pop() {
        let highlight = hit
            .highlights
            .iter()
            .find(|highlight| highlight.text == last.text);
        let marks = highlight.map(|highlight| highlight.ranges.clone());
        cells.push(last.marks(marks.unwrap_or_default()));
    }
    cells
}

/// Explains a hit: its score, then a line for each word.
fn reasons<M>(hit: &Hit<M>) -> Vec<String> {
    let mut score = match hit.why.similarity {
        Some(similarity) if hit.why.words.is_empty() => format!("similarity {similarity:.2}"),
        Some(similarity) => format!("score {:.2}, similarity {similarity:.2}", hit.score),
        None => format!("score {:.2}", hit.score),
    };
    if hit.why.phrase {
        score.push_str(", all words as typed");
    }
    let width = |part: fn(&WordMatch) -> usize| hit.why.words.iter().map(part).max().unwrap_or(0);
    let word = width(|word| word.word.chars().count());
    let kind = width(|word| word.kind.as_str().len());
    let words = hit.why.words.iter().map(|matched| {
        format!(
            "{:word$}  {:kind$}  {} in {}, {:.2} of {:.2}",
            matched.word,
            matched.kind,
            matched.matched,
            matched.field,
            matched.quality * matched.weight,
            matched.weight,
        )
    });
    std::iter::once(score).chain(words).collect()
}

/// Converts a hit to JSON: the fields of the record, and `hit`.
fn hit_json<M: Serialize + TableRow>(hit: &Hit<M>) -> Result<Json, Failure> {
    let mut record = with_deleted_at(&hit.record, Json::from_serialize(&hit.record)?);
    let words: Vec<Json> = hit
        .why
        .words
        .iter()
        .map(|word| {
            json!({
                "word": word.word,
                "kind": word.kind.as_str(),
                "field": word.field,
                "matched": word.matched,
                "quality": word.quality,
                "weight": word.weight,
            })
        })
        .collect();
    let highlights: Vec<Json> = hit
        .highlights
        .iter()
        .map(|highlight| {
            let ranges = highlight
                .ranges
                .iter()
                .map(|range| json!([range.start, range.end]));
            json!({
                "field": highlight.field,
                "text": highlight.text,
                "ranges": ranges.collect::<Vec<Json>>(),
            })
        })
        .collect();
    if let Json::Object(fields) = &mut record {
        fields.insert(
            "hit".to_owned(),
            json!({
                "score": hit.score,
                "why": { "words": words, "phrase": hit.why.phrase, "similarity": hit.why.similarity },
                "highlights": highlights,
            }),
        );
    }
    Ok(record)
}
