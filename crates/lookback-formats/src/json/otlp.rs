//! OpenTelemetry's JSON: logs, and server spans as requests.
//!
//! Lenient for each record, since exporters differ: numbers as text, ids in hexadecimal, nulls and
//! empty arrays. Names in other spelling are an error, not nothing.

use chrono::{DateTime, SubsecRound as _, Utc};
use lookback::value::JsonMap;
use lookback::{Json, Level};

use crate::draft::{Draft, Request, insert_beside};
use crate::fields::{get, number, take, take_status, take_text, text, text_of};
use crate::{Format, Problem, level};

const LISTS: [&str; 3] = ["resourceLogs", "resourceSpans", "resourceMetrics"];
const OTHER_NAMES: [&str; 3] = ["resource_logs", "resource_spans", "resource_metrics"];

/// Whether an object is a batch of OpenTelemetry.
pub(super) fn is_batch(map: &JsonMap) -> bool {
    LISTS
        .iter()
        .chain(&OTHER_NAMES)
        .any(|name| map.contains_key(*name))
}

pub(super) fn decode(map: JsonMap) -> Result<Vec<Draft>, Problem> {
    for (name, right) in OTHER_NAMES.iter().zip(LISTS) {
        if map.contains_key(*name) {
            return Err(Problem::new(format!(
                "{name}: must be named {right}, as the JSON of OpenTelemetry names it"
            )));
        }
    }
    if map.contains_key("resourceMetrics") {
        return Err(Problem::new(
            "resourceMetrics: are not stored; logs and spans are",
        ));
    }
    let mut drafts = Vec::new();
    for (resources, scopes, records) in [
        ("resourceLogs", "scopeLogs", "logRecords"),
        ("resourceSpans", "scopeSpans", "spans"),
    ] {
        for resource in objects(map.get(resources), resources)? {
            let attributes = attributes(get(resource, "resource.attributes"));
            let old = "instrumentationLibraryLogs";
            let scoped = resource.get(scopes).or_else(|| resource.get(old));
            for scope in objects(scoped, scopes)? {
                let instrument = scope.get("scope").and_then(Json::as_object);
                let other = format!("{}_records", "log");
                if scope.contains_key(&other) {
                    return Err(Problem::new(format!("{other}: must be named {records}")));
                }
                for record in objects(scope.get(records), records)? {
                    let context = Context {
                        resource: &attributes,
                        scope: instrument,
                    };
                    if resources == "resourceLogs" {
                        drafts.push(log(record.clone(), &context));
                    } else if let Some(span) = span(record.clone(), &context) {
                        drafts.push(span);
                    }
                }
            }
        }
    }
    Ok(drafts)
}

/// The objects of an array; a missing one, or null, is empty.
fn objects<'a>(value: Option<&'a Json>, name: &str) -> Result<Vec<&'a JsonMap>, Problem> {
    match value {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(items)) => items
            .iter()
            .filter(|item| !item.is_null())
            .map(|item| {
                item.as_object()
                    .ok_or_else(|| Problem::new(format!("{name}: must have objects")))
            })
            .collect(),
        Some(_) => Err(Problem::new(format!("{name}: must be an array"))),
    }
}

/// What is around a record.
struct Context<'a> {
    resource: &'a JsonMap,
    scope: Option<&'a JsonMap>,
}

impl Context<'_> {
    fn add_to(&self, draft: &mut Draft) {
        let service = self.resource.get("service.name").and_then(text_of);
        let scope = self.scope.and_then(|scope| text(scope, "name"));
        draft.source = service.or(scope);
        if !self.resource.is_empty() {
            draft
                .meta
                .insert("resource".to_owned(), Json::Object(self.resource.clone()));
        }
        if let Some(scope) = self.scope.filter(|scope| !scope.is_empty()) {
            let mut scope = scope.clone();
            let of_scope = attributes(scope.get("attributes"));
            if scope.remove("attributes").is_some() && !of_scope.is_empty() {
                scope.insert("attributes".to_owned(), Json::Object(of_scope));
            }
            draft.meta.insert("scope".to_owned(), Json::Object(scope));
        }
    }
}

fn log(mut record: JsonMap, context: &Context<'_>) -> Draft {
    let mut draft = Draft::new(Format::Otlp);
    context.add_to(&mut draft);
    draft.time = nanoseconds(record.get("timeUnixNano"))
        .or_else(|| nanoseconds(record.get("observedTimeUnixNano")));
    record.remove("timeUnixNano");
    record.remove("observedTimeUnixNano");
    let severity = take(&mut record, &["severityNumber"]).and_then(|(_, value)| severity(&value));
    let named = record
        .get("severityText")
        .and_then(level::of_json)
        .map(|read| read.level);
    draft.level = severity
        .and_then(level::of_otlp)
        .or(named)
        .or(Some(Level::Info));
    if let Some(id) = take_text(&mut record, &["traceId"]) {
        draft.set_trace_id(&id);
    }
    if let Some(body) = record.remove("body") {
        let body = any_value(&body);
        match &body {
            Json::Object(map) => {
                draft.message = text(map, "message")
                    .or_else(|| text(map, "msg"))
                    .or_else(|| Some(body.to_string()));
                draft.meta.insert("body".to_owned(), body);
            }
            Json::Array(_) => draft.message = Some(body.to_string()),
            other => draft.message = text_of(other),
        }
    }
    let own = attributes(record.get("attributes"));
    record.remove("attributes");
    add_rest(&mut draft, record, own);
    draft
}

/// Adds the attributes under their names, and then the other fields.
fn add_rest(draft: &mut Draft, rest: JsonMap, attributes: JsonMap) {
    for (name, value) in attributes.into_iter().chain(rest) {
        let is_empty = match &value {
            Json::Null => true,
            Json::String(text) => text.is_empty(),
            Json::Array(items) => items.is_empty(),
            _ => false,
        };
        if !is_empty {
            insert_beside(&mut draft.meta, "attribute", name, value);
        }
    }
}

/// Reads a severity: a number, its text, or the name of the enumeration, such as
/// `SEVERITY_NUMBER_ERROR2`.
fn severity(value: &Json) -> Option<i64> {
    const NAMES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a severity is a small whole number"
    )]
    if let Some(number) = number(value) {
        return Some(number as i64);
    }
    let name = value.as_str()?.strip_prefix("SEVERITY_NUMBER_")?;
    let group = NAMES.iter().position(|known| name.starts_with(known))?;
    let step: i64 = name[NAMES[group].len()..].parse().unwrap_or(1);
    Some(i64::try_from(group).ok()? * 4 + step)
}

/// Reads a server span as a request; others are none.
fn span(mut record: JsonMap, context: &Context<'_>) -> Option<Draft> {
    let is_server = match record.get("kind") {
        Some(Json::String(kind)) => kind == "SPAN_KIND_SERVER" || kind == "2",
        Some(kind) => kind.as_i64() == Some(2),
        None => false,
    };
    let mut attributes = attributes(record.get("attributes"));
    record.remove("attributes");
    let method = take_text(&mut attributes, &["http.request.method", "http.method"]);
    let target = take_text(
        &mut attributes,
        &[
            "url.path",
            "http.target",
            "url.full",
            "http.url",
            "http.route",
        ],
    );
    let (Some(method), true) = (method, is_server) else {
        return None;
    };
    let mut draft = Draft::new(Format::Otlp);
    context.add_to(&mut draft);
    let start = nanoseconds(record.get("startTimeUnixNano"));
    let end = nanoseconds(record.get("endTimeUnixNano"));
    draft.time = start;
    let mut request = Request {
        method,
        target: target.unwrap_or_else(|| "/".to_owned()),
        ..Request::default()
    };
    if let (Some(start), Some(end)) = (start, end)
        && let Some(ns) = (end - start).num_nanoseconds()
    {
        #[expect(clippy::cast_precision_loss, reason = "it is rounded to milliseconds")]
        {
            request.duration = Some(ns as f64 / 1e6);
        }
    }
    record.remove("startTimeUnixNano");
    record.remove("endTimeUnixNano");
    let mut status = ["http.response.status_code", "http.status_code"].into_iter();
    request.status = status.find_map(|name| take_status(&mut attributes, name));
    if let Some(query) = take_text(&mut attributes, &["url.query"]) {
        request.query = Some(crate::draft::query_map(query.trim_start_matches('?')));
    }
    for (name, header) in [
        ("user_agent.original", "user-agent"),
        ("http.user_agent", "user-agent"),
        ("server.address", "host"),
        ("http.host", "host"),
    ] {
        if let Some((_, value)) = take(&mut attributes, &[name]) {
            request.headers.entry(header.to_owned()).or_insert(value);
        }
    }
    let header_names: Vec<String> = attributes
        .keys()
        .filter(|name| name.starts_with("http.re"))
        .cloned()
        .collect();
    for name in header_names {
        let headers = if let Some(header) = name.strip_prefix("http.request.header.") {
            Some((&mut request.headers, header.to_owned()))
        } else {
            name.strip_prefix("http.response.header.")
                .map(|header| (&mut request.response_headers, header.to_owned()))
        };
        if let Some((headers, header)) = headers
            && let Some(value) = attributes.remove(&name)
        {
            headers.insert(header, value);
        }
    }
    request.user_id = take_text(&mut attributes, &["enduser.id", "user.id"]);
    request.version = context.resource.get("service.version").and_then(text_of);
    request.stage = ["deployment.environment.name", "deployment.environment"]
        .iter()
        .find_map(|name| context.resource.get(*name).and_then(text_of));
    if let Some(id) = take_text(&mut record, &["traceId"]) {
        draft.set_trace_id(&id);
    }
    add_rest(&mut draft, record, attributes);
    draft.request = Some(request);
    draft.is_access = true;
    Some(draft)
}

fn nanoseconds(value: Option<&Json>) -> Option<DateTime<Utc>> {
    let nanos: i64 = match value? {
        Json::String(text) => text.parse().ok()?,
        other => other.as_i64()?,
    };
    (nanos > 0).then(|| DateTime::from_timestamp_nanos(nanos).trunc_subsecs(6))
}

/// Reads a list of keys and values as an object.
fn attributes(value: Option<&Json>) -> JsonMap {
    let mut map = JsonMap::new();
    for pair in value.and_then(Json::as_array).into_iter().flatten() {
        if let (Some(key), Some(value)) =
            (pair.get("key").and_then(Json::as_str), pair.get("value"))
        {
            map.insert(key.to_owned(), any_value(value));
        }
    }
    map
}

/// Reads a value with its type: `{"intValue": "4711"}`.
fn any_value(value: &Json) -> Json {
    let Json::Object(map) = value else {
        return value.clone();
    };
    let Some((kind, inner)) = map.iter().next() else {
        return Json::Null;
    };
    match (kind.as_str(), inner) {
        ("stringValue" | "boolValue" | "bytesValue", inner) => inner.clone(),
        // Numbers may be text; NaN and the infinities stay so.
        ("intValue" | "doubleValue", Json::String(text)) => match text.parse::<Json>() {
            Ok(number @ Json::Number(_)) => number,
            _ => inner.clone(),
        },
        ("intValue" | "doubleValue", inner) => inner.clone(),
        ("arrayValue", inner) => {
            let values = inner.get("values").and_then(Json::as_array);
            Json::Array(values.into_iter().flatten().map(any_value).collect())
        }
        ("kvlistValue", inner) => Json::Object(attributes(inner.get("values"))),
        _ => value.clone(),
    }
}
