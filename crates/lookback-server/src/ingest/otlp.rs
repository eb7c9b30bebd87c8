//! OpenTelemetry's logs and traces over HTTP (OTLP 1.x), in protobuf and JSON.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use lookback::json;
use lookback_formats::push::{self, Push};

use super::{Decoded, Ingest, Outcome, grpc, json_response, protobuf};
use crate::access::MayIngest;
use crate::body::media_type;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

const PROTOBUF: &str = "application/x-protobuf";

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Logs,
    Traces,
}

/// The encoding of a request, which its response has, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

pub(crate) async fn logs(
    State(shared): State<Arc<Shared>>,
    access: Result<MayIngest, Problem>,
    request: Request,
) -> Response {
    export(&shared, access, Signal::Logs, request).await
}

pub(crate) async fn traces(
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
    let encoding = match media_type(&parts.headers).as_str() {
        PROTOBUF | "application/protobuf" => Encoding::Protobuf,
        "application/json" => Encoding::Json,
        other => {
            let detail =
                format!("content-type: expected {PROTOBUF} or application/json, got {other}");
            return Problem::new(Kind::UnsupportedType, detail).into_response();
        }
    };
    let stored = async {
        let ingest = Ingest {
            shared,
            access: &access?,
            path: match signal {
                Signal::Logs => "/v1/logs",
                Signal::Traces => "/v1/traces",
            },
            headers: &parts.headers,
            body,
        };
        let options = ingest.options();
        let push = match (encoding, signal) {
            (Encoding::Json, _) => Push::OtlpJson,
            (Encoding::Protobuf, Signal::Logs) => Push::OtlpLogs,
            (Encoding::Protobuf, Signal::Traces) => Push::OtlpTraces,
        };
        ingest
            .run(move |body, decoded| decode(push, body, &options, decoded))
            .await
    };
    match stored.await {
        Ok(outcome) => success(encoding, signal, &outcome),
        Err(problem) => failure(encoding, problem),
    }
}

pub(super) fn decode(
    push: Push,
    body: &[u8],
    options: &lookback_formats::Options,
    mut decoded: Decoded,
) -> Result<Decoded, Problem> {
    let records = push::records(push, body, options, push::MAX_BYTES)
        .map_err(|problem| Problem::new(Kind::InvalidBody, problem.to_string()))?;
    for record in records {
        if decoded.is_stopped() {
            break;
        }
        match record {
            Ok(entry) => decoded.push_entry(entry),
            Err(problem) => decoded.reject(&problem),
        }
    }
    Ok(decoded)
}

/// The response of a service: empty, or a partial success.
fn success(encoding: Encoding, signal: Signal, outcome: &Outcome) -> Response {
    let rejected = outcome.rejected();
    match encoding {
        Encoding::Json if rejected == 0 => json_response(&json!({})),
        Encoding::Json => {
            let name = match signal {
                Signal::Logs => "rejectedLogRecords",
                Signal::Traces => "rejectedSpans",
            };
            // A 64-bit number is a text in the JSON of protobuf.
            json_response(&json!({
                "partialSuccess": {
                    name: rejected.to_string(),
                    "errorMessage": outcome.reasons(),
                }
            }))
        }
        Encoding::Protobuf => respond(protobuf::response(rejected, &outcome.reasons())),
    }
}

/// An error, as a `google.rpc.Status` in protobuf.
fn failure(encoding: Encoding, problem: Problem) -> Response {
    if encoding == Encoding::Json {
        return problem.into_response();
    }
    // The status of HTTP is what clients go by.
    let code = grpc::code(problem.status());
    let body = protobuf::status(code, problem.detail(), problem.retry_after());
    // It has the headers of the problem.
    let mut response = problem.into_response();
    *response.body_mut() = Bytes::from(body).into();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    response
}

fn respond(body: Vec<u8>) -> Response {
    let content_type = HeaderValue::from_static(PROTOBUF);
    ([(CONTENT_TYPE, content_type)], Bytes::from(body)).into_response()
}
