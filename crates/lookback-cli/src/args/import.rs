//! `import`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookback::table::Table;
use lookback::{Log, Metric, Model as _, RequestSnapshot, User};

use super::Format;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// File of JSON lines, CSV or Parquet, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub(crate) input: PathBuf,

    /// Kind of the records [default: detected from the names of the fields]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<ImportKind>,

    /// Format of the input [default: by the extension of the file, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,

    /// Store each record under the id that it has in the input, which must be free
    #[arg(long)]
    pub(crate) keep_ids: bool,

    /// What to do with an invalid line
    #[arg(long, value_enum, default_value_t = OnError::Stop)]
    pub(crate) on_error: OnError,

    /// Write invalid lines to this file, unchanged
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,

    /// Continue where an earlier import of the same input stopped
    #[arg(long, conflicts_with = "restart")]
    pub(crate) resume: bool,

    /// Import from the start, even if an earlier import stored part of the input
    #[arg(long)]
    pub(crate) restart: bool,

    /// Name that identifies the input in a later import [default: the path of the file]
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Records to store in one transaction
    #[arg(long, value_name = "ROWS", default_value_t = 5_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) batch: u32,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Stop there; the lines before it are stored
    Stop,
    /// Report it and continue
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// Log lines
    Logs,
    /// Captured requests
    Requests,
    /// Latency windows
    Metrics,
    /// Users
    Users,
}

impl ImportKind {
    pub(crate) const ALL: [Self; 4] = [Self::Logs, Self::Requests, Self::Metrics, Self::Users];

    /// The table of the records.
    pub(crate) fn table(self) -> &'static Table {
        match self {
            Self::Logs => Log::TABLE,
            Self::Requests => RequestSnapshot::TABLE,
            Self::Metrics => Metric::TABLE,
            Self::Users => User::TABLE,
        }
    }
}
