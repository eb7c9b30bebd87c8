//! `export`: all records, in constant memory.
//!
//! Rows come from a stream of the library. An encoder of `lookback-formats` converts them to bytes, and a
//! thread writes the bytes. So a blocked reader delays the rows, but not Ctrl-C.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use lookback::Model;
use lookback::table::Table;
use lookback::value::JsonMap;
#[cfg(feature = "parquet")]
use lookback_formats::export::ParquetEncoder;
use lookback_formats::export::{
    CsvEncoder, CurlEncoder, ExportColumn, HarEncoder, JsonLinesEncoder, RequestEncoder,
    RowEncoder, Shown,
};

use super::{
    TableRow, apply_deleted, check_fields, deletion_column, filter_query, query_failure, usage,
};
use crate::args::{Deleted, ExportArgs, ExportFormat};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, grouped};

mod target;
mod temp_files;

pub(crate) use target::interrupted;

use target::Target;

/// The number of bytes after which output is sent to the thread.
const CHUNK_BYTES: usize = 256 * 1024;
/// The number of rows between two updates of the progress.
const PROGRESS_ROWS: u64 = 1_000;

/// An encoder, by what it encodes.
enum AnyEncoder {
    Rows(Box<dyn RowEncoder>),
    Requests(Box<dyn RequestEncoder>),
}

/// What is exported: fields, or a whole record.
enum Exported<M> {
    Row(JsonMap),
    Record(M),
}

type Rows<'c, M> = BoxStream<'c, Result<Exported<M>, lookback::Error>>;

impl AnyEncoder {
    fn push<M: TableRow>(&mut self, row: &Exported<M>, out: &mut Vec<u8>) -> Result<(), Failure> {
        match (self, row) {
            (Self::Rows(encoder), Exported::Row(row)) => Ok(encoder.row(row, out)?),
            (Self::Requests(encoder), Exported::Record(record)) => match record.as_request() {
                Some(request) => {
                    encoder.request(request, out);
                    Ok(())
                }
                None => unreachable!("`request_encoder` has refused other models"),
            },
            _ => unreachable!("the stream is that of the encoder"),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Rows(encoder) => Ok(encoder.end(out)?),
            Self::Requests(encoder) => {
                encoder.end(out);
                Ok(())
            }
        }
    }
}

pub(super) async fn run<M: Model + TableRow>(
    config: &Config,
    args: ExportArgs,
) -> Result<(), Failure> {
    let format = format_of(&args)?;
    let table = M::TABLE;
    let requests = request_encoder::<M>(format, &args)?;
    check_fields(&args.fields)?;
    let names: Vec<String> = if args.fields.is_empty() {
        default_fields(table, args.deleted)
    } else {
        args.fields.clone()
    };
    let mut query = apply_deleted(filter_query::<M>(&args.filters)?, args.deleted);
    if args.order_by.is_empty() {
        query = query.order_by_text("id").map_err(usage)?;
    }
    for order in &args.order_by {
        query = query.order_by_text(order).map_err(usage)?;
    }
    if let Some(limit) = args.limit {
        query = query.limit(limit);
    }
    let select = query.clone().select_text(&names).map_err(usage)?;
    let columns = ExportColumn::of(table, names);

    let target = Target::open(args.out.as_deref(), args.overwrite)?;
    if format == ExportFormat::Parquet && target.is_terminal() {
        return Err(Failure::usage("cannot write Parquet to a terminal")
            .hint("give --out FILE, or redirect standard output to a file"));
    }
    let mut encoder = match requests {
        Some(encoder) => AnyEncoder::Requests(encoder),
        None => {
            let shown = if target.is_terminal() {
                Shown::OnTerminal
            } else {
                Shown::Unchanged
            };
            let encoder = encoder(format, table.name(), &columns, &args, shown)?;
            AnyEncoder::Rows(encoder)
        }
    };

    let mut conn = database::connect(config).await?;
    let progress = ExportProgress::new(args.out.is_some());
    let mut writer = target.start()?;
    let (mut out, mut count) = (Vec::with_capacity(2 * CHUNK_BYTES), 0);
    let work = async {
        let mut rows: Rows<'_, M> = match &encoder {
            AnyEncoder::Rows(_) => select.stream(&mut conn).map_ok(Exported::Row).boxed(),
            AnyEncoder::Requests(_) => query.stream(&mut conn).map_ok(Exported::Record).boxed(),
        };
        while let Some(row) = rows.try_next().await.map_err(query_failure)? {
            encoder.push(&row, &mut out)?;
            count += 1;
            if out.len() >= CHUNK_BYTES {
                writer.send(&mut out).await?;
            }
            if count % PROGRESS_ROWS == 0 {
                progress.at(count);
            }
        }
        encoder.end(&mut out)?;
        writer.send(&mut out).await
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
    writer.finish().await?;
    let noun = if count == 1 { M::NAME } else { M::COMMAND };
    output::note(&match &args.out {
        Some(file) => format!("{} {noun} written to {}", grouped(count), file.display()),
        None => format!("{} {noun}", grouped(count)),
    });
    Ok(())
}

/// The fields of records: all that are visible, and when a record was deleted if it may be.
fn default_fields(table: &'static Table, deleted: Deleted) -> Vec<String> {
    let columns = table.visible().chain(deletion_column(table, deleted));
    columns.map(|column| column.name().to_owned()).collect()
}

/// Returns the given format, or the format for the file's extension.
fn format_of(args: &ExportArgs) -> Result<ExportFormat, Failure> {
    let extension = args.out.as_ref().and_then(|file| file.extension());
    let format = match (
        args.format,
        extension.and_then(|extension| extension.to_str()),
    ) {
        (Some(format), _) => format,
        (None, Some("csv")) => ExportFormat::Csv,
        (None, Some("parquet")) => ExportFormat::Parquet,
        (None, Some("har")) => ExportFormat::Har,
        (None, Some("sh")) => ExportFormat::Curl,
        (None, Some("jsonl" | "ndjson") | None) => ExportFormat::Jsonl,
        (None, Some(extension)) => {
            return Err(Failure::usage(format!(
                "--out: cannot tell the format from the extension .{extension}"
            ))
            .hint("give --format jsonl, csv, parquet, har or curl"));
        }
    };
    if args.for_spreadsheets && format != ExportFormat::Csv {
        return Err(Failure::usage("--for-spreadsheets requires --format csv"));
    }
    Ok(format)
}

/// Returns the encoder of a format for requests; `None` for other formats.
fn request_encoder<M: TableRow>(
    format: ExportFormat,
    args: &ExportArgs,
) -> Result<Option<Box<dyn RequestEncoder>>, Failure> {
    let (encoder, name): (Box<dyn RequestEncoder>, _) = match format {
        ExportFormat::Har => (Box::new(HarEncoder::default()), "har"),
        ExportFormat::Curl => (Box::new(CurlEncoder::new()), "curl"),
        ExportFormat::Jsonl | ExportFormat::Csv | ExportFormat::Parquet => return Ok(None),
    };
    if M::COMMAND != "requests" {
        return Err(Failure::usage(format!(
            "--format {name} is for requests, not for {}",
            M::COMMAND
        ))
        .hint("lookback requests export --format ".to_owned() + name));
    }
    if !args.fields.is_empty() {
        return Err(Failure::usage(format!(
            "--fields cannot be used with --format {name}, which has its own fields"
        )));
    }
    Ok(Some(encoder))
}

fn encoder(
    format: ExportFormat,
    table: &str,
    columns: &[ExportColumn],
    args: &ExportArgs,
    shown: Shown,
) -> Result<Box<dyn RowEncoder>, Failure> {
    Ok(match format {
        ExportFormat::Jsonl => Box::new(JsonLinesEncoder::new(columns, shown)),
        ExportFormat::Har | ExportFormat::Curl => unreachable!("`request_encoder` has them"),
        ExportFormat::Csv => Box::new(CsvEncoder::new(columns, args.for_spreadsheets, shown)),
        #[cfg(feature = "parquet")]
        ExportFormat::Parquet => Box::new(ParquetEncoder::new(table, columns)?),
        #[cfg(not(feature = "parquet"))]
        ExportFormat::Parquet => {
            let _ = table;
            return Err(Failure::usage("this program was built without Parquet")
                .hint("build lookback-cli with its feature `parquet`"));
        }
    })
}

/// The progress of an export to a file, shown on a terminal.
struct ExportProgress(ProgressBar);

impl ExportProgress {
    fn new(shown: bool) -> Self {
        Self(if shown {
            output::spinner("{spinner} {human_pos} records, {per_sec}  {elapsed}")
        } else {
            ProgressBar::hidden()
        })
    }

    fn at(&self, count: u64) {
        self.0.set_position(count);
    }
}

impl Drop for ExportProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
