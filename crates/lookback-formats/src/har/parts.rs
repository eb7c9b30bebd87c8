//! The fields of an entry.

use std::str::FromStr as _;

use http::{HeaderName, StatusCode, Uri};
use lookback::value::JsonMap;
use lookback::{Json, NewRequestSnapshot, json};
use lookback_json::secrets::MASK;
use lookback_json::snapshot::{OWN_FIELDS, RENAMED_HEADER};

use super::bodies;
use super::{time_of, unknown_size};

pub(super) fn entry(record: &NewRequestSnapshot) -> JsonMap {
    let none = JsonMap::new();
    let map = |value: &'_ Option<Json>| match value {
        Some(Json::Object(map)) => map.clone(),
        _ => JsonMap::new(),
    };
    let (sent, received) = (map(&record.headers), map(&record.response_headers));
    let version = sent.get("http_version").and_then(Json::as_str);
    let version = Json::from(version.unwrap_or("unknown"));
    let query = match &record.query {
        Some(Json::Object(query)) => query,
        _ => &none,
    };
    let duration = record.duration.unwrap_or(0);
    let mut request = object([
        ("method", record.method.as_str().into()),
        ("url", url(record, &sent, query).into()),
        ("httpVersion", version.clone()),
        ("cookies", Json::Array(cookies(&sent))),
        ("headers", Json::Array(headers(&sent))),
        ("queryString", Json::Array(pairs(query))),
        ("headersSize", unknown_size()),
        ("bodySize", size(&sent, "request_size")),
    ]);
    if let Some(body) = &record.body {
        let content_type = text(&sent, "content-type");
        request.insert("postData".to_owned(), bodies::post_data(body, content_type));
    }
    let status = record.status_code.and_then(|code| u16::try_from(code).ok());
    let reason = status.and_then(|code| StatusCode::from_u16(code).ok()?.canonical_reason());
    let content_size = size(&received, "response_size");
    let mut response = object([
        ("status", status.unwrap_or(0).into()),
        ("statusText", reason.unwrap_or_default().into()),
        ("httpVersion", version),
        ("cookies", Json::Array(set_cookies(&received))),
        ("headers", Json::Array(headers(&received))),
        (
            "content",
            bodies::content(
                record.response_body.as_ref(),
                text(&received, "content-type"),
                content_size.clone(),
            ),
        ),
        (
            "redirectURL",
            text(&received, "location").unwrap_or_default().into(),
        ),
        ("headersSize", unknown_size()),
        ("bodySize", content_size),
    ]);
    if let Some(error) = text(&received, "error") {
        response.insert("_error".to_owned(), error.into());
    } else if status.is_none() {
        response.insert("_error".to_owned(), "no response".into());
    }
    object([
        ("startedDateTime", time_of(record).into()),
        ("time", duration.into()),
        ("request", Json::Object(request)),
        ("response", Json::Object(response)),
        ("cache", json!({})),
        (
            "timings",
            json!({"send": 0, "wait": duration, "receive": 0}),
        ),
    ])
}

pub(super) fn object<const N: usize>(fields: [(&str, Json); N]) -> JsonMap {
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn text<'a>(headers: &'a JsonMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.as_str()
}

fn size(headers: &JsonMap, name: &str) -> Json {
    let header = || text(headers, "content-length")?.parse::<u64>().ok();
    let size = headers.get(name).and_then(Json::as_u64).or_else(header);
    size.map_or_else(unknown_size, Json::from)
}

/// The whole URL, without a fragment.
fn url(record: &NewRequestSnapshot, headers: &JsonMap, query: &JsonMap) -> String {
    let is_https = text(headers, "x-forwarded-proto").or_else(|| text(headers, ":scheme"));
    let scheme = match is_https {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    };
    let host = text(headers, "host").or_else(|| text(headers, ":authority"));
    let host = host.filter(|host| {
        let url = format!("http://{host}/").parse::<Uri>();
        url.is_ok_and(|url| url.authority().is_some_and(|it| it.as_str() == *host))
            && !host.contains('@')
    });
    let mut url = format!("{scheme}://{}", host.unwrap_or("localhost"));
    if !record.path.starts_with('/') {
        url.push('/');
    }
    for byte in record.path.bytes() {
        push_byte(byte, b"-._~!$&'()*+,;=:@/%", &mut url);
    }
    let mut separator = '?';
    for (name, value) in values(query) {
        url.push(separator);
        separator = '&';
        for byte in name.bytes() {
            push_byte(byte, b"-._~", &mut url);
        }
        url.push('=');
        for byte in value.bytes() {
            push_byte(byte, b"-._~", &mut url);
        }
    }
    url
}

/// Appends a byte, percent-encoded unless it is a letter, a digit or one of these.
pub(super) fn push_byte(byte: u8, plain: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
        out.push(char::from(byte));
    } else {
        out.push('%');
        for four in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS[usize::from(four)]));
        }
    }
}

/// Names with their values as text, each value of a list by itself.
pub(super) fn values(map: &JsonMap) -> impl Iterator<Item = (&str, String)> {
    map.iter().flat_map(|(name, value)| {
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        values.iter().map(|value| {
            let text = match value {
                Json::Null => String::new(),
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            (name.as_str(), text)
        })
    })
}

/// A list of objects with name and value.
pub(super) fn pairs(map: &JsonMap) -> Vec<Json> {
    values(map).map(|(name, value)| pair(name, value)).collect()
}

fn pair(name: &str, value: impl Into<Json>) -> Json {
    Json::Object(object([("name", name.into()), ("value", value.into())]))
}

fn headers(map: &JsonMap) -> Vec<Json> {
    let mut list = Vec::new();
    for (name, value) in map {
        if OWN_FIELDS.contains(&name.as_str()) {
            continue;
        }
        let name = name.strip_prefix(RENAMED_HEADER).unwrap_or(name);
        // Others are fields that an import has kept here.
        let is_header = HeaderName::from_str(name).is_ok() || name.starts_with(':');
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        if is_header && values.iter().all(Json::is_string) {
            list.extend(values.iter().map(|value| pair(name, value.clone())));
        }
    }
    list
}

fn cookies(headers: &JsonMap) -> Vec<Json> {
    let text = text(headers, "cookie").unwrap_or_default();
    let cookies = text.split(';').filter_map(|part| part.split_once('='));
    cookies
        .map(|(name, value)| pair(name.trim(), value.trim()))
        .collect()
}

/// The cookies that a response sets. When they expire is left out: HAR has another form of times.
fn set_cookies(headers: &JsonMap) -> Vec<Json> {
    let Some(value) = headers.get("set-cookie") else {
        return Vec::new();
    };
    let values = match value {
        Json::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    let cookie = |text: &str| {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let mut cookie = object([("name", name.into()), ("value", value.into())]);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = match &*name.to_ascii_lowercase() {
                "path" => ("path", value.into()),
                "domain" => ("domain", value.into()),
                "secure" => ("secure", true.into()),
                "httponly" => ("httpOnly", true.into()),
                _ => continue,
            };
            cookie.insert(name.to_owned(), value);
        }
        Some(Json::Object(cookie))
    };
    let texts = values.iter().filter_map(Json::as_str);
    texts
        .filter(|text| *text != MASK)
        .filter_map(cookie)
        .collect()
}
