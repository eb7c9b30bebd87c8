//! JSON objects: of loggers, of what collects their lines, and of requests.

mod access;
mod clef;
pub(crate) mod cloud;
pub(crate) mod har;
pub(crate) mod names;
pub(crate) mod otlp;
pub(crate) mod read;

use std::borrow::Cow;

use lookback::Level;
use lookback::value::JsonRef;

use crate::draft::{Draft, insert_beside, trace_of_headers};
use crate::fields::{Fields as _, Value, take_text, text};
use crate::record::{Found, Record, Taken, is_text};
use crate::text::{self, Piece};
use crate::time::Rules;
use crate::{Format, Problem, level, time};
use lookback_json::secrets::is_secret_name;
use names::Role;

/// Reads a line of Docker's json-file: `{"log":"text\n","stream":"stdout","time":"…"}`.
pub(crate) fn docker(record: &Record<'_>, rules: Rules<'_>) -> Option<Piece> {
    let log = record.get("log")?.as_str()?;
    let stream = record.get("stream").and_then(JsonRef::as_str);
    let is_of_docker = |(name, _): (&str, _)| matches!(name, "log" | "stream" | "time" | "attrs");
    let is_part = if record.iter().all(is_of_docker) {
        !log.ends_with('\n')
    } else if matches!(stream, Some("stdout" | "stderr")) {
        // What an agent adds fields to has its line end no more.
        let is = |name: &str, wanted: &str| {
            record
                .get(name)
                .and_then(Value::text)
                .is_some_and(|text| text == wanted)
        };
        is("logtag", "P") || is("_p", "P") || is("partial_message", "true")
    } else {
        return None;
    };
    let mut wrapper = Draft::new(Format::Docker);
    if !wrapper.read_time(rules.time_of(record.get("time")?)) {
        return None;
    }
    for (name, value) in record.iter() {
        if name != "log" && name != "time" {
            let value = value.clone().into_json();
            wrapper.meta.insert(name.to_owned(), value);
        }
    }
    Some(Piece {
        stream: stream.unwrap_or_default().to_owned(),
        text: log.trim_end_matches(['\n', '\r']).to_owned(),
        is_part,
        wrapper,
    })
}

/// The records of an object.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    pub(crate) list: Vec<Draft>,
    /// The number of spans that are no requests of a server.
    pub(crate) skipped: u64,
}

impl Drafts {
    pub(crate) fn push(&mut self, draft: Draft) {
        self.list.push(draft);
    }
}

/// Decodes an object, one record or a batch of them, and adds the records that can be read.
///
/// # Errors
///
/// Some records cannot be read.
pub(crate) fn decode(
    record: &mut Record<'_>,
    rules: Rules<'_>,
    drafts: &mut Drafts,
) -> Result<(), Problem> {
    if !record.may_be_of_format() {
        drafts.push(of_fields(record, Format::Json, rules));
        return Ok(());
    }
    let may_be_batch = may_be_batch(record, rules);
    let is_loki = |stream: &JsonRef<'_>| stream.get("values").or(stream.get("stream")).is_some();
    let format = if may_be_batch && otlp::is_batch(record) {
        Format::Otlp
    } else if may_be_batch && har::is_archive(record) {
        Format::Har
    } else if may_be_batch
        && let Some(JsonRef::Array(streams)) = record.get("streams")
        && streams.iter().all(is_loki)
    {
        Format::Loki
    } else if may_be_batch && cloud::is_batch(record) {
        Format::CloudWatch
    } else {
        return decode_record(record, rules, drafts);
    };
    decode_as(format, record, rules, drafts)
}

/// Decodes an object that is no batch of a known format.
fn decode_record(
    record: &mut Record<'_>,
    rules: Rules<'_>,
    drafts: &mut Drafts,
) -> Result<(), Problem> {
    let format = if record.contains("@t") {
        Format::Clef
    } else if record.contains("__REALTIME_TIMESTAMP") || record.contains("_SYSTEMD_UNIT") {
        Format::Journald
    } else if cloud::is_log_entry(record) {
        Format::Gcp
    } else if is_list_of_records(record, rules) {
        return decode_list(record, rules, drafts);
    } else {
        Format::Json
    };
    decode_as(format, record, rules, drafts)
}

/// Whether a record may be what is around others. A log line may have fields with such names, and
/// what has an empty list beside other fields is a record of its own, which is not lost.
fn may_be_batch(record: &Record<'_>, rules: Rules<'_>) -> bool {
    const LISTS: [&str; 9] = [
        "resourceLogs",
        "resourceSpans",
        "resourceMetrics",
        "streams",
        "logEvents",
        "records",
        "events",
        "entries",
        "log",
    ];
    let is_empty = |value: &JsonRef<'_>| match value {
        JsonRef::Null => true,
        JsonRef::Array(items) => items.is_empty(),
        _ => false,
    };
    let mut lists = record
        .iter()
        .filter(|(name, _)| LISTS.contains(name))
        .peekable();
    let is_other = |(name, _): (&str, &JsonRef<'_>)| !LISTS.contains(&name);
    let is_empty_beside_others = lists.peek().is_some()
        && lists.all(|(_, value)| is_empty(value))
        && record.iter().any(is_other);
    !is_empty_beside_others && record.find_by(rules, Role::Message, is_text).is_none()
}

/// Whether a record is what an exporter, or a page of an API, puts around records.
fn is_list_of_records(record: &Record<'_>, rules: Rules<'_>) -> bool {
    let is_object = |item: &JsonRef<'_>| matches!(item, JsonRef::Object(_));
    let Some((name, items @ [JsonRef::Object(first), ..])) = record.list_alone() else {
        return false;
    };
    let first = Record::new(first.clone());
    let is_time = |value: &JsonRef<'_>| rules.time_of(value).is_some();
    items.iter().all(is_object)
        && (name == "entries"
            || first.find(Role::Time, is_time).is_some()
            || is_log_line(&first, rules))
}

/// Decodes the items of such a list.
fn decode_list(
    record: &mut Record<'_>,
    rules: Rules<'_>,
    drafts: &mut Drafts,
) -> Result<(), Problem> {
    let mut decoded = Ok(());
    let name = record.list_alone().map(|(name, _)| name.to_owned());
    if let Some(JsonRef::Array(items)) = name.and_then(|name| record.take(&name)) {
        for item in items {
            if let JsonRef::Object(members) = item {
                decoded = decoded.and(decode_record(&mut Record::new(members), rules, drafts));
            }
        }
    }
    decoded
}

/// Decodes an object of a format, as [`decode`].
pub(crate) fn decode_as(
    format: Format,
    record: &mut Record<'_>,
    rules: Rules<'_>,
    drafts: &mut Drafts,
) -> Result<(), Problem> {
    match format {
        Format::Otlp if !otlp::is_batch(record) => {
            return Err(Problem::new("must have resourceLogs or resourceSpans"));
        }
        Format::Otlp => return add(otlp::records(record.take_map())?, drafts),
        Format::Loki => {
            let lines = cloud::loki_lines(record.take_map(), rules)?;
            return add(lines.map(|line| line.map(Some)), drafts);
        }
        Format::Har => return har::decode(record, rules, drafts),
        Format::CloudWatch | Format::Azure if cloud::is_batch(record) => {
            drafts.list.extend(cloud::batch(record, rules)?);
        }
        Format::CloudWatch => drafts.push(cloud::cloudwatch(record, None, rules)),
        Format::Azure => drafts.push(cloud::azure(record, rules)),
        Format::Clef => drafts.push(clef::decode(record, rules)),
        Format::Journald => drafts.push(cloud::journald(record, rules)),
        Format::Gcp => drafts.push(cloud::log_entry(record, rules)),
        _ => drafts.push(of_fields(record, Format::Json, rules)),
    }
    Ok(())
}

/// Adds the records of a batch that can be read: one that cannot takes no other with it.
fn add(
    records: impl Iterator<Item = Result<Option<Draft>, Problem>>,
    drafts: &mut Drafts,
) -> Result<(), Problem> {
    let mut problems = Vec::new();
    for record in records {
        match record {
            Ok(Some(draft)) => drafts.push(draft),
            Ok(None) => drafts.skipped += 1,
            Err(problem) => problems.push(problem),
        }
    }
    let more = problems.len().saturating_sub(1);
    match problems.into_iter().next() {
        None => Ok(()),
        Some(first) if more == 0 => Err(first),
        Some(first) => Err(Problem::new(format!("{first}; {more} more of the batch"))),
    }
}

/// Decodes an object that is one record; `None` for a batch.
pub(crate) fn one(record: &mut Record<'_>, rules: Rules<'_>) -> Option<Draft> {
    if !record.may_be_of_format() {
        return Some(of_fields(record, Format::Json, rules));
    }
    let mut drafts = Drafts::default();
    match decode(record, rules, &mut drafts) {
        Ok(()) if drafts.list.len() == 1 => drafts.list.pop(),
        _ => None,
    }
}

/// Whether an object says what a log line does: a message, and a time or a level.
pub(crate) fn is_log_line(record: &Record<'_>, rules: Rules<'_>) -> bool {
    let is_time = |value: &JsonRef<'_>| rules.time_of(value).is_some();
    let is_level = |value: &JsonRef<'_>| level::of(value).is_some();
    record.find_by(rules, Role::Message, is_text).is_some()
        && (record.find_by(rules, Role::Level, is_level).is_some()
            || record.find_by(rules, Role::Time, is_time).is_some())
}

/// Reads the fields of an object by their names.
pub(crate) fn of_fields(record: &mut Record<'_>, format: Format, rules: Rules<'_>) -> Draft {
    if record.may_be_of_format()
        && let Some(inner @ JsonRef::Object(_)) = record.get("record")
        && ["message", "level", "extra", "elapsed"]
            .iter()
            .all(|name| inner.get(name).is_some())
        && let Some(JsonRef::Object(inner)) = record.take("record")
    {
        return loguru(record, &mut Record::new(inner), rules);
    }
    of_record(record, format, rules)
}

/// Reads the fields of a record by their names.
pub(crate) fn of_record(record: &mut Record<'_>, format: Format, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(format);
    take_trace(record, &mut draft, rules);
    take_time(record, &mut draft, rules);
    let level = take_level(record, &mut draft, rules);
    let source = take_source(record, rules);
    draft.source = source
        .as_ref()
        .and_then(|source| record.taken(source).text());
    let message = take_message(record, &mut draft, rules);
    if record.may_be_request() {
        // What a log line has in columns, and a request has not.
        let taken = [level, source, message].into_iter().flatten();
        access::take_request(record, &mut draft, taken);
    }
    draft.is_masked = draft.meta.is_empty();
    let rest = record.take_masked();
    if draft.is_masked {
        draft.meta = rest;
    } else {
        for (name, value) in rest {
            insert_beside(&mut draft.meta, "log", name, value);
        }
    }
    draft
}

fn take_trace(record: &mut Record<'_>, draft: &mut Draft, rules: Rules<'_>) {
    let Some(found) = record.find_by(rules, Role::Trace, is_text) else {
        let names = ["req.headers", "request.headers", "headers"];
        if record.may_be_request()
            && let Some(headers) = { names }.iter().find_map(|name| record.get(name))
            && let JsonRef::Object(headers) = headers
            && let Some(id) = trace_of_headers(headers.iter().map(|(name, value)| (&**name, value)))
        {
            draft.set_trace_id(&id);
        }
        return;
    };
    let Some(value) = record.take_found(found) else {
        return;
    };
    let id = value.text().unwrap_or_default();
    draft.set_trace_id(&id);
    if draft.trace_id.is_none() && !id.is_empty() {
        draft.meta.insert(found.name.to_owned(), value.into_json());
    }
}

fn take_time(record: &mut Record<'_>, draft: &mut Draft, rules: Rules<'_>) {
    let mut read = None;
    let found = record.find_by(rules, Role::Time, |value| {
        read = rules.time_of(value);
        read.is_some()
    });
    if read.is_none() {
        // It stays with the fields: it may be the time of something else.
        record.find_alike(Role::Time, |value| {
            read = rules.time_of(value).filter(time::Read::is_of_this_century);
            read.is_some()
        });
    }
    draft.read_time(read);
    // What the column does not hold is kept: digits below a microsecond.
    if let Some(found) = found
        && draft.is_exact_time
    {
        record.take_out(found);
    }
}

/// Takes the level, and returns its field if the column says all of it.
fn take_level<'n, 'a>(
    record: &mut Record<'a>,
    draft: &mut Draft,
    rules: Rules<'n>,
) -> Option<Taken<'n, 'a>> {
    if rules.names.of(Role::Level).is_empty()
        && record.may_have_path(Role::Level)
        && let Some(JsonRef::Object(_)) = record.get("level")
        && let Some(name) = record.get("level.name")
    {
        draft.set_level("level.name", name);
        return None;
    }
    // MongoDB's `s`, and the `at` of logfmt, are a level only if they look like one; a level of
    // one's own stays with the fields.
    let mut read = None;
    let found = record.find_by(rules, Role::Level, |value| {
        read = level::of(value);
        read.is_some()
    });
    let Some(found) = found else {
        draft.level = level_alike(record);
        return None;
    };
    // A number of something else, if nothing says that it is a log line.
    let is_number = record
        .value(found)
        .is_some_and(|value| value.number().is_some());
    if is_number
        && rules.names.of(Role::Level).is_empty()
        && draft.time.is_none()
        && record.find_by(rules, Role::Message, is_value).is_none()
        && record.find_alike(Role::Message, is_value).is_none()
    {
        return None;
    }
    let taken = record.take_out(found);
    let value = record.taken(&taken);
    if let JsonRef::Number(number) = value
        && record.is_of_python()
    {
        // Python's, 10 to 50: as of pino, but one step lower.
        draft.level = Some(match number.parse().unwrap_or_default() {
            ..20.0 => Level::Debug,
            20.0..30.0 => Level::Info,
            30.0..40.0 => Level::Warn,
            _ => Level::Error,
        });
        draft.keep(found.name, value);
        return None;
    }
    let is_exact = draft.read_level(found.name, value, read);
    is_exact.then_some(taken)
}

fn is_value(_: &JsonRef<'_>) -> bool {
    true
}

/// Reads the level of a field whose name only says that it may be one; it stays with the fields.
fn level_alike(record: &Record<'_>) -> Option<Level> {
    let exact = |value: &JsonRef<'_>| {
        let read = level::of_text(value.as_str()?)?;
        read.is_exact.then_some(read.level)
    };
    // Datadog's name of it.
    let of_status = record.get("status").and_then(exact);
    of_status.or_else(|| {
        let mut level = None;
        record.find_alike(Role::Level, |value| {
            level = exact(value);
            level.is_some()
        });
        level
    })
}

fn take_source<'n, 'a>(record: &mut Record<'a>, rules: Rules<'n>) -> Option<Taken<'n, 'a>> {
    let has_value = record.contains("value");
    let is_name = |value: &JsonRef<'_>| {
        // The name of a secret, with its value beside it, is masked with it.
        let is_name = |text: &str| !(text.trim().is_empty() || has_value && is_secret_name(text));
        value.as_str().is_some_and(is_name)
    };
    if let Some(found) = record.find_by(rules, Role::Source, is_name) {
        return Some(record.take_out(found));
    }
    // Under some loggers, the position in the code.
    let found = record.find_name("source", is_name)?;
    Some(record.take_out(found))
}

fn take_message<'n, 'a>(
    record: &mut Record<'a>,
    draft: &mut Draft,
    rules: Rules<'n>,
) -> Option<Taken<'n, 'a>> {
    let own = rules.names.of(Role::Message);
    // An object named `log` or `body` is no message; one named `message` is.
    let may_be_object = |found: Found<'_>| {
        matches!(found.name, "message" | "msg") || own.iter().any(|own| own == found.name)
    };
    let found = record.find_by(rules, Role::Message, |value| {
        is_text(value) || matches!(value, JsonRef::Object(_))
    });
    let found = match found {
        Some(found) if !may_be_object(found) => record.find_by(rules, Role::Message, is_text),
        found => found,
    };
    let Some(found) = found else {
        let is_string = |value: &JsonRef<'_>| value.as_str().is_some();
        let (_, value) = record.find_alike(Role::Message, is_string)?;
        draft.message = value.text();
        return None;
    };
    if let Some(value @ JsonRef::Object(_)) = record.value(found) {
        draft.message = Some(value.clone().into_json().to_string());
        return None;
    }
    let taken = record.take_out(found);
    let text = record.taken(&taken).text()?;
    draft.message = Some(match text::without_colours(&text) {
        Cow::Owned(plain) => plain,
        Cow::Borrowed(_) => text,
    });
    Some(taken)
}

/// Reads a record of loguru, which is in `record` beside the line it wrote.
fn loguru(line: &mut Record<'_>, record: &mut Record<'_>, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Json);
    draft.message = take_text(record, &["message"]);
    // The object stays: it has the number of a level of one's own.
    let level = record.get("level.name").and_then(level::of);
    draft.level = level.map(|read| read.level);
    let time = text(record, "time.timestamp");
    if let Some(read) = time.and_then(|time| crate::time::of_epoch(&time, None))
        && draft.read_time(Some(read))
    {
        record.take("time");
    } else {
        take_time(record, &mut draft, rules);
    }
    draft.source = take_text(record, &["name"]);
    if let Some(JsonRef::Object(_)) = record.get("extra")
        && let Some(JsonRef::Object(extra)) = record.take("extra")
    {
        let mut extra = Record::new(extra);
        take_trace(&mut extra, &mut draft, rules);
        let extra = lookback::Json::Object(extra.take_map());
        draft.meta.insert("extra".to_owned(), extra);
    }
    // The line repeats the message; with a traceback it says more.
    let written = line.get("text").and_then(JsonRef::as_str);
    let message = draft.message.as_deref().unwrap_or_default();
    let repeats = |text: &str| text.contains(message) && text.trim_end().lines().count() <= 1;
    if written.is_some_and(repeats) {
        line.take("text");
    }
    draft.meta.append(&mut record.take_map());
    draft.meta.append(&mut line.take_map());
    draft
}
