//! Whether the server lives, and whether it can store.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use lookback::json;
use lookback::migrate::{self, MigrationState};
use sqlx::PgConnection;

use crate::ingest::json_response;
use crate::openapi::models::object;
use crate::openapi::{Access, Operation};
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// The process answers.
pub(crate) async fn live() -> Response {
    json_response(&json!({ "status": "live" }))
}

/// The database answers, and has the tables of this version; and a body would be taken.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    check(&shared).await?;
    Ok(json_response(&json!({
        "status": "ready",
        "checks": { "database": "ok", "migrations": "ok", "queue": "ok" },
    }))
    .into_response())
}

/// Checks that a body would be stored.
pub(crate) async fn check(shared: &Shared) -> Result<(), Problem> {
    if *shared.stopping.borrow() {
        return Err(Problem::new(Kind::Unavailable, "the server stops"));
    }
    let mut conn = shared.connection().await?;
    let not_ready = |error: lookback::Error| {
        // Its message names what is missing, and nothing that is secret.
        tracing::warn!("{error}");
        Problem::new(Kind::Unavailable, error.to_string())
    };
    let checked = async {
        lookback::setup::check_server(&mut conn).await?;
        lookback::setup::check_encoder(&mut conn).await?;
        missing_migrations(&mut conn).await
    };
    match checked.await.map_err(not_ready)? {
        0 => {}
        missing => {
            let detail = format!("migrations that are not applied: {missing}; lookback db migrate");
            tracing::warn!("{detail}");
            return Err(Problem::new(Kind::Unavailable, detail));
        }
    }
    let has_room = shared.ingests.available_permits() > 0
        && shared.body_room.available_permits() > shared.settings.all_body_bytes / 100;
    if !has_room {
        return Err(Problem::new(Kind::Busy, "too many bodies are being stored"));
    }
    Ok(())
}

/// The number of migrations of this version that are not applied. Others may be, of a newer
/// version.
async fn missing_migrations(conn: &mut PgConnection) -> Result<usize, lookback::Error> {
    let migrations = migrate::built_in_migrations();
    let found = match migrate::status(conn, &migrations).await {
        Ok(found) => found,
        Err(error) => {
            let error = lookback::Error::from(error);
            // A role that only stores records may not know.
            if error.is_permission_denied() {
                return Ok(0);
            }
            return Err(error);
        }
    };
    let is_missing = |state| {
        matches!(
            state,
            MigrationState::Pending | MigrationState::Partial { .. }
        )
    };
    Ok(found.iter().filter(|found| is_missing(found.state)).count())
}

pub(crate) fn operations() -> Vec<Operation> {
    let is = |text: &str| json!({ "const": text });
    let checks = ["database", "migrations", "queue"].map(|name| (name, is("ok")));
    vec![
        Operation::get("/health/live", "Whether the process lives", Access::Open).json(
            200,
            "It lives.",
            object([("status", is("live"))]),
        ),
        Operation::get(
            "/health/ready",
            "Whether the database can be used",
            Access::Open,
        )
        .json(
            200,
            "It can be used, and a body would be taken.",
            object([("status", is("ready")), ("checks", object(checks))]),
        )
        .problems(&[Kind::Busy, Kind::Unavailable, Kind::Internal]),
    ]
}
