//! Filters, order and pages, against a plain evaluation in Rust.

use lookback::json;
use lookback::query::Total;
use lookback::{Filter, Level, Log, NewLog};

mod answers;
mod arrays;
mod drawn;
mod hostile;
mod indexes;
mod plain;
mod spelling;
mod thing;

#[tokio::test]
async fn list_of_invalid_query_names_the_problem() {
    let db = testkit::database().await;
    let refused = async |query: lookback::QueryBuilder<Log>| {
        let error = query.list(&db.pool).await.unwrap_err();
        assert!(error.is_invalid());
        error.to_string()
    };
    let messages = [
        refused(Log::records().limit(10_001)).await,
        refused(Log::records().offset(u64::MAX)).await,
        refused(Log::records().filter(Log::level().eq("verbose"))).await,
        refused(Log::records().filter(!Log::message().like("x\\"))).await,
        refused(Log::records().search("a").similar_to(1)).await,
        refused(Log::records().search("a").order_by(Log::id().asc())).await,
    ]
    .join("\n");
    insta::assert_snapshot!(messages, @r"
limit: 10001 is more than 10000; read page by page
offset: is beyond the last record of any table
level: `verbose` is not one of debug, info, warn, error
message: the pattern ends in \, which escapes the next character; write \\ for one \
similar_to: cannot be combined with a search; leave one of them out
order_by: cannot be combined with a search, whose order is the best hit first
");
}

#[tokio::test]
async fn pages_by_offset_add_up_to_whole_list() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = (0..95)
        .map(|n| NewLog::new("API", Level::Info, format!("line {}", n % 7)))
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    for query in [
        Log::records(),
        Log::records().order_by(Log::message().desc()),
        Log::records().search("line"),
    ] {
        let whole = query.clone().limit(200).list(&db.pool).await.unwrap();
        assert_eq!(whole.data.len(), 95);
        let mut together = Vec::new();
        for page in 0..10 {
            let page = query
                .clone()
                .limit(10)
                .offset(page * 10)
                .list(&db.pool)
                .await
                .unwrap();
            assert_eq!(page.total, Total::Exact(95));
            together.extend(page.data);
        }
        assert_eq!(together, whole.data);
        let beyond = query.offset(95).list(&db.pool).await.unwrap();
        assert!(beyond.data.is_empty());
        assert_eq!(beyond.total, Total::Exact(95));
    }
}

#[tokio::test]
async fn level_filter_and_order_follow_severity() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = [Level::Warn, Level::Error, Level::Debug, Level::Info]
        .map(|level| NewLog::new("API", level, "m"))
        .into();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let levels = async |query: lookback::QueryBuilder<Log>| {
        let page = query.list(&db.pool).await.unwrap();
        page.data.iter().map(|log| log.level).collect::<Vec<_>>()
    };
    let by_level = Log::records().order_by(Log::level().asc());
    assert_eq!(levels(by_level.clone()).await, Level::ALL);
    for (text, from) in [
        ("level__gte=warn", 2),
        ("level__gt=debug", 1),
        ("level__gt=error", 4),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(
            levels(by_level.clone().filter(filter)).await,
            Level::ALL[from..],
            "{text}"
        );
    }
    let filter = Log::level().lt(Level::Warn) & !Log::level().lte("debug");
    assert_eq!(levels(by_level.filter(filter)).await, [Level::Info]);
}

#[tokio::test]
async fn contains_on_json_matches_substrings_and_elements() {
    let db = testkit::database().await;
    let tags = [
        json!(["a", "42", true]),
        json!([42.0]),
        json!("x42ay"),
        json!(["xay", ["a"], {"a": 1}]),
        json!({"a": "42"}),
        json!(42),
        json!(null),
        json!("A"),
    ];
    let mut logs: Vec<NewLog> = tags
        .into_iter()
        .enumerate()
        .map(|(n, tags)| NewLog::new(n.to_string(), Level::Info, "m").meta(json!({"tags": tags})))
        .collect();
    logs.push(NewLog::new("8", Level::Info, "m"));
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let found = async |filter: Filter<Log>| {
        let query = Log::records().order_by(Log::id().asc()).filter(filter);
        let page = query.list(&db.pool).await.unwrap();
        page.data
            .iter()
            .map(|log| log.source.as_str())
            .collect::<String>()
    };
    for (text, expected) in [
        ("meta.tags__contains=a", "02"),
        ("meta.tags__contains=42", "012"),
        ("meta.tags__contains=\"42\"", "02"),
        ("meta.tags__contains=true", "0"),
        ("meta.tags__icontains=a", "27"),
        ("meta.tags.0__contains=a", "03"),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(found(filter.clone()).await, expected, "{text}");
        let others: String = "012345678".replace(|c| expected.contains(c), "");
        assert_eq!(found(!filter).await, others, "not {text}");
    }
    assert_eq!(found(Log::meta().key("tags").contains("42")).await, "02");
}

#[test]
fn debug_of_filter_hides_values_of_hidden_columns() {
    let filter = lookback::User::password_hash().eq("$argon2id$secret")
        & lookback::User::email().ne("ada@example.com");
    let query = lookback::User::records().filter(filter.clone());
    for shown in [format!("{filter:?}"), format!("{query:?}")] {
        assert!(
            shown.contains("ada@example.com") && shown.contains("<hidden>"),
            "{shown}"
        );
        assert!(!shown.contains("argon2id"), "{shown}");
    }
}
