//! `export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Deleted, number};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Only records that match all of these, as for list
    #[arg(value_name = "FIELD__LOOKUP=VALUE")]
    pub(crate) filters: Vec<String>,

    /// Only records that have all these words, "phrases" in quotes, and nothing after a `-`
    #[arg(long = "match", value_name = "TEXT")]
    pub(crate) matching: Option<String>,

    /// Format of the output [default: by the extension of --out, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<ExportFormat>,

    /// File to write; it must not exist, and appears once it is complete [default: standard
    /// output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// With --out: replace an existing file
    #[arg(long, requires = "out")]
    pub(crate) overwrite: bool,

    /// Write these fields, separated by commas, in this order [default: all]
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,

    /// Order by this field, -FIELD for the largest first [default: id]
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub(crate) order_by: Vec<String>,

    /// Maximum number of records
    #[arg(long, value_name = "RECORDS", allow_negative_numbers = true, value_parser = number::<u32>)]
    pub(crate) limit: Option<u32>,

    /// Deleted records: exclude them, include them, or write only them
    #[arg(long, value_enum, default_value_t = Deleted::Without)]
    pub(crate) deleted: Deleted,

    /// With csv: put a ' before text that a spreadsheet would interpret as a formula
    #[arg(long)]
    pub(crate) for_spreadsheets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A JSON object on each line
    Jsonl,
    /// Comma-separated values with a line of headings (RFC 4180)
    Csv,
    /// Apache Parquet
    Parquet,
    /// An HTTP archive (HAR 1.2), for requests
    Har,
    /// A command of curl for each request
    Curl,
}

/// A format of records of Lookback, for import and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A JSON object on each line
    Jsonl,
    /// Comma-separated values with a line of headings (RFC 4180)
    Csv,
    /// Apache Parquet
    Parquet,
}
