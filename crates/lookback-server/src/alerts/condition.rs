//! What a rule says: whether it can be evaluated, and its condition for people.

use axum::http::Uri;
use lookback::{
    AlertComparison, AlertMeasure, AlertRule, AlertSubject, Error, Filter, Log, Metric, Model,
    QueryBuilder, RequestSnapshot,
};

/// Checks that a rule can be evaluated.
///
/// # Errors
///
/// The field that is wrong, and what is wrong with it.
pub fn check(rule: &AlertRule) -> Result<(), (&'static str, String)> {
    let is_of_windows = matches!(
        rule.measure,
        AlertMeasure::ErrorRate
            | AlertMeasure::P50Latency
            | AlertMeasure::P95Latency
            | AlertMeasure::P99Latency
            | AlertMeasure::TrafficCount
    );
    if is_of_windows != (rule.subject == AlertSubject::Metrics) {
        let problem = format!(
            "{} cannot be measured of {}: expected {}",
            rule.measure,
            rule.subject,
            if is_of_windows {
                "metrics as the subject"
            } else {
                "logs or requests as the subject"
            }
        );
        return Err(("measure", problem));
    }
    if !rule.threshold.is_finite() {
        return Err(("threshold", "must be a number".to_owned()));
    }
    let checked = match rule.subject {
        AlertSubject::Logs => check_filter::<Log>(rule),
        AlertSubject::Requests => check_filter::<RequestSnapshot>(rule),
        AlertSubject::Metrics => check_filter::<Metric>(rule),
    };
    checked.map_err(|error| ("filter", error.to_string()))?;
    if let Some(Some(url)) = rule.webhook_url.get() {
        check_url(url).map_err(|problem| ("webhook_url", problem.to_owned()))?;
    }
    Ok(())
}

fn check_filter<M: Model>(rule: &AlertRule) -> Result<(), Error> {
    filtered::<M>(rule).map(drop)
}

/// The records that a rule watches.
pub(super) fn filtered<M: Model>(rule: &AlertRule) -> Result<QueryBuilder<M>, Error> {
    match rule.filter.as_deref().filter(|filter| !filter.is_empty()) {
        Some(filter) => Ok(QueryBuilder::new().filter(Filter::from_query(filter)?)),
        None => Ok(QueryBuilder::new()),
    }
}

fn check_url(url: &str) -> Result<(), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "is not a URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
        return Err("must begin with http:// or https://, and have a host");
    }
    if uri
        .authority()
        .is_some_and(|host| host.as_str().contains('@'))
    {
        return Err("must not have a user or a password");
    }
    Ok(())
}

/// The URL of a webhook without its path, which often is a secret.
pub(super) fn masked(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let host =
        uri.and_then(|uri| Some((uri.scheme_str()?.to_owned(), uri.authority()?.to_string())));
    match host {
        Some((scheme, host)) => format!("{scheme}://{host}/…"),
        None => "…".to_owned(),
    }
}

/// What a rule measures: `logs in the last 5m`.
fn measured(rule: &AlertRule) -> String {
    let subject = rule.subject;
    let what = match rule.measure {
        AlertMeasure::Count => subject.to_string(),
        AlertMeasure::NewPatterns => format!("new patterns of {subject}"),
        AlertMeasure::ErrorRate => "error rate".to_owned(),
        AlertMeasure::P50Latency => "p50 latency".to_owned(),
        AlertMeasure::P95Latency => "p95 latency".to_owned(),
        AlertMeasure::P99Latency => "p99 latency".to_owned(),
        AlertMeasure::TrafficCount => "requests of windows".to_owned(),
    };
    format!("{what} in the last {}", period(rule.period))
}

fn period(seconds: i32) -> String {
    match seconds {
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// The condition of a rule for people: `logs in the last 5m > 20`.
pub(super) fn text(rule: &AlertRule) -> String {
    format!(
        "{} {} {}",
        measured(rule),
        sign(rule),
        shown(rule, rule.threshold)
    )
}

fn sign(rule: &AlertRule) -> char {
    match rule.comparison {
        AlertComparison::Above => '>',
        AlertComparison::Below => '<',
    }
}

/// Whether the condition holds. Without a value, it does not.
pub(super) fn holds(rule: &AlertRule, value: Option<f64>) -> bool {
    value.is_some_and(|value| match rule.comparison {
        AlertComparison::Above => value > rule.threshold,
        AlertComparison::Below => value < rule.threshold,
    })
}

/// The message of a change: `shop: errors is firing: logs in the last 5m: 31 (> 20)`.
pub(super) fn message(rule: &AlertRule, state: &str, value: Option<f64>) -> String {
    let is_watched = rule.enabled && rule.deleted_at.get().is_none_or(Option::is_none);
    if !is_watched {
        return format!(
            "{} is no longer evaluated: it is {}",
            rule.name,
            if rule.enabled { "deleted" } else { "disabled" }
        );
    }
    let value = value.map_or_else(|| "no value".to_owned(), |value| shown(rule, value));
    format!(
        "{} is {state}: {}: {value} ({} {})",
        rule.name,
        measured(rule),
        sign(rule),
        shown(rule, rule.threshold)
    )
}

/// A value as people read it: a rate in per cent, a latency in milliseconds, with two places, so
/// that it hardly ever looks like the threshold that it passed.
fn shown(rule: &AlertRule, value: f64) -> String {
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    match rule.measure {
        AlertMeasure::ErrorRate => format!("{} %", rounded(value * 100.0)),
        AlertMeasure::P50Latency | AlertMeasure::P95Latency | AlertMeasure::P99Latency => {
            format!("{} ms", rounded(value))
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_url, masked, period};

    #[test]
    fn secrets_of_webhooks_are_masked() {
        let url = "https://hooks.example.com:8443/T0/secret?token=x";
        assert_eq!(masked(url), "https://hooks.example.com:8443/…");
        assert_eq!(masked("not a URL"), "…");
    }

    #[test]
    fn webhooks_are_http() {
        for url in ["http://127.0.0.1:1/x", "https://example.com"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "/x",
            "ftp://x/",
            "http://",
            "https://a:b@example.com",
            "file:///etc/passwd",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn periods_are_in_the_largest_unit() {
        let periods = [60, 300, 3_600, 90].map(period);
        assert_eq!(periods, ["1m", "5m", "1h", "90s"]);
    }
}
