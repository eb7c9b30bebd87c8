//! `import`

use std::path::PathBuf;

use chrono::{FixedOffset, Offset as _, Utc};
use clap::{Args, ValueEnum};
use lookback::table::Table;
use lookback::{Log, Metric, Model as _, RequestSnapshot, User};

use super::Format;

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// Files of logs or requests in any format, folders or patterns of them, or - for standard input
    #[arg(value_name = "FILE|-", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// The one of them that is imported.
    #[arg(skip)]
    pub(crate) input: PathBuf,

    /// Kind of the records, which are Lookback's own [default: detected from the fields]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<ImportKind>,

    /// Format of Lookback's own records [default: detected]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,

    /// Source of log lines that name none [default: the name of the file]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "format"])]
    pub(crate) source: Option<String>,

    /// Offset of times without a zone, such as +02:00 [default: UTC]
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, value_parser = offset, conflicts_with_all = ["kind", "format"])]
    pub(crate) timezone: Option<FixedOffset>,

    /// Store what the files have, and wait for more, until SIGINT or SIGTERM
    #[arg(long, short = 'F', conflicts_with_all = ["dry_run", "restart"])]
    pub(crate) follow: bool,

    /// Print the first records as they would be stored, and store none
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Treat text of no known format as invalid
    #[arg(long, conflicts_with_all = ["kind", "format"])]
    pub(crate) strict: bool,

    /// Store each record under the id that it has in the input, which must be free
    #[arg(long)]
    pub(crate) keep_ids: bool,

    /// What to do with an invalid line [default: stop; with --follow: skip]
    #[arg(long, value_enum)]
    pub(crate) on_error: Option<OnError>,

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

impl ImportArgs {
    /// What to do with an invalid line. One line does not end a program that runs for months.
    pub(crate) fn on_error(&self) -> OnError {
        self.on_error.unwrap_or(if self.follow {
            OnError::Skip
        } else {
            OnError::Stop
        })
    }
}

/// Parses `+02:00`, `-0530`, `+2`, `Z` or `UTC`.
fn offset(text: &str) -> Result<FixedOffset, String> {
    if matches!(text, "Z" | "z" | "UTC" | "utc") {
        return Ok(Utc.fix());
    }
    let wrong = || format!("{text} is no offset such as +02:00, -05:30 or UTC");
    let (sign, digits) = match text.split_at_checked(1) {
        Some(("+", digits)) => (1, digits),
        Some(("-", digits)) => (-1, digits),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    let (Ok(hours), Ok(minutes)) = (hours.parse::<u8>(), minutes.parse::<u8>()) else {
        return Err(wrong());
    };
    let seconds = sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60);
    let is_in_hour = minutes < 60;
    FixedOffset::east_opt(seconds)
        .filter(|_| is_in_hour)
        .ok_or_else(wrong)
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
