//! Hybrid search: hits and their order, under filters and soft delete.

use lookback::json;
use lookback::query::Total;
use lookback::{Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::time;

mod covering;
mod edge_cases;
mod evaluation;
mod forms;
mod hits;
mod judgments;
mod pages;
mod patterns;
mod plans;
mod similar;
mod summaries;

async fn store(pool: &sqlx::PgPool, messages: &[&str]) {
    let logs: Vec<NewLog> = messages
        .iter()
        .map(|message| NewLog::new("API", Level::Info, *message))
        .collect();
    Log::records().create_many(pool, &logs).await.unwrap();
}

async fn found(pool: &sqlx::PgPool, words: &str) -> Vec<String> {
    let page = Log::records().search(words).list(pool).await.unwrap();
    page.data.into_iter().map(|log| log.message).collect()
}

#[tokio::test]
async fn search_returns_exact_words_then_parts_then_misspellings() {
    let db = testkit::database().await;
    let messages = [
        "user 17 logged in",
        "conection refusd by peer",
        "reconnection refused",
        "the connection to the database was refused",
        "connection refused",
        "cache miss for product 9",
    ];
    store(&db.pool, &messages).await;
    let hits = found(&db.pool, "connection refused").await;
    assert_eq!(
        hits[..4],
        [
            "connection refused",
            "the connection to the database was refused",
            "reconnection refused",
            "conection refusd by peer",
        ]
    );
    assert!(!hits.contains(&"user 17 logged in".to_owned()), "{hits:?}");
}

#[tokio::test]
async fn search_finds_misspellings_and_inflections() {
    let db = testkit::database().await;
    store(
        &db.pool,
        &[
            "authentication failure for user root",
            "payment gateway timeout",
            "workerEnv.init() ok /etc/httpd/conf/workers2.properties",
            "Verification succeeded for blk_-1608999687919862906",
            "nothing to see",
        ],
    )
    .await;
    for (words, message) in [
        ("authentcation", "authentication failure for user root"),
        (
            "fialure authentication",
            "authentication failure for user root",
        ),
        ("gatway timeot", "payment gateway timeout"),
        ("timeouts", "payment gateway timeout"),
        (
            "verify blk_-1608999687919862906",
            "Verification succeeded for blk_-1608999687919862906",
        ),
        (
            "1608999687919862906",
            "Verification succeeded for blk_-1608999687919862906",
        ),
        (
            "WORKERENV.INIT()",
            "workerEnv.init() ok /etc/httpd/conf/workers2.properties",
        ),
        (
            "workers2",
            "workerEnv.init() ok /etc/httpd/conf/workers2.properties",
        ),
    ] {
        let hits = found(&db.pool, words).await;
        assert_eq!(
            hits.first().map(String::as_str),
            Some(message),
            "{words}: {hits:?}"
        );
    }
}

#[tokio::test]
async fn search_matches_every_search_field() {
    let db = testkit::database().await;
    Log::records()
        .create_many(
            &db.pool,
            &[
                NewLog::new("WORKER", Level::Error, "stopped"),
                NewLog::new("WORKER", Level::Info, "stopped"),
                NewLog::new("API", Level::Error, "stopped"),
            ],
        )
        .await
        .unwrap();
    let page = Log::records()
        .search("worker error stopped")
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(
        (page.data[0].source.as_str(), page.data[0].level),
        ("WORKER", Level::Error)
    );

    let at = time("2026-01-01T00:00:00Z");
    let new = NewRequestSnapshot::new("POST", "/orders", at, "1", "test")
        .body(json!({"customer": {"name": "Müller"}, "coupon": "SUMMER-2026"}));
    let other = NewRequestSnapshot::new("POST", "/orders", at, "1", "test");
    RequestSnapshot::records()
        .create_many(&db.pool, &[new, other])
        .await
        .unwrap();
    for words in ["summer-2026", "MÜLLER", "coupon"] {
        let page = RequestSnapshot::records()
            .search(words)
            .list(&db.pool)
            .await
            .unwrap();
        assert_eq!(page.data[0].id, 1, "{words}");
    }
}

/// The filter excludes thousands of better hits.
#[tokio::test]
async fn search_with_filter_applies_it_before_any_limit() {
    let db = testkit::database().await;
    let mut logs = vec![NewLog::new(
        "DB",
        Level::Warn,
        "connection was refused, it seems",
    )];
    logs.extend((0..5_000).map(|_| NewLog::new("API", Level::Info, "connection refused")));
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    for filter in [
        Log::source().eq("DB"),
        Log::level().eq(Level::Warn),
        Log::id().lt(2),
    ] {
        let page = Log::records()
            .filter(filter)
            .search("connection refused")
            .list(&db.pool)
            .await
            .unwrap();
        assert_eq!(page.data.len(), 1);
        assert_eq!(page.total, Total::Exact(1));
    }
    let all = Log::records()
        .search("connection refused")
        .list(&db.pool)
        .await
        .unwrap();
    assert!(matches!(all.total, Total::AtLeast(_)), "{:?}", all.total);
    // Equal hits are ordered newest first.
    let ids: Vec<i64> = all.data.iter().map(|log| log.id).collect();
    assert_eq!(ids, (4_952..=5_001).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn search_finds_word_at_end_of_long_message() {
    let db = testkit::database().await;
    let long = format!("{} needle", "hay ".repeat(50_000));
    store(&db.pool, &["something else", &long]).await;
    let hits = found(&db.pool, "needle").await;
    assert_eq!(hits.len(), 1);
    assert!(hits[0].ends_with("needle"));
}

#[tokio::test]
async fn search_for_nonsense_finds_nothing() {
    let db = testkit::database().await;
    store(&db.pool, &["user 17 logged in", "cache miss for product 9"]).await;
    assert!(found(&db.pool, "xqzvvk").await.is_empty());
}

/// Searches generated log lines.
#[tokio::test]
async fn search_for_any_word_of_line_finds_it() {
    let db = testkit::database().await;
    let lines = testkit::sample::logs(7, 400);
    let logs: Vec<NewLog> = lines
        .into_iter()
        .map(|line| serde_json::from_value(line).unwrap())
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let mut runner = crate::random::runner(60);
    let strategy = (0..logs.len(), any::<proptest::sample::Index>());
    for _ in 0..runner.config().cases {
        let (line, word) = strategy.new_tree(&mut runner).unwrap().current();
        let words: Vec<&str> = logs[line].message.split_whitespace().collect();
        let word = words[word.index(words.len())];
        let page = Log::records()
            .filter(Log::id().eq(i64::try_from(line).unwrap() + 1))
            .search(word)
            .list(&db.pool)
            .await
            .unwrap();
        assert_eq!(page.data.len(), 1, "{word} in {}", logs[line].message);
        let best = Log::records()
            .search(word)
            .limit(1)
            .list(&db.pool)
            .await
            .unwrap();
        let best = best.data[0].message.to_lowercase();
        assert!(best.contains(&word.to_lowercase()), "{word}: {best}");
    }
}

/// Words that fetch no rows make the total a floor.
#[tokio::test]
async fn total_with_unfetched_words_is_floor() {
    let db = testkit::database().await;
    store(&db.pool, &["a needle", "hay"]).await;
    let words: String = ('a'..'i')
        .map(|c| format!("{} ", c.to_string().repeat(12)))
        .collect();
    let page = Log::records()
        .search(format!("{words} needle"))
        .list(&db.pool)
        .await
        .unwrap();
    assert!(!page.total.is_exact(), "{:?}", page.total);
    let page = Log::records()
        .search("needle")
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(page.total, Total::Exact(1));
}

#[tokio::test]
async fn search_finds_short_words_capitals_and_final_sigma() {
    let db = testkit::database().await;
    store(
        &db.pool,
        &[
            "the child exited",
            "ΟΔΟΣ ΚΛΕΙΣΤΗ",
            "İSTANBUL reached",
            "disk sda1 full",
        ],
    )
    .await;
    for (words, message) in [
        ("chidl", "the child exited"),
        ("ΟΔΟΣ", "ΟΔΟΣ ΚΛΕΙΣΤΗ"),
        ("οδος", "ΟΔΟΣ ΚΛΕΙΣΤΗ"),
        ("istanbul", "İSTANBUL reached"),
        ("sda", "disk sda1 full"),
    ] {
        let hits = found(&db.pool, words).await;
        assert_eq!(
            hits.first().map(String::as_str),
            Some(message),
            "{words}: {hits:?}"
        );
    }
    assert!(found(&db.pool, "!!! ???").await.is_empty());
}
