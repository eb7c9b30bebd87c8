//! The names of the fields of loggers.

use crate::json::access;

/// What a field of a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Trace,
    Time,
    Level,
    Source,
    Message,
}

impl Role {
    pub(crate) const COUNT: usize = Self::ALL.len();
    pub(crate) const ALL: [Self; 5] = [
        Self::Trace,
        Self::Time,
        Self::Level,
        Self::Source,
        Self::Message,
    ];

    /// The names of its fields, the commonest first. A name with dots is a key as it is, or a path.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Trace => TRACE,
            Self::Time => TIME,
            Self::Level => LEVEL,
            Self::Source => SOURCE,
            Self::Message => MESSAGE,
        }
    }
}

const TRACE: &[&str] = &[
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
];

const TIME: &[&str] = &[
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
];

const LEVEL: &[&str] = &[
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
];

const SOURCE: &[&str] = &[
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
];

const MESSAGE: &[&str] = &[
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
];

/// The names by which a record of a format of its own is recognised, or a batch of records.
const OF_FORMATS: &[&str] = &[
    // Docker and HAR.
    "log",
    // loguru.
    "record",
    // OpenTelemetry.
    "resourceLogs",
    "resourceSpans",
    "resourceMetrics",
    "resource_logs",
    "resource_spans",
    "resource_metrics",
    // Loki.
    "streams",
    // CloudWatch and Azure Monitor.
    "logEvents",
    "events",
    "records",
    "entries",
    // Serilog.
    "@t",
    // journald.
    "__REALTIME_TIMESTAMP",
    "_SYSTEMD_UNIT",
    // Google Cloud.
    "textPayload",
    "jsonPayload",
    "protoPayload",
    "httpRequest",
];

pub(crate) fn of_formats() -> impl Iterator<Item = &'static str> {
    OF_FORMATS.iter().copied()
}

/// The names that loggers of Python use.
pub(crate) const OF_PYTHON: [&str; 2] = ["levelname", "levelno"];

/// The names without which a record is that of no request, and has no headers.
pub(crate) fn of_requests() -> impl Iterator<Item = &'static str> {
    let others = ["request", "headers"];
    access::METHOD_NAMES.iter().copied().chain(others)
}
