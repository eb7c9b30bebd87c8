//! Reading and changing records.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use lookback::query::{Cursor, Total};
use lookback::table::ColumnValues as _;
use lookback::{Error, Filter, Json, Model, QueryBuilder, json};
use serde::Serialize;

use crate::access::{IsAdmin, MayRead};
use crate::body::{Received, media_type};
use crate::ingest::json_response;
use crate::problem::{Kind, Problem, WrongField};
use crate::server::Shared;

/// Returns the routes of a model's records.
pub(crate) fn routes<M: Model + Serialize + Sync>(name: &str) -> Router<Arc<Shared>> {
    Router::new()
        .route(&format!("/{name}"), get(list::<M>))
        .route(
            &format!("/{name}/{{id}}"),
            get(read::<M>).patch(change::<M>).delete(delete::<M>),
        )
        .route(&format!("/{name}/{{id}}/restore"), post(restore::<M>))
}

/// The parameters that are no filters.
#[derive(Default)]
struct Parameters {
    search: Option<String>,
    order_by: Vec<String>,
    limit: Option<u32>,
    offset: u64,
    after: Option<String>,
    before: Option<String>,
    total: Option<u64>,
    deleted: Deleted,
    is_hard: bool,
    /// The others, as they were sent.
    filters: Vec<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Deleted {
    #[default]
    Without,
    With,
    Only,
}

impl Parameters {
    fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut parameters = Self::default();
        let mut wrong = Vec::new();
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let Err(problem) = parameters.take(name, value, pair) {
                wrong.push(WrongField {
                    record: None,
                    field: name.to_owned(),
                    problem,
                });
            }
        }
        if wrong.is_empty() {
            return Ok(parameters);
        }
        let texts: Vec<String> = wrong
            .iter()
            .map(|wrong| format!("{}: {}", wrong.field, wrong.problem))
            .collect();
        Err(Problem::new(Kind::InvalidQuery, texts.join("; ")).with_fields(wrong))
    }

    fn take(&mut self, name: &str, value: &str, pair: &str) -> Result<(), String> {
        let decoded = || lookback_json::form::decoded(value);
        let number = |most: u64| {
            let value = decoded();
            let number = value.parse().ok().filter(|number: &u64| *number <= most);
            number.ok_or_else(|| format!("expected a number from 0 to {most}, got {value}"))
        };
        match name {
            "search" => self.search = Some(decoded()),
            "order_by" => self
                .order_by
                .extend(decoded().split(',').map(str::to_owned)),
            "limit" => self.limit = u32::try_from(number(10_000)?).ok(),
            "offset" => self.offset = number(i64::MAX.unsigned_abs())?,
            "after" => self.after = Some(decoded()),
            "before" => self.before = Some(decoded()),
            "total" => {
                self.total = match decoded().as_str() {
                    "exact" => None,
                    "none" => Some(0),
                    _ => Some(number(i64::MAX.unsigned_abs()).map_err(|_| {
                        "expected exact, none, or the number to count to".to_owned()
                    })?),
                }
            }
            "deleted" => {
                self.deleted = match decoded().as_str() {
                    "without" => Deleted::Without,
                    "with" => Deleted::With,
                    "only" => Deleted::Only,
                    other => return Err(format!("expected without, with or only, got {other}")),
                }
            }
            "hard" => {
                self.is_hard = match decoded().as_str() {
                    "true" | "1" | "" => true,
                    "false" | "0" => false,
                    other => return Err(format!("expected true or false, got {other}")),
                }
            }
            _ => self.filters.push(pair.to_owned()),
        }
        Ok(())
    }

    /// Returns the query of the filters.
    fn filtered<M: Model>(&self) -> Result<QueryBuilder<M>, Problem> {
        let mut query = QueryBuilder::new();
        if !self.filters.is_empty() {
            let filter = Filter::from_query(&self.filters.join("&")).map_err(invalid)?;
            query = query.filter(filter);
        }
        Ok(match self.deleted {
            Deleted::Without => query,
            Deleted::With => query.with_deleted(),
            Deleted::Only => query.only_deleted(),
        })
    }
}

fn invalid(error: Error) -> Problem {
    Problem::of(&error, Kind::InvalidQuery)
}

async fn list<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref())?;
    let mut query = parameters
        .filtered::<M>()?
        .timeout(shared.settings.read_timeout)
        .limit(parameters.limit.unwrap_or(DEFAULT_LIMIT))
        .offset(parameters.offset);
    if let Some(words) = &parameters.search {
        query = query.search(words.as_str());
    }
    for order in &parameters.order_by {
        query = query.order_by_text(order).map_err(invalid)?;
    }
    if let Some(cursor) = &parameters.after {
        query = query.after(cursor.as_str());
    }
    if let Some(cursor) = &parameters.before {
        query = query.before(cursor.as_str());
    }
    if let Some(records) = parameters.total {
        query = query.total_up_to(records);
    }
    let mut conn = shared.connection().await?;
    let page = query.list(&mut *conn).await.map_err(invalid)?;
    let data: Vec<Json> = page
        .data
        .iter()
        .map(record_json)
        .collect::<Result<_, _>>()?;
    let cursor = |cursor: &Option<Cursor>| {
        cursor
            .as_ref()
            .map_or(Json::Null, |cursor| cursor.to_string().into())
    };
    let (total, is_exact) = match page.total {
        Total::Exact(total) => (Json::from(total), true),
        Total::AtLeast(0) => (Json::Null, false),
        total => (Json::from(total.value()), false),
    };
    Ok(json_response(&json!({
        "data": data,
        "metadata": {
            "limit": parameters.limit.unwrap_or(DEFAULT_LIMIT),
            "offset": parameters.offset,
            "total": total,
            "total_is_exact": is_exact,
            "next": cursor(&page.next),
            "previous": cursor(&page.previous),
        },
    })))
}

/// The records of a page, if a client does not say how many.
const DEFAULT_LIMIT: u32 = 50;

async fn read<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Parameters::parse(query.as_deref())?
        .filtered::<M>()?
        .timeout(shared.settings.read_timeout);
    let mut conn = shared.connection().await?;
    let record = query
        .get(&mut *conn, id_of::<M>(&id)?)
        .await
        .map_err(invalid)?;
    record_response(&record)
}

async fn change<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = id_of::<M>(&id)?;
    let (parts, body) = request.into_parts();
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
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref())?;
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
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let mut conn = shared.connection().await?;
    let restored = QueryBuilder::<M>::new()
        .restore(&mut *conn, id_of::<M>(&id)?)
        .await
        .map_err(invalid)?;
    record_response(&restored)
}

fn id_of<M: Model>(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| {
        let name = M::TABLE.name();
        Problem::new(
            Kind::NotFound,
            format!("{name} has no record {id}: ids are numbers"),
        )
    })
}

fn record_json(record: &impl Serialize) -> Result<Json, Problem> {
    Json::from_serialize(record).map_err(|error| {
        tracing::error!("{error}");
        Problem::new(Kind::Internal, "a record has no form in JSON")
    })
}

fn record_response(record: &impl Serialize) -> Result<Response, Problem> {
    Ok(json_response(&json!({ "data": record_json(record)? })))
}
