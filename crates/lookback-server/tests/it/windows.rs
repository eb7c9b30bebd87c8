//! Latency windows, added up.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use lookback::Json;
use lookback::capture::{Measurement, Sketch, Window, store_windows};
use lookback::value::ErrorRate;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::aggregates::runner;
use crate::support::TestServer;

const ENDPOINTS: [&str; 3] = ["GET /orders", "POST /orders", "GET /orders/{id}"];

/// A request: its minute, its endpoint, whether it failed, and how long it took.
type Drawn = (i64, usize, bool, u32);

fn start() -> DateTime<Utc> {
    "2026-11-29T10:00:00Z".parse().unwrap()
}

async fn store(server: &TestServer, requests: &[Drawn]) {
    let mut windows: BTreeMap<(i64, usize), Window> = BTreeMap::new();
    for (minute, endpoint, is_error, milliseconds) in requests {
        let window = windows.entry((*minute, *endpoint)).or_insert_with(|| {
            Window::new(start() + TimeDelta::minutes(*minute), ENDPOINTS[*endpoint])
        });
        window.totals.add(Measurement {
            status: Some(if *is_error { 503 } else { 200 }),
            milliseconds: Some(*milliseconds),
            request_bytes: 10,
            response_bytes: 100,
        });
    }
    let mut conn = server.pool.acquire().await.unwrap();
    // In two parts, which are merged.
    for windows in [windows.values().cloned().collect::<Vec<_>>()] {
        store_windows(&mut conn, windows).await.unwrap();
    }
}

/// What a group has to have.
fn expected<'a>(
    requests: impl Iterator<Item = &'a Drawn>,
    percentiles: &[u8],
) -> (u64, u64, Vec<Option<u32>>) {
    let mut sketch = Sketch::new();
    let (mut count, mut errors) = (0, 0);
    for (_, _, is_error, milliseconds) in requests {
        sketch.add(*milliseconds);
        count += 1;
        errors += u64::from(*is_error);
    }
    let percentiles = percentiles
        .iter()
        .map(|percent| sketch.percentile(*percent));
    (count, errors, percentiles.collect())
}

fn found(group: &Json, percentiles: &[u8]) -> (u64, u64, Vec<Option<u32>>) {
    let number = |name: &str| group[name].as_u64().unwrap();
    let percentiles = percentiles.iter().map(|percent| {
        let milliseconds = group["percentiles"][format!("p{percent}").as_str()].as_u64();
        milliseconds.map(|milliseconds| u32::try_from(milliseconds).unwrap())
    });
    (number("requests"), number("errors"), percentiles.collect())
}

/// Percentiles of any time and endpoint are those of a sketch of all their requests.
#[tokio::test]
async fn percentiles_are_those_of_the_merged_sketches() {
    let mut runner = runner(3);
    let requests = prop::collection::vec(
        (
            0..200_i64,
            0..3_usize,
            prop::bool::weighted(0.2),
            prop_oneof![0..50_u32, 0..90_000_u32],
        ),
        1..150,
    );
    for _ in 0..runner.config().cases {
        let requests = requests.new_tree(&mut runner).unwrap().current();
        let server = TestServer::start().await;
        store(&server, &requests).await;
        for _ in 0..6 {
            let (from, length) = (0..150_i64, 1..120_i64)
                .new_tree(&mut runner)
                .unwrap()
                .current();
            let minutes = prop::sample::select(vec![1_i64, 5, 7, 60]);
            let minutes = minutes.new_tree(&mut runner).unwrap().current();
            let percentiles = [0_u8, 50, 95, 99, 100];
            let at = |minute: i64| start() + TimeDelta::minutes(minute);
            let time = |minute: i64| at(minute).format("%Y-%m-%dT%H:%M:%SZ").to_string();
            let url = format!(
                "/api/v1/metrics/aggregate?from={}&until={}&bucket={minutes}m&by=endpoint\
                 &percentiles=0,50,95,99,100&compare=previous",
                time(from),
                time(from + length),
            );
            let answer = server.get(&url).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let json = answer.json();
            for (period, begin) in [
                (&json["data"], from),
                (&json["data"]["previous"], from - length),
            ] {
                let of_period: Vec<Drawn> = requests
                    .iter()
                    .filter(|request| (begin..begin + length).contains(&request.0))
                    .copied()
                    .collect();
                let total = expected(of_period.iter(), &percentiles);
                assert_eq!(found(&period["total"], &percentiles), total, "{url}");
                assert_eq!(period["from"], time(begin).as_str());
                let mut groups: BTreeMap<(DateTime<Utc>, &str), Vec<Drawn>> = BTreeMap::new();
                for request in &of_period {
                    // Buckets are counted from a Monday at midnight.
                    let origin: DateTime<Utc> = "2001-01-01T00:00:00Z".parse().unwrap();
                    let since = (at(request.0) - origin).num_minutes();
                    let bucket = origin + TimeDelta::minutes(since - since % minutes);
                    let key = (bucket, ENDPOINTS[request.1]);
                    groups.entry(key).or_default().push(*request);
                }
                let answered = period["groups"].as_array().unwrap();
                assert_eq!(answered.len(), groups.len(), "{url}");
                for (group, ((bucket, endpoint), requests)) in answered.iter().zip(&groups) {
                    let start: DateTime<Utc> = group["start"].as_str().unwrap().parse().unwrap();
                    assert_eq!(
                        (start, group["endpoint"].as_str().unwrap()),
                        (*bucket, *endpoint)
                    );
                    let wanted = expected(requests.iter(), &percentiles);
                    assert_eq!(found(group, &percentiles), wanted, "{url}");
                }
            }
        }
    }
}

#[tokio::test]
async fn windows_without_a_sketch_are_counted_and_not_measured() {
    let server = TestServer::start().await;
    store(&server, &[(0, 0, false, 7), (0, 0, true, 9)]).await;
    let window = lookback::NewMetric::new(
        start(),
        start() + TimeDelta::minutes(1),
        "GET /other",
        1,
        2,
        3,
        ErrorRate::new(0.5).unwrap(),
        10,
    );
    lookback::Metric::records()
        .create(&server.pool, window)
        .await
        .unwrap();
    let url = "/api/v1/metrics/aggregate?from=2026-11-29T10:00:00Z&until=2026-11-29T11:00:00Z";
    let json = server.get(&format!("{url}&latency=true")).await.json();
    let total = &json["data"]["total"];
    assert_eq!(found(total, &[50, 99]), (12, 6, vec![Some(7), Some(9)]));
    assert_eq!(
        (&total["measured"], &total["request_size"]),
        (&2_u64.into(), &20_u64.into())
    );
    assert_eq!(total["latency"], "[[7,1],[9,1]]".parse::<Json>().unwrap());
    assert_eq!(json["data"]["groups"].as_array().unwrap().len(), 1);
    let json = server
        .get(&format!("{url}&endpoint__startswith=GET+/oth"))
        .await
        .json();
    assert_eq!(json["data"]["total"]["percentiles"]["p95"], Json::Null);
    assert_eq!(json["data"]["total"]["requests"], 10_u64);
    let month = server
        .get(
            "/api/v1/metrics/aggregate?from=2026-01-01&until=2027-01-01&bucket=month@Europe/Berlin",
        )
        .await
        .json();
    assert_eq!(month["data"]["groups"][0]["start"], "2026-10-31T23:00:00Z");
}
