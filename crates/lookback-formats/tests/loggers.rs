//! What real loggers of Node.js and Python wrote, decoded: `make test-loggers`, which runs the
//! programs of `scripts/loggers/` and names the folder of their output in `LOOKBACK_LOGGERS`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by it, and says why it does nothing"
)]

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use lookback::{Json, Level, NewLog, NewRequestSnapshot};
use lookback_formats::push::{self, Push};
use lookback_formats::{Decoder, Entry, Options};
use lookback_json::secrets::{MASK, mask};

/// The folder of the output, if the loggers ran.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LOOKBACK_LOGGERS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: LOOKBACK_LOGGERS is not set; run `make test-loggers`");
    }
    folder
}

/// The events that the programs log.
struct Events(Json);

impl Events {
    fn new() -> Self {
        let text = include_str!("../../../scripts/loggers/events.json");
        Self(text.parse().unwrap())
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn trace(&self) -> &str {
        self.0["bound"]["trace_id"].as_str().unwrap()
    }
}

/// Where a logger keeps what its event has beside a message.
#[derive(Clone, Copy)]
enum Fields {
    /// In an object of `meta`, or in `meta` itself.
    In(Option<&'static str>),
    /// As texts, in `meta`.
    Texts,
    /// In the line of text.
    Line,
}

/// A file, and what is expected of it.
struct Logger {
    file: &'static str,
    source: &'static str,
    levels: &'static [(&'static str, Level)],
    fields: Fields,
    /// The 20-digit number, as the logger writes it.
    big: Option<&'static str>,
    /// The path of the stack in the line and, if another one, in `meta`; `None` in a text.
    stack: Option<(&'static [&'static str], &'static [&'static str])>,
    /// What the message of the exception has behind `failed`.
    failed: &'static str,
    has_time: bool,
}

const BIG: Option<&str> = Some("12345678901234567890");
const PINO: &[(&str, Level)] = &[
    ("trace", Level::Debug),
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warn", Level::Warn),
    ("error", Level::Error),
    ("fatal", Level::Error),
];
const NPM: &[(&str, Level)] = &[
    ("silly", Level::Debug),
    ("debug", Level::Debug),
    ("verbose", Level::Debug),
    ("http", Level::Info),
    ("info", Level::Info),
    ("warn", Level::Warn),
    ("error", Level::Error),
];
const PYTHON: &[(&str, Level)] = &[
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("critical", Level::Error),
];
const LOGURU: &[(&str, Level)] = &[
    ("TRACE", Level::Debug),
    ("DEBUG", Level::Debug),
    ("INFO", Level::Info),
    ("SUCCESS", Level::Info),
    ("WARNING", Level::Warn),
    ("ERROR", Level::Error),
    ("CRITICAL", Level::Error),
];

const fn json(
    file: &'static str,
    source: &'static str,
    levels: &'static [(&'static str, Level)],
    stack: &'static [&'static str],
) -> Logger {
    Logger {
        file,
        source,
        levels,
        fields: Fields::In(None),
        big: BIG,
        stack: Some((stack, stack)),
        failed: "",
        has_time: true,
    }
}

const fn text(file: &'static str, levels: &'static [(&'static str, Level)]) -> Logger {
    Logger {
        fields: Fields::Line,
        stack: None,
        ..json(file, "app", levels, &[])
    }
}

const NO_STOCK: &str = " no stock for 漢字";

const LOGGERS: &[Logger] = &[
    json("pino.log", "cart", PINO, &["err", "stack"]),
    json("pino-labels.log", "cart", PINO, &["err", "stack"]),
    Logger {
        big: Some("\"12345678901234567890\""),
        failed: NO_STOCK,
        ..json("winston.log", "mail", NPM, &["stack"])
    },
    Logger {
        failed: NO_STOCK,
        has_time: false,
        ..text("winston-simple.log", NPM)
    },
    Logger {
        failed: NO_STOCK,
        ..text("winston-printf.log", NPM)
    },
    Logger {
        big: None,
        ..json("bunyan.log", "cart", PINO, &["err", "stack"])
    },
    Logger {
        has_time: false,
        ..text("logging-default.log", PYTHON)
    },
    text("logging-percent.log", PYTHON),
    json("logging-json.log", "cart", PYTHON, &["exc_info"]),
    json("json-logger.log", "cart", PYTHON, &["exc_info"]),
    json("structlog.log", "cart", PYTHON, &["exception"]),
    json("structlog-dict.log", "cart", PYTHON, &["exception"]),
    Logger {
        fields: Fields::Texts,
        stack: None,
        ..json("structlog-logfmt.log", "cart", PYTHON, &[])
    },
    text("structlog-console.log", PYTHON),
    Logger {
        fields: Fields::In(Some("extra")),
        stack: Some((&["text"], &["text"])),
        ..json("loguru.log", "__main__", LOGURU, &[])
    },
    text("loguru-text.log", LOGURU),
];

fn read(folder: &Path, file: &str) -> String {
    let path = folder.join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn options() -> Options {
    Options {
        now: Utc::now(),
        ..Options::default()
    }
}

fn decode(input: &str) -> Vec<Entry> {
    let mut decoder = Decoder::new(options());
    let mut entries = Vec::new();
    for line in input.lines() {
        decoder.line(line.as_bytes(), &mut entries).unwrap();
    }
    decoder.finish(&mut entries);
    entries
}

fn logs(entries: &[Entry]) -> Vec<&NewLog> {
    entries.iter().filter_map(|e| e.log.as_ref()).collect()
}

fn at<'a>(value: &'a Json, path: &[&str]) -> Option<&'a Json> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn meta(log: &NewLog) -> &Json {
    log.meta.as_ref().unwrap_or(&Json::Null)
}

/// The time when the programs began, and now.
fn is_of_run(folder: &Path, time: DateTime<Utc>) -> bool {
    let began: DateTime<Utc> = read(folder, "began").trim().parse().unwrap();
    (began..=Utc::now()).contains(&time)
}

fn assert_masked(what: &str, entries: &[Entry], events: &Events) {
    let shown = format!("{entries:?}");
    assert!(!shown.contains(events.text("secret")), "{what}: {shown}");
    assert!(shown.contains(MASK), "{what}");
}

/// Checks that a line ends with a message, or is it.
fn assert_message(logger: &Logger, log: &NewLog, message: &str) {
    let is_there = match logger.fields {
        Fields::Line => log.message.contains(message),
        _ => log.message == message,
    };
    assert!(is_there, "{}: {message:?} in {log:?}", logger.file);
}

fn assert_fields(logger: &Logger, log: &NewLog, events: &Events) {
    let meta = match logger.fields {
        Fields::In(Some(object)) => &meta(log)[object],
        Fields::In(None) => meta(log),
        Fields::Texts => {
            assert_eq!(meta(log)["big"], Json::from("12345678901234567890"));
            assert_eq!(meta(log)["price"], Json::from("12.5"));
            assert_eq!(meta(log)["paid"], Json::from(true));
            let order = meta(log)["order"].as_str().unwrap();
            assert!(order.contains("'lines': ['a \"b\"', '']"), "{order}");
            return;
        }
        Fields::Line => {
            // The line has them if its form does.
            let writes_fields = ["winston-simple.log", "structlog-console.log"];
            if writes_fields.contains(&logger.file) {
                for part in ["12345678901234567890", "Zürich", "12.5"] {
                    assert_message(logger, log, part);
                }
            }
            return;
        }
    };
    for (name, value) in events.0["fields"].as_object().unwrap() {
        assert_eq!(meta.get(name), Some(value), "{}: {name}", logger.file);
    }
    let big = meta.get("big").map(ToString::to_string);
    assert_eq!(big.as_deref(), logger.big, "{}", logger.file);
}

/// Checks the stack: in a field as the line has it, or all lines of the text.
fn assert_stack(logger: &Logger, log: &NewLog, input: &str, events: &Events) {
    let failure = events.text("failure");
    let failed = input.lines().skip_while(|line| !line.contains("failed"));
    let Some((in_line, in_meta)) = logger.stack else {
        if matches!(logger.fields, Fields::Texts) {
            let stack = meta(log)["exception"].as_str().unwrap();
            assert!(stack.starts_with("Traceback (most recent call last):\n"));
            assert!(stack.ends_with(failure), "{stack}");
            return;
        }
        let lines: Vec<&str> = failed.take_while(|line| !line.contains("child")).collect();
        let text = lines.join("\n");
        let plain = text.replace("\u{1b}[0m", "").replace('\u{1b}', "");
        let plain = plain.replace("[2m", "").replace("[31m", "");
        let plain = plain.replace("[1m", "").replace("[34m", "");
        assert_eq!(log.message, plain.trim_end(), "{}", logger.file);
        assert!(log.message.contains(failure), "{}", logger.file);
        return;
    };
    let line: serde_json::Value = serde_json::from_str(failed.clone().next().unwrap()).unwrap();
    let written = in_line.iter().fold(&line, |value, name| &value[*name]);
    assert!(written.to_string().contains(failure), "{}", logger.file);
    // Stacks of structlog and loguru have the values of variables, secrets among them.
    let mut written: Json = written.to_string().parse().unwrap();
    mask(&mut written);
    assert_eq!(at(meta(log), in_meta), Some(&written), "{}", logger.file);
}

#[test]
fn events_of_each_logger_are_found_again() {
    let Some(folder) = folder() else { return };
    let events = Events::new();
    for logger in LOGGERS {
        let file = logger.file;
        let input = read(&folder, file);
        let entries = decode(&input);
        let logs = logs(&entries);
        let mut rest = logs.iter();
        for log in &logs {
            let is_there = log.created_at.is_some_and(|time| is_of_run(&folder, time));
            assert_eq!(is_there, logger.has_time, "{file}: {log:?}");
            assert_eq!(log.source, logger.source, "{file}: {log:?}");
        }
        let mut next = |level: Level| {
            let log = *rest
                .next()
                .unwrap_or_else(|| panic!("{file}: too few logs"));
            assert_eq!(log.level, level, "{file}: {log:?}");
            log
        };
        for (name, level) in logger.levels {
            assert_message(logger, next(*level), &format!("level {name}"));
        }
        assert_message(logger, next(Level::Info), events.text("text"));
        let log = next(Level::Info);
        assert_message(logger, log, "fields");
        assert_fields(logger, log, &events);
        let log = next(Level::Error);
        assert_message(logger, log, &format!("failed{}", logger.failed));
        assert_stack(logger, log, &input, &events);
        let log = next(Level::Info);
        assert_message(logger, log, "child");
        if !matches!(logger.fields, Fields::Line) {
            assert_eq!(log.trace_id.as_deref(), Some(events.trace()), "{file}");
            let shown = meta(log).to_string();
            assert!(shown.contains(r#""request_id":"r-1""#), "{file}: {shown}");
        }
        let log = next(Level::Warn);
        assert_message(logger, log, "secret");
        if let Fields::In(object) = logger.fields {
            let meta = object.map_or(meta(log), |object| &meta(log)[object]);
            let expected: Json = format!(r#"{{"authorization": "{MASK}", "accept": "*/*"}}"#)
                .parse()
                .unwrap();
            assert_eq!(meta["headers"], expected, "{file}");
            assert_eq!(meta["password"], Json::from(MASK), "{file}");
            assert_eq!(meta["user"], Json::from("anna"), "{file}");
        }
        // bunyan's request, below.
        let more = usize::from(file == "bunyan.log");
        assert_eq!(rest.len(), more, "{file}: {:?}", rest.as_slice());
        // These write no fields.
        if !matches!(file, "loguru-text.log" | "winston-printf.log") {
            assert_masked(file, &entries, &events);
        }
    }
}

fn assert_request(what: &str, request: &NewRequestSnapshot) {
    assert_eq!(
        (&*request.method, &*request.path),
        ("PUT", "/carts/9"),
        "{what}"
    );
    assert_eq!(request.status_code, Some(404), "{what}");
    let query = request.query.as_ref().unwrap();
    assert_eq!(query["x"], Json::from("1"), "{what}");
    assert!(request.duration.unwrap() >= 19, "{what}: {request:?}");
}

#[test]
fn requests_of_loggers_are_requests_and_log_lines() {
    let Some(folder) = folder() else { return };
    let events = Events::new();
    for file in ["pino-http.log", "bunyan.log"] {
        let entries = decode(&read(&folder, file));
        let entry = entries.last().unwrap();
        let request = entry.request.as_ref().unwrap();
        assert_request(file, request);
        assert!(is_of_run(&folder, request.timestamp));
        assert_eq!(entry.log.as_ref().unwrap().message, "request completed");
        if file == "pino-http.log" {
            assert_eq!(entries.len(), 1);
            assert_eq!(request.trace_id.as_deref(), Some(events.trace()));
        }
        assert_masked(file, &entries, &events);
    }
}

/// Returns the entries of the bodies that an exporter sent.
fn pushed(folder: &Path, name: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |push: Push, body: &[u8]| {
        let pushed = push::decode(push, body, &options(), push::MAX_BYTES).unwrap();
        assert_eq!(pushed.rejected.count(), 0, "{name}: {}", pushed.rejected);
        entries.extend(pushed.entries);
    };
    if let Some(name) = name.strip_suffix(".jsonl") {
        let input = read(folder, &format!("{name}.jsonl"));
        for line in input.lines() {
            add(Push::OtlpJson, line.as_bytes());
        }
        // A file of them is imported, too.
        assert_eq!(decode(&input).len(), entries.len());
        return entries;
    }
    let push = if name.ends_with("traces") {
        Push::OtlpTraces
    } else {
        Push::OtlpLogs
    };
    for number in 1.. {
        match std::fs::read(folder.join(format!("{name}-{number}.pb"))) {
            Ok(body) => add(push, &body),
            Err(error) if number == 1 => panic!("{name}: {error}"),
            Err(_) => break,
        }
    }
    entries
}

#[test]
fn logs_of_exporters_are_found_again() {
    let Some(folder) = folder() else { return };
    let events = Events::new();
    for name in ["otlp-js-logs.jsonl", "otlp-js-logs", "otlp-py-logs"] {
        let is_python = name.starts_with("otlp-py");
        let entries = pushed(&folder, name);
        let logs = logs(&entries);
        let log = |message: &str| {
            let mut found = logs.iter().filter(|log| log.message == message);
            let log = *found.next().unwrap_or_else(|| panic!("{name}: {message}"));
            assert!(found.next().is_none(), "{name}: {message}");
            log
        };
        for log in &logs {
            assert!(
                is_of_run(&folder, log.created_at.unwrap()),
                "{name}: {log:?}"
            );
            assert_eq!(log.source, "cart", "{name}");
            assert_eq!(meta(log)["resource"]["service.version"], Json::from("1.2"));
        }
        if is_python {
            for (level, expected) in PYTHON {
                assert_eq!(log(&format!("level {level}")).level, *expected, "{level}");
            }
        } else {
            for (level, expected) in PINO {
                for step in ["", "2", "3", "4"] {
                    let name = format!("level {}{step}", level.to_uppercase());
                    assert_eq!(log(&name).level, *expected, "{name}");
                }
            }
        }
        assert_eq!(log(events.text("text")).level, Level::Info, "{name}");
        let fields = meta(log("fields"));
        assert_eq!(fields["count"].to_string(), "4503599627370497", "{name}");
        for (key, value) in events.0["fields"].as_object().unwrap() {
            let value = match (key.as_str(), is_python) {
                // An attribute without a value is none.
                ("nothing", _) => None,
                ("list", true) => Some("[1,2]".parse().unwrap()),
                _ => Some(value.clone()),
            };
            assert_eq!(fields.get(key), value.as_ref(), "{name}: {key}");
        }
        let failed = log("failed");
        assert_eq!(failed.level, Level::Error, "{name}");
        let stack = meta(failed)["exception.stacktrace"].as_str().unwrap();
        assert!(stack.contains(events.text("failure")), "{name}: {stack}");
        let frame = if is_python {
            ", in fail\n"
        } else {
            "at failure ("
        };
        assert!(stack.contains(frame), "{name}: {stack}");
        let child = log("child");
        assert_eq!(child.trace_id.as_deref(), Some(events.trace()), "{name}");
        assert_eq!(
            meta(child)["spanId"],
            Json::from("b7ad6b7169203331"),
            "{name}"
        );
        assert_eq!(meta(child)["request_id"], Json::from("r-1"), "{name}");
        let secret = log("secret");
        assert_eq!(secret.level, Level::Warn, "{name}");
        assert_eq!(meta(secret)["password"], Json::from(MASK), "{name}");
        assert_eq!(
            meta(secret)["headers"]["accept"],
            Json::from("*/*"),
            "{name}"
        );
        if !is_python {
            let body = &meta(log("body of fields"))["body"];
            for (key, value) in events.0["fields"].as_object().unwrap() {
                assert_eq!(&body[key.as_str()], value, "{name}: {key}");
            }
        }
        let expected = if is_python { PYTHON.len() + 5 } else { 24 + 6 };
        assert_eq!(entries.len(), expected, "{name}");
        assert_masked(name, &entries, &events);
    }
}

#[test]
fn server_spans_of_exporters_are_requests() {
    let Some(folder) = folder() else { return };
    let events = Events::new();
    for name in ["otlp-js-traces.jsonl", "otlp-js-traces", "otlp-py-traces"] {
        let entries = pushed(&folder, name);
        assert_eq!(entries.len(), 1, "{name}");
        let request = entries[0].request.as_ref().unwrap();
        assert_request(name, request);
        assert_eq!(request.duration, Some(20), "{name}");
        assert_eq!(request.trace_id.as_deref(), Some(events.trace()), "{name}");
        assert!(is_of_run(&folder, request.timestamp), "{name}");
        let headers = request.headers.as_ref().unwrap();
        assert_eq!(headers["cart.lines"].to_string(), "[1,2]", "{name}");
        if name.starts_with("otlp-js") {
            let shown = headers["events"].to_string();
            assert!(shown.contains("at failure ("), "{name}: {shown}");
        }
        assert_masked(name, &entries, &events);
    }
}
