//! OpenTelemetry's logs and traces over gRPC: calls with one message each way.
//!
//! A call is a request of HTTP/2, so these are routes beside the others, on every address. The
//! message is read as a body is, within the same limits, and decoded once.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use lookback_formats::push::Push;

use super::otlp::{Signal, decode};
use super::{Framing, Ingest, protobuf};
use crate::access::MayIngest;
use crate::body::media_type;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// Returns the routes of the services.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            post(logs),
        )
        .route(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            post(traces),
        )
}

const GRPC: &str = "application/grpc";
/// How a message may be compressed.
const ENCODINGS: &str = "identity, gzip, deflate, zstd";

async fn logs(
    State(shared): State<Arc<Shared>>,
    access: Result<MayIngest, Problem>,
    request: Request,
) -> Response {
    export(&shared, access, Signal::Logs, request).await
}

async fn traces(
    State(shared): State<Arc<Shared>>,
    access: Result<MayIngest, Problem>,
    request: Request,
) -> Response {
    export(&shared, access, Signal::Traces, request).await
}

async fn export(
    shared: &Arc<Shared>,
    access: Result<MayIngest, Problem>,
    signal: Signal,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    match media_type(&parts.headers).as_str() {
        GRPC | "application/grpc+proto" => {}
        other => {
            // Such a client knows the statuses of HTTP alone.
            let detail = format!("content-type: expected {GRPC}, got {other}");
            let problem = Problem::new(Kind::UnsupportedType, detail);
            return access.err().unwrap_or(problem).into_response();
        }
    }
    let stored = async {
        // The path is that of the same export over HTTP, so that one `Idempotency-Key` is one.
        let (push, path) = match signal {
            Signal::Logs => (Push::OtlpLogs, "/v1/logs"),
            Signal::Traces => (Push::OtlpTraces, "/v1/traces"),
        };
        let ingest = Ingest {
            shared,
            access: &access?,
            path,
            headers: &parts.headers,
            body,
        };
        let options = ingest.options();
        ingest
            .run_framed(Framing::Grpc, move |body, decoded| {
                decode(push, body, &options, decoded)
            })
            .await
    };
    match stored.await {
        Ok(outcome) => success(&protobuf::response(outcome.rejected(), &outcome.reasons())),
        Err(problem) => failure(&problem),
    }
}

/// Answers with a message.
fn success(message: &[u8]) -> Response {
    // A response says little: its length is far below that of a request.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = vec![0];
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(framed));
    let body = body.with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
    respond(Body::new(body), HeaderMap::new())
}

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Answers with a status other than OK, and without a message.
fn failure(problem: &Problem) -> Response {
    let code = code(problem.status());
    let status = protobuf::status(code, problem.detail(), problem.retry_after());
    let mut headers = HeaderMap::new();
    headers.insert(STATUS, HeaderValue::from(code));
    for (name, text) in [
        ("grpc-message", percent_encoded(problem.detail())),
        (
            "grpc-status-details-bin",
            BASE64_STANDARD_NO_PAD.encode(status),
        ),
    ] {
        // Both are ASCII.
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    respond(Body::empty(), headers)
}

fn respond(body: Body, mut headers: HeaderMap) -> Response {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    let encodings = HeaderValue::from_static(ENCODINGS);
    headers.insert("grpc-accept-encoding", encodings);
    (headers, body).into_response()
}

/// Returns the status of gRPC that clients of OTLP expect where HTTP has this one.
///
/// Clients send again after `UNAVAILABLE` and `DEADLINE_EXCEEDED`. After `RESOURCE_EXHAUSTED` they do
/// only with a `RetryInfo`, which a message that is too large does not get.
pub(super) fn code(status: StatusCode) -> u64 {
    const INVALID_ARGUMENT: u64 = 3;
    const DEADLINE_EXCEEDED: u64 = 4;
    const ALREADY_EXISTS: u64 = 6;
    const PERMISSION_DENIED: u64 = 7;
    const RESOURCE_EXHAUSTED: u64 = 8;
    const UNIMPLEMENTED: u64 = 12;
    const INTERNAL: u64 = 13;
    const UNAVAILABLE: u64 = 14;
    const UNAUTHENTICATED: u64 = 16;
    match status.as_u16() {
        400 | 422 => INVALID_ARGUMENT,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 | 405 | 415 => UNIMPLEMENTED,
        408 | 504 => DEADLINE_EXCEEDED,
        409 => ALREADY_EXISTS,
        413 => RESOURCE_EXHAUSTED,
        429 | 503 => UNAVAILABLE,
        _ => INTERNAL,
    }
}

/// Encodes a `grpc-message`: what is no printable ASCII is percent-encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _written = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::percent_encoded;

    #[test]
    fn message_has_printable_ascii_only() {
        assert_eq!(percent_encoded("is no key"), "is no key");
        assert_eq!(percent_encoded("5 % \n é"), "5 %25 %0A %C3%A9");
    }
}
