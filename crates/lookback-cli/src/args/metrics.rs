//! `metrics`

use clap::{Args, Subcommand};

use super::RecordCommand;

#[derive(Debug, Subcommand)]
pub(crate) enum MetricCommand {
    /// Compute windows again from the stored requests
    Rebuild(RebuildArgs),

    #[command(flatten)]
    Records(RecordCommand),
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// The first minute: -1h, 2026-03-01, 2026-03-01T12:00:00Z
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        default_value = "-24h"
    )]
    pub(crate) from: String,

    /// The minute after the last one; the newest minutes are left to capture, which adds what it
    /// has counted to the windows that are stored
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        default_value = "-5m"
    )]
    pub(crate) until: String,

    /// Replace windows that count more requests than are stored, too: captured with sampling,
    /// or of requests that were deleted since
    #[arg(long)]
    pub(crate) lower: bool,

    /// Report what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
