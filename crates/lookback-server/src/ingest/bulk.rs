//! Elasticsearch's `_bulk`, as log shippers send it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use lookback::value::JsonMap;
use lookback::{Json, json};
use lookback_formats::{Decoder, Options};

use super::{Decoded, Ingest, json_response};
use crate::access::MayIngest;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// The version whose bulk API this is.
const VERSION: &str = "8.17.0";

/// What clients ask for before they send: which server it is.
pub(crate) async fn about(_access: MayIngest) -> Response {
    of_product(&json!({
        "name": "lookback",
        "cluster_name": "lookback",
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    }))
}

/// Stores the documents of a bulk as log lines and requests.
pub(crate) async fn bulk(
    State(shared): State<Arc<Shared>>,
    access: MayIngest,
    request: Request,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let ingest = Ingest {
        shared: &shared,
        access: &access,
        path: "/elastic/_bulk",
        headers: &parts.headers,
        body,
    };
    let options = ingest.options();
    let (send, actions) = tokio::sync::oneshot::channel();
    let outcome = ingest
        .run(move |body, decoded| {
            let (decoded, actions) = decode(body, options, decoded)?;
            // If nobody receives it, nobody waits for the answer.
            let _sent = send.send(actions);
            Ok(decoded)
        })
        .await?;
    let actions = actions.await.unwrap_or_default();
    let errors = outcome.json()["errors"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let problem_of = |number: usize| {
        let is_of = |error: &&Json| error["record"].as_u64() == Some(number as u64);
        errors.iter().find(is_of)
    };
    let items: Json = actions
        .iter()
        .enumerate()
        .map(|(index, action)| action.item(index + 1, problem_of(index + 1)))
        .collect();
    Ok(of_product(&json!({
        "took": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "errors": outcome.rejected() > 0,
        "items": items,
    })))
}

fn of_product(body: &Json) -> Response {
    let mut response = json_response(body).into_response();
    // Clients refuse a server without it.
    response.headers_mut().insert(
        "x-elastic-product",
        HeaderValue::from_static("Elasticsearch"),
    );
    response
}

/// The line before a document, which says what to do with it.
struct Action {
    name: &'static str,
    index: String,
    id: Option<String>,
}

impl Action {
    fn parse(line: &[u8]) -> Option<Self> {
        let Ok(Json::Object(map)) = Json::from_slice(line) else {
            return None;
        };
        let (name, about) = map.iter().next().filter(|_| map.len() == 1)?;
        let names = ["create", "index", "update", "delete"];
        let name = names.into_iter().find(|known| known == name)?;
        let text = |field: &str| about[field].as_str().map(str::to_owned);
        Some(Self {
            name,
            index: text("_index").unwrap_or_else(|| "logs".to_owned()),
            id: text("_id"),
        })
    }

    /// Its item of the answer.
    fn item(&self, number: usize, problem: Option<&Json>) -> Json {
        let id = self.id.clone().unwrap_or_else(|| number.to_string());
        let mut item = json!({ "_index": self.index.as_str(), "_id": id });
        if let Json::Object(map) = &mut item {
            match problem {
                None => {
                    map.insert("status".to_owned(), Json::from(201_u64));
                    map.insert("result".to_owned(), "created".into());
                }
                Some(problem) => {
                    map.insert("status".to_owned(), Json::from(400_u64));
                    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
                    let reason = format!("{}: {}", text("field"), text("problem"));
                    let error = json!({ "type": "document_parsing_exception", "reason": reason });
                    map.insert("error".to_owned(), error);
                }
            }
        }
        let mut outer = JsonMap::new();
        outer.insert(self.name.to_owned(), item);
        Json::Object(outer)
    }
}

/// Decodes pairs of an action and a document.
fn decode(
    body: &[u8],
    options: Options,
    mut decoded: Decoded,
) -> Result<(Decoded, Vec<Action>), Problem> {
    let mut decoder = Decoder::new(options);
    let mut actions = Vec::new();
    let mut entries = Vec::new();
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
    while let Some((index, line)) = lines.next() {
        let action = Action::parse(line).ok_or_else(|| {
            Problem::new(
                Kind::InvalidBody,
                format!(
                    "line {}: expected an action such as {{\"create\":{{}}}} before each document",
                    index + 1
                ),
            )
        })?;
        let number = actions.len() + 1;
        let name = action.name;
        actions.push(action);
        // The decoder numbers its lines: each action is one, also if there is nothing to decode.
        if name == "delete" {
            let _nothing = decoder.line(b"", &mut entries);
            decoded.reject_record(number, "a bulk cannot delete records");
            continue;
        }
        let Some((_, document)) = lines.next() else {
            return Err(Problem::new(
                Kind::InvalidBody,
                "the last action has no document behind it",
            ));
        };
        if name == "update" {
            let _nothing = decoder.line(b"", &mut entries);
            decoded.reject_record(number, "a bulk cannot update records");
            continue;
        }
        if let Err(problem) = decoder.line(document, &mut entries) {
            decoded.reject(&problem);
        }
        entries
            .drain(..)
            .for_each(|entry| decoded.push_entry(entry));
        if decoded.is_stopped() {
            break;
        }
    }
    decoder.finish(&mut entries);
    entries
        .drain(..)
        .for_each(|entry| decoded.push_entry(entry));
    Ok((decoded, actions))
}
