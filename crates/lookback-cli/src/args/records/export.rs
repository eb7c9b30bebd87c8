//! `export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Deleted, number};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Only records for which all of these hold, as for list
    #[arg(value_name = "FIELD__LOOKUP=VALUE")]
    pub(crate) filters: Vec<String>,

    /// What to write [default: told from the end of --out, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,

    /// File to write, which must not be there yet; it is there when it is whole [default:
    /// standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// With --out: replace a file that is there
    #[arg(long, requires = "out")]
    pub(crate) overwrite: bool,

    /// Write these fields, separated by commas, in this order [default: all]
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,

    /// Order by this field, -FIELD for the largest first [default: id]
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub(crate) order_by: Vec<String>,

    /// Only so many records
    #[arg(long, value_name = "RECORDS", allow_negative_numbers = true, value_parser = number::<u32>)]
    pub(crate) limit: Option<u32>,

    /// Deleted records: leave them out, write them too, or write nothing else
    #[arg(long, value_enum, default_value_t = Deleted::Without)]
    pub(crate) deleted: Deleted,

    /// With csv: put a ' before text that a spreadsheet would take for a formula
    #[arg(long)]
    pub(crate) for_spreadsheets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A JSON object on each line
    Jsonl,
    /// Comma-separated values with a line of headings (RFC 4180)
    Csv,
    /// Apache Parquet
    Parquet,
}
