//! The log lines around one.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use lookback::{Json, Log, Page, json};

use super::{record_json, record_of};
use crate::access::MayRead;
use crate::ingest::{data_response, object_of};
use crate::parameters::{Parameter, Parameters, PathText, Takes, invalid};
use crate::problem::Problem;
use crate::server::Shared;

pub(crate) const CONTEXT: Takes = Takes::filters_and(&[Parameter::Lines, Parameter::Deleted]);

/// The lines before and after a line, if a client does not say how many.
const DEFAULT_LINES: u32 = 20;

/// Answers a line with those before and after it, by their time, that pass the filters.
pub(crate) async fn context(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), CONTEXT)?;
    // The filters are for the others.
    let of_record = parameters.without_filters();
    let record = record_of::<Log>(&shared, &of_record, &id).await?;
    let (time, id) = (record.created_at, record.id);
    let lines = parameters.lines.unwrap_or(DEFAULT_LINES);
    let others = parameters
        .filtered::<Log>()?
        .timeout(shared.settings.read_timeout)
        .max_page_bytes(shared.settings.page_bytes as u64)
        .limit(lines)
        .without_total();
    let earlier = others
        .clone()
        .filter(Log::created_at().lte(time))
        .filter(Log::created_at().lt(time) | Log::id().lt(id))
        .order_by(Log::created_at().desc())
        .order_by(Log::id().desc());
    let later = others
        .filter(Log::created_at().gte(time))
        .filter(Log::created_at().gt(time) | Log::id().gt(id))
        .order_by(Log::created_at().asc())
        .order_by(Log::id().asc());
    let mut conn = shared.connection().await?;
    let pages = async {
        let earlier = earlier.list(&mut *conn).await?;
        Ok((earlier, later.list(&mut *conn).await?))
    };
    let pages = pages.await;
    let (earlier, later) = pages.map_err(invalid)?;
    let before = earlier.data.iter().rev().map(record_json);
    let before: Vec<Json> = before.collect::<Result<_, _>>()?;
    let after = later.data.iter().map(record_json);
    let after: Vec<Json> = after.collect::<Result<_, _>>()?;
    let data = object_of([
        ("before", before.into()),
        ("record", record_json(&record)?),
        ("after", after.into()),
    ]);
    // Without any line, it is not known.
    let has_more = |page: &Page<Log>| match lines {
        0 => Json::Null,
        _ => page.next.is_some().into(),
    };
    let metadata = json!({
        "lines": lines,
        "has_earlier": has_more(&earlier),
        "has_later": has_more(&later),
    });
    Ok(data_response(data, metadata))
}
