//! The parameters of a tail.

use axum::http::request::Parts;
use lookback::query::Position;

use crate::parameters::{Parameter, Parameters, Takes, wrong_parameter};
use crate::problem::Problem;

pub(super) const TAIL: Takes =
    Takes::filters_and(&[Parameter::Last, Parameter::After, Parameter::Deleted]);

/// Parses the query, and the position to go on from. The header `Last-Event-ID` is a position, too,
/// and goes before `after`: a client sends it when it comes back.
pub(super) fn parse(parts: &Parts) -> Result<(Parameters, Option<Position>), Problem> {
    let parameters = Parameters::parse(parts.uri.query(), TAIL)?;
    let header = parts.headers.get("last-event-id");
    let (name, text) = match (header, &parameters.after) {
        (Some(id), _) => ("last-event-id", id.to_str().unwrap_or_default()),
        (None, Some(after)) => ("after", after.as_str()),
        (None, None) => return Ok((parameters, None)),
    };
    let position = text.parse().map_err(|error: lookback::Error| {
        let problem = error.fields().first().map(|field| field.problem.clone());
        wrong_parameter(name, problem.unwrap_or_else(|| error.to_string()))
    })?;
    Ok((parameters, Some(position)))
}
