//! The records of a trace.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use lookback::value::ColumnValue as _;
use lookback::{Json, Log, RequestSnapshot, json};

use crate::access::MayRead;
use crate::ingest::{data_response, object_of};
use crate::openapi::models::{self, list, object};
use crate::openapi::{Access, Operation};
use crate::parameters::{Parameter, Parameters, PathText, Takes, invalid};
use crate::problem::{Kind, Problem};
use crate::records::{answer, list_of, page_of, record_json, record_of};
use crate::server::Shared;

pub(crate) const TRACE: Takes = Takes::only(&[Parameter::Limit]);
pub(crate) const LOGS: Takes = Takes::filters_and(&[
    Parameter::OrderBy,
    Parameter::Limit,
    Parameter::Offset,
    Parameter::After,
    Parameter::Before,
    Parameter::Total,
]);

/// The records of a trace, if a client does not say how many.
pub(crate) const DEFAULT_TRACE_LIMIT: u32 = 1_000;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/requests/{id}/logs", get(logs_of_request))
        .route("/traces/{trace_id}", get(trace))
}

pub(crate) fn operations() -> Vec<Operation> {
    let item = |kinds: &[&str], record: Json| {
        object([
            (
                "kind",
                json!({ "enum": kinds.iter().copied().map(Json::from).collect::<Vec<Json>>() }),
            ),
            ("time", json!({ "type": "string" })),
            ("record", record),
        ])
    };
    let items = json!({
        "anyOf": [
            item(&["request", "call"], models::record::<RequestSnapshot>()),
            item(&["log"], models::record::<Log>()),
        ],
    });
    vec![
        Operation::get(
            "/api/v1/requests/{id}/logs",
            "The log lines of the trace of a request",
            Access::Read,
        )
        .query::<Log>(LOGS)
        .json(
            200,
            "The lines, the oldest first; none if the request has no trace.",
            page_of(models::record::<Log>()),
        )
        .problems(&[Kind::NotFound]),
        Operation::get(
            "/api/v1/traces/{trace_id}",
            "The requests, calls and log lines of a trace",
            Access::Read,
        )
        .about("Calls are requests that the application sent itself.")
        .query::<Log>(TRACE)
        .json(
            200,
            "All of them in the order of their times.",
            answer(
                list(items),
                object([
                    ("limit", json!({ "type": "integer" })),
                    ("is_complete", json!({ "type": "boolean" })),
                ]),
            ),
        )
        .problems(&[Kind::NotFound]),
    ]
}

/// Answers the log lines of the trace of a request, the oldest first.
async fn logs_of_request(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::parse(query.as_deref(), LOGS)?;
    let request = record_of::<RequestSnapshot>(&shared, &Parameters::default(), &id).await?;
    let query = parameters.filtered::<Log>()?;
    let query = match request.trace_id {
        Some(trace_id) => query.filter(Log::trace_id().eq(trace_id)),
        // It was captured without a trace, and no line belongs to it.
        None => query.filter(lookback::Filter::none()),
    };
    if parameters.order_by.is_empty() {
        parameters.order_by = vec!["created_at".to_owned(), "id".to_owned()];
    }
    list_of(&shared, &parameters, query).await
}

/// A record of a trace.
struct Item {
    time: DateTime<Utc>,
    kind: &'static str,
    id: i64,
    record: Json,
}

/// Answers the requests, calls and log lines of a trace, in one order.
async fn trace(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    PathText(trace_id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), TRACE)?;
    let limit = parameters.limit.unwrap_or(DEFAULT_TRACE_LIMIT);
    // One more tells whether there are others.
    let wanted = limit.saturating_add(1).min(10_000);
    let timeout = shared.settings.read_timeout;
    let page_bytes = shared.settings.page_bytes as u64;
    let requests = RequestSnapshot::records()
        .filter(RequestSnapshot::trace_id().eq(trace_id.as_str()))
        .order_by(RequestSnapshot::timestamp().asc())
        .order_by(RequestSnapshot::id().asc())
        .limit(wanted)
        .without_total()
        .max_page_bytes(page_bytes)
        .timeout(timeout);
    let logs = Log::records()
        .filter(Log::trace_id().eq(trace_id.as_str()))
        .order_by(Log::created_at().asc())
        .order_by(Log::id().asc())
        .limit(wanted)
        .without_total()
        .max_page_bytes(page_bytes)
        .timeout(timeout);
    let mut conn = shared.connection().await?;
    let pages = async {
        let requests = requests.list(&mut *conn).await?;
        Ok((requests, logs.list(&mut *conn).await?))
    };
    let pages = pages.await;
    let (requests, logs) = pages.map_err(invalid)?;
    let has_more = requests.next.is_some() || logs.next.is_some();
    let mut items = Vec::with_capacity(requests.data.len() + logs.data.len());
    for request in &requests.data {
        let headers = request.headers.as_ref();
        let direction = headers.and_then(|headers| headers.get("direction")?.as_str());
        items.push(Item {
            time: request.timestamp,
            kind: if direction == Some("outgoing") {
                "call"
            } else {
                "request"
            },
            id: request.id,
            record: record_json(request)?,
        });
    }
    for log in &logs.data {
        items.push(Item {
            time: log.created_at,
            kind: "log",
            id: log.id,
            record: record_json(log)?,
        });
    }
    if items.is_empty() && limit > 0 {
        return Err(Problem::new(
            Kind::NotFound,
            format!("no record has the trace id {trace_id}"),
        ));
    }
    // Of one moment, the request comes before what it did.
    items.sort_by_key(|item| (item.time, item.kind != "request", item.kind, item.id));
    // Behind the end of either page, records of it would be missing between those of the other.
    let ends = [
        (
            requests.next.is_some(),
            requests.data.last().map(|request| request.timestamp),
        ),
        (
            logs.next.is_some(),
            logs.data.last().map(|log| log.created_at),
        ),
    ];
    for (_, end) in ends.into_iter().filter(|(has_more, _)| *has_more) {
        items.retain(|item| end.is_none_or(|end| item.time <= end));
    }
    let is_complete = !has_more && items.len() <= limit as usize;
    items.truncate(limit as usize);
    let data = items.into_iter().map(|item| {
        let time = DateTime::<Utc>::text_of(&item.time.to_value());
        object_of([
            ("kind", item.kind.into()),
            ("time", time.into()),
            ("record", item.record),
        ])
    });
    let metadata = json!({ "limit": limit, "is_complete": is_complete });
    Ok(data_response(data.collect::<Vec<Json>>(), metadata))
}
