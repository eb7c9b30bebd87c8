//! The names of the fields of loggers.

macro_rules! roles {
    ($($(#[doc = $doc:literal])* $name:ident = $names:ident,)+) => {
        /// What a field of a record is: of a log line, or of a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Role {
            $($(#[doc = $doc])* $name,)+
        }

        impl Role {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// The names of its fields, the commonest first. A name with dots is a key as it is,
            /// or a path. No name has two roles.
            pub(crate) const fn names(self) -> &'static [&'static str] {
                match self { $(Self::$name => $names,)+ }
            }
        }
    };
}

roles! {
    Trace = TRACE,
    Time = TIME,
    Level = LEVEL,
    Source = SOURCE,
    Message = MESSAGE,
    Method = METHOD,
    /// The path of a request, with its query, or its URL.
    Target = TARGET,
    Status = STATUS,
    Duration = DURATION,
    /// The query of a request that its target does not have.
    Query = QUERY,
    RequestHeaders = REQUEST_HEADERS,
    ResponseHeaders = RESPONSE_HEADERS,
    UserAgent = USER_AGENT,
    Referer = REFERER,
    ForwardedFor = FORWARDED_FOR,
    Host = HOST,
    RequestBody = REQUEST_BODY,
    ResponseBody = RESPONSE_BODY,
    UserId = USER_ID,
    Version = VERSION,
    Stage = STAGE,
}

/// Roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoleSet(u32);

impl RoleSet {
    pub(crate) fn insert(&mut self, role: Role) {
        self.0 |= 1 << role as u32;
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(crate) fn contains(self, role: Role) -> bool {
        self.0 & (1 << role as u32) != 0
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
    "logging.googleapis.com/trace",
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
    // Kubernetes' audit log.
    "requestReceivedTimestamp",
    "stageTimestamp",
    "epoch",
];

const LEVEL: &[&str] = &[
    "level",
    "log.level",
    "level.name",
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
    // Splunk's collector.
    "event.severity",
    "event.level",
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
    "event.message",
    // Sentry.
    "logentry.formatted",
    "logentry.message",
];

const METHOD: &[&str] = &[
    "method",
    "request_method",
    "requestMethod",
    "RequestMethod",
    "http_method",
    "httpMethod",
    "http.method",
    "http.request.method",
    "ClientRequestMethod",
    "verb",
    "req.method",
    "request.method",
    "proxy.method",
];

const TARGET: &[&str] = &[
    "request_uri",
    "requestUrl",
    "RequestPath",
    "ClientRequestURI",
    "http.target",
    "url.original",
    "url.full",
    "http.url",
    "url.path",
    "req.originalUrl",
    "req.url",
    "request.uri",
    "request.url",
    "uri",
    "url",
    "path",
    "request_path",
    "requestPath",
    "request_url",
    // Kubernetes' audit log.
    "requestURI",
    // Vercel.
    "proxy.path",
];

const STATUS: &[&str] = &[
    "status",
    "status_code",
    "statusCode",
    "StatusCode",
    "response_code",
    "DownstreamStatus",
    "EdgeResponseStatus",
    "http_status",
    "http.status_code",
    "http.response.status_code",
    "res.statusCode",
    "response.status",
    "responseStatus",
    "responseStatus.code",
    "proxy.statusCode",
];

const DURATION: &[&str] = &[
    "responseTime",
    "response_time_ms",
    "duration_ms",
    "durationMs",
    "elapsed_ms",
    "latency_ms",
    "duration_s",
    "duration_seconds",
    "duration_us",
    "duration_ns",
    "latency_s",
    "latency_seconds",
    "elapsed_s",
    "elapsed_seconds",
    "response_time_s",
    "Elapsed",
    "ElapsedMilliseconds",
    "OriginResponseDurationMs",
    "request_time",
    "event.duration",
    "Duration",
    "duration",
    "latency",
    "elapsed",
    "response_time",
];

/// The milliseconds in the unit of a duration.
pub(crate) fn milliseconds_per_unit(name: &str) -> f64 {
    match name {
        "request_time" => 1e3,
        // Nanoseconds.
        "event.duration" | "Duration" => 1e-6,
        _ => match name.rsplit_once('_') {
            Some((_, "s" | "seconds")) => 1e3,
            Some((_, "us")) => 1e-3,
            Some((_, "ns")) => 1e-6,
            _ => 1.0,
        },
    }
}

const QUERY: &[&str] = &["args", "query_string", "url.query", "queryString"];

const REQUEST_HEADERS: &[&str] = &[
    "req.headers",
    "request.headers",
    "request_headers",
    "requestHeaders",
];

const RESPONSE_HEADERS: &[&str] = &[
    "res.headers",
    "response.headers",
    "resp_headers",
    "response_headers",
    "responseHeaders",
];

const USER_AGENT: &[&str] = &[
    "http_user_agent",
    "user_agent",
    "userAgent",
    "user_agent.original",
    "ClientRequestUserAgent",
    "request_User-Agent",
];

const REFERER: &[&str] = &[
    "http_referer",
    "http_referrer",
    "referer",
    "referrer",
    "ClientRequestReferer",
];

const FORWARDED_FOR: &[&str] = &["http_x_forwarded_for", "x_forwarded_for"];

const HOST: &[&str] = &["http_host", "authority", "RequestHost", "ClientRequestHost"];

const REQUEST_BODY: &[&str] = &["req.body", "request.body", "request_body", "requestBody"];

const RESPONSE_BODY: &[&str] = &["res.body", "response.body", "response_body", "responseBody"];

const USER_ID: &[&str] = &[
    "user_id",
    "userId",
    "remote_user",
    "req.user.id",
    "enduser.id",
    "user.id",
    "ClientUsername",
    "user.username",
];

const VERSION: &[&str] = &["service.version", "version"];

const STAGE: &[&str] = &[
    "deployment.environment.name",
    "deployment.environment",
    "service.environment",
    "env",
    "environment",
];

/// Whether a name that is in no list suggests a role: `eventTimestamp`, `log-severity`, `errorMsg`.
pub(crate) fn suggests(role: Role, name: &str) -> bool {
    /// Times of something else, and lengths of time.
    const OTHER_TIMES: [&str; 9] = [
        "up", "run", "life", "response", "process", "expir", "valid", "birth", "elapsed",
    ];
    let mut plain: String = name.chars().filter(char::is_ascii_alphabetic).collect();
    plain.make_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| plain.ends_with(end));
    match role {
        Role::Time => {
            let is_short = name.ends_with("_ts") || name.ends_with("Ts");
            let units = [
                "timeinms",
                "timestampinms",
                "timems",
                "timestampms",
                "timeutc",
            ];
            (is_short || ends(&["time", "timestamp", "date"]) || ends(&units))
                && !OTHER_TIMES.iter().any(|other| plain.contains(other))
        }
        Role::Level => ends(&["level", "severity", "lvl"]),
        Role::Message => ends(&["message", "msg"]),
        _ => false,
    }
}

/// The names by which a record of a format of its own is recognised, or a batch of records.
pub(crate) const OF_FORMATS: &[&str] = &[
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

/// The names that loggers of Python use.
pub(crate) const OF_PYTHON: [&str; 2] = ["levelname", "levelno"];

/// The names, beside those of methods, without which a record is that of no request, and has no
/// headers.
pub(crate) const OF_REQUESTS: [&str; 2] = ["request", "headers"];

#[cfg(test)]
mod tests {
    use super::Role;
    use std::collections::HashSet;

    #[test]
    fn no_name_has_two_roles() {
        let mut names = HashSet::new();
        for role in Role::ALL {
            for name in role.names() {
                assert!(names.insert(name), "{name}");
            }
            assert!(role.names().len() < 255, "{role:?}");
        }
        assert!(Role::ALL.len() <= 32);
    }
}
