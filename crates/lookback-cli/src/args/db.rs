//! Arguments of `db`, in this program and in those of applications.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::Options;
use crate::output::Verbosity;

/// Migrations of this application's tables
#[derive(Debug, Parser)]
#[command(name = "db", version, max_term_width = 100)]
pub(crate) struct DbCli {
    #[command(flatten)]
    pub(crate) options: Options,

    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

impl DbCli {
    /// Sets the default folder of an application.
    pub(crate) fn with_folder(command: clap::Command) -> clap::Command {
        ["migrate", "status", "revert"]
            .into_iter()
            .fold(command, |command, name| {
                command.mut_subcommand(name, |command| {
                    command.mut_arg("dir", |dir| {
                        dir.help("Folder of migrations [default: migrations]")
                    })
                })
            })
    }
}

impl DbCommand {
    /// How much is printed: on a terminal some commands ask, and
    /// what they ask is printed as notes are.
    pub(crate) fn verbosity(&self, asked: Verbosity) -> Verbosity {
        if matches!(self, Self::Generate { .. } | Self::Push { .. }) && io::stdin().is_terminal() {
            asked.max(Verbosity::Normal)
        } else {
            asked
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Apply the migrations that are pending
    Migrate {
        /// Print the SQL of the migrations that are pending, and apply nothing
        #[arg(long)]
        dry_run: bool,

        #[command(flatten)]
        wait: WaitArgs,

        #[command(flatten)]
        files: FilesArgs,
    },

    /// Show which migrations are applied
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        files: FilesArgs,
    },

    /// Revert the newest migration by its .down.sql
    Revert {
        #[command(flatten)]
        wait: WaitArgs,

        #[command(flatten)]
        files: FilesArgs,
    },

    /// Generate migration files from changes of the models; needs no database
    Generate {
        /// Words of the file's name [default: derived from the change]
        name: Option<String>,

        /// Write .down.sql files that revert the change, too
        #[arg(long)]
        reversible: bool,

        /// Write an empty file, for a change of data
        #[arg(long, requires = "name", conflicts_with = "reversible")]
        empty: bool,

        /// Version of the first file, later than the others [default: the time in UTC]
        #[arg(long, value_name = "YYYYMMDDhhmmss", value_parser = clap::value_parser!(i64).range(1..))]
        version: Option<i64>,

        #[command(flatten)]
        rebase: RebaseArgs,

        #[command(flatten)]
        decisions: DecisionArgs,

        #[command(flatten)]
        folder: FolderArgs,
    },

    /// Change the database to match the models, without migrations (development only)
    Push {
        /// Show the changes, and stop
        #[arg(long)]
        explain: bool,

        /// Make the changes without asking
        #[arg(long, short)]
        yes: bool,

        /// Let this table or column lose its data
        #[arg(long, value_name = "TABLE[.COLUMN]")]
        allow_data_loss: Vec<String>,

        #[command(flatten)]
        decisions: DecisionArgs,

        #[command(flatten)]
        folder: FolderArgs,
    },

    /// Print models for the tables of an existing database
    Pull {
        /// Read this schema, too, besides the first of the search path
        #[arg(long, value_name = "NAME")]
        schema: Vec<String>,

        /// Write them to this file, which must not exist yet
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },

    /// Record pending migrations as applied, without running them, if the database matches
    Baseline {
        #[command(flatten)]
        wait: WaitArgs,

        #[command(flatten)]
        folder: FolderArgs,

        /// Table in which they are recorded [default: _sqlx_migrations]
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
    },

    /// Recompute the vectors that another version of the encoder made
    Reembed,

    /// Fail if models, newest schema snapshot and database do not match
    Check {
        /// Compare the models with the snapshot only; needs no database
        #[arg(long)]
        offline: bool,

        #[command(flatten)]
        folder: FolderArgs,

        /// Table in which applied migrations are recorded [default: _sqlx_migrations]
        #[arg(long, value_name = "NAME", conflicts_with = "offline")]
        table: Option<String>,
    },
}

/// After a merge of branches.
#[derive(Debug, Args)]
#[command(next_help_heading = "After a merge of branches")]
pub(crate) struct RebaseArgs {
    /// Put migrations that were generated on several branches in one sequence
    #[arg(long, conflicts_with = "empty")]
    pub(crate) rebase: bool,

    /// Remove this migration, which conflicts with the others, and generate it
    /// again from the models
    #[arg(long, value_name = "VERSION", requires = "rebase")]
    pub(crate) regenerate: Vec<i64>,

    /// Show the changes, and write nothing
    #[arg(long, requires = "rebase")]
    pub(crate) dry_run: bool,
}

/// Decisions on renames, drops and conversions.
#[derive(Debug, Args)]
#[command(next_help_heading = "Decisions")]
pub(crate) struct DecisionArgs {
    /// Was renamed: logs.msg=message, logs=lines, user_role.admin=owner
    #[arg(long, value_name = "OLD=NEW")]
    pub(crate) rename: Vec<String>,

    /// Was dropped, and not renamed
    #[arg(long, value_name = "OLD")]
    pub(crate) drop: Vec<String>,

    /// Value of existing rows in a column that becomes NOT NULL: logs.stage="'prod'"
    #[arg(long, value_name = "COLUMN=SQL")]
    pub(crate) fill: Vec<String>,

    /// Conversion of values to the new type: logs.code="code::integer"
    #[arg(long, value_name = "COLUMN=SQL")]
    pub(crate) using: Vec<String>,
}

impl DecisionArgs {
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            rename,
            drop,
            fill,
            using,
        } = self;
        [rename, drop, fill, using]
            .iter()
            .all(|given| given.is_empty())
    }
}

#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// Folder of migrations
    #[arg(long, value_name = "DIR", default_value = "migrations")]
    pub(crate) dir: PathBuf,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct WaitArgs {
    /// Seconds to wait for another process that is migrating, and for locks of tables
    #[arg(long, value_name = "SECONDS", default_value_t = 60, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub(crate) lock_timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Folder of migrations [default: the built-in migrations of Lookback]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Table in which they are recorded [default: _sqlx_migrations]
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}
