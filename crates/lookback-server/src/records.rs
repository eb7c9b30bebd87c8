//! Reading and changing records.
//!
//! Lists and single records are here; [`aggregate`] counts them, [`patterns`], [`similar`] and
//! [`context`] find what is like one or around it, and [`export`] writes them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use lookback::query::{Cursor, Total};
use lookback::search::Note;
use lookback::table::ColumnValues as _;
use lookback::{Error, Json, Log, Metric, Model, QueryBuilder, RequestSnapshot, User, json};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::access::{IsAdmin, MayRead};
use crate::body::{Received, media_type};
use crate::ingest::{data_response, json_response, object_of, text_response};
use crate::openapi::models::{self, object};
use crate::openapi::{Access, Operation};
use crate::parameters::{DEFAULT_LIMIT, Parameter, Parameters, PathText, Takes, invalid};
use crate::problem::{Kind, Problem};
use crate::server::Shared;

pub(crate) mod aggregate;
pub(crate) mod context;
pub(crate) mod export;
pub(crate) mod patterns;
pub(crate) mod similar;

/// Returns the routes of a model's records.
pub(crate) fn routes<M: Model + Serialize + Sync>(name: &str) -> Router<Arc<Shared>> {
    Router::new()
        .route(&format!("/{name}"), get(list::<M>))
        .route(
            &format!("/{name}/{{id}}"),
            get(read::<M>).patch(change::<M>).delete(delete::<M>),
        )
        .route(&format!("/{name}/{{id}}/restore"), post(restore::<M>))
        .route(&format!("/{name}/stats"), get(aggregate::stats::<M>))
        .route(&format!("/{name}/export"), get(export::export::<M>))
}

/// The operations of all records.
pub(crate) fn operations() -> Vec<Operation> {
    [
        operations_of::<Log>("logs"),
        operations_of::<RequestSnapshot>("requests"),
        operations_of::<Metric>("metrics"),
        operations_of::<User>("users"),
        in_order_of_time::<Log>("logs"),
        in_order_of_time::<RequestSnapshot>("requests"),
        vec![
            Operation::get(
                "/api/v1/logs/{id}/context",
                "The log lines around one",
                Access::Read,
            )
            .query::<Log>(context::CONTEXT)
            .json(
                200,
                "The line, and those before and after it by their time, the oldest first.",
                answer(
                    object([
                        ("before", models::list(models::record::<Log>())),
                        ("record", models::record::<Log>()),
                        ("after", models::list(models::record::<Log>())),
                    ]),
                    object([
                        ("lines", json!({ "type": "integer" })),
                        ("has_earlier", json!({ "type": ["boolean", "null"] })),
                        ("has_later", json!({ "type": ["boolean", "null"] })),
                    ]),
                ),
            )
            .problems(&[Kind::NotFound]),
        ],
    ]
    .concat()
}

/// The operations that the records of each model have.
fn operations_of<M: Model>(name: &str) -> Vec<Operation> {
    let one = format!("/api/v1/{name}/{{id}}");
    let record = || object([("data", models::record::<M>())]);
    let groups = object([
        ("by", json!({ "type": "object" })),
        ("of", json!({ "type": "object" })),
    ]);
    let texts = || models::list(json!({ "type": "string" }));
    let formats = export::Format::of(M::TABLE).iter();
    let formats = formats.map(|format| {
        let schema = match format {
            export::Format::Har => json!({ "type": "object" }),
            _ => json!({ "type": "string" }),
        };
        (format.media_type(), schema)
    });
    let formats: Vec<(&str, Json)> = formats.collect();
    vec![
        Operation::get(format!("/api/v1/{name}"), format!("A page of {name}"), Access::Read)
            .query::<M>(LIST)
            .json(
                200,
                "The records in order, or the hits of a search, the best first.",
                page_of(json!({ "anyOf": [models::record::<M>(), models::hit::<M>()] })),
            ),
        Operation::get(&*one, format!("A record of {name}"), Access::Read)
            .query::<M>(READ)
            .json(200, "The record.", record())
            .answer(304, "It has not changed since `if-none-match`.", &[])
            .problems(&[Kind::NotFound]),
        Operation::patch(&*one, format!("Changes a record of {name}"), Access::Admin)
            .query::<M>(NOTHING)
            .body(&[
                ("application/json", models::patch::<M>()),
                ("application/merge-patch+json", models::patch::<M>()),
            ])
            .json(200, "The record as it is now.", record())
            .problems(&[Kind::NotFound, Kind::Conflict, Kind::InvalidRecord]),
        Operation::delete(&*one, format!("Deletes a record of {name}"), Access::Admin)
            .query::<M>(DELETE)
            .answer(204, "It is deleted.", &[])
            .problems(&[Kind::NotFound, Kind::Conflict]),
        Operation::post(
            format!("{one}/restore"),
            format!("Restores a deleted record of {name}"),
            Access::Admin,
        )
        .query::<M>(NOTHING)
        .json(200, "The record.", record())
        .problems(&[Kind::NotFound, Kind::Conflict]),
        Operation::get(
            format!("/api/v1/{name}/stats"),
            format!("Counts and other measures of {name}"),
            Access::Read,
        )
        .query::<M>(aggregate::STATS)
        .json(
            200,
            "The groups in the order of their keys, or the top ones; one without keys for all records.",
            answer(models::list(groups), object([("by", texts()), ("measures", texts())])),
        ),
        Operation::get(
            format!("/api/v1/{name}/export"),
            format!("All {name}, as a stream"),
            Access::Read,
        )
        .query::<M>(export::EXPORT)
        .answer(200, "The records, the oldest first.", &formats),
    ]
}

/// The operations that records in the order of time have.
fn in_order_of_time<M: Model>(name: &str) -> Vec<Operation> {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let flag = || json!({ "type": "boolean" });
    let text = || json!({ "type": "string" });
    let value = object([("value", json!({})), ("count", count())]);
    let bucket = object([
        ("start", text()),
        ("count", count()),
        ("groups", models::list(value)),
    ]);
    let pattern = object([
        (
            "pattern",
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        ),
        ("count", count()),
        ("count_is_exact", flag()),
        (
            "share",
            json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        ),
        ("first", text()),
        ("last", text()),
        ("example", models::record::<M>()),
    ]);
    let patterns = object([
        ("limit", count()),
        ("offset", count()),
        ("total", count()),
        ("total_is_exact", flag()),
        ("records", count()),
        ("records_are_exact", flag()),
    ]);
    vec![
        Operation::get(
            format!("/api/v1/{name}/histogram"),
            format!("The number of {name} over time"),
            Access::Read,
        )
        .query::<M>(aggregate::HISTOGRAM)
        .json(
            200,
            "The buckets that have records, in order.",
            answer(
                models::list(bucket),
                object([
                    ("bucket", text()),
                    ("by", models::nullable(text())),
                    ("total", count()),
                ]),
            ),
        ),
        Operation::get(
            format!("/api/v1/{name}/patterns"),
            format!("The number of {name} of each pattern"),
            Access::Read,
        )
        .query::<M>(patterns::PATTERNS)
        .json(
            200,
            "The most frequent first.",
            answer(models::list(pattern), patterns),
        ),
        Operation::get(
            format!("/api/v1/{name}/{{id}}/similar"),
            format!("The {name} that are similar to one"),
            Access::Read,
        )
        .query::<M>(similar::SIMILAR)
        .json(200, "The nearest first.", page_of(models::hit::<M>()))
        .problems(&[Kind::NotFound]),
    ]
}

/// An answer with data and metadata.
pub(crate) fn answer(data: Json, metadata: Json) -> Json {
    object([("data", data), ("metadata", metadata)])
}

/// An answer with a page of records.
pub(crate) fn page_of(item: Json) -> Json {
    answer(models::list(item), models::reference("PageMetadata"))
}

/// Returns the routes that only records in the order of time have.
pub(crate) fn of_logs_and_requests() -> Router<Arc<Shared>> {
    Router::new()
        .route("/logs/histogram", get(aggregate::histogram::<Log>))
        .route("/logs/patterns", get(patterns::patterns::<Log>))
        .route("/logs/{id}/similar", get(similar::similar::<Log>))
        .route("/logs/{id}/context", get(context::context))
        .route(
            "/requests/histogram",
            get(aggregate::histogram::<RequestSnapshot>),
        )
        .route(
            "/requests/patterns",
            get(patterns::patterns::<RequestSnapshot>),
        )
        .route(
            "/requests/{id}/similar",
            get(similar::similar::<RequestSnapshot>),
        )
}

/// What a list takes.
pub(crate) const LIST: Takes = Takes::filters_and(&[
    Parameter::Search,
    Parameter::Hits,
    Parameter::Fold,
    Parameter::OrderBy,
    Parameter::Limit,
    Parameter::Offset,
    Parameter::After,
    Parameter::Before,
    Parameter::Total,
    Parameter::Deleted,
]);
/// What a single record takes.
pub(crate) const READ: Takes = Takes::only(&[Parameter::Deleted]);
pub(crate) const DELETE: Takes = Takes::only(&[Parameter::Hard, Parameter::Deleted]);
pub(crate) const NOTHING: Takes = Takes::only(&[]);

pub(crate) async fn list<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    page::<M>(&shared, query.as_deref()).await
}

/// Answers a list with a page of records.
pub(crate) async fn page<M: Model + Serialize + Sync>(
    shared: &Shared,
    query: Option<&str>,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query, LIST)?;
    let mut query = parameters.filtered::<M>()?;
    if let Some(words) = &parameters.search {
        query = query.search(words.as_str());
    }
    list_of(shared, &parameters, query).await
}

/// Answers a page of a query: its records, or its hits with their reasons.
pub(crate) async fn list_of<M: Model + Serialize + Sync>(
    shared: &Shared,
    parameters: &Parameters,
    query: QueryBuilder<M>,
) -> Result<Response, Problem> {
    let query = query
        .timeout(shared.settings.read_timeout)
        .max_page_bytes(shared.settings.page_bytes as u64);
    let query = parameters.paged(query)?;
    let mut conn = shared.connection().await?;
    if !parameters.hits && !parameters.fold {
        let page = query.list(&mut *conn).await;
        let page = page.map_err(invalid)?;
        // Written as they are, and not through values: most of the time of a large page.
        let data = serde_json::to_string(&page.data).map_err(no_json)?;
        let metadata = page_metadata(parameters, page.total, &page.next, &page.previous);
        return Ok(text_response(format!(
            "{{\"data\":{data},\"metadata\":{metadata}}}"
        )));
    }
    let query = if parameters.fold {
        query.fold_copies()
    } else {
        query
    };
    let hits = query.hits(&mut *conn).await;
    let hits = hits.map_err(invalid)?;
    let data = hits.data.iter().map(|hit| hit.to_json().map_err(no_json));
    let data: Vec<Json> = data.collect::<Result<_, _>>()?;
    let mut metadata = page_metadata(parameters, hits.total, &hits.next, &hits.previous);
    if let Json::Object(metadata) = &mut metadata {
        if let Some(rows) = hits.folded {
            metadata.insert("rows".to_owned(), rows.value().into());
            metadata.insert("rows_are_exact".to_owned(), rows.is_exact().into());
        }
        let notes = hits.notes.iter().filter_map(note_json);
        metadata.insert("notes".to_owned(), notes.collect());
    }
    Ok(data_response(data, metadata))
}

fn page_metadata(
    parameters: &Parameters,
    total: Total,
    next: &Option<Cursor>,
    previous: &Option<Cursor>,
) -> Json {
    let cursor = |cursor: &Option<Cursor>| {
        cursor
            .as_ref()
            .map_or(Json::Null, |cursor| cursor.to_string().into())
    };
    let (total, is_exact) = match total {
        Total::Exact(total) => (Json::from(total), true),
        Total::AtLeast(0) => (Json::Null, false),
        total => (Json::from(total.value()), false),
    };
    json!({
        "limit": parameters.limit.unwrap_or(DEFAULT_LIMIT),
        "offset": parameters.offset,
        "total": total,
        "total_is_exact": is_exact,
        "next": cursor(next),
        "previous": cursor(previous),
    })
}

/// How a part of a search text was read, where a person might not expect it.
fn note_json(note: &Note) -> Option<Json> {
    match note {
        Note::Excluded(text) => Some(json!({ "kind": "excluded", "text": text.as_str() })),
        Note::NotAField(text) => Some(json!({ "kind": "not_a_field", "text": text.as_str() })),
        _ => None,
    }
}

pub(crate) async fn read<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), READ)?;
    let record = record_of::<M>(&shared, &parameters, &id).await?;
    let json = object_of([("data", record_json(&record)?)]);
    Ok(tagged(&json.to_string(), &headers))
}

/// Reads a record by its id in the path.
pub(crate) async fn record_of<M: Model>(
    shared: &Shared,
    parameters: &Parameters,
    id: &str,
) -> Result<M, Problem> {
    let id = id_of::<M>(id)?;
    let query = parameters
        .filtered::<M>()?
        .timeout(shared.settings.read_timeout);
    let mut conn = shared.connection().await?;
    let record = query.get(&mut *conn, id).await;
    record.map_err(invalid)
}

/// An answer of JSON with a tag by which a client may ask whether it has changed.
pub(crate) fn tagged(json: &str, headers: &HeaderMap) -> Response {
    let hash = Sha256::digest(json.as_bytes());
    let hash = hash[..12].iter().map(|byte| format!("{byte:02x}"));
    // Weak: it is the same for an answer that is compressed.
    let tag = format!("W/\"{}\"", hash.collect::<String>());
    let mut response = if knows_tag(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        text_response(json.to_owned())
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Whether a client has what a tag stands for, which is weak.
pub(crate) fn knows_tag(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).into_iter();
    let known = known.filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
    let strong = tag.trim_start_matches("W/");
    known.any(|known| known == "*" || known.trim_start_matches("W/") == strong)
}

async fn change<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    PathText(id): PathText,
    request: Request,
) -> Result<Response, Problem> {
    let id = id_of::<M>(&id)?;
    let (parts, body) = request.into_parts();
    Parameters::parse(parts.uri.query(), NOTHING)?;
    let media_type = media_type(&parts.headers);
    if media_type != "application/json" && media_type != "application/merge-patch+json" {
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
            "the body must be an object of JSON with the fields to change",
        ));
    };
    let refused = |error: Error| Problem::of(&error, Kind::InvalidRecord);
    let patch = M::Patch::from_json(map).map_err(refused)?;
    let mut conn = shared.connection().await?;
    let changed = QueryBuilder::<M>::new().update(&mut *conn, id, patch).await;
    record_response(&changed.map_err(refused)?)
}

async fn delete<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), DELETE)?;
    let query = parameters.filtered::<M>()?;
    let id = id_of::<M>(&id)?;
    let mut conn = shared.connection().await?;
    let deleted = if parameters.is_hard {
        query.hard_delete(&mut *conn, id).await
    } else {
        query.delete(&mut *conn, id).await
    };
    deleted.map_err(invalid)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn restore<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::parse(query.as_deref(), NOTHING)?;
    let mut conn = shared.connection().await?;
    let restored = QueryBuilder::<M>::new()
        .restore(&mut *conn, id_of::<M>(&id)?)
        .await
        .map_err(invalid)?;
    record_response(&restored)
}

pub(crate) fn id_of<M: Model>(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| {
        let name = M::TABLE.name();
        Problem::new(
            Kind::NotFound,
            format!("{name} has no record {id}: ids are numbers"),
        )
    })
}

pub(crate) fn record_json(record: &impl Serialize) -> Result<Json, Problem> {
    Json::from_serialize(record).map_err(no_json)
}

pub(crate) fn no_json(error: impl std::fmt::Display) -> Problem {
    tracing::error!("{error}");
    Problem::new(Kind::Internal, "a record has no form in JSON")
}

pub(crate) fn record_response(record: &impl Serialize) -> Result<Response, Problem> {
    Ok(json_response(&object_of([("data", record_json(record)?)])))
}
