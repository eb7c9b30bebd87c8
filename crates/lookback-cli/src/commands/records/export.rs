//! `export`: all records, in constant memory.
//!
//! Rows come from a stream of the library, an encoder makes bytes of them, and
//! a thread writes the bytes, so that a reader that stands still holds up the
//! rows, and not Ctrl-C.

use futures_util::TryStreamExt as _;
use indicatif::ProgressBar;
use lookback::{ColumnDef, JsonMap, Model};

use super::{Shown, asked_wrongly, check_fields, filtered, including, usage};
use crate::args::{ExportArgs, Format};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, grouped};

mod csv;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;
mod target;
mod unfinished;

use target::Target;

/// Bytes that are handed to the thread at a time.
const CHUNK: usize = 256 * 1024;
/// Rows between two looks of the progress.
const TICK: u64 = 1_000;

/// Makes bytes of rows.
trait Encoder: Send {
    /// Appends a row, or keeps it until there are more.
    fn row(&mut self, row: &JsonMap, out: &mut Vec<u8>) -> Result<(), Failure>;

    /// Appends what is left.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure>;
}

pub(super) async fn run<M: Model + Shown>(
    config: &Config,
    args: ExportArgs,
) -> Result<(), Failure> {
    let format = format_of(&args)?;
    let table = M::TABLE;
    check_fields(&args.fields)?;
    let names: Vec<String> = match args.fields.is_empty() {
        true => table
            .visible()
            .map(|column| column.name.to_owned())
            .collect(),
        false => args.fields.clone(),
    };
    let mut query = including(filtered::<M>(&args.filters)?, args.deleted);
    if args.order_by.is_empty() {
        query = query.order_by_text("id").map_err(usage)?;
    }
    for order in &args.order_by {
        query = query.order_by_text(order).map_err(usage)?;
    }
    if let Some(limit) = args.limit {
        query = query.limit(limit);
    }
    let select = query.select_text(&names).map_err(usage)?;
    // They are fields, and `deleted_at` may be one: `select_text` found them.
    let columns: Vec<&'static ColumnDef> = names
        .iter()
        .filter_map(|name| {
            table
                .columns
                .iter()
                .find(|column| column.name == name.as_str())
        })
        .collect();

    let target = Target::open(args.out.as_deref(), args.overwrite)?;
    if format == Format::Parquet && target.is_terminal() {
        return Err(Failure::usage("Parquet is not for a terminal")
            .hint("give --out FILE, or send standard output to a file"));
    }
    let mut encoder = encoder(format, table.name, &columns, &args, target.is_terminal())?;

    let mut conn = database::connect(config).await?;
    let progress = Progress::new(args.out.is_some());
    let mut writing = target.start()?;
    let (mut out, mut count) = (Vec::with_capacity(2 * CHUNK), 0);
    let work = async {
        let mut rows = select.stream(&mut conn);
        while let Some(row) = rows.try_next().await.map_err(asked_wrongly)? {
            encoder.row(&row, &mut out)?;
            count += 1;
            if out.len() >= CHUNK {
                writing.send(&mut out).await?;
            }
            if count % TICK == 0 {
                progress.at(count);
            }
        }
        encoder.end(&mut out)?;
        writing.send(&mut out).await
    };
    let done = tokio::select! {
        done = work => done,
        () = target::interrupted() => Err(Failure::interrupted(match &args.out {
            Some(file) => format!("interrupted; {} was not written", file.display()),
            None => "interrupted".to_owned(),
        })),
    };
    drop(progress);
    done?;
    writing.finish().await?;
    let what = if count == 1 { M::NAME } else { M::COMMAND };
    output::note(&match &args.out {
        Some(file) => format!("{} {what} written to {}", grouped(count), file.display()),
        None => format!("{} {what}", grouped(count)),
    });
    Ok(())
}

/// The format that is named, or the one of the name of the file.
fn format_of(args: &ExportArgs) -> Result<Format, Failure> {
    let end = args.out.as_ref().and_then(|file| file.extension());
    let format = match (args.format, end.and_then(|end| end.to_str())) {
        (Some(format), _) => format,
        (None, Some("csv")) => Format::Csv,
        (None, Some("parquet")) => Format::Parquet,
        (None, Some("jsonl" | "ndjson") | None) => Format::Jsonl,
        (None, Some(end)) => {
            return Err(Failure::usage(format!(
                "--out: a file that ends with .{end} tells no format"
            ))
            .hint("give --format jsonl, csv or parquet"));
        }
    };
    if args.for_spreadsheets && format != Format::Csv {
        return Err(Failure::usage("--for-spreadsheets goes with --format csv"));
    }
    Ok(format)
}

fn encoder(
    format: Format,
    table: &str,
    columns: &[&'static ColumnDef],
    args: &ExportArgs,
    terminal: bool,
) -> Result<Box<dyn Encoder>, Failure> {
    Ok(match format {
        Format::Jsonl => Box::new(jsonl::Lines::new(columns, terminal)),
        Format::Csv => Box::new(csv::Table::new(columns, args.for_spreadsheets, terminal)),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::Groups::new(table, columns)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            let _ = table;
            return Err(Failure::usage("this program was built without Parquet")
                .hint("build lookback-cli with its feature `parquet`"));
        }
    })
}

/// How far it is, on a terminal, where the records go elsewhere.
struct Progress(ProgressBar);

impl Progress {
    fn new(shown: bool) -> Self {
        Self(match shown {
            true => output::spinner("{spinner} {human_pos} records, {per_sec}  {elapsed}"),
            false => ProgressBar::hidden(),
        })
    }

    fn at(&self, count: u64) {
        self.0.set_position(count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
