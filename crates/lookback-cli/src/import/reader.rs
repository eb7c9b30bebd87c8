//! Parses lines into batches of records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lookback::error::FieldError;
use lookback::query::Imported;
use lookback::table::{ColumnValues, Table};
use lookback::value::{JsonError, JsonMap};
use lookback::{Json, Model as _, NewRequestSnapshot, User, password};

use super::convert::{self, INCOMPLETE_ROW};
use super::line_size::{self, LARGE};
use super::lines::{Line, Lines, MAX_LINE, Mark, Next};
use super::protobuf::Skipped;
use super::{Input, encoding};
use crate::args::{Format, ImportKind, OnError};
use crate::failure::Failure;
use crate::output::grouped;

/// Records that are stored together.
#[derive(Clone, Debug)]
pub(crate) struct Batch<N> {
    pub(crate) records: Vec<Imported<N>>,
    /// How many of them had an id that is not kept.
    pub(crate) renumbered: u64,
    /// The line of each record, in case the database rejects it.
    pub(crate) lines: Vec<SourceLine>,
    /// The requests of lines that are no records of one table.
    pub(crate) requests: Requests,
    /// How many records had a time without a zone.
    pub(crate) local_times: u64,
    /// What is not imported, and no mistake.
    pub(crate) skipped: Skipped,
    pub(crate) rejected: Vec<Rejected>,
    /// At the end of the input: what to say of fields of `--map` that never occurred.
    pub(crate) missing_fields: Vec<String>,
    /// The end of the batch in the input.
    pub(crate) end: Mark,
    pub(crate) outcome: Outcome,
}

impl<N> Batch<N> {
    /// Whether nothing was found in its lines: they are blank, or part of what goes on behind it.
    pub(crate) fn is_empty(&self) -> bool {
        let records = self.records.len() + self.requests.records.len();
        records + self.rejected.len() == 0 && self.skipped.shown().is_none()
    }
}

/// Requests, with the line of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    pub(crate) records: Vec<Imported<NewRequestSnapshot>>,
    pub(crate) lines: Vec<SourceLine>,
}

/// The state of the input after a batch.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// More batches.
    More,
    /// The end of the input.
    End,
    /// The last line is incomplete.
    Unfinished,
    /// The import stops at this line.
    Stopped(Rejected),
}

impl Outcome {
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::End)
    }
}

/// A line of the input, unchanged.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceLine {
    /// The number of the line, from 1.
    pub(crate) number: u64,
    /// Shared, since many records may be of one line.
    pub(crate) bytes: Arc<[u8]>,
    /// The position before this line, if the import stops there.
    pub(crate) before: Mark,
}

/// An invalid line.
#[derive(Clone, Debug)]
pub(crate) struct Rejected {
    pub(crate) line: SourceLine,
    pub(crate) problem: String,
    pub(crate) is_not_json: bool,
    /// Whether another record has its id.
    pub(crate) is_taken_id: bool,
}

impl Rejected {
    /// Creates one for a record that the database rejected.
    pub(crate) fn by_database(line: SourceLine, error: &lookback::Error) -> Self {
        let alone = |field: &FieldError| {
            let mut field = field.clone();
            field.row = None;
            field.to_string()
        };
        Self {
            line,
            is_not_json: false,
            is_taken_id: error.is_conflict()
                && error.fields().iter().any(|field| field.field == "id"),
            problem: error
                .fields()
                .iter()
                .map(alone)
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}

/// The maximum bytes of lines in a batch, for any number of records.
pub(super) const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Options of reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadOptions {
    /// The maximum number of records in a batch.
    pub(crate) size: usize,
    pub(crate) on_error: OnError,
    /// Whether a later import can continue the same input.
    ///
    /// An incomplete last line is then left for the later import.
    pub(crate) resumable: bool,
    pub(crate) format: Format,
    pub(crate) keep_ids: bool,
    /// Whether records are to be stored soon, however few there are.
    pub(crate) is_stream: bool,
}

/// The age of a batch of a stream.
#[derive(Debug, Default)]
pub(super) struct BatchAge {
    since: Option<Instant>,
}

impl BatchAge {
    /// The longest time for which the records of a stream wait for others.
    const MOST: Duration = Duration::from_millis(250);

    /// Whether the first record of the batch has waited long enough.
    pub(super) fn is_over(&mut self, has_records: bool) -> bool {
        has_records && self.since.get_or_insert_with(Instant::now).elapsed() >= Self::MOST
    }
}

/// Reads batches and passes each to `take`, until `take` returns false.
pub(crate) fn read<N: ColumnValues>(
    mut lines: Lines,
    options: ReadOptions,
    mut take: impl FnMut(Result<Batch<N>, Failure>) -> bool,
) {
    loop {
        let batch = read_batch(&mut lines, options);
        let last = match &batch {
            Ok(batch) => !matches!(batch.outcome, Outcome::More),
            Err(_) => true,
        };
        if !take(batch) || last {
            return;
        }
    }
}

fn read_batch<N: ColumnValues>(
    lines: &mut Lines,
    options: ReadOptions,
) -> Result<Batch<N>, Failure> {
    let ReadOptions {
        size,
        on_error,
        resumable,
        ..
    } = options;
    let mut renumbered = 0;
    let mut records = Vec::with_capacity(size.min(10_000));
    let mut source_lines = Vec::with_capacity(size.min(10_000));
    let mut rejected = Vec::new();
    let mut bytes = 0;
    let mut age = BatchAge::default();
    let outcome = loop {
        if records.len() + rejected.len() >= size || bytes >= MAX_BATCH_BYTES {
            break if lines.at_end()? {
                Outcome::End
            } else {
                Outcome::More
            };
        }
        let line = match lines.next_or_wait()? {
            Next::Line(line) => line,
            Next::End => break Outcome::End,
            Next::Waiting if records.is_empty() && rejected.is_empty() => continue,
            Next::Waiting => break Outcome::More,
        };
        if options.is_stream && age.is_over(!records.is_empty()) {
            lines.put_back(vec![line]);
            break Outcome::More;
        }
        // A stream keeps what is not in a batch yet, line ends included.
        bytes += line.bytes.len() + 1;
        let read = record::<N>(&line, options);
        if let (Err(LineError::NotJson(_)), OnError::Skip, true, false) =
            (&read, on_error, resumable, line.ended)
        {
            break Outcome::Unfinished;
        }
        let before = lines.mark().clone();
        if read.is_ok() || on_error == OnError::Skip {
            lines.pass(&line);
        }
        let source = SourceLine {
            number: line.number,
            bytes: line.bytes.into(),
            before,
        };
        match read {
            Ok(Some(mut record)) => {
                if !options.keep_ids && record.id.take().is_some() {
                    renumbered += 1;
                }
                records.push(record);
                source_lines.push(source);
            }
            Ok(None) => {}
            Err(problem) => {
                let bad = Rejected {
                    line: source,
                    is_not_json: matches!(problem, LineError::NotJson(_)),
                    is_taken_id: false,
                    problem: problem.into_text(),
                };
                match on_error {
                    OnError::Stop => break Outcome::Stopped(bad),
                    OnError::Skip => rejected.push(bad),
                }
            }
        }
    };
    Ok(Batch {
        records,
        renumbered,
        lines: source_lines,
        requests: Requests::default(),
        local_times: 0,
        skipped: Skipped::default(),
        rejected,
        missing_fields: Vec::new(),
        end: lines.mark().clone(),
        outcome,
    })
}

/// The problem of an invalid line.
#[derive(Debug)]
pub(super) enum LineError {
    /// It is not JSON, perhaps because it is incomplete.
    NotJson(String),
    /// It is not a valid record of its table.
    NotRecord(String),
}

impl LineError {
    fn into_text(self) -> String {
        match self {
            Self::NotJson(text) | Self::NotRecord(text) => text,
        }
    }
}

impl From<serde_json::Error> for LineError {
    fn from(error: serde_json::Error) -> Self {
        Self::from(JsonError::from(error))
    }
}

impl From<JsonError> for LineError {
    fn from(error: JsonError) -> Self {
        Self::NotJson(format!(
            "is not JSON: {}",
            // A JSON line is a single line, so the line number is always 1.
            error.to_string().replace("line 1 column", "column")
        ))
    }
}

impl From<lookback::Error> for LineError {
    fn from(error: lookback::Error) -> Self {
        Self::NotRecord(error.to_string())
    }
}

/// Parses the record of a line; `None` for an empty line.
fn record<N: ColumnValues>(
    line: &Line,
    options: ReadOptions,
) -> Result<Option<Imported<N>>, LineError> {
    if line.cut {
        let most = grouped(MAX_LINE as u64);
        return Err(LineError::NotRecord(format!(
            "must be at most {most} bytes long"
        )));
    }
    if line.bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let text = utf8(&line.bytes)?;
    if text.len() > LARGE {
        let wrong = line_size::too_large(text, N::Model::TABLE)?;
        if !wrong.is_empty() {
            return Err(LineError::NotRecord(wrong.join("; ")));
        }
    }
    let map = object(text, options.format)?;
    let map = prepared(map, N::Model::TABLE, options.format)?;
    let record = Imported::<N>::from_json(map)?;
    if options.keep_ids && record.id.is_none() {
        return Err(LineError::NotRecord(
            "id: is required, because --keep-ids was given".to_owned(),
        ));
    }
    lookback::query::check_new(&record)?;
    Ok(Some(record))
}

/// Adds to the fields of a line what an export leaves out: types, and the password of a user.
fn prepared(mut map: JsonMap, table: &'static Table, format: Format) -> Result<JsonMap, LineError> {
    const HASH: &str = "password_hash";
    if format != Format::Jsonl {
        convert::apply_types(table, &mut map).map_err(LineError::NotRecord)?;
    }
    if table.name() == User::TABLE.name() {
        match map.get(HASH) {
            None | Some(Json::Null) => {
                map.insert(HASH.to_owned(), password::NO_PASSWORD.into());
            }
            // A password as it is would be stored so.
            Some(Json::String(hash)) if password::verify("", hash).is_err() => {
                return Err(LineError::NotRecord(format!(
                    "{HASH}: must be a hash in PHC form, such as $argon2id$…; leave it out for a \
                     user without a password"
                )));
            }
            Some(_) => {}
        }
    }
    Ok(map)
}

fn utf8(bytes: &[u8]) -> Result<&str, LineError> {
    std::str::from_utf8(bytes).map_err(|error| LineError::NotJson(invalid_utf8(bytes, error)))
}

/// Parses the JSON object of a line.
fn object(text: &str, format: Format) -> Result<JsonMap, LineError> {
    match text.parse::<Json>()? {
        Json::Object(map) => Ok(map),
        Json::Array(_) if format == Format::Csv => {
            Err(LineError::NotRecord(INCOMPLETE_ROW.to_owned()))
        }
        _ => Err(LineError::NotRecord(
            "must be a JSON object such as {\"message\": \"…\"}".to_owned(),
        )),
    }
}

/// Describes the position and the field of bytes that are not UTF-8.
fn invalid_utf8(bytes: &[u8], error: std::str::Utf8Error) -> String {
    let at = error.valid_up_to();
    let problem = format!(
        "is not valid UTF-8 (byte {:#04x} at column {})",
        bytes[at],
        at + 1
    );
    if bytes.len() > LARGE {
        return problem;
    }
    // Replaces the first invalid byte with a mark, to find its field.
    const MARK: &str = "\u{fffd}";
    let mut text = String::from_utf8_lossy(&bytes[..at]).replace(MARK, "?");
    text.push_str(MARK);
    text.push_str(&String::from_utf8_lossy(&bytes[at + 1..]).replace(MARK, "?"));
    let field = match text.parse::<Json>() {
        Ok(Json::Object(map)) => map
            .into_iter()
            .find(|(key, value)| key.contains(MARK) || value.to_string().contains(MARK))
            .map(|(key, _)| key),
        _ => None,
    };
    match field {
        Some(field) => format!("{field}: {problem}"),
        None => problem,
    }
}

/// Detects the kind of records by the first line with an object.
pub(crate) fn detect(lines: &mut Lines, input: &Input) -> Result<ImportKind, Failure> {
    /// The number of lines to read before giving up.
    const MAX_LINES: usize = 100;
    let mut seen = Vec::new();
    let mut bytes = 0;
    let mut kind = None;
    let mut problem = None;
    let mut hint = None;
    let unit = input.unit();
    while seen.len() < MAX_LINES && bytes < MAX_BATCH_BYTES {
        let Some(line) = lines.next()? else { break };
        bytes += line.bytes.len();
        if !line.bytes.trim_ascii().is_empty() {
            match field_names(&line.bytes, input.format()) {
                Ok(names) => {
                    kind = kind_of(&names);
                    if kind.is_none() {
                        let names = names.join(", ");
                        problem = Some(format!("{unit} {} has the fields {names}", line.number));
                    }
                    seen.push(line);
                    break;
                }
                Err(wrong) => {
                    if problem.is_none() {
                        hint = encoding::hint_on_text(&line.bytes);
                    }
                    let wrong = wrong.into_text();
                    problem.get_or_insert(format!("{unit} {}: {wrong}", line.number));
                }
            }
        }
        seen.push(line);
    }
    let empty = problem.is_none() && kind.is_none();
    lines.put_back(seen);
    match kind {
        Some(kind) => Ok(kind),
        // For an empty input the kind does not matter.
        None if empty && lines.at_end()? => Ok(ImportKind::Logs),
        None => Err(Failure::failed(format!(
            "{}: cannot detect the kind of the records ({})",
            input.shown(),
            problem.unwrap_or_else(|| "all lines are empty".to_owned())
        ))
        .hint(hint.unwrap_or_else(|| {
            "logs have a message, requests a method and a path, metrics an endpoint and a \
             window_start, users an email; or choose one: --kind logs|requests|metrics|users"
                .to_owned()
        }))),
    }
}

/// Returns the field names of a line; only the first ones of a long line.
pub(super) fn field_names(bytes: &[u8], format: Format) -> Result<Vec<String>, LineError> {
    const FIRST: usize = 100;
    let text = utf8(bytes)?;
    if text.len() <= LARGE {
        return Ok(object(text, format)?
            .into_iter()
            .map(|(key, _)| key)
            .collect());
    }
    let mut names = Vec::new();
    line_size::fields(text, |name, _| {
        if names.len() < FIRST {
            names.push(name.to_owned());
        }
    })?;
    Ok(names)
}

/// Detects the kind by fields that only records of this kind have.
fn kind_of(names: &[String]) -> Option<ImportKind> {
    let has = |field: &&str| names.iter().any(|name| name == field);
    let mut kinds = [
        (ImportKind::Logs, ["message"].as_slice()),
        (ImportKind::Requests, &["method", "path"]),
        (ImportKind::Metrics, &["endpoint", "window_start"]),
        (ImportKind::Users, &["email"]),
    ]
    .into_iter()
    .filter(|(_, fields)| fields.iter().all(has))
    .map(|(kind, _)| kind);
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) => Some(kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{field_names, kind_of};
    use crate::args::{Format, ImportKind};

    #[test]
    fn field_names_of_invalid_line_names_problem() {
        let problem = |bytes: &[u8]| {
            field_names(bytes, Format::Jsonl)
                .expect_err("not an object")
                .into_text()
        };
        insta::assert_snapshot!(
            [
                problem(b"{\"message\": \"a\xffb\", \"level\": \"info\"}"),
                problem(b"{\"meta\": {\"deep\": [\"\xc3\x28\"]}, \"message\": \"x\"}"),
                problem(b"\xff\xfe"),
                problem(b"{\"message\": "),
                problem(b"[1, 2]"),
                problem(b"plain text"),
            ]
            .join("\n"),
            @r#"
message: is not valid UTF-8 (byte 0xff at column 15)
meta: is not valid UTF-8 (byte 0xc3 at column 21)
is not valid UTF-8 (byte 0xff at column 1)
is not JSON: EOF while parsing a value at column 12
must be a JSON object such as {"message": "…"}
is not JSON: expected value at column 1
"#
        );
    }

    #[test]
    fn kind_of_detects_kind_by_field_names() {
        let kind =
            |text: &str| kind_of(&field_names(text.as_bytes(), Format::Jsonl).expect("an object"));
        assert_eq!(
            kind(r#"{"message": "m", "level": "info"}"#),
            Some(ImportKind::Logs)
        );
        assert_eq!(
            kind(r#"{"method": "GET", "path": "/"}"#),
            Some(ImportKind::Requests)
        );
        assert_eq!(
            kind(r#"{"method": "GET", "path": "/", "message": "m"}"#),
            None
        );
        assert_eq!(
            kind(r#"{"endpoint": "GET /", "window_start": "2026-01-01T00:00:00Z"}"#),
            Some(ImportKind::Metrics)
        );
        assert_eq!(
            kind(r#"{"email": "ada@example.com"}"#),
            Some(ImportKind::Users)
        );
        assert_eq!(kind(r#"{"text": "m"}"#), None);
    }
}
