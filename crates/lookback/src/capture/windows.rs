//! Windows as rows of `metrics`.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use lookback_capture::{Sketch, Totals, Window, merge_windows};
use sqlx::{Connection as _, PgConnection};

use crate::error::Error;
use crate::value::{Bytes, ErrorRate};
use crate::{Metric, NewMetric};

/// The advisory lock under which windows are merged. The number means nothing.
const MERGE_LOCK: i64 = 0x6c6f_6f6b_6d65_7472;

/// Adds windows to those that are stored: the row of an endpoint and minute has the requests of all
/// processes that reported it.
///
/// All are stored, or none. The percentiles are those of the merged
/// [sketches](lookback_capture::Sketch). To a row without a sketch, counts and sizes are added, and
/// its percentiles become those of the windows.
///
/// # Errors
///
/// [`Error::is_invalid`] for an endpoint that is blank or too long; those of the database.
pub async fn store_windows(conn: &mut PgConnection, windows: Vec<Window>) -> Result<(), Error> {
    let mut transaction = conn.begin().await?;
    merge_into(&mut transaction, windows).await?;
    Ok(transaction.commit().await?)
}

/// Adds windows to those that are stored, in a transaction.
pub(super) async fn merge_into(
    transaction: &mut PgConnection,
    windows: Vec<Window>,
) -> Result<(), Error> {
    let windows = merge_windows(windows);
    let mut stored = lock_and_read(transaction, &windows).await?;
    let rows: Vec<NewMetric> = windows
        .into_iter()
        .map(|mut window| {
            if let Some(row) = stored.remove(&(window.start, window.endpoint.clone())) {
                window.totals.merge(&totals_of(&StoredTotals::of(&row)));
            }
            row_of(&window)
        })
        .collect();
    let key = Metric::metrics_endpoint_window_start_key();
    Metric::records()
        .upsert_many(transaction, &rows, key)
        .await?;
    Ok(())
}

/// Returns the rows of windows that are stored, and keeps others from changing them until the
/// transaction ends.
pub(super) async fn lock_and_read(
    transaction: &mut PgConnection,
    windows: &[Window],
) -> Result<HashMap<(DateTime<Utc>, String), Metric>, Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MERGE_LOCK)
        .execute(&mut *transaction)
        .await?;
    let mut stored = HashMap::new();
    for some in windows.chunks(1_000) {
        let (Some(first), Some(last)) = (some.first(), some.last()) else {
            continue;
        };
        let endpoints = some.iter().map(|window| window.endpoint.as_str());
        let filter = Metric::window_start().between(first.start, last.start)
            & Metric::endpoint().is_in(endpoints);
        let mut rows = Metric::records().filter(filter).stream(&mut *transaction);
        while let Some(row) = rows.try_next().await? {
            stored.insert((row.window_start, row.endpoint.clone()), row);
        }
    }
    Ok(stored)
}

/// Returns the window that a new row is of, to be [added](store_windows) to others; `None` if it has
/// no sketch that can be read, by which its percentiles could be merged.
#[must_use]
pub fn window_of(row: &NewMetric) -> Option<Window> {
    let sketch = Sketch::from_bytes(&row.latency_sketch.as_ref()?.0).ok()?;
    let requests = u64::from(row.traffic_count.unsigned_abs());
    let unsigned = |bytes: Option<i64>| bytes.map_or(0, i64::unsigned_abs);
    let mut window = Window::new(row.window_start, row.endpoint.as_str());
    window.totals.requests = requests;
    window.totals.errors = row.error_rate.errors_of(requests);
    window.totals.request_bytes = unsigned(row.request_size);
    window.totals.response_bytes = unsigned(row.response_size);
    window.totals.latency = sketch;
    Some(window)
}

/// Returns the row of a window.
pub(super) fn row_of(window: &Window) -> NewMetric {
    let Totals {
        requests,
        errors,
        request_bytes,
        response_bytes,
        latency,
        ..
    } = &window.totals;
    let percentile = |percent| {
        let milliseconds = latency.percentile(percent).unwrap_or(0);
        i32::try_from(milliseconds).unwrap_or(i32::MAX)
    };
    let bytes = |bytes: u64| Some(i64::try_from(bytes).unwrap_or(i64::MAX));
    let mut row = NewMetric::new(
        window.start,
        window.start + TimeDelta::seconds(60),
        window.endpoint.clone(),
        percentile(50),
        percentile(95),
        percentile(99),
        ErrorRate::of(*errors, *requests),
        i32::try_from(*requests).unwrap_or(i32::MAX),
    );
    row.request_size = bytes(*request_bytes);
    row.response_size = bytes(*response_bytes);
    row.latency_sketch = Some(Bytes(latency.to_bytes()));
    row
}

/// What a row counts, as it is stored.
pub(super) struct StoredTotals<'a> {
    pub(super) traffic: i32,
    pub(super) error_rate: ErrorRate,
    pub(super) request_size: Option<i64>,
    pub(super) response_size: Option<i64>,
    pub(super) sketch: Option<&'a Bytes>,
}

impl<'a> StoredTotals<'a> {
    fn of(row: &'a Metric) -> Self {
        Self {
            traffic: row.traffic_count,
            error_rate: row.error_rate,
            request_size: row.request_size,
            response_size: row.response_size,
            sketch: row.latency_sketch.as_ref(),
        }
    }
}

/// Returns what a row counts.
pub(super) fn totals_of(row: &StoredTotals<'_>) -> Totals {
    let requests = u64::from(row.traffic.unsigned_abs());
    let unsigned = |bytes: Option<i64>| bytes.map_or(0, i64::unsigned_abs);
    let mut totals = Totals::default();
    totals.requests = requests;
    totals.errors = row.error_rate.errors_of(requests);
    totals.request_bytes = unsigned(row.request_size);
    totals.response_bytes = unsigned(row.response_size);
    // A sketch that another program wrote may be none.
    totals.latency = row
        .sketch
        .and_then(|bytes| Sketch::from_bytes(&bytes.0).ok())
        .unwrap_or_default();
    totals
}
