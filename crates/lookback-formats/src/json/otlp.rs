//! OpenTelemetry's JSON: logs, and server spans as requests.
//!
//! Lenient for each record, since exporters differ: numbers as text, ids in hexadecimal, nulls and
//! empty arrays. Names in other spelling are an error, not nothing.
//!
//! `plain` brings a record into the form that [`log`] and [`span`] read, which the protobuf form
//! has, too (`push/protobuf.rs`): attributes are an object, values have no type beside them, and
//! what has its default, such as a count of 0, is not there.

use std::sync::Arc;

use chrono::DateTime;
use lookback::value::JsonMap;
use lookback::{Json, Level};

use crate::draft::{Draft, Request, insert_beside};
use crate::fields::{Fields, Value, take_first, take_status, take_text, text};
use crate::{Format, Problem, level};

const LISTS: [&str; 3] = ["resourceLogs", "resourceSpans", "resourceMetrics"];
const OTHER_NAMES: [&str; 3] = ["resource_logs", "resource_spans", "resource_metrics"];

/// Whether an object is a batch of OpenTelemetry.
pub(crate) fn is_batch(fields: &impl Fields) -> bool {
    let mut names = LISTS.iter().chain(&OTHER_NAMES);
    names.any(|name| fields.get(name).is_some())
}

/// Returns the records of a batch; a span that is no request of a server is `None`.
pub(crate) fn records(
    mut map: JsonMap,
) -> Result<impl Iterator<Item = Result<Option<Draft>, Problem>> + Send, Problem> {
    for (name, right) in OTHER_NAMES.iter().zip(LISTS) {
        if map.contains_key(name) {
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
    let logs = groups(map.remove("resourceLogs"), "resourceLogs").flat_map(|group| {
        of_group(group, "scopeLogs", "logRecords", |record, context| {
            Some(log(record, context))
        })
    });
    let spans = groups(map.remove("resourceSpans"), "resourceSpans")
        .flat_map(|group| of_group(group, "scopeSpans", "spans", span));
    Ok(logs.chain(spans))
}

/// Returns the records of a resource.
fn of_group(
    group: Result<JsonMap, Problem>,
    scopes: &'static str,
    records: &'static str,
    read: fn(JsonMap, &Context<'_>) -> Option<Draft>,
) -> impl Iterator<Item = Result<Option<Draft>, Problem>> + Send {
    let (scoped, failed) = match group {
        Ok(mut group) => {
            let resource = Arc::new(resource(&mut group));
            let old = "instrumentationLibraryLogs";
            let scoped = group.remove(scopes).or_else(|| group.remove(old));
            (Some((resource, groups(scoped, scopes))), None)
        }
        Err(problem) => (None, Some(Err(problem))),
    };
    let scoped = scoped.into_iter().flat_map(move |(resource, scoped)| {
        scoped.flat_map(move |group| of_scope(group, Arc::clone(&resource), records, read))
    });
    failed.into_iter().chain(scoped)
}

/// Returns the records of a scope.
fn of_scope(
    group: Result<JsonMap, Problem>,
    resource: Arc<JsonMap>,
    records: &'static str,
    read: fn(JsonMap, &Context<'_>) -> Option<Draft>,
) -> impl Iterator<Item = Result<Option<Draft>, Problem>> + Send {
    let other = "log_records";
    let (listed, failed) = match group {
        Ok(group) if records == "logRecords" && group.contains_key(other) => {
            let problem = Problem::new(format!("{other}: must be named {records}"));
            (None, Some(Err(problem)))
        }
        Ok(mut group) => {
            let scope = scope(&mut group);
            (Some((scope, groups(group.remove(records), records))), None)
        }
        Err(problem) => (None, Some(Err(problem))),
    };
    let listed = listed.into_iter().flat_map(move |(scope, listed)| {
        let resource = Arc::clone(&resource);
        listed.map(move |record| {
            let context = Context {
                resource: &resource,
                scope: &scope,
            };
            Ok(read(plain_map(record?), &context))
        })
    });
    failed.into_iter().chain(listed)
}

/// Returns the objects of an array; a missing one, or null, is empty.
fn groups(
    value: Option<Json>,
    name: &'static str,
) -> impl Iterator<Item = Result<JsonMap, Problem>> + Send {
    let (items, failed) = match value {
        None | Some(Json::Null) => (Vec::new(), None),
        Some(Json::Array(items)) => (items, None),
        Some(_) => {
            let problem = Problem::new(format!("{name}: must be an array"));
            (Vec::new(), Some(Err(problem)))
        }
    };
    let items = items.into_iter().filter_map(move |item| match item {
        Json::Object(map) => Some(Ok(map)),
        Json::Null => None,
        _ => Some(Err(Problem::new(format!("{name}: must have objects")))),
    });
    failed.into_iter().chain(items)
}

/// Takes the resource of a group: its attributes, and beside them what else it has.
fn resource(group: &mut JsonMap) -> JsonMap {
    let resource = match group.remove("resource") {
        Some(Json::Object(resource)) => plain_map(resource),
        _ => JsonMap::new(),
    };
    with_schema(flat(resource), group.remove("schemaUrl"))
}

/// Takes the scope of a group.
fn scope(group: &mut JsonMap) -> JsonMap {
    let scope = match group.remove("scope") {
        Some(Json::Object(scope)) => plain_map(scope),
        _ => JsonMap::new(),
    };
    with_schema(scope, group.remove("schemaUrl"))
}

/// Returns the attributes of a resource in plain form, with its other fields beside them.
pub(crate) fn flat(mut resource: JsonMap) -> JsonMap {
    let Some(Json::Object(mut attributes)) = resource.remove("attributes") else {
        return resource;
    };
    for (name, value) in resource {
        insert_beside(&mut attributes, "resource", name, value);
    }
    attributes
}

/// Adds the address of the schema that the attributes are of.
pub(crate) fn with_schema(mut map: JsonMap, url: Option<Json>) -> JsonMap {
    if let Some(url) = url
        && !is_default("schemaUrl", &url)
    {
        insert_beside(&mut map, "otlp", "schemaUrl".to_owned(), url);
    }
    map
}

/// Whether a field has the value that protobuf does not write.
pub(crate) fn is_default(name: &str, value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(_) => false,
        Json::Number(number) => number.as_i64() == Some(0),
        Json::String(text) => text.is_empty() || (text == "0" && name.ends_with("UnixNano")),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}

/// Brings a record, or a part of one, into plain form.
fn plain_map(map: JsonMap) -> JsonMap {
    let fields = map.into_iter().map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("attributes", value @ Json::Array(_)) => Json::Object(attributes(Some(&value))),
            ("body", value) => any_value(&value),
            (_, value) => plain(value),
        };
        (name, value)
    });
    fields
        .filter(|(name, value)| !is_default(name, value))
        .collect()
}

fn plain(value: Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(plain_map(map)),
        Json::Array(items) => Json::Array(items.into_iter().map(plain).collect()),
        other => other,
    }
}

/// What is around a record.
pub(crate) struct Context<'a> {
    /// The attributes of the resource, and its other fields.
    pub(crate) resource: &'a JsonMap,
    /// The fields of the scope.
    pub(crate) scope: &'a JsonMap,
}

impl Context<'_> {
    fn add_to(&self, draft: &mut Draft) {
        let service = self.resource.get("service.name").and_then(Value::text);
        draft.source = service.or_else(|| text(self.scope, "name"));
        for (name, map) in [("resource", self.resource), ("scope", self.scope)] {
            if !map.is_empty() {
                draft
                    .meta
                    .insert(name.to_owned(), Json::Object(map.clone()));
            }
        }
    }
}

/// Reads a log record in plain form.
pub(crate) fn log(mut record: JsonMap, context: &Context<'_>) -> Draft {
    let mut draft = Draft::new(Format::Otlp);
    context.add_to(&mut draft);
    take_time(&mut record, "timeUnixNano", &mut draft);
    take_time(&mut record, "observedTimeUnixNano", &mut draft);
    let severity = record.get("severityNumber").and_then(severity);
    if severity.is_some_and(is_exact) {
        record.remove("severityNumber");
    }
    let named = record
        .get("severityText")
        .and_then(level::of_json)
        .map(|read| read.level);
    draft.level = severity
        .and_then(level::of_otlp)
        .or(named)
        .or(Some(Level::Info));
    take_trace(&mut record, &mut draft);
    match record.remove("body") {
        Some(Json::Object(map)) => {
            let body = Json::Object(map);
            let mut names = ["message", "msg"].into_iter();
            let said = names.find_map(|name| body.get(name)?.text());
            draft.message = said.or_else(|| Some(body.to_string()));
            draft.meta.insert("body".to_owned(), body);
        }
        Some(body @ Json::Array(_)) => draft.message = Some(body.to_string()),
        Some(other) => draft.message = other.text(),
        None => {}
    }
    let own = take_attributes(&mut record);
    add_rest(&mut draft, record, own);
    draft
}

/// Takes a time, if the column holds all of it. The first one is that of the record.
fn take_time(record: &mut JsonMap, name: &str, draft: &mut Draft) {
    let Some(nanos) = record.get(name).and_then(nanoseconds) else {
        return;
    };
    let time = DateTime::from_timestamp_micros(nanos / 1000);
    if draft.time.is_none() {
        draft.time = time;
    }
    if draft.time == time && nanos % 1000 == 0 {
        record.remove(name);
    }
}

/// Takes the trace id; one that says nothing is not kept.
fn take_trace(record: &mut JsonMap, draft: &mut Draft) {
    if let Some(id) = take_text(record, &["traceId"]) {
        draft.set_trace_id(&id);
    }
}

fn take_attributes(record: &mut JsonMap) -> JsonMap {
    match record.remove("attributes") {
        Some(Json::Object(attributes)) => attributes,
        Some(other) => {
            record.insert("attributes".to_owned(), other);
            JsonMap::new()
        }
        None => JsonMap::new(),
    }
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

/// Whether a severity is the first of its level, so that the level says all of it.
fn is_exact(severity: i64) -> bool {
    matches!(severity, 5 | 9 | 13 | 17)
}

/// Reads a severity: a number, its text, or the name of the enumeration, such as
/// `SEVERITY_NUMBER_ERROR2`.
fn severity(value: &Json) -> Option<i64> {
    const NAMES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a severity is a small whole number"
    )]
    if let Some(number) = value.number() {
        return Some(number as i64);
    }
    let name = value.as_str()?.strip_prefix("SEVERITY_NUMBER_")?;
    let group = NAMES.iter().position(|known| name.starts_with(known))?;
    let step: i64 = name[NAMES[group].len()..].parse().unwrap_or(1);
    Some(i64::try_from(group).ok()? * 4 + step)
}

/// Reads a server span in plain form as a request; others are none.
pub(crate) fn span(mut record: JsonMap, context: &Context<'_>) -> Option<Draft> {
    let is_server = match record.get("kind") {
        Some(Json::String(kind)) => kind == "SPAN_KIND_SERVER" || kind == "2",
        Some(kind) => kind.as_i64() == Some(2),
        None => false,
    };
    let mut attributes = take_attributes(&mut record);
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
    let start = record.get("startTimeUnixNano").and_then(nanoseconds);
    let end = record.get("endTimeUnixNano").and_then(nanoseconds);
    take_time(&mut record, "startTimeUnixNano", &mut draft);
    let mut request = Request {
        method,
        target: target.unwrap_or_else(|| "/".to_owned()),
        ..Request::default()
    };
    if let (Some(start), Some(end)) = (start, end) {
        const PER_MILLISECOND: i64 = 1_000_000;
        let nanos = end.saturating_sub(start);
        #[expect(clippy::cast_precision_loss, reason = "it is rounded to milliseconds")]
        {
            request.duration = Some(nanos as f64 / 1e6);
        }
        let whole = 0..i64::from(i32::MAX) * PER_MILLISECOND;
        if whole.contains(&nanos) && nanos % PER_MILLISECOND == 0 {
            record.remove("endTimeUnixNano");
        }
    }
    let mut status = ["http.response.status_code", "http.status_code"].into_iter();
    request.status = status.find_map(|name| take_status(&mut attributes, name));
    if let Some(query) = take_text(&mut attributes, &["url.query"]) {
        request.query = Some(lookback_json::form::parameters(
            query.trim_start_matches('?'),
        ));
    }
    for (name, header) in [
        ("user_agent.original", "user-agent"),
        ("http.user_agent", "user-agent"),
        ("server.address", "host"),
        ("http.host", "host"),
    ] {
        if let Some(value) = take_first(&mut attributes, &[name]) {
            let slot = request.headers.get_or_insert_null(header.to_owned());
            if slot.is_null() {
                *slot = value;
            }
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
    request.version = context
        .resource
        .get("service.version")
        .and_then(Value::text);
    request.stage = ["deployment.environment.name", "deployment.environment"]
        .iter()
        .find_map(|name| context.resource.get(name).and_then(Value::text));
    take_trace(&mut record, &mut draft);
    add_rest(&mut draft, record, attributes);
    draft.request = Some(Box::new(request));
    draft.is_access = true;
    Some(draft)
}

/// Reads nanoseconds since 1970; zero and what is before it are no time.
fn nanoseconds(value: &Json) -> Option<i64> {
    let nanos: i64 = match value {
        Json::String(text) => text.parse().ok()?,
        other => other.as_i64()?,
    };
    (nanos > 0).then_some(nanos)
}

/// Reads a list of keys and values as an object.
fn attributes(value: Option<&Json>) -> JsonMap {
    let mut map = JsonMap::new();
    for pair in value.and_then(Json::as_array).into_iter().flatten() {
        if let Some(key) = pair.get("key").and_then(Json::as_str) {
            map.insert(
                key.to_owned(),
                pair.get("value").map_or(Json::Null, any_value),
            );
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
