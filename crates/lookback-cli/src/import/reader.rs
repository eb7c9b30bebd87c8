//! From lines to batches of records.

use lookback::{Assign, FieldError, Json, JsonMap, Model as _};

use super::large::{self, LARGE};
use super::lines::{Line, Lines, MAX_LINE, Mark};
use crate::args::{Kind, OnError};
use crate::failure::Failure;
use crate::output::grouped;

/// Records that are stored together.
#[derive(Debug)]
pub(crate) struct Batch<N> {
    pub(crate) records: Vec<N>,
    /// The line of each record, should the database refuse it.
    pub(crate) lines: Vec<Source>,
    pub(crate) rejected: Vec<Rejected>,
    /// Where the batch ends in the input.
    pub(crate) end: Mark,
    pub(crate) outcome: Outcome,
}

/// What comes after a batch.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// More batches.
    More,
    /// The end of the input.
    End,
    /// Nothing yet: the last line is still being written.
    Unfinished,
    /// Nothing, because of this line.
    Stopped(Rejected),
}

impl Outcome {
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::End)
    }
}

/// A line as it is.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
    /// What is passed when the import stops at this line.
    pub(crate) before: Mark,
}

/// A line that is not right.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) line: Source,
    pub(crate) problem: String,
}

impl Rejected {
    /// A record that the database refused.
    pub(crate) fn refused(line: Source, error: &lookback::Error) -> Self {
        let alone = |field: &FieldError| {
            FieldError {
                row: None,
                ..field.clone()
            }
            .to_string()
        };
        Self {
            line,
            problem: error
                .fields()
                .iter()
                .map(alone)
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}

/// Bytes of lines in a batch, however few records they make.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Records in a batch, at most.
    pub(crate) size: usize,
    pub(crate) on_error: OnError,
    /// Whether a later import can go on with the same input: a last line that is
    /// still being written is left for it.
    pub(crate) resumable: bool,
}

/// Reads batches and gives each to `take`, until it takes no more.
pub(crate) fn read<N: Assign>(
    mut lines: Lines,
    rules: Rules,
    take: impl Fn(Result<Batch<N>, Failure>) -> bool,
) {
    loop {
        let batch = read_batch(&mut lines, rules);
        let last = match &batch {
            Ok(batch) => !matches!(batch.outcome, Outcome::More),
            Err(_) => true,
        };
        if !take(batch) || last {
            return;
        }
    }
}

fn read_batch<N: Assign>(lines: &mut Lines, rules: Rules) -> Result<Batch<N>, Failure> {
    let Rules {
        size,
        on_error,
        resumable,
    } = rules;
    let mut records = Vec::with_capacity(size.min(10_000));
    let mut sources = Vec::with_capacity(size.min(10_000));
    let mut rejected = Vec::new();
    let mut bytes = 0;
    let outcome = loop {
        if records.len() + rejected.len() >= size || bytes >= MAX_BATCH_BYTES {
            break if lines.at_end()? {
                Outcome::End
            } else {
                Outcome::More
            };
        }
        let Some(line) = lines.next()? else {
            break Outcome::End;
        };
        bytes += line.bytes.len();
        let read = record::<N>(&line);
        if let (Err(Problem::NotJson(_)), OnError::Skip, true, false) =
            (&read, on_error, resumable, line.ended)
        {
            break Outcome::Unfinished;
        }
        let before = lines.mark().clone();
        if read.is_ok() || on_error == OnError::Skip {
            lines.pass(&line);
        }
        let source = Source {
            number: line.number,
            bytes: line.bytes,
            before,
        };
        match read {
            Ok(Some(record)) => {
                records.push(record);
                sources.push(source);
            }
            Ok(None) => {}
            Err(problem) => {
                let bad = Rejected {
                    line: source,
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
        lines: sources,
        rejected,
        end: lines.mark().clone(),
        outcome,
    })
}

/// What is wrong with a line.
#[derive(Debug)]
enum Problem {
    /// It is not JSON, or not yet.
    NotJson(String),
    /// It is not a record of its table.
    NotARecord(String),
}

impl Problem {
    fn into_text(self) -> String {
        match self {
            Self::NotJson(text) | Self::NotARecord(text) => text,
        }
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson(format!(
            "is not JSON: {}",
            // A line of JSON lines has but one line.
            error.to_string().replace("line 1 column", "column")
        ))
    }
}

impl From<lookback::Error> for Problem {
    fn from(error: lookback::Error) -> Self {
        Self::NotARecord(error.to_string())
    }
}

/// The record of a line, or none for an empty line.
fn record<N: Assign>(line: &Line) -> Result<Option<N>, Problem> {
    if line.cut {
        let most = grouped(MAX_LINE as u64);
        return Err(Problem::NotARecord(format!("is longer than {most} bytes")));
    }
    if line.bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let text = utf8(&line.bytes)?;
    if text.len() > LARGE {
        let wrong = large::too_large(text, N::Model::TABLE)?;
        if !wrong.is_empty() {
            return Err(Problem::NotARecord(wrong.join("; ")));
        }
    }
    let record = N::from_json(object(text)?)?;
    lookback::check_new(&record)?;
    Ok(Some(record))
}

fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| Problem::NotJson(invalid_utf8(bytes, error)))
}

/// The JSON object of a line.
fn object(text: &str) -> Result<JsonMap, Problem> {
    // Keys that serde_json keeps for itself: it would read another value than the one given.
    const RESERVED: &str = "$serde_json::private::";
    if text.contains(RESERVED) {
        return Err(Problem::NotARecord(format!(
            "holds {RESERVED}, which cannot be part of a key"
        )));
    }
    match serde_json::from_str::<Json>(text)? {
        Json::Object(map) => Ok(map),
        _ => Err(Problem::NotARecord(
            "is JSON, but not an object such as {\"message\": \"…\"}".to_owned(),
        )),
    }
}

/// Says where the bytes are not UTF-8, and in which field.
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
    // With the first wrong byte as a mark that is in no field of a valid line.
    const MARK: &str = "\u{fffd}";
    let mut text = String::from_utf8_lossy(&bytes[..at]).replace(MARK, "?");
    text.push_str(MARK);
    text.push_str(&String::from_utf8_lossy(&bytes[at + 1..]).replace(MARK, "?"));
    let field = match serde_json::from_str::<Json>(&text) {
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

/// Tells the kind of records from the first line that holds an object.
pub(crate) fn detect(lines: &mut Lines, input: &str) -> Result<Kind, Failure> {
    /// Lines looked at: beyond them, somebody should say what this is.
    const LOOKED_AT: usize = 100;
    let mut seen = Vec::new();
    let mut bytes = 0;
    let mut kind = None;
    let mut problem = None;
    while seen.len() < LOOKED_AT && bytes < MAX_BATCH_BYTES {
        let Some(line) = lines.next()? else { break };
        bytes += line.bytes.len();
        if !line.bytes.trim_ascii().is_empty() {
            match names(&line.bytes) {
                Ok(names) => {
                    kind = kind_of(&names);
                    if kind.is_none() {
                        let names = names.join(", ");
                        problem = Some(format!("line {} has the fields {names}", line.number));
                    }
                    seen.push(line);
                    break;
                }
                Err(wrong) => {
                    let wrong = wrong.into_text();
                    problem.get_or_insert(format!("line {}: {wrong}", line.number));
                }
            }
        }
        seen.push(line);
    }
    let empty = problem.is_none() && kind.is_none();
    lines.put_back(seen);
    match kind {
        Some(kind) => Ok(kind),
        // Nothing to import is nothing to be unsure of.
        None if empty && lines.at_end()? => Ok(Kind::Logs),
        None => Err(Failure::failed(format!(
            "{input}: cannot tell what the lines are ({})",
            problem.unwrap_or_else(|| "they are empty".to_owned())
        ))
        .hint("logs have a message, requests a method and a path; say which: --kind logs or --kind requests")),
    }
}

/// The names of the fields of a line; of a long one, the first of them.
fn names(bytes: &[u8]) -> Result<Vec<String>, Problem> {
    const FIRST: usize = 100;
    let text = utf8(bytes)?;
    if text.len() <= LARGE {
        return Ok(object(text)?.into_iter().map(|(name, _)| name).collect());
    }
    let mut names = Vec::new();
    large::fields(text, |name, _| {
        if names.len() < FIRST {
            names.push(name.to_owned());
        }
    })?;
    Ok(names)
}

fn kind_of(names: &[String]) -> Option<Kind> {
    let has = |field| names.iter().any(|name| name == field);
    match (has("method") && has("path"), has("message")) {
        (true, false) => Some(Kind::Requests),
        (false, true) => Some(Kind::Logs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{kind_of, names};
    use crate::args::Kind;

    #[test]
    fn what_is_not_an_object_is_said() {
        let wrong = |bytes: &[u8]| names(bytes).expect_err("not an object").into_text();
        insta::assert_snapshot!(
            [
                wrong(b"{\"message\": \"a\xffb\", \"level\": \"info\"}"),
                wrong(b"{\"meta\": {\"deep\": [\"\xc3\x28\"]}, \"message\": \"x\"}"),
                wrong(b"\xff\xfe"),
                wrong(b"{\"message\": "),
                wrong(b"[1, 2]"),
                wrong(b"plain text"),
            ]
            .join("\n"),
            @r#"
message: is not valid UTF-8 (byte 0xff at column 15)
meta: is not valid UTF-8 (byte 0xc3 at column 21)
is not valid UTF-8 (byte 0xff at column 1)
is not JSON: EOF while parsing a value at column 12
is JSON, but not an object such as {"message": "…"}
is not JSON: expected value at column 1
"#
        );
    }

    #[test]
    fn the_kind_is_told_from_the_fields() {
        let kind = |text: &str| kind_of(&names(text.as_bytes()).expect("an object"));
        assert_eq!(
            kind(r#"{"message": "m", "level": "info"}"#),
            Some(Kind::Logs)
        );
        assert_eq!(
            kind(r#"{"method": "GET", "path": "/"}"#),
            Some(Kind::Requests)
        );
        assert_eq!(
            kind(r#"{"method": "GET", "path": "/", "message": "m"}"#),
            None
        );
        assert_eq!(kind(r#"{"text": "m"}"#), None);
    }
}
