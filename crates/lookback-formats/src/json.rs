//! JSON objects: of loggers, of what collects their lines, and of requests.

mod access;
mod clef;
pub(crate) mod cloud;
mod har;
pub(crate) mod otlp;

use std::sync::LazyLock;

use lookback::value::JsonMap;
use lookback::{Json, Level};

use crate::draft::{Draft, trace_of_headers};
use crate::fields::{Names, get, take, take_if, take_named, take_text, text, text_of};
use crate::text::{self, Piece};
use crate::time::Clock;
use crate::{Format, Problem};

/// Reads a line of Docker's json-file: `{"log":"text\n","stream":"stdout","time":"…"}`.
pub(crate) fn docker(map: &JsonMap, clock: Clock) -> Option<Piece> {
    let log = map.get("log")?.as_str()?;
    let stream = map.get("stream").and_then(Json::as_str);
    let time = map.get("time")?;
    let mut wrapper = Draft::new(Format::Docker);
    if !wrapper.set_time(time, clock) {
        return None;
    }
    for (key, value) in map {
        if key != "log" && key != "time" {
            wrapper.meta.insert(key.clone(), value.clone());
        }
    }
    Some(Piece {
        stream: stream.unwrap_or_default().to_owned(),
        text: log.trim_end_matches(['\n', '\r']).to_owned(),
        is_part: !log.ends_with('\n'),
        wrapper,
    })
}

/// Decodes an object: one record, or a batch of them.
pub(crate) fn decode(mut map: JsonMap, clock: Clock) -> Result<Vec<Draft>, Problem> {
    if otlp::is_batch(&map) {
        return otlp::decode(map);
    }
    if har::is_archive(&map) {
        return har::decode(map, clock);
    }
    if let Some(Json::Array(_)) = map.get("streams") {
        return cloud::loki(map, clock);
    }
    if cloud::is_batch(&map) {
        return cloud::batch(map, clock);
    }
    // What an exporter of BigQuery, or a page of an API, puts around records.
    if let (1, Some(Json::Array(_))) = (map.len(), map.get("entries"))
        && let Some(Json::Array(items)) = map.remove("entries")
    {
        let objects = items.into_iter().filter_map(|item| match item {
            Json::Object(map) => Some(map),
            _ => None,
        });
        let drafts: Result<Vec<_>, _> = objects.map(|map| decode(map, clock)).collect();
        return Ok(drafts?.into_iter().flatten().collect());
    }
    Ok(vec![single(map, clock)])
}

/// Decodes an object that is one record; `None` for a batch.
pub(crate) fn one(map: JsonMap, clock: Clock) -> Option<Draft> {
    match decode(map, clock) {
        Ok(mut drafts) if drafts.len() == 1 => drafts.pop(),
        _ => None,
    }
}

fn single(map: JsonMap, clock: Clock) -> Draft {
    if map.contains_key("@t") {
        clef::decode(map, clock)
    } else if map.contains_key("__REALTIME_TIMESTAMP") || map.contains_key("_SYSTEMD_UNIT") {
        cloud::journald(map, clock)
    } else if cloud::is_log_entry(&map) {
        cloud::log_entry(map, clock)
    } else {
        of_fields(map, Format::Json, clock)
    }
}

/// The names of a record's message, the commonest first.
static MESSAGE: LazyLock<Names> = LazyLock::new(|| {
    Names::new(&[
        "message",
        "msg",
        "@message",
        "@m",
        "event",
        "M",
        "MESSAGE",
        "Message",
        "short_message",
        "log.message",
        "fields.message",
        "text",
        "log",
        "body",
        "Body",
        "renderedMessage",
        "RenderedMessage",
        "MessageTemplate",
    ])
});
static TIME: LazyLock<Names> = LazyLock::new(|| {
    Names::new(&[
        "time",
        "timestamp",
        "ts",
        "@timestamp",
        "asctime",
        "t",
        "T",
        "datetime",
        "date",
        "Timestamp",
        "TimeStamp",
        "Time",
        "instant",
        "timeMillis",
        "time_iso8601",
        "msec",
        "time_local",
        "start_time",
        "StartUTC",
        "StartLocal",
        "EdgeStartTimestamp",
        "eventTime",
        "event_time",
        "created_at",
        "created",
        "logged_at",
        "timestamp_ms",
        "unix_time",
        "_time",
        "syslog_timestamp",
    ])
});
static LEVEL: LazyLock<Names> = LazyLock::new(|| {
    Names::new(&[
        "level",
        "log.level",
        "severity",
        "levelname",
        "level_name",
        "lvl",
        "LogLevel",
        "loglevel",
        "log_level",
        "Level",
        "L",
        "severity_text",
        "severityText",
        "SeverityText",
        "SEVERITY",
        "Severity",
        "levelno",
        "level_value",
        "at",
        "priority",
        "PRIORITY",
        "s",
    ])
});
static SOURCE: LazyLock<Names> = LazyLock::new(|| {
    Names::new(&[
        "service",
        "service.name",
        "service_name",
        "serviceName",
        "application",
        "app",
        "app_name",
        "appname",
        "logger",
        "logger_name",
        "loggerName",
        "log.logger",
        "SourceContext",
        "Category",
        "channel",
        "target",
        "name",
        "component",
        "N",
        "program",
        "SYSLOG_IDENTIFIER",
        "container_name",
    ])
});
static TRACE: LazyLock<Names> = LazyLock::new(|| {
    Names::new(&[
        "trace_id",
        "traceId",
        "trace.id",
        "TraceId",
        "traceid",
        "traceID",
        "otelTraceID",
        "@tr",
        "xray_trace_id",
        "mdc.traceId",
        "mdc.trace_id",
        "contextMap.traceId",
        "context.trace_id",
        "dd.trace_id",
    ])
});

/// Reads the fields of a record by their names.
pub(crate) fn of_fields(mut map: JsonMap, format: Format, clock: Clock) -> Draft {
    let mut draft = Draft::new(format);
    if let Some(Json::Object(record)) = map.get_mut("record")
        && record.contains_key("message")
        && record.contains_key("level")
    {
        // loguru: all is in `record`, and `text` is the line it wrote.
        let record = std::mem::take(record);
        return loguru(map, record, clock);
    }
    take_trace(&mut map, &mut draft);
    take_time(&mut map, &mut draft, clock);
    let level = take_level(&mut map, &mut draft);
    // The position in the code, under some loggers.
    let is_name = |value: &Json| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let source =
        take_named(&mut map, &SOURCE, is_name).or_else(|| take_if(&mut map, &["source"], is_name));
    draft.source = source.as_ref().and_then(|(_, value)| text_of(value));
    let is_message = |value: &Json| !matches!(value, Json::Array(_) | Json::Null);
    // An object named `log` or `body` is no message; one named `message` is.
    let message = take_if(&mut map, &["message", "msg"], is_message)
        .or_else(|| take_named(&mut map, &MESSAGE, |value| text_of(value).is_some()));
    let mut taken: Vec<(String, Json)> = level.into_iter().chain(source).collect();
    match message {
        Some((name, value @ Json::Object(_))) => {
            draft.message = Some(value.to_string());
            map.insert(name, value);
        }
        Some((name, value)) => {
            draft.message = text_of(&value);
            taken.push((name, value));
        }
        None => {}
    }
    access::take_request(&mut map, &mut draft, taken);
    draft.meta.append(&mut map);
    if let Some(message) = &draft.message
        && message.contains('\u{1b}')
    {
        draft.message = Some(text::without_colours(message).into_owned());
    }
    draft
}

fn take_trace(map: &mut JsonMap, draft: &mut Draft) {
    let Some((name, value)) = take_named(map, &TRACE, |value| text_of(value).is_some()) else {
        if let Some(headers) = ["req.headers", "request.headers", "headers"]
            .iter()
            .find_map(|name| get(map, name)?.as_object())
            && let Some(id) = trace_of_headers(headers)
        {
            draft.set_trace_id(&id);
        }
        return;
    };
    let id = text_of(&value).unwrap_or_default();
    draft.set_trace_id(&id);
    if draft.trace_id.is_none() && !id.is_empty() {
        draft.meta.insert(name, value);
    }
}

fn take_time(map: &mut JsonMap, draft: &mut Draft, clock: Clock) {
    for name in TIME.of(map) {
        let Some(value) = get(map, name) else {
            continue;
        };
        if !draft.set_time(value, clock) {
            continue;
        }
        // What the column does not hold is kept: digits below a microsecond.
        if draft.is_exact_time {
            take(map, &[name]);
        }
        return;
    }
}

/// Takes the level, and returns its field if the column says all of it.
fn take_level(map: &mut JsonMap, draft: &mut Draft) -> Option<(String, Json)> {
    // MongoDB's `s`, and the `at` of logfmt, are a level only if they look like one; a level of
    // one's own stays with the fields.
    let is_level = |value: &Json| crate::level::of_json(value).is_some();
    if let Some(Json::Object(level)) = map.get("level")
        && let Some(name) = level.get("name").cloned()
    {
        draft.set_level("level.name", name);
        return None;
    }
    let is_python = map.contains_key("levelname") || map.contains_key("levelno");
    let (name, value) = take_named(map, &LEVEL, is_level)?;
    if let (Json::Number(number), true) = (&value, is_python) {
        // 10 to 50: as of pino, but one step lower.
        draft.level = Some(match number.as_f64().unwrap_or_default() {
            ..20.0 => Level::Debug,
            20.0..30.0 => Level::Info,
            30.0..40.0 => Level::Warn,
            _ => Level::Error,
        });
        draft.meta.insert(name, value);
        return None;
    }
    draft.set_level(&name, value.clone());
    (!draft.meta.contains_key(&name)).then_some((name, value))
}

/// Reads a record of loguru, which is in `record` beside the line it wrote.
fn loguru(mut map: JsonMap, mut record: JsonMap, clock: Clock) -> Draft {
    map.remove("record");
    let mut draft = Draft::new(Format::Json);
    draft.message = take_text(&mut record, &["message"]);
    // The object stays: it has the number of a level of one's own.
    let level = get(&record, "level.name").and_then(crate::level::of_json);
    draft.level = level.map(|read| read.level);
    let time = text(&record, "time.timestamp");
    if let Some(read) = time.and_then(|time| crate::time::of_epoch(&time))
        && draft.read_time(Some(read))
    {
        take(&mut record, &["time"]);
    } else {
        take_time(&mut record, &mut draft, clock);
    }
    draft.source = take_text(&mut record, &["name"]);
    if let Some(Json::Object(mut extra)) = record.remove("extra") {
        take_trace(&mut extra, &mut draft);
        record.insert("extra".to_owned(), Json::Object(extra));
    }
    // The line repeats the message; with a traceback it says more.
    if let Some(text) = map.get("text").and_then(Json::as_str)
        && text.trim_end().lines().count() <= 1
    {
        map.remove("text");
    }
    draft.meta = record;
    draft.meta.append(&mut map);
    draft
}
