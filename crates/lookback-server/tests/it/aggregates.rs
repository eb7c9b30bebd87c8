//! Counts, histograms and patterns.

use lookback::{Json, Level, Log, NewLog};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::support::TestServer;

/// A runner with a fixed seed; `PROPTEST_CASES` asks for more cases, with others.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let mut config = Config::default();
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| config.cases);
    config.cases = asked.unwrap_or(0).clamp(cases, 2_000);
    if config.rng_seed == RngSeed::Random {
        let seed = asked.map_or(20_261_129, |_| u64::from(std::process::id()));
        config.rng_seed = RngSeed::Fixed(seed);
    }
    TestRunner::new(config)
}

fn at(minute: u32, source: &str, level: Level, message: &str) -> NewLog {
    let time = format!("2026-11-29T{:02}:{:02}:07Z", 10 + minute / 60, minute % 60);
    NewLog::new(source, level, message).created_at(crate::support::time(&time))
}

async fn with_logs(logs: &[NewLog]) -> TestServer {
    let server = TestServer::start().await;
    Log::records()
        .create_many(&server.pool, logs)
        .await
        .unwrap();
    server
}

#[tokio::test]
async fn stats_measure_groups_and_all() {
    let server = with_logs(&[
        at(0, "API", Level::Error, "one"),
        at(1, "API", Level::Info, "two"),
        at(61, "DB", Level::Error, "three three"),
    ])
    .await;
    for (query, expected) in [
        ("", r#"[{"by":{},"of":{"count":3}}]"#),
        ("level=error", r#"[{"by":{},"of":{"count":2}}]"#),
        (
            "search=three+level:error",
            r#"[{"by":{},"of":{"count":1}}]"#,
        ),
        ("match=thre", r#"[{"by":{},"of":{"count":1}}]"#),
        (
            "by=source,level&measure=count,id__max",
            r#"[{"by":{"level":"info","source":"API"},"of":{"count":1,"id__max":2}},{"by":{"level":"error","source":"API"},"of":{"count":1,"id__max":1}},{"by":{"level":"error","source":"DB"},"of":{"count":1,"id__max":3}}]"#,
        ),
        (
            "by=source&top=1",
            r#"[{"by":{"source":"API"},"of":{"count":2}}]"#,
        ),
        (
            "by=created_at__1h",
            r#"[{"by":{"created_at__1h":"2026-11-29T10:00:00Z"},"of":{"count":2}},{"by":{"created_at__1h":"2026-11-29T11:00:00Z"},"of":{"count":1}}]"#,
        ),
    ] {
        let answer = server.get(&format!("/api/v1/logs/stats?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let expected: Json = expected.parse().unwrap();
        assert_eq!(answer.json()["data"], expected, "{query}");
    }
}

#[tokio::test]
async fn wrong_parameters_of_aggregates_are_named() {
    let server = with_logs(&[at(0, "API", Level::Error, "one")]).await;
    for (path, query, field) in [
        ("logs/stats", "measure=level__avg", "level__avg"),
        ("logs/stats", "by=nothing", "nothing"),
        ("logs/stats", "top=3", "top"),
        ("logs/stats", "by=level&top=0", "top"),
        ("logs/stats", "limit=3", "limit"),
        ("logs/stats", "order_by=id", "order_by"),
        ("logs/histogram", "bucket=fortnight", "bucket"),
        ("logs/histogram", "bucket=day@Nowhere/Else", "bucket"),
        ("logs/histogram", "bucket=1m&by=level,source", "by"),
        ("logs/histogram", "levle=error", "levle"),
        ("logs/patterns", "new_since=someday", "new_since"),
        ("logs/patterns", "order_by=id", "order_by"),
        ("logs/1/context", "lines=501", "lines"),
        ("logs/1/similar", "search=x", "search"),
        ("metrics/aggregate", "bucket=30s", "bucket"),
        ("metrics/aggregate", "by=path", "by"),
        ("metrics/aggregate", "percentiles=95,101", "percentiles"),
        ("metrics/aggregate", "from=-1h&until=-2h", "from"),
        (
            "metrics/aggregate",
            "from=-infinity&until=infinity&compare=previous",
            "from",
        ),
        ("metrics/aggregate", "compare=next", "compare"),
        ("logs/export", "format=har", "format"),
        (
            "logs/export",
            "format=jsonl&for_spreadsheets=true",
            "for_spreadsheets",
        ),
        ("requests/export", "format=har&fields=id", "fields"),
        ("logs/export", "fields=id,nothing", "nothing"),
        ("logs/1", "limit=1", "limit"),
        ("logs/1", "deleted=with&deleted=only", "deleted"),
        ("traces/x", "level=error", "level"),
    ] {
        let answer = server.get(&format!("/api/v1/{path}?{query}")).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "invalid-query".to_owned()),
            "{path}?{query}: {answer:?}"
        );
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors[0]["field"], field, "{path}?{query}: {errors}");
    }
}

#[tokio::test]
async fn histogram_counts_each_level_of_each_bucket() {
    let server = with_logs(&[
        at(0, "API", Level::Error, "one"),
        at(1, "API", Level::Info, "two"),
        at(1, "API", Level::Info, "two"),
        at(61, "DB", Level::Error, "three"),
    ])
    .await;
    let answer = server.get("/api/v1/logs/histogram?bucket=1m").await.json();
    let expected: Json = r#"[
        {"start":"2026-11-29T10:00:00Z","count":1,"groups":[{"value":"error","count":1}]},
        {"start":"2026-11-29T10:01:00Z","count":2,"groups":[{"value":"info","count":2}]},
        {"start":"2026-11-29T11:01:00Z","count":1,"groups":[{"value":"error","count":1}]}
    ]"#
    .parse()
    .unwrap();
    assert_eq!(answer["data"], expected);
    assert_eq!(answer["metadata"]["total"], 4_u64);
    let answer = server
        .get("/api/v1/logs/histogram?bucket=day@Asia/Kolkata&by=&search=two")
        .await
        .json();
    let expected: Json = r#"[{"start":"2026-11-29T00:00:00+05:30","count":2,"groups":[]}]"#
        .parse()
        .unwrap();
    assert_eq!(answer["data"], expected);
    let answer = server
        .get("/api/v1/logs/histogram?bucket=1s&created_at__gte=2026-11-29")
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Filters that are drawn, as they are sent.
fn filters() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        prop::sample::select(vec![
            "level=error",
            "level__in=warn,error",
            "level__ne=info"
        ]),
        prop::sample::select(vec!["source=API", "source__ne=API", "source__startswith=D"]),
        prop::sample::select(vec![
            "match=refused",
            "match=connection+refused",
            "match=-cache"
        ]),
        prop::sample::select(vec![
            "created_at__gte=2026-11-29T10:30:00Z",
            "created_at__lt=2026-11-29T11:00:07Z",
            "id__gt=7",
        ]),
        prop::sample::select(vec!["deleted=with", "deleted=only"]),
    ];
    prop::collection::vec(one, 0..4).prop_map(|filters| {
        let mut filters: Vec<&str> = filters;
        filters.sort_unstable();
        // A parameter that is no filter is given once.
        filters.dedup_by_key(|filter| filter.starts_with("deleted").then_some(0).ok_or(*filter));
        filters.join("&")
    })
}

fn logs() -> impl Strategy<Value = Vec<(u32, usize, usize, usize)>> {
    prop::collection::vec((0..180_u32, 0..3_usize, 0..4_usize, 0..4_usize), 1..60)
}

/// The buckets of a histogram add up to the total of the list, whatever the filters.
#[tokio::test]
async fn histograms_add_up_to_the_totals_of_lists() {
    let mut runner = runner(3);
    for _ in 0..runner.config().cases {
        let drawn = logs().new_tree(&mut runner).unwrap().current();
        let logs: Vec<NewLog> = drawn
            .iter()
            .map(|(minute, source, level, message)| {
                let levels = [Level::Debug, Level::Info, Level::Warn, Level::Error];
                let messages = [
                    "connection refused by 7",
                    "refused",
                    "cache is cold, connection refused",
                    "all is well",
                ];
                at(
                    *minute,
                    ["API", "DB", "WORKER"][*source],
                    levels[*level],
                    messages[*message],
                )
            })
            .collect();
        let server = with_logs(&logs).await;
        Log::records()
            .filter(lookback::Filter::parse("id__in=2,3,5,8").unwrap())
            .delete_all(&server.pool)
            .await
            .unwrap();
        for _ in 0..12 {
            let filters = filters().new_tree(&mut runner).unwrap().current();
            let bucket = ["1m", "7m", "1h", "day", "month", "week@Asia/Kolkata"];
            let bucket = prop::sample::select(bucket.to_vec());
            let bucket = bucket.new_tree(&mut runner).unwrap().current();
            let list = server.get(&format!("/api/v1/logs?limit=0&{filters}")).await;
            let list = list.json();
            let url = format!("/api/v1/logs/histogram?bucket={bucket}&{filters}");
            let histogram = server.get(&url).await.json();
            let buckets = histogram["data"].as_array().unwrap();
            let count = |bucket: &Json| bucket["count"].as_u64().unwrap();
            let total: u64 = buckets.iter().map(count).sum();
            assert_eq!(list["metadata"]["total"], total, "{url}");
            for bucket in buckets {
                let groups = bucket["groups"].as_array().unwrap();
                assert_eq!(
                    count(bucket),
                    groups.iter().map(count).sum::<u64>(),
                    "{url}"
                );
            }
            let stats = server.get(&format!("/api/v1/logs/stats?{filters}")).await;
            assert_eq!(stats.json()["data"][0]["of"]["count"], total, "{url}");
        }
    }
}

#[tokio::test]
async fn patterns_are_counted_with_an_example() {
    let server = with_logs(&[
        at(0, "API", Level::Error, "job 1 failed"),
        at(1, "API", Level::Error, "job 2 failed"),
        at(90, "API", Level::Info, "all is well"),
    ])
    .await;
    let answer = server.get("/api/v1/logs/patterns").await.json();
    let first = &answer["data"][0];
    assert_eq!(first["count"], 2_u64);
    assert_eq!(first["pattern"]["message"], "job 0 failed");
    assert_eq!(first["example"]["message"], "job 2 failed");
    assert_eq!(answer["metadata"]["total"], 2_u64);
    let new = server
        .get("/api/v1/logs/patterns?new_since=2026-11-29T11:00:00Z&search=well")
        .await
        .json();
    assert_eq!(new["data"][0]["example"]["message"], "all is well");
    assert_eq!(new["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn hits_have_reasons_and_copies() {
    let server = with_logs(&[
        at(0, "API", Level::Error, "job 1 failed"),
        at(1, "API", Level::Error, "job 2 failed"),
        at(2, "API", Level::Info, "all is well"),
    ])
    .await;
    let plain = server.get("/api/v1/logs?search=failed").await.json();
    assert!(plain["data"][0].get("hit").is_none());
    let hits = server
        .get("/api/v1/logs?search=failed+-cache&hits=true")
        .await
        .json();
    let hit = &hits["data"][0]["hit"];
    assert_eq!(hit["why"]["words"][0]["kind"], "exact");
    assert_eq!(
        hit["highlights"][0]["ranges"][0],
        "[6,12]".parse::<Json>().unwrap()
    );
    assert_eq!(hits["metadata"]["notes"][0]["kind"], "excluded");
    let folded = server
        .get("/api/v1/logs?search=failed&fold=true")
        .await
        .json();
    assert_eq!(folded["data"].as_array().unwrap().len(), 1);
    assert_eq!(folded["data"][0]["hit"]["copies"]["count"], 2_u64);
    assert_eq!(folded["metadata"]["rows"], 1_u64);

    let similar = server.get("/api/v1/logs/1/similar?limit=1").await.json();
    assert_eq!(similar["data"][0]["message"], "job 2 failed");
    assert!(similar["data"][0]["hit"]["score"].as_f64().unwrap() > 0.99);
    let none = server.get("/api/v1/logs/99/similar").await;
    assert_eq!((none.status, none.problem()), (404, "not-found".to_owned()));
}

#[tokio::test]
async fn context_has_the_lines_around_one_by_their_time() {
    // Stored in another order than that of their times, and some at one time.
    let minutes = [5, 3, 3, 9, 1, 7, 3, 2];
    let logs: Vec<NewLog> = minutes
        .iter()
        .enumerate()
        .map(|(place, minute)| {
            let source = if place % 2 == 0 { "API" } else { "DB" };
            at(*minute, source, Level::Info, &format!("{minute} {place}"))
        })
        .collect();
    let server = with_logs(&logs).await;
    let messages = |json: &Json, of: &str| {
        let lines = json["data"][of].as_array().unwrap().iter();
        let lines = lines.map(|line| line["message"].as_str().unwrap().to_owned());
        lines.collect::<Vec<String>>()
    };
    // The third line, of minute 3.
    let answer = server.get("/api/v1/logs/3/context?lines=2").await.json();
    assert_eq!(messages(&answer, "before"), ["2 7", "3 1"]);
    assert_eq!(answer["data"]["record"]["message"], "3 2");
    assert_eq!(messages(&answer, "after"), ["3 6", "5 0"]);
    let has_more = |json: &Json| {
        (
            json["metadata"]["has_earlier"].clone(),
            json["metadata"]["has_later"].clone(),
        )
    };
    assert_eq!(has_more(&answer), (Json::from(true), Json::from(true)));
    let answer = server.get("/api/v1/logs/3/context?source=DB").await.json();
    assert_eq!(messages(&answer, "before"), ["2 7", "3 1"]);
    assert_eq!(messages(&answer, "after"), ["7 5", "9 3"]);
    let answer = server.get("/api/v1/logs/4/context?lines=0").await.json();
    assert!(messages(&answer, "before").is_empty() && messages(&answer, "after").is_empty());
    assert_eq!(has_more(&answer), (Json::Null, Json::Null));
    let answer = server.get("/api/v1/logs/3/context?lines=100").await.json();
    assert_eq!(has_more(&answer), (Json::from(false), Json::from(false)));
    assert_eq!(server.get("/api/v1/logs/99/context").await.status, 404);
}
