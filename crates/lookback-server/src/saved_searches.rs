//! Searches of the web page that a team keeps under names.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use lookback::table::ColumnValues as _;
use lookback::value::JsonMap;
use lookback::{Error, Json, NewSavedSearch, SavedSearch, SavedSearchPatch, json};

use crate::access::MaySaveSearches;
use crate::body;
use crate::ingest::json_response;
use crate::openapi::models::{self, object, object_with};
use crate::openapi::{Access, Operation};
use crate::parameters::Parameters;
use crate::problem::{Kind, Problem, WrongField};
use crate::records;
use crate::server::Shared;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/saved_searches",
            get(records::list::<SavedSearch>).post(create),
        )
        .route(
            "/saved_searches/{id}",
            get(records::read::<SavedSearch>)
                .patch(change)
                .delete(delete),
        )
}

pub(crate) fn operations() -> Vec<Operation> {
    let record = models::record::<SavedSearch>;
    let one = || object([("data", record())]);
    let view = json!({ "enum": ["overview", "logs", "requests", "metrics"] });
    let fields = [
        ("name", json!({ "type": "string", "minLength": 1 })),
        ("view", view),
        ("parameters", json!({ "type": "string" })),
    ];
    let patch = object_with([], fields.clone());
    let change = |summary| {
        Operation::patch("/api/v1/saved_searches/{id}", summary, Access::Admin).about(USERS)
    };
    vec![
        Operation::get(
            "/api/v1/saved_searches",
            "A page of saved searches",
            Access::Read,
        )
        .query::<SavedSearch>(records::LIST)
        .json(
            200,
            "The searches.",
            records::page_of(json!({ "anyOf": [record(), models::hit::<SavedSearch>()] })),
        ),
        Operation::post("/api/v1/saved_searches", "Saves a search", Access::Admin)
            .about(USERS)
            .about(
                "`parameters` are those of the address of the view: `search=timeout&level=error`.",
            )
            .body(&[("application/json", object(fields))])
            .json(201, "The search.", one())
            .problems(&[Kind::InvalidQuery, Kind::InvalidRecord, Kind::Conflict]),
        Operation::get(
            "/api/v1/saved_searches/{id}",
            "A saved search",
            Access::Read,
        )
        .query::<SavedSearch>(records::READ)
        .json(200, "The search.", one())
        .answer(304, "It has not changed.", &[])
        .problems(&[Kind::NotFound]),
        change("Changes a saved search")
            .body(&[
                ("application/json", patch.clone()),
                ("application/merge-patch+json", patch),
            ])
            .json(200, "The search as it is now.", one())
            .problems(&[
                Kind::InvalidQuery,
                Kind::NotFound,
                Kind::InvalidRecord,
                Kind::Conflict,
            ]),
        Operation::delete(
            "/api/v1/saved_searches/{id}",
            "Deletes a saved search",
            Access::Admin,
        )
        .about(USERS)
        .answer(204, "It is deleted.", &[])
        .problems(&[Kind::InvalidQuery, Kind::NotFound]),
    ]
}

const USERS: &str = "Every user who is logged in may do it, since saved searches are the team's.";

async fn create(
    State(shared): State<Arc<Shared>>,
    access: MaySaveSearches,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let fields = body::map(&shared, &parts.headers, body).await?;
    check(&parts, &fields)?;
    let mut new = NewSavedSearch::from_json(fields).map_err(refused)?;
    new.created_by = access.user;
    let mut conn = shared.connection().await?;
    let created = SavedSearch::records().create(&mut *conn, new).await;
    let mut response = answer(&created.map_err(refused)?)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn change(
    State(shared): State<Arc<Shared>>,
    _access: MaySaveSearches,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = records::id_of::<SavedSearch>(&id)?;
    let (parts, body) = request.into_parts();
    let fields = body::map(&shared, &parts.headers, body).await?;
    check(&parts, &fields)?;
    let patch = SavedSearchPatch::from_json(fields).map_err(refused)?;
    let mut conn = shared.connection().await?;
    let changed = SavedSearch::records().update(&mut *conn, id, patch).await;
    answer(&changed.map_err(refused)?)
}

async fn delete(
    State(shared): State<Arc<Shared>>,
    _access: MaySaveSearches,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = records::id_of::<SavedSearch>(&id)?;
    let mut conn = shared.connection().await?;
    let deleted = SavedSearch::records().delete(&mut *conn, id).await;
    deleted.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Checks what the definition of the table does not.
fn check(parts: &Parts, fields: &JsonMap) -> Result<(), Problem> {
    Parameters::parse(parts.uri.query(), records::NOTHING)?;
    let wrong = |field: &str, problem: &str| {
        let wrong = WrongField {
            record: None,
            field: field.to_owned(),
            problem: problem.to_owned(),
        };
        Problem::new(Kind::InvalidRecord, format!("{field}: {problem}")).with_fields(vec![wrong])
    };
    if fields.contains_key("created_by") {
        return Err(wrong("created_by", "is set by the server"));
    }
    match fields.get("parameters").and_then(Json::as_str) {
        Some(text) if !is_query(text) => Err(wrong(
            "parameters",
            "must be the query of an address, percent-encoded, such as search=timeout&level=error",
        )),
        _ => Ok(()),
    }
}

/// Whether a text can stand behind the `?` of an address as it is.
fn is_query(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
    !text.starts_with('?') && text.bytes().all(is_allowed)
}

fn answer(search: &SavedSearch) -> Result<Response, Problem> {
    let data = records::record_json(search)?;
    Ok(json_response(&json!({ "data": data })))
}

fn refused(error: Error) -> Problem {
    Problem::of(&error, Kind::InvalidRecord)
}

#[cfg(test)]
mod tests {
    use super::is_query;

    #[test]
    fn parameters_are_those_of_an_address() {
        for text in [
            "",
            "search=timeout&level=error",
            "search=a+b%20c&created_at__gte=2026-11-29T10:00:00Z",
            "meta.user.id=42&range=1h&columns=a,b",
        ] {
            assert!(is_query(text), "{text}");
        }
        for text in [
            "?a=1",
            "a=b c",
            "a#b",
            "a=\"b\"",
            "a=<script>",
            "a=é",
            "a=\n",
        ] {
            assert!(!is_query(text), "{text}");
        }
    }
}
