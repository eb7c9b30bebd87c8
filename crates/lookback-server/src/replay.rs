//! Sends a captured request again, for an administrator.
//!
//! A server that sends anything anywhere on request is a way into networks that only it reaches. So a
//! request is sent to the targets of the settings alone, of which there are none by default; the name of the
//! host is that of the target, and no redirect is followed. What would be sent can be seen for any
//! target: nothing is sent unless the body asks for it.

use std::str::FromStr as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::post;
use lookback::replay::{
    IgnoreRule, PreparedRequest, Refusal, ReplaySettings, Target, compare, prepare, stored_response,
};
use lookback::value::JsonMap;
use lookback::{Json, RequestSnapshot, json};

use crate::access::IsAdmin;
use crate::body::{Received, media_type};
use crate::ingest::{json_response, object_of};
use crate::openapi::models::{list, nullable, object, object_with};
use crate::openapi::{Access, Operation};
use crate::parameters::{Parameters, PathText};
use crate::problem::{Kind, Problem, WrongField};
use crate::records::{NOTHING, record_of};
use crate::server::Shared;

mod client;

pub use client::{ReplayClient, ReplayClientError};

/// The longest response that is compared.
const MOST_BYTES: usize = 16 * 1024 * 1024;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/requests/{id}/replay", post(replay))
}

pub(crate) fn operations() -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let flag = |default: bool| json!({ "type": "boolean", "default": default });
    let number = || json!({ "type": "integer" });
    let any = || json!({ "description": "Any value of JSON." });
    let texts = || json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let body = object_with(
        [("target", json!({ "type": "string", "format": "uri" }))],
        [
            ("dry_run", flag(true)),
            ("unsafe_methods", flag(false)),
            ("send_masked", flag(false)),
            (
                "headers",
                json!({ "type": "object", "additionalProperties": { "type": ["string", "null"] } }),
            ),
            ("query", texts()),
            ("body", any()),
            ("ignore", list(text())),
        ],
    );
    let request = object([
        ("method", text()),
        ("url", text()),
        (
            "headers",
            json!({ "type": "object", "additionalProperties": list(text()) }),
        ),
        ("body", text()),
    ]);
    let difference = object_with(
        [
            ("place", text()),
            ("kind", json!({ "enum": ["added", "removed", "changed"] })),
        ],
        [("captured", any()), ("replayed", any())],
    );
    let response = object([
        ("status", number()),
        ("headers", json!({ "type": "object" })),
        ("body", any()),
    ]);
    let results = ["dry_run", "not_sent", "failed", "same", "different"];
    let answered = object_with(
        [
            (
                "result",
                json!({ "enum": results.map(Json::from).to_vec() }),
            ),
            ("target_is_allowed", json!({ "type": "boolean" })),
        ],
        [
            ("reason", text()),
            ("request", request),
            ("masked", list(text())),
            ("trace_id", nullable(text())),
            ("curl", text()),
            ("status", number()),
            ("duration", nullable(number())),
            ("differences", list(difference)),
            ("more_differences", number()),
            ("not_compared", list(text())),
            ("response", response),
        ],
    );
    vec![
        Operation::post(
            "/api/v1/requests/{id}/replay",
            "Shows a captured request as it would be sent again, or sends it",
            Access::Admin,
        )
        .about(
            "Nothing is sent unless `dry_run` is false, and then only to the targets of the \
             settings of the server, of which there are none by default.",
        )
        .query::<RequestSnapshot>(NOTHING)
        .body(&[("application/json", body)])
        .json(
            200,
            "The request; if it was sent, the response and how it differs from the captured one.",
            object([("data", answered)]),
        )
        .problems(&[Kind::NotFound, Kind::InvalidRecord]),
    ]
}

/// What a client asks for.
#[derive(Debug)]
struct Replay {
    target: Target,
    dry_run: bool,
    settings: ReplaySettings,
}

/// Shows the request that would be sent, or sends it and compares the response.
async fn replay(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    PathText(id): PathText,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    Parameters::parse(parts.uri.query(), NOTHING)?;
    let media_type = media_type(&parts.headers);
    if media_type != "application/json" {
        return Err(Problem::new(
            Kind::UnsupportedType,
            format!("content-type: expected application/json, got {media_type}"),
        ));
    }
    let received = Received::read(&shared, &parts.headers, body).await?;
    let received = received.decompress(&parts.headers, shared.settings.decompressed_bytes)?;
    let Ok(Json::Object(map)) = Json::from_slice(&received.bytes) else {
        return Err(Problem::new(
            Kind::InvalidBody,
            "the body must be an object of JSON with a target",
        ));
    };
    let asked = Replay::from_json(map)?;
    let is_allowed = is_allowed(&asked.target, &shared.settings.replay_targets);
    if !asked.dry_run && !is_allowed {
        return Err(Problem::new(
            Kind::NotAllowed,
            format!(
                "{} is not one of the targets of replays: the operator adds it by \
                 `lookback serve --replay-targets {}`; without \"dry_run\": false, nothing is sent",
                asked.target, asked.target
            ),
        ));
    }
    let snapshot: RequestSnapshot = record_of(&shared, &Parameters::default(), &id).await?;
    let prepared = match prepare(&snapshot, &asked.target, &asked.settings) {
        Ok(prepared) if leaves_base(&prepared, &asked.target) => {
            return Err(Problem::new(
                Kind::InvalidRecord,
                "the path of the request has dot segments, which would lead out of that of the target",
            ));
        }
        Ok(prepared) => prepared,
        Err(refusal) => return Ok(not_sent(&refusal, is_allowed)),
    };
    let mut data = request_json(&prepared);
    data.insert("target_is_allowed".to_owned(), is_allowed.into());
    if asked.dry_run {
        data.insert("result".to_owned(), "dry_run".into());
        return Ok(data_of(data));
    }
    let _place = shared
        .replays
        .try_acquire()
        .map_err(|_| Problem::new(Kind::Busy, "too many requests are being sent again"))?;
    let client = ReplayClient::new(&asked.target, shared.settings.replay_timeout, MOST_BYTES);
    let client = client.map_err(|error| {
        tracing::error!("the certificates of this machine cannot be read: {error}");
        Problem::new(Kind::Internal, "the error is in the log of the server")
    })?;
    match client.send(prepared.into_http()).await {
        Err(error) => {
            data.insert("result".to_owned(), "failed".into());
            data.insert("reason".to_owned(), error.to_string().into());
        }
        Ok((response, duration)) => {
            let mut comparison = compare(&snapshot, &response, &asked.settings.ignore);
            comparison.duration = Some(duration);
            let result = if comparison.is_same() {
                "same"
            } else {
                "different"
            };
            data.insert("result".to_owned(), result.into());
            if let Json::Object(compared) = comparison.to_json() {
                data.extend(compared);
            }
            let (headers, body) = stored_response(&response);
            let response = object_of([
                ("status", response.status().as_u16().into()),
                ("headers", Json::Object(headers)),
                ("body", body.unwrap_or_default()),
            ]);
            data.insert("response".to_owned(), response);
        }
    }
    Ok(data_of(data))
}

impl Replay {
    fn from_json(mut map: JsonMap) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let mut settings = ReplaySettings::default();
        let mut refuse = |field: &str, problem: String| {
            wrong.push(WrongField {
                record: None,
                field: field.to_owned(),
                problem,
            });
        };
        let target = match map.remove("target") {
            Some(Json::String(url)) => match url.parse::<Target>() {
                Ok(target) => Some(target),
                Err(error) => {
                    refuse("target", error.to_string());
                    None
                }
            },
            Some(_) => {
                refuse("target", "expected a URL".to_owned());
                None
            }
            None => {
                refuse("target", "is required".to_owned());
                None
            }
        };
        let mut flag = |name: &str, default: bool| match map.remove(name) {
            None => default,
            Some(Json::Bool(flag)) => flag,
            Some(_) => {
                refuse(name, "expected true or false".to_owned());
                default
            }
        };
        let dry_run = flag("dry_run", true);
        settings.unsafe_methods = flag("unsafe_methods", false);
        settings.send_masked = flag("send_masked", false);
        match map.remove("headers") {
            None => {}
            Some(Json::Object(headers)) => {
                for (name, value) in headers {
                    match header(&name, &value) {
                        Ok(header) => settings.headers.push(header),
                        Err(problem) => refuse(&format!("headers.{name}"), problem.to_owned()),
                    }
                }
            }
            Some(_) => refuse("headers", "expected an object".to_owned()),
        }
        match map.remove("query") {
            None => {}
            Some(Json::Object(query)) => {
                for (name, value) in query {
                    match value {
                        Json::String(value) => settings.query.push((name, value)),
                        _ => refuse(&format!("query.{name}"), "expected a text".to_owned()),
                    }
                }
            }
            Some(_) => refuse("query", "expected an object".to_owned()),
        }
        settings.body = match map.remove("body") {
            None | Some(Json::Null) => None,
            // A text is sent as it is, and other values as JSON.
            Some(Json::String(text)) => Some(text.into_bytes()),
            Some(value) => Some(value.to_string().into_bytes()),
        };
        match map.remove("ignore") {
            None => {}
            Some(Json::Array(rules)) => {
                for rule in &rules {
                    let parsed = rule.as_str().map(str::parse::<IgnoreRule>);
                    match parsed {
                        Some(Ok(rule)) => settings.ignore.push(rule),
                        Some(Err(error)) => refuse("ignore", error.to_string()),
                        None => refuse("ignore", "expected texts".to_owned()),
                    }
                }
            }
            Some(_) => refuse("ignore", "expected a list".to_owned()),
        }
        for (name, _) in map {
            refuse(
                &name,
                "is not known; the body has target, dry_run, unsafe_methods, send_masked, headers, \
                 query, body and ignore"
                    .to_owned(),
            );
        }
        match target {
            Some(target) if wrong.is_empty() => Ok(Self {
                target,
                dry_run,
                settings,
            }),
            _ => {
                let texts = wrong.iter();
                let texts: Vec<String> = texts
                    .map(|wrong| format!("{}: {}", wrong.field, wrong.problem))
                    .collect();
                Err(Problem::new(Kind::InvalidRecord, texts.join("; ")).with_fields(wrong))
            }
        }
    }
}

/// A header to send in place of the captured one; null leaves it out.
fn header(name: &str, value: &Json) -> Result<(HeaderName, Option<HeaderValue>), &'static str> {
    let name = HeaderName::from_str(name).map_err(|_| "is not the name of a header")?;
    if name == "host" {
        return Err("is that of the target");
    }
    let value = match value {
        Json::Null => None,
        Json::String(text) => {
            Some(HeaderValue::from_str(text).map_err(|_| "is not the value of a header")?)
        }
        _ => return Err("expected a text, or null"),
    };
    Ok((name, value))
}

/// Whether a target is one of those that requests may be sent to: the same scheme, host, port and
/// path.
fn is_allowed(target: &Target, allowed: &[Target]) -> bool {
    let wanted = canonical(target);
    allowed.iter().any(|allowed| canonical(allowed) == wanted)
}

/// The text of a target with the letters of its host in lower case, and its port.
fn canonical(target: &Target) -> String {
    let text = target.to_string();
    let (scheme, rest) = text.split_once("://").unwrap_or(("", &text));
    let base = rest.strip_prefix(target.authority()).unwrap_or(rest);
    let authority = target.authority().to_ascii_lowercase();
    let default = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default).unwrap_or(&authority);
    format!("{scheme}://{authority}{base}")
}

/// Whether the path of a request leads out of the path of its target: a server may resolve `..`.
fn leaves_base(prepared: &PreparedRequest, target: &Target) -> bool {
    if !target.to_string().ends_with(target.authority()) {
        let path = prepared.url.path().to_ascii_lowercase();
        let path = path
            .replace("%2e", ".")
            .replace("%2f", "/")
            .replace("%5c", "/");
        return path.split(['/', '\\']).any(|segment| segment == "..");
    }
    false
}

/// The request that is sent.
fn request_json(prepared: &PreparedRequest) -> JsonMap {
    let mut headers = JsonMap::new();
    for name in prepared.headers.keys() {
        let values = prepared.headers.get_all(name).iter();
        let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let values: Vec<Json> = values.map(Json::from).collect();
        headers.insert(name.as_str().to_owned(), Json::Array(values));
    }
    let body = String::from_utf8_lossy(&prepared.body).into_owned();
    JsonMap::from([
        (
            "request".to_owned(),
            json!({
                "method": prepared.method.as_str(),
                "url": prepared.url.to_string(),
                "headers": Json::Object(headers),
                "body": body,
            }),
        ),
        (
            "masked".to_owned(),
            prepared.masked.iter().map(String::as_str).collect(),
        ),
        (
            "trace_id".to_owned(),
            prepared.trace_id().map_or(Json::Null, Json::from),
        ),
        ("curl".to_owned(), prepared.curl().into()),
    ])
}

fn data_of(data: JsonMap) -> Response {
    json_response(&object_of([("data", Json::Object(data))]))
}

/// The answer for a request that cannot be sent as it was captured.
fn not_sent(refusal: &Refusal, is_allowed: bool) -> Response {
    let field = match refusal {
        Refusal::UnsafeMethod(_) => " (\"unsafe_methods\": true)",
        Refusal::Masked(_) => " (\"query\", \"body\", or \"send_masked\": true)",
        Refusal::TruncatedBody(_) | Refusal::BodyNotStored(_) => " (\"body\")",
        _ => "",
    };
    json_response(&json!({
        "data": {
            "result": "not_sent",
            "reason": format!("{refusal}{field}"),
            "target_is_allowed": is_allowed,
        },
    }))
}

#[cfg(test)]
mod tests {
    use lookback::replay::Target;

    use super::is_allowed;

    #[test]
    fn targets_are_compared_whole() {
        let target = |text: &str| text.parse::<Target>().unwrap();
        let allowed = [
            target("https://staging.example.com/shop"),
            target("http://[::1]:3000"),
        ];
        for (text, expected) in [
            ("https://staging.example.com/shop", true),
            ("https://STAGING.example.com:443/shop/", true),
            ("http://[::1]:3000/", true),
            ("https://staging.example.com", false),
            ("https://staging.example.com/shop/admin", false),
            ("http://staging.example.com/shop", false),
            ("https://staging.example.com:8443/shop", false),
            ("https://staging.example.com.evil.test/shop", false),
            ("https://evil.test/staging.example.com/shop", false),
            ("http://127.0.0.1:3000", false),
            ("http://169.254.169.254", false),
        ] {
            assert_eq!(is_allowed(&target(text), &allowed), expected, "{text}");
        }
        assert!(!is_allowed(&target("http://localhost"), &[]));
    }
}
