//! How many records there are of each pattern.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use lookback::query::Pattern;
use lookback::{Json, Model, json};
use serde::Serialize;

use super::no_json;
use crate::access::MayRead;
use crate::ingest::data_response;
use crate::parameters::{DEFAULT_LIMIT, Parameter, Parameters, Takes, invalid};
use crate::problem::Problem;
use crate::server::Shared;

pub(crate) const PATTERNS: Takes = Takes::filters_and(&[
    Parameter::Search,
    Parameter::NewSince,
    Parameter::Exact,
    Parameter::Limit,
    Parameter::Offset,
    Parameter::Deleted,
]);

/// Answers a page of patterns, the most frequent first.
pub(crate) async fn patterns<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), PATTERNS)?;
    let mut query = parameters
        .filtered::<M>()?
        .timeout(shared.settings.read_timeout);
    if let Some(words) = &parameters.search {
        query = query.search(words.as_str());
    }
    let mut patterns = parameters.paged(query)?.patterns();
    if let Some(time) = parameters.new_since {
        patterns = patterns.new_since(time);
    }
    if parameters.exact {
        patterns = patterns.exact();
    }
    let mut conn = shared.connection().await?;
    let page = patterns.fetch(&mut *conn).await;
    let page = page.map_err(invalid)?;
    let data = page.data.iter().map(Pattern::to_json);
    let data: Vec<Json> = data.collect::<Result<_, _>>().map_err(no_json)?;
    let metadata = json!({
        "limit": parameters.limit.unwrap_or(DEFAULT_LIMIT),
        "offset": parameters.offset,
        "total": page.total.value(),
        "total_is_exact": page.total.is_exact(),
        "records": page.records.value(),
        "records_are_exact": page.records.is_exact(),
    });
    Ok(data_response(data, metadata))
}
