//! `tail`

use clap::Args;

use super::{Deleted, number};

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Only records that match all of these, as for list
    #[arg(value_name = "FIELD__LOOKUP=VALUE")]
    pub(crate) filters: Vec<String>,

    /// Only records that have all these words, "phrases" in quotes, and nothing after a `-`
    #[arg(long = "match", value_name = "TEXT")]
    pub(crate) matching: Option<String>,

    /// Print this many of the last records first
    #[arg(long, short = 'n', value_name = "RECORDS", default_value_t = 10, allow_negative_numbers = true, value_parser = number::<u32>)]
    pub(crate) last: u32,

    /// Continue at this position, which an interrupted tail printed, with all records since
    #[arg(long, value_name = "POSITION", conflicts_with = "last")]
    pub(crate) after: Option<String>,

    /// Deleted records: exclude them, include them, or print only them
    #[arg(long, value_enum, default_value_t = Deleted::Without)]
    pub(crate) deleted: Deleted,

    /// Follow the tables of this server of `lookback serve`, instead of a database
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,

    /// API key of the server, one that may read [env: LOOKBACK_KEY]
    #[arg(long, value_name = "KEY", requires = "server")]
    pub(crate) key: Option<String>,

    /// Print each record as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}
