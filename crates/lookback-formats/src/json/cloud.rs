//! Records of collectors and clouds: journald, Google Cloud, CloudWatch, Azure, Loki.

use std::borrow::Cow;

use lookback::Json;
use lookback::value::{JsonMap, JsonRef};

use super::access;
use lookback_json::form::push;

use crate::draft::{Draft, Request, insert_beside};
use crate::fields::{Fields as _, Value, take_duration, take_first, take_status, take_text, text};
use crate::record::Record;
use crate::time::Rules;
use crate::{Format, Problem, level, text as lines};

/// Reads a record of `journalctl -o json`.
pub(super) fn journald(record: &mut Record<'_>, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Journald);
    take_time(record, "__REALTIME_TIMESTAMP", &mut draft, rules);
    let priority = record.get("PRIORITY").and_then(Value::number);
    draft.level = priority.map(level::of_syslog);
    draft.source = take_text(record, &["SYSLOG_IDENTIFIER", "_COMM"]);
    let message = match record.take("MESSAGE") {
        Some(JsonRef::String(text)) => Some(text),
        Some(value) => {
            let text = text_of_bytes(&value);
            if text.is_none() && value != JsonRef::Null {
                record.insert("MESSAGE".into(), value);
            }
            text.map(Cow::Owned)
        }
        None => None,
    };
    draft.meta = record.take_map();
    match message {
        Some(text) => lines::decode(&text, rules).draft.wrapped(draft),
        None => draft,
    }
}

/// Reads a text that journald writes as numbers, since its bytes are not all UTF-8, or colour it.
fn text_of_bytes(value: &JsonRef<'_>) -> Option<String> {
    let JsonRef::Array(items) = value else {
        return None;
    };
    let byte = |item: &JsonRef<'_>| match item {
        JsonRef::Number(number) => number.parse::<u8>().ok(),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
    Some(String::from_utf8_lossy(&bytes?).into_owned())
}

/// Takes a time, and returns whether it was read.
fn take_time(record: &mut Record<'_>, name: &str, draft: &mut Draft, rules: Rules<'_>) -> bool {
    let Some(time) = record.get(name) else {
        return false;
    };
    let is_read = draft.read_time(rules.time_of(time));
    // What the column does not hold is kept: digits below a microsecond.
    if is_read && draft.is_exact_time {
        record.take(name);
    }
    is_read
}

/// Whether a record is a LogEntry of Google Cloud.
pub(super) fn is_log_entry(record: &Record<'_>) -> bool {
    let has = |name: &str| record.contains(name);
    let has_payload =
        has("textPayload") || has("jsonPayload") || has("protoPayload") || has("httpRequest");
    has_payload && (has("severity") || has("timestamp") || has("logName") || has("insertId"))
}

/// Reads a LogEntry.
pub(super) fn log_entry(record: &mut Record<'_>, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Gcp);
    let is_read = take_time(record, "timestamp", &mut draft, rules)
        || take_time(record, "time", &mut draft, rules);
    if !is_read && let Some(time) = record.get("receiveTimestamp") {
        draft.read_time(rules.time_of(time));
    }
    let severity = take_first(record, &["severity"]);
    if let Some(severity) = &severity {
        draft.set_level("severity", severity);
    }
    for name in ["trace", "logging.googleapis.com/trace"] {
        if let Some(trace) = take_text(record, &[name]) {
            draft.set_trace_id(trace.rsplit('/').next().unwrap_or(&trace));
        }
    }
    let label = |name| text(record, &format!("resource.labels.{name}"));
    let mut labels = [
        "service_name",
        "container_name",
        "function_name",
        "module_id",
    ]
    .into_iter();
    draft.source = labels.find_map(label);
    let request = match record.get("httpRequest") {
        Some(JsonRef::Object(_)) => record.take("httpRequest"),
        _ => None,
    };
    let is_object = |name: &&str| matches!(record.get(name), Some(JsonRef::Object(_)));
    let payload = ["jsonPayload", "protoPayload"].into_iter().find(is_object);
    let payload = payload.and_then(|name| record.take(name));
    let text = take_text(record, &["textPayload"]);
    let mut draft = match (payload, text) {
        (Some(JsonRef::Object(payload)), text) => {
            draft.meta = record.take_map();
            if let Some(text) = text {
                draft.meta.insert("textPayload".to_owned(), text.into());
            }
            super::of_fields(&mut Record::new(payload), Format::Gcp, rules).wrapped(draft)
        }
        (_, Some(text)) => {
            draft.meta = record.take_map();
            lines::decode(&text, rules).draft.wrapped(draft)
        }
        // What a program writes for the agent: its message is beside the others.
        _ => super::of_record(record, Format::Gcp, rules).wrapped(draft),
    };
    if draft.request.is_some() {
        // The payload has its own.
        if let Some(request) = request {
            draft.keep("httpRequest", &request);
        }
    } else if let Some(JsonRef::Object(request)) = request {
        let mut fields = Record::new(request);
        let mut request = Request {
            method: take_text(&mut fields, &["requestMethod"]).unwrap_or_default(),
            target: take_text(&mut fields, &["requestUrl"]).unwrap_or_default(),
            ..Request::default()
        };
        request.status = take_status(&mut fields, "status");
        request.duration = take_duration(&mut fields, "latency", 1e3);
        for (name, header) in [("userAgent", "user-agent"), ("referer", "referer")] {
            if let Some(value) = take_first(&mut fields, &[name]) {
                request.headers.insert(header.to_owned(), value.into_json());
            }
        }
        draft.is_access = draft.message.is_none();
        if draft.is_access
            && let Some(severity) = severity
        {
            draft.keep("severity", &severity);
        }
        let rest = fields.take_map();
        if !rest.is_empty() {
            draft
                .meta
                .insert("httpRequest".to_owned(), Json::Object(rest));
            draft.is_masked = false;
        }
        draft.request = Some(Box::new(request));
    }
    draft
}

/// The names of the list that a batch of CloudWatch or Azure has, and a field of its records.
const BATCHES: [(&str, &str, Format); 3] = [
    ("records", "time", Format::Azure),
    ("logEvents", "message", Format::CloudWatch),
    ("events", "message", Format::CloudWatch),
];

/// Returns the name of the list of a batch of CloudWatch or Azure, and the format of its records.
fn list_of(record: &Record<'_>) -> Option<(&'static str, Format)> {
    let batch = BATCHES
        .iter()
        .find(|(name, field, _)| match record.get(name) {
            Some(JsonRef::Array(items)) => {
                items.first().is_some_and(|item| item.get(field).is_some())
            }
            _ => false,
        });
    batch.map(|(name, _, format)| (*name, *format))
}

/// Whether a record holds events of CloudWatch or records of Azure.
pub(super) fn is_batch(record: &Record<'_>) -> bool {
    list_of(record).is_some()
}

pub(super) fn batch(record: &mut Record<'_>, rules: Rules<'_>) -> Result<Vec<Draft>, Problem> {
    let Some((name, format)) = list_of(record) else {
        return Err(Problem::new("must have logEvents or records"));
    };
    let Some(JsonRef::Array(items)) = record.take(name) else {
        return Err(Problem::new(format!("{name}: must be an array")));
    };
    let mut around = Around::new(record.take_map());
    let drafts = items.into_iter().map(|item| {
        let mut draft = match item {
            JsonRef::Object(item) if format == Format::Azure => {
                azure(&mut Record::new(item), rules)
            }
            JsonRef::Object(item) => {
                let group = around.text("logGroup");
                cloudwatch(&mut Record::new(item), group, rules)
            }
            other => {
                let mut draft = Draft::new(format);
                draft.message = Some(other.into_json().to_string());
                draft
            }
        };
        around.add_to(&mut draft);
        draft
    });
    Ok(drafts.collect())
}

/// What a batch says once of its records. Each has it, unless it is large: then the first one has.
struct Around {
    fields: JsonMap,
    is_large: bool,
}

impl Around {
    const MAX: usize = 16 * 1024;

    fn new(fields: JsonMap) -> Self {
        let is_large = Json::Object(fields.clone()).to_string().len() > Self::MAX;
        Self { fields, is_large }
    }

    fn text(&self, name: &str) -> Option<String> {
        text(&self.fields, name)
    }

    fn add_to(&mut self, draft: &mut Draft) {
        let fields = if self.is_large {
            std::mem::take(&mut self.fields)
        } else {
            self.fields.clone()
        };
        for (name, value) in fields {
            insert_beside(&mut draft.meta, "batch", name, value);
            draft.is_masked = false;
        }
    }
}

/// Reads an event of CloudWatch, alone or of a batch.
pub(super) fn cloudwatch(event: &mut Record<'_>, group: Option<String>, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::CloudWatch);
    take_time(event, "timestamp", &mut draft, rules);
    let group = group.or_else(|| text(event, "logGroupName"));
    draft.source = group.map(|group| group.rsplit('/').next().unwrap_or(&group).to_owned());
    let message = take_text(event, &["message"]).unwrap_or_default();
    draft.meta = event.take_map();
    lines::decode(message.trim_end(), rules)
        .draft
        .wrapped(draft)
}

/// Reads a record of Azure Monitor.
pub(super) fn azure(record: &mut Record<'_>, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Azure);
    take_time(record, "time", &mut draft, rules);
    let is_request = record.get("properties.CsMethod").is_some();
    let mut names = ["level", "Level", "severityLevel"].into_iter();
    let is_there = |name: &&str| record.get(name).is_some_and(|value| !value.is_null());
    if let Some(name) = names.find(is_there)
        && let Some(level) = record.take(name)
        && (!draft.set_level(name, &level) || is_request)
    {
        // A request has no level.
        draft.keep(name, &level);
    }
    const MESSAGE: &[&str] = &[
        "resultDescription",
        "properties.message",
        "properties.Message",
        "message",
        "Message",
    ];
    if !is_request {
        draft.message = take_text(record, MESSAGE).or_else(|| text(record, "operationName"));
    }
    let mut names = ["properties.serviceName", "AppRoleName", "category"].into_iter();
    draft.source = names.find_map(|name| text(record, name));
    if is_request && let Some(JsonRef::Object(properties)) = record.take("properties") {
        let mut properties = Record::new(properties);
        let mut request = Request {
            method: take_text(&mut properties, &["CsMethod"]).unwrap_or_default(),
            target: take_text(&mut properties, &["CsUriStem"]).unwrap_or_default(),
            ..Request::default()
        };
        request.status = take_status(&mut properties, "ScStatus");
        request.duration = take_duration(&mut properties, "TimeTaken", 1.0);
        if let Some(agent) = take_first(&mut properties, &["UserAgent"]) {
            let agent = agent.into_json();
            request.headers.insert("user-agent".to_owned(), agent);
        }
        let rest = Json::Object(properties.take_map());
        draft.meta.insert("properties".to_owned(), rest);
        draft.request = Some(Box::new(request));
        draft.is_access = true;
    } else {
        access::take_request(record, &mut draft, []);
    }
    draft.meta.append(&mut record.take_map());
    draft
}

/// Returns the lines of a push to Loki.
pub(crate) fn loki_lines(
    mut map: JsonMap,
    rules: Rules<'_>,
) -> Result<impl Iterator<Item = Result<Draft, Problem>> + Send, Problem> {
    let Some(Json::Array(streams)) = map.remove("streams") else {
        return Err(Problem::new("streams: must be an array"));
    };
    Ok(streams.into_iter().flat_map(move |stream| {
        let (labels, values, failed) = match stream_of(stream) {
            Ok((labels, values)) => (labels, values, None),
            Err(problem) => (JsonMap::new(), Vec::new(), Some(Err(problem))),
        };
        let mut around = Around::new(labels);
        let lines = values.into_iter().map(move |value| {
            let labels = if around.is_large {
                std::mem::take(&mut around.fields)
            } else {
                around.fields.clone()
            };
            loki_value(value, labels, rules)
        });
        failed.into_iter().chain(lines)
    }))
}

fn stream_of(stream: Json) -> Result<(JsonMap, Vec<Json>), Problem> {
    let Json::Object(mut stream) = stream else {
        return Err(Problem::new("streams: must have objects"));
    };
    let labels = match stream.remove("stream") {
        Some(Json::Object(labels)) => labels,
        None | Some(Json::Null) => JsonMap::new(),
        Some(_) => return Err(Problem::new("stream: must be an object of labels")),
    };
    match stream.remove("values") {
        Some(Json::Array(values)) => Ok((labels, values)),
        None | Some(Json::Null) => Ok((labels, Vec::new())),
        Some(_) => Err(Problem::new("values: must be an array")),
    }
}

fn loki_value(value: Json, mut labels: JsonMap, rules: Rules<'_>) -> Result<Draft, Problem> {
    let mut parts = match value {
        Json::Array(parts) if parts.len() >= 2 => parts.into_iter(),
        _ => {
            return Err(Problem::new(
                "values: must have arrays of a time and a line",
            ));
        }
    };
    let time = parts.next();
    let line = parts.next().unwrap_or_default();
    let line = line.text().unwrap_or_else(|| line.to_string());
    let mut metadata = JsonMap::new();
    for part in parts {
        match part {
            Json::Object(fields) => metadata.extend(fields),
            Json::Null => {}
            other => insert_beside(&mut labels, "loki", "metadata".to_owned(), other),
        }
    }
    Ok(loki_line(time, &line, metadata, labels, rules))
}

/// Reads a line of a stream.
pub(crate) fn loki_line(
    time: Option<Json>,
    line: &str,
    metadata: impl IntoIterator<Item = (String, Json)>,
    mut labels: JsonMap,
    rules: Rules<'_>,
) -> Draft {
    let mut draft = Draft::new(Format::Loki);
    for (name, value) in metadata {
        push(&mut labels, name, value);
    }
    if let Some(time) = time
        && !(draft.read_time(rules.time_of(&(&time).into())) && draft.is_exact_time)
    {
        insert_beside(&mut labels, "loki", "time".to_owned(), time);
    }
    const SOURCE: &[&str] = &[
        "service_name",
        "service",
        "app",
        "job",
        "application",
        "container",
        "component",
    ];
    if let Some(id) = take_text(&mut labels, &["trace_id", "traceID", "traceId"]) {
        draft.set_trace_id(&id);
    }
    let label = ["detected_level", "level", "severity"]
        .into_iter()
        .find_map(|name| JsonMap::get(&labels, name));
    draft.level = label.and_then(level::of_json).map(|read| read.level);
    draft.source = SOURCE.iter().find_map(|name| text(&labels, name));
    draft.meta = labels;
    lines::decode(line, rules).draft.wrapped(draft)
}
