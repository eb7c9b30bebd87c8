//! A search finds the same by summaries and by reading every row, before, while and
//! after segments are sealed, and after any changes of their records.

use std::time::Instant;

use chrono::{TimeDelta, TimeZone as _, Utc};
use lookback::maintenance::sealing::{self, SealStep, Sealer};
use lookback::query::Hits;
use lookback::{Filter, Level, Log, LogPatch, Model as _, NewLog, QueryBuilder};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgConnection};

use super::evaluation::{GeneratedSearch, Row, generated_search, rows, sentence};
use crate::maintenance::END;
use crate::sealing::seal_all;

/// An event between two searches.
#[derive(Clone, Debug)]
enum Event {
    Add(Vec<Row>),
    Seal,
    Compact,
    Change(Vec<(usize, String)>),
    ChangeAll(String),
    Delete(Vec<usize>),
    HardDelete(Vec<usize>),
    Restore,
    Unseal,
}

fn event() -> impl Strategy<Value = Event> {
    let some = || prop::collection::vec(any::<prop::sample::Index>(), 1..6);
    let places = |places: Vec<prop::sample::Index>| places.iter().map(|i| i.index(500)).collect();
    prop_oneof![
        4 => rows().prop_map(Event::Add),
        6 => Just(Event::Seal),
        2 => Just(Event::Compact),
        3 => prop::collection::vec((0..500_usize, sentence()), 1..6).prop_map(Event::Change),
        1 => sentence().prop_map(Event::ChangeAll),
        2 => some().prop_map(move |p| Event::Delete(places(p))),
        1 => some().prop_map(move |p| Event::HardDelete(places(p))),
        1 => Just(Event::Restore),
        1 => Just(Event::Unseal),
    ]
}

#[tokio::test]
async fn search_finds_sealed_records_after_changes() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let new: Vec<NewLog> = (0..600)
        .map(|at| NewLog::new("API", Level::Info, format!("order {at} is shipped")))
        .collect();
    Log::records().create_many(&mut *conn, &new).await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 200).unwrap();
    let steps = seal_all(&mut conn, &mut sealer).await;
    let sealed = steps.iter().map(|step| match step {
        SealStep::Sealed {
            first_id,
            last_id,
            rows,
            ..
        } => (*first_id, *last_id, *rows),
        step => unreachable!("{step:?}"),
    });
    let sealed: Vec<(i64, i64, u64)> = sealed.collect();
    // The segment of the newest record is not full.
    assert_eq!(sealed, [(0, 199, 199), (200, 399, 200), (400, 599, 200)]);

    let patch = LogPatch::new().message("the zebra has escaped");
    Log::records().update(&mut *conn, 17, patch).await.unwrap();
    let patch = LogPatch::new().message("giraffes in the corridor");
    let two = Log::records().filter(Log::id().is_in([250, 450]));
    assert_eq!(two.update_all(&mut *conn, patch).await.unwrap(), 2);
    for (words, expected) in [
        ("zebra", vec![17]),
        ("\"has escaped\"", vec![17]),
        // By its similarity alone.
        ("fled animal zebras", vec![17]),
        ("giraffes", vec![450, 250]),
    ] {
        let hits = hits(&mut conn, &Log::records().search(words), "-1").await;
        let ids: Vec<i64> = hits.data.iter().map(|hit| hit.record.id).collect();
        assert_eq!(
            ids.get(..expected.len()),
            Some(&expected[..]),
            "{words}: {ids:?}"
        );
    }
    let gone = hits(&mut conn, &Log::records().search("\"order 449\""), "-1").await;
    assert_eq!(gone.data.len(), 0);
}

#[tokio::test]
async fn search_before_while_and_after_sealing_finds_same() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let mut runner = crate::random::runner(8);
    // Short segments, so that no block contains all words.
    let segment = prop_oneof![1..5_i64, 1..70_i64];
    let first = rows().prop_map(|rows| vec![Event::Add(rows), Event::Seal]);
    let then = prop::collection::vec(
        (event(), prop::collection::vec(generated_search(), 3)),
        4..12,
    );
    let strategy = (segment, first, then);
    let (mut searches, mut by_summaries) = (0, 0);
    for _ in 0..runner.config().cases {
        let (segment, first, then) = strategy.new_tree(&mut runner).unwrap().current();
        conn.execute("TRUNCATE logs RESTART IDENTITY")
            .await
            .unwrap();
        sealing::unseal(&mut conn, Log::TABLE).await.unwrap();
        let mut sealer = Sealer::new(Log::TABLE, segment).unwrap();
        for event in &first {
            apply_event(&mut conn, &mut sealer, event).await;
        }
        for (event, generated) in &then {
            apply_event(&mut conn, &mut sealer, event).await;
            let sealed: i64 =
                sqlx::query_scalar("SELECT count(*) FROM sealed_segments WHERE NOT is_tombstone")
                    .fetch_one(&mut *conn)
                    .await
                    .unwrap();
            for generated in generated {
                searches += 1;
                by_summaries += u32::from(sealed > 0);
                compare(&mut conn, &generated.query(), &format!("{generated:?}")).await;
            }
            compare_similar(&mut conn, generated).await;
        }
    }
    assert!(by_summaries > searches / 3, "{by_summaries} of {searches}");
}

async fn apply_event(conn: &mut PgConnection, sealer: &mut Sealer, event: &Event) {
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM logs ORDER BY id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    let id = |place: &usize| ids[place % ids.len()];
    match event {
        Event::Add(rows) => {
            let new: Vec<NewLog> = rows
                .iter()
                .map(|row| NewLog::new(row.source, row.level, row.message.as_str()))
                .collect();
            Log::records().create_many(conn, &new).await.unwrap();
        }
        Event::Seal => {
            seal_all(conn, sealer).await;
        }
        Event::Compact => {
            let (first, last) = (ids.first(), ids.last());
            if let (Some(first), Some(last)) = (first, last) {
                sealing::merge_postings(conn, Log::TABLE, first - 100, last + 100)
                    .await
                    .unwrap()
                    .unwrap();
            }
        }
        Event::Change(changes) if !ids.is_empty() => {
            for (place, message) in changes {
                let patch = LogPatch::new().message(message.as_str());
                let query = Log::records().with_deleted();
                query.update(&mut *conn, id(place), patch).await.unwrap();
            }
        }
        Event::ChangeAll(message) => {
            let patch = LogPatch::new().message(message.as_str());
            let few = Log::records().filter(Log::source().eq("DB") & Log::id().lt(60));
            few.update_all(conn, patch).await.unwrap();
        }
        Event::Delete(places) if !ids.is_empty() => {
            let ids: Vec<i64> = places.iter().map(id).collect();
            let some = Log::records().filter(Log::id().is_in(ids));
            some.delete_all(conn).await.unwrap();
        }
        Event::HardDelete(places) if !ids.is_empty() => {
            let ids: Vec<i64> = places.iter().map(id).collect();
            let some = Log::records().filter(Log::id().is_in(ids));
            some.hard_delete_all(conn).await.unwrap();
        }
        Event::Restore => {
            let all = Log::records().only_deleted().filter(Filter::all());
            all.restore_all(conn).await.unwrap();
        }
        Event::Unseal => sealing::unseal(conn, Log::TABLE).await.unwrap(),
        Event::Change(_) | Event::Delete(_) | Event::HardDelete(_) => {}
    }
}

/// Returns the hits of a query: by summaries, or by reading every row.
async fn hits(conn: &mut PgConnection, query: &QueryBuilder<Log>, cost: &str) -> Hits<Log> {
    sqlx::query("SELECT set_config('lookback.scan_cost', $1, FALSE)")
        .bind(cost)
        .execute(&mut *conn)
        .await
        .unwrap();
    query.hits(conn).await.unwrap()
}

async fn compare(conn: &mut PgConnection, query: &QueryBuilder<Log>, label: &str) {
    let expected = hits(conn, query, "1e300").await;
    let found = hits(conn, query, "-1").await;
    let ranked = |hits: &Hits<Log>| -> Vec<(i64, f32)> {
        hits.data
            .iter()
            .map(|hit| (hit.record.id, hit.score))
            .collect()
    };
    assert_eq!(ranked(&found), ranked(&expected), "{label}");
    assert_eq!(found.total, expected.total, "{label}");
}

async fn compare_similar(conn: &mut PgConnection, generated: &[GeneratedSearch]) {
    let newest: Option<i64> = sqlx::query_scalar(
        "SELECT max(id) FROM logs WHERE deleted_at IS NULL AND embedding IS NOT NULL",
    )
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    for generated in generated {
        let Some(newest) = newest else { return };
        let query = generated.unsearched().with_deleted().limit(30);
        compare(
            conn,
            &query.similar_to(newest),
            &format!("similar to {newest}, {generated:?}"),
        )
        .await;
    }
}

/// A posting with more records than it lists, of which the filters exclude all, or
/// all but old ones.
#[tokio::test]
async fn search_with_filter_finds_records_not_listed_in_posting() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |at: usize| {
        let level = match at {
            0..30 => Level::Error,
            _ => Level::Info,
        };
        NewLog::new("CLOCK", level, format!("tick {at} of the clock"))
    };
    let lines: Vec<NewLog> = (0..6_000).map(line).collect();
    Log::records()
        .create_many(&mut *conn, &lines)
        .await
        .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 2_000).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    let filters: [(Filter<Log>, usize); 4] = [
        (Log::level().eq(Level::Error), 30),
        (!Log::level().eq(Level::Info), 30),
        (Log::source().eq("clock"), 0),
        // On a number, and so not the same for all records of the template.
        (Log::message().contains("k 77 o"), 1),
    ];
    for (filter, expected) in filters {
        for words in ["tick clock", "clocks ticking", "clock 77"] {
            let query = Log::records().search(words).filter(filter.clone());
            let found = hits(&mut conn, &query, "-1").await;
            let of_all = hits(&mut conn, &query, "1e300").await;
            let ids = |hits: &Hits<Log>| -> Vec<i64> {
                hits.data.iter().map(|hit| hit.record.id).collect()
            };
            assert_eq!(found.data.len(), expected, "{words}: {filter:?}");
            assert_eq!(ids(&found), ids(&of_all), "{words}: {filter:?}");
        }
    }
}

/// Stores 8,000 log lines with these messages, and seals them.
async fn store_and_seal(conn: &mut PgConnection, message: impl Fn(usize) -> String) {
    let line = |at: usize| NewLog::new("CLOCK", Level::Info, message(at));
    let lines: Vec<NewLog> = (0..8_000).map(line).collect();
    Log::records()
        .create_many(&mut *conn, &lines)
        .await
        .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 2_000).unwrap();
    seal_all(conn, &mut sealer).await;
}

/// Compares the records alone: beyond the limits of a search, totals are floors.
async fn compare_records(conn: &mut PgConnection, query: &QueryBuilder<Log>, label: &str) {
    let expected = hits(conn, query, "1e300").await;
    let found = hits(conn, query, "-1").await;
    let ids =
        |hits: &Hits<Log>| -> Vec<i64> { hits.data.iter().map(|hit| hit.record.id).collect() };
    assert!(!found.data.is_empty(), "{label}");
    assert_eq!(ids(&found), ids(&expected), "{label}");
}

/// Postings list the newest records of a template, whether they are deleted or not.
#[tokio::test]
async fn search_finds_records_older_than_many_deleted_ones() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    store_and_seal(&mut conn, |at| match at % 100 {
        0 => format!("the clock struck {at}"),
        _ => format!("tick {at} of the clock"),
    })
    .await;
    for deleted in [3, 7_000] {
        let some = Log::records().filter(Log::id().gt(8_000 - deleted));
        some.delete_all(&mut *conn).await.unwrap();
        for words in ["tick clock", "clocks ticking", "clock struck"] {
            let query = Log::records().search(words).limit(50);
            for query in [query.clone(), query.fold_copies()] {
                compare_records(&mut conn, &query, &format!("{words}, {deleted} deleted")).await;
            }
        }
    }
}

/// Records of postings that lie in blocks that are read, too, are missing if they are deleted.
#[tokio::test]
async fn search_with_a_number_finds_records_older_than_deleted_ones() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    // The number is in every block.
    store_and_seal(&mut conn, |at| match at % 50 {
        0 => format!("refund {at} of order 7 failed"),
        _ => format!("payment {at} of order 7 done"),
    })
    .await;
    let newest = Log::records().filter(Log::id().gt(4_000));
    newest.delete_all(&mut *conn).await.unwrap();
    for words in ["payment 7", "refund failed 7", "refund order"] {
        let query = Log::records().search(words).limit(50);
        let found = hits(&mut conn, &query, "-1").await;
        assert_eq!(found.data.len(), 50, "{words}");
        compare_records(&mut conn, &query, words).await;
    }
}

/// Masked words beside a phrase that is in a template, and times of some segments
/// only.
#[tokio::test]
async fn search_with_numbers_phrases_and_times_finds_same_as_scan() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let start = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
    let line = |at: i64| {
        let message = match at % 3 {
            0 => format!("connection refused by port {}", 40_000 + at),
            1 => format!("order {at} is shipped"),
            _ => format!("gate x{at}y is open"),
        };
        let mut new = NewLog::new("API", Level::Info, message);
        new.created_at = Some(start + TimeDelta::minutes(at));
        new
    };
    let lines: Vec<NewLog> = (0..4_500).map(line).collect();
    let records = Log::records();
    records.create_many(&mut *conn, &lines).await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
    // Several segments at once, some of them long; all connections are open.
    let pool = PgPoolOptions::new()
        .min_connections(3)
        .max_connections(3)
        .acquire_timeout(END)
        .connect(&db.url)
        .await
        .unwrap();
    let mut segments = Vec::new();
    let begun = Instant::now();
    loop {
        match sealer.steps(&pool, 3, END).await.unwrap() {
            SealStep::Sealed { segments: some, .. } => segments.push(some),
            SealStep::Done { .. } => break,
            step => assert!(begun.elapsed() < END, "{step:?}"),
        }
    }
    assert_eq!(segments[0], 3);
    let stored: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT first_id, last_id FROM sealed_segments WHERE NOT is_tombstone ORDER BY first_id",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert_eq!(segments.iter().sum::<u64>(), stored.len() as u64);
    assert!(stored.windows(2).all(|two| two[0].1 + 1 == two[1].0));
    assert_eq!(stored.last().map(|last| last.1), Some(4_499));
    assert!(stored.iter().any(|(first, last)| last - first == 399));

    let first = hits(
        &mut conn,
        &records.clone().search("\"connection refused\" 40303"),
        "-1",
    )
    .await;
    assert_eq!(
        first.data[0].record.message,
        "connection refused by port 40303"
    );
    let minutes = |at: i64| start + TimeDelta::minutes(at);
    for (from, to) in [(0, 30), (90, 110), (2_000, 2_300), (4_480, 5_000), (-9, -1)] {
        let within = Log::created_at().gte(minutes(from)) & Log::created_at().lt(minutes(to));
        for words in [
            "\"is open\"",
            "refused",
            "x2117y",
            "shipped parcels",
            "\"shipped\"",
        ] {
            let query = Log::records().search(words).filter(within.clone());
            let found = hits(&mut conn, &query, "-1").await;
            let of_all = hits(&mut conn, &query, "1e300").await;
            let ids = |hits: &Hits<Log>| -> Vec<i64> {
                hits.data.iter().map(|hit| hit.record.id).collect()
            };
            assert_eq!(ids(&found), ids(&of_all), "{words} from {from} to {to}");
        }
    }
    let at = Log::records()
        .search("gate")
        .filter(Log::created_at().eq(minutes(2_117)));
    let found = hits(&mut conn, &at, "-1").await;
    assert_eq!(found.data.len(), 1);

    // Repeated changes that keep the template: all records remain listed.
    for number in [1, 2, 3] {
        let patch = LogPatch::new().message(format!("order 9{number} is shipped"));
        records.update(&mut *conn, 8, patch).await.unwrap();
    }
    let changed = records.clone().search("\"order 93 is shipped\"");
    let found = hits(&mut conn, &changed, "-1").await;
    let ids: Vec<i64> = found.data.iter().map(|hit| hit.record.id).collect();
    assert!(ids.contains(&8), "{ids:?}");
}
