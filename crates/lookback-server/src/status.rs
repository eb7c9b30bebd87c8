//! The state of this process, as JSON for a page: `GET /api/v1/status`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use lookback::{Json, Log, json};

use crate::access::MayRead;
use crate::health;
use crate::ingest::json_response;
use crate::openapi::models::{nullable, object};
use crate::openapi::{Access, Operation};
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::records;
use crate::server::Shared;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/status", get(status))
}

pub(crate) fn operations() -> Vec<Operation> {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let flag = || json!({ "type": "boolean" });
    let counts = |names: &[&'static str]| {
        let schemas = names.iter().map(|name| (*name, count()));
        object(schemas.collect::<Vec<_>>())
    };
    let limit = || counts(&["used", "limit"]);
    let limits = ["body_bytes", "ingests", "tail_readers", "pool_connections"];
    let syslog = ["stored", "dropped", "cut", "refused", "not_allowed"];
    let maintenance = object([
        ("is_failing", flag()),
        ("is_behind", flag()),
        ("unsealed_ids", count()),
        ("sealed_records", count()),
        ("created_partitions", count()),
        ("dropped_partitions", count()),
    ]);
    let status = object([
        ("version", json!({ "type": "string" })),
        ("uptime_seconds", json!({ "type": "number", "minimum": 0 })),
        ("is_ready", flag()),
        ("problem", nullable(json!({ "type": "string" }))),
        ("limits", object(limits.map(|name| (name, limit())))),
        ("stored_records", counts(&["logs", "requests", "metrics"])),
        ("rejected_records", count()),
        ("refused_bodies", counts(&["busy", "invalid"])),
        ("syslog", nullable(counts(&syslog))),
        ("maintenance", nullable(maintenance)),
        ("alert_deliveries", counts(&["delivered", "failed"])),
    ]);
    vec![
        Operation::get(
            "/api/v1/status",
            "The state of the process that answers",
            Access::Read,
        )
        .about(
            "The numbers are those of `GET /metrics`. `is_ready` is what `GET /health/ready` \
             answers, and `problem` says why not. `syslog` and `maintenance` are null in a process \
             that does neither.",
        )
        .query::<Log>(records::NOTHING)
        .json(200, "The state.", object([("data", status)])),
    ]
}

async fn status(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::parse(query.as_deref(), records::NOTHING)?;
    let problem = health::check(&shared).await.err();
    let mut status = shared.status();
    status.insert("is_ready".to_owned(), problem.is_none().into());
    let problem = problem.as_ref().map(Problem::detail);
    status.insert("problem".to_owned(), problem.map_or(Json::Null, Json::from));
    Ok(json_response(&json!({ "data": status })))
}
