//! Requests in JSON: of access logs, and of loggers that write one line for each request.

use lookback::Json;
use lookback::value::{JsonMap, JsonRef};

use super::names::{Role, milliseconds_per_unit};
use crate::Format;
use lookback_json::form::{parameters, push};

use crate::draft::{Draft, Request, insert_beside};
use crate::fields::{
    Fields as _, Value as _, milliseconds, take_duration, take_status, take_text, text,
};
use crate::record::{Found, Record, Taken, is_text};
use crate::text::access_request_line;

/// The headers that fields of their own may be.
const HEADERS: [(Role, &str); 4] = [
    (Role::UserAgent, "user-agent"),
    (Role::Referer, "referer"),
    (Role::ForwardedFor, "x-forwarded-for"),
    (Role::Host, "host"),
];

/// Finds the request of a record. The fields of a record that is only that are taken out of it;
/// the others stay with the log line, too.
///
/// `taken` are fields that a log line has in columns, and a request has not.
pub(super) fn take_request<'n, 'a>(
    record: &mut Record<'a>,
    draft: &mut Draft,
    taken: impl IntoIterator<Item = Taken<'n, 'a>>,
) {
    let Some(parts) = Parts::find(record) else {
        return;
    };
    let is_of_caddy = |source: &String| source.starts_with("http.log.access");
    let is_caddy = draft.source.as_ref().is_some_and(is_of_caddy);
    draft.is_access = is_caddy || draft.message.is_none();
    if !draft.is_access {
        draft.request = Some(Box::new(read(&mut record.clone(), parts, draft)));
        return;
    }
    if draft.format == Format::Json {
        draft.format = Format::JsonAccess;
    }
    draft.request = Some(Box::new(read(record, parts, draft)));
    for taken in taken {
        record.put_back("log", taken);
    }
}

/// The fields that make a record a request.
#[derive(Clone, Copy)]
struct Parts {
    start: Start,
    status: Option<Found<'static>>,
}

#[derive(Clone, Copy)]
enum Start {
    /// `GET /path HTTP/1.1` in one field.
    Line,
    Fields {
        method: Found<'static>,
        target: Found<'static>,
    },
}

impl Parts {
    fn find(record: &Record<'_>) -> Option<Self> {
        // Kubernetes' audit log has verbs of its own.
        let is_audited = record.contains("requestURI");
        let is_method = |value: &JsonRef<'_>| {
            value.as_str().is_some_and(|method| {
                const KNOWN: [&str; 7] =
                    ["get", "post", "put", "patch", "delete", "head", "options"];
                let is_upper = method.bytes().all(|b| b.is_ascii_uppercase());
                let is_known = KNOWN.iter().any(|known| known.eq_ignore_ascii_case(method));
                (3..=10).contains(&method.len()) && (is_upper || is_known || is_audited)
            })
        };
        let method = record.find(Role::Method, is_method);
        let line = record.get("request").and_then(JsonRef::as_str);
        // Most records are of no request.
        if method.is_none() && line.is_none() {
            return None;
        }
        let is_status = |value: &JsonRef<'_>| {
            let number = value.number();
            number.is_some_and(|status| status == 0.0 || (100.0..=599.0).contains(&status))
        };
        let status = record.find(Role::Status, is_status);
        if let Some(line) = line
            && status.is_some()
            && (line.is_empty() || line.contains(' ') || record.contains("remote_addr"))
        {
            let start = Start::Line;
            return Some(Self { start, status });
        }
        let is_target = |value: &JsonRef<'_>| {
            let is = |text: &str| text.starts_with('/') || text.starts_with("http") || text == "*";
            value.as_str().is_some_and(is)
        };
        let start = Start::Fields {
            method: method?,
            target: record.find(Role::Target, is_target)?,
        };
        let has_duration = || record.find(Role::Duration, |_| true).is_some();
        (status.is_some() || has_duration()).then_some(Self { start, status })
    }
}

fn read(record: &mut Record<'_>, parts: Parts, draft: &mut Draft) -> Request {
    let mut take = |found| record.take_found(found).and_then(|value| value.text());
    let mut request = match parts.start {
        Start::Line => {
            let line = take_text(record, &["request"]).unwrap_or_default();
            access_request_line(&line, draft)
        }
        Start::Fields { method, target } => Request {
            method: take(method).unwrap_or_default(),
            target: take(target).unwrap_or_default(),
            ..Request::default()
        },
    };
    if let Some(status) = parts.status {
        request.status = take_status(record, status.name);
    }
    // Caddy writes seconds.
    let is_caddy = record.contains("resp_headers") || record.contains("bytes_read");
    let unit_of = |name: &str| match name {
        "duration" if is_caddy => 1e3,
        _ => milliseconds_per_unit(name),
    };
    let is_duration = |value: &JsonRef<'_>| milliseconds(value, 1.0).is_some();
    if let Some(found) = record.find(Role::Duration, is_duration) {
        request.duration = take_duration(record, found.name, unit_of(found.name));
    }
    read_headers(record, &mut request);
    read_rest(record, &mut request);
    request
}

fn read_headers(record: &mut Record<'_>, request: &mut Request) {
    let is_object = |value: &JsonRef<'_>| matches!(value, JsonRef::Object(_));
    for (role, headers) in [
        (Role::RequestHeaders, &mut request.headers),
        (Role::ResponseHeaders, &mut request.response_headers),
    ] {
        while let Some(found) = record.find(role, is_object)
            && let Some(JsonRef::Object(members)) = record.take_found(found)
        {
            for (name, value) in members {
                insert_beside(headers, "field", name.into_owned(), value.into_json());
            }
        }
    }
    let has = |headers: &JsonMap, header: &str| {
        let mut names = headers.keys();
        names.any(|name| name.eq_ignore_ascii_case(header))
    };
    for (role, header) in HEADERS {
        while !has(&request.headers, header)
            && let Some(found) = record.find(role, is_text)
            && let Some(value) = record.take_found(found).and_then(|value| value.text())
        {
            if value != "-" && !value.is_empty() {
                request.headers.insert(header.to_owned(), value.into());
            }
        }
    }
    if !has(&request.headers, "host")
        && let Some(host) = take_text(record, &["request.host"])
    {
        request.headers.insert("host".to_owned(), host.into());
    }
}

fn read_rest(record: &mut Record<'_>, request: &mut Request) {
    while request.user_id.is_none()
        && let Some(found) = record.find(Role::UserId, is_text)
        && let Some(user) = record.take_found(found).and_then(|value| value.text())
    {
        request.user_id = Some(user).filter(|user| !user.is_empty() && user != "-");
    }
    if !request.target.contains('?') {
        let found = record.find(Role::Query, is_text);
        let query = found.and_then(|found| record.take_found(found)?.text());
        if let Some(query) = query
            && !query.is_empty()
            && query != "-"
        {
            request.query = Some(parameters(query.trim_start_matches('?')));
        } else if let Some((name, JsonRef::Object(query))) = ["req.query", "params"]
            .into_iter()
            .find_map(|name| Some((name, record.get(name)?)))
        {
            let mut parameters = JsonMap::new();
            for (name, value) in query {
                push(
                    &mut parameters,
                    name.clone().into_owned(),
                    value.clone().into_json(),
                );
            }
            request.query = Some(parameters);
            // lograge names the query so.
            if name == "params" {
                record.take(name);
            }
        }
    }
    for (role, body) in [
        (Role::RequestBody, &mut request.body),
        (Role::ResponseBody, &mut request.response_body),
    ] {
        if let Some(found) = record.find(role, |_| true)
            && let Some(value) = record.take_found(found)
        {
            *body = Some(parsed(value.into_json()));
        }
    }
    let of_role = |role| text(record, record.find(role, is_text)?.name);
    request.version = of_role(Role::Version);
    request.stage = of_role(Role::Stage);
    request.country = text(record, "ClientCountry");
}

/// Reads a body of JSON that is a string.
pub(super) fn parsed(body: Json) -> Json {
    match body.as_str().map(str::parse::<Json>) {
        Some(Ok(value @ (Json::Object(_) | Json::Array(_)))) => value,
        _ => body,
    }
}
