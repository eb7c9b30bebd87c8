//! `--dry-run`: the first records of an input, as they would be stored.

use std::collections::BTreeMap;

use lookback::table::ColumnValues;
use lookback::{Json, Log, Metric, Model, RequestSnapshot, User};

use super::batches::decoding;
use super::content::{self, Content};
use super::lines::Lines;
use super::reader::{self, Batch, Outcome, ReadOptions, Rejected};
use super::report::Notes;
use super::{Input, entries};
use crate::args::{ImportArgs, ImportKind};
use crate::failure::Failure;
use crate::output::{self, grouped};

/// The number of records that are shown.
const SHOWN: usize = 10;

/// Prints the first records as JSON, with their kind. Needs no database.
pub(super) fn print(args: &ImportArgs, input: &Input) -> Result<(), Failure> {
    let mut lines = Lines::new(input.reader()?);
    let content = content::of(args, &mut lines, input)?;
    let options = ReadOptions {
        size: SHOWN,
        on_error: args.on_error(),
        resumable: false,
        format: input.format(),
        keep_ids: args.keep_ids,
        is_stream: !input.is_file(),
    };
    match content {
        Content::Records(ImportKind::Logs) => of_table::<Log>(args, input, content, lines, options),
        Content::Records(ImportKind::Requests) => {
            of_table::<RequestSnapshot>(args, input, content, lines, options)
        }
        Content::Records(ImportKind::Metrics) => {
            of_table::<Metric>(args, input, content, lines, options)
        }
        Content::Records(ImportKind::Users) => {
            of_table::<User>(args, input, content, lines, options)
        }
        Content::Entries => {
            let mut first = None;
            entries::read(
                lines,
                options,
                decoding(args, input),
                args.is_strict(),
                |batch| {
                    let is_empty = batch.as_ref().is_ok_and(Batch::is_empty);
                    first = Some(batch);
                    is_empty
                },
            );
            shown::<Log>(args, input, content, first)
        }
    }
}

fn of_table<M: Model>(
    args: &ImportArgs,
    input: &Input,
    content: Content,
    lines: Lines,
    options: ReadOptions,
) -> Result<(), Failure> {
    let mut first = None;
    reader::read::<M::New>(lines, options, |batch| {
        let is_empty = batch.as_ref().is_ok_and(Batch::is_empty);
        first = Some(batch);
        is_empty
    });
    shown::<M>(args, input, content, first)
}

fn shown<M: Model>(
    args: &ImportArgs,
    input: &Input,
    content: Content,
    first: Option<Result<Batch<M::New>, Failure>>,
) -> Result<(), Failure> {
    let Some(batch) = first else {
        return Ok(());
    };
    let batch = batch?;
    let of_records = match content {
        Content::Records(kind) => kind,
        Content::Entries => ImportKind::Logs,
    };
    for record in batch.records.iter().take(SHOWN) {
        output::json(&BTreeMap::from([(of_records.name(), fields(record))]))?;
    }
    for record in batch.requests.records.iter().take(SHOWN) {
        let name = ImportKind::Requests.name();
        output::json(&BTreeMap::from([(name, fields(record))]))?;
    }
    let problem = |bad: &Rejected| {
        format!(
            "{}, {} {}: {}",
            input.shown(),
            input.unit(),
            grouped(bad.line.number),
            bad.problem
        )
    };
    for bad in &batch.rejected {
        output::warning(&problem(bad));
    }
    if let Some(skipped) = batch.skipped.shown() {
        output::note(&format!("{}: would skip {skipped}", input.shown()));
    }
    Notes {
        args,
        content,
        stored: (batch.records.len() + batch.requests.records.len()) as u64,
        local_times: batch.local_times,
        renumbered: batch.renumbered,
    }
    .print();
    for problem in &batch.missing_fields {
        output::warning(&format!("{}: {problem}", input.shown()));
    }
    match &batch.outcome {
        Outcome::Stopped(bad) => Err(Failure::failed(problem(bad))),
        _ => Ok(()),
    }
}

/// The fields of a record that are set, without hidden ones.
fn fields<N: ColumnValues>(record: &N) -> BTreeMap<&'static str, Json> {
    let columns = N::Model::TABLE.columns().iter().enumerate();
    columns
        .filter(|(_, column)| !column.is_hidden())
        .filter_map(|(index, column)| {
            let value = record.value(index)?.to_json();
            (!value.is_null()).then_some((column.name(), value))
        })
        .collect()
}
