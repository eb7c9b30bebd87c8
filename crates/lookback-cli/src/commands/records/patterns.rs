//! `patterns`: how many records there are of each pattern.

use lookback::query::{Pattern, Total};
use lookback::{Json, Model, QueryBuilder, json};
use serde::Serialize;

use super::{TableRow, query_failure, usage};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading};

pub(super) struct PatternsRequest {
    /// Words and filters; a filter has a `=`.
    pub(super) what: Vec<String>,
    /// The time from which on a pattern is new.
    pub(super) new_since: Option<String>,
    pub(super) exact: bool,
    pub(super) json: bool,
}

pub(super) async fn run<M: Model + Serialize + TableRow>(
    config: &Config,
    mut query: QueryBuilder<M>,
    request: PatternsRequest,
) -> Result<(), Failure> {
    let (filters, words): (Vec<String>, Vec<String>) = request
        .what
        .into_iter()
        .partition(|argument| argument.contains('='));
    match words.as_slice() {
        [] => {}
        [words] => query = query.search(words),
        words => {
            return Err(
                Failure::usage("the words of a search are one argument").hint(format!(
                    "lookback {} patterns {}",
                    M::COMMAND,
                    super::in_shell_quotes(&words.join(" "))
                )),
            );
        }
    }
    if !filters.is_empty() {
        let filters = filters.iter().map(String::as_str);
        query = query.filter(lookback::Filter::parse_all(filters).map_err(usage)?);
    }
    let mut patterns = query.patterns();
    if let Some(since) = &request.new_since {
        patterns = patterns.new_since_text(since).map_err(usage)?;
    }
    if request.exact {
        patterns = patterns.exact();
    }
    let mut conn = database::connect(config).await?;
    let page = patterns.fetch(&mut conn).await.map_err(query_failure)?;
    if request.json {
        let data = page.data.iter().map(Pattern::to_json);
        let data = data.collect::<Result<Vec<Json>, _>>()?;
        return output::json(&json!({
            "data": data,
            "metadata": {
                "total": page.total.value(),
                "total_is_exact": page.total.is_exact(),
                "records": page.records.value(),
                "records_are_exact": page.records.is_exact(),
            },
        }));
    }
    let headings = [Heading::new("COUNT"), Heading::new("SHARE")];
    let headings = headings
        .into_iter()
        .chain(M::headings().into_iter().filter(is_shown));
    let headings: Vec<Heading> = headings.collect();
    let rows: Vec<Vec<Cell>> = page.data.iter().map(cells).collect();
    let times = page.data.iter();
    let times: Vec<Vec<String>> = times
        .map(|pattern| vec![super::hits::times(pattern.first, pattern.last)])
        .collect();
    output::noted_table(&headings, &rows, &times)?;
    output::note(&match page.total.value() {
        0 => format!("no {} found", M::COMMAND),
        _ => format!(
            "{} of {} {}, of {} {}",
            output::grouped(page.data.len() as u64),
            output::total(page.total),
            super::noun_of_patterns(page.total),
            output::total(page.records),
            super::noun::<M>(page.records),
        ),
    });
    if matches!(page.records, Total::About(_)) {
        output::note(
            "counts of sealed records are as of their sealing; to count every record: --exact",
        );
    }
    Ok(())
}

/// Whether a column of the example is shown: its time is the last one, or near it.
fn is_shown(heading: &Heading) -> bool {
    heading.name() != "TIME"
}

/// Returns the cells of a pattern: its count and share, and those of its example.
fn cells<M: TableRow>(pattern: &Pattern<M>) -> Vec<Cell> {
    let example = M::headings().into_iter().zip(pattern.example.cells());
    let example = example.filter(|(heading, _)| is_shown(heading));
    let counts = [
        Cell::new(output::total(pattern.count)),
        Cell::new(format!("{:.1} %", pattern.share * 100.0)),
    ];
    counts
        .into_iter()
        .chain(example.map(|(_, cell)| cell))
        .collect()
}
