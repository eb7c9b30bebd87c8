//! A push to Loki in protobuf, compressed by snappy: streams of labels and lines.

use lookback::Json;
use lookback::value::JsonMap;

use super::MAX_RECORD;
use super::wire::{Fields, Wire};
use crate::Problem;
use crate::draft::Draft;
use crate::json::cloud::loki_line;
use crate::text::escapes;
use crate::time::Rules;

/// Decompresses a body.
pub(super) fn decompress(body: &[u8], max_bytes: usize) -> Result<Vec<u8>, Problem> {
    // Three bytes of snappy stand for 64 at most. A header that claims more is wrong.
    const MOST_PER_BYTE: usize = 22;
    let failed = |error: snap::Error| Problem::new(format!("the body is not snappy: {error}"));
    let length = snap::raw::decompress_len(body).map_err(failed)?;
    if length > max_bytes {
        return Err(super::too_large(length, max_bytes));
    }
    if length > body.len().saturating_mul(MOST_PER_BYTE) {
        return Err(Problem::new(format!(
            "the body is not snappy: {} bytes cannot be {length}",
            body.len()
        )));
    }
    snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(failed)
}

/// The lines of a push.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    body: Vec<u8>,
    rules: Rules<'a>,
    /// Where the next stream is.
    at: usize,
    stream: Option<Stream>,
}

/// The stream whose lines are next.
#[derive(Debug)]
struct Stream {
    labels: JsonMap,
    /// Where its next line is.
    at: usize,
    /// Where it ends.
    end: usize,
}

impl<'a> Lines<'a> {
    /// # Errors
    ///
    /// The body is no push.
    pub(super) fn new(body: Vec<u8>, rules: Rules<'a>) -> Result<Self, Problem> {
        for field in Fields::new(&body) {
            match field {
                Ok((1, Wire::Bytes(_))) => {}
                Ok((1, _)) => return Err(Problem::new("streams: is of another type")),
                Ok(_) => {}
                Err(reason) => return Err(Problem::new(format!("the body: {reason}"))),
            }
        }
        Ok(Self {
            body,
            rules,
            at: 0,
            stream: None,
        })
    }

    /// Begins the next stream, and returns whether there is one.
    fn next_stream(&mut self) -> bool {
        let mut fields = Fields::new(&self.body[self.at..]);
        while let Some(field) = fields.next() {
            self.at = self.body.len() - fields.rest().len();
            if let Ok((1, Wire::Bytes(stream))) = field {
                self.stream = Some(Stream {
                    labels: labels_of(stream),
                    at: self.at - stream.len(),
                    end: self.at,
                });
                return true;
            }
        }
        false
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Draft, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(stream) = &mut self.stream else {
                if self.next_stream() {
                    continue;
                }
                return None;
            };
            let mut fields = Fields::new(&self.body[stream.at..stream.end]);
            let field = fields.next();
            stream.at = stream.end - fields.rest().len();
            match field {
                Some(Ok((2, Wire::Bytes(entry)))) => {
                    return Some(of_entry(entry, &stream.labels, self.rules));
                }
                Some(Ok((2, _))) => return Some(Err(Problem::new("entries: is of another type"))),
                Some(Ok(_)) => {}
                Some(Err(reason)) => return Some(Err(Problem::new(format!("entries: {reason}")))),
                None => self.stream = None,
            }
        }
    }
}

/// Returns the labels of a stream.
fn labels_of(stream: &[u8]) -> JsonMap {
    let fields = Fields::new(stream).map_while(Result::ok);
    let text = fields.filter_map(|field| match field {
        (1, Wire::Bytes(text)) => Some(String::from_utf8_lossy(text)),
        _ => None,
    });
    let Some(text) = text.last() else {
        return JsonMap::new();
    };
    parse_labels(&text).unwrap_or_else(|| {
        // Its lines are worth more than its labels: these are kept as they are.
        JsonMap::from([("labels".to_owned(), text.into_owned().into())])
    })
}

fn of_entry(entry: &[u8], labels: &JsonMap, rules: Rules<'_>) -> Result<Draft, Problem> {
    if entry.len() > MAX_RECORD {
        let bytes = entry.len();
        return Err(Problem::new(format!(
            "an entry must have at most {MAX_RECORD} bytes, got {bytes}"
        )));
    }
    let failed = |name: &str, reason: &str| Problem::new(format!("entries.{name}: {reason}"));
    let mut time = None;
    let mut line = String::new();
    let mut metadata = Vec::new();
    for field in Fields::new(entry) {
        match field {
            Ok((1, Wire::Bytes(bytes))) => {
                time = Some(timestamp(bytes).map_err(|reason| failed("timestamp", reason))?);
            }
            Ok((2, Wire::Bytes(bytes))) => line = String::from_utf8_lossy(bytes).into_owned(),
            // What the sender knows of the line, and what a parser found in it.
            Ok((3 | 4, Wire::Bytes(bytes))) => {
                metadata.push(pair(bytes).map_err(|reason| failed("structuredMetadata", reason))?);
            }
            Ok((1..=4, _)) => return Err(Problem::new("entries: is of another type")),
            Ok(_) => {}
            Err(reason) => return Err(Problem::new(format!("entries: {reason}"))),
        }
    }
    Ok(loki_line(time, &line, metadata, labels.clone(), rules))
}

/// Reads a timestamp, as the nanoseconds that Loki's JSON has.
fn timestamp(bytes: &[u8]) -> Result<Json, &'static str> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    for field in Fields::new(bytes) {
        #[expect(
            clippy::cast_possible_wrap,
            clippy::cast_possible_truncation,
            reason = "signed numbers on the wire"
        )]
        match field? {
            (1, Wire::Varint(number)) => seconds = number as i64,
            (2, Wire::Varint(number)) => nanos = number as i32,
            (1 | 2, _) => return Err("is of another type"),
            _ => {}
        }
    }
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Ok(nanos.to_string().into())
}

fn pair(bytes: &[u8]) -> Result<(String, Json), &'static str> {
    let (mut name, mut value) = (String::new(), String::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Wire::Bytes(bytes)) => name = String::from_utf8_lossy(bytes).into_owned(),
            (2, Wire::Bytes(bytes)) => value = String::from_utf8_lossy(bytes).into_owned(),
            (1 | 2, _) => return Err("is of another type"),
            _ => {}
        }
    }
    Ok((name, value.into()))
}

/// Parses labels: `{app="shop", level="warn"}`, with the quotes and escapes of Go.
fn parse_labels(text: &str) -> Option<JsonMap> {
    let mut map = JsonMap::new();
    let mut rest = text.trim().strip_prefix('{')?.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return after.trim().is_empty().then_some(map);
        }
        let name;
        (name, rest) = if rest.starts_with(['"', '`']) {
            quoted(rest)?
        } else {
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '.')))?;
            (rest[..end].to_owned(), &rest[end..])
        };
        if name.is_empty() {
            return None;
        }
        let value;
        (value, rest) = quoted(rest.trim_start().strip_prefix('=')?.trim_start())?;
        map.insert(name, value.into());
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// Reads a quoted text of Go, and returns what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (raw, rest) = raw.split_once('`')?;
        return Some((raw.to_owned(), rest));
    }
    escapes::unquoted(text.strip_prefix('"')?)
}

#[cfg(test)]
mod tests {
    use super::parse_labels;

    #[test]
    fn labels_have_the_quotes_and_escapes_of_go() {
        for (text, expected) in [
            ("{}", Some("{}")),
            (
                r#"{app="shop", level="warn"}"#,
                Some(r#"{"app":"shop","level":"warn"}"#),
            ),
            (r#" { a = "x,}\"\\\n" , } "#, Some(r#"{"a":"x,}\"\\\n"}"#)),
            (
                r#"{a="\x41\u00e4\303\244\U0001F600", b=`\n"`}"#,
                Some(r#"{"a":"Aää😀","b":"\\n\""}"#),
            ),
            (r#"{"of.any.name"="1"}"#, Some(r#"{"of.any.name":"1"}"#)),
            (r#"{a="1""#, None),
            (r#"{a="1}"#, None),
            (r#"{a=1}"#, None),
            (r#"{="1"}"#, None),
            (r#"{a="\q"}"#, None),
            (r#"{a="\x4"}"#, None),
            (r#"{a="1"} b"#, None),
            (r#"{a="1" b="2"}"#, None),
            ("", None),
        ] {
            let parsed = parse_labels(text).map(|map| lookback::Json::Object(map).to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }
}
