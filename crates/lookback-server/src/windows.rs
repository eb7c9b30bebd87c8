//! Latency windows, added up.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use lookback::capture::{Totals, WindowGroup, WindowGrouping, aggregate_windows};
use lookback::value::{ColumnValue as _, ErrorRate, JsonMap};
use lookback::{Error, Json, Metric, QueryBuilder, json};

use crate::access::MayRead;
use crate::cancel::CloseOnDrop;
use crate::ingest::data_response;
use crate::openapi::models::{list, nullable, object, object_with, reference};
use crate::openapi::{Access, Operation};
use crate::parameters::{Parameter, Parameters, Takes, invalid, wrong_parameter};
use crate::problem::{Kind, Problem};
use crate::records::answer;
use crate::server::Shared;

pub(crate) const AGGREGATE: Takes = Takes::filters_and(&[
    Parameter::From,
    Parameter::Until,
    Parameter::Bucket,
    Parameter::By,
    Parameter::Percentiles,
    Parameter::Latency,
    Parameter::Compare,
    Parameter::Deleted,
]);

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/metrics/aggregate", get(aggregate))
}

pub(crate) fn operations() -> Vec<Operation> {
    let period = || {
        [
            ("from", json!({ "type": "string" })),
            ("until", json!({ "type": "string" })),
            ("total", reference("WindowTotals")),
            ("groups", list(reference("WindowGroup"))),
        ]
    };
    vec![
        Operation::get(
            "/api/v1/metrics/aggregate",
            "Latency windows, added up by time and endpoint",
            Access::Read,
        )
        .about(
            "Percentiles are those of the merged sketches; `measured` is the number of requests \
             whose latency is known. The time is the last hour by default. `by` is `endpoint`, or \
             nothing.",
        )
        .query::<Metric>(AGGREGATE)
        .json(
            200,
            "The groups in the order of their starts and endpoints, and the total.",
            answer(
                object_with(period(), [("previous", object(period()))]),
                object([
                    ("bucket", nullable(json!({ "type": "string" }))),
                    ("by", nullable(json!({ "const": "endpoint" }))),
                ]),
            ),
        ),
    ]
}

/// Answers what windows count and measure, by time and endpoint, with percentiles of the merged
/// sketches.
async fn aggregate(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), AGGREGATE)?;
    let mut grouping = WindowGrouping::default();
    if let Some(bucket) = &parameters.bucket {
        let bucket = bucket
            .parse()
            .map_err(|problem: lookback::value::Problem| {
                wrong_parameter("bucket", problem.to_string())
            })?;
        grouping.bucket = Some(bucket);
    }
    grouping.by_endpoint = match parameters.by.as_deref() {
        None | Some([]) => false,
        Some([by]) if by == "endpoint" => true,
        Some(_) => return Err(wrong_parameter("by", "expected endpoint, or nothing")),
    };
    let until = parameters.until.unwrap_or_else(Utc::now);
    let hour_before = until
        .checked_sub_signed(TimeDelta::hours(1))
        .unwrap_or(until);
    let from = parameters.from.unwrap_or(hour_before);
    if from >= until {
        return Err(wrong_parameter("from", "must be before until"));
    }
    let query = parameters.filtered::<Metric>()?;
    let shape = Shape {
        percentiles: parameters.percentiles.unwrap_or_else(|| vec![50, 95, 99]),
        latency: parameters.latency,
    };
    let mut period = shape
        .period(&shared, &query, &grouping, from, until)
        .await?;
    if parameters.compare {
        let before = from.checked_sub_signed(until - from);
        let before = before.ok_or_else(|| wrong_parameter("from", "has no time before it"))?;
        let previous = shape
            .period(&shared, &query, &grouping, before, from)
            .await?;
        period.insert("previous".to_owned(), Json::Object(previous));
    }
    let by = grouping.by_endpoint.then_some("endpoint");
    let metadata = json!({ "bucket": parameters.bucket, "by": by });
    Ok(data_response(Json::Object(period), metadata))
}

/// What is answered of each group.
struct Shape {
    percentiles: Vec<u8>,
    latency: bool,
}

impl Shape {
    /// Adds up the windows of a time.
    async fn period(
        &self,
        shared: &Shared,
        query: &QueryBuilder<Metric>,
        grouping: &WindowGrouping,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<JsonMap, Problem> {
        let query = query
            .clone()
            .filter(Metric::window_start().gte(from) & Metric::window_start().lt(until));
        let mut connection = CloseOnDrop::take(shared).await?;
        let groups = aggregate_windows(connection.conn(), &query, grouping);
        let timeout = shared.settings.read_timeout;
        let groups: Result<Vec<WindowGroup>, Error> = if timeout.is_zero() {
            groups.await
        } else {
            tokio::time::timeout(timeout, groups).await.map_err(|_| {
                Problem::new(
                    Kind::TooSlow,
                    format!("the windows were not read within {timeout:?}: ask for a shorter time"),
                )
            })?
        };
        connection.release();
        let groups = groups.map_err(invalid)?;
        let mut all = Totals::default();
        for group in &groups {
            all.merge(&group.totals);
        }
        let groups = groups.iter().map(|group| {
            let mut json = self.totals(&group.totals);
            if let Some(start) = group.start {
                json.insert("start".to_owned(), text(start).into());
            }
            if let Some(endpoint) = &group.endpoint {
                json.insert("endpoint".to_owned(), endpoint.as_str().into());
            }
            Json::Object(json)
        });
        Ok(JsonMap::from([
            ("groups".to_owned(), groups.collect()),
            ("total".to_owned(), Json::Object(self.totals(&all))),
            ("from".to_owned(), text(from).into()),
            ("until".to_owned(), text(until).into()),
        ]))
    }

    fn totals(&self, totals: &Totals) -> JsonMap {
        let percentiles = self.percentiles.iter().map(|percent| {
            let milliseconds = totals.latency.percentile(*percent);
            (
                format!("p{percent}"),
                milliseconds.map_or(Json::Null, Json::from),
            )
        });
        let rate = ErrorRate::of(totals.errors, totals.requests).fraction();
        let mut json = JsonMap::from([
            ("requests".to_owned(), totals.requests.into()),
            ("errors".to_owned(), totals.errors.into()),
            ("error_rate".to_owned(), rate.into()),
            ("request_size".to_owned(), totals.request_bytes.into()),
            ("response_size".to_owned(), totals.response_bytes.into()),
            ("measured".to_owned(), totals.latency.count().into()),
            (
                "percentiles".to_owned(),
                Json::Object(percentiles.collect()),
            ),
        ]);
        if self.latency {
            let bins = totals.latency.bins();
            let bins = bins.map(|(milliseconds, requests)| json!([milliseconds, requests]));
            json.insert("latency".to_owned(), bins.collect());
        }
        json
    }
}

fn text(time: DateTime<Utc>) -> String {
    DateTime::<Utc>::text_of(&time.to_value())
}
