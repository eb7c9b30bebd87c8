//! The document of the API (OpenAPI 3.1), and a page that shows it.
//!
//! Each operation is described beside its handler: a module with routes has a function `operations`,
//! which [`operations`] lists. The parameters are those that the handler parses, and the schemas and
//! filters of models come from their definitions. A test finds routes that the document lacks.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use lookback::value::JsonMap;
use lookback::{
    AlertChange, AlertRule, ApiKey, Json, Log, Metric, RequestSnapshot, SavedSearch, User, json,
};

use crate::problem::Kind;
use crate::server::Shared;
use crate::{
    alerts, health, ingest, keys, mcp, page, records, replay, saved_searches, sessions, status,
    storage, tail, telemetry, traces, users, windows,
};

pub(crate) mod models;
mod operation;

pub(crate) use operation::{Access, Operation};

use models::{list, nullable, object, object_with, reference};

/// All operations of the server.
fn operations() -> Vec<Operation> {
    [
        health::operations(),
        ingest::operations(),
        records::operations(),
        windows::operations(),
        traces::operations(),
        replay::operations(),
        tail::operations(),
        users::operations(),
        keys::operations(),
        sessions::operations(),
        alerts::routes::operations(),
        mcp::operations(),
        telemetry::operations(),
        saved_searches::operations(),
        storage::operations(),
        status::operations(),
        page::operations(),
        self_operations(),
    ]
    .concat()
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/openapi.json", get(document))
        .route("/docs", get(page))
        .route("/docs/page.js", get(script))
        .route("/docs/page.css", get(style))
}

fn self_operations() -> Vec<Operation> {
    let file = |media_type| [(media_type, json!({ "type": "string" }))];
    let open = |path, summary| Operation::get(path, summary, Access::Open);
    let document = open("/api/v1/openapi.json", "This document").json(
        200,
        "The document.",
        json!({ "type": "object" }),
    );
    vec![
        document.answer(304, "It has not changed.", &[]),
        open("/docs", "A page that shows this document").answer(
            200,
            "The page.",
            &file("text/html"),
        ),
        open("/docs/page.js", "The script of the page").answer(
            200,
            "The script.",
            &file("text/javascript"),
        ),
        open("/docs/page.css", "The style of the page").answer(
            200,
            "The style.",
            &file("text/css"),
        ),
    ]
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| build().to_string());

async fn document(headers: HeaderMap) -> Response {
    records::tagged(&DOCUMENT, &headers)
}

async fn page() -> Response {
    file(
        "text/html; charset=utf-8",
        include_str!("openapi/page.html"),
    )
}

async fn script() -> Response {
    file(
        "text/javascript; charset=utf-8",
        include_str!("openapi/page.js"),
    )
}

async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("openapi/page.css"))
}

/// A file of the page, which may load nothing from elsewhere and run no script that it contains.
fn file(media_type: &'static str, text: &'static str) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                          connect-src 'self'; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";
    let headers: [(HeaderName, &str); 4] = [
        (CONTENT_TYPE, media_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}

/// Builds the document.
fn build() -> Json {
    let mut schemas = shared_schemas();
    let mut parameters = JsonMap::new();
    models::insert::<Log>(&mut schemas, &mut parameters);
    models::insert::<RequestSnapshot>(&mut schemas, &mut parameters);
    models::insert::<Metric>(&mut schemas, &mut parameters);
    models::insert::<User>(&mut schemas, &mut parameters);
    models::insert::<ApiKey>(&mut schemas, &mut parameters);
    models::insert::<AlertRule>(&mut schemas, &mut parameters);
    models::insert::<AlertChange>(&mut schemas, &mut parameters);
    models::insert::<SavedSearch>(&mut schemas, &mut parameters);
    let mut paths = JsonMap::new();
    for operation in operations() {
        operation.insert_into(&mut paths);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lookback",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Takes in log lines, requests and latency windows, and reads them. \
                            An error is a problem of RFC 9457, whose `type` is the address of a page \
                            about it.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": Json::Object(paths),
        "components": {
            "schemas": Json::Object(schemas),
            "parameters": Json::Object(parameters),
            "responses": Json::Object(problem_responses()),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `lookback keys create`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "lookback_session",
                    "description": "The session of a user who has logged in (over https \
                                    `__Host-lookback_session`). A change also needs the header \
                                    `x-csrf-token`, with the token of `GET /api/v1/session`.",
                },
            },
        },
    })
}

/// The answers for problems, by their status.
fn problem_responses() -> JsonMap {
    let mut responses = JsonMap::new();
    for kind in Kind::ALL {
        let status = kind.status().as_u16();
        let same = Kind::ALL
            .into_iter()
            .filter(|other| other.status() == kind.status());
        let about = same.map(|kind| format!("[{}]({})", kind.title(), kind.page()));
        let about: Vec<String> = about.collect();
        let mut response = JsonMap::from([
            ("description".to_owned(), about.join(", ").into()),
            (
                "content".to_owned(),
                json!({ "application/problem+json": { "schema": reference("Problem") } }),
            ),
        ]);
        let header = |schema: Json| json!({ "schema": schema });
        match status {
            401 => {
                let header = header(json!({ "type": "string" }));
                response.insert("headers".to_owned(), json!({ "www-authenticate": header }));
            }
            429 | 503 => {
                let header = header(json!({ "type": "integer" }));
                response.insert("headers".to_owned(), json!({ "retry-after": header }));
            }
            _ => {}
        }
        responses.insert(status.to_string(), Json::Object(response));
    }
    responses
}

/// The schemas that are not those of one model.
fn shared_schemas() -> JsonMap {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "number" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let flag = || json!({ "type": "boolean" });
    let time = || json!({ "type": "string" });
    let kinds = Kind::ALL.iter().map(|kind| Json::from(kind.page()));
    let wrong = object_with(
        [("field", text()), ("problem", text())],
        [("record", json!({ "type": "integer", "minimum": 1 }))],
    );
    let problem = object_with(
        [
            ("type", json!({ "enum": kinds.collect::<Vec<Json>>() })),
            ("title", text()),
            (
                "status",
                json!({ "type": "integer", "minimum": 400, "maximum": 599 }),
            ),
            ("detail", text()),
        ],
        [("errors", list(reference("WrongField")))],
    );
    let page = object_with(
        [
            ("limit", count()),
            ("offset", count()),
            ("total", nullable(count())),
            ("total_is_exact", flag()),
            ("next", nullable(text())),
            ("previous", nullable(text())),
        ],
        [
            ("rows", count()),
            ("rows_are_exact", flag()),
            (
                "notes",
                list(object([
                    ("kind", json!({ "enum": ["excluded", "not_a_field"] })),
                    ("text", text()),
                ])),
            ),
        ],
    );
    let word = object([
        ("word", text()),
        (
            "kind",
            json!({
                "enum": ["exact", "start", "part", "inflection", "misspelling", "similar"],
            }),
        ),
        ("field", text()),
        ("matched", text()),
        ("quality", number()),
        ("weight", number()),
    ]);
    let why = object([
        ("words", list(word)),
        ("phrase", flag()),
        ("similarity", nullable(number())),
    ]);
    let range = json!({ "type": "array", "items": count(), "minItems": 2, "maxItems": 2 });
    let highlight = object([
        ("field", text()),
        ("text", text()),
        ("ranges", list(range.clone())),
    ]);
    let copies = object([
        ("count", count()),
        ("count_is_exact", flag()),
        ("first", time()),
        ("last", time()),
    ]);
    let hit = object_with(
        [
            ("score", number()),
            ("why", why),
            ("highlights", list(highlight)),
        ],
        [("copies", copies)],
    );
    let totals = [
        ("requests", count()),
        ("errors", count()),
        (
            "error_rate",
            json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        ),
        ("request_size", count()),
        ("response_size", count()),
        ("measured", count()),
        (
            "percentiles",
            json!({
                "type": "object",
                "propertyNames": { "pattern": "^p[0-9]{1,3}$" },
                "additionalProperties": { "anyOf": [count(), { "type": "null" }] },
            }),
        ),
    ];
    let latency = ("latency", list(range));
    let group = [("start", time()), ("endpoint", text()), latency.clone()];
    JsonMap::from([
        ("WrongField".to_owned(), wrong),
        ("Problem".to_owned(), problem),
        ("PageMetadata".to_owned(), page),
        ("Hit".to_owned(), hit),
        (
            "WindowTotals".to_owned(),
            object_with(totals.clone(), [latency]),
        ),
        ("WindowGroup".to_owned(), object_with(totals, group)),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lookback::Json;
    use lookback::filter::Lookup;
    use lookback::{Filter, Log, Model, RequestSnapshot};

    use super::{build, operations};

    /// All references of a document.
    fn references<'a>(json: &'a Json, found: &mut BTreeSet<&'a str>) {
        match json {
            Json::Object(map) => {
                for (name, value) in map {
                    match value.as_str() {
                        Some(text) if name == "$ref" => {
                            found.insert(text);
                        }
                        _ => references(value, found),
                    }
                }
            }
            Json::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_component() {
        let document = build();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 500, "{}", found.len());
        for reference in found {
            let path = reference.strip_prefix("#/").unwrap();
            let target = path
                .split('/')
                .try_fold(&document, |json, name| json.get(name));
            assert!(target.is_some(), "{reference}");
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let operations = operations();
        let names: BTreeSet<_> = operations
            .iter()
            .map(|operation| (operation.method, operation.path.as_str()))
            .collect();
        assert_eq!(names.len(), operations.len());
        let document = build();
        let mut ids = BTreeSet::new();
        let paths = document["paths"].as_object().unwrap();
        for operation in paths
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
        {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()));
        }
        assert_eq!(ids.len(), operations.len());
    }

    /// The document has the lookups that a filter takes, and a filter takes those that it has.
    #[test]
    fn filters_of_the_document_are_those_of_the_parser() {
        fn check<M: Model>() {
            let document = build();
            let parameters = document["components"]["parameters"].as_object().unwrap();
            for column in M::TABLE.columns() {
                let names = Lookup::all().iter().flat_map(Lookup::names);
                for name in names {
                    let component = format!("{}.{}__{name}", M::TABLE.name(), column.name());
                    let text = format!("{}__{name}=no such value", column.name());
                    let error = Filter::<M>::parse(&text)
                        .err()
                        .map(|error| error.to_string());
                    let error = error.unwrap_or_default();
                    let is_refused = error.contains("lookup") || error.contains("is not a field");
                    assert_eq!(
                        parameters.contains_key(component.as_str()),
                        !is_refused,
                        "{component}: {error}"
                    );
                }
            }
        }
        check::<Log>();
        check::<RequestSnapshot>();
    }
}
