//! An operation of the document: a method of a path, described beside its handler.

use lookback::value::JsonMap;
use lookback::{Json, Model, json};

use super::models;
use crate::parameters::{Parameter, Takes};
use crate::problem::Kind;
use crate::records::export::Format;

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Open,
    /// Keys that may store records.
    Ingest,
    /// Keys that may read records.
    Read,
    /// Keys that may do everything.
    Admin,
    /// Users that are logged in.
    Session,
}

/// A method of a path.
///
/// ```ignore
/// Operation::get("/api/v1/logs/{id}/context", "The log lines around one", Access::Read)
///     .query::<Log>(CONTEXT)
///     .json(200, "The line, and those before and after it.", schema)
///     .problems(&[Kind::NotFound])
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// The path as the router has it.
    pub(crate) path: String,
    summary: String,
    about: String,
    access: Access,
    parameters: Vec<Json>,
    body: Option<Json>,
    answers: JsonMap,
    problems: Vec<Kind>,
    /// Other contents that a problem may have, by media type.
    problem_contents: JsonMap,
}

impl Operation {
    fn new(
        method: &'static str,
        path: impl Into<String>,
        summary: impl Into<String>,
        access: Access,
    ) -> Self {
        let path = path.into();
        let mut parameters = Vec::new();
        for (at, _) in path.match_indices('{') {
            let name = path[at + 1..].split('}').next().unwrap_or_default();
            let schema = if name == "id" {
                json!({ "type": "integer", "format": "int64" })
            } else {
                json!({ "type": "string", "minLength": 1 })
            };
            let name = name.trim_start_matches('*');
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
        let problems: &[Kind] = match access {
            Access::Open => &[Kind::TooManyRequests],
            _ => &[
                Kind::TooManyRequests,
                Kind::NotAuthenticated,
                Kind::NotAllowed,
                Kind::Internal,
                Kind::Busy,
                Kind::Unavailable,
            ],
        };
        Self {
            method,
            path,
            summary: summary.into(),
            about: String::new(),
            access,
            parameters,
            body: None,
            answers: JsonMap::new(),
            problems: problems.to_vec(),
            problem_contents: JsonMap::new(),
        }
    }

    pub(crate) fn get(path: impl Into<String>, summary: impl Into<String>, access: Access) -> Self {
        Self::new("get", path, summary, access)
    }

    pub(crate) fn post(
        path: impl Into<String>,
        summary: impl Into<String>,
        access: Access,
    ) -> Self {
        Self::new("post", path, summary, access)
    }

    pub(crate) fn put(path: impl Into<String>, summary: impl Into<String>, access: Access) -> Self {
        Self::new("put", path, summary, access)
    }

    pub(crate) fn patch(
        path: impl Into<String>,
        summary: impl Into<String>,
        access: Access,
    ) -> Self {
        Self::new("patch", path, summary, access)
    }

    pub(crate) fn delete(
        path: impl Into<String>,
        summary: impl Into<String>,
        access: Access,
    ) -> Self {
        Self::new("delete", path, summary, access)
    }

    /// Adds sentences to its description.
    pub(crate) fn about(mut self, about: &str) -> Self {
        if !self.about.is_empty() {
            self.about.push_str("\n\n");
        }
        self.about.push_str(about);
        self
    }

    /// Adds what its query takes: the parameters, and the filters of a model.
    pub(crate) fn query<M: Model>(mut self, takes: Takes) -> Self {
        for parameter in takes.parameters {
            let mut schema = parameter.schema();
            if *parameter == Parameter::Format
                && let Json::Object(schema) = &mut schema
            {
                let formats = Format::of(M::TABLE).iter();
                let formats = formats.map(|format| Json::from(format.name()));
                schema.insert("enum".to_owned(), Json::Array(formats.collect()));
            }
            let mut json = json!({
                "name": parameter.name(),
                "in": "query",
                "description": parameter.about(),
                "schema": schema,
            });
            if let Json::Object(json) = &mut json
                && parameter.is_list()
            {
                json.insert("style".to_owned(), "form".into());
                json.insert("explode".to_owned(), false.into());
            }
            self.parameters.push(json);
        }
        if takes.filters {
            self.parameters.extend(models::filter_references::<M>());
            self = self.about(
                "Every other parameter is a filter, and all of them have to match: \
                 `field__lookup=value`. A path into JSON is one, too, with any lookup: \
                 `meta.user.id=42`, `meta.ms__gte=500`.",
            );
        }
        self.problems(&[Kind::InvalidQuery, Kind::TooSlow])
    }

    /// Adds its body, by media type.
    pub(crate) fn body(mut self, contents: &[(&str, Json)]) -> Self {
        let contents = contents.iter();
        let contents = contents.map(|(media_type, schema)| {
            (
                (*media_type).to_owned(),
                json!({ "schema": schema.clone() }),
            )
        });
        self.body = Some(json!({
            "required": true,
            "content": Json::Object(contents.collect()),
        }));
        self.problems(&[
            Kind::InvalidBody,
            Kind::Timeout,
            Kind::TooLarge,
            Kind::UnsupportedType,
        ])
    }

    /// Adds an answer of JSON.
    pub(crate) fn json(self, status: u16, about: &str, schema: Json) -> Self {
        self.answer(status, about, &[("application/json", schema)])
    }

    /// Adds an answer, by media type; without a body if there is none.
    pub(crate) fn answer(mut self, status: u16, about: &str, contents: &[(&str, Json)]) -> Self {
        let mut answer = JsonMap::from([("description".to_owned(), about.into())]);
        if !contents.is_empty() {
            let contents = contents.iter().map(|(media_type, schema)| {
                (
                    (*media_type).to_owned(),
                    json!({ "schema": schema.clone() }),
                )
            });
            answer.insert("content".to_owned(), Json::Object(contents.collect()));
        }
        self.answers
            .insert(status.to_string(), Json::Object(answer));
        self
    }

    /// Adds problems that it may answer.
    pub(crate) fn problems(mut self, problems: &[Kind]) -> Self {
        for problem in problems {
            if !self.problems.contains(problem) {
                self.problems.push(*problem);
            }
        }
        self
    }

    /// Adds a media type in which its problems may be answered, too.
    pub(crate) fn problems_as(mut self, media_type: &str, schema: Json) -> Self {
        self.problem_contents
            .insert(media_type.to_owned(), json!({ "schema": schema }));
        self
    }

    /// The first part of its path that tells what it is about.
    fn tag(&self) -> &str {
        let path = self.path.strip_prefix("/api/v1/").unwrap_or(&self.path);
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.next().unwrap_or("server")
    }

    /// Its name: one for each operation.
    fn id(&self) -> String {
        let parts = self.path.split(['/', '{', '}', '.', '*']);
        let parts = parts.filter(|part| !part.is_empty());
        let parts: Vec<&str> = std::iter::once(self.method).chain(parts).collect();
        let slash = if self.path.ends_with('/') {
            "_slash"
        } else {
            ""
        };
        parts.join("_") + slash
    }

    /// Writes it into the paths of a document.
    pub(super) fn insert_into(&self, paths: &mut JsonMap) {
        let mut answers = self.answers.clone();
        for kind in &self.problems {
            let status = kind.status().as_u16().to_string();
            let answer = if self.problem_contents.is_empty() {
                json!({ "$ref": format!("#/components/responses/{status}") })
            } else {
                let mut contents = self.problem_contents.clone();
                let problem = json!({ "schema": models::reference("Problem") });
                contents.insert("application/problem+json".to_owned(), problem);
                json!({ "description": kind.title(), "content": Json::Object(contents) })
            };
            if !answers.contains_key(status.as_str()) {
                answers.insert(status, answer);
            }
        }
        let security = match self.access {
            Access::Open => Json::Array(Vec::new()),
            Access::Ingest => json!([{ "key": [] }]),
            Access::Read | Access::Admin => json!([{ "key": [] }, { "session": [] }]),
            Access::Session => json!([{ "session": [] }]),
        };
        let may = match self.access {
            Access::Open => None,
            Access::Ingest => Some("Keys of the scope `ingest` or `admin`."),
            Access::Read => Some("Keys of the scope `read` or `admin`, and users."),
            Access::Admin => Some("Keys of the scope `admin`, and users who are admins."),
            Access::Session => Some("Users who are logged in."),
        };
        let about: Vec<&str> = [self.about.as_str()].into_iter().chain(may).collect();
        let mut operation = JsonMap::from([
            ("operationId".to_owned(), self.id().into()),
            ("tags".to_owned(), json!([self.tag()])),
            ("summary".to_owned(), self.summary.as_str().into()),
            (
                "description".to_owned(),
                about.join("\n\n").trim().to_owned().into(),
            ),
            ("security".to_owned(), security),
            ("responses".to_owned(), Json::Object(answers)),
        ]);
        if !self.parameters.is_empty() {
            operation.insert(
                "parameters".to_owned(),
                Json::Array(self.parameters.clone()),
            );
        }
        if let Some(body) = &self.body {
            operation.insert("requestBody".to_owned(), body.clone());
        }
        let path = self.path.replace("{*", "{");
        if let Some(Json::Object(item)) = paths.get_mut(path.as_str()) {
            item.insert(self.method.to_owned(), Json::Object(operation));
        } else {
            let item = JsonMap::from([(self.method.to_owned(), Json::Object(operation))]);
            paths.insert(path, Json::Object(item));
        }
    }
}
