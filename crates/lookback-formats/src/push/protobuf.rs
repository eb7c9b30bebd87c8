//! OpenTelemetry in protobuf, read into the plain form of `json/otlp.rs`.
//!
//! The messages are those of opentelemetry-proto 1.x. Fields that they do not have are left out, as
//! their specification asks. Text that is not UTF-8 gets U+FFFD in its place, and costs no record.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lookback::Json;
use lookback::value::JsonMap;

use super::MAX_RECORD;
use super::wire::{Fields, Wire};
use crate::Problem;
use crate::draft::Draft;
use crate::json::otlp::{Context, flat, is_default, log, span, with_schema};

/// The fields of a message: the number, the name in JSON, and the type.
pub(super) type Schema = &'static [(u32, &'static str, Kind)];

/// The type of a field.
pub(super) enum Kind {
    Text,
    Texts,
    /// Bytes of an id, in hexadecimal.
    Hex,
    /// A `fixed64`, which is text in JSON.
    Nanoseconds,
    /// A `uint32`.
    Count,
    /// A number of an enumeration.
    Enum,
    /// A `fixed32`.
    Flags,
    Value,
    Attributes,
    Message(Schema),
    Messages(Schema),
}

pub(super) const LOG_RECORD: Schema = &[
    (1, "timeUnixNano", Kind::Nanoseconds),
    (2, "severityNumber", Kind::Enum),
    (3, "severityText", Kind::Text),
    (5, "body", Kind::Value),
    (6, "attributes", Kind::Attributes),
    (7, "droppedAttributesCount", Kind::Count),
    (8, "flags", Kind::Flags),
    (9, "traceId", Kind::Hex),
    (10, "spanId", Kind::Hex),
    (11, "observedTimeUnixNano", Kind::Nanoseconds),
    (12, "eventName", Kind::Text),
];
pub(super) const SPAN: Schema = &[
    (1, "traceId", Kind::Hex),
    (2, "spanId", Kind::Hex),
    (3, "traceState", Kind::Text),
    (4, "parentSpanId", Kind::Hex),
    (5, "name", Kind::Text),
    (6, "kind", Kind::Enum),
    (7, "startTimeUnixNano", Kind::Nanoseconds),
    (8, "endTimeUnixNano", Kind::Nanoseconds),
    (9, "attributes", Kind::Attributes),
    (10, "droppedAttributesCount", Kind::Count),
    (11, "events", Kind::Messages(EVENT)),
    (12, "droppedEventsCount", Kind::Count),
    (13, "links", Kind::Messages(LINK)),
    (14, "droppedLinksCount", Kind::Count),
    (15, "status", Kind::Message(STATUS)),
    (16, "flags", Kind::Flags),
];
const EVENT: Schema = &[
    (1, "timeUnixNano", Kind::Nanoseconds),
    (2, "name", Kind::Text),
    (3, "attributes", Kind::Attributes),
    (4, "droppedAttributesCount", Kind::Count),
];
const LINK: Schema = &[
    (1, "traceId", Kind::Hex),
    (2, "spanId", Kind::Hex),
    (3, "traceState", Kind::Text),
    (4, "attributes", Kind::Attributes),
    (5, "droppedAttributesCount", Kind::Count),
    (6, "flags", Kind::Flags),
];
const STATUS: Schema = &[(2, "message", Kind::Text), (3, "code", Kind::Enum)];
const RESOURCE: Schema = &[
    (1, "attributes", Kind::Attributes),
    (2, "droppedAttributesCount", Kind::Count),
    (3, "entityRefs", Kind::Messages(ENTITY)),
];
const ENTITY: Schema = &[
    (1, "schemaUrl", Kind::Text),
    (2, "type", Kind::Text),
    (3, "idKeys", Kind::Texts),
    (4, "descriptionKeys", Kind::Texts),
];
const SCOPE: Schema = &[
    (1, "name", Kind::Text),
    (2, "version", Kind::Text),
    (3, "attributes", Kind::Attributes),
    (4, "droppedAttributesCount", Kind::Count),
];

/// What a batch has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    Logs,
    Traces,
}

/// Returns the records of a batch; a span that is no request of a server is `None`.
///
/// # Errors
///
/// The batch is not one. Parts of it that cannot be read are errors of the records.
pub(super) fn records(
    body: &[u8],
    signal: Signal,
) -> Result<impl Iterator<Item = Result<Option<Draft>, Problem>> + Send, Problem> {
    let (groups, scopes, records) = match signal {
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
    };
    for field in Fields::new(body) {
        let is_group = match field {
            Ok((1, value)) => matches!(value, Wire::Bytes(_)),
            Ok(_) => true,
            Err(reason) => return Err(problem("the body", reason)),
        };
        if !is_group {
            return Err(problem(groups, OTHER_TYPE));
        }
    }
    Ok(messages(body, 1, groups).flat_map(move |group| {
        let (group, failed) = apart(group);
        let read = group.map(|group| {
            let (resource, failed) = around(group, "resource", RESOURCE);
            let resource = Arc::new(flat_with_schema(resource, group));
            let scoped = messages(group, 2, scopes).flat_map(move |scoped| {
                let resource = Arc::clone(&resource);
                let (scoped, failed) = apart(scoped);
                let read = scoped.map(|scoped| {
                    let (scope, failed) = around(scoped, "scope", SCOPE);
                    let scope = with_schema(scope, schema_url(scoped));
                    let listed = messages(scoped, 2, records).map(move |record| {
                        let context = Context {
                            resource: &resource,
                            scope: &scope,
                        };
                        of_record(record?, signal, &context)
                    });
                    failed.map(Err).into_iter().chain(listed)
                });
                failed
                    .map(Err)
                    .into_iter()
                    .chain(read.into_iter().flatten())
            });
            failed.map(Err).into_iter().chain(scoped)
        });
        failed
            .map(Err)
            .into_iter()
            .chain(read.into_iter().flatten())
    }))
}

fn of_record(
    record: &[u8],
    signal: Signal,
    context: &Context<'_>,
) -> Result<Option<Draft>, Problem> {
    if record.len() > MAX_RECORD {
        let bytes = record.len();
        return Err(Problem::new(format!(
            "a record must have at most {MAX_RECORD} bytes, got {bytes}"
        )));
    }
    let (name, schema) = match signal {
        Signal::Logs => ("logRecord", LOG_RECORD),
        Signal::Traces => ("span", SPAN),
    };
    let record = message(record, schema).map_err(|fault| fault.of(name))?;
    Ok(match signal {
        Signal::Logs => Some(log(record, context)),
        Signal::Traces => span(record, context),
    })
}

const OTHER_TYPE: &str = "is of another type";

fn problem(name: &str, reason: &str) -> Problem {
    Problem::new(format!("{name}: {reason}"))
}

fn apart<T>(result: Result<T, Problem>) -> (Option<T>, Option<Problem>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(problem) => (None, Some(problem)),
    }
}

/// Returns the messages of a field; what is wrong in the message around them is an error.
fn messages<'a>(
    message: &'a [u8],
    number: u32,
    name: &'static str,
) -> impl Iterator<Item = Result<&'a [u8], Problem>> + Send {
    Fields::new(message).filter_map(move |field| match field {
        Ok((at, Wire::Bytes(bytes))) if at == number => Some(Ok(bytes)),
        Ok((at, _)) if at == number => Some(Err(problem(name, OTHER_TYPE))),
        Ok(_) => None,
        Err(reason) => Some(Err(problem(name, reason))),
    })
}

/// The most bytes of a resource or scope, which each of its records has a copy of.
const MAX_AROUND: usize = 1024 * 1024;

/// Reads what is around the records of a group: its field 1. One that cannot be read is missing.
fn around(group: &[u8], name: &str, schema: Schema) -> (JsonMap, Option<Problem>) {
    let mut map = JsonMap::new();
    for (number, value) in Fields::new(group).map_while(Result::ok) {
        if number != 1 {
            continue;
        }
        let read = match value {
            Wire::Bytes(bytes) if bytes.len() > MAX_AROUND => {
                Err(Fault::new(format!("has more than {MAX_AROUND} bytes")))
            }
            Wire::Bytes(bytes) => message(bytes, schema),
            _ => Err(Fault::new(OTHER_TYPE)),
        };
        match read {
            Ok(read) => map.extend(read),
            Err(fault) => return (map, Some(fault.of(name))),
        }
    }
    (map, None)
}

fn flat_with_schema(resource: JsonMap, group: &[u8]) -> JsonMap {
    with_schema(flat(resource), schema_url(group))
}

fn schema_url(group: &[u8]) -> Option<Json> {
    let fields = Fields::new(group).map_while(Result::ok);
    let url = fields.filter_map(|field| match field {
        (3, Wire::Bytes(url)) => Some(text(url)),
        _ => None,
    });
    url.last()
}

/// The most levels of values in values.
const MAX_DEPTH: usize = 64;
/// The most values of a record: one of two bytes takes hundreds of them in memory.
const MAX_VALUES: usize = 100_000;

/// Why a message cannot be read, and in which of its fields.
struct Fault {
    reason: String,
    path: Vec<&'static str>,
}

impl Fault {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            path: Vec::new(),
        }
    }

    fn within(mut self, name: &'static str) -> Self {
        self.path.push(name);
        self
    }

    fn of(self, name: &str) -> Problem {
        let path: Vec<&str> = std::iter::once(name)
            .chain(self.path.into_iter().rev())
            .collect();
        problem(&path.join("."), &self.reason)
    }
}

impl From<&'static str> for Fault {
    fn from(reason: &'static str) -> Self {
        Self::new(reason)
    }
}

/// Reads a message in plain form.
fn message(bytes: &[u8], schema: Schema) -> Result<JsonMap, Fault> {
    let mut reader = Reader { values: 0 };
    reader.message(bytes, schema)
}

struct Reader {
    /// The number of values so far.
    values: usize,
}

impl Reader {
    fn message(&mut self, bytes: &[u8], schema: Schema) -> Result<JsonMap, Fault> {
        let mut map = JsonMap::new();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            let Some((_, name, kind)) = schema.iter().find(|known| known.0 == number) else {
                continue;
            };
            self.field(&mut map, name, kind, value)
                .map_err(|fault| fault.within(name))?;
        }
        map.retain(|name, value| !is_default(name, value));
        Ok(map)
    }

    fn field(
        &mut self,
        map: &mut JsonMap,
        name: &'static str,
        kind: &Kind,
        value: Wire<'_>,
    ) -> Result<(), Fault> {
        self.count()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "protobuf reads a longer number by its low bits"
        )]
        let value = match (kind, value) {
            (Kind::Text, Wire::Bytes(bytes)) => text(bytes),
            (Kind::Hex, Wire::Bytes(bytes)) => hex(bytes).into(),
            (Kind::Nanoseconds, Wire::Fixed64(number)) => number.to_string().into(),
            (Kind::Count, Wire::Varint(number)) => Json::from(number as u32),
            (Kind::Enum, Wire::Varint(number)) => Json::from(number as i32),
            (Kind::Flags, Wire::Fixed32(number)) => Json::from(number),
            (Kind::Value, Wire::Bytes(bytes)) => self.value(bytes, 0)?,
            (Kind::Attributes, Wire::Bytes(bytes)) => {
                let (key, value) = self.pair(bytes, 0)?;
                if let Json::Object(map) = list(map, name, || Json::Object(JsonMap::new())) {
                    map.insert(key, value);
                }
                return Ok(());
            }
            (Kind::Message(schema), Wire::Bytes(bytes)) => {
                let mut read = self.message(bytes, schema)?;
                if let Json::Object(map) = list(map, name, || Json::Object(JsonMap::new())) {
                    map.append(&mut read);
                }
                return Ok(());
            }
            (Kind::Messages(_) | Kind::Texts, Wire::Bytes(bytes)) => {
                let value = match kind {
                    Kind::Messages(schema) => Json::Object(self.message(bytes, schema)?),
                    _ => text(bytes),
                };
                if let Json::Array(items) = list(map, name, || Json::Array(Vec::new())) {
                    items.push(value);
                }
                return Ok(());
            }
            _ => return Err(Fault::new(OTHER_TYPE)),
        };
        map.insert(name.to_owned(), value);
        Ok(())
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Fault::new(format!("has more than {MAX_VALUES} values")));
        }
        Ok(())
    }

    /// Reads a key and its value.
    fn pair(&mut self, bytes: &[u8], depth: usize) -> Result<(String, Json), Fault> {
        let (mut key, mut value) = (String::new(), Json::Null);
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Bytes(bytes)) => key = String::from_utf8_lossy(bytes).into_owned(),
                (2, Wire::Bytes(bytes)) => value = self.value(bytes, depth)?,
                (1 | 2, _) => return Err(Fault::new(OTHER_TYPE)),
                _ => {}
            }
        }
        Ok((key, value))
    }

    /// Reads a value with its type; the last one counts.
    fn value(&mut self, bytes: &[u8], depth: usize) -> Result<Json, Fault> {
        self.count()?;
        if depth > MAX_DEPTH {
            return Err(Fault::new(format!(
                "has values in values, more than {MAX_DEPTH} levels deep"
            )));
        }
        let mut value = Json::Null;
        for field in Fields::new(bytes) {
            value = match field? {
                (1, Wire::Bytes(bytes)) => text(bytes),
                (2, Wire::Varint(number)) => (number != 0).into(),
                #[expect(clippy::cast_possible_wrap, reason = "an int64 on the wire")]
                (3, Wire::Varint(number)) => Json::from(number as i64),
                (4, Wire::Fixed64(bits)) => of_double(f64::from_bits(bits)),
                (5, Wire::Bytes(bytes)) => self.array(bytes, depth)?,
                (6, Wire::Bytes(bytes)) => self.object(bytes, depth)?,
                (7, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
                (1..=7, _) => return Err(Fault::new(OTHER_TYPE)),
                _ => value,
            };
        }
        Ok(value)
    }

    fn array(&mut self, bytes: &[u8], depth: usize) -> Result<Json, Fault> {
        let mut items = Vec::new();
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Bytes(bytes)) => items.push(self.value(bytes, depth + 1)?),
                (1, _) => return Err(Fault::new(OTHER_TYPE)),
                _ => {}
            }
        }
        Ok(Json::Array(items))
    }

    fn object(&mut self, bytes: &[u8], depth: usize) -> Result<Json, Fault> {
        let mut map = JsonMap::new();
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Bytes(bytes)) => {
                    let (key, value) = self.pair(bytes, depth + 1)?;
                    map.insert(key, value);
                }
                (1, _) => return Err(Fault::new(OTHER_TYPE)),
                _ => {}
            }
        }
        Ok(Json::Object(map))
    }
}

/// Returns what a field has so far.
fn list<'a>(map: &'a mut JsonMap, name: &str, empty: fn() -> Json) -> &'a mut Json {
    let slot = map.get_or_insert_null(name.to_owned());
    if slot.is_null() {
        *slot = empty();
    }
    slot
}

fn text(bytes: &[u8]) -> Json {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS[usize::from(four)]);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

/// Returns a number, or the text that JSON has for NaN and the infinities.
fn of_double(number: f64) -> Json {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .into()
    } else {
        number.into()
    }
}
