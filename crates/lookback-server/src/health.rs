//! Whether the server lives, and whether it can store.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use lookback::json;

use crate::ingest::json_response;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// The process answers.
pub(crate) async fn live() -> Response {
    json_response(&json!({ "status": "live" }))
}

/// The database answers, and has the tables of this version.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let mut conn = shared.connection().await?;
    let checked = async {
        lookback::setup::check_server(&mut conn).await?;
        lookback::setup::check_encoder(&mut conn).await
    };
    checked.await.map_err(|error| {
        // Its message names what is missing, and nothing that is secret.
        tracing::warn!("{error}");
        Problem::new(Kind::Unavailable, error.to_string())
    })?;
    Ok(json_response(&json!({ "status": "ready" })).into_response())
}
