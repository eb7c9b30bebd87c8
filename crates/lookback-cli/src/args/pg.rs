//! `pg`

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum PgCommand {
    /// Start the private PostgreSQL, unless it is running
    Start,

    /// Stop the private PostgreSQL
    Stop,

    /// Show whether it is running, and where
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Print its URL, with the password
    Url,

    /// Print the end of its log
    Logs {
        /// Lines to print
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
    },
}
