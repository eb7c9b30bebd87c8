//! The commands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::retention::{Age, Size};

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
    /// The command line, with the default of an application.
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

/// Where the database is. Each can be set by its environment variable, or in
/// `lookback.toml` under the name of the option with `_`; what is run (`pg_bin`)
/// and as whom (`pg_user`) only in a file that is named.
#[derive(Debug, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct Options {
    /// PostgreSQL to use [env: DATABASE_URL] [default: a private one]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Folder of the private PostgreSQL [env: LOOKBACK_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Programs of the private PostgreSQL [env: LOOKBACK_PG_BIN] [default: found or fetched]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,

    /// Port of the private PostgreSQL [env: LOOKBACK_PG_PORT] [default: a free one, kept]
    #[arg(long, global = true, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) pg_port: Option<u16>,

    /// User that runs the private PostgreSQL for root [env: LOOKBACK_PG_USER]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) pg_user: Option<String>,

    /// Longest time for the database to answer list, search, like, stats and get: 500ms, 30s,
    /// 5m; 0s for any time [env: LOOKBACK_TIMEOUT] [default: 30s]
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) timeout: Option<String>,

    /// Configuration file [env: LOOKBACK_CONFIG] [default: lookback.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Import JSON lines of logs or requests
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

    /// Find, read, delete and restore latency windows
    Metrics {
        #[command(subcommand)]
        command: RecordCommand,
    },

    /// Create, find, read, delete and restore users
    Users {
        #[command(subcommand)]
        command: UserCommand,
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

    /// Print the configuration in force, and where each value is from
    Config {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

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
    #[arg(long, value_name = "ROWS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) batch: u32,

    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Log lines
    Logs,
    /// Captured requests
    Requests,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Stop at it; what comes before is stored
    Stop,
    /// Report it and go on
    Skip,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Show partitions, sizes and what is not sealed, of each table
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Make partitions ahead of need, and seal what has come in
    Seal {
        /// Only these [default: both]
        #[arg(value_enum)]
        kind: Option<Kind>,

        /// Go on with what comes in, until interrupted
        #[arg(long)]
        watch: bool,
    },

    /// Merge what search keeps about full partitions
    Compact {
        /// Only these [default: both]
        #[arg(value_enum)]
        kind: Option<Kind>,
    },

    /// Take what is older, more or longer deleted than it may be
    Retain(RetainArgs),

    /// Make all vectors anew, and what search keeps about them
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
    #[arg(long, value_name = "TIME")]
    pub(crate) older_than: Option<Age>,

    /// The oldest logs or requests, while the table has more than this: 500MB, 50GB, 1TiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) larger_than: Option<Size>,

    /// Records that were deleted longer ago than this: 90m, 12h, 30d
    #[arg(long, value_name = "TIME")]
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

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// List records, the newest first
    List {
        #[command(flatten)]
        page: PageArgs,

        /// Order by this field, -FIELD for the largest first, FIELD__nullsfirst for null
        /// before all [default: -id]
        #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
        order_by: Vec<String>,

        /// How far to count all records: exact, none, or up to so many
        #[arg(long, value_name = "exact|none|N", default_value = "10000", value_parser = Count::parse)]
        total: Count,

        /// Show these fields, separated by commas [default: those that say most]
        #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
        fields: Vec<String>,
    },

    /// Write all records to a file or to standard output, the oldest first
    Export(ExportArgs),

    /// Count records, or work out other numbers about them
    Stats {
        /// What to work out: count, FIELD__avg, __sum, __min, __max, __p95 (any percentile),
        /// __distinct [default: count]; and filters
        #[arg(value_name = "MEASURE|FILTER")]
        what: Vec<String>,

        /// Of each group of this field; of a time, by the stretch: created_at__5m, __1h, __day,
        /// __week, __month, __day@Europe/Berlin
        #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
        by: Vec<String>,

        /// Only this many groups, those with the largest first measure first
        #[arg(long, value_name = "GROUPS", requires = "by", value_parser = clap::value_parser!(u32).range(1..))]
        top: Option<u32>,

        /// Deleted records: leave them out, count them too, or count nothing else
        #[arg(long, value_enum, default_value_t = Deleted::Without)]
        deleted: Deleted,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Search records, the best first
    Search {
        /// What to find, as one argument: 'conection refused', '"exact phrase"
        /// -without level:error'
        #[arg(allow_hyphen_values = true)]
        words: String,

        /// Show why each record was found: what its words matched, and how
        #[arg(long)]
        explain: bool,

        #[command(flatten)]
        page: PageArgs,
    },

    /// Find records like this one, the nearest first
    Like {
        /// Id of the record
        id: i64,

        #[command(flatten)]
        page: PageArgs,
    },

    /// Show one record
    Get {
        /// Id of the record
        id: i64,

        /// Show it even if it is deleted
        #[arg(long)]
        with_deleted: bool,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Delete a record, so that restore can bring it back
    Delete {
        /// Id of the record
        id: i64,

        /// Delete it for good
        #[arg(long)]
        hard: bool,

        /// With --hard: even if it is deleted already
        #[arg(long, requires = "hard")]
        with_deleted: bool,
    },

    /// Delete for good what was deleted long ago
    Purge {
        /// Deleted longer ago than this: 90m, 12h, 30d; 0s for whatever is deleted
        #[arg(long, value_name = "TIME")]
        older_than: String,

        /// Only records for which all of these hold
        #[arg(value_name = "FILTER")]
        filters: Vec<String>,

        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
    },

    /// Bring back a deleted record
    Restore {
        /// Id of the record
        id: i64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Only records for which all of these hold, as for list
    #[arg(value_name = "FIELD__LOOKUP=VALUE")]
    pub(crate) filters: Vec<String>,

    /// What to write [default: told from the end of --out, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,

    /// File to write, which must not be there yet; it is there when it is whole [default:
    /// standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// With --out: replace a file that is there
    #[arg(long, requires = "out")]
    pub(crate) overwrite: bool,

    /// Write these fields, separated by commas, in this order [default: all]
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,

    /// Order by this field, -FIELD for the largest first [default: id]
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub(crate) order_by: Vec<String>,

    /// Only so many records
    #[arg(long, value_name = "RECORDS")]
    pub(crate) limit: Option<u32>,

    /// Deleted records: leave them out, write them too, or write nothing else
    #[arg(long, value_enum, default_value_t = Deleted::Without)]
    pub(crate) deleted: Deleted,

    /// With csv: put a ' before text that a spreadsheet would take for a formula
    #[arg(long)]
    pub(crate) for_spreadsheets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A JSON object on each line
    Jsonl,
    /// Comma-separated values with a line of headings (RFC 4180)
    Csv,
    /// Apache Parquet
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Only records for which all of these hold: level__eq=error, id__gte=7,
    /// level__in=warn,error, created_at__gte=-15m, message__icontains=time,
    /// meta.user.id=42, 'or=(level=error,not(source=API))'
    #[arg(value_name = "FIELD__LOOKUP=VALUE")]
    pub(crate) filters: Vec<String>,

    /// Records to show
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u32,

    /// Records to leave out at the start
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: u64,

    /// Go on after this cursor, `next` of another page
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["offset", "before"])]
    pub(crate) after: Option<String>,

    /// Go back before this cursor, `previous` of another page
    #[arg(long, value_name = "CURSOR", conflicts_with = "offset")]
    pub(crate) before: Option<String>,

    /// Deleted records: leave them out, show them too, or show nothing else
    #[arg(long, value_enum, default_value_t = Deleted::Without)]
    pub(crate) deleted: Deleted,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How far records are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Exact,
    /// None of them is 0.
    UpTo(u64),
}

impl Count {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "exact" => Ok(Self::Exact),
            "none" => Ok(Self::UpTo(0)),
            number => number
                .parse()
                .map(Self::UpTo)
                .map_err(|_| "is exact, none or a number of records"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deleted {
    Without,
    With,
    Only,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user; the password is read from a prompt, or from the first
    /// line of standard input
    Create {
        /// E-mail of the user
        email: String,

        /// What the user may do
        #[arg(long, value_enum, default_value_t = RoleArg::User)]
        role: RoleArg,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    #[command(flatten)]
    Records(RecordCommand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    Admin,
    User,
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

    /// Undo the newest migration by its .down.sql
    Revert {
        #[command(flatten)]
        wait: WaitArgs,

        #[command(flatten)]
        files: FilesArgs,
    },

    /// Write what changed in the models as migration files; needs no database
    Generate {
        /// Words of the file's name [default: told from the change]
        name: Option<String>,

        /// Write files that undo the change, too
        #[arg(long)]
        reversible: bool,

        /// Write an empty file, for a change of data
        #[arg(long, requires = "name", conflicts_with = "reversible")]
        empty: bool,

        #[command(flatten)]
        rebase: RebaseArgs,

        #[command(flatten)]
        decisions: DecisionArgs,

        #[command(flatten)]
        folder: FolderArgs,
    },

    /// Change the database to what the models are, without migrations (development only)
    Push {
        /// Show what would be done, and stop
        #[arg(long)]
        explain: bool,

        /// Do it without asking
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

    /// Print models for the tables of a database that is there, to start from
    Pull {
        /// Read this schema, too, besides the first of the search path
        #[arg(long, value_name = "NAME")]
        schema: Vec<String>,

        /// Write them to this file, which must not be there yet
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },

    /// Record what is pending as applied, without running it, if the database is so already
    Baseline {
        #[command(flatten)]
        wait: WaitArgs,

        #[command(flatten)]
        folder: FolderArgs,

        /// Table in which they are recorded [default: _sqlx_migrations]
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
    },

    /// Make the vectors anew that another version of the encoder made
    Reembed,

    /// Fail if models, newest schema snapshot and database are not in step
    Check {
        /// Compare the models with the snapshot only; needs no database
        #[arg(long)]
        offline: bool,

        #[command(flatten)]
        folder: FolderArgs,
    },
}

/// After a merge of branches.
#[derive(Debug, Args)]
#[command(next_help_heading = "After a merge of branches")]
pub(crate) struct RebaseArgs {
    /// Put migrations that were generated on several branches one after the other
    #[arg(long, conflicts_with = "empty")]
    pub(crate) rebase: bool,

    /// Remove this migration, which does not go together with the others, and
    /// generate it anew from the models
    #[arg(long, value_name = "VERSION", requires = "rebase")]
    pub(crate) regenerate: Vec<i64>,

    /// Show what would be done, and write nothing
    #[arg(long, requires = "rebase")]
    pub(crate) dry_run: bool,
}

/// What the schemas cannot tell.
#[derive(Debug, Args)]
#[command(next_help_heading = "What the schemas cannot tell")]
pub(crate) struct DecisionArgs {
    /// Has another name now: logs.msg=message, logs=lines, user_role.admin=owner
    #[arg(long, value_name = "OLD=NEW")]
    pub(crate) rename: Vec<String>,

    /// Is gone, and not what came instead
    #[arg(long, value_name = "OLD")]
    pub(crate) drop: Vec<String>,

    /// What rows get in a column that refuses null, as SQL: logs.stage="'prod'"
    #[arg(long, value_name = "COLUMN=SQL")]
    pub(crate) fill: Vec<String>,

    /// How a value becomes one of the new type, as SQL: logs.code="code::integer"
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
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub(crate) lock_timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Folder of migrations [default: those of Lookback's own tables, which are built in]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Table in which they are recorded [default: _sqlx_migrations]
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PgCommand {
    /// Start the private PostgreSQL, unless it is running
    Start,

    /// Stop the private PostgreSQL
    Stop,

    /// Show whether it runs, and where
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
