//! `import`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Kind;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// File of JSON lines, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub(crate) input: PathBuf,

    /// Kind of the records [default: detected from the first line]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<Kind>,

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
