//! Loki's push.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lookback_formats::push::Push;

use super::{Ingest, otlp};
use crate::access::MayIngest;
use crate::body::media_type;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// Stores the lines of a push. The labels of a stream become the source and `meta`.
pub(crate) async fn push(
    State(shared): State<Arc<Shared>>,
    access: MayIngest,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let push = match media_type(&parts.headers).as_str() {
        "application/json" => Push::LokiJson,
        // Its snappy is part of the format, and in no `content-encoding`.
        "application/x-protobuf" | "" => Push::Loki,
        other => {
            return Err(Problem::new(
                Kind::UnsupportedType,
                format!(
                    "content-type: expected application/x-protobuf or application/json, got {other}"
                ),
            ));
        }
    };
    let mut headers = parts.headers;
    if push == Push::Loki {
        headers.remove("content-encoding");
    }
    let ingest = Ingest {
        shared: &shared,
        access: &access,
        path: "/loki/api/v1/push",
        headers: &headers,
        body,
    };
    let options = ingest.options();
    let outcome = ingest
        .run(move |body, decoded| otlp::decode(push, body, &options, decoded))
        .await?;
    if outcome.rejected() > 0 {
        // As Loki does: what is right is stored, and the status tells of the rest.
        return Err(Problem::new(Kind::InvalidBody, outcome.reasons()));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
