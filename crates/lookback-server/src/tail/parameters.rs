//! The parameters of a tail.

use axum::http::request::Parts;
use lookback::query::Position;
use lookback_json::form::decoded;

use crate::problem::{Kind, Problem, WrongField};

/// The most of the last records.
const MOST_LAST: u32 = 10_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Deleted {
    #[default]
    Without,
    With,
    Only,
}

#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) last: u32,
    pub(super) after: Option<Position>,
    pub(super) deleted: Deleted,
    /// The others, as they were sent.
    pub(super) filters: String,
}

impl Parameters {
    /// What readers of the same records have in common.
    pub(super) fn key(&self) -> String {
        format!("{:?} {}", self.deleted, self.filters)
    }
}

/// Parses the query. The header `Last-Event-ID` is a position, too, and goes before `after`: a
/// client sends it when it comes back.
pub(super) fn parse(parts: &Parts) -> Result<Parameters, Problem> {
    let mut parameters = Parameters::default();
    let mut wrong = Vec::new();
    let mut filters = Vec::new();
    let query = parts.uri.query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let Err(problem) = parameters.take(name, value) {
            wrong.push(wrong_field(name, problem));
        } else if !matches!(name, "last" | "after" | "deleted") {
            filters.push(pair);
        }
    }
    parameters.filters = filters.join("&");
    if let Some(id) = parts.headers.get("last-event-id") {
        match position(id.to_str().unwrap_or_default()) {
            Ok(position) => parameters.after = Some(position),
            Err(problem) => wrong.push(wrong_field("last-event-id", problem)),
        }
    }
    if wrong.is_empty() {
        if parameters.after.is_some() {
            parameters.last = 0;
        }
        return Ok(parameters);
    }
    let texts: Vec<String> = wrong
        .iter()
        .map(|wrong| format!("{}: {}", wrong.field, wrong.problem))
        .collect();
    Err(Problem::new(Kind::InvalidQuery, texts.join("; ")).with_fields(wrong))
}

impl Parameters {
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let value = decoded(value);
        match name {
            "last" => {
                let last = value.parse().ok().filter(|last| *last <= MOST_LAST);
                self.last = last.ok_or_else(|| {
                    format!("expected a number from 0 to {MOST_LAST}, got {value}")
                })?;
            }
            "after" => self.after = Some(position(&value)?),
            "deleted" => {
                self.deleted = match &*value {
                    "without" => Deleted::Without,
                    "with" => Deleted::With,
                    "only" => Deleted::Only,
                    other => return Err(format!("expected without, with or only, got {other}")),
                }
            }
            "search" | "order_by" | "limit" | "offset" | "before" | "total" => {
                return Err("is of a list, and not of a tail".to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}

fn position(text: &str) -> Result<Position, String> {
    text.parse().map_err(|error: lookback::Error| {
        let field = error.fields().first();
        field.map_or_else(|| error.to_string(), |field| field.problem.clone())
    })
}

fn wrong_field(field: &str, problem: String) -> WrongField {
    WrongField {
        record: None,
        field: field.to_owned(),
        problem,
    }
}
