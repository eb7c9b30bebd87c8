//! The commands of `logs`, `requests`, `metrics` and `users`.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

mod export;
mod tail;

pub(crate) use export::{ExportArgs, ExportFormat, Format};
pub(crate) use tail::TailArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// List records, the newest first
    List {
        #[command(flatten)]
        page: PageArgs,

        /// Order by this field, -FIELD for the largest first, FIELD__nullsfirst to put NULL
        /// first [default: -id]
        #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
        order_by: Vec<String>,

        /// How to count all records: exact, none, or up to N
        #[arg(long, value_name = "exact|none|N", default_value = "10000", allow_negative_numbers = true, value_parser = Count::parse)]
        total: Count,

        /// Show these fields, separated by commas [default: the most useful ones]
        #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
        fields: Vec<String>,
    },

    /// Print records as they arrive, until it is interrupted
    Tail(TailArgs),

    /// Write all records to a file or to standard output, the oldest first
    Export(ExportArgs),

    /// Count records, or compute other statistics
    Stats {
        /// Statistics to compute: count, FIELD__avg, __sum, __min, __max, __p95 (any percentile),
        /// __distinct [default: count]; and filters
        #[arg(value_name = "MEASURE|FILTER")]
        what: Vec<String>,

        /// Only records that have all these words, "phrases" in quotes, and nothing after a `-`
        #[arg(long = "match", value_name = "TEXT")]
        matching: Option<String>,

        /// Group by this field; by a time in intervals: created_at__5m, __1h, __day, __week,
        /// __month, __day@Europe/Berlin
        #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
        by: Vec<String>,

        /// Show only this many groups, those with the largest first statistic
        #[arg(long, value_name = "GROUPS", requires = "by", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
        top: Option<u32>,

        /// Deleted records: exclude them, include them, or count only them
        #[arg(long, value_enum, default_value_t = Deleted::Without)]
        deleted: Deleted,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Search records, the best first
    Search {
        /// Words to find, as one argument: 'conection refused', '"exact phrase"
        /// -without level:error'
        #[arg(allow_hyphen_values = true)]
        words: String,

        /// Explain each hit: which of its words matched, and how
        #[arg(long)]
        explain: bool,

        /// List every hit; by default, hits that differ only in numbers and ids are one row
        #[arg(long)]
        all: bool,

        #[command(flatten)]
        page: PageArgs,
    },

    /// Count records by their pattern: their text without numbers and ids
    Patterns {
        /// Words that the records have, as one argument, and filters
        #[arg(value_name = "WORDS|FILTER")]
        what: Vec<String>,

        /// Only patterns whose first record is of this time or later: -1h, 2026-03-01
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        new_since: Option<String>,

        /// Read every record, instead of the counts of sealed records
        #[arg(long)]
        exact: bool,

        /// Patterns to show
        #[arg(long, value_name = "PATTERNS", default_value_t = 20, allow_negative_numbers = true, value_parser = number::<u32>)]
        limit: u32,

        /// Patterns to skip
        #[arg(long, value_name = "PATTERNS", default_value_t = 0, allow_negative_numbers = true, value_parser = number::<u64>)]
        offset: u64,

        /// Deleted records: exclude them, include them, or count only them
        #[arg(long, value_enum, default_value_t = Deleted::Without)]
        deleted: Deleted,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Find records similar to this one, the nearest first
    Similar {
        /// Id of the record
        #[arg(allow_negative_numbers = true)]
        id: i64,

        /// List every similar record; by default, those that differ only in numbers and ids
        /// are one row
        #[arg(long)]
        all: bool,

        #[command(flatten)]
        page: PageArgs,
    },

    /// Show one record
    Get {
        /// Id of the record
        #[arg(allow_negative_numbers = true)]
        id: i64,

        /// A deleted record: not found, shown too, or the only kind that is shown
        #[arg(long, value_enum, default_value_t = Deleted::Without)]
        deleted: Deleted,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Delete a record; restore undoes it
    Delete {
        /// Id of the record
        #[arg(allow_negative_numbers = true)]
        id: i64,

        /// Delete it permanently
        #[arg(long)]
        hard: bool,

        /// With --hard: a record that is deleted already is not found, deleted too, or the only
        /// kind that is deleted
        #[arg(long, value_enum, requires = "hard", default_value_t = Deleted::Without)]
        deleted: Deleted,
    },

    /// Delete permanently the records that were deleted long ago
    Purge {
        /// Deleted longer ago than this: 90m, 12h, 30d; 0s for all deleted records
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        older_than: String,

        /// Only records that match all of these
        #[arg(value_name = "FILTER")]
        filters: Vec<String>,

        /// Only records that have all these words, "phrases" in quotes, and nothing after a `-`
        #[arg(long = "match", value_name = "TEXT")]
        matching: Option<String>,

        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },

    /// Restore a deleted record
    Restore {
        /// Id of the record
        #[arg(allow_negative_numbers = true)]
        id: i64,
    },
}

impl RecordCommand {
    /// Makes `--match TEXT` the filter `match=TEXT`.
    pub(crate) fn match_to_filter(&mut self) {
        let (matching, filters) = match self {
            Self::List { page, .. } | Self::Search { page, .. } | Self::Similar { page, .. } => {
                (&mut page.matching, &mut page.filters)
            }
            Self::Tail(args) => (&mut args.matching, &mut args.filters),
            Self::Export(args) => (&mut args.matching, &mut args.filters),
            Self::Stats { matching, what, .. } => (matching, what),
            Self::Purge {
                matching, filters, ..
            } => (matching, filters),
            _ => return,
        };
        filters.extend(matching.take().map(|text| format!("match={text}")));
    }
}

#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Only records that match all of these: level__eq=error, id__gte=7,
    /// level__in=warn,error, created_at__gte=-15m, message__icontains=time,
    /// meta.user.id=42, 'or=(level=error,not(source=API))'
    #[arg(value_name = "FIELD__LOOKUP=VALUE")]
    pub(crate) filters: Vec<String>,

    /// Only records that have all these words, "phrases" in quotes, and nothing after a `-`
    #[arg(long = "match", value_name = "TEXT")]
    pub(crate) matching: Option<String>,

    /// Records to show
    #[arg(long, value_name = "RECORDS", default_value_t = 20, allow_negative_numbers = true, value_parser = number::<u32>)]
    pub(crate) limit: u32,

    /// Records to skip
    #[arg(long, value_name = "RECORDS", default_value_t = 0, allow_negative_numbers = true, value_parser = number::<u64>)]
    pub(crate) offset: u64,

    /// Continue after this cursor, `next` of another page
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["offset", "before"])]
    pub(crate) after: Option<String>,

    /// Show the records before this cursor, `previous` of another page
    #[arg(long, value_name = "CURSOR", conflicts_with = "offset")]
    pub(crate) before: Option<String>,

    /// Deleted records: exclude them, include them, or show only them
    #[arg(long, value_enum, default_value_t = Deleted::Without)]
    pub(crate) deleted: Deleted,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Parses a number of records.
fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| "expected a whole number of records, such as 0, 20 or 1000".to_owned())
}

/// The limit of counting records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Exact,
    /// 0 for no count.
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
                .map_err(|_| "expected exact, none or a number of records"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deleted {
    Without,
    With,
    Only,
}
