//! What an input contains: records of one table in Lookback's own form, or lines of other programs.

use std::io;

use lookback::table::Table;
use lookback::{Log, Metric, Model as _, RequestSnapshot, User};

use super::Input;
use super::lines::{Line, Lines};
use super::reader;
use crate::args::{Format, ImportArgs, ImportKind};
use crate::failure::Failure;

/// What an input contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Records of one table, in Lookback's own form.
    Records(ImportKind),
    /// Lines of any other program: log lines, requests, or both.
    Entries,
}

/// The most bytes of blank lines before the first other one; behind that, lines are entries.
const MAX_BLANK: u64 = 16 * 1024 * 1024;

/// The target of entries in `imports`.
const ENTRIES: &str = "logs and request_snapshots";

impl Content {
    const ALL: [Self; 5] = [
        Self::Records(ImportKind::Logs),
        Self::Records(ImportKind::Requests),
        Self::Records(ImportKind::Metrics),
        Self::Records(ImportKind::Users),
        Self::Entries,
    ];

    /// The name of what receives the records.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Records(kind) => kind.table().name(),
            Self::Entries => ENTRIES,
        }
    }

    /// What the records are, for messages.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Records(kind) => kind.name(),
            Self::Entries => "logs and requests",
        }
    }

    pub(crate) fn of_target(target: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|content| content.target() == target)
    }

    /// The tables that receive the records.
    pub(crate) fn tables(self) -> Vec<&'static Table> {
        match self {
            Self::Records(kind) => vec![kind.table()],
            Self::Entries => vec![Log::TABLE, RequestSnapshot::TABLE],
        }
    }
}

/// Returns what an input contains, if the arguments say it.
pub(crate) fn given(args: &ImportArgs) -> Option<Content> {
    let of_others = args.other_format().map(|_| Content::Entries);
    args.kind.map(Content::Records).or(of_others)
}

/// Returns what an input contains: as the arguments say, or as its first line does.
pub(crate) fn of(args: &ImportArgs, lines: &mut Lines, input: &Input) -> Result<Content, Failure> {
    if let (Some(_), Some(file)) = (args.kind, input.protobuf()) {
        return Err(Failure::usage(format!(
            "--kind: is for Lookback's own records, and {} is {}",
            input.shown(),
            file.what()
        )));
    }
    let content = match given(args) {
        Some(content) => content,
        // These options say of what other program the lines are, also if they look like own ones.
        None if args.map.is_some() || args.time_unit.is_some() => Content::Entries,
        None => detect(lines, input)?,
    };
    check(args, input, content)?;
    Ok(content)
}

/// Checks that the options are of a content.
pub(crate) fn check(args: &ImportArgs, input: &Input, content: Content) -> Result<(), Failure> {
    let problem = match content {
        Content::Records(_) if args.map.is_some() => {
            "--map: is for lines of other programs, and these are Lookback's own records"
        }
        Content::Entries if args.keep_ids => {
            "--keep-ids: is for Lookback's own records, and these are lines of other programs"
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(format!("{}: {problem}", input.shown())))
}

/// Detects what an input contains by its first line that is not blank.
///
/// It is in Lookback's own form if its fields are those of a table, and the required ones are
/// there. Everything else is an entry.
fn detect(lines: &mut Lines, input: &Input) -> Result<Content, Failure> {
    if input.is_own_format() {
        return reader::detect(lines, input).map(Content::Records);
    }
    // A stream keeps what is not stored yet: then it is stored that nothing is there so far.
    let most = lines.mark().position + MAX_BLANK;
    let first = loop {
        if lines.mark().position > most {
            return Ok(Content::Entries);
        }
        match lines.next().map_err(cannot_begin)? {
            // There may be any number of them, and nothing is stored of one.
            Some(line) if line.bytes.trim_ascii().is_empty() => lines.pass(&line),
            other => break other,
        }
    };
    let Some(first) = first else {
        // For an empty input the kind does not matter.
        return Ok(Content::Records(ImportKind::Logs));
    };
    let content = of_line(&first);
    let is_binary = is_binary(&first.bytes);
    lines.put_back(vec![first]);
    if is_binary {
        return Err(Failure::failed(format!(
            "{}: is no text: its first line has a byte 0",
            input.shown()
        ))
        .hint("import reads text: logs, requests, JSON, CSV; Parquet; OpenTelemetry and Loki in protobuf"));
    }
    Ok(content)
}

/// Whether a line is no text. A program may write a byte 0, and a file that was truncated while a
/// program went on writing begins with many.
fn is_binary(line: &[u8]) -> bool {
    let Some(start) = line.iter().position(|byte| *byte != 0) else {
        return !line.is_empty();
    };
    let text = &line[start..];
    let zeros = text.iter().filter(|byte| **byte == 0).count();
    let is_control = |byte: &u8| matches!(byte, 0x01..=0x07 | 0x0e..=0x1a | 0x1c..=0x1f);
    // In UTF-16, every second byte is one.
    let is_utf_16 = zeros > 1 && zeros > text.len() / 4;
    zeros > 0 && (is_utf_16 || text.iter().any(is_control) || std::str::from_utf8(text).is_err())
}

/// The failure of an input whose first line cannot be read.
fn cannot_begin(error: io::Error) -> Failure {
    let is_cut_off = error.kind() == io::ErrorKind::UnexpectedEof;
    let failure = Failure::from(error);
    if is_cut_off {
        failure.hint("nothing of it is stored")
    } else {
        failure
    }
}

fn of_line(line: &Line) -> Content {
    let Ok(names) = reader::field_names(&line.bytes, Format::Jsonl) else {
        return Content::Entries;
    };
    let has = |name: &str| names.iter().any(|known| known == name);
    let required: [(ImportKind, &[&str]); 4] = [
        (ImportKind::Logs, &["source", "level", "message"]),
        (
            ImportKind::Requests,
            &["method", "path", "timestamp", "version", "stage"],
        ),
        (ImportKind::Metrics, &["endpoint", "window_start"]),
        (ImportKind::Users, &["email"]),
    ];
    let is_of = |(kind, fields): &(ImportKind, &[&str])| {
        let table = kind.table();
        let is_user = table.name() == User::TABLE.name();
        let is_metric = table.name() == Metric::TABLE.name();
        fields.iter().all(|field| has(field))
            // Nothing else has these: a wrong name in them is a mistake.
            && (is_user || is_metric || names.iter().all(|name| table.column(name).is_some()))
    };
    required
        .iter()
        .find(|required| is_of(required))
        .map_or(Content::Entries, |(kind, _)| Content::Records(*kind))
}
