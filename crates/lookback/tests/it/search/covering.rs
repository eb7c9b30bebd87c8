//! Records that have all words of a search, among many of the same template.

use std::collections::BTreeSet;

use lookback::maintenance::sealing::Sealer;
use lookback::query::Total;
use lookback::search::{Hit, MatchKind};
use lookback::{Filter, Level, Log, Model as _, NewLog, QueryBuilder};
use sqlx::PgConnection;

use crate::sealing::seal_all;

async fn store(conn: &mut PgConnection, messages: impl IntoIterator<Item = String>) {
    let logs: Vec<NewLog> = messages
        .into_iter()
        .map(|message| NewLog::new("API", Level::Info, message))
        .collect();
    for logs in logs.chunks(5_000) {
        Log::records().create_many(&mut *conn, logs).await.unwrap();
    }
}

/// Makes searches read the summaries, or every row.
pub(super) async fn use_summaries(conn: &mut PgConnection, use_summaries: bool) {
    sqlx::query("SELECT set_config('lookback.scan_cost', $1, FALSE)")
        .bind(if use_summaries { "-1" } else { "1e300" })
        .execute(conn)
        .await
        .unwrap();
}

/// Reads all pages, of different lengths, and checks that no record is on two of them.
async fn all_pages(conn: &mut PgConnection, query: &QueryBuilder<Log>) -> (Vec<Hit<Log>>, Total) {
    let mut all: Vec<Hit<Log>> = Vec::new();
    let mut total = None;
    let mut next = query.clone().limit(30);
    loop {
        let page = next.hits(&mut *conn).await.unwrap();
        assert_eq!(*total.get_or_insert(page.total), page.total);
        all.extend(page.data);
        match page.next {
            Some(cursor) => {
                let limit = if all.len().is_multiple_of(2) {
                    700
                } else {
                    333
                };
                next = query.clone().limit(limit).after(cursor);
            }
            None => break,
        }
    }
    let ids: BTreeSet<i64> = all.iter().map(|hit| hit.record.id).collect();
    assert_eq!(ids.len(), all.len());
    (all, total.unwrap())
}

/// A phone number is found in any notation, typed in any, among thousands of others.
#[tokio::test]
async fn phone_number_is_found_in_any_notation() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let notations: [fn(&str, &str, &str) -> String; 7] = [
        |a, b, c| format!("called ({a}) {b}-{c}"),
        |a, b, c| format!("called {a}.{b}.{c} twice"),
        |a, b, c| format!("called {a}/{b}{c}, no answer"),
        |a, b, c| format!("called {a}{b}{c}"),
        |a, b, c| format!("called {a} {b} {} {}", &c[..2], &c[2..]),
        |a, b, c| format!("called {a}-{b}-{c}"),
        |a, b, c| format!("tel:{a}{b}-{}-{}", &c[..2], &c[2..]),
    ];
    let lines = (0..7_000_usize).map(|at| {
        let number = if at < notations.len() {
            "5550123498".to_owned()
        } else {
            format!("{:010}", at as u64 * 7_919_993 % 10_000_000_000)
        };
        notations[at % notations.len()](&number[..3], &number[3..6], &number[6..])
    });
    let lines: Vec<String> = lines.collect();
    store(&mut conn, lines.iter().cloned()).await;
    let mut expected: Vec<&str> = lines[..notations.len()]
        .iter()
        .map(String::as_str)
        .collect();
    expected.sort_unstable();
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 1_000).unwrap()).await;
        }
        use_summaries(&mut conn, sealed).await;
        for typed in [
            "5550123498",
            "555-012-3498",
            "(555) 012-3498",
            "(555)012-3498",
            "555.012.3498",
            "555/0123498",
            "+555 012 34 98",
        ] {
            let query = Log::records().search(typed);
            let page = query.clone().limit(30).hits(&mut *conn).await.unwrap();
            let hits = page.data.iter().map(|hit| hit.record.message.as_str());
            let mut hits: Vec<&str> = hits.take(expected.len()).collect();
            hits.sort_unstable();
            assert_eq!(hits, expected, "{typed}, {sealed}");
            assert_eq!(page.data[0].why.words[0].kind, MatchKind::Exact);
            let filter = Filter::matching(typed);
            let found = Log::records()
                .filter(filter)
                .list(&mut *conn)
                .await
                .unwrap();
            let mut found: Vec<&str> = found.data.iter().map(|log| log.message.as_str()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{typed}, {sealed}");
        }
    }
}

/// The text as typed is found first, however many lines have the same words and
/// other numbers.
#[tokio::test]
async fn search_for_text_with_numbers_finds_it_first() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |at: usize| match at % 4 {
        0 => format!("second line {}", at / 4),
        1 => format!("peer 10.{}.0.{} timed out", at % 7, at / 4 % 250),
        2 => format!("retry {} of 5 for job {}", at % 5, at / 4),
        _ => format!("shard {} is slow", at / 4 % 199),
    };
    store(&mut conn, (0..12_000).map(line)).await;
    // The lines that are looked for are the oldest of their template.
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 1_000).unwrap()).await;
        }
        use_summaries(&mut conn, sealed).await;
        for (words, expected) in [
            ("second line 33", "second line 33"),
            ("line 7", "second line 7"),
            ("peer 10.1.0.0 timed out", "peer 10.1.0.0 timed out"),
            ("retry 2 of 5 for job 0", "retry 2 of 5 for job 0"),
            ("job 7", "retry 0 of 5 for job 7"),
        ] {
            let query = Log::records().search(words).limit(5);
            let hits = query.hits(&mut *conn).await.unwrap();
            assert_eq!(hits.data[0].record.message, expected, "{words}, {sealed}");
        }
    }
}

/// Every block has the number, and a few records the words beside it: these are found however
/// old, with phrases and with filters, too.
#[tokio::test]
async fn words_beside_a_number_are_found_where_all_blocks_have_it() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let places = [10, 9_000, 15_123, 29_870];
    let lines = (0..30_000).map(|at| {
        if places.contains(&at) {
            format!("order 4711 is late, attempt {at}")
        } else {
            format!("customer 4711 called about ticket {at}")
        }
    });
    store(&mut conn, lines).await;
    seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 1_000).unwrap()).await;
    let wanted: Vec<i64> = places.iter().rev().map(|at| at + 1).collect();
    use_summaries(&mut conn, true).await;
    for text in [
        "order 4711",
        "late 4711 order",
        "4711 \"is late\"",
        "\"order 4711\"",
    ] {
        let search = Log::records().search(text);
        let page = search.clone().limit(20).hits(&mut *conn).await.unwrap();
        let first: Vec<i64> = page.data.iter().take(4).map(|hit| hit.record.id).collect();
        assert_eq!(first, wanted, "{text}");
        let filter: Filter<Log> = Filter::parse("id__lt=15000").unwrap();
        let older = search.filter(filter).limit(20);
        let page = older.hits(&mut *conn).await.unwrap();
        let first: Vec<i64> = page.data.iter().take(2).map(|hit| hit.record.id).collect();
        assert_eq!(first, wanted[2..], "{text}");
    }
}

/// Quotes find every record with the phrase, and the total counts them.
#[tokio::test]
async fn phrase_finds_all_records_that_contain_it() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    // A step without a common divisor: each number is spread over the table.
    let line = |at: usize| format!("shard {} is slow on node-{}", at * 77 % 200, at * 31 % 150);
    store(&mut conn, (0..12_000).map(line)).await;
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 1_000).unwrap()).await;
        }
        use_summaries(&mut conn, sealed).await;
        for (phrase, expected) in [
            ("\"shard 42\"", 60),
            ("\"node-77\"", 80),
            // Also within longer numbers: 1, 10 to 19 and 100 to 199.
            ("\"shard 1\"", 60 * 111),
            ("\"is slow\"", 12_000),
            ("\"is slow\" \"node-77\"", 80),
        ] {
            let letters = phrase.trim_matches('"').split("\" \"").collect::<Vec<_>>();
            let (hits, total) = all_pages(&mut conn, &Log::records().search(phrase)).await;
            assert_eq!(hits.len(), expected, "{phrase}, {sealed}");
            let has = |hit: &Hit<Log>| letters.iter().all(|part| hit.record.message.contains(part));
            assert!(hits.iter().all(has), "{phrase}");
            if !sealed || total.is_exact() {
                assert_eq!(total, Total::Exact(expected as u64), "{phrase}, {sealed}");
            }
            assert!(total.value() <= expected as u64, "{phrase}, {sealed}");
            // The number itself before those that begin with it.
            if phrase == "\"shard 1\"" {
                let whole = |hit: &Hit<Log>| hit.record.message.starts_with("shard 1 ");
                assert_eq!(hits.iter().filter(|hit| whole(hit)).count(), 60);
                assert!(hits[..60].iter().all(whole), "{sealed}");
            }
        }
    }
}

/// All records with the word are on pages, newest first, before those that only
/// resemble them.
#[tokio::test]
async fn pages_of_common_word_reach_every_record_that_has_it() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |at: usize| match at % 10 {
        0..3 => format!("connection refused by port {at}"),
        3 => format!("access denied for user {at}"),
        4 => format!("refusal number {at}"),
        _ => format!("order {at} is shipped"),
    };
    store(&mut conn, (0..12_000).map(line)).await;
    let mut orders = Vec::new();
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 1_000).unwrap()).await;
        }
        use_summaries(&mut conn, sealed).await;
        let query = Log::records().search("refused");
        let (hits, total) = all_pages(&mut conn, &query).await;
        let has = |hit: &Hit<Log>| hit.record.message.contains("refused");
        let count = hits.iter().filter(|hit| has(hit)).count();
        assert_eq!(count, 3_600, "{sealed}");
        assert!(hits[..count].iter().all(has), "{sealed}");
        let newest_first = hits[..count]
            .windows(2)
            .all(|two| two[0].record.id > two[1].record.id);
        assert!(newest_first, "{sealed}");
        assert!(total.value() >= 1_000 && total.value() <= hits.len() as u64);
        let ids = hits[..count].iter().map(|hit| hit.record.id);
        orders.push(ids.collect::<Vec<i64>>());

        // Back from the end, all the same.
        let mut back = Vec::new();
        let last = query.clone().offset(count as u64 - 5).limit(20);
        let mut page = last.hits(&mut *conn).await.unwrap();
        assert_eq!(
            page.data[0].record.id,
            hits[count - 5].record.id,
            "{sealed}"
        );
        while let Some(previous) = page.previous {
            page = query
                .clone()
                .limit(500)
                .before(previous)
                .hits(&mut *conn)
                .await
                .unwrap();
            back.splice(0..0, page.data.iter().map(|hit| hit.record.id));
        }
        let before = hits[..count - 5].iter().map(|hit| hit.record.id);
        assert_eq!(back, before.collect::<Vec<i64>>(), "{sealed}");
    }
    assert_eq!(orders[0], orders[1]);
}

/// Deleting hits between two pages moves no other hit.
#[tokio::test]
async fn pages_under_deletes_skip_no_hit_and_repeat_none() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |at: usize| match at % 3 {
        0 => format!("payment {at} refused"),
        1 => format!("refused: card {at} for payment"),
        _ => format!("payments of {at} were refusd"),
    };
    for count in [90, 4_000] {
        sqlx::query("TRUNCATE logs")
            .execute(&mut *conn)
            .await
            .unwrap();
        store(&mut conn, (0..count).map(line)).await;
        let searches: [QueryBuilder<Log>; 3] = [
            Log::records().search("payment refused"),
            Log::records().search("\"payment\""),
            Log::records().similar_to(
                sqlx::query_scalar("SELECT max(id) FROM logs")
                    .fetch_one(&mut *conn)
                    .await
                    .unwrap(),
            ),
        ];
        for query in searches {
            let before = query.clone().limit(60).list(&mut *conn).await.unwrap();
            let expected: Vec<i64> = before.data.iter().map(|log| log.id).collect();
            let first = query.clone().limit(20).list(&mut *conn).await.unwrap();
            let mut ids: Vec<i64> = first.data.iter().map(|log| log.id).collect();
            let doomed: Vec<i64> = ids.iter().copied().step_by(2).collect();
            let deleted = Log::records().filter(Log::id().is_in(doomed));
            assert_eq!(deleted.delete_all(&mut *conn).await.unwrap(), 10);
            let next = query.clone().limit(40).after(first.next.unwrap());
            let second = next.list(&mut *conn).await.unwrap();
            ids.extend(second.data.iter().map(|log| log.id));
            assert_eq!(ids, expected, "{count} {query:?}");
            // And back: those that are left of the first page.
            let previous = query.clone().limit(40).before(second.previous.unwrap());
            let back = previous.list(&mut *conn).await.unwrap();
            let back: Vec<i64> = back.data.iter().map(|log| log.id).collect();
            let left = expected[..20].iter().copied().skip(1).step_by(2);
            assert_eq!(back, left.collect::<Vec<i64>>(), "{count} {query:?}");
            let all = Log::records()
                .only_deleted()
                .filter(lookback::Filter::all());
            all.restore_all(&mut *conn).await.unwrap();
        }
    }
}

/// A cursor comes from outside: one that was changed is an error, and never a panic.
#[tokio::test]
async fn changed_cursor_of_search_is_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    store(&mut conn, (0..30).map(|at| format!("payment {at} refused"))).await;
    let query = Log::records().search("payment refused").limit(5);
    let page = query.hits(&mut *conn).await.unwrap();
    let cursor = page.next.unwrap();
    let json = String::from_utf8(BASE64.decode(cursor.as_str()).unwrap()).unwrap();
    let start = json.find("[false,[").unwrap() + "[false,".len();
    let end = start + json[start..].find(']').unwrap() + 1;
    for weights in ["[]", "[1]", "[4294967295,1]", "null"] {
        for lists_covering in ["true", "false"] {
            let changed = format!("{}{weights}{}", &json[..start], &json[end..]);
            let changed = changed.replace("[false,", &format!("[{lists_covering},"));
            let cursor = BASE64.encode(changed);
            for next in [
                query.clone().after(cursor.as_str()),
                query.clone().before(cursor.as_str()),
            ] {
                let error = next.hits(&mut *conn).await.unwrap_err();
                assert!(error.to_string().contains("changed, or cut"), "{error}");
            }
        }
    }
}

/// A number of three digits, or a word of two letters, is a whole word.
#[tokio::test]
async fn short_words_find_whole_words_only() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let lines = [
        "status 500",
        "took 1500 ms",
        "52200 bytes",
        "500ms",
        "E11000",
        "disk 100% full",
        "isOk",
        "token",
    ];
    store(&mut conn, lines.map(str::to_owned)).await;
    for (search, expected) in [
        ("500", vec!["500ms", "status 500"]),
        ("100%", vec!["disk 100% full"]),
        ("ok", vec!["isOk"]),
    ] {
        let hits = Log::records()
            .search(search)
            .hits(&mut *conn)
            .await
            .unwrap();
        let mut found: Vec<&str> = hits
            .data
            .iter()
            .map(|hit| hit.record.message.as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{search}");
        assert!(hits.data.iter().all(|hit| hit.score > 0.0), "{search}");
    }
}
