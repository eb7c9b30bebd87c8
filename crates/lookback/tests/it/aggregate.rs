//! Aggregates, compared with the same values computed in Rust.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, DurationRound as _, TimeDelta, Utc};
use lookback::json;
use lookback::query::{Bucket, TextMeasures, count};
use lookback::value::ErrorRate;
use lookback::{
    GeoSource, Level, Log, Metric, NewLog, NewMetric, NewRequestSnapshot, RequestSnapshot, User,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use sqlx::PgPool;

use crate::time;

/// Status, duration, index of the geo source, seconds after the start.
type Row = (Option<i32>, Option<i32>, Option<usize>, i64);

async fn insert(pool: &PgPool, rows: &[Row]) {
    let new: Vec<NewRequestSnapshot> = rows
        .iter()
        .map(|(status, duration, geo, seconds)| {
            let at = time("2026-03-28T20:00:00Z") + TimeDelta::seconds(*seconds);
            let mut new = NewRequestSnapshot::new("GET", "/", at, "1", "test");
            new.status_code = *status;
            new.duration = *duration;
            new.geo_source = geo.map(|at| GeoSource::ALL[at]);
            new
        })
        .collect();
    RequestSnapshot::records()
        .create_many(pool, &new)
        .await
        .unwrap();
}

/// Computes a percentile like PostgreSQL's `percentile_cont`.
fn percentile(sorted: &[i32], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few values, none of them negative"
    )]
    let (at, between) = {
        let at = share * last as f64;
        (at.floor() as usize, at.fract())
    };
    let (low, high) = (f64::from(sorted[at]), f64::from(sorted[last.min(at + 1)]));
    Some(low + (high - low) * between)
}

fn near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * (1.0 + a.abs()),
        _ => false,
    }
}

#[tokio::test]
async fn aggregate_equals_groups_and_measures_of_rows() {
    let db = testkit::database().await;
    let mut runner = crate::random::runner(100);
    for _ in 0..runner.config().cases {
        let strategy = (
            proptest::collection::vec(
                (
                    proptest::option::of(200..203_i32),
                    proptest::option::of(0..1_000_i32),
                    proptest::option::of(0..4_usize),
                    0..200_000_i64,
                ),
                0..60,
            ),
            0.0..1.0_f64,
            200..203_i32,
        );
        let (rows, share, least) = strategy.new_tree(&mut runner).unwrap().current();
        sqlx::query("TRUNCATE request_snapshots")
            .execute(&db.pool)
            .await
            .unwrap();
        check(&db.pool, &rows, share, least).await;
    }
}

async fn check(pool: &PgPool, rows: &[Row], share: f64, least: i32) {
    insert(pool, rows).await;
    let query = RequestSnapshot::records().filter(RequestSnapshot::status_code().gte(least));
    let duration = RequestSnapshot::duration();
    let found = query
        .clone()
        .group_by((
            RequestSnapshot::geo_source(),
            RequestSnapshot::timestamp().bucket(Bucket::hours(3)),
        ))
        .aggregate(
            pool,
            (
                count(),
                duration.min(),
                duration.max(),
                duration.avg(),
                duration.sum(),
                duration.percentile(share),
                RequestSnapshot::status_code().count_distinct(),
            ),
        )
        .await
        .unwrap();

    // NULL sorts last: it gets an index beyond all sources.
    let mut groups: BTreeMap<(usize, DateTime<Utc>), Vec<&Row>> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.0.is_some_and(|status| status >= least))
    {
        let at = time("2026-03-28T20:00:00Z") + TimeDelta::seconds(row.3);
        let bucket = at.duration_trunc(TimeDelta::hours(3)).unwrap();
        groups
            .entry((row.2.unwrap_or(9), bucket))
            .or_default()
            .push(row);
    }
    assert_eq!(found.len(), groups.len());
    for (((geo, at), measured), ((place, bucket), members)) in found.iter().zip(&groups) {
        assert_eq!(*at, *bucket);
        assert_eq!(*geo, GeoSource::ALL.get(*place).copied());
        let mut durations: Vec<i32> = members.iter().filter_map(|row| row.1).collect();
        durations.sort_unstable();
        let (lines, min, max, avg, sum, middle, distinct) = measured;
        assert_eq!(*lines, i64::try_from(members.len()).unwrap());
        assert_eq!(
            (*min, *max),
            (durations.first().copied(), durations.last().copied())
        );
        let total: Option<f64> =
            (!durations.is_empty()).then(|| durations.iter().map(|d| f64::from(*d)).sum());
        #[expect(clippy::cast_precision_loss, reason = "few values")]
        let mean = total.map(|total| total / durations.len() as f64);
        assert!(near(*avg, mean) && near(*sum, total), "{measured:?}");
        assert!(
            near(*middle, percentile(&durations, share)),
            "{share} of {durations:?}: {middle:?}"
        );
        let mut statuses: Vec<Option<i32>> = members.iter().map(|row| row.0).collect();
        statuses.sort_unstable();
        statuses.dedup();
        assert_eq!(*distinct, i64::try_from(statuses.len()).unwrap());
    }
    let all = query.aggregate(pool, count()).await.unwrap();
    assert_eq!(
        all,
        groups
            .values()
            .map(|members| members.len() as i64)
            .sum::<i64>()
    );
}

#[tokio::test]
async fn top_returns_largest_groups_without_deleted_records() {
    let db = testkit::database().await;
    let pool = &db.pool;
    for (source, lines) in [("API", 3), ("DB", 5), ("WORKER", 1), ("QUEUE", 5)] {
        let new: Vec<NewLog> = (0..lines)
            .map(|n| NewLog::new(source, Level::ALL[n % 3], "m"))
            .collect();
        Log::records().create_many(pool, &new).await.unwrap();
    }
    let top = Log::records().group_by(Log::source()).top(2);
    assert_eq!(
        top.aggregate(pool, count()).await.unwrap(),
        [("DB".to_owned(), 5), ("QUEUE".to_owned(), 5)]
    );
    let worst = Log::records()
        .group_by(Log::source())
        .aggregate(
            pool,
            (Log::level().max(), Log::level().min(), Log::source().max()),
        )
        .await
        .unwrap();
    assert_eq!(
        worst[0].1,
        (
            Some(Level::Warn),
            Some(Level::Debug),
            Some("API".to_owned())
        )
    );
    assert_eq!(worst[3].1.0, Some(Level::Debug));
    // Levels are ordered by severity, not alphabetically.
    let levels = Log::records()
        .group_by(Log::level())
        .aggregate(pool, count())
        .await
        .unwrap();
    let levels: Vec<Level> = levels.into_iter().map(|(level, _)| level).collect();
    assert_eq!(levels, [Level::Debug, Level::Info, Level::Warn]);

    Log::records()
        .filter(Log::source().ne("API"))
        .delete_all(pool)
        .await
        .unwrap();
    assert_eq!(Log::records().aggregate(pool, count()).await.unwrap(), 3);
    assert_eq!(
        Log::records()
            .with_deleted()
            .aggregate(pool, count())
            .await
            .unwrap(),
        14
    );
    let none = Log::records().filter(Log::source().eq("x"));
    let nothing = none
        .aggregate(pool, (count(), Log::created_at().max()))
        .await
        .unwrap();
    assert_eq!(nothing, (0, None));
    let groups = none
        .group_by(Log::source())
        .aggregate(pool, count())
        .await
        .unwrap();
    assert!(groups.is_empty());
}

#[tokio::test]
async fn bucket_in_zone_starts_days_at_local_midnight() {
    let db = testkit::database().await;
    let pool = &db.pool;
    // Berlin puts its clocks forward in this night: Sunday is 23 hours long.
    let rows: Vec<Row> = (0..72)
        .map(|hour| (None, None, None, hour * 3_600))
        .collect();
    insert(pool, &rows).await;
    let days = async |bucket: Bucket| {
        let at = RequestSnapshot::timestamp().bucket(bucket);
        let groups = RequestSnapshot::records().group_by(at);
        let groups = groups.aggregate(pool, count()).await.unwrap();
        groups
            .into_iter()
            .map(|(at, lines)| (at.to_rfc3339(), lines))
            .collect::<Vec<_>>()
    };
    let berlin = days(Bucket::day().in_zone("Europe/Berlin")).await;
    assert_eq!(berlin[0], ("2026-03-27T23:00:00+00:00".to_owned(), 3));
    assert_eq!(berlin[1], ("2026-03-28T23:00:00+00:00".to_owned(), 23));
    assert_eq!(berlin[2], ("2026-03-29T22:00:00+00:00".to_owned(), 24));
    let utc = days(Bucket::day()).await;
    assert_eq!(utc[1], ("2026-03-29T00:00:00+00:00".to_owned(), 24));
    let week = days(Bucket::week()).await;
    assert_eq!(
        week[1].0.parse::<DateTime<Utc>>().unwrap().weekday(),
        chrono::Weekday::Mon
    );
    assert_eq!(
        days(Bucket::every(Duration::from_secs(7 * 86_400))).await,
        week
    );
    assert_eq!(
        days(Bucket::year()).await,
        [("2026-01-01T00:00:00+00:00".to_owned(), 72)]
    );
    let odd = days(Bucket::every(Duration::from_millis(5_400_500))).await;
    assert_eq!(odd.iter().map(|(_, lines)| lines).sum::<i64>(), 72);

    let refused = async |bucket: Bucket| {
        let at = RequestSnapshot::timestamp().bucket(bucket);
        let groups = RequestSnapshot::records().group_by(at);
        let error = groups.aggregate(pool, count()).await.unwrap_err();
        assert!(error.is_invalid(), "{error:?}");
        error.to_string()
    };
    let messages = [
        refused(Bucket::every(Duration::ZERO)).await,
        refused(Bucket::every(Duration::from_nanos(1_500))).await,
        refused(Bucket::hours(u32::MAX)).await,
        refused(Bucket::hours(1).in_zone("UTC+2")).await,
        refused(Bucket::day().in_zone("")).await,
        refused(Bucket::day().in_zone("Europe/Atlantis'; DROP TABLE logs")).await,
        refused(Bucket::day().in_zone("Europe/Atlantis")).await,
    ];
    insta::assert_snapshot!(messages.join("\n"), @r#"
    timestamp: 0ns is not a length in whole microseconds from 1 µs to 100 years
    timestamp: 1.5µs is not a length in whole microseconds from 1 µs to 100 years
    timestamp: 15461882262000s is not a length in whole microseconds from 1 µs to 100 years
    timestamp: `UTC+2` is not a time zone; write a name such as Europe/Berlin, or an offset from UTC such as +02:00 (east) or -05:00
    timestamp: names no time zone after @; write one such as day@Europe/Berlin, or nothing
    timestamp: `Europe/Atlantis\'; DROP TABLE logs` is not a time zone; write a name such as Europe/Berlin, or an offset from UTC such as +02:00 (east) or -05:00
    group_by: time zone "Europe/Atlantis" not recognized
    "#);
}

/// The start of each bucket as text, with the number of its records.
async fn starts(pool: &PgPool, key: &str) -> Vec<(String, i64)> {
    let groups = RequestSnapshot::records().group_by_text(&[key]).unwrap();
    let count = TextMeasures::parse::<RequestSnapshot>(&["count"]).unwrap();
    let groups = groups.aggregate(pool, count).await.unwrap();
    let each = groups.into_iter().map(|(key_values, measures)| {
        (
            key_values[key].as_str().unwrap().to_owned(),
            measures["count"].as_i64().unwrap(),
        )
    });
    each.collect()
}

#[tokio::test]
async fn bucket_with_offset_starts_and_is_shown_as_iso_8601_says() {
    let db = testkit::database().await;
    let pool = &db.pool;
    // From 20:00 UTC of 28 March.
    let rows: Vec<Row> = (0..24)
        .map(|hour| (None, None, None, hour * 3_600))
        .collect();
    insert(pool, &rows).await;
    for (key, expected) in [
        (
            "timestamp__day@+02:00",
            vec![
                ("2026-03-28T00:00:00+02:00", 2),
                ("2026-03-29T00:00:00+02:00", 22),
            ],
        ),
        (
            "timestamp__day@-0530",
            vec![
                ("2026-03-28T00:00:00-05:30", 10),
                ("2026-03-29T00:00:00-05:30", 14),
            ],
        ),
        (
            "timestamp__12h@+05:30",
            vec![
                ("2026-03-29T00:00:00+05:30", 11),
                ("2026-03-29T12:00:00+05:30", 12),
                ("2026-03-30T00:00:00+05:30", 1),
            ],
        ),
    ] {
        let expected = expected
            .iter()
            .map(|(at, lines)| ((*at).to_owned(), *lines));
        assert_eq!(
            starts(pool, key).await,
            expected.collect::<Vec<_>>(),
            "{key}"
        );
    }
    assert_eq!(
        starts(pool, "timestamp__day@Z").await,
        starts(pool, "timestamp__day@+00:00").await
    );
    assert_eq!(
        starts(pool, "timestamp__day").await,
        [
            ("2026-03-28T00:00:00Z".to_owned(), 4),
            ("2026-03-29T00:00:00Z".to_owned(), 20)
        ]
    );
    assert_eq!(
        starts(pool, "timestamp__week@Europe/Berlin").await,
        [("2026-03-23T00:00:00+01:00".to_owned(), 24)]
    );
}

#[tokio::test]
async fn buckets_of_hours_in_zone_follow_its_clocks() {
    let db = testkit::database().await;
    let pool = &db.pool;
    // Two records an hour from 20:00 UTC of 28 March, when Berlin puts its clocks forward,
    // and from 20:00 UTC of 24 October, when it puts them back.
    let october = (time("2026-10-24T20:00:00Z") - time("2026-03-28T20:00:00Z")).num_seconds();
    let rows: Vec<Row> = [0, october]
        .into_iter()
        .flat_map(|start| (0..16).map(move |half| (None, None, None, start + half * 1_800)))
        .collect();
    insert(pool, &rows).await;
    let text = async |key: &str| -> String {
        let starts = starts(pool, key).await.into_iter();
        starts
            .map(|(at, lines)| format!("{at} {lines}\n"))
            .collect()
    };
    insta::assert_snapshot!(text("timestamp__6h@Europe/Berlin").await, @"
    2026-03-28T18:00:00+01:00 6
    2026-03-29T00:00:00+01:00 10
    2026-10-24T18:00:00+02:00 4
    2026-10-25T00:00:00+02:00 12
    ");
    // An hour that the clocks show twice is two groups; each record is in its own.
    insta::assert_snapshot!(text("timestamp__1h@Europe/Berlin").await, @"
    2026-03-28T21:00:00+01:00 2
    2026-03-28T22:00:00+01:00 2
    2026-03-28T23:00:00+01:00 2
    2026-03-29T00:00:00+01:00 2
    2026-03-29T01:00:00+01:00 2
    2026-03-29T03:00:00+02:00 2
    2026-03-29T04:00:00+02:00 2
    2026-03-29T05:00:00+02:00 2
    2026-10-24T22:00:00+02:00 2
    2026-10-24T23:00:00+02:00 2
    2026-10-25T00:00:00+02:00 2
    2026-10-25T01:00:00+02:00 2
    2026-10-25T02:00:00+02:00 2
    2026-10-25T02:00:00+01:00 2
    2026-10-25T03:00:00+01:00 2
    2026-10-25T04:00:00+01:00 2
    ");
    let half_past = text("timestamp__1h@Asia/Kolkata").await;
    assert!(half_past.starts_with("2026-03-29T01:00:00+05:30 1\n2026-03-29T02:00:00+05:30 2\n"));
}

#[tokio::test]
async fn group_by_text_with_text_measures_returns_json() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(
        pool,
        &[
            (Some(200), Some(10), Some(2), 0),
            (Some(200), Some(30), Some(2), 60),
            (Some(500), None, None, 7_200),
        ],
    )
    .await;
    let measures = [
        "count",
        "duration__avg",
        "duration__p50",
        "status_code__max",
        "geo_source__distinct",
        "timestamp__min",
    ];
    let groups = RequestSnapshot::records()
        .group_by_text(&["timestamp__1h", "geo_source"])
        .unwrap()
        .aggregate(
            pool,
            TextMeasures::parse::<RequestSnapshot>(&measures).unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(
        json!(groups),
        json!([
            [
                {"timestamp__1h": "2026-03-28T20:00:00Z", "geo_source": "ip"},
                {"count": 2, "duration__avg": 20.0, "duration__p50": 20.0, "status_code__max": 200,
                 "geo_source__distinct": 1, "timestamp__min": "2026-03-28T20:00:00Z"},
            ],
            [
                {"timestamp__1h": "2026-03-28T22:00:00Z", "geo_source": null},
                {"count": 1, "duration__avg": null, "duration__p50": null, "status_code__max": 500,
                 "geo_source__distinct": 0, "timestamp__min": "2026-03-28T22:00:00Z"},
            ],
        ])
    );
    let window = NewMetric::new(
        time("2026-01-01T00:00:00Z"),
        time("2026-01-01T00:01:00Z"),
        "GET /",
        1,
        2,
        3,
        ErrorRate::of(1, 4),
        4,
    );
    let other = NewMetric {
        endpoint: "POST /".to_owned(),
        error_rate: ErrorRate::of(0, 4),
        ..window.clone()
    };
    Metric::records()
        .create_many(pool, &[window, other])
        .await
        .unwrap();
    // An aggregate of a rate is a fraction, not the stored integer.
    let rate = Metric::error_rate();
    assert_eq!(
        Metric::records()
            .aggregate(pool, (rate.avg(), rate.max(), rate.percentile(0.25)))
            .await
            .unwrap(),
        (Some(0.125), Some(ErrorRate::of(1, 4)), Some(0.0625))
    );
    let rates = TextMeasures::parse::<Metric>(&["error_rate__avg", "error_rate__max"]).unwrap();
    assert_eq!(
        json!(Metric::records().aggregate(pool, rates).await.unwrap()),
        json!({"error_rate__avg": 0.125, "error_rate__max": 0.25})
    );

    let keys = |keys: &[&str]| Log::records().group_by_text(keys).unwrap_err().to_string();
    let measures = |measures: &[&str]| {
        TextMeasures::parse::<RequestSnapshot>(measures)
            .unwrap_err()
            .to_string()
    };
    let messages = [
        keys(&["levle"]),
        keys(&["level__1h"]),
        keys(&["created_at__1fortnight"]),
        keys(&[]),
        measures(&["total"]),
        measures(&["duration__mean"]),
        measures(&["path__avg"]),
        measures(&["duration__p101"]),
        measures(&["body__max"]),
        measures(&[]),
        TextMeasures::parse::<User>(&["password_hash__min"])
            .unwrap_err()
            .to_string(),
        Metric::records()
            .aggregate(pool, rate.percentile(95.0))
            .await
            .unwrap_err()
            .to_string(),
        Metric::records()
            .search("GET")
            .aggregate(pool, count())
            .await
            .unwrap_err()
            .to_string(),
        Metric::records()
            .limit(5)
            .group_by(Metric::id())
            .aggregate(pool, count())
            .await
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r"
    levle: is not a field of logs; did you mean level?
    level__1h: level is not a time, and has no time buckets; write level
    created_at__1fortnight: `1fortnight` is not a length such as 30s, 5m, 1h or 7d, or day, week, month, quarter or year
    group_by: names no field; give at least one
    total: must be an aggregate, such as count, field__avg or field__p95
    duration__mean: mean is not an aggregate of integer; did you mean max? (it has distinct, min, max, avg, sum, p50, p95, p99)
    path__avg: avg is not an aggregate of text (it has distinct, min, max)
    duration__p101: is not a percentile from p0 to p100
    body__max: max is not an aggregate of jsonb (it has distinct)
    measures: must have at least one measure, such as count
    password_hash: is not a field of users, which has id, email, role, created_at, updated_at, deleted_at
    error_rate: 95 is not a share from 0 to 1, such as 0.95
    search: cannot be combined with aggregates
    limit: cannot be combined with groups of records
    ");
}

#[tokio::test]
async fn aggregate_of_too_many_groups_is_refused() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let new: Vec<NewLog> = (0..10_001)
        .map(|n| NewLog::new(format!("source {n}"), Level::Info, "m"))
        .collect();
    Log::records().create_many(pool, &new).await.unwrap();
    let groups = Log::records().group_by(Log::source());
    let error = groups.aggregate(pool, count()).await.unwrap_err();
    assert!(error.is_invalid());
    assert!(
        error.to_string().contains("more than 10000 groups"),
        "{error}"
    );
    assert_eq!(
        groups
            .top(10_000)
            .aggregate(pool, count())
            .await
            .unwrap()
            .len(),
        10_000
    );
}

#[tokio::test]
async fn sum_and_average_of_bigints_are_exact() {
    let db = testkit::database().await;
    let pool = &db.pool;
    for (source, id) in [
        ("a", 9_007_199_254_740_993_i64),
        ("a", 9_007_199_254_740_994),
        ("b", 7),
        ("c", i64::MAX),
        ("c", i64::MAX - 1),
    ] {
        sqlx::query("INSERT INTO logs (id, source, level, message) OVERRIDING SYSTEM VALUE VALUES ($1, $2, 'info', 'm')")
            .bind(id)
            .bind(source)
            .execute(pool)
            .await
            .unwrap();
    }
    let (sum, average) = Log::records()
        .filter(Log::source().eq("a"))
        .aggregate(pool, (Log::id().sum(), Log::id().avg()))
        .await
        .unwrap();
    assert_eq!(sum.unwrap().as_str(), "18014398509481987");
    assert_eq!(average.unwrap().as_str(), "9007199254740993.5");
    let measures = TextMeasures::parse::<Log>(&["id__sum", "id__avg"]).unwrap();
    let groups = Log::records()
        .group_by(Log::source())
        .top(2)
        .aggregate(pool, measures)
        .await
        .unwrap();
    let text: Vec<String> = groups
        .into_iter()
        .map(|(source, measures)| format!("{source} {}", lookback::Json::Object(measures)))
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    c {"id__avg":9223372036854775806.5,"id__sum":18446744073709551613}
    a {"id__avg":9007199254740993.5,"id__sum":18014398509481987}
    "#);
    let none = Log::records()
        .filter(lookback::Filter::none())
        .aggregate(pool, Log::id().sum())
        .await
        .unwrap();
    assert_eq!(none, None);
}
