//! `storage`

use clap::{Args, Subcommand, ValueEnum};

use super::Kind;
use crate::retention::{Age, Size};

#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Show partitions, sizes and unsealed records of each table
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Pre-create partitions, and seal new records
    Seal {
        /// Only these [default: both]
        #[arg(value_enum)]
        kind: Option<Kind>,

        /// Continue with new records until interrupted
        #[arg(long)]
        watch: bool,
    },

    /// Merge the search summaries of full partitions
    Compact {
        /// Only these [default: both]
        #[arg(value_enum)]
        kind: Option<Kind>,
    },

    /// Take what is older, more or longer deleted than it may be
    Retain(RetainArgs),

    /// Recompute all vectors and their search summaries
    Reembed,
}

#[derive(Debug, Args)]
pub(crate) struct RetainArgs {
    /// Only this table [default: all]
    #[arg(value_enum)]
    pub(crate) table: Option<RetainTable>,

    /// Show what would go, and take nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Logs, requests and latency windows made longer ago than this: 90m, 12h, 30d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) older_than: Option<Age>,

    /// The oldest logs or requests, while the table has more than this: 500MB, 50GB, 1TiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(crate) larger_than: Option<Size>,

    /// Records that were deleted longer ago than this: 90m, 12h, 30d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) deleted_older_than: Option<Age>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RetainTable {
    /// Log lines
    Logs,
    /// Captured requests
    Requests,
    /// Latency windows
    Metrics,
    /// Users, if they are deleted
    Users,
}
