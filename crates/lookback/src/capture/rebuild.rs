//! Windows computed again from stored requests.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use lookback_capture::{Measurement, Window, endpoint, route_of_path};
use sqlx::{Connection as _, PgPool};

use super::windows::{lock_and_read, row_of};
use crate::error::Error;
use crate::value::Json;
use crate::{Metric, NewMetric, RequestSnapshot};

/// How windows are computed again.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RebuildOptions {
    /// Whether to only report what would change; false by default.
    pub dry_run: bool,
    /// Whether to replace windows that count more requests than are stored; false by default.
    ///
    /// They were captured with sampling, or requests were deleted since.
    pub lower: bool,
}

/// What became of the windows of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildReport {
    /// Stored requests that the windows count.
    pub requests: u64,
    /// Windows that were not stored before.
    pub created: u64,
    /// Windows that were stored with other numbers.
    pub changed: u64,
    /// Windows that were stored with the same numbers.
    pub unchanged: u64,
    /// Windows that were left as they are, because they count more requests than are stored.
    pub kept: u64,
}

/// Computes the windows of the minutes from one time to another (exclusive) from the requests that
/// are stored, and stores them in place of those that are.
///
/// The endpoint of a request is its method with the `route` among its headers, or its path with
/// ids [replaced](route_of_path) if there is none, as for imported requests. Outgoing requests are
/// not counted. If all requests were stored, the windows are equal to those that capture reported,
/// but for requests that it counted as `other`.
///
/// Each hour is a transaction. `progress` is called after each, with the time that is reached.
///
/// # Errors
///
/// Those of the database. The hours before are stored; the call can be repeated.
pub async fn rebuild_windows(
    pool: &PgPool,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    options: RebuildOptions,
    mut progress: impl FnMut(DateTime<Utc>, &RebuildReport),
) -> Result<RebuildReport, Error> {
    let hour = TimeDelta::hours(1);
    let mut report = RebuildReport::default();
    let minute = |time: DateTime<Utc>| time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time);
    let (mut start, until) = (minute(from), minute(until));
    while start < until {
        // Hours without requests are passed over.
        let range =
            RequestSnapshot::timestamp().gte(start) & RequestSnapshot::timestamp().lt(until);
        let next = RequestSnapshot::records()
            .filter(range)
            .order_by(RequestSnapshot::timestamp().asc())
            .without_total()
            .first(pool)
            .await?;
        let Some(next) = next else { break };
        start = minute(next.timestamp);
        let end = (start + hour).min(until);
        rebuild(pool, start, end, options, &mut report).await?;
        progress(end, &report);
        start = end;
    }
    Ok(report)
}

async fn rebuild(
    pool: &PgPool,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    options: RebuildOptions,
    report: &mut RebuildReport,
) -> Result<(), Error> {
    let windows = windows_of(pool, start, end, report).await?;
    let mut conn = pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let stored = lock_and_read(&mut transaction, &windows).await?;
    let mut rows: Vec<NewMetric> = Vec::new();
    for window in &windows {
        let row = row_of(window);
        match stored.get(&(window.start, window.endpoint.clone())) {
            None => report.created += 1,
            Some(old) if is_same(old, &row) => {
                report.unchanged += 1;
                continue;
            }
            Some(old) if old.traffic_count > row.traffic_count && !options.lower => {
                report.kept += 1;
                continue;
            }
            Some(_) => report.changed += 1,
        }
        rows.push(row);
    }
    if !options.dry_run {
        let key = Metric::metrics_endpoint_window_start_key();
        Metric::records()
            .upsert_many(&mut transaction, &rows, key)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Returns the windows of the requests from one time to another, in their order.
async fn windows_of(
    pool: &PgPool,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    report: &mut RebuildReport,
) -> Result<Vec<Window>, Error> {
    let range = RequestSnapshot::timestamp().gte(start) & RequestSnapshot::timestamp().lt(end);
    let mut requests = RequestSnapshot::records()
        .filter(range)
        .select((
            RequestSnapshot::method(),
            RequestSnapshot::path(),
            RequestSnapshot::timestamp(),
            RequestSnapshot::status_code(),
            RequestSnapshot::duration(),
            RequestSnapshot::headers(),
            RequestSnapshot::response_headers(),
        ))
        .stream(pool);
    let mut windows: BTreeMap<(DateTime<Utc>, String), Window> = BTreeMap::new();
    while let Some(request) = requests.try_next().await? {
        let (method, path, timestamp, status, duration, headers, response_headers) = request;
        let headers = headers.unwrap_or_default();
        if headers["direction"] == "outgoing" {
            continue;
        }
        report.requests += 1;
        let route = headers["route"]
            .as_str()
            .map_or_else(|| route_of_path(&path), str::to_owned);
        let window = Window::new(timestamp, endpoint(&method, &route));
        let window = windows
            .entry((window.start, window.endpoint.clone()))
            .or_insert(window);
        window.totals.add(Measurement {
            status: status.and_then(|status| u16::try_from(status).ok()),
            milliseconds: duration.and_then(|duration| u32::try_from(duration).ok()),
            request_bytes: size_of(&headers, "request_size"),
            response_bytes: size_of(&response_headers.unwrap_or_default(), "response_size"),
        });
    }
    Ok(windows.into_values().collect())
}

/// Returns the size of a body: that which capture counted, or the header.
fn size_of(headers: &Json, name: &str) -> u64 {
    let header = || headers["content-length"].as_str()?.parse().ok();
    headers[name].as_u64().or_else(header).unwrap_or(0)
}

fn is_same(old: &Metric, new: &NewMetric) -> bool {
    old.p50_latency == new.p50_latency
        && old.p95_latency == new.p95_latency
        && old.p99_latency == new.p99_latency
        && old.error_rate == new.error_rate
        && old.traffic_count == new.traffic_count
        && old.request_size == new.request_size
        && old.response_size == new.response_size
        && old.latency_sketch == new.latency_sketch
}
