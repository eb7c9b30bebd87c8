//! `import`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Kind;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// File of JSON lines, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub(crate) input: PathBuf,

    /// What the lines are [default: told from the first line]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<Kind>,

    /// What to do at a line that is not right
    #[arg(long, value_enum, default_value_t = OnError::Stop)]
    pub(crate) on_error: OnError,

    /// Write the lines that are not right to this file, as they are
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,

    /// Go on where an earlier import of the same input stopped
    #[arg(long, conflicts_with = "restart")]
    pub(crate) resume: bool,

    /// Import from the start, whatever an earlier import of the same input stored
    #[arg(long)]
    pub(crate) restart: bool,

    /// Name of the input, by which a later import knows it again [default: the path of the file]
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Records to store at a time, all or none of them
    #[arg(long, value_name = "ROWS", default_value_t = 5_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) batch: u32,

    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Stop at it; what comes before is stored
    Stop,
    /// Report it and go on
    Skip,
}
