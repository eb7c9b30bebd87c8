//! Records that are similar to one.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use lookback::Model;
use serde::Serialize;

use super::{id_of, list_of};
use crate::access::MayRead;
use crate::parameters::{Parameter, Parameters, PathText, Takes};
use crate::problem::Problem;
use crate::server::Shared;

pub(crate) const SIMILAR: Takes = Takes::filters_and(&[
    Parameter::Fold,
    Parameter::Limit,
    Parameter::Offset,
    Parameter::After,
    Parameter::Before,
    Parameter::Total,
    Parameter::Deleted,
]);

/// Answers the records nearest to one, each with its similarity.
pub(crate) async fn similar<M: Model + Serialize + Sync>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::parse(query.as_deref(), SIMILAR)?;
    parameters.hits = true;
    let query = parameters.filtered::<M>()?.similar_to(id_of::<M>(&id)?);
    let answer = list_of(&shared, &parameters, query).await;
    answer.map_err(|problem| problem.renamed("similar_to", "id"))
}
