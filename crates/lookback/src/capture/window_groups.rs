//! Latency windows, added up by time and endpoint.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use futures_core::Stream as _;
use lookback_capture::Totals;

use super::windows::{StoredTotals, totals_of};
use crate::db::Db;
use crate::error::Error;
use crate::model::Model as _;
use crate::query::{Bucket, Columns, MAX_LIMIT};
use crate::value::{Bytes, ErrorRate};
use crate::{Metric, QueryBuilder};

/// How windows are grouped. By default, all of them are one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowGrouping {
    /// The buckets of time, of whole minutes; `None` for the whole time.
    pub bucket: Option<Bucket>,
    /// Whether each endpoint is a group of its own.
    pub by_endpoint: bool,
}

/// The requests of a group of windows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WindowGroup {
    /// The start of the bucket of time, if there are buckets.
    pub start: Option<DateTime<Utc>>,
    /// The endpoint, if each is a group.
    pub endpoint: Option<String>,
    /// What was counted and measured. Its latency has no requests of windows without a sketch.
    pub totals: Totals,
}

type GroupKey = (Option<DateTime<Utc>>, Option<String>);

/// The start, or that of its bucket, the endpoint, and what was counted.
type StoredWindow = (
    DateTime<Utc>,
    String,
    i32,
    ErrorRate,
    Option<i64>,
    Option<i64>,
    Option<Bytes>,
);

/// Adds up the windows of a query, in the order of their buckets and endpoints.
///
/// Percentiles of a group are those of the merged sketches, never of the percentiles of windows.
/// The windows are read one at a time; the groups are kept.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
/// use lookback::Metric;
/// use lookback::capture::{WindowGrouping, aggregate_windows};
/// use lookback::query::Bucket;
///
/// let mut hours = WindowGrouping::default();
/// hours.bucket = Some(Bucket::hours(1));
/// for group in aggregate_windows(&pool, &Metric::records(), &hours).await? {
///     println!("{:?}: p95 {:?} ms", group.start, group.totals.latency.percentile(95));
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::is_invalid`] for buckets that are not of whole minutes, more than 10,000 groups, and a
/// query with a search, an order, a page or a timeout; those of the database.
pub async fn aggregate_windows(
    db: impl Into<Db<'_>>,
    query: &QueryBuilder<Metric>,
    grouping: &WindowGrouping,
) -> Result<Vec<WindowGroup>, Error> {
    let db = db.into();
    match &grouping.bucket {
        None => groups(db, query, grouping, Metric::window_start()).await,
        Some(bucket) if bucket.is_of_minutes() => {
            let start = Metric::window_start().bucket(bucket.clone());
            groups(db, query, grouping, start).await
        }
        Some(_) => Err(Error::invalid_field(
            Metric::TABLE.name(),
            "bucket",
            "must be of whole minutes, as windows are: 1m, 5m, 1h, day, month",
        )),
    }
}

async fn groups(
    db: Db<'_>,
    query: &QueryBuilder<Metric>,
    grouping: &WindowGrouping,
    start: impl Columns<Metric, Row = DateTime<Utc>> + Clone + 'static,
) -> Result<Vec<WindowGroup>, Error> {
    let columns = (
        start,
        Metric::endpoint(),
        Metric::traffic_count(),
        Metric::error_rate(),
        Metric::request_size(),
        Metric::response_size(),
        Metric::latency_sketch(),
    );
    // In the order of an index, not that of ids.
    let query = query.clone().order_by(Metric::window_start().asc());
    let mut windows = query.select(columns).stream(db);
    let mut groups: BTreeMap<GroupKey, Totals> = BTreeMap::new();
    while let Some(window) = poll_fn(|context| Pin::new(&mut windows).poll_next(context)).await {
        let window: StoredWindow = window?;
        let (start, endpoint, traffic, error_rate, request_size, response_size, sketch) = window;
        let totals = totals_of(&StoredTotals {
            traffic,
            error_rate,
            request_size,
            response_size,
            sketch: sketch.as_ref(),
        });
        let start = grouping.bucket.is_some().then_some(start);
        let endpoint = grouping.by_endpoint.then_some(endpoint);
        groups.entry((start, endpoint)).or_default().merge(&totals);
        if groups.len() > MAX_LIMIT as usize {
            return Err(Error::invalid_field(
                Metric::TABLE.name(),
                "bucket",
                format!("makes more than {MAX_LIMIT} groups; add a filter, or use longer buckets"),
            ));
        }
    }
    let groups = groups.into_iter();
    Ok(groups
        .map(|((start, endpoint), totals)| WindowGroup {
            start,
            endpoint,
            totals,
        })
        .collect())
}
