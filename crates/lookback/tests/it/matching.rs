//! Words as a filter, in every kind of read and write.

use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use lookback::maintenance::maintain_rollups;
use lookback::maintenance::sealing::{self, Sealer};
use lookback::query::{Bucket, count};
use lookback::{Filter, Level, Log, LogPatch, Model as _, NewLog};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::sealing::seal_all;
use crate::time;

fn lines() -> Vec<NewLog> {
    let start = time("2026-01-01T00:00:00Z");
    let messages = [
        "connection refused by port 50011",
        "Connection to cache REFUSED",
        "reconnection was refused",
        "connection accepted",
        "code 50 refused the connection -x",
        "Café: Verbindung x7refused9 connection",
    ];
    (0..600_i32)
        .map(|at| {
            let message = messages[usize::try_from(at).unwrap() % messages.len()];
            let new = NewLog::new("API", Level::Info, message);
            new.created_at(start + chrono::TimeDelta::minutes(i64::from(at)))
        })
        .collect()
}

#[tokio::test]
async fn match_works_in_every_read_and_write() {
    let db = testkit::database().await;
    let pool = &db.pool;
    Log::records().create_many(pool, &lines()).await.unwrap();
    let kinds = |text: &str| Log::records().filter(Filter::matching(text));
    for (text, kinds_of) in [
        ("connection refused", vec![1, 2, 3, 5, 0]),
        ("REFUSED the connection", vec![1, 2, 3, 5, 0]),
        ("connection refused -cache", vec![1, 3, 5, 0]),
        ("\"connection refused\"", vec![1]),
        ("refused 50", vec![5]),
        // A record that has the `-` too is left.
        ("refused -x", vec![1, 2, 3, 5, 0]),
        ("refused -port", vec![2, 3, 5, 0]),
        ("50011", vec![1]),
        ("cafe", vec![]),
        ("café", vec![0]),
        ("the", vec![5]),
        ("-connection", vec![]),
        ("-accepted", vec![1, 2, 3, 5, 0]),
    ] {
        let ids: Vec<i64> = kinds(text)
            .order_by(Log::id().asc())
            .limit(10_000)
            .list(pool)
            .await
            .unwrap()
            .data
            .iter()
            .map(|log| log.id)
            .collect();
        let expected: Vec<i64> = (1..=600)
            .filter(|id| kinds_of.contains(&(id % 6)))
            .collect();
        assert_eq!(ids, expected, "{text}");
    }

    let query = kinds("connection refused -cache");
    assert_eq!(query.count(pool).await.unwrap().value(), 400);
    assert!(query.exists(pool).await.unwrap());
    let newest = query.clone().order_by(Log::created_at().desc()).limit(3);
    let page = newest.list(pool).await.unwrap();
    let ids: Vec<i64> = page.data.iter().map(|log| log.id).collect();
    assert_eq!((ids, page.total.value()), (vec![600, 599, 597], 400));
    let next = newest.clone().after(page.next.unwrap());
    let ids: Vec<i64> = next
        .list(pool)
        .await
        .unwrap()
        .data
        .iter()
        .map(|log| log.id)
        .collect();
    assert_eq!(ids, [595, 594, 593]);
    let streamed: Vec<Log> = query.stream(pool).try_collect().await.unwrap();
    assert_eq!(streamed.len(), 400);
    let hours = query
        .clone()
        .group_by(Log::created_at().bucket(Bucket::hours(1)))
        .aggregate(pool, count())
        .await
        .unwrap();
    assert_eq!((hours.len(), hours[0].1), (10, 40));
    let mut tail = query.clone().tail().last(2);
    tail.start(pool).await.unwrap();
    assert_eq!(tail.next(pool).await.unwrap().id, 599);
    assert_eq!(tail.next(pool).await.unwrap().id, 600);
    for message in ["cache: connection refused", "a refused connection"] {
        let new = NewLog::new("API", Level::Info, message);
        Log::records().create(pool, new).await.unwrap();
    }
    assert_eq!(tail.next(pool).await.unwrap().id, 602);

    let accepted = kinds("accepted");
    let patch = LogPatch::new().message("accepted: a new line");
    assert_eq!(accepted.update_all(pool, patch).await.unwrap(), 100);
    assert_eq!(accepted.delete_all(pool).await.unwrap(), 100);
    assert!(!accepted.exists(pool).await.unwrap());
    let neither = Log::records().filter(!Filter::matching("connection refused"));
    assert_eq!(
        neither.with_deleted().count(pool).await.unwrap().value(),
        100
    );
}

#[tokio::test]
async fn match_in_text_is_the_same_filter() {
    for (text, typed) in [
        (
            "match=connection refused",
            Filter::matching("connection refused"),
        ),
        ("match=\"a b\" -c", Filter::matching("\"a b\" -c")),
        (
            "or(match=\"slow query\",not(match=a),level=error)",
            Filter::matching("slow query") | !Filter::matching("a") | Log::level().eq("error"),
        ),
        ("match=a, b) \\", Filter::matching("a, b) \\")),
    ] {
        let parsed = Filter::<Log>::parse(text).unwrap();
        assert_eq!(parsed, typed, "{text}");
        let formatted = typed.to_text().unwrap();
        assert_eq!(
            Filter::<Log>::parse(&formatted).unwrap(),
            typed,
            "{formatted}"
        );
        let nested = Log::id().eq(1) & typed;
        let formatted = nested.to_text().unwrap();
        assert_eq!(
            Filter::<Log>::parse(&formatted).unwrap(),
            nested,
            "{formatted}"
        );
    }
    for (text, problem) in [
        (
            "match=  ",
            "match: must have a word, a \"phrase\" or an exclusion, such as connection refused -cache",
        ),
        (
            "match=level:error timeout",
            "match: `level:error` is a filter and not a word; write it as one of its own, level=error, \
             or put it in quotes",
        ),
    ] {
        let error = Filter::<Log>::parse(text).unwrap_err();
        assert!(error.is_invalid());
        assert!(error.to_string().starts_with(problem), "{error}");
    }
    let many: String = (0..30).map(|at| format!("word{at}x ")).collect();
    let error = Filter::<Log>::parse(&format!("match={many}")).unwrap_err();
    assert!(error.to_string().contains("at most 24 words"), "{error}");
}

const WORDS: [&str; 12] = [
    "connection",
    "refused",
    "port",
    "50011",
    "x7refused",
    "api",
    "of",
    "42",
    "Zoë",
    "timeout",
    "4111-1111-1111-1111",
    "re",
];

fn words(most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(&WORDS[..]), 1..most)
}

/// A match of words has the records that a search lists first: those with all words.
#[tokio::test]
async fn match_of_words_is_what_a_search_lists_first() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let mut runner = crate::random::runner(12);
    let strategy = (
        prop::collection::vec(words(6), 1..80),
        prop::collection::vec(words(4), 6),
        1..40_i64,
    );
    for _ in 0..runner.config().cases {
        let (messages, texts, segment) = strategy.new_tree(&mut runner).unwrap().current();
        conn.execute("TRUNCATE logs RESTART IDENTITY")
            .await
            .unwrap();
        sealing::unseal(&mut conn, Log::TABLE).await.unwrap();
        let new: Vec<NewLog> = messages
            .iter()
            .map(|words| NewLog::new("WEB", Level::Info, words.join(" ")))
            .collect();
        Log::records().create_many(&mut *conn, &new).await.unwrap();
        let mut sealer = Sealer::new(Log::TABLE, segment).unwrap();
        seal_all(&mut conn, &mut sealer).await;
        for text in &texts {
            compare(&mut conn, &text.join(" ")).await;
        }
    }
}

async fn compare(conn: &mut PgConnection, text: &str) {
    let matches = Log::records()
        .filter(Filter::matching(text))
        .limit(10_000)
        .list(&mut *conn)
        .await
        .unwrap();
    let found: BTreeSet<i64> = matches.data.iter().map(|log| log.id).collect();
    let searched = Log::records().matching_search(text);
    let searched = searched.aggregate(&mut *conn, count()).await.unwrap();
    assert_eq!(searched, i64::try_from(found.len()).unwrap(), "{text}");
    // Newest first, by cursor, and back from the last page.
    let query = Log::records().matching(text).limit(3).without_total();
    let (mut pages, mut page) = (Vec::new(), query.list(&mut *conn).await.unwrap());
    loop {
        pages.extend(page.data.iter().map(|log| log.id));
        let Some(next) = page.next else { break };
        page = query.clone().after(&next).list(&mut *conn).await.unwrap();
        if let Some(previous) = &page.previous {
            let before = query
                .clone()
                .before(previous)
                .list(&mut *conn)
                .await
                .unwrap();
            let before: Vec<i64> = before.data.iter().map(|log| log.id).collect();
            assert_eq!(before, pages[pages.len() - 3..], "{text}");
        }
    }
    assert!(pages.iter().eq(found.iter().rev()), "{text}: {pages:?}");
    let hits = Log::records().search(text).limit(10_000).hits(conn).await;
    let hits = hits.unwrap().data;
    let first: BTreeSet<i64> = hits
        .iter()
        .take(found.len())
        .map(|hit| hit.record.id)
        .collect();
    assert_eq!(found, first, "{text}");
    // The next one has not all words: its score has no 1 for them.
    if let (Some(last), Some(next)) = (found.len().checked_sub(1), hits.get(found.len())) {
        assert!(hits[last].score >= 1.0, "{text}");
        assert!(
            hits[last].score > next.score,
            "{text}: {}",
            next.record.message
        );
    }
}

#[tokio::test]
async fn matching_search_takes_every_text_of_a_search() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines())
        .await
        .unwrap();
    let many: String = (0..40).map(|at| format!("word{at}x ")).collect();
    for text in [
        "",
        "  ",
        "refused",
        "refused level:error",
        "-level:error",
        "level:error -cache",
        "\"connection refused\" port",
        "connection nofield:x",
        "\"unclosed",
        "of the",
        "level:verbose",
        "\0",
        many.as_str(),
        "->",
    ] {
        let counted = Log::records().matching_search(text);
        let counted = counted.aggregate(&db.pool, count()).await.unwrap();
        // Patterns are counted among the records that a search puts first.
        let patterns = Log::records().search(text).patterns().exact();
        let patterns = patterns.fetch(&db.pool).await.unwrap();
        assert_eq!(counted.unsigned_abs(), patterns.records.value(), "{text:?}");
    }
}

/// What `match` finds by summaries, however small the table is, and by reading every record.
async fn counts(conn: &mut PgConnection, words: &str) -> [i64; 2] {
    let mut counts = [0; 2];
    for (place, cost) in ["-1", "1e18"].into_iter().enumerate() {
        let set = format!("SET lookback.scan_cost = '{cost}'");
        conn.execute(sqlx::AssertSqlSafe(set)).await.unwrap();
        let matching = Log::records().matching(words);
        counts[place] = matching.aggregate(&mut *conn, count()).await.unwrap();
    }
    counts
}

#[tokio::test]
async fn match_by_summaries_knows_forms_of_letters_and_other_columns() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |message: &str| NewLog::new("API", Level::Info, message);
    let texts = [
        "café noir",
        "SİLİNDİ kullanıcı",
        "SATİŞLARİ2024",
        "GİDERLERİ2024",
        "gate",
    ];
    let lines: Vec<NewLog> = texts
        .iter()
        .cycle()
        .take(500)
        .map(|text| line(text))
        .collect();
    Log::records()
        .create_many(&mut *conn, &lines)
        .await
        .unwrap();
    seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 50).unwrap()).await;
    for (words, found) in [
        ("\"cafe\u{301} noir\"", 100),
        ("\"café noir\"", 100),
        ("\"silindi kullanıcı\"", 100),
        ("noir", 100),
        ("gate", 100),
        ("ler2024", 0),
        ("nothing", 0),
    ] {
        assert_eq!(counts(&mut conn, words).await, [found; 2], "{words}");
    }
    // Another column with the name of one that was summarised, as a migration may leave it.
    conn.execute(
        "ALTER TABLE logs RENAME message TO earlier; ALTER TABLE logs ALTER earlier DROP NOT NULL; \
         ALTER TABLE logs ADD COLUMN message text NOT NULL DEFAULT 'disk failure'",
    )
    .await
    .unwrap();
    conn.clear_cached_statements().await.unwrap();
    assert_eq!(counts(&mut conn, "failure").await, [500; 2]);
}

/// Notes of changed texts do not pile up: the ids are taken out of the segments.
#[tokio::test]
async fn match_by_summaries_is_exact_after_many_changes_were_folded() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let lines = vec![NewLog::new("API", Level::Info, "one of many"); 4_000];
    Log::records()
        .create_many(&mut *conn, &lines)
        .await
        .unwrap();
    seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 500).unwrap()).await;
    conn.execute(
        "UPDATE logs SET message = 'another text' WHERE id % 3 = 0; \
         DELETE FROM logs WHERE id BETWEEN 700 AND 1200; \
         INSERT INTO logs (id, source, level, message) OVERRIDING SYSTEM VALUE \
           VALUES (800, 'API', 'info', 'another one of its kind')",
    )
    .await
    .unwrap();
    let notes = "SELECT count(*) FROM rollup_corrections WHERE amount = 0";
    let count_notes =
        async || -> i64 { sqlx::query_scalar(notes).fetch_one(&db.pool).await.unwrap() };
    assert!(count_notes().await > 1_000);
    let before = counts(&mut conn, "another").await;
    assert_eq!(before[0], before[1]);
    while maintain_rollups(&db.pool, Log::TABLE).await.unwrap() {}
    assert_eq!(count_notes().await, 0);
    for words in ["another", "many", "kind"] {
        let [by_summaries, by_reading] = counts(&mut conn, words).await;
        assert_eq!(by_summaries, by_reading, "{words}");
        assert!(by_reading > 0, "{words}");
    }
}
