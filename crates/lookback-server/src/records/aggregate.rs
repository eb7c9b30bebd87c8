//! Counts and other measures of records, in groups and over time.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use lookback::query::TextMeasures;
use lookback::value::JsonMap;
use lookback::{Json, Model, json};

use crate::access::MayRead;
use crate::ingest::{data_response, object_of};
use crate::parameters::{Parameter, Parameters, Takes, invalid, wrong_parameter};
use crate::problem::Problem;
use crate::server::Shared;

pub(crate) const STATS: Takes = Takes::filters_and(&[
    Parameter::Search,
    Parameter::Measure,
    Parameter::By,
    Parameter::Top,
    Parameter::Deleted,
]);
pub(crate) const HISTOGRAM: Takes = Takes::filters_and(&[
    Parameter::Search,
    Parameter::Bucket,
    Parameter::By,
    Parameter::Deleted,
]);

/// The length of a bucket, if a client does not say.
const DEFAULT_BUCKET: &str = "1h";

/// A model whose records are counted over time.
pub(crate) trait Histogram: Model {
    /// The time of a record.
    const TIME: &'static str;
    /// The field that the records of a bucket are counted by, if a client does not say.
    const BY: Option<&'static str>;
}

impl Histogram for lookback::Log {
    const TIME: &'static str = "created_at";
    const BY: Option<&'static str> = Some("level");
}

impl Histogram for lookback::RequestSnapshot {
    const TIME: &'static str = "timestamp";
    const BY: Option<&'static str> = None;
}

/// Answers measures of all records, or of each group.
pub(crate) async fn stats<M: Model>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::parse(query.as_deref(), STATS)?;
    if parameters.measures.is_empty() {
        parameters.measures.push("count".to_owned());
    }
    let named = |problem: Problem| {
        problem
            .renamed("group_by", "by")
            .renamed("measures", "measure")
    };
    let measures = TextMeasures::parse::<M>(&parameters.measures)
        .map_err(invalid)
        .map_err(named)?;
    let query = parameters
        .matching::<M>()?
        .timeout(shared.settings.read_timeout);
    let by = parameters.by.unwrap_or_default();
    let groups: Vec<(JsonMap, JsonMap)> = if by.is_empty() {
        if parameters.top.is_some() {
            return Err(wrong_parameter("top", "is of groups; add by"));
        }
        let mut conn = shared.connection().await?;
        let all = query.aggregate(&mut *conn, measures).await;
        let all = all.map_err(invalid).map_err(named)?;
        vec![(JsonMap::new(), all)]
    } else {
        let mut groups = query.group_by_text(&by).map_err(invalid).map_err(named)?;
        if let Some(top) = parameters.top {
            groups = groups.top(top);
        }
        let mut conn = shared.connection().await?;
        let groups = groups.aggregate(&mut *conn, measures).await;
        groups.map_err(invalid).map_err(named)?
    };
    let data = groups.into_iter();
    let data = data.map(|(by, of)| object_of([("by", Json::Object(by)), ("of", Json::Object(of))]));
    let metadata = json!({ "by": by, "measures": parameters.measures });
    Ok(data_response(data.collect::<Vec<Json>>(), metadata))
}

/// Answers the number of records in each bucket of time, by the values of a field.
pub(crate) async fn histogram<M: Histogram>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), HISTOGRAM)?;
    let bucket = parameters.bucket.as_deref().unwrap_or(DEFAULT_BUCKET);
    let by = match parameters.by.as_deref() {
        None => M::BY,
        Some([]) => None,
        Some([by]) => Some(by.as_str()),
        Some(_) => return Err(wrong_parameter("by", "expected one field, or nothing")),
    };
    let start = format!("{}__{bucket}", M::TIME);
    let keys: Vec<&str> = std::iter::once(start.as_str()).chain(by).collect();
    let named = |problem: Problem| {
        let problem = problem
            .renamed("group_by", "bucket")
            .renamed(&start, "bucket");
        problem.renamed(M::TIME, "bucket")
    };
    let count = TextMeasures::parse::<M>(&["count"]).map_err(invalid)?;
    let groups = parameters
        .matching::<M>()?
        .timeout(shared.settings.read_timeout)
        .group_by_text(&keys)
        .map_err(invalid)?;
    let mut conn = shared.connection().await?;
    let groups = groups.aggregate(&mut *conn, count).await;
    let groups = groups.map_err(invalid).map_err(named)?;
    let mut buckets: Vec<HistogramBucket> = Vec::new();
    for (keys, measures) in groups {
        let of = |map: &JsonMap, name: &str| map.get(name).cloned().unwrap_or_default();
        let start = of(&keys, &start);
        let count = of(&measures, "count").as_u64().unwrap_or(0);
        // In the order of their starts.
        if buckets.last().is_none_or(|last| last.start != start) {
            buckets.push(HistogramBucket {
                start,
                count: 0,
                groups: Vec::new(),
            });
        }
        if let Some(bucket) = buckets.last_mut() {
            bucket.count += count;
            if let Some(by) = by {
                let value = of(&keys, by);
                bucket
                    .groups
                    .push(object_of([("value", value), ("count", count.into())]));
            }
        }
    }
    let total: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let data = buckets.into_iter().map(HistogramBucket::into_json);
    let metadata = json!({ "bucket": bucket, "by": by, "total": total });
    Ok(data_response(data.collect::<Vec<Json>>(), metadata))
}

/// A bucket of time with records.
struct HistogramBucket {
    start: Json,
    count: u64,
    groups: Vec<Json>,
}

impl HistogramBucket {
    fn into_json(self) -> Json {
        object_of([
            ("start", self.start),
            ("count", self.count.into()),
            ("groups", self.groups.into()),
        ])
    }
}
