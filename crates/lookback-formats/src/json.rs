//! JSON objects: of loggers, of what collects their lines, and of requests.

mod access;
mod clef;
pub(crate) mod cloud;
mod har;
pub(crate) mod names;
pub(crate) mod otlp;

use lookback::value::{JsonMap, JsonRef};
use lookback::{Json, Level};

use crate::draft::{Draft, trace_of_headers};
use crate::fields::{get, take, take_text, text};
use crate::record::{Record, is_text, text_of};
use crate::text::{self, Piece};
use crate::time::Rules;
use crate::{Format, Problem, level};
use names::Role;

/// Reads a line of Docker's json-file: `{"log":"text\n","stream":"stdout","time":"…"}`.
pub(crate) fn docker(map: &JsonMap, rules: Rules<'_>) -> Option<Piece> {
    let log = map.get("log")?.as_str()?;
    let stream = map.get("stream").and_then(Json::as_str);
    let time = map.get("time")?;
    let mut wrapper = Draft::new(Format::Docker);
    if !wrapper.set_time(time, rules) {
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

/// Decodes an object, one record or a batch of them, and adds the records that can be read.
///
/// # Errors
///
/// Some records cannot be read.
pub(crate) fn decode(
    mut map: JsonMap,
    rules: Rules<'_>,
    drafts: &mut Vec<Draft>,
) -> Result<(), Problem> {
    if otlp::is_batch(&map) {
        return decode_as(Format::Otlp, map, rules, drafts);
    }
    if har::is_archive(&map) {
        return decode_as(Format::Har, map, rules, drafts);
    }
    if let Some(Json::Array(_)) = map.get("streams") {
        return decode_as(Format::Loki, map, rules, drafts);
    }
    if cloud::is_batch(&map) {
        drafts.extend(cloud::batch(map, rules)?);
        return Ok(());
    }
    // What an exporter of BigQuery, or a page of an API, puts around records.
    if let (1, Some(Json::Array(_))) = (map.len(), map.get("entries"))
        && let Some(Json::Array(items)) = map.remove("entries")
    {
        let mut decoded = Ok(());
        for item in items {
            if let Json::Object(map) = item {
                decoded = decoded.and(decode(map, rules, drafts));
            }
        }
        return decoded;
    }
    drafts.push(single(map, rules));
    Ok(())
}

/// Decodes an object of a format, as [`decode`].
pub(crate) fn decode_as(
    format: Format,
    map: JsonMap,
    rules: Rules<'_>,
    drafts: &mut Vec<Draft>,
) -> Result<(), Problem> {
    match format {
        Format::Otlp if !otlp::is_batch(&map) => {
            return Err(Problem::new("must have resourceLogs or resourceSpans"));
        }
        Format::Otlp => return add(otlp::records(map)?, drafts),
        Format::Loki => {
            let lines = cloud::loki_lines(map, rules)?;
            return add(lines.map(|line| line.map(Some)), drafts);
        }
        Format::Har => drafts.extend(har::decode(map, rules)?),
        Format::CloudWatch | Format::Azure if cloud::is_batch(&map) => {
            drafts.extend(cloud::batch(map, rules)?);
        }
        Format::CloudWatch => drafts.push(cloud::cloudwatch(map, &JsonMap::new(), rules)),
        Format::Azure => drafts.push(cloud::azure(map, rules)),
        Format::Clef => drafts.push(clef::decode(map, rules)),
        Format::Journald => drafts.push(cloud::journald(map, rules)),
        Format::Gcp => drafts.push(cloud::log_entry(map, rules)),
        _ => drafts.push(of_fields(map, Format::Json, rules)),
    }
    Ok(())
}

/// Adds the records of a batch that can be read: one that cannot takes no other with it.
fn add(
    records: impl Iterator<Item = Result<Option<Draft>, Problem>>,
    drafts: &mut Vec<Draft>,
) -> Result<(), Problem> {
    let mut problems = Vec::new();
    for record in records {
        match record {
            Ok(draft) => drafts.extend(draft),
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
pub(crate) fn one(map: JsonMap, rules: Rules<'_>) -> Option<Draft> {
    let mut drafts = Vec::new();
    match decode(map, rules, &mut drafts) {
        Ok(()) if drafts.len() == 1 => drafts.pop(),
        _ => None,
    }
}

fn single(map: JsonMap, rules: Rules<'_>) -> Draft {
    if map.contains_key("@t") {
        clef::decode(map, rules)
    } else if map.contains_key("__REALTIME_TIMESTAMP") || map.contains_key("_SYSTEMD_UNIT") {
        cloud::journald(map, rules)
    } else if cloud::is_log_entry(&map) {
        cloud::log_entry(map, rules)
    } else {
        of_fields(map, Format::Json, rules)
    }
}

/// Reads the fields of an object by their names.
pub(crate) fn of_fields(mut map: JsonMap, format: Format, rules: Rules<'_>) -> Draft {
    if let Some(Json::Object(record)) = map.get_mut("record")
        && record.contains_key("message")
        && record.contains_key("level")
    {
        // loguru: all is in `record`, and `text` is the line it wrote.
        let record = std::mem::take(record);
        return loguru(map, record, rules);
    }
    of_record(Record::of_map(&map), format, rules)
}

/// Reads the fields of a record by their names.
pub(crate) fn of_record(mut record: Record<'_>, format: Format, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(format);
    take_trace(&mut record, &mut draft, rules);
    take_time(&mut record, &mut draft, rules);
    let level = take_level(&mut record, &mut draft, rules);
    let source = take_source(&mut record, rules);
    draft.source = source.as_ref().and_then(|(_, value)| text_of(value));
    let message = take_message(&mut record, &mut draft, rules);
    if record.may_be_request() {
        // What a log line has in columns, and a request has not.
        let taken = [level, source, message].into_iter().flatten();
        let taken = taken.map(|(name, value)| (name.to_owned(), value.into_json()));
        let taken = taken.collect();
        let mut map = record.into_map();
        access::take_request(&mut map, &mut draft, taken);
        draft.meta.append(&mut map);
    } else {
        draft.meta.append(&mut record.into_masked());
        draft.is_masked = true;
    }
    draft
}

/// A field that was taken out of a record.
type Taken<'n, 'a> = Option<(&'n str, JsonRef<'a>)>;

fn take_trace(record: &mut Record<'_>, draft: &mut Draft, rules: Rules<'_>) {
    let Some(name) = record.find(Role::Trace, rules, is_text) else {
        let is_there = record.may_be_request();
        let names = ["req.headers", "request.headers", "headers"];
        if is_there
            && let Some(headers) = { names }.iter().find_map(|name| record.get(name))
            && let Json::Object(headers) = headers.clone().into_json()
            && let Some(id) = trace_of_headers(&headers)
        {
            draft.set_trace_id(&id);
        }
        return;
    };
    let value = record.take(name);
    let id = value.as_ref().and_then(text_of).unwrap_or_default();
    draft.set_trace_id(&id);
    if draft.trace_id.is_none() && !id.is_empty() {
        let value = value.map_or(Json::Null, JsonRef::into_json);
        draft.meta.insert(name.to_owned(), value);
    }
}

fn take_time(record: &mut Record<'_>, draft: &mut Draft, rules: Rules<'_>) {
    let mut read = None;
    let name = record.find(Role::Time, rules, |value| {
        read = rules.time_of(value);
        read.is_some()
    });
    draft.read_time(read);
    // What the column does not hold is kept: digits below a microsecond.
    if let Some(name) = name
        && draft.is_exact_time
    {
        record.take(name);
    }
}

/// Takes the level, and returns its field if the column says all of it.
fn take_level<'n, 'a>(
    record: &mut Record<'a>,
    draft: &mut Draft,
    rules: Rules<'n>,
) -> Taken<'n, 'a> {
    if rules.names.of(Role::Level).is_empty()
        && let Some(JsonRef::Object(_)) = record.get("level")
        && let Some(name) = record.get("level.name")
    {
        draft.set_level("level.name", name);
        return None;
    }
    // MongoDB's `s`, and the `at` of logfmt, are a level only if they look like one; a level of
    // one's own stays with the fields.
    let mut read = None;
    let name = record.find(Role::Level, rules, |value| {
        read = level::of(value);
        read.is_some()
    })?;
    let value = record.take(name)?;
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
        draft.meta.insert(name.to_owned(), value.into_json());
        return None;
    }
    let is_exact = draft.read_level(name, &value, read);
    is_exact.then_some((name, value))
}

fn take_source<'n, 'a>(record: &mut Record<'a>, rules: Rules<'n>) -> Taken<'n, 'a> {
    let is_name = |value: &JsonRef<'_>| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let name = record.find(Role::Source, rules, is_name).or_else(|| {
        // Under some loggers, the position in the code.
        record
            .get("source")
            .is_some_and(is_name)
            .then_some("source")
    })?;
    Some((name, record.take(name)?))
}

fn take_message<'n, 'a>(
    record: &mut Record<'a>,
    draft: &mut Draft,
    rules: Rules<'n>,
) -> Taken<'n, 'a> {
    let name = record.find(Role::Message, rules, |value| {
        is_text(value) || matches!(value, JsonRef::Object(_))
    })?;
    // An object named `log` or `body` is no message; one named `message` is.
    let own = rules.names.of(Role::Message);
    let may_be_object = matches!(name, "message" | "msg") || own.iter().any(|own| own == name);
    let name = if may_be_object {
        name
    } else {
        record.find(Role::Message, rules, is_text)?
    };
    if let Some(value @ JsonRef::Object(_)) = record.get(name) {
        draft.message = Some(value.clone().into_json().to_string());
        return None;
    }
    let value = record.take(name)?;
    let text = text_of(&value)?;
    draft.message = Some(if text.contains('\u{1b}') {
        text::without_colours(&text).into_owned()
    } else {
        text
    });
    Some((name, value))
}

/// Reads a record of loguru, which is in `record` beside the line it wrote.
fn loguru(mut map: JsonMap, mut record: JsonMap, rules: Rules<'_>) -> Draft {
    map.remove("record");
    let mut draft = Draft::new(Format::Json);
    draft.message = take_text(&mut record, &["message"]);
    // The object stays: it has the number of a level of one's own.
    let level = get(&record, "level.name").and_then(crate::level::of_json);
    draft.level = level.map(|read| read.level);
    let time = text(&record, "time.timestamp");
    if let Some(read) = time.and_then(|time| crate::time::of_epoch(&time, None))
        && draft.read_time(Some(read))
    {
        take(&mut record, &["time"]);
    } else {
        let mut fields = Record::of_map(&record);
        take_time(&mut fields, &mut draft, rules);
        record = fields.into_map();
    }
    draft.source = take_text(&mut record, &["name"]);
    if let Some(Json::Object(extra)) = record.get_mut("extra") {
        let mut fields = Record::of_map(extra);
        take_trace(&mut fields, &mut draft, rules);
        *extra = fields.into_map();
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
