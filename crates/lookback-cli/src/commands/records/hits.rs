//! `search` and `similar`: hits with their explanation.

use chrono::{DateTime, Utc};
use lookback::query::Total;
use lookback::search::{Copies, Hit, Note, WordMatch};
use lookback::{Json, Model, QueryBuilder};
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
    query: QueryBuilder<M>,
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
        let mut envelope = envelope(&data, hits.total, cursors, args)?;
        if let (Some(rows), Json::Object(fields)) = (hits.folded, &mut envelope)
            && let Some(Json::Object(metadata)) = fields.get_mut("metadata")
        {
            metadata.insert("rows".to_owned(), rows.value().into());
            metadata.insert("rows_are_exact".to_owned(), rows.is_exact().into());
        }
        return output::json(&envelope);
    }
    let mut headings = M::headings();
    let mut rows: Vec<Vec<Cell>> = hits.data.iter().map(marked_cells).collect();
    let records = hits.data.iter().map(|hit| &hit.record);
    insert_deleted_column(args.deleted, records, &mut headings, &mut rows);
    let notes = hits.data.iter().map(|hit| {
        let copies = hit.copies.as_ref().and_then(copies_line);
        let reasons = explain.then(|| reasons(hit));
        copies
            .into_iter()
            .chain(reasons.into_iter().flatten())
            .collect()
    });
    let notes: Vec<Vec<String>> = notes.collect();
    output::noted_table(&headings, &rows, &notes)?;
    match hits.folded {
        Some(folded) if folded.value() != hits.total.value() && !hits.data.is_empty() => {
            print_folded::<M>(hits.data.len(), folded, hits.total, cursors);
        }
        _ => print_count::<M>(hits.data.len(), hits.total, cursors),
    }
    Ok(())
}

/// Says how many hits a row stands for; nothing if it is the only one.
fn copies_line(copies: &Copies) -> Option<String> {
    if copies.count == Total::Exact(1) {
        return None;
    }
    let times = times(copies.first, copies.last);
    Some(format!("{} times, {times}", output::total(copies.count)))
}

/// Formats the times of the first and the last of some records.
pub(super) fn times(first: DateTime<Utc>, last: DateTime<Utc>) -> String {
    if first == last {
        format!("at {}", output::time(first))
    } else {
        format!("from {} to {}", output::time(first), output::time(last))
    }
}

/// Prints the number of rows, and of the hits that they stand for.
fn print_folded<M: TableRow>(shown: usize, rows: Total, hits: Total, cursors: PageCursors<'_>) {
    output::note(&format!(
        "{} of {} {}, of {} {}; to list every one: --all",
        output::grouped(shown as u64),
        output::total(rows),
        super::noun_of_patterns(rows),
        output::total(hits),
        super::noun::<M>(hits),
    ));
    super::print_next(cursors);
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
    Ok(with_deleted_at(&hit.record, hit.to_json()?))
}
