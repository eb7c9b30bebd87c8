//! The command line: global options here, and those of each command in `args/`.
//!
//! The files in `args/` are named as in `commands/`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::Verbosity;

mod alerts;
mod db;
mod import;
mod metrics;
mod pg;
mod records;
mod replay;
mod serve;
mod storage;
mod users;

pub(crate) use alerts::{AlertCommand, CreateAlertArgs, MeasureArg, SubjectArg};
pub(crate) use db::{DbCli, DbCommand, DecisionArgs, FilesArgs, RebaseArgs, WaitArgs};
pub(crate) use import::{ImportArgs, ImportFormat, ImportKind, OnError};
pub(crate) use metrics::{MetricCommand, RebuildArgs};
pub(crate) use pg::PgCommand;
pub(crate) use records::{
    Count, Deleted, ExportArgs, ExportFormat, Format, PageArgs, RecordCommand, TailArgs,
};
pub(crate) use replay::ReplayArgs;
pub(crate) use serve::{KeyCommand, OtherAddress, ScopeArg, ServeArgs};
pub(crate) use storage::{PruneArgs, StorageCommand, StorageTable};
pub(crate) use users::{RoleArg, UserCommand};

/// Look back at everything your API did: its requests, log lines and latency
/// windows, kept in PostgreSQL
#[derive(Debug, Parser)]
#[command(name = "lookback", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options that select the database.
///
/// Each can also be set by its environment variable, or in `lookback.toml` under
/// the name of the option with `_`, and settings under `[pg_settings]`. Programs
/// (`pg_bin`) and account (`pg_user`) only in a file that is given explicitly.
#[derive(Debug, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct Options {
    /// PostgreSQL to use [env: DATABASE_URL] [default: a private one]
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Folder of the private PostgreSQL [env: LOOKBACK_DATA_DIR]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Programs of the private PostgreSQL [env: LOOKBACK_PG_BIN] [default: found or fetched]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,

    /// Port of the private PostgreSQL [env: LOOKBACK_PG_PORT] [default: a free one, kept]
    #[arg(long, global = true, hide_short_help = true, value_name = "PORT", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) pg_port: Option<u16>,

    /// User that runs the private PostgreSQL for root [env: LOOKBACK_PG_USER]
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    pub(crate) pg_user: Option<String>,

    /// Setting of the private PostgreSQL for its next start, such as work_mem=64MB; once for each
    /// [env: LOOKBACK_PG_SETTINGS, separated by ;]
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME=VALUE")]
    pub(crate) pg_setting: Vec<String>,

    /// Longest time for the database to answer list, search, similar, stats and get: 500ms, 30s,
    /// 5m; 0s for any time [env: LOOKBACK_TIMEOUT] [default: 30s]
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub(crate) timeout: Option<String>,

    /// Configuration file [env: LOOKBACK_CONFIG] [default: lookback.toml, if there is one]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Print tables in their full width [default: as wide as the terminal, else COLUMNS, else 80]
    #[arg(long, global = true, help_heading = "Output", hide_short_help = true)]
    pub(crate) wide: bool,

    /// Say nothing beside the data but warnings and errors
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Say also where each setting is from, which server it is, what caused an error, and times
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
}

/// What `-h` says instead of the options of the database, which every command has.
const HELP_HINT: &str = "The options of the database and the width of tables: --help";

/// Adds [`HELP_HINT`] to a command and all below it.
pub(crate) fn with_help_hint(command: clap::Command) -> clap::Command {
    command
        .after_help(HELP_HINT)
        // The long help has these options itself.
        .after_long_help("")
        .mut_subcommands(with_help_hint)
}

impl Options {
    /// How much is printed beside the data.
    pub(crate) fn verbosity(&self) -> Result<Verbosity, Failure> {
        match (self.quiet, self.verbose) {
            (false, false) => Ok(Verbosity::Normal),
            (true, false) => Ok(Verbosity::Quiet),
            (false, true) => Ok(Verbosity::Verbose),
            // clap does not see a conflict of one before the command and one after it.
            (true, true) => Err(Failure::usage("--quiet and --verbose exclude each other")),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Import records from JSON lines, CSV or Parquet
    Import(ImportArgs),

    /// Find, read, delete and restore log lines
    Logs {
        #[command(subcommand)]
        command: RecordCommand,
    },

    /// Find, read, delete and restore captured requests
    Requests {
        #[command(subcommand)]
        command: RecordCommand,
    },

    /// Find, read, delete and restore latency windows, and compute them again
    Metrics {
        #[command(subcommand)]
        command: MetricCommand,
    },

    /// Send captured requests again, and compare the responses
    Replay(Box<ReplayArgs>),

    /// Create, find, read, delete and restore users
    Users {
        #[command(subcommand)]
        command: UserCommand,
    },

    /// Take in records over HTTP, and serve them
    Serve(Box<ServeArgs>),

    /// Let an agent read records, by the Model Context Protocol over standard input and output
    Mcp,

    /// Make, list and revoke the API keys of the server
    Keys {
        #[command(subcommand)]
        command: KeyCommand,
    },

    /// Watch records: make, list, test and delete the alert rules of the server
    Alerts {
        #[command(subcommand)]
        command: AlertCommand,
    },

    /// Generate, apply and check migrations
    Db {
        #[command(subcommand)]
        command: DbCommand,
    },

    /// Keep large tables fast: partitions, sealing, retention
    Storage {
        #[command(subcommand)]
        command: StorageCommand,
    },

    /// Run the private PostgreSQL
    Pg {
        #[command(subcommand)]
        command: PgCommand,
    },

    /// Check the database in use, and say how to fix what is wrong or slow
    ///
    /// Exit code 1 if something does not work; advice alone is 0. Starts the private PostgreSQL if
    /// no database is configured.
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Print the configuration in force, and where each value is from
    Config {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Print a script with which a shell completes commands and options
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },

    /// Print the manual page, or write one for each command into a folder
    Man {
        /// Folder to write into
        dir: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Log lines
    Logs,
    /// Captured requests
    Requests,
}
