//! The quality of a search, on judgments of the log of an invented shop.
//! `make bench-search` measures it on real logs.

use std::collections::BTreeMap;

use lookback::{Log, NewLog};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    key: String,
    source: String,
    level: lookback::Level,
    message: String,
}

#[derive(Deserialize)]
struct Judged {
    class: String,
    query: String,
    keys: Vec<String>,
}

/// The share of the queries of a class that must find a relevant line among the
/// first five.
const FLOORS: [(&str, f64); 5] = [
    ("exact", 1.0),
    ("scattered", 1.0),
    ("partial", 1.0),
    ("typo", 1.0),
    ("paraphrase", 0.7),
];

#[tokio::test]
async fn judged_queries_find_relevant_line_among_first_five() {
    let db = testkit::database().await;
    let lines: Vec<Line> = read(include_str!("../../judged/lines.jsonl"));
    let new: Vec<NewLog> = lines
        .iter()
        .map(|line| NewLog::new(line.source.as_str(), line.level, line.message.as_str()))
        .collect();
    Log::records().create_many(&db.pool, &new).await.unwrap();

    let mut found: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
    for judged in read::<Judged>(include_str!("../../judged/queries.jsonl")) {
        let page = Log::records()
            .search(&judged.query)
            .limit(5)
            .list(&db.pool)
            .await
            .unwrap();
        let keys: Vec<&str> = page
            .data
            .iter()
            .map(|log| lines[usize::try_from(log.id).unwrap() - 1].key.as_str())
            .collect();
        let (count, missed) = found.entry(judged.class).or_default();
        *count += 1;
        if !keys
            .iter()
            .any(|key| judged.keys.iter().any(|right| right == key))
        {
            missed.push(format!("{}: {keys:?}", judged.query));
        }
    }
    for (class, floor) in FLOORS {
        let (count, missed) = &found[class];
        let share = 1.0 - missed.len() as f64 / *count as f64;
        assert!(
            share >= floor,
            "{class}: {share:.2} of {count}\n{}",
            missed.join("\n")
        );
    }
}

fn read<T: for<'de> Deserialize<'de>>(lines: &str) -> Vec<T> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
