//! Objects of the names that the decoders know, with any values.
#![no_main]

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use fuzz::{AnyOptions, check_lines};
use libfuzzer_sys::fuzz_target;

const NAMES: &[&str] = &[
    "message",
    "msg",
    "@m",
    "@mt",
    "@t",
    "@l",
    "@x",
    "@r",
    "event",
    "short_message",
    "text",
    "log",
    "body",
    "MessageTemplate",
    "RenderedMessage",
    "Properties",
    "time",
    "timestamp",
    "ts",
    "@timestamp",
    "instant",
    "epochSecond",
    "nanoOfSecond",
    "timeMillis",
    "date",
    "level",
    "log.level",
    "severity",
    "levelname",
    "levelno",
    "lvl",
    "s",
    "priority",
    "PRIORITY",
    "service",
    "service.name",
    "logger",
    "name",
    "source",
    "target",
    "fields",
    "span",
    "spans",
    "trace_id",
    "traceId",
    "trace",
    "dd.trace_id",
    "method",
    "path",
    "url",
    "uri",
    "status",
    "status_code",
    "duration",
    "duration_ms",
    "responseTime",
    "latency",
    "elapsed",
    "req",
    "res",
    "request",
    "response",
    "headers",
    "query",
    "cookies",
    "set-cookie",
    "authorization",
    "password",
    "token",
    "value",
    "host",
    "http",
    "http.request.method",
    "url.path",
    "http.response.status_code",
    "user_id",
    "user",
    "record",
    "records",
    "extra",
    "exception",
    "stack",
    "err",
    "error",
    "context",
    "channel",
    "datetime",
    "c",
    "id",
    "ctx",
    "attr",
    "t",
    "$date",
    "stream",
    "streams",
    "values",
    "labels",
    "entries",
    "events",
    "logEvents",
    "logGroup",
    "logStream",
    "textPayload",
    "jsonPayload",
    "protoPayload",
    "httpRequest",
    "requestMethod",
    "requestUrl",
    "insertId",
    "logName",
    "resource",
    "resourceLogs",
    "resourceSpans",
    "scopeLogs",
    "scopeSpans",
    "logRecords",
    "spans",
    "scope",
    "attributes",
    "key",
    "stringValue",
    "intValue",
    "doubleValue",
    "arrayValue",
    "kvlistValue",
    "timeUnixNano",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "observedTimeUnixNano",
    "severityNumber",
    "severityText",
    "kind",
    "schemaUrl",
    "__REALTIME_TIMESTAMP",
    "MESSAGE",
    "SYSLOG_IDENTIFIER",
    "_SYSTEMD_UNIT",
    "version",
    "creator",
    "pages",
    "startedDateTime",
    "timings",
    "postData",
    "mimeType",
    "content",
    "encoding",
    "queryString",
    "pageref",
    "ClientRequestMethod",
    "ClientRequestURI",
    "EdgeResponseStatus",
    "EdgeStartTimestamp",
    "RequestMethod",
    "RequestPath",
    "DownstreamStatus",
    "Duration",
    "OriginStatus",
    "StartUTC",
    "request_uri",
    "request_method",
    "request_time",
    "time_local",
    "remote_addr",
    "response_code",
    "start_time",
    "resp_headers",
    "controller",
    "action",
    "params",
    "xray_trace_id",
    "properties",
    "resultDescription",
    "category",
    "CsMethod",
    "CsUriStem",
    "Timestamp",
    "Level",
    "Category",
    "EventId",
    "Message",
    "State",
    "Scopes",
    "a",
    "",
];
const TEXTS: &[&str] = &[
    "info",
    "ERROR",
    "notice",
    "2026-10-11T12:13:14.5Z",
    "2026-10-11 12:13:14,123",
    "11/Oct/2026:12:13:14 +0200",
    "1791720794500000000",
    "1791720794.5",
    "GET",
    "GET /a?b=c HTTP/1.1",
    "/a?token=t1",
    "https://u:p@s.example/a?x=1#f",
    "200",
    "12ms",
    "0.25s",
    "-1",
    "Bearer abcdefgh1",
    "00-aaaa2222333344445555666677778880-b7ad6b7169203331-01",
    "Root=1-58337281-1d84f3d73c47ec4e58577259",
    "a=1 level=error msg=inner",
    "{\"msg\":\"inner\"}",
    "{\"a\":",
    "line\n",
    "\u{1b}[31mred\u{1b}[0m",
    "\0",
    "",
    " ",
    "NaN",
    "SPAN_KIND_SERVER",
    "SEVERITY_NUMBER_WARN2",
    "base64",
    "iVBORw0KGgo=",
    "application/json",
    "sid=s1; theme=dark",
    "Traceback (most recent call last):",
    "  at f (a.js:1)",
];
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "2",
    "30",
    "200",
    "599",
    "-7",
    "0.5",
    "1e400",
    "1e-400",
    "1E+9",
    "1791720794",
    "1791720794500",
    "1791720794500000",
    "1791720794500000000",
    "9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890.125",
    "99999999999999",
    "2147483648",
    "1.0",
];

#[derive(Arbitrary, Debug)]
enum Value {
    Null,
    True,
    Number(u8),
    Integer(i64),
    Known(u8),
    Text(String),
    Array(Vec<Value>),
    Object(Vec<(u8, Value)>),
    Named(String, Box<Value>),
}

fn of<'a>(list: &[&'a str], at: u8) -> &'a str {
    list[usize::from(at) % list.len()]
}

fn text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            ' '.. => out.push(letter),
            _ => write!(out, "\\u{:04x}", u32::from(letter)).expect("a text grows"),
        }
    }
    out.push('"');
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::True => out.push_str("true"),
        Value::Number(at) => out.push_str(of(NUMBERS, *at)),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Known(at) => text(of(TEXTS, *at), out),
        Value::Text(any) => text(any, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => write_object(fields, out),
        Value::Named(name, value) => {
            out.push('{');
            text(name, out);
            out.push(':');
            write_value(value, out);
            out.push('}');
        }
    }
}

fn write_object(fields: &[(u8, Value)], out: &mut String) {
    out.push('{');
    for (at, (name, value)) in fields.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        text(of(NAMES, *name), out);
        out.push(':');
        write_value(value, out);
    }
    out.push('}');
}

fuzz_target!(|input: (AnyOptions, Vec<Vec<(u8, Value)>>)| {
    let (options, objects) = input;
    let mut lines = Vec::new();
    for fields in &objects {
        let mut line = String::new();
        write_object(fields, &mut line);
        lines.push(line);
    }
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    check_lines(&lines, options.get());
});
