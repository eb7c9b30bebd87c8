//! What tracing-subscriber writes, in each of its forms, decoded.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use chrono::Utc;
use lookback::{Json, Level, NewLog};
use lookback_json::secrets::MASK;
use tracing::{debug, error, info, info_span, trace, warn};
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::samples::decode;

const SECRET: &str = "hunter2-0451-very-secret";
const TEXT: &str = "Größe „groß“ 漢字 🦀 \"quoted\" 'single' \\ back";

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn builder() -> (
    Output,
    SubscriberBuilder<
        tracing_subscriber::fmt::format::DefaultFields,
        tracing_subscriber::fmt::format::Format,
        tracing_subscriber::filter::LevelFilter,
        BoxMakeWriter,
    >,
) {
    let output = Output::default();
    let writer = output.clone();
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(BoxMakeWriter::new(move || writer.clone()));
    (output, builder)
}

/// Logs the events, and returns the log lines they are decoded to.
fn logs(
    output: &Output,
    subscriber: impl tracing::Subscriber + Send + Sync + 'static,
) -> Vec<NewLog> {
    let began = Utc::now() - chrono::Duration::milliseconds(1);
    tracing::subscriber::with_default(subscriber, || {
        trace!("level TRACE");
        debug!("level DEBUG");
        info!("level INFO");
        warn!("level WARN");
        error!("level ERROR");
        info!("{TEXT}");
        info!(
            sku = u64::MAX,
            price = 12.5,
            paid = true,
            name = "Zürich \"b\"",
            "fields"
        );
        let no_stock = io::Error::other("no stock");
        error!(error = &no_stock as &dyn std::error::Error, "failed");
        let request = info_span!("request", request_id = "r-1", retries = 3);
        request.in_scope(|| {
            info_span!("inner").in_scope(|| info!("child"));
        });
        warn!(
            user = "anna",
            password = SECRET,
            authorization = format!("Bearer {SECRET}"),
            "secret"
        );
    });
    let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    assert!(written.contains(SECRET));
    let entries = decode(&written);
    let shown = format!("{entries:?}");
    assert!(!shown.contains(SECRET) && shown.contains(MASK), "{shown}");
    let logs: Vec<NewLog> = entries.into_iter().filter_map(|entry| entry.log).collect();
    for log in &logs {
        let time = log.created_at.unwrap();
        assert!((began..=Utc::now()).contains(&time), "{log:?}");
    }
    let levels: Vec<Level> = logs.iter().map(|log| log.level).collect();
    assert_eq!(levels, LEVELS, "{written}");
    logs
}

const LEVELS: [Level; 10] = [
    Level::Debug,
    Level::Debug,
    Level::Info,
    Level::Warn,
    Level::Error,
    Level::Info,
    Level::Info,
    Level::Error,
    Level::Info,
    Level::Warn,
];

/// Checks the messages and, in an object of `meta` or in `meta` itself, the fields.
fn assert_json(logs: &[NewLog], fields: Option<&str>) {
    let messages = [
        "level TRACE",
        "level DEBUG",
        "level INFO",
        "level WARN",
        "level ERROR",
        TEXT,
        "fields",
        "failed",
        "child",
        "secret",
    ];
    let field = |log: usize, name: &str| {
        let meta = logs[log].meta.as_ref().unwrap();
        let map = fields.map_or(meta, |fields| &meta[fields]);
        map.get(name).cloned().unwrap_or_default()
    };
    for (log, message) in logs.iter().zip(messages) {
        assert_eq!(log.message, message);
        assert!(log.source.ends_with("it::tracing_subscriber"), "{log:?}");
    }
    assert_eq!(field(6, "sku").to_string(), "18446744073709551615");
    assert_eq!(field(6, "price").to_string(), "12.5");
    assert_eq!(field(6, "paid"), Json::from(true));
    assert_eq!(field(6, "name"), Json::from("Zürich \"b\""));
    assert_eq!(field(7, "error"), Json::from("no stock"));
    assert_eq!(field(9, "user"), Json::from("anna"));
    assert_eq!(field(9, "password"), Json::from(MASK));
    assert_eq!(field(9, "authorization"), Json::from(MASK));
    let spans = &logs[8].meta.as_ref().unwrap()["spans"];
    let expected = r#"[{"name":"request","request_id":"r-1","retries":3},{"name":"inner"}]"#;
    let expected: Json = expected.parse().unwrap();
    assert_eq!(spans, &expected);
}

#[test]
fn json_has_all_fields_and_spans() {
    let (output, builder) = builder();
    assert_json(&logs(&output, builder.json().finish()), Some("fields"));
}

#[test]
fn flat_json_has_all_fields_and_spans() {
    let (output, builder) = builder();
    let subscriber = builder.json().flatten_event(true).finish();
    assert_json(&logs(&output, subscriber), None);
}

/// Each event is one record, with what the text says.
fn assert_text(logs: &[NewLog]) {
    let parts = [
        "level TRACE",
        "level DEBUG",
        "level INFO",
        "level WARN",
        "level ERROR",
        TEXT,
        "18446744073709551615",
        "no stock",
        "r-1",
        "anna",
    ];
    assert_eq!(logs.len(), parts.len());
    for (log, part) in logs.iter().zip(parts) {
        assert!(log.message.contains(part), "{log:?}");
    }
}

#[test]
fn text_full_compact_and_over_lines_is_one_record_for_each_event() {
    let (output, compact) = builder();
    assert_text(&logs(&output, compact.compact().finish()));
    for has_colours in [false, true] {
        let (output, full) = builder();
        assert_text(&logs(&output, full.with_ansi(has_colours).finish()));
        let (output, pretty) = builder();
        let pretty = pretty.with_ansi(has_colours).pretty();
        assert_text(&logs(&output, pretty.finish()));
    }
}
