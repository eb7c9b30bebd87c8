//! From lines to batches of records.

use lookback::{Assign, FieldError, Json, JsonMap};

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
    /// Nothing, because of this line.
    Stopped(Rejected),
}

impl Outcome {
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::End)
    }
}

/// A line as it is.
#[derive(Debug)]
pub(crate) struct Source {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
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
const MAX_BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Reads batches of at most `size` records and gives each to `take`, until it
/// takes no more.
pub(crate) fn read<N: Assign>(
    mut lines: Lines,
    size: usize,
    on_error: OnError,
    take: impl Fn(Result<Batch<N>, Failure>) -> bool,
) {
    loop {
        let batch = read_batch(&mut lines, size, on_error);
        let last = match &batch {
            Ok(batch) => !matches!(batch.outcome, Outcome::More),
            Err(_) => true,
        };
        if !take(batch) || last {
            return;
        }
    }
}

fn read_batch<N: Assign>(
    lines: &mut Lines,
    size: usize,
    on_error: OnError,
) -> Result<Batch<N>, Failure> {
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
        if read.is_ok() || on_error == OnError::Skip {
            lines.pass(&line);
        }
        let source = Source {
            number: line.number,
            bytes: line.bytes,
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
                    problem,
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
        end: lines.mark(),
        outcome,
    })
}

/// The record of a line, or none for an empty line.
fn record<N: Assign>(line: &Line) -> Result<Option<N>, String> {
    if line.cut {
        return Err(format!("is longer than {} bytes", grouped(MAX_LINE as u64)));
    }
    if line.bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let record = N::from_json(object(&line.bytes)?).map_err(|error| error.to_string())?;
    lookback::check_new(&record).map_err(|error| error.to_string())?;
    Ok(Some(record))
}

/// The JSON object of a line.
fn object(bytes: &[u8]) -> Result<JsonMap, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| invalid_utf8(bytes, error))?;
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err("is JSON, but not an object such as {\"message\": \"…\"}".to_owned()),
        Err(error) => Err(format!(
            "is not JSON: {}",
            // A line of JSON lines has but one line.
            error.to_string().replace("line 1 column", "column")
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
    let mut kind = None;
    let mut problem = None;
    while seen.len() < LOOKED_AT {
        let Some(line) = lines.next()? else { break };
        if !line.bytes.trim_ascii().is_empty() {
            match object(&line.bytes) {
                Ok(map) => {
                    kind = kind_of(&map);
                    let fields = || map.keys().cloned().collect::<Vec<_>>().join(", ");
                    if kind.is_none() {
                        problem = Some(format!("line {} has the fields {}", line.number, fields()));
                    }
                    seen.push(line);
                    break;
                }
                Err(wrong) => {
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

fn kind_of(map: &JsonMap) -> Option<Kind> {
    let has = |field| map.contains_key(field);
    match (has("method") && has("path"), has("message")) {
        (true, false) => Some(Kind::Requests),
        (false, true) => Some(Kind::Logs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{kind_of, object};
    use crate::args::Kind;

    #[test]
    fn what_is_not_an_object_is_said() {
        let wrong = |bytes: &[u8]| object(bytes).expect_err("not an object");
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
        let kind = |text: &str| kind_of(&object(text.as_bytes()).expect("an object"));
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
