//! Requests in JSON: of access logs, and of loggers that write one line for each request.

use std::sync::LazyLock;

use lookback::Json;
use lookback::value::JsonMap;

use crate::Format;
use crate::draft::{Draft, Request, insert_beside, push, query_map};
use crate::fields::{
    Names, get, number, take, take_duration, take_status, take_text, text, text_of,
};
use crate::text::access_request_line;

pub(super) const METHOD_NAMES: &[&str] = &[
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
];
static METHOD: LazyLock<Names> = LazyLock::new(|| Names::new(METHOD_NAMES));
static TARGET: LazyLock<Names> = LazyLock::new(|| {
    Names::new(&[
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
    ])
});
static STATUS: LazyLock<Names> = LazyLock::new(|| {
    Names::new(&[
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
    ])
});
/// The names of durations, and the milliseconds of their units.
const DURATION: &[(&str, f64)] = &[
    ("responseTime", 1.0),
    ("response_time_ms", 1.0),
    ("duration_ms", 1.0),
    ("durationMs", 1.0),
    ("elapsed_ms", 1.0),
    ("latency_ms", 1.0),
    ("Elapsed", 1.0),
    ("ElapsedMilliseconds", 1.0),
    ("OriginResponseDurationMs", 1.0),
    ("request_time", 1e3),
    ("event.duration", 1e-6),
    ("Duration", 1e-6),
    ("duration", 1.0),
    ("latency", 1.0),
    ("elapsed", 1.0),
    ("response_time", 1.0),
];
/// Fields that are headers of the request, by the name of the header.
const HEADERS: &[(&str, &str)] = &[
    ("http_user_agent", "user-agent"),
    ("user_agent", "user-agent"),
    ("userAgent", "user-agent"),
    ("user_agent.original", "user-agent"),
    ("ClientRequestUserAgent", "user-agent"),
    ("request_User-Agent", "user-agent"),
    ("http_referer", "referer"),
    ("http_referrer", "referer"),
    ("referer", "referer"),
    ("referrer", "referer"),
    ("ClientRequestReferer", "referer"),
    ("http_x_forwarded_for", "x-forwarded-for"),
    ("x_forwarded_for", "x-forwarded-for"),
    ("http_host", "host"),
    ("authority", "host"),
    ("RequestHost", "host"),
    ("ClientRequestHost", "host"),
];

/// Finds the request of a record. The fields of a record that is only that are taken out of it;
/// the others stay with the log line, too.
///
/// `taken` are fields that a log line has in columns, and a request has not.
pub(super) fn take_request(map: &mut JsonMap, draft: &mut Draft, taken: Vec<(String, Json)>) {
    let Some(found) = find(map) else { return };
    let is_of_caddy = |source: &String| source.starts_with("http.log.access");
    let is_caddy = draft.source.as_ref().is_some_and(is_of_caddy);
    draft.is_access = is_caddy || draft.message.is_none();
    if !draft.is_access {
        draft.request = Some(Box::new(read(&mut map.clone(), found, draft)));
        return;
    }
    for (name, value) in taken {
        insert_beside(map, "log", name, value);
    }
    if draft.format == Format::Json {
        draft.format = Format::JsonAccess;
    }
    draft.request = Some(Box::new(read(map, found, draft)));
}

/// The names of the fields that make a record a request.
#[derive(Clone, Copy)]
enum Found {
    /// The line of the request in one field.
    Line,
    Fields {
        method: &'static str,
        target: &'static str,
        status: Option<&'static str>,
    },
}

fn find(map: &JsonMap) -> Option<Found> {
    let has = |names: &Names, accepts: &dyn Fn(&Json) -> bool| {
        let mut found = names.of(map).into_iter();
        found.find(|name| get(map, name).is_some_and(accepts))
    };
    let is_method = |value: &Json| {
        value.as_str().is_some_and(|method| {
            (3..=10).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_alphabetic())
        })
    };
    let method = has(&METHOD, &is_method);
    let line = map.get("request").and_then(Json::as_str);
    // Most records are of no request.
    if method.is_none() && line.is_none() {
        return None;
    }
    let status = has(&STATUS, &|value| {
        number(value).is_some_and(|status| status == 0.0 || (100.0..=599.0).contains(&status))
    });
    if let Some(line) = line
        && status.is_some()
        && (line.is_empty() || line.contains(' ') || map.contains_key("remote_addr"))
    {
        return Some(Found::Line);
    }
    let is_target = |value: &Json| {
        let is = |text: &str| text.starts_with('/') || text.starts_with("http") || text == "*";
        value.as_str().is_some_and(is)
    };
    let method = method?;
    let target = has(&TARGET, &is_target)?;
    let has_duration = DURATION.iter().any(|(name, _)| get(map, name).is_some());
    (status.is_some() || has_duration).then_some(Found::Fields {
        method,
        target,
        status,
    })
}

fn read(map: &mut JsonMap, found: Found, draft: &mut Draft) -> Request {
    let mut request = match found {
        Found::Line => {
            let line = take_text(map, &["request"]).unwrap_or_default();
            access_request_line(&line, draft)
        }
        Found::Fields { method, target, .. } => Request {
            method: take_text(map, &[method]).unwrap_or_default(),
            target: take_text(map, &[target]).unwrap_or_default(),
            ..Request::default()
        },
    };
    let status = match found {
        Found::Line => STATUS.of(map).first().copied(),
        Found::Fields { status, .. } => status,
    };
    request.status = status.and_then(|status| take_status(map, status));
    // Caddy writes seconds.
    let is_caddy = map.contains_key("resp_headers") || map.contains_key("bytes_read");
    for (name, per_unit) in DURATION {
        let per_unit = if is_caddy && *name == "duration" {
            1e3
        } else {
            *per_unit
        };
        if let Some(ms) = take_duration(map, name, per_unit) {
            request.duration = Some(ms);
            break;
        }
    }
    read_headers(map, &mut request);
    read_rest(map, &mut request);
    request
}

fn read_headers(map: &mut JsonMap, request: &mut Request) {
    for name in [
        "req.headers",
        "request.headers",
        "request_headers",
        "requestHeaders",
    ] {
        if let Some(headers) = get(map, name).and_then(Json::as_object) {
            request.headers.extend(headers.clone());
            take(map, &[name]);
        }
    }
    for name in [
        "res.headers",
        "response.headers",
        "resp_headers",
        "response_headers",
        "responseHeaders",
    ] {
        if let Some(headers) = get(map, name).and_then(Json::as_object) {
            request.response_headers.extend(headers.clone());
            take(map, &[name]);
        }
    }
    for (name, header) in HEADERS {
        let Some(value) = get(map, name).and_then(text_of) else {
            continue;
        };
        let is_there = request
            .headers
            .keys()
            .any(|key| key.eq_ignore_ascii_case(header));
        if is_there {
            continue;
        }
        take(map, &[name]);
        if value != "-" && !value.is_empty() {
            request.headers.insert((*header).to_owned(), value.into());
        }
    }
    if let Some(host) = text(map, "request.host") {
        take(map, &["request.host"]);
        request.headers.insert("host".to_owned(), host.into());
    }
}

fn read_rest(map: &mut JsonMap, request: &mut Request) {
    let is_user = |text: &String| !text.is_empty() && text != "-";
    for name in [
        "user_id",
        "userId",
        "remote_user",
        "req.user.id",
        "enduser.id",
        "user.id",
        "ClientUsername",
    ] {
        if request.user_id.is_none()
            && let Some(user) = text(map, name)
        {
            take(map, &[name]);
            request.user_id = Some(user).filter(is_user);
        }
    }
    if !request.target.contains('?') {
        if let Some(query) = take_text(map, &["args", "query_string", "url.query", "queryString"])
            && !query.is_empty()
            && query != "-"
        {
            request.query = Some(query_map(query.trim_start_matches('?')));
        } else if let Some(Json::Object(query)) =
            get(map, "req.query").or_else(|| get(map, "params"))
        {
            // lograge names the query so.
            let mut parameters = JsonMap::new();
            for (name, value) in query {
                push(&mut parameters, name.clone(), value.clone());
            }
            request.query = Some(parameters);
            take(map, &["params"]);
        }
    }
    for name in ["req.body", "request.body", "request_body", "requestBody"] {
        if let Some((_, body)) = take(map, &[name]) {
            request.body = Some(parsed(body));
        }
    }
    for name in ["res.body", "response.body", "response_body", "responseBody"] {
        if let Some((_, body)) = take(map, &[name]) {
            request.response_body = Some(parsed(body));
        }
    }
    request.version = text(map, "service.version").or_else(|| text(map, "version"));
    request.stage = [
        "deployment.environment.name",
        "deployment.environment",
        "service.environment",
        "env",
        "environment",
    ]
    .iter()
    .find_map(|name| text(map, name));
    request.country = text(map, "ClientCountry");
}

/// Reads a body of JSON that is a string.
pub(super) fn parsed(body: Json) -> Json {
    match body.as_str().map(str::parse::<Json>) {
        Some(Ok(value @ (Json::Object(_) | Json::Array(_)))) => value,
        _ => body,
    }
}
