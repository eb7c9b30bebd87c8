//! Which records a search finds, against a plain evaluation of every record.

use std::collections::BTreeSet;

use lookback::{Embedding, Level, Log, NewLog};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

/// Words that are near each other in spelling or in sense, and some that are not.
const WORDS: [&str; 24] = [
    "connection",
    "Connections",
    "conection",
    "refused",
    "refusing",
    "timeout",
    "time",
    "out",
    "database",
    "dataBase",
    "ledger",
    "the",
    "of",
    "7",
    "1608999687",
    "16089",
    "blk_-7",
    "[preauth]",
    "100%",
    "a_b",
    "ÅNGSTRÖM",
    "ångstrom",
    "!!",
    "pay",
];

fn sentence() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&WORDS[..]), 1..6).prop_map(|words| words.join(" "))
}

#[derive(Clone, Debug)]
struct Row {
    source: &'static str,
    level: Level,
    message: String,
    deleted: bool,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let level = prop::sample::select(vec![Level::Info, Level::Warn, Level::Error]);
    let source = prop::sample::select(vec!["API", "payments", "DB"]);
    let row = (source, level, sentence(), prop::bool::weighted(0.1)).prop_map(
        |(source, level, message, deleted)| Row {
            source,
            level,
            message,
            deleted,
        },
    );
    prop::collection::vec(row, 1..40)
}

/// A term of a search, and the rows that it leaves, where that is not for
/// `finds` to say.
fn term() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => sentence(),
        1 => sentence().prop_map(|words| format!("\"{}\"", words.split(' ').next().unwrap_or_default())),
        1 => prop::sample::select(&WORDS[..]).prop_map(|word| format!("-\"{word}\"")),
        1 => prop::sample::select(vec!["level:error", "-level:info", "source:PAY", "-source:db"]).prop_map(str::to_owned),
    ]
}

/// What `field:value` in a search leaves.
fn passes(search: &str, row: &Row) -> bool {
    search.split(' ').all(|term| match term {
        "level:error" => row.level == Level::Error,
        "-level:info" => row.level != Level::Info,
        "source:PAY" => row.source == "payments",
        "-source:db" => row.source != "DB",
        _ => true,
    })
}

fn searches() -> impl Strategy<Value = Vec<String>> {
    let search = prop::collection::vec(term(), 1..4).prop_map(|terms| terms.join(" "));
    prop::collection::vec(search, 12)
}

#[tokio::test]
async fn a_search_finds_what_a_plain_evaluation_finds() {
    let db = testkit::database().await;
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..20 {
        let (rows, searches) = (rows(), searches())
            .new_tree(&mut runner)
            .unwrap()
            .current();
        sqlx::query("TRUNCATE logs RESTART IDENTITY")
            .execute(&db.pool)
            .await
            .unwrap();
        let new: Vec<NewLog> = rows
            .iter()
            .map(|row| NewLog::new(row.source, row.level, row.message.as_str()))
            .collect();
        Log::records().create_many(&db.pool, &new).await.unwrap();
        for (id, row) in (1..).zip(&rows) {
            if row.deleted {
                Log::records().delete(&db.pool, id).await.unwrap();
            }
        }
        for search in &searches {
            let expected: BTreeSet<i64> = (1..)
                .zip(&rows)
                .filter(|(_, row)| !row.deleted && row.source != "DB" && passes(search, row))
                .filter(|(_, row)| {
                    let texts = [
                        row.message.clone(),
                        row.source.to_owned(),
                        level_of(row).to_owned(),
                    ];
                    let embedding = Embedding::of(&texts.join(" "));
                    lookback::__private::finds::<Log>(search, &texts, embedding.as_ref())
                })
                .map(|(id, _)| id)
                .collect();
            let query = Log::records().filter(Log::source().ne("DB")).search(search);
            let all = query.clone().limit(100).list(&db.pool).await.unwrap();
            let ids: Vec<i64> = all.data.iter().map(|log| log.id).collect();
            assert_eq!(
                ids.iter().copied().collect::<BTreeSet<i64>>(),
                expected,
                "{search:?} in {rows:#?}"
            );
            assert_eq!(all.total.value(), expected.len() as u64, "{search:?}");
            // More words than rows are fetched by make the total a floor.
            assert!(
                all.total.is_exact() || search.split([' ', '_', '-']).count() > 8,
                "{search:?}"
            );

            // Pages one after the other are the one long page, and hits are in its order.
            let mut paged = Vec::new();
            for page in 0..=ids.len() / 7 {
                let hits = query
                    .clone()
                    .limit(7)
                    .offset(page as u64 * 7)
                    .hits(&db.pool)
                    .await
                    .unwrap();
                assert_eq!(hits.total, all.total);
                assert!(hits.data.windows(2).all(|two| two[0].score > two[1].score
                    || two[0].score == two[1].score && two[0].record.id > two[1].record.id));
                paged.extend(hits.data.iter().map(|hit| hit.record.id));
                for highlight in hits.data.iter().flat_map(|hit| &hit.highlights) {
                    for range in &highlight.ranges {
                        assert!(!highlight.text[range.clone()].is_empty());
                    }
                }
            }
            assert_eq!(paged, ids, "{search:?}");
        }
    }
}

fn level_of(row: &Row) -> &'static str {
    match row.level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
