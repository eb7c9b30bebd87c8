//! The request of a snapshot.

use std::str::FromStr as _;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use lookback_capture::TraceContext;
use lookback_json::snapshot::{OWN_FIELDS, RENAMED_HEADER};

use super::body::{self, Body};
use super::ignore::IgnoreRule;
use super::masked::is_masked;
use super::refusal::Refusal;
use super::target::Target;
use crate::RequestSnapshot;
use crate::value::{Json, JsonMap};

/// How requests are sent again, and compared.
///
/// By default only `GET`, `HEAD` and `OPTIONS` are sent, a request with masked values in its path,
/// query or body is not, and masked headers are left out.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReplaySettings {
    /// Whether to send methods that may change data: all but `GET`, `HEAD` and `OPTIONS`.
    pub unsafe_methods: bool,
    /// Whether to send the captured header `host` instead of that of the target.
    pub keep_host: bool,
    /// Whether to send masked values as they are: the text `[masked]`.
    pub send_masked: bool,
    /// Headers in place of the captured ones of these names; `None` leaves one out.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// Parameters of the query in place of the captured ones of these names.
    pub query: Vec<(String, String)>,
    /// The body in place of the captured one.
    pub body: Option<Vec<u8>>,
    /// Places of the response that are not compared.
    pub ignore: Vec<IgnoreRule>,
}

/// A request that can be sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PreparedRequest {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: Uri,
    /// The headers, `host` and `content-length` not among them unless they were set.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Places of masked values: headers that were left out, and values that are sent as they are.
    pub masked: Vec<String>,
}

/// Headers that are about one connection, or that a client sets itself.
const OF_CONNECTION: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Makes the request of a snapshot for a target.
///
/// - Headers about the connection are left out (`connection` and those that it names, `keep-alive`,
///   `proxy-*`, `te`, `trailer`, `transfer-encoding`, `upgrade`, `expect`), and `content-length`
///   and `accept-encoding`.
/// - `host` is that of the target.
/// - `content-encoding` is left out if the body was stored decompressed.
/// - A new `traceparent` replaces the captured one.
///
/// # Errors
///
/// Why it cannot be sent: see [`Refusal`].
pub fn prepare(
    snapshot: &RequestSnapshot,
    target: &Target,
    settings: &ReplaySettings,
) -> Result<PreparedRequest, Refusal> {
    let none = JsonMap::new();
    let captured = snapshot.headers.as_ref().and_then(Json::as_object);
    let captured = captured.unwrap_or(&none);
    if captured.get("direction").and_then(Json::as_str) == Some("outgoing") {
        return Err(Refusal::Outgoing);
    }
    let method = method_of(snapshot, settings)?;
    if snapshot.status_code == Some(101) || body::header(captured, "sec-websocket-key").is_some() {
        return Err(Refusal::Upgrade);
    }
    let mut masked = Vec::new();
    let url = url_of(snapshot, target, settings, &mut masked)?;
    let body = match &settings.body {
        Some(bytes) => Body {
            bytes: bytes.clone(),
            ..Body::default()
        },
        None => body::body_of(snapshot, captured)?,
    };
    masked.extend(body.masked.iter().map(|place| format!("body {place}")));
    if !settings.send_masked && !masked.is_empty() {
        return Err(Refusal::Masked(masked));
    }
    let headers = headers_of(captured, settings, body.is_encoded, &mut masked)?;
    Ok(PreparedRequest {
        method,
        url,
        headers,
        body: body.bytes,
        masked,
    })
}

fn method_of(snapshot: &RequestSnapshot, settings: &ReplaySettings) -> Result<Method, Refusal> {
    let invalid = || Refusal::Method(snapshot.method.clone());
    let method = Method::from_str(&snapshot.method).map_err(|_| invalid())?;
    // `-` is what an import stores for an unknown one.
    if method == Method::CONNECT || method.as_str() == "-" {
        return Err(invalid());
    }
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&method);
    if !is_safe && !settings.unsafe_methods {
        return Err(Refusal::UnsafeMethod(snapshot.method.clone()));
    }
    Ok(method)
}

fn url_of(
    snapshot: &RequestSnapshot,
    target: &Target,
    settings: &ReplaySettings,
    masked: &mut Vec<String>,
) -> Result<Uri, Refusal> {
    let invalid = || Refusal::Path(snapshot.path.clone());
    if !snapshot.path.starts_with('/') {
        return Err(invalid());
    }
    let mut url = String::new();
    for byte in snapshot.path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte) {
            url.push(char::from(byte));
        } else {
            body::push_percent(byte, &mut url);
        }
    }
    if is_masked(&snapshot.path) {
        masked.push("path".to_owned());
    }
    let mut separator = '?';
    let mut push = |name: &str, value: &str| {
        url.push(separator);
        separator = '&';
        body::push_encoded(name, &mut url);
        url.push('=');
        body::push_encoded(value, &mut url);
    };
    let query = snapshot.query.as_ref().and_then(Json::as_object);
    for (name, value) in query.into_iter().flat_map(body::pairs) {
        if settings.query.iter().any(|(set, _)| set == name) {
            continue;
        }
        if is_masked(&value) {
            masked.push(format!("query {name}"));
        }
        push(name, &value);
    }
    for (name, value) in &settings.query {
        push(name, value);
    }
    target.url(&url).ok_or_else(invalid)
}

/// Whether a header of a request that came as a span of OpenTelemetry is a field or an attribute
/// of that span, in lower case: attributes have dots in their names, and headers hardly ever do.
fn is_of_span(key: &str) -> bool {
    const FIELDS: [&str; 13] = [
        "name",
        "kind",
        "flags",
        "status",
        "events",
        "links",
        "spanid",
        "parentspanid",
        "starttimeunixnano",
        "endtimeunixnano",
        "droppedattributescount",
        "droppedeventscount",
        "droppedlinkscount",
    ];
    key.contains('.') || FIELDS.contains(&key)
}

fn headers_of(
    captured: &JsonMap,
    settings: &ReplaySettings,
    is_encoded: bool,
    masked: &mut Vec<String>,
) -> Result<HeaderMap, Refusal> {
    let named_by_connection: Vec<String> = body::header(captured, "connection")
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut headers = HeaderMap::new();
    let is_span = captured
        .keys()
        .any(|name| name.eq_ignore_ascii_case("spanid"));
    for (name, value) in captured {
        let key = name.to_ascii_lowercase();
        if OWN_FIELDS.contains(&&*key) || is_span && is_of_span(&key) {
            continue;
        }
        let key = key.strip_prefix(RENAMED_HEADER).unwrap_or(&key);
        let is_set = settings.headers.iter().any(|(set, _)| set.as_str() == key);
        let is_left_out = OF_CONNECTION.contains(&key) && !(key == "host" && settings.keep_host)
            || key == "content-encoding" && !is_encoded
            || named_by_connection.iter().any(|named| named == key);
        if is_set || is_left_out {
            continue;
        }
        // What is no header has other names or values: an import keeps fields here, too.
        let Ok(key) = HeaderName::from_str(key) else {
            continue;
        };
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for text in values.iter().filter_map(Json::as_str) {
            if is_masked(text) {
                let place = format!("header {key}");
                if !masked.contains(&place) {
                    masked.push(place);
                }
                if !settings.send_masked {
                    continue;
                }
            }
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                headers.append(key.clone(), value);
            }
        }
    }
    for (name, value) in &settings.headers {
        if let Some(value) = value {
            headers.append(name.clone(), value.clone());
        }
    }
    if !headers.contains_key("traceparent") {
        let trace = TraceContext::new().to_string();
        let value = HeaderValue::from_str(&trace);
        let value = value.map_err(|_| Refusal::Header("traceparent".to_owned()))?;
        headers.insert("traceparent", value);
    }
    Ok(headers)
}

impl PreparedRequest {
    /// Returns the request for a client.
    #[must_use]
    pub fn into_http(self) -> http::Request<Vec<u8>> {
        let mut request = http::Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.url;
        *request.headers_mut() = self.headers;
        request
    }

    /// Returns the trace id that is sent: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        let header = self.headers.get("traceparent")?.to_str().ok()?;
        let trace: TraceContext = header.parse().ok()?;
        Some(trace.trace_id())
    }

    /// Whether a body is sent.
    pub(super) fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// Whether the type of the body is known.
    pub(super) fn has_content_type(&self) -> bool {
        self.headers.contains_key(header::CONTENT_TYPE)
    }
}

#[cfg(test)]
pub(super) mod tests;
