//! What a rule measures.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use futures_util::TryStreamExt as _;
use lookback::capture::Sketch;
use lookback::{
    AlertMeasure, AlertRule, AlertSubject, Error, Log, Metric, Model, QueryBuilder, RequestSnapshot,
};
use sqlx::PgPool;

use super::AlertSettings;
use super::condition::filtered;

/// The most examples of new patterns.
const EXAMPLES: u32 = 5;

/// How long after its end a window counts: the process that measured it needs time to store it.
const GRACE: TimeDelta = TimeDelta::seconds(15);

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured {
    /// `None` if there is nothing to measure.
    pub(super) value: Option<f64>,
    /// Texts of new patterns.
    pub(super) examples: Vec<String>,
}

impl Measured {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a threshold needs no more precision"
    )]
    fn count(records: u64) -> Self {
        Self {
            value: Some(records as f64),
            examples: Vec::new(),
        }
    }
}

/// Why a rule cannot be measured.
#[derive(Debug, thiserror::Error)]
pub(super) enum MeasureError {
    #[error(transparent)]
    Database(#[from] Error),
    #[error(
        "window {0} has no sketch of its latencies, so that no percentile of several windows is known"
    )]
    NoSketch(i64),
}

/// Measures what a rule asks for, in its period up to a time.
pub(super) async fn measure(
    pool: &PgPool,
    rule: &AlertRule,
    now: DateTime<Utc>,
    settings: &AlertSettings,
) -> Result<Measured, MeasureError> {
    let from = now - TimeDelta::seconds(rule.period.into());
    match (rule.subject, rule.measure) {
        (AlertSubject::Metrics, _) => windows(pool, rule, now, settings).await,
        (AlertSubject::Logs, AlertMeasure::NewPatterns) => {
            let query = filtered::<Log>(rule)?;
            patterns(pool, query, from, settings, |log| log.message.clone()).await
        }
        (AlertSubject::Requests, AlertMeasure::NewPatterns) => {
            let query = filtered::<RequestSnapshot>(rule)?;
            let text = |request: &RequestSnapshot| format!("{} {}", request.method, request.path);
            patterns(pool, query, from, settings, text).await
        }
        (AlertSubject::Logs, _) => {
            let times = Log::created_at().gte(from) & Log::created_at().lt(now);
            let query = filtered::<Log>(rule)?.filter(times);
            count(pool, query, settings).await
        }
        (AlertSubject::Requests, _) => {
            let times =
                RequestSnapshot::timestamp().gte(from) & RequestSnapshot::timestamp().lt(now);
            let query = filtered::<RequestSnapshot>(rule)?.filter(times);
            count(pool, query, settings).await
        }
    }
}

async fn count<M: Model>(
    pool: &PgPool,
    query: QueryBuilder<M>,
    settings: &AlertSettings,
) -> Result<Measured, MeasureError> {
    let total = query.timeout(settings.timeout).count(pool).await?;
    Ok(Measured::count(total.value()))
}

async fn patterns<M: Model>(
    pool: &PgPool,
    query: QueryBuilder<M>,
    from: DateTime<Utc>,
    settings: &AlertSettings,
    text: impl Fn(&M) -> String,
) -> Result<Measured, MeasureError> {
    let query = query.timeout(settings.timeout).limit(EXAMPLES);
    let page = query.patterns().new_since(from).fetch(pool).await?;
    let examples = page.data.iter().map(|pattern| text(&pattern.example));
    Ok(Measured {
        examples: examples.map(|text| shortened(&text)).collect(),
        ..Measured::count(page.total.value())
    })
}

/// The start of a text.
fn shortened(text: &str) -> String {
    const MOST: usize = 500;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Measures the windows whose minutes are over.
async fn windows(
    pool: &PgPool,
    rule: &AlertRule,
    now: DateTime<Utc>,
    settings: &AlertSettings,
) -> Result<Measured, MeasureError> {
    let minute = TimeDelta::minutes(1);
    let to = (now - GRACE).duration_trunc(minute).unwrap_or(now);
    let from = to - minute * ((rule.period + 59) / 60);
    let times = Metric::window_start().gte(from) & Metric::window_start().lt(to);
    let query = filtered::<Metric>(rule)?.filter(times);
    let mut rows = query.stream(pool);
    let (mut requests, mut errors, mut sketch) = (0_u64, 0_u64, Sketch::default());
    let needs_sketch = matches!(
        rule.measure,
        AlertMeasure::P50Latency | AlertMeasure::P95Latency | AlertMeasure::P99Latency
    );
    let read = async {
        while let Some(window) = rows.try_next().await? {
            let of_window = u64::from(window.traffic_count.unsigned_abs());
            requests += of_window;
            errors += window.error_rate.errors_of(of_window);
            if needs_sketch && of_window > 0 {
                let bytes = window.latency_sketch.as_ref().map(|bytes| &*bytes.0);
                let of_window = bytes.and_then(|bytes| Sketch::from_bytes(bytes).ok());
                let of_window = of_window.ok_or(MeasureError::NoSketch(window.id))?;
                sketch.merge(&of_window);
            }
        }
        Ok::<_, MeasureError>(())
    };
    let in_time = tokio::time::timeout(settings.timeout, read).await;
    in_time.map_err(|_| Error::from(sqlx::Error::PoolTimedOut))??;
    let percentile = |percent| sketch.percentile(percent).map(f64::from);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a threshold needs no more precision"
    )]
    let (all, failed) = (requests as f64, errors as f64);
    let value = match rule.measure {
        AlertMeasure::P50Latency => percentile(50),
        AlertMeasure::P95Latency => percentile(95),
        AlertMeasure::P99Latency => percentile(99),
        AlertMeasure::ErrorRate => (requests > 0).then(|| failed / all),
        _ => Some(all),
    };
    Ok(Measured {
        value,
        examples: Vec::new(),
    })
}
