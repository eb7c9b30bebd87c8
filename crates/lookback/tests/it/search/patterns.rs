//! Patterns, and hits with their copies folded.

use chrono::{DateTime, TimeDelta, Utc};
use lookback::maintenance::sealing::Sealer;
use lookback::query::{PatternPage, Total};
use lookback::search::Hit;
use lookback::{Level, Log, Model as _, NewLog, QueryBuilder};
use sqlx::PgConnection;

use super::covering::use_summaries;
use crate::sealing::seal_all;

/// The time of the log number `at`: one each second.
fn time(at: usize) -> DateTime<Utc> {
    crate::time("2026-01-01T00:00:00Z") + TimeDelta::seconds(at as i64)
}

async fn store(conn: &mut PgConnection, messages: impl IntoIterator<Item = String>) {
    let new = |(at, message): (usize, String)| {
        NewLog::new("API", Level::Info, message).created_at(time(at))
    };
    let logs: Vec<NewLog> = messages.into_iter().enumerate().map(new).collect();
    for logs in logs.chunks(5_000) {
        Log::records().create_many(&mut *conn, logs).await.unwrap();
    }
}

/// The text of a pattern's message.
fn message(pattern: &lookback::query::Pattern<Log>) -> &str {
    let message = pattern.fields.iter().find(|(name, _)| *name == "message");
    &message.unwrap().1
}

fn counts(page: &PatternPage<Log>) -> Vec<(&str, u64)> {
    let counts = page.data.iter();
    let counts = counts.map(|pattern| (message(pattern), pattern.count.value()));
    counts.collect()
}

/// Lines of five templates, the first of which is at one place only.
fn line(at: usize) -> String {
    match at {
        2_100 => "disk sda1 is full".to_owned(),
        _ if at % 10 < 6 => format!("user {at} logged in from 10.0.0.{}", at % 250),
        _ if at % 10 < 9 => format!("connection 0x{at:x}7 refused"),
        _ => format!("Größe {at} überschritten"),
    }
}

#[tokio::test]
async fn patterns_count_records_that_differ_in_numbers() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    store(&mut conn, (0..3_000).map(line)).await;
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 500).unwrap()).await;
            // Records that are not sealed count, too.
            let more = (3_000..3_200)
                .map(|at| NewLog::new("API", Level::Info, line(at)).created_at(time(at)));
            let more: Vec<NewLog> = more.collect();
            Log::records().create_many(&mut *conn, &more).await.unwrap();
        }
        use_summaries(&mut conn, sealed).await;
        let all = if sealed { 3_200 } else { 3_000 };
        let tenth = all / 10;
        let page = Log::records().patterns().fetch(&mut *conn).await.unwrap();
        assert_eq!(
            counts(&page),
            [
                ("user 0 logged in from 0.0.0.0", 6 * tenth - 1),
                ("connection 0 refused", 3 * tenth),
                ("Größe 0 überschritten", tenth),
                ("disk 0 is full", 1),
            ],
            "{sealed}"
        );
        let records = if sealed {
            Total::About(all)
        } else {
            Total::Exact(all)
        };
        assert_eq!(page.records, records);
        let total = if sealed {
            Total::About(4)
        } else {
            Total::Exact(4)
        };
        assert_eq!(page.total, total);
        let user = &page.data[0];
        assert!((user.share - (6 * tenth - 1) as f64 / all as f64).abs() < 1e-9);
        assert_eq!((user.first, user.last), (time(0), time(all as usize - 5)));
        assert_eq!(user.example.message, line(all as usize - 5));
        let disk = &page.data[3];
        assert_eq!((disk.first, disk.last), (time(2_100), time(2_100)));
        assert_eq!(disk.example.message, "disk sda1 is full");

        // Those that are new, and those with words.
        let new = Log::records().patterns().new_since(time(2_000));
        let new = new.fetch(&mut *conn).await.unwrap();
        assert_eq!(counts(&new), [("disk 0 is full", 1)], "{sealed}");
        let refused = Log::records().search("refused").patterns();
        let refused = refused.fetch(&mut *conn).await.unwrap();
        assert_eq!(
            counts(&refused),
            [("connection 0 refused", 3 * tenth)],
            "{sealed}"
        );
        assert!((refused.data[0].share - 1.0).abs() < 1e-9);
        // Within an id, which a template masks.
        let sda = Log::records().search("sda").patterns();
        let sda = sda.fetch(&mut *conn).await.unwrap();
        assert_eq!(counts(&sda), [("disk 0 is full", 1)], "{sealed}");
        // Filters, pages.
        let query = Log::records().filter(Log::created_at().lt(time(100)));
        let some = query.limit(1).offset(1).patterns();
        let some = some.fetch(&mut *conn).await.unwrap();
        assert_eq!(counts(&some), [("connection 0 refused", 30)], "{sealed}");
        assert_eq!(
            (some.total, some.records),
            (Total::Exact(3), Total::Exact(100))
        );
    }
}

/// A deleted record is not counted; summaries go on counting it unless all are read.
#[tokio::test]
async fn patterns_of_deleted_records_are_counted_exactly_on_demand() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    store(&mut conn, (0..1_000).map(line)).await;
    seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 500).unwrap()).await;
    use_summaries(&mut conn, true).await;
    let refused = Log::records().filter(Log::message().contains("refused"));
    refused.delete_all(&mut *conn).await.unwrap();
    let page = Log::records().patterns().fetch(&mut *conn).await.unwrap();
    // Of those that are gone none is an example.
    let live = [
        ("user 0 logged in from 0.0.0.0", 600),
        ("Größe 0 überschritten", 100),
    ];
    assert_eq!(counts(&page), live);
    assert_eq!(
        (page.records, page.total),
        (Total::About(1_000), Total::About(3))
    );
    let exact = Log::records()
        .patterns()
        .exact()
        .fetch(&mut *conn)
        .await
        .unwrap();
    assert_eq!(counts(&exact), live);
    assert_eq!(
        (exact.records, exact.total),
        (Total::Exact(700), Total::Exact(2))
    );
    let deleted = Log::records().only_deleted().patterns();
    let deleted = deleted.fetch(&mut *conn).await.unwrap();
    assert_eq!(counts(&deleted), [("connection 0 refused", 300)]);
}

/// Reads all pages of a folded search; no row is on two of them.
async fn all_rows(conn: &mut PgConnection, query: &QueryBuilder<Log>) -> Vec<Hit<Log>> {
    let mut all: Vec<Hit<Log>> = Vec::new();
    let mut next = query.clone().limit(1);
    loop {
        let page = next.hits(&mut *conn).await.unwrap();
        // The page before it ends with the last row of the page before.
        if let Some(previous) = page.previous {
            let before = query.clone().limit(1).before(previous);
            let before = before.hits(&mut *conn).await.unwrap();
            assert_eq!(before.data[0].record, all[all.len() - 1].record);
        }
        all.extend(page.data);
        match page.next {
            Some(cursor) => next = query.clone().limit(2).after(cursor),
            None => return all,
        }
    }
}

fn rows(hits: &[Hit<Log>]) -> Vec<(&str, Total)> {
    let rows = hits.iter();
    rows.map(|hit| (hit.record.message.as_str(), hit.copies.unwrap().count))
        .collect()
}

#[tokio::test]
async fn folded_search_has_one_row_for_each_pattern() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |at: usize| match at {
        3 => "login of user failed: wrong password".to_owned(),
        17 => "user login failed".to_owned(),
        _ if at.is_multiple_of(2) => format!("user login failed for user {at}"),
        _ => format!("login succeeded in {at} ms"),
    };
    store(&mut conn, (0..200).map(line)).await;
    let query = Log::records().search("user login failed").fold_copies();
    let hits = all_rows(&mut conn, &query).await;
    assert_eq!(
        rows(&hits),
        [
            ("user login failed for user 198", Total::Exact(100)),
            ("user login failed", Total::Exact(1)),
            ("login of user failed: wrong password", Total::Exact(1)),
            ("login succeeded in 199 ms", Total::Exact(98)),
        ]
    );
    let copies = hits[0].copies.unwrap();
    assert_eq!((copies.first, copies.last), (time(0), time(198)));
    let page = query.limit(2).hits(&mut *conn).await.unwrap();
    assert_eq!(
        (page.total, page.folded),
        (Total::Exact(200), Some(Total::Exact(4)))
    );

    // With a number, the lines that have it are a row of their own.
    let query = Log::records()
        .search("login failed for user 42")
        .fold_copies();
    let hits = all_rows(&mut conn, &query).await;
    assert_eq!(
        rows(&hits)[..2],
        [
            ("user login failed for user 42", Total::Exact(1)),
            ("user login failed for user 198", Total::Exact(99)),
        ]
    );
}

/// Of more hits than are ranked, all are counted.
#[tokio::test]
async fn folded_search_counts_every_hit_of_common_words() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |at: usize| match at % 10 {
        0..6 => format!("connection {at} refused"),
        6..9 => format!("peer {at} refused the connection"),
        _ => format!("refusal {at}"),
    };
    store(&mut conn, (0..6_000).map(line)).await;
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 1_000).unwrap()).await;
        }
        use_summaries(&mut conn, sealed).await;
        let query = Log::records().search("connection refused").fold_copies();
        let hits = all_rows(&mut conn, &query).await;
        let count = |count| {
            if sealed {
                Total::About(count)
            } else {
                Total::Exact(count)
            }
        };
        let covering = [
            ("peer 5998 refused the connection", count(1_800)),
            ("connection 5995 refused", count(3_600)),
        ];
        assert_eq!(rows(&hits)[..2], covering, "{sealed}");
        assert_eq!(hits[0].copies.unwrap().first, time(6), "{sealed}");
        // With a filter, summaries do not count; a part of the hits is ranked.
        let filtered = query.filter(Log::source().eq("API"));
        let hits = all_rows(&mut conn, &filtered).await;
        let counts = [hits[0].copies.unwrap().count, hits[1].copies.unwrap().count];
        if sealed {
            assert!(
                counts
                    .iter()
                    .all(|count| matches!(count, Total::AtLeast(25..))),
                "{counts:?}"
            );
        } else {
            assert_eq!(counts, [Total::Exact(1_800), Total::Exact(3_600)]);
        }
    }
}

#[tokio::test]
async fn folded_similar_records_are_one_row_for_each_pattern() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |at: usize| match at % 10 {
        0..8 => format!("connection {at} refused by database"),
        8 => format!("database {at} refused a connection of the pool"),
        _ => format!("user {at} logged in"),
    };
    store(&mut conn, (0..2_000).map(line)).await;
    let first = Log::records()
        .order_by(Log::id().asc())
        .first(&mut *conn)
        .await;
    let first = first.unwrap().unwrap();
    let query = Log::records().similar_to(first.id).fold_copies();
    let hits = all_rows(&mut conn, &query).await;
    assert_eq!(
        rows(&hits),
        [
            // Without the record itself.
            ("connection 1997 refused by database", Total::Exact(1_599)),
            (
                "database 1998 refused a connection of the pool",
                Total::Exact(200)
            ),
            ("user 1999 logged in", Total::Exact(200)),
        ]
    );
    assert_eq!(hits[0].copies.unwrap().first, time(1));
}

/// The name of pattern number `at`, without a digit.
fn name(at: usize) -> String {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap());
    format!("peer{}{}", letter(at / 26), letter(at))
}

/// The name of the pattern of a hit.
fn name_of(hit: &Hit<Log>) -> String {
    let name = hit.record.message.split(' ').next_back().unwrap();
    name.to_owned()
}

/// Deletes the hits that stand for rows on a page, and some for rows on none yet: forwards, then
/// backwards. Each pattern with hits left is shown once each way.
#[tokio::test]
async fn folded_pages_under_deletes_skip_no_pattern_and_repeat_none() {
    const PATTERNS: usize = 24;
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    // Ranked all, and more than are ranked: in the table, and in summaries.
    for (copies, sealed) in [(12, false), (45, false), (45, true)] {
        for hard in [false, true] {
            sqlx::query("TRUNCATE logs")
                .execute(&mut *conn)
                .await
                .unwrap();
            let line = |at: usize| {
                let words = match at % PATTERNS % 4 {
                    0 => "connection was refused to",
                    1 => "connection refused by",
                    _ => "refused the connection of",
                };
                format!("{words} try {at} of {}", name(at % PATTERNS))
            };
            store(&mut conn, (0..copies * PATTERNS).map(line)).await;
            if sealed {
                seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 400).unwrap()).await;
            }
            use_summaries(&mut conn, sealed).await;
            let query = Log::records().search("connection refused").fold_copies();
            let all = all_rows(&mut conn, &query).await;
            let order: Vec<String> = all.iter().map(name_of).collect();
            assert_eq!(order.len(), PATTERNS);
            let case = format!("{copies} copies, sealed {sealed}, hard {hard}");

            // The newest of a pattern, which are the best, and all of another one.
            let delete = async |conn: &mut PgConnection, name: &str, most: u32| {
                let query = Log::records().filter(Log::message().ends_with(name));
                let newest = query.order_by(Log::id().desc()).limit(most);
                let newest = newest.list(&mut *conn).await.unwrap();
                let ids: Vec<i64> = newest.data.iter().map(|log| log.id).collect();
                let doomed = Log::records().filter(Log::id().is_in(ids));
                if hard {
                    doomed.hard_delete_all(&mut *conn).await.unwrap();
                } else {
                    doomed.delete_all(&mut *conn).await.unwrap();
                }
            };
            let gone = [&order[7], &order[17]];
            let (mut forwards, mut last) = (Vec::new(), None);
            let mut next = Some(query.clone().limit(6));
            while let Some(page) = next {
                let page = page.hits(&mut *conn).await.unwrap();
                let shown: Vec<String> = page.data.iter().map(name_of).collect();
                for name in shown.iter().step_by(2) {
                    delete(&mut conn, name, 2).await;
                }
                if forwards.is_empty() {
                    for name in gone {
                        delete(&mut conn, name, 100).await;
                    }
                    // One that is on a later page stays on one.
                    delete(&mut conn, &order[20], 1).await;
                }
                forwards.extend(shown);
                let more = |cursor| query.clone().limit(6).after(cursor);
                next = page.next.map(more);
                last = page.previous;
            }
            let left = order.iter().filter(|name| !gone.contains(name));
            let mut sorted: Vec<String> = left.cloned().collect();
            sorted.sort();
            let mut read = forwards.clone();
            read.sort();
            assert_eq!(read, sorted, "{case}");

            // Back: what was shown, in its order, whatever moves.
            let mut backwards: Vec<String> = Vec::new();
            while let Some(cursor) = last {
                let page = query.clone().limit(5).before(cursor);
                let page = page.hits(&mut *conn).await.unwrap();
                let shown: Vec<String> = page.data.iter().map(name_of).collect();
                delete(&mut conn, &forwards[0], 1).await;
                delete(&mut conn, &forwards[3], 1).await;
                // Forwards from there: what was shown after it, in the order of now.
                if let Some(cursor) = page.next.filter(|_| backwards.len() == 5) {
                    let rest = query.clone().limit(100).after(cursor);
                    let rest = rest.hits(&mut *conn).await.unwrap();
                    let mut rest: Vec<String> = rest.data.iter().map(name_of).collect();
                    rest.sort();
                    let last = shown.last().unwrap();
                    let place = forwards.iter().position(|name| name == last);
                    let mut after = forwards[place.unwrap() + 1..].to_vec();
                    after.sort();
                    assert_eq!(rest, after, "{case}");
                }
                backwards.splice(0..0, shown);
                last = page.previous;
            }
            let first = forwards.len() - backwards.len();
            assert_eq!(backwards, forwards[..backwards.len()], "{case}");
            assert!((1..=6).contains(&first), "{case}: {first} on the last page");
        }
    }
}
