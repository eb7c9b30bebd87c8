//! Alert rules over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use lookback::table::ColumnValues as _;
use lookback::value::ColumnValue as _;
use lookback::{AlertChange, AlertRule, AlertRulePatch, Error, Json, NewAlertRule, json};
use sqlx::{Connection as _, PgConnection};

use super::condition::check;
use super::store::{AlertReport, reports, rule_with_webhook};
use super::worker::test;
use crate::access::{IsAdmin, MayRead};
use crate::body;
use crate::ingest::json_response;
use crate::openapi::models::{self, nullable, object};
use crate::openapi::{Access, Operation};
use crate::parameters::Parameters;
use crate::problem::{Kind, Problem, WrongField};
use crate::records;
use crate::server::Shared;

/// Returns the routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/alerts", get(list).post(create))
        .route("/alerts/{id}", get(read).patch(change).delete(delete))
        .route("/alerts/{id}/test", post(send_test))
        .route("/alert_changes", get(records::list::<AlertChange>))
}

pub(crate) fn operations() -> Vec<Operation> {
    let text = || nullable(json!({ "type": "string" }));
    let number = || nullable(json!({ "type": "number" }));
    let status = || {
        object([
            ("state", json!({ "type": "string" })),
            ("since", text()),
            ("value", number()),
            ("evaluated_at", text()),
            ("problem", text()),
        ])
    };
    let rule = || {
        models::record_with::<AlertRule>([
            ("condition", json!({ "type": "string" })),
            ("webhook", text()),
            ("status", status()),
        ])
    };
    let one = || object([("data", rule())]);
    let tested = object([
        ("change_id", json!({ "type": "string" })),
        ("webhook", json!({ "type": "string" })),
        ("is_delivered", json!({ "type": "boolean" })),
        ("status", nullable(json!({ "type": "integer" }))),
        ("problem", text()),
    ]);
    let patch = || {
        [
            ("application/json", models::patch::<AlertRule>()),
            ("application/merge-patch+json", models::patch::<AlertRule>()),
        ]
    };
    vec![
        Operation::get(
            "/api/v1/alerts",
            "All alert rules, with their state",
            Access::Read,
        )
        .query::<AlertRule>(records::NOTHING)
        .json(200, "The rules.", object([("data", models::list(rule()))])),
        Operation::post("/api/v1/alerts", "Makes an alert rule", Access::Admin)
            .body(&[("application/json", models::new::<AlertRule>())])
            .json(201, "The rule.", one())
            .problems(&[Kind::InvalidRecord, Kind::Conflict]),
        Operation::get("/api/v1/alerts/{id}", "An alert rule", Access::Read)
            .query::<AlertRule>(records::NOTHING)
            .json(200, "The rule.", one())
            .problems(&[Kind::NotFound]),
        Operation::patch(
            "/api/v1/alerts/{id}",
            "Changes an alert rule",
            Access::Admin,
        )
        .body(&patch())
        .json(200, "The rule as it is now.", one())
        .problems(&[Kind::NotFound, Kind::InvalidRecord, Kind::Conflict]),
        Operation::delete(
            "/api/v1/alerts/{id}",
            "Deletes an alert rule",
            Access::Admin,
        )
        .answer(204, "It is deleted.", &[])
        .problems(&[Kind::NotFound]),
        Operation::post(
            "/api/v1/alerts/{id}/test",
            "Sends a test to the webhook of a rule",
            Access::Admin,
        )
        .json(
            200,
            "What the webhook answered.",
            object([("data", tested)]),
        )
        .problems(&[Kind::NotFound, Kind::Conflict]),
        Operation::get(
            "/api/v1/alert_changes",
            "A page of the changes of alerts",
            Access::Read,
        )
        .query::<AlertChange>(records::LIST)
        .json(
            200,
            "The changes.",
            records::page_of(json!({
                "anyOf": [models::record::<AlertChange>(), models::hit::<AlertChange>()],
            })),
        ),
    ]
}

async fn list(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::parse(query.as_deref(), records::NOTHING)?;
    let mut conn = shared.connection().await?;
    let reports = reports(&mut conn, None).await.map_err(invalid)?;
    let data: Vec<Json> = reports.iter().map(report_json).collect::<Result<_, _>>()?;
    Ok(json_response(&json!({ "data": data })))
}

async fn read(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::parse(query.as_deref(), records::NOTHING)?;
    let mut conn = shared.connection().await?;
    report_response(&mut conn, id_of(&id)?).await
}

async fn create(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let fields = body::map(&shared, &parts.headers, body).await?;
    let new = NewAlertRule::from_json(fields).map_err(refused)?;
    let mut conn = shared.connection().await?;
    let mut transaction = conn.begin().await?;
    let created = AlertRule::records().create(&mut transaction, new).await;
    let id = created.map_err(refused)?.id;
    check_stored(&mut transaction, id).await?;
    transaction.commit().await?;
    let mut response = report_response(&mut conn, id).await?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn change(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let (parts, body) = request.into_parts();
    let fields = body::map(&shared, &parts.headers, body).await?;
    let patch = AlertRulePatch::from_json(fields).map_err(refused)?;
    let mut conn = shared.connection().await?;
    let mut transaction = conn.begin().await?;
    let changed = AlertRule::records()
        .update(&mut transaction, id, patch)
        .await;
    changed.map_err(refused)?;
    check_stored(&mut transaction, id).await?;
    transaction.commit().await?;
    report_response(&mut conn, id).await
}

async fn delete(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let mut conn = shared.connection().await?;
    let deleted = AlertRule::records().delete(&mut *conn, id_of(&id)?).await;
    deleted.map_err(invalid)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn send_test(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let tested = test(&shared.pool, id_of(&id)?, &shared.settings.alerts).await;
    let Some(outcome) = tested.map_err(invalid)? else {
        return Err(Problem::new(Kind::Conflict, "the rule has no webhook"));
    };
    let (status, problem) = match &outcome.delivered {
        Ok(status) => (Some(u64::from(*status)), None),
        Err(problem) => (None, Some(problem.as_str())),
    };
    Ok(json_response(&json!({ "data": {
        "change_id": outcome.change_id,
        "webhook": outcome.webhook.as_str(),
        "is_delivered": status.is_some(),
        "status": status,
        "problem": problem,
    } })))
}

/// Checks a rule as it is stored in a transaction.
async fn check_stored(conn: &mut PgConnection, id: i64) -> Result<(), Problem> {
    let rule = rule_with_webhook(conn, id).await.map_err(invalid)?;
    check(&rule).map_err(|(field, problem)| {
        let wrong = WrongField {
            record: None,
            field: field.to_owned(),
            problem: problem.clone(),
        };
        Problem::new(Kind::InvalidRecord, format!("{field}: {problem}")).with_fields(vec![wrong])
    })
}

async fn report_response(conn: &mut PgConnection, id: i64) -> Result<Response, Problem> {
    let reports = reports(conn, Some(id)).await.map_err(invalid)?;
    let report = reports.first();
    let report = report.ok_or_else(|| Problem::new(Kind::NotFound, "there is no such rule"))?;
    Ok(json_response(&json!({ "data": report_json(report)? })))
}

fn report_json(report: &AlertReport) -> Result<Json, Problem> {
    let json = Json::from_serialize(&report.rule);
    let Ok(Json::Object(mut fields)) = json else {
        return Err(Problem::new(Kind::Internal, "a rule has no form in JSON"));
    };
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        let text = time.map(|time| chrono::DateTime::<chrono::Utc>::text_of(&time.to_value()));
        text.map_or(Json::Null, Json::from)
    };
    fields.insert("condition".to_owned(), report.condition.as_str().into());
    let webhook = report.webhook.as_deref().map_or(Json::Null, Json::from);
    fields.insert("webhook".to_owned(), webhook);
    let status = json!({
        "state": report.state,
        "since": time(report.since),
        "value": report.value,
        "evaluated_at": time(report.evaluated_at),
        "problem": report.problem.as_deref(),
    });
    fields.insert("status".to_owned(), status);
    Ok(Json::Object(fields))
}

fn id_of(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| {
        let detail = format!("there is no rule {id}: ids are numbers");
        Problem::new(Kind::NotFound, detail)
    })
}

fn invalid(error: Error) -> Problem {
    Problem::of(&error, Kind::InvalidQuery)
}

fn refused(error: Error) -> Problem {
    Problem::of(&error, Kind::InvalidRecord)
}
