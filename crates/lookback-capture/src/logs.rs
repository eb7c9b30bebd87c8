//! The layer of `tracing`: events become log lines.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};

use lookback_json::secrets::Masking;
use lookback_json::{Json, JsonMap, JsonNumber};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Event, Level as TracingLevel, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::capture::Capture;
use crate::record::{CapturedLog, Level, now};
use crate::settings::Settings;
use crate::trace::{TraceContext, current_trace};

/// A layer of `tracing` that captures events as log lines.
///
/// [`Capture::tracing_layer`] returns it. Put it on a
/// [registry](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/struct.Registry.html),
/// beside others, with a filter of its own if it should have one.
///
/// | of an event | becomes |
/// |---|---|
/// | its field `source`, else its target | `source` |
/// | its level | `level`: `TRACE` is `debug`, and kept in `meta` |
/// | its message | `message` |
/// | its other fields, and `file` with the line | `meta` |
/// | the spans around it, from the outermost, with their fields | `meta`, `spans` |
/// | the trace of the request, or the field `trace_id` of it or of a span | `trace_id` |
///
/// What capture and its sink do is on a thread whose events are ignored: it never records itself.
#[derive(Clone)]
pub struct CaptureLogs {
    capture: Capture,
}

impl CaptureLogs {
    pub(crate) const fn new(capture: Capture) -> Self {
        Self { capture }
    }
}

impl fmt::Debug for CaptureLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureLogs").finish_non_exhaustive()
    }
}

thread_local! {
    static IS_IGNORED: Cell<bool> = const { Cell::new(false) };
}

/// Ignores the events of this thread from now on.
pub(crate) fn ignore_events_of_this_thread() {
    IS_IGNORED.with(|is_ignored| is_ignored.set(true));
}

fn is_ignored() -> bool {
    // A thread that is ending has no events of capture.
    IS_IGNORED.try_with(Cell::get).unwrap_or(false)
}

/// The fields and the trace of a span.
struct SpanFields {
    fields: JsonMap,
    /// The trace of the request in which the span was made.
    trace: Option<TraceContext>,
}

/// The filter of [`CaptureLogs`], which gets no others: events and spans of the levels that the
/// settings capture.
///
/// It is of this layer alone: what others take is left to them.
#[derive(Clone)]
pub struct CaptureLevel {
    capture: Capture,
}

impl CaptureLevel {
    pub(crate) const fn new(capture: Capture) -> Self {
        Self { capture }
    }

    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= most_detailed(&self.capture.settings())
    }
}

impl fmt::Debug for CaptureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureLevel").finish_non_exhaustive()
    }
}

/// Returns the most detailed level that is captured.
fn most_detailed(settings: &Settings) -> LevelFilter {
    match settings.level {
        _ if !settings.logs => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::TRACE,
    }
}

/// Makes `tracing` ask again which events are captured, after the settings have changed.
pub(crate) fn levels_changed(before: &Settings, now: &Settings) {
    if most_detailed(before) != most_detailed(now) {
        tracing_core::callsite::rebuild_interest_cache();
    }
}

impl<S> Filter<S> for CaptureLevel {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.takes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.takes(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(most_detailed(&self.capture.settings()))
    }
}

impl<S> Layer<S> for CaptureLogs
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if is_ignored() {
            return;
        }
        let Some(span) = context.span(id) else {
            return;
        };
        let mut fields = Fields::new(self.capture.settings().text_limit);
        attributes.record(&mut fields);
        // A span that is made in a task of its own belongs to the trace of its parent.
        let of_parent = || {
            let parent = span.parent()?;
            let extensions = parent.extensions();
            extensions.get::<SpanFields>()?.trace
        };
        let trace = current_trace().or_else(of_parent);
        // There may be another layer of capture.
        span.extensions_mut().replace(SpanFields {
            fields: fields.map,
            trace,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        // Values are formatted before the span is locked: the code of the application may log.
        let mut fields = Fields::new(self.capture.settings().text_limit);
        values.record(&mut fields);
        if let Some(span) = span.extensions_mut().get_mut::<SpanFields>() {
            span.fields.extend(fields.map);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if is_ignored() {
            return;
        }
        let settings = self.capture.settings();
        let level = level_of(*event.metadata().level());
        let shared = self.capture.shared();
        let is_important = level >= Level::Warn;
        if !shared
            .rates
            .logs
            .admits(settings.logs_per_second, is_important)
        {
            crate::queue::count(&shared.counters.logs.over_rate, 1);
            return;
        }
        // A line is made only if there is a place for it.
        let Some(place) = self.capture.queue().log() else {
            return;
        };
        let mut fields = Fields::new(settings.text_limit);
        event.record(&mut fields);
        let mut spans = Spans::default();
        for span in context.event_scope(event).into_iter().flatten() {
            spans.add(span.name(), span.extensions().get::<SpanFields>());
        }
        let log = log_of(event.metadata(), level, fields.map, spans, &settings);
        let bytes = 1_024 + 2 * (log.message.len() + log.meta.as_ref().map_or(0, size_of));
        place.put(log, bytes);
    }
}

/// The spans around an event.
#[derive(Default)]
struct Spans {
    /// The innermost first.
    list: Vec<Json>,
    trace: Option<TraceContext>,
    /// The field `trace_id` of the innermost span that has one.
    trace_id: Option<String>,
}

impl Spans {
    fn add(&mut self, name: &str, span: Option<&SpanFields>) {
        let mut fields = span.map(|span| span.fields.clone()).unwrap_or_default();
        if self.trace.is_none() {
            self.trace = span.and_then(|span| span.trace);
        }
        if self.trace_id.is_none() {
            self.trace_id = trace_id_in(&fields);
        }
        insert_beside(&mut fields, "name", name.into());
        self.list.push(Json::Object(fields));
    }
}

fn level_of(level: TracingLevel) -> Level {
    match level {
        TracingLevel::ERROR => Level::Error,
        TracingLevel::WARN => Level::Warn,
        TracingLevel::INFO => Level::Info,
        TracingLevel::DEBUG | TracingLevel::TRACE => Level::Debug,
    }
}

fn log_of(
    metadata: &Metadata<'_>,
    level: Level,
    mut fields: JsonMap,
    spans: Spans,
    settings: &Settings,
) -> CapturedLog {
    let masking = &settings.masking;
    let mut take_text = |name: &str| match fields.remove(name) {
        Some(Json::String(text)) => Some(text),
        Some(other) => {
            fields.insert(name.to_owned(), other);
            None
        }
        None => None,
    };
    let message = take_text("message");
    // Events of the crate `log` have their place in fields.
    let target = take_text("log.target");
    let _module = take_text("log.module_path");
    let log_file = take_text("log.file");
    let target = target.as_deref().unwrap_or(metadata.target());
    let source = take_text("source").filter(|source| !source.trim().is_empty());
    let log_line = fields.remove("log.line");
    let line = metadata.line().map(Json::from).or(log_line);
    let trace_id = spans
        .trace
        .or_else(current_trace)
        .map(|trace| trace.trace_id());
    let trace_id = trace_id.or_else(|| trace_id_in(&fields)).or(spans.trace_id);

    if let Some(file) = metadata.file().or(log_file.as_deref()) {
        let place = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
        insert_beside(&mut fields, "file", place.into());
    }
    if source.is_some() {
        insert_beside(&mut fields, "target", target.into());
    }
    if *metadata.level() == TracingLevel::TRACE {
        insert_beside(&mut fields, "level", "TRACE".into());
    }
    if !spans.list.is_empty() {
        let outermost_first: Vec<Json> = spans.list.into_iter().rev().collect();
        insert_beside(&mut fields, "spans", Json::Array(outermost_first));
    }
    masking.mask_object(&mut fields);
    let message = message.map_or_else(
        || metadata.name().to_owned(),
        |message| masking.mask_text(&message).into_owned(),
    );
    let is_blank = message.trim().is_empty();
    CapturedLog {
        timestamp: now(),
        source: source_of(source.as_deref(), target, masking),
        level,
        message: if is_blank {
            "(no message)".to_owned()
        } else {
            message
        },
        meta: (!fields.is_empty()).then_some(fields),
        trace_id,
    }
}

/// Returns the field `trace_id`, if it is a W3C trace id.
fn trace_id_in(fields: &JsonMap) -> Option<String> {
    let text = fields.get("trace_id")?.as_str()?;
    let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| text.to_ascii_lowercase())
}

/// Inserts a value; under another name if a field has this one.
fn insert_beside(map: &mut JsonMap, name: &str, value: Json) {
    let mut name = name.to_owned();
    while map.contains_key(&name) {
        name.insert_str(0, "tracing.");
    }
    map.insert(name, value);
}

/// Returns the component that wrote a line: not blank.
fn source_of(field: Option<&str>, target: &str, masking: &Masking) -> String {
    const MOST: usize = 4_096;
    let source = masking.mask_text(field.unwrap_or(target));
    let source = source.trim();
    if source.is_empty() {
        return "unknown".to_owned();
    }
    source[..source.floor_char_boundary(MOST)].to_owned()
}

/// Roughly the bytes of the texts of an object.
fn size_of(map: &JsonMap) -> usize {
    fn of(value: &Json) -> usize {
        match value {
            Json::String(text) => text.len(),
            Json::Array(items) => items.iter().map(of).sum(),
            Json::Object(map) => size_of(map),
            Json::Null | Json::Bool(_) | Json::Number(_) => 8,
        }
    }
    map.iter().map(|(name, value)| name.len() + of(value)).sum()
}

/// Fields as an object.
struct Fields {
    map: JsonMap,
    /// The most bytes of a text.
    limit: usize,
}

impl Fields {
    const fn new(limit: usize) -> Self {
        Self {
            map: JsonMap::new(),
            limit,
        }
    }

    fn insert(&mut self, field: &Field, value: impl Into<Json>) {
        self.map.insert(field.name().to_owned(), value.into());
    }

    fn insert_number(&mut self, field: &Field, number: impl fmt::Display) {
        let number: Option<JsonNumber> = number.to_string().parse().ok();
        self.insert(field, number.map_or(Json::Null, Json::Number));
    }

    fn insert_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let mut limited = Limited {
            text: String::new(),
            limit: self.limit,
            left_out: 0,
        };
        // A `Debug` of the application that fails has written what it could.
        let _failed = limited.write_fmt(text);
        self.insert(field, limited.finish());
    }
}

/// A text that is cut while it is written.
struct Limited {
    text: String,
    limit: usize,
    left_out: usize,
}

impl fmt::Write for Limited {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.limit.saturating_sub(self.text.len());
        let taken = if self.left_out > 0 {
            0
        } else {
            more.floor_char_boundary(room)
        };
        self.text.push_str(&more[..taken]);
        self.left_out += more.len() - taken;
        Ok(())
    }
}

impl Limited {
    fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.text
                .push_str(&format!("… [{} bytes more]", self.left_out));
        }
        self.text
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.insert(field, value);
        } else {
            self.insert(field, value.to_string());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.insert_number(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.insert_number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert_text(field, format_args!("{value}"));
    }

    /// With what caused it, as programs print it.
    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        const MOST: usize = 32;
        let mut text = value.to_string();
        let mut cause = value.source();
        for _ in 0..MOST {
            let Some(error) = cause else { break };
            let message = error.to_string();
            if !text.ends_with(&message) {
                text.push_str(&format!(": {message}"));
            }
            cause = error.source();
        }
        self.insert_text(field, format_args!("{text}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert_text(field, format_args!("{value:?}"));
    }
}
