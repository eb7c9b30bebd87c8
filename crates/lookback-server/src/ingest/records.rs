//! JSON, JSON lines, and lines of any format.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use lookback::table::{ColumnValues, Table};
use lookback::value::JsonMap;
use lookback::{
    Json, Log, Metric, Model as _, NewLog, NewMetric, NewRequestSnapshot, RequestSnapshot, json,
};
use lookback_formats::{Decoder, Options};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Decoded, Ingest, json_response};
use crate::access::MayIngest;
use crate::body::media_type;
use crate::problem::{Kind, Problem, WrongField};
use crate::server::Shared;

/// Whose records a body has, if they are in Lookback's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Logs,
    Requests,
    Metrics,
}

pub(crate) async fn logs(
    State(shared): State<Arc<Shared>>,
    access: MayIngest,
    request: Request,
) -> Result<Response, Problem> {
    store(&shared, &access, Target::Logs, request).await
}

pub(crate) async fn requests(
    State(shared): State<Arc<Shared>>,
    access: MayIngest,
    request: Request,
) -> Result<Response, Problem> {
    store(&shared, &access, Target::Requests, request).await
}

pub(crate) async fn metrics(
    State(shared): State<Arc<Shared>>,
    access: MayIngest,
    request: Request,
) -> Result<Response, Problem> {
    store(&shared, &access, Target::Metrics, request).await
}

async fn store(
    shared: &Arc<Shared>,
    access: &MayIngest,
    target: Target,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let media_type = media_type(&parts.headers);
    if !is_text(&media_type) {
        return Err(Problem::new(
            Kind::UnsupportedType,
            format!(
                "content-type: expected application/json, application/x-ndjson or text/plain, \
                 got {media_type}"
            ),
        ));
    }
    let ingest = Ingest {
        shared,
        access,
        path: match target {
            Target::Logs => "/api/v1/logs",
            Target::Requests => "/api/v1/requests",
            Target::Metrics => "/api/v1/metrics",
        },
        headers: &parts.headers,
        body,
    };
    let options = ingest.options();
    let is_said_to_be_json = media_type == "application/json";
    let outcome = ingest
        .run(move |body, decoded| decode(body, target, options, is_said_to_be_json, decoded))
        .await?;
    Ok(json_response(&json!({ "data": outcome.json().clone() })))
}

/// Whether a body may be text. `curl -d` says that it is a form.
fn is_text(media_type: &str) -> bool {
    media_type.is_empty()
        || media_type.starts_with("text/")
        || media_type.ends_with("json")
        || media_type.ends_with("+ndjson")
        || matches!(
            media_type,
            "application/jsonl"
                | "application/json-lines"
                | "application/jsonlines"
                | "application/x-www-form-urlencoded"
                | "application/octet-stream"
        )
}

/// Decodes a value of JSON, a list of them, or lines.
fn decode(
    body: &[u8],
    target: Target,
    options: Options,
    is_said_to_be_json: bool,
    decoded: Decoded,
) -> Result<Decoded, Problem> {
    let mut reader = Reader {
        target,
        decoder: Decoder::new(options),
        decoded,
        entries: Vec::new(),
    };
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    // What is ignored is not checked to be UTF-8. Other bytes are left to the reader of lines.
    let text = std::str::from_utf8(body).ok();
    let is_json = match (start, text) {
        (Some(b'[' | b'{'), Some(text)) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => true,
            // One that says it is JSON, and begins like that, is broken and no text.
            Err(error) if is_said_to_be_json && !begins_with_json_line(body) => {
                let detail = format!("the body is not JSON: {error}");
                return Err(Problem::new(Kind::InvalidBody, detail));
            }
            Err(_) => false,
        },
        _ => false,
    };
    match start {
        // One by one: a list of all of them may be much longer than the body.
        Some(b'[') if is_json => {
            let mut list = serde_json::Deserializer::from_slice(body);
            let read = serde::Deserializer::deserialize_seq(&mut list, Values(&mut reader));
            // A list that is left early because it has too many is no error of its own.
            if let Err(error) = read
                && !reader.decoded.is_stopped()
            {
                let detail = format!("the body is not JSON: {error}");
                return Err(Problem::new(Kind::InvalidBody, detail));
            }
        }
        Some(b'{') if is_json => reader.record(1, &one_line(&String::from_utf8_lossy(body))),
        _ => {
            for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
                if reader.decoded.is_stopped() {
                    break;
                }
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                reader.record(index + 1, line);
            }
        }
    }
    let decoded = reader.finish().whole()?;
    if decoded.len() == 0 {
        let errors: Vec<WrongField> = decoded.errors().cloned().collect();
        return Err(match errors.first() {
            None => Problem::new(Kind::InvalidBody, "the body has no records"),
            Some(first) => Problem::new(
                Kind::InvalidRecord,
                format!(
                    "no record can be stored: {}: {}",
                    first.field, first.problem
                ),
            )
            .with_fields(errors),
        });
    }
    Ok(decoded)
}

/// Whether the first line is a value of JSON: many send lines of JSON as JSON.
fn begins_with_json_line(body: &[u8]) -> bool {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty());
    lines
        .next()
        .is_some_and(|line| serde_json::from_slice::<IgnoredAny>(line).is_ok())
}

/// Reads the values of a list as records.
struct Values<'r>(&'r mut Reader);

impl<'de> serde::de::Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(value) = list.next_element::<&RawValue>()? {
            if self.0.decoded.is_stopped() {
                break;
            }
            number += 1;
            self.0.record(number, &one_line(value.get()));
        }
        Ok(())
    }
}

/// A value of JSON as a line. Line ends are between its parts only.
fn one_line(value: &str) -> Vec<u8> {
    value
        .bytes()
        .map(|byte| {
            if matches!(byte, b'\n' | b'\r') {
                b' '
            } else {
                byte
            }
        })
        .collect()
}

struct Reader {
    target: Target,
    decoder: Decoder,
    decoded: Decoded,
    entries: Vec<lookback_formats::Entry>,
}

impl Reader {
    /// Reads a record: one of Lookback's own form, or one of any other.
    fn record(&mut self, number: usize, line: &[u8]) {
        let is_object = line.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        if is_object && let Ok(Json::Object(map)) = Json::from_slice(line) {
            let names: &[&str] = match self.target {
                Target::Logs => &["message", "level", "source"],
                Target::Requests => &["method", "path"],
                Target::Metrics => &[],
            };
            let table = match self.target {
                Target::Logs => Log::TABLE,
                Target::Requests => RequestSnapshot::TABLE,
                Target::Metrics => Metric::TABLE,
            };
            if self.target == Target::Metrics || is_own(table, names, &map) {
                // The decoder numbers lines, too.
                let _nothing = self.decoder.line(b"", &mut self.entries);
                self.own(number, map);
                return;
            }
        }
        if self.target == Target::Metrics {
            if !line.trim_ascii().is_empty() {
                self.decoded
                    .reject_record(number, "must be an object of JSON");
            }
            return;
        }
        if let Err(problem) = self.decoder.line(line, &mut self.entries) {
            self.decoded.reject(&problem);
        }
        self.take_entries();
    }

    fn own(&mut self, number: usize, map: JsonMap) {
        match self.target {
            Target::Logs => self.decoded.push_log(number, NewLog::from_json(map)),
            Target::Requests => {
                let request = NewRequestSnapshot::from_json(map);
                self.decoded.push_request(number, request);
            }
            Target::Metrics => self.decoded.push_metric(number, NewMetric::from_json(map)),
        }
    }

    fn take_entries(&mut self) {
        for entry in self.entries.drain(..) {
            self.decoded.push_entry(entry);
        }
    }

    fn finish(mut self) -> Decoded {
        self.decoder.finish(&mut self.entries);
        self.take_entries();
        self.decoded
    }
}

/// Whether an object has the form of a table's records.
fn is_own(table: &'static Table, names: &[&str], map: &JsonMap) -> bool {
    names.iter().all(|name| map.contains_key(name))
        && map.keys().all(|name| table.column(name).is_some())
}
