//! Edge cases of search texts, and hostile ones.

use lookback::query::{Hits, Total};
use lookback::{Level, Log, NewLog, QueryBuilder};

use crate::maintenance::END;

async fn shop() -> testkit::Database {
    let db = testkit::database().await;
    let messages = [
        "order 4711 of customer 99817 was paid",
        "the cache is not there",
        "said \"hello\" to O'Brien; DROP TABLE logs; --",
        "rocket 🚀 launched",
        "100% of_it \\ done",
    ];
    let logs = messages.map(|message| NewLog::new("API", Level::Info, message));
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    db
}

/// Returns the hits of a query. The limits of its work have unit tests
/// (`terms.rs`, `query.rs`, `run.rs`, `word.rs`, `explain.rs`); this tests that it
/// ends.
async fn hits(db: &testkit::Database, query: QueryBuilder<Log>) -> Hits<Log> {
    let hits = tokio::time::timeout(END, query.hits(&db.pool)).await;
    hits.expect("a search that ends").unwrap()
}

async fn ids(db: &testkit::Database, search: &str) -> Vec<i64> {
    let page = Log::records().search(search).list(&db.pool).await.unwrap();
    page.data.into_iter().map(|log| log.id).collect()
}

#[tokio::test]
async fn search_accepts_any_text() {
    let db = shop().await;
    let long = "word ".repeat(20_000);
    let wide = "🦀".repeat(25_000);
    let quotes = "\"".repeat(100_000);
    let minus = "-a ".repeat(30_000);
    let fields = "level:info ".repeat(9_000);
    let one = "x".repeat(100_000);
    for search in [
        "\"",
        "\"open",
        "-",
        "--",
        "-\"",
        ":",
        "a:",
        ":a",
        "level:",
        "level:\"",
        "-level:verbose",
        "\0",
        "a\0b",
        "🚀",
        "()",
        "[",
        "\\",
        "%",
        "_",
        "*",
        "' OR 1=1 --",
        "the of and",
        "!!! ???",
        "\u{202e}",
        "\u{feff}",
        "ﬁ",
        "İ",
        "ß",
        "-the",
        "id:99999999999999999999",
        "created_at:now",
        "embedding:[1]",
        "deleted_at:null",
        "message:%",
        "e\u{301}",
        "\u{d7ff}\u{e000}",
        "NULL",
        "$1",
        &long,
        &wide,
        &quotes,
        &minus,
        &fields,
        &one,
    ] {
        let shown: String = search.chars().take(40).collect();
        eprintln!("{shown:?}");
        let hits = hits(&db, Log::records().search(search)).await;
        assert!(hits.data.len() <= 5, "{shown:?}");
    }
    assert_eq!(
        Log::records().count(&db.pool).await.unwrap(),
        Total::Exact(5)
    );
}

#[tokio::test]
async fn search_finds_punctuation_as_it_is() {
    let db = shop().await;
    for (search, found) in [
        ("\"100% of_it\"", vec![5]),
        ("\"o'brien; drop table\"", vec![3]),
        ("🚀", vec![4]),
        ("\\", vec![5]),
        ("4711", vec![1]),
        ("9981", vec![1]),
        // Three digits are a whole number.
        ("817", vec![]),
        ("id:2", vec![2]),
        ("message:ORDER", vec![1]),
        ("-order -cache -rocket -hello", vec![5]),
        ("the is", vec![2]),
        ("", vec![5, 4, 3, 2, 1]),
        (" \n\t ", vec![5, 4, 3, 2, 1]),
        ("-level:info", vec![]),
        ("level:info -id:5", vec![4, 3, 2, 1]),
    ] {
        assert_eq!(ids(&db, search).await, found, "{search}");
    }
}

#[tokio::test]
async fn search_of_filters_alone_lists_in_requested_order() {
    let db = shop().await;
    let page = Log::records()
        .search("level:info -cache")
        .order_by(Log::id().asc())
        .limit(2)
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(
        page.data.iter().map(|log| log.id).collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(page.total, Total::Exact(4));
    let error = Log::records()
        .search("cache")
        .order_by(Log::id().asc())
        .list(&db.pool)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "order_by: cannot be combined with a search, whose order is the best hit first"
    );
}

/// Words of any length, and texts of a megabyte.
#[tokio::test]
async fn search_finds_long_words_in_long_texts() {
    let db = testkit::database().await;
    let long = |seed: u64, length: usize| -> String {
        let letters = (0..length as u64).map(|at| {
            let mixed = (seed * 1_000_003 + at * at * 7 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            char::from(b'a' + u8::try_from(mixed % 26).unwrap())
        });
        letters.collect()
    };
    let mut text = String::from("prefix ");
    for seed in 0..1_500 {
        text.push_str(&long(seed, 600));
        text.push(' ');
    }
    for _ in 0..8 {
        Log::records()
            .create(&db.pool, NewLog::new("API", Level::Info, text.as_str()))
            .await
            .unwrap();
    }
    let words: Vec<String> = (2_000..2_024).map(|seed| long(seed, 160)).collect();
    let search = format!("\"prefix\" {}", words.join(" "));
    let found = hits(&db, Log::records().search(search)).await;
    assert_eq!(found.data.len(), 8);

    // Also far into a text, with highlights.
    let last = long(1_499, 600);
    let hits = hits(&db, Log::records().search(&last[100..140]).limit(1)).await;
    let highlight = &hits.data[0].highlights[0];
    let ranges = &highlight.ranges;
    assert_eq!(&highlight.text[ranges[0].clone()], &last[100..140]);
}
