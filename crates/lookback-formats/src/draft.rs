//! A record that is being decoded.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, Utc};
use lookback::value::{JsonMap, JsonRef};
use lookback::{Json, Level, NewLog, NewRequestSnapshot};

use crate::fields::Value;
use crate::har::own::OwnColumns;
use crate::{Entry, Format, Options, level, time};
use lookback_json::secrets::{mask, mask_headers, mask_object, mask_text};

/// The longest text of a message, in bytes; a longer one is whole in `meta`.
const MAX_MESSAGE: usize = 1024 * 1024;
const MAX_TRACE_ID: usize = 128;
const MAX_SOURCE: usize = 4096;

/// What is known of a record.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) format: Format,
    pub(crate) time: Option<DateTime<Utc>>,
    /// Whether the time had no zone.
    pub(crate) is_local: bool,
    /// Whether the time and the level were found in a text, and are no fields.
    pub(crate) is_guess: bool,
    /// Whether the time is stored with all its digits.
    pub(crate) is_exact_time: bool,
    pub(crate) level: Option<Level>,
    pub(crate) source: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) trace_id: Option<String>,
    /// The fields without a column.
    pub(crate) meta: JsonMap,
    /// Whether `meta` has no secrets.
    pub(crate) is_masked: bool,
    pub(crate) request: Option<Box<Request>>,
    /// Whether it is the record of a request alone, and no line of a log.
    pub(crate) is_access: bool,
}

/// The request of a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path, the query behind it, or a whole URL.
    pub(crate) target: String,
    pub(crate) query: Option<JsonMap>,
    pub(crate) status: Option<i32>,
    /// In milliseconds.
    pub(crate) duration: Option<f64>,
    pub(crate) headers: JsonMap,
    pub(crate) response_headers: JsonMap,
    pub(crate) body: Option<Json>,
    pub(crate) response_body: Option<Json>,
    pub(crate) user_id: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) stage: Option<String>,
    pub(crate) country: Option<String>,
    /// When it began, if that is not the time of the record.
    pub(crate) time: Option<time::Read>,
    /// The columns of a record of Lookback's own archive.
    pub(crate) own: Option<Box<OwnColumns>>,
}

impl Draft {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            time: None,
            is_local: false,
            is_guess: false,
            is_exact_time: true,
            level: None,
            source: None,
            message: None,
            trace_id: None,
            meta: JsonMap::new(),
            is_masked: false,
            request: None,
            is_access: false,
        }
    }

    /// Sets the time, if it was read; returns whether it was.
    pub(crate) fn read_time(&mut self, read: Option<time::Read>) -> bool {
        let is_in_range = |read: &time::Read| (0..=9999).contains(&read.time.year());
        let Some(read) = read.filter(is_in_range) else {
            return false;
        };
        self.time = Some(read.time);
        self.is_local = read.is_local;
        self.is_exact_time = read.is_exact;
        true
    }

    /// Sets the level, and keeps one that Lookback does not have under its name. Returns whether
    /// the level says all of it.
    pub(crate) fn set_level(&mut self, name: &str, value: &JsonRef<'_>) -> bool {
        self.read_level(name, value, level::of(value))
    }

    /// As [`set_level`](Self::set_level), of a value that was read.
    pub(crate) fn read_level(
        &mut self,
        name: &str,
        value: &JsonRef<'_>,
        read: Option<level::Read>,
    ) -> bool {
        if let Some(read) = read {
            self.level = Some(read.level);
        }
        let is_exact = read.is_some_and(|read| read.is_exact);
        if !is_exact {
            self.keep(name, value);
        }
        is_exact
    }

    /// Keeps a field that no column has.
    pub(crate) fn keep(&mut self, name: &str, value: &JsonRef<'_>) {
        self.meta.insert(name.to_owned(), value.clone().into_json());
    }

    /// Sets the trace id, in lower case if it is one of W3C; zeros are none.
    pub(crate) fn set_trace_id(&mut self, text: &str) {
        // Google Cloud writes `projects/shop/traces/…`.
        let text = text.rsplit_once("/traces/").map_or(text, |(_, id)| id);
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if text.is_empty() || text.bytes().all(|b| matches!(b, b'0' | b'-')) {
            return;
        }
        let text = if is_hex {
            text.to_ascii_lowercase()
        } else {
            amazon_trace(text)
        };
        self.trace_id = Some(text);
    }

    /// Adds what the wrapper of a line knows: the inner record's own comes first.
    pub(crate) fn wrapped(mut self, wrapper: Self) -> Self {
        // The wrapper says more than a word of a text, and a time with a zone more than one without.
        let is_text = self.is_guess;
        let is_better = is_text || self.is_local && !wrapper.is_local;
        if self.time.is_none() || (is_better && wrapper.time.is_some()) {
            self.time = wrapper.time;
            self.is_local = wrapper.is_local;
        }
        self.level = if is_text {
            wrapper.level.or(self.level)
        } else {
            self.level.or(wrapper.level)
        };
        if self.format == Format::Text {
            self.format = wrapper.format;
        }
        let of = wrapper.format.name();
        let mut rest = wrapper.meta;
        for (name, own, around) in [
            ("source", &mut self.source, wrapper.source),
            ("trace_id", &mut self.trace_id, wrapper.trace_id),
        ] {
            match (&*own, around) {
                (None, around) => *own = around,
                (Some(own), Some(around)) if *own != around => {
                    insert_beside(&mut rest, of, name.to_owned(), around.into());
                }
                (Some(_), _) => {}
            }
        }
        // A request has no source.
        if self.is_access
            && let Some(source) = self.source.take()
        {
            insert_beside(&mut rest, of, "source".to_owned(), source.into());
        }
        self.is_masked &= rest.is_empty();
        for (key, value) in rest {
            insert_beside(&mut self.meta, of, key, value);
        }
        self
    }

    /// Returns the records.
    pub(crate) fn finish(mut self, options: &Options, lines: &RangeInclusive<u64>) -> Entry {
        if !self.is_masked {
            mask_object(&mut self.meta);
        }
        let source = match self.source.take() {
            Some(source) if !is_blank(&source) => {
                if source.len() > MAX_SOURCE {
                    let whole = clean(&source, usize::MAX).into();
                    insert_beside(&mut self.meta, "log", "source".to_owned(), whole);
                }
                cleaned(source, MAX_SOURCE)
            }
            _ => cleaned(options.source.clone(), MAX_SOURCE),
        };
        if let Some(id) = self.trace_id.take() {
            if id.len() <= MAX_TRACE_ID {
                self.trace_id = Some(cleaned(id, MAX_TRACE_ID));
            } else {
                self.meta
                    .insert("trace_id".to_owned(), clean(&id, usize::MAX).into());
            }
        }
        let request = self.request.take().map(|request| {
            let request = request.masked();
            let rest = if self.is_access {
                std::mem::take(&mut self.meta)
            } else {
                JsonMap::new()
            };
            let own = request.time.map(|read| read.time);
            let time = own.or(self.time).unwrap_or(options.now);
            Box::new(request.finish(time, self.trace_id.clone(), rest))
        });
        let log = (!self.is_access).then(|| self.finish_log(source));
        Entry {
            format: self.format,
            log,
            request,
            is_local_time: self.is_local,
            lines: lines.clone(),
        }
    }

    fn finish_log(&mut self, source: String) -> NewLog {
        let message = self.message.take().unwrap_or_default();
        let mut message = match mask_text(&message) {
            Cow::Owned(masked) => masked,
            Cow::Borrowed(_) => message,
        };
        if is_blank(&message) {
            message = summary(&self.meta);
        }
        if message.len() > MAX_MESSAGE {
            let short = clean(&message, MAX_MESSAGE);
            let whole = std::mem::replace(&mut message, short);
            self.meta.insert("message".to_owned(), whole.into());
        }
        let meta = std::mem::take(&mut self.meta);
        let mut log = NewLog::new(source, self.level.unwrap_or(Level::Info), message);
        if !meta.is_empty() {
            log.meta = Some(Json::Object(meta));
        }
        log.trace_id = self.trace_id.take();
        log.created_at = self.time;
        log
    }
}

/// The text of a record without a message: its fields.
fn summary(fields: &JsonMap) -> String {
    const MAX_FIELDS: usize = 8;
    let of_field = |(key, value): (&String, &Json)| match value {
        Json::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    };
    let text: Vec<String> = fields.iter().take(MAX_FIELDS).map(of_field).collect();
    let text = clean(&text.join(" "), 512);
    if text.trim().is_empty() {
        "(no message)".to_owned()
    } else {
        text
    }
}

fn is_blank(text: &str) -> bool {
    // Most texts begin with a letter.
    !text.starts_with(|c: char| c.is_ascii_graphic()) && text.trim().is_empty()
}

/// As [`clean`], without a copy of a text that is clean.
fn cleaned(text: String, most: usize) -> String {
    if text.len() <= most && !text.contains('\0') {
        text
    } else {
        clean(&text, most)
    }
}

/// Cuts a text to a number of bytes, at a character, with a picture for each NUL.
fn clean(text: &str, most: usize) -> String {
    let mut text = text.replace('\0', "\u{2400}");
    text.truncate(text.floor_char_boundary(most));
    text
}

impl Request {
    fn masked(mut self) -> Self {
        for map in [&mut self.headers, &mut self.response_headers] {
            mask_headers(map);
        }
        if let Some(query) = &mut self.query {
            mask_object(query);
        }
        for body in [&mut self.body, &mut self.response_body]
            .into_iter()
            .flatten()
        {
            mask(body);
        }
        self
    }

    /// Returns the record. The fields that have no column go with the headers, under their names.
    fn finish(
        self,
        time: DateTime<Utc>,
        trace_id: Option<String>,
        rest: JsonMap,
    ) -> NewRequestSnapshot {
        let (host, path, query, fragment) = split_target(&self.target);
        let mut headers = self.headers;
        if let Some(host) = host
            && !headers.keys().any(|key| key.eq_ignore_ascii_case("host"))
        {
            headers.insert("host".to_owned(), clean(host, 1024).into());
        }
        let mut keep = |name: &str, value: Json| {
            insert_beside(&mut headers, "field", name.to_owned(), value);
        };
        for (key, value) in rest {
            keep(&key, value);
        }
        if let Some(fragment) = fragment {
            keep("fragment", clean(&mask_text(fragment), usize::MAX).into());
        }
        // A text that is longer than its column is whole among the headers.
        let mut fitting = |name: &str, text: &str, most: usize| {
            if text.len() > most {
                keep(name, clean(text, usize::MAX).into());
            }
            clean(text, most)
        };
        let or_unknown = |text: Option<String>| {
            text.filter(|text| !text.trim().is_empty())
                .unwrap_or_else(|| "unknown".to_owned())
        };
        let method = if self.method.trim().is_empty() {
            "-".to_owned()
        } else {
            self.method
        };
        let path = mask_text(if path.trim().is_empty() { "/" } else { path });
        let mut record = NewRequestSnapshot::new(
            fitting("method", &method, 64),
            fitting("path", &path, 65_536),
            time,
            fitting("version", &or_unknown(self.version), 1024),
            fitting("stage", &or_unknown(self.stage), 1024),
        );
        let user = self.user_id.filter(|id| !id.trim().is_empty());
        record.user_id = user.map(|id| fitting("user_id", &id, 1024));
        let country = self.country.filter(|country| !country.trim().is_empty());
        record.geo_country = country.map(|country| fitting("geo_country", &country, 1024));
        let trace_id = trace_id.or_else(|| {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value));
            trace_of_headers(headers)
        });
        let query = match self.query.filter(|query| !query.is_empty()) {
            Some(query) => Some(query),
            None => query.map(|query| {
                let mut query = lookback_json::form::parameters(query);
                mask_object(&mut query);
                query
            }),
        };
        let of_map = |map: JsonMap| (!map.is_empty()).then_some(Json::Object(map));
        record.query = query.and_then(of_map);
        record.headers = of_map(headers);
        record.response_headers = of_map(self.response_headers);
        record.body = self.body;
        record.response_body = self.response_body;
        record.status_code = self.status.filter(|status| (100..=599).contains(status));
        #[expect(clippy::cast_possible_truncation, reason = "the value is in the range")]
        let milliseconds = |ms: f64| {
            (0.0..f64::from(i32::MAX))
                .contains(&ms)
                .then(|| ms.round() as i32)
        };
        record.duration = self.duration.and_then(milliseconds);
        record.trace_id = trace_id.filter(|id| id.len() <= MAX_TRACE_ID);
        record.created_at = Some(time);
        if let Some(own) = self.own {
            own.apply(&mut record);
        }
        record
    }
}

/// Splits the target of a request, or a URL, into host, path, query and fragment.
fn split_target(target: &str) -> (Option<&str>, &str, Option<&str>, Option<&str>) {
    let (host, rest) = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let authority = &rest[..end];
            // No name and password of a URL is stored.
            let host = authority.rsplit('@').next().unwrap_or(authority);
            (Some(host), &rest[end..])
        }
        _ => (None, target),
    };
    let is_some = |part: &&str| !part.is_empty();
    let (rest, fragment) = rest
        .split_once('#')
        .map_or((rest, None), |(rest, fragment)| {
            (rest, Some(fragment).filter(is_some))
        });
    match rest.split_once('?') {
        Some((path, query)) => (host, path, Some(query).filter(is_some), fragment),
        None => (host, rest, None, fragment),
    }
}

/// Adds a field. If another value has its name, it gets one with what it is of before it, and then
/// a number behind it.
pub(crate) fn insert_beside(map: &mut JsonMap, of: &str, name: String, value: Json) {
    let is_other = |name: &str| map.get(name).is_some_and(|other| *other != value);
    let mut free = name;
    if is_other(&free) {
        let name = format!("{of}.{free}");
        let mut number = 1;
        free.clone_from(&name);
        while is_other(&free) {
            number += 1;
            free = format!("{name}.{number}");
        }
    }
    map.insert(free, value);
}

/// Returns the trace id of W3C, B3 or Amazon headers.
pub(crate) fn trace_of_headers<'h, V: Value + 'h>(
    headers: impl Iterator<Item = (&'h str, &'h V)> + Clone,
) -> Option<String> {
    let header = |name: &str| {
        let mut headers = headers.clone();
        let (_, value) = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.first_str()
    };
    if let Some(id) = header("traceparent").and_then(|text| text.split('-').nth(1)) {
        return Some(id.to_ascii_lowercase()).filter(|id| id.bytes().any(|b| b != b'0'));
    }
    header("x-b3-traceid")
        .or_else(|| header("x-amzn-trace-id"))
        .map(amazon_trace)
}

/// Reads `Root=1-58337281-1d84f3d73c47ec4e58577259` as the id of W3C that it stands for.
pub(crate) fn amazon_trace(text: &str) -> String {
    let root = text
        .split(';')
        .find_map(|part| part.trim().strip_prefix("Root="));
    let id = root.unwrap_or(text);
    match id.strip_prefix("1-").map(|id| id.replace('-', "")) {
        Some(hex) if hex.len() == 32 => hex.to_ascii_lowercase(),
        _ => id.to_owned(),
    }
}
