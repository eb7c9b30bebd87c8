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

    /// Pre-create partitions, seal new records and freeze full partitions
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

    /// Delete records that are past their retention policy
    Prune(PruneArgs),

    /// Recompute all vectors and their search summaries
    Reembed,

    /// Move logs and requests into shards on several servers, with Citus
    Distribute {
        /// Shards of each table [default: 2 for each server]
        #[arg(long, value_name = "N")]
        shards: Option<u32>,

        /// Show what would be moved, and move nothing
        #[arg(long)]
        dry_run: bool,
    },

    /// Move logs and requests back to one server
    Undistribute {
        /// Show what would be moved, and move nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only this table [default: all]
    #[arg(value_enum)]
    pub(crate) table: Option<StorageTable>,

    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Delete logs, requests and latency windows created longer ago than this: 90m, 12h, 30d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) older_than: Option<Age>,

    /// Delete the oldest logs or requests while the table is larger than this: 500MB, 50GB, 1TiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(crate) larger_than: Option<Size>,

    /// Purge records that were soft-deleted longer ago than this: 90m, 12h, 30d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) deleted_older_than: Option<Age>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StorageTable {
    /// Log lines
    Logs,
    /// Captured requests
    Requests,
    /// Latency windows
    Metrics,
    /// Users that are soft-deleted
    Users,
}
