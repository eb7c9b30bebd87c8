//! Records of collectors and clouds: journald, Google Cloud, CloudWatch, Azure, Loki.

use lookback::Json;
use lookback::value::JsonMap;

use super::access;
use crate::draft::{Draft, Request, insert_beside, push};
use crate::fields::{
    get, number, take, take_duration, take_if, take_status, take_text, text, text_of,
};
use crate::time::Rules;
use crate::{Format, Problem, level, text as lines};

/// Reads a record of `journalctl -o json`.
pub(super) fn journald(mut map: JsonMap, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Journald);
    if let Some(time) = map.get("__REALTIME_TIMESTAMP")
        && draft.set_time(time, rules)
    {
        map.remove("__REALTIME_TIMESTAMP");
    }
    let priority = map.get("PRIORITY").and_then(number);
    draft.level = priority.map(level::of_syslog);
    draft.source = take_text(&mut map, &["SYSLOG_IDENTIFIER", "_COMM"]);
    let bytes = |value: &Json| -> Option<Vec<u8>> {
        let byte = |byte: &Json| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
        value.as_array()?.iter().map(byte).collect()
    };
    let message = match map.remove("MESSAGE") {
        Some(Json::String(text)) => Some(text),
        // Bytes that are not all UTF-8, or that colour.
        Some(value) => {
            let text = bytes(&value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            if text.is_none() && !value.is_null() {
                map.insert("MESSAGE".to_owned(), value);
            }
            text
        }
        None => None,
    };
    draft.meta = map;
    match message {
        Some(text) => lines::decode(&text, rules).draft.wrapped(draft),
        None => draft,
    }
}

/// Whether an object is a LogEntry of Google Cloud.
pub(super) fn is_log_entry(map: &JsonMap) -> bool {
    let has = |name: &str| map.contains_key(name);
    let has_payload =
        has("textPayload") || has("jsonPayload") || has("protoPayload") || has("httpRequest");
    has_payload && (has("severity") || has("timestamp") || has("logName") || has("insertId"))
}

/// Reads a LogEntry.
pub(super) fn log_entry(mut map: JsonMap, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Gcp);
    for name in ["timestamp", "time", "receiveTimestamp"] {
        if draft.time.is_none()
            && let Some(time) = map.get(name)
            && draft.set_time(time, rules)
            && name != "receiveTimestamp"
        {
            map.remove(name);
        }
    }
    if let Some((_, severity)) = take(&mut map, &["severity"]) {
        draft.set_level("severity", &(&severity).into());
    }
    for name in ["trace", "logging.googleapis.com/trace"] {
        if let Some(trace) = take_text(&mut map, &[name]) {
            draft.set_trace_id(trace.rsplit('/').next().unwrap_or(&trace));
        }
    }
    draft.source = text(&map, "resource.labels.service_name")
        .or_else(|| text(&map, "resource.labels.container_name"))
        .or_else(|| text(&map, "resource.labels.function_name"))
        .or_else(|| text(&map, "resource.labels.module_id"));
    let request = take(&mut map, &["httpRequest"]).and_then(|(_, value)| match value {
        Json::Object(request) => Some(request),
        _ => None,
    });
    let payload = take_if(&mut map, &["jsonPayload", "protoPayload"], Json::is_object);
    let text = take_text(&mut map, &["textPayload"]);
    let mut draft = match (payload, text) {
        (Some((_, Json::Object(payload))), _) => {
            draft.meta = map;
            super::of_fields(payload, Format::Gcp, rules).wrapped(draft)
        }
        (_, Some(text)) => {
            draft.meta = map;
            lines::decode(&text, rules).draft.wrapped(draft)
        }
        _ => {
            draft.meta = map;
            draft
        }
    };
    if let Some(mut fields) = request {
        let mut request = Request {
            method: take_text(&mut fields, &["requestMethod"]).unwrap_or_default(),
            target: take_text(&mut fields, &["requestUrl"]).unwrap_or_default(),
            ..Request::default()
        };
        request.status = take_status(&mut fields, "status");
        request.duration = take_duration(&mut fields, "latency", 1e3);
        for (name, header) in [("userAgent", "user-agent"), ("referer", "referer")] {
            if let Some((_, value)) = take(&mut fields, &[name]) {
                request.headers.insert(header.to_owned(), value);
            }
        }
        draft.is_access = draft.message.is_none();
        if !fields.is_empty() {
            draft
                .meta
                .insert("httpRequest".to_owned(), Json::Object(fields));
        }
        draft.request = Some(Box::new(request));
    }
    draft
}

/// Whether an object holds events of CloudWatch or records of Azure.
pub(super) fn is_batch(map: &JsonMap) -> bool {
    let is_list_of = |name: &str, field: &str| {
        let first = map
            .get(name)
            .and_then(Json::as_array)
            .and_then(|items| items.first());
        first.is_some_and(|item| item.get(field).is_some())
    };
    is_list_of("logEvents", "message")
        || is_list_of("events", "message")
        || is_list_of("records", "time")
}

pub(super) fn batch(mut map: JsonMap, rules: Rules<'_>) -> Result<Vec<Draft>, Problem> {
    let (name, format) = if map.contains_key("records") {
        ("records", Format::Azure)
    } else if map.contains_key("logEvents") {
        ("logEvents", Format::CloudWatch)
    } else {
        ("events", Format::CloudWatch)
    };
    let Some(Json::Array(items)) = map.remove(name) else {
        return Err(Problem::new(format!("{name}: must be an array")));
    };
    let drafts = items.into_iter().map(|item| match item {
        Json::Object(item) if format == Format::Azure => azure(item, rules),
        Json::Object(item) => cloudwatch(item, &map, rules),
        other => {
            let mut draft = Draft::new(format);
            draft.message = Some(other.to_string());
            draft
        }
    });
    Ok(drafts.collect())
}

pub(super) fn cloudwatch(mut item: JsonMap, batch: &JsonMap, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::CloudWatch);
    if let Some(time) = item.get("timestamp")
        && draft.set_time(time, rules)
    {
        item.remove("timestamp");
    }
    let group = text(batch, "logGroup").or_else(|| text(&item, "logGroupName"));
    draft.source = group.map(|group| group.rsplit('/').next().unwrap_or(&group).to_owned());
    let message = take_text(&mut item, &["message"]).unwrap_or_default();
    for (name, value) in batch {
        insert_beside(&mut item, "batch", name.clone(), value.clone());
    }
    draft.meta = item;
    lines::decode(message.trim_end(), rules)
        .draft
        .wrapped(draft)
}

pub(super) fn azure(mut item: JsonMap, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Azure);
    if let Some(time) = item.get("time")
        && draft.set_time(time, rules)
    {
        item.remove("time");
    }
    if let Some((name, level)) = take(&mut item, &["level", "Level", "severityLevel"]) {
        draft.set_level(&name, &(&level).into());
    }
    draft.message = [
        "resultDescription",
        "properties.message",
        "properties.Message",
        "message",
        "Message",
    ]
    .iter()
    .find_map(|name| take_text(&mut item, &[name]))
    .or_else(|| text(&item, "operationName"));
    draft.source = text(&item, "properties.serviceName")
        .or_else(|| text(&item, "AppRoleName"))
        .or_else(|| text(&item, "category"));
    let is_request = get(&item, "properties.CsMethod").is_some();
    if is_request && let Some((_, Json::Object(mut properties))) = take(&mut item, &["properties"])
    {
        let mut request = Request {
            method: take_text(&mut properties, &["CsMethod"]).unwrap_or_default(),
            target: take_text(&mut properties, &["CsUriStem"]).unwrap_or_default(),
            ..Request::default()
        };
        request.status = take_status(&mut properties, "ScStatus");
        request.duration = take_duration(&mut properties, "TimeTaken", 1.0);
        if let Some(agent) = take(&mut properties, &["UserAgent"]) {
            request.headers.insert("user-agent".to_owned(), agent.1);
        }
        item.insert("properties".to_owned(), Json::Object(properties));
        draft.request = Some(Box::new(request));
        draft.is_access = true;
    } else {
        access::take_request(&mut item, &mut draft, Vec::new());
    }
    draft.meta.append(&mut item);
    draft
}

/// Reads a push to Loki: streams of labels and lines.
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
        let lines = values
            .into_iter()
            .map(move |value| loki_value(value, labels.clone(), rules));
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
    let line = text_of(&line).unwrap_or_else(|| line.to_string());
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
        && !(draft.set_time(&time, rules) && draft.is_exact_time)
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
        .iter()
        .find_map(|name| labels.get(*name));
    draft.level = label.and_then(level::of_json).map(|read| read.level);
    draft.source = SOURCE.iter().find_map(|name| text(&labels, name));
    draft.meta = labels;
    lines::decode(line, rules).draft.wrapped(draft)
}
