//! `import`

use std::path::{Path, PathBuf};

use chrono::{FixedOffset, Offset as _, Utc};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use lookback::table::Table;
use lookback::{Log, Metric, Model as _, RequestSnapshot, User};
use lookback_formats::{FieldNames, TimeUnit};

use super::Format;

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// Files of logs or requests in any format, folders or patterns of them, or - for standard input
    #[arg(value_name = "FILE|-", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// The one of them that is imported.
    #[arg(skip)]
    pub(crate) input: PathBuf,

    /// Kind of the records, which are Lookback's own [default: detected from the fields]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<ImportKind>,

    /// Format of all records: jsonl, csv or parquet of Lookback's own ones, or that of another
    /// program [default: detected for each]
    #[arg(long, value_parser = format_parser(), hide_possible_values = true)]
    pub(crate) format: Option<ImportFormat>,

    /// Fields of log lines, before the known ones: message=text,time=at.when,level=sev
    #[arg(long, value_name = "COLUMN=FIELD,…", conflicts_with = "kind", value_parser = field_names)]
    pub(crate) map: Option<FieldNames>,

    /// Unit of times that are numbers [default: by their size]
    #[arg(long, value_name = "UNIT", conflicts_with = "kind", value_parser = time_unit_parser())]
    pub(crate) time_unit: Option<TimeUnit>,

    /// Source of log lines that name none [default: the name of the file]
    #[arg(long, value_name = "NAME", conflicts_with = "kind")]
    pub(crate) source: Option<String>,

    /// Offset of times without a zone, such as +02:00 [default: UTC]
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, value_parser = offset, conflicts_with = "kind")]
    pub(crate) timezone: Option<FixedOffset>,

    /// Store what the files have, and wait for more, until SIGINT or SIGTERM
    #[arg(long, short = 'F', conflicts_with_all = ["dry_run", "restart"])]
    pub(crate) follow: bool,

    /// Print the first records as they would be stored, and store none
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Treat text of no known format as invalid
    #[arg(long, conflicts_with = "kind")]
    pub(crate) strict: bool,

    /// Store each record under the id that it has in the input, which must be free
    #[arg(long)]
    pub(crate) keep_ids: bool,

    /// What to do with an invalid line [default: stop; with --follow: skip]
    #[arg(long, value_enum)]
    pub(crate) on_error: Option<OnError>,

    /// Write invalid lines to this file, unchanged
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,

    /// Continue where an earlier import of the same input stopped
    #[arg(long, conflicts_with = "restart")]
    pub(crate) resume: bool,

    /// Import from the start, even if an earlier import stored part of the input
    #[arg(long)]
    pub(crate) restart: bool,

    /// Name that identifies the input in a later import [default: the path of the file]
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Records to store in one transaction
    #[arg(long, value_name = "ROWS", default_value_t = 5_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) batch: u32,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ImportArgs {
    /// What to do with an invalid line. One line does not end a program that runs for months.
    pub(crate) fn on_error(&self) -> OnError {
        self.on_error.unwrap_or(if self.follow {
            OnError::Skip
        } else {
            OnError::Stop
        })
    }

    /// The format of Lookback's own records, if it is given.
    pub(crate) fn own_format(&self) -> Option<Format> {
        match self.format {
            Some(ImportFormat::Own(format)) => Some(format),
            _ => None,
        }
    }

    /// The format of another program's records, if it is given.
    pub(crate) fn other_format(&self) -> Option<lookback_formats::Format> {
        match self.format {
            Some(ImportFormat::Other(format)) => Some(format),
            _ => None,
        }
    }

    /// Whether text of no known format is rejected.
    pub(crate) fn is_strict(&self) -> bool {
        let is_other = |format| format != lookback_formats::Format::Text;
        self.strict || self.other_format().is_some_and(is_other)
    }

    /// Returns what is wrong with options that exclude each other, and that clap does not check.
    pub(crate) fn misplaced(&self) -> Option<String> {
        let of_others = [
            ("--source", self.source.is_some()),
            ("--timezone", self.timezone.is_some()),
            ("--map", self.map.is_some()),
            ("--time-unit", self.time_unit.is_some()),
            ("--strict", self.strict),
        ];
        let given = of_others.iter().find(|(_, is_given)| *is_given);
        if let Some((option, _)) = given
            && self.own_format().is_some()
        {
            return Some(format!(
                "{option}: is for lines of other programs, not for Lookback's own records, as which \
                 --format reads them"
            ));
        }
        if self.keep_ids
            && let Some((option, _)) = given
        {
            return Some(format!(
                "--keep-ids: is for Lookback's own records, and {option} is for lines of other programs"
            ));
        }
        if let Some(format) = self.other_format() {
            let name = format.name();
            if self.kind.is_some() || self.keep_ids {
                let option = if self.kind.is_some() {
                    "--kind"
                } else {
                    "--keep-ids"
                };
                return Some(format!(
                    "{option}: is for Lookback's own records, not for a format of other programs \
                     (--format {name})"
                ));
            }
            if let Some((option, why)) = self.without_effect(format) {
                return Some(format!(
                    "{option}: has no effect with --format {name}: {why}"
                ));
            }
        }
        if self
            .source
            .as_deref()
            .is_some_and(|name| name.trim().is_empty())
        {
            return Some("--source: must not be blank".to_owned());
        }
        if self.follow && self.name.is_some() {
            return Some(
                "--name: is not for --follow, which knows each file by its path".to_owned(),
            );
        }
        let stdin = |path: &&PathBuf| **path == Path::new("-");
        if self.inputs.iter().filter(stdin).count() > 1 {
            return Some("-: standard input can be read once, and is given twice".to_owned());
        }
        None
    }

    /// Returns an option that changes nothing of records of a format, and why not.
    fn without_effect(
        &self,
        format: lookback_formats::Format,
    ) -> Option<(&'static str, &'static str)> {
        use lookback_formats::Format::{AccessLog, Alb, Har, Text};

        match format {
            Text if self.map.is_some() => Some(("--map", "each line is taken as it is")),
            Text if self.strict => Some(("--strict", "each line is of it")),
            AccessLog | Alb | Har if self.map.is_some() => {
                Some(("--map", "its fields have no other names"))
            }
            AccessLog | Alb | Har if self.time_unit.is_some() => {
                Some(("--time-unit", "its times are dates"))
            }
            AccessLog | Alb | Har if self.source.is_some() => {
                Some(("--source", "its records are requests, which have no source"))
            }
            _ => None,
        }
    }
}

/// The format of what is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImportFormat {
    /// Of Lookback's own records.
    Own(Format),
    /// Of another program.
    Other(lookback_formats::Format),
}

impl ImportFormat {
    /// All formats, with their names.
    fn all() -> impl Iterator<Item = (PossibleValue, Self)> {
        let own = Format::value_variants().iter();
        let own = own.filter_map(|format| Some((format.to_possible_value()?, Self::Own(*format))));
        let others = lookback_formats::Format::ALL.iter();
        own.chain(others.map(|format| (PossibleValue::new(format.name()), Self::Other(*format))))
    }
}

fn format_parser() -> impl TypedValueParser<Value = ImportFormat> {
    let names: Vec<PossibleValue> = ImportFormat::all().map(|(name, _)| name).collect();
    PossibleValuesParser::new(names).try_map(|given| {
        let mut all = ImportFormat::all();
        let found = all.find(|(name, _)| name.matches(&given, false));
        found.map(|(_, format)| format).ok_or("is no format")
    })
}

fn time_unit_parser() -> impl TypedValueParser<Value = TimeUnit> {
    PossibleValuesParser::new(["s", "ms", "us", "ns"]).map(|given| match given.as_str() {
        "s" => TimeUnit::Seconds,
        "ms" => TimeUnit::Milliseconds,
        "us" => TimeUnit::Microseconds,
        _ => TimeUnit::Nanoseconds,
    })
}

/// Parses `message=text,time=at.when`.
fn field_names(text: &str) -> Result<FieldNames, String> {
    let mut names = FieldNames::default();
    for pair in text.split(',') {
        let (column, field) = pair
            .split_once('=')
            .map(|(column, field)| (column.trim(), field.trim()))
            .filter(|(_, field)| !field.is_empty())
            .ok_or_else(|| format!("`{pair}` is not COLUMN=FIELD, such as message=text"))?;
        let list = match column {
            "message" => &mut names.message,
            "time" | "created_at" => &mut names.time,
            "level" => &mut names.level,
            "source" => &mut names.source,
            "trace_id" => &mut names.trace_id,
            _ => {
                return Err(format!(
                    "`{column}` is not one of message, time, level, source, trace_id"
                ));
            }
        };
        list.push(field.to_owned());
    }
    Ok(names)
}

/// Parses `+02:00`, `-0530`, `+2`, `Z` or `UTC`.
pub(super) fn offset(text: &str) -> Result<FixedOffset, String> {
    if matches!(text, "Z" | "z" | "UTC" | "utc") {
        return Ok(Utc.fix());
    }
    let wrong = || format!("{text} is no offset such as +02:00, -05:30 or UTC");
    let (sign, digits) = match text.split_at_checked(1) {
        Some(("+", digits)) => (1, digits),
        Some(("-", digits)) => (-1, digits),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    let (Ok(hours), Ok(minutes)) = (hours.parse::<u8>(), minutes.parse::<u8>()) else {
        return Err(wrong());
    };
    let seconds = sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60);
    let is_in_hour = minutes < 60;
    FixedOffset::east_opt(seconds)
        .filter(|_| is_in_hour)
        .ok_or_else(wrong)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Stop there; the lines before it are stored
    Stop,
    /// Report it and continue
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// Log lines
    Logs,
    /// Captured requests
    Requests,
    /// Latency windows
    Metrics,
    /// Users
    Users,
}

impl ImportKind {
    /// Its name, as of the commands.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Requests => "requests",
            Self::Metrics => "metrics",
            Self::Users => "users",
        }
    }

    /// The table of the records.
    pub(crate) fn table(self) -> &'static Table {
        match self {
            Self::Logs => Log::TABLE,
            Self::Requests => RequestSnapshot::TABLE,
            Self::Metrics => Metric::TABLE,
            Self::Users => User::TABLE,
        }
    }
}
