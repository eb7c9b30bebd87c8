//! Order, and pages by cursor: every surviving record is on exactly one page,
//! whatever is written between the reads.

use std::cmp::Ordering;

use chrono::TimeDelta;
use futures_util::TryStreamExt as _;
use lookback::query::{Cursor, Order, Total};
use lookback::{
    GeoSource, Level, Log, NewLog, NewRequestSnapshot, QueryBuilder, RequestSnapshot, json,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use sqlx::PgPool;

use crate::time;

/// The values of a record that these tests order by.
#[derive(Clone, Debug)]
struct GeneratedRow {
    status: Option<i32>,
    duration: Option<i32>,
    path: usize,
    geo: Option<usize>,
    lat: Option<i8>,
    seconds: i64,
}

const PATHS: [&str; 4] = ["/a", "/b", "/c", "/d"];
const GEO: [GeoSource; 4] = [
    GeoSource::Platform,
    GeoSource::Header,
    GeoSource::Ip,
    GeoSource::None,
];

fn generated_row() -> impl Strategy<Value = GeneratedRow> {
    (
        proptest::option::of(200..203_i32),
        proptest::option::of(0..3_i32),
        0..PATHS.len(),
        proptest::option::of(0..GEO.len()),
        proptest::option::of(-1..2_i8),
        0..3_i64,
    )
        .prop_map(|(status, duration, path, geo, lat, seconds)| GeneratedRow {
            status,
            duration,
            path,
            geo,
            lat,
            seconds,
        })
}

impl GeneratedRow {
    fn record(&self) -> NewRequestSnapshot {
        let at = time("2026-01-01T00:00:00Z") + TimeDelta::seconds(self.seconds);
        let mut new = NewRequestSnapshot::new("GET", PATHS[self.path], at, "1", "test");
        new.status_code = self.status;
        new.duration = self.duration;
        new.geo_source = self.geo.map(|at| GEO[at]);
        new.geo_lat = self.lat.map(|lat| f64::from(lat) / 3.0);
        new
    }
}

/// A column to order by, whether it descends, and whether NULL comes first.
type OrderBy = (u8, bool, bool);

fn order_of((column, descending, nulls_first): OrderBy) -> Order<RequestSnapshot> {
    macro_rules! order {
        ($column:ident) => {
            match descending {
                true => RequestSnapshot::$column().desc(),
                false => RequestSnapshot::$column().asc(),
            }
        };
    }
    let order = match column {
        0 => order!(status_code),
        1 => order!(duration),
        2 => order!(path),
        3 => order!(geo_source),
        4 => order!(geo_lat),
        5 => order!(timestamp),
        _ => order!(id),
    };
    if nulls_first {
        order.nulls_first()
    } else {
        order.nulls_last()
    }
}

fn compare(a: &RequestSnapshot, b: &RequestSnapshot, orders: &[OrderBy]) -> Ordering {
    fn placed<T>(
        a: Option<T>,
        b: Option<T>,
        by: impl Fn(&T, &T) -> Ordering,
        (_, descending, nulls_first): OrderBy,
    ) -> Ordering {
        match (a, b) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if nulls_first => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if nulls_first => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) if descending => by(&b, &a),
            (Some(a), Some(b)) => by(&a, &b),
        }
    }
    let place = |source: Option<GeoSource>| {
        source.map(|source| GEO.iter().position(|known| *known == source).unwrap())
    };
    for order in orders {
        let found = match order.0 {
            0 => placed(a.status_code, b.status_code, Ord::cmp, *order),
            1 => placed(a.duration, b.duration, Ord::cmp, *order),
            2 => placed(Some(&a.path), Some(&b.path), std::cmp::Ord::cmp, *order),
            3 => placed(place(a.geo_source), place(b.geo_source), Ord::cmp, *order),
            4 => placed(a.geo_lat, b.geo_lat, f64::total_cmp, *order),
            5 => placed(Some(a.timestamp), Some(b.timestamp), Ord::cmp, *order),
            _ => placed(Some(a.id), Some(b.id), Ord::cmp, *order),
        };
        if found.is_ne() {
            return found;
        }
    }
    b.id.cmp(&a.id)
}

async fn insert(pool: &PgPool, rows: &[GeneratedRow]) {
    let new: Vec<NewRequestSnapshot> = rows.iter().map(GeneratedRow::record).collect();
    RequestSnapshot::records()
        .create_many(pool, &new)
        .await
        .unwrap();
}

fn ids(records: &[RequestSnapshot]) -> Vec<i64> {
    records.iter().map(|record| record.id).collect()
}

#[tokio::test]
async fn pages_by_cursor_neither_skip_nor_repeat() {
    let db = testkit::database().await;
    let mut runner = crate::random::runner(60);
    for _ in 0..runner.config().cases {
        let strategy = (
            proptest::collection::vec(generated_row(), 0..40),
            proptest::collection::vec((0..7_u8, any::<bool>(), any::<bool>()), 0..4),
            1..12_u32,
            proptest::collection::vec(generated_row(), 0..12),
        );
        let (rows, orders, limit, late) = strategy.new_tree(&mut runner).unwrap().current();
        sqlx::query("TRUNCATE request_snapshots")
            .execute(&db.pool)
            .await
            .unwrap();
        check_pages(&db.pool, &rows, &orders, limit, &late).await;
    }
}

async fn check_pages(
    pool: &PgPool,
    rows: &[GeneratedRow],
    orders: &[OrderBy],
    limit: u32,
    late: &[GeneratedRow],
) {
    insert(pool, rows).await;
    let mut query: QueryBuilder<RequestSnapshot> = RequestSnapshot::records().limit(limit);
    for order in orders {
        query = query.order_by(order_of(*order));
    }
    let what = format!("{rows:?}\n{orders:?} by {limit}, late {late:?}");

    let mut expected: Vec<RequestSnapshot> =
        query.clone().limit(10_000).list(pool).await.unwrap().data;
    assert_eq!(expected.len(), rows.len());
    let in_order = ids(&expected);
    expected.sort_by(|a, b| compare(a, b, orders));
    assert_eq!(in_order, ids(&expected), "order of {what}");
    let streamed: Vec<RequestSnapshot> = {
        let mut all = RequestSnapshot::records();
        for order in orders {
            all = all.order_by(order_of(*order));
        }
        all.stream(pool).try_collect().await.unwrap()
    };
    assert_eq!(in_order, ids(&streamed), "stream of {what}");

    // Forward, while records are inserted before and after the current page.
    let (mut seen, mut late) = (Vec::new(), late.chunks(3));
    let mut page = query.list(pool).await.unwrap();
    assert_eq!(page.previous, None, "{what}");
    let last = loop {
        assert!(page.data.len() <= limit as usize);
        seen.extend(ids(&page.data));
        if let Some(added) = late.next() {
            insert(pool, added).await;
        }
        match &page.next {
            Some(next) => page = query.clone().after(next).list(pool).await.unwrap(),
            None => break page,
        }
    };
    let initial = |seen: &[i64]| -> Vec<i64> {
        let is_initial = |id: &&i64| in_order.contains(id);
        seen.iter().filter(is_initial).copied().collect()
    };
    let mut once = seen.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "repeated: {what}");
    assert_eq!(initial(&seen), in_order, "{what}");

    // Backward, while the late records are deleted.
    let mut back = last.data;
    back.reverse();
    let mut seen = ids(&back);
    let mut cursor: Option<Cursor> = last.previous;
    while let Some(at) = cursor {
        let gone =
            RequestSnapshot::records().filter(!RequestSnapshot::id().is_in(in_order.clone()));
        gone.delete_all(pool).await.unwrap();
        let page = query.clone().before(at.as_str()).list(pool).await.unwrap();
        seen.extend(page.data.iter().rev().map(|record| record.id));
        cursor = page.previous;
        if !page.data.is_empty() {
            assert!(page.next.is_some(), "{what}");
        }
    }
    let mut backwards = in_order.clone();
    backwards.reverse();
    assert_eq!(initial(&seen), backwards, "backwards: {what}");
}

#[tokio::test]
async fn page_has_cursors_and_total() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let row = GeneratedRow {
        status: Some(200),
        duration: None,
        path: 0,
        geo: None,
        lat: None,
        seconds: 0,
    };
    insert(pool, &vec![row; 25]).await;
    let query = RequestSnapshot::records().limit(10);

    let first = query.list(pool).await.unwrap();
    assert_eq!(first.total, Total::Exact(25));
    let third = query.clone().offset(20).list(pool).await.unwrap();
    assert_eq!((third.data.len(), third.next), (5, None));
    let second = query
        .clone()
        .before(third.previous.unwrap())
        .list(pool)
        .await
        .unwrap();
    assert_eq!(ids(&second.data), (6..=15).rev().collect::<Vec<i64>>());
    assert_eq!(second.total, Total::Exact(25));

    let capped = query.clone().total_up_to(20).list(pool).await.unwrap();
    assert_eq!(capped.total, Total::AtLeast(20));
    let enough = query.clone().total_up_to(25).list(pool).await.unwrap();
    assert_eq!(enough.total, Total::Exact(25));
    let none = query.clone().without_total().list(pool).await.unwrap();
    assert_eq!(none.total, Total::AtLeast(11));
    assert_eq!(none.next, first.next);
    let beyond = query.clone().offset(30).list(pool).await.unwrap();
    assert_eq!((beyond.total, beyond.next), (Total::Exact(25), None));
    assert_eq!(query.clone().limit(0).list(pool).await.unwrap().next, None);
    assert_eq!(query.count(pool).await.unwrap(), Total::Exact(25));
    assert_eq!(
        query.clone().total_up_to(3).count(pool).await.unwrap(),
        Total::AtLeast(3)
    );
    assert!(query.exists(pool).await.unwrap());
    let none = query.clone().filter(RequestSnapshot::id().gt(99));
    assert!(!none.exists(pool).await.unwrap());
    assert!(
        !query
            .clone()
            .after(second.next.unwrap())
            .offset(0)
            .filter(RequestSnapshot::id().gt(10))
            .exists(pool)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn pages_by_offset_below_an_id_ignore_new_records() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let row = |status| GeneratedRow {
        status: Some(status),
        duration: None,
        path: 0,
        geo: None,
        lat: None,
        seconds: 0,
    };
    insert(
        pool,
        &[row(201), row(200), row(202), row(200), row(201), row(203)],
    )
    .await;
    let newest = RequestSnapshot::records()
        .first(pool)
        .await
        .unwrap()
        .unwrap()
        .id;
    let query = RequestSnapshot::records()
        .filter(RequestSnapshot::id().lte(newest))
        .order_by(RequestSnapshot::status_code().asc())
        .limit(2);
    let mut seen = Vec::new();
    for page in 0..3 {
        seen.extend(ids(&query
            .clone()
            .offset(page * 2)
            .list(pool)
            .await
            .unwrap()
            .data));
        insert(pool, &[row(200), row(201)]).await;
    }
    assert_eq!(seen, [4, 2, 5, 1, 3, 6]);
}

#[tokio::test]
async fn cursor_of_another_list_is_refused() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let row = GeneratedRow {
        status: None,
        duration: Some(7),
        path: 1,
        geo: Some(2),
        lat: Some(1),
        seconds: 0,
    };
    insert(pool, &vec![row; 3]).await;
    let query = RequestSnapshot::records().limit(1);
    let next = query.list(pool).await.unwrap().next.unwrap();
    let by_path = query.clone().order_by(RequestSnapshot::path().asc());
    let users = lookback::User::records();
    let log = lookback::Log::records()
        .after(&next)
        .list(pool)
        .await
        .unwrap_err();
    assert!(log.is_invalid());
    insta::assert_snapshot!(
        [
            by_path.clone().after(&next).list(pool).await.unwrap_err().to_string(),
            query.clone().after("x").list(pool).await.unwrap_err().to_string(),
            query.clone().before("").list(pool).await.unwrap_err().to_string(),
            query.clone().after("WzJd").list(pool).await.unwrap_err().to_string(),
            query.clone().after(&next).offset(3).list(pool).await.unwrap_err().to_string(),
            query.clone().after(&next).search("x").list(pool).await.unwrap_err().to_string(),
            log.to_string(),
            users.limit(10_001).list(pool).await.unwrap_err().to_string(),
        ]
        .join("\n"),
        @r"
    after: is a cursor of a list ordered by -id; this one is ordered by path,-id
    after: is not a cursor; give one that a page of this list came with
    before: is not a cursor; give one that a page of this list came with
    after: is a cursor of another version of Lookback
    offset: cannot be combined with a cursor; give one of them
    after: is a cursor of another list than this search
    after: is a cursor of another table, not of logs
    limit: 10001 is more than 10000; read page by page
    "
    );
    // Values that PostgreSQL cannot store are refused before they reach it.
    let by_time = lookback::Log::records().order_by(lookback::Log::created_at().desc());
    let by_meta = lookback::Log::records().order_by(lookback::Log::meta().desc());
    for (query, cursor) in [
        (
            by_time,
            r#"[1,"logs","-created_at,-id",[[-8334601228800000000],[1]]]"#,
        ),
        (by_meta, r#"[1,"logs","-meta,-id",[[{"a":"\u0000"}],[1]]]"#),
    ] {
        let cursor = base64(cursor);
        let error = query.after(cursor).list(pool).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("after: is a cursor that was changed"),
            "{error}"
        );
    }
    // A cursor that is truncated or has a changed letter is a position, or is refused as
    // invalid.
    let text = by_path.list(pool).await.unwrap().next.unwrap().to_string();
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
        for corrupt in [&text[..at], &changed] {
            if let Err(error) = by_path.clone().after(corrupt).list(pool).await {
                assert!(error.is_invalid(), "{corrupt}: {error}");
            }
        }
    }
    // A list ordered by a hidden column has no cursors: they would show its values.
    for email in ["a@x", "b@x"] {
        let user = lookback::NewUser::new(email, "hash");
        lookback::User::records().create(pool, user).await.unwrap();
    }
    let by_hash = lookback::User::records()
        .order_by(lookback::User::password_hash().asc())
        .limit(1);
    assert_eq!(by_hash.list(pool).await.unwrap().next, None);
}

/// Encodes Base64 for URLs, with the alphabet of RFC 4648, section 5.
fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            encoded.push(char::from(LETTERS[bits >> (18 - 6 * place) & 63]));
        }
    }
    encoded
}

/// Cursors of earlier versions lead to the same position in every later one.
#[tokio::test]
async fn cursor_of_version_1_is_read() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let row = GeneratedRow {
        status: Some(200),
        duration: None,
        path: 1,
        geo: Some(2),
        lat: Some(1),
        seconds: 0,
    };
    insert(pool, &vec![row; 5]).await;
    let query = RequestSnapshot::records()
        .order_by(RequestSnapshot::geo_source().desc())
        .order_by(RequestSnapshot::duration().asc().nulls_first())
        .order_by(RequestSnapshot::geo_lat().asc())
        .order_by(RequestSnapshot::timestamp().asc())
        .limit(2);
    let next = query.list(pool).await.unwrap().next.unwrap();
    insta::assert_snapshot!(next, @"WzEsInJlcXVlc3Rfc25hcHNob3RzIiwiLWdlb19zb3VyY2UsZHVyYXRpb25fX251bGxzZmlyc3QsZ2VvX2xhdCx0aW1lc3RhbXAsLWlkIixbWzNdLFtdLFswLjMzMzMzMzMzMzMzMzMzMzNdLFsxNzY3MjI1NjAwMDAwMDAwXSxbNF1dXQ");
    let page = query.clone().after(next).list(pool).await.unwrap();
    assert_eq!(ids(&page.data), [3, 2]);
}

#[tokio::test]
async fn pages_of_search_ignore_new_records() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let lines = |from: usize, to: usize| -> Vec<lookback::NewLog> {
        (from..to)
            .map(|n| {
                let words = [
                    "connection refused",
                    "connection lost",
                    "refused to connect",
                ][n % 3];
                lookback::NewLog::new("API", lookback::Level::Info, format!("{words} by host{n}"))
            })
            .collect()
    };
    let logs = lookback::Log::records();
    logs.create_many(pool, &lines(0, 25)).await.unwrap();
    for query in [
        logs.clone().search("connection refused"),
        logs.clone().similar_to(7),
    ] {
        let whole = query.list(pool).await.unwrap();
        let whole: Vec<i64> = whole.data.iter().map(|log| log.id).collect();
        assert!(whole.len() >= 24);
        let query = query.limit(7);
        let mut page = query.hits(pool).await.unwrap();
        assert_eq!(page.previous, None);
        let mut seen = Vec::new();
        let last = loop {
            seen.extend(page.data.iter().map(|hit| hit.record.id));
            logs.create_many(pool, &lines(3, 6)).await.unwrap();
            match &page.next {
                Some(next) => page = query.clone().after(next).hits(pool).await.unwrap(),
                None => break page,
            }
        };
        assert_eq!(seen, whole);
        // Backward; the first page has the remaining hits.
        let mut back: Vec<i64> = last.data.iter().map(|hit| hit.record.id).collect();
        let mut previous = last.previous;
        while let Some(at) = previous {
            let page = query.clone().before(at).list(pool).await.unwrap();
            assert!(page.next.is_some());
            back.splice(0..0, page.data.iter().map(|log| log.id));
            previous = page.previous;
        }
        assert_eq!(back, whole);
        // The cursor belongs to this search: another search and a list refuse it.
        let next = query.list(pool).await.unwrap().next.unwrap();
        let other = logs.clone().search("another").after(&next).list(pool).await;
        assert!(other.unwrap_err().is_invalid());
        let listed = logs.clone().after(&next).list(pool).await;
        assert!(listed.unwrap_err().to_string().contains("with a search"));
        logs.clone()
            .filter(lookback::Log::id().gt(25))
            .hard_delete_all(pool)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn cursor_of_long_text_is_short_and_keeps_its_place() {
    use lookback::{Level, Log, LogPatch, NewLog};
    let ids = |logs: &[Log]| logs.iter().map(|log| log.id).collect::<Vec<i64>>();
    let db = testkit::database().await;
    let pool = &db.pool;
    let long = "x".repeat(200_000);
    // In the order of their ids; two are equal.
    let logs = ["a", "b", "b", "c", "d", "e"].map(|end| {
        NewLog::new("API", Level::Info, format!("{long}{end}")).meta(lookback::json!([long, end]))
    });
    Log::records().create_many(pool, &logs).await.unwrap();
    for order in [Log::message().asc(), Log::meta().asc()] {
        let query = Log::records().order_by(order).limit(1);
        let mut seen = Vec::new();
        let mut page = query.list(pool).await.unwrap();
        let last = loop {
            seen.push(page.data[0].id);
            let Some(next) = &page.next else { break page };
            assert!(next.as_str().len() < 400, "{}", next.as_str().len());
            let rest = query.clone().after(next).without_total();
            assert!(rest.exists(pool).await.unwrap());
            page = rest.list(pool).await.unwrap();
        };
        assert_eq!(seen, [1, 3, 2, 4, 5, 6]);
        let before = query.clone().before(last.previous.as_ref().unwrap());
        assert_eq!(ids(&before.list(pool).await.unwrap().data), [5]);
    }

    let query = Log::records().order_by(Log::message().asc()).limit(2);
    let next = query.list(pool).await.unwrap().next.unwrap();
    let rest = query.clone().after(&next);
    // A record that is deleted softly has its place.
    Log::records().delete(pool, 3).await.unwrap();
    assert_eq!(ids(&rest.list(pool).await.unwrap().data), [2, 4]);
    let streamed: Vec<_> = {
        use futures_util::TryStreamExt as _;
        rest.stream(pool).try_collect().await.unwrap()
    };
    assert_eq!(ids(&streamed), [2, 4]);
    Log::records().restore(pool, 3).await.unwrap();
    let patch = LogPatch::new().message(format!("{long}z"));
    Log::records().update(pool, 3, patch).await.unwrap();
    let changed = rest.list(pool).await.unwrap_err();
    Log::records().hard_delete(pool, 3).await.unwrap();
    let deleted = rest.list(pool).await.unwrap_err();
    let streamed = {
        use futures_util::TryStreamExt as _;
        rest.stream(pool).try_collect::<Vec<_>>().await.unwrap_err()
    };
    for error in [changed, deleted, streamed] {
        assert!(error.is_invalid());
        assert_eq!(
            error.to_string(),
            "after: is a cursor of record 3, which has another value since, or is deleted; start again at the first page"
        );
    }
}

/// A page of records that are large ends before its limit, in either direction, and no record
/// is lost at its end.
#[tokio::test]
async fn page_with_many_bytes_ends_early() {
    let db = testkit::database().await;
    let line = |at: usize| {
        // Half of them in texts and half in JSON that compresses to a hundredth.
        let (text, json) = match at % 4 {
            0 => (50_000, 0),
            1 => (0, 50_000),
            _ => (0, 0),
        };
        NewLog::new(
            "SIZE",
            Level::Info,
            format!("line {at} {}", "x".repeat(text)),
        )
        .meta(json!({ "pad": "y".repeat(json) }))
    };
    let lines: Vec<NewLog> = (0..60).map(line).collect();
    let ids = |page: &[Log]| -> Vec<i64> { page.iter().map(|log| log.id).collect() };
    Log::records().create_many(&db.pool, &lines).await.unwrap();
    let found = Log::records().search("line").limit(10_000);
    let newest = Log::records().limit(1).list(&db.pool).await.unwrap().data[0].id;
    let queries = [
        Log::records().limit(100),
        Log::records().order_by(Log::created_at().asc()).limit(40),
        Log::records().filter(Log::source().eq("SIZE")).limit(7),
        found,
        Log::records().similar_to(newest).limit(50),
    ];
    for query in queries {
        let all = query.clone().limit(10_000).list(&db.pool).await.unwrap();
        let limit = query.clone().max_page_bytes(120_000);
        let mut pages = vec![limit.list(&db.pool).await.unwrap()];
        while let Some(next) = pages.last().and_then(|page| page.next.clone()) {
            let page = limit.clone().after(next).list(&db.pool).await.unwrap();
            assert!(!page.data.is_empty(), "{query:?}");
            pages.push(page);
        }
        let read: Vec<i64> = pages.iter().flat_map(|page| ids(&page.data)).collect();
        assert_eq!(read, ids(&all.data), "{query:?}");
        for page in &pages {
            let bytes = |log: &Log| {
                log.message.len() + log.meta.as_ref().map_or(0, |meta| meta.to_string().len())
            };
            let sizes: Vec<usize> = page.data.iter().map(bytes).collect();
            let but_last: usize = sizes[..sizes.len() - 1].iter().sum();
            assert!(but_last <= 120_000, "{query:?}: {sizes:?}");
        }
        assert!(pages.len() >= 8, "{query:?}: {} pages", pages.len());

        // Backwards, from the last page.
        let mut read = ids(&pages[pages.len() - 1].data);
        let mut previous = pages[pages.len() - 1].previous.clone();
        while let Some(before) = previous {
            let page = limit.clone().before(before).list(&db.pool).await.unwrap();
            assert!(!page.data.is_empty(), "{query:?}");
            read.splice(0..0, ids(&page.data));
            previous = page.previous;
        }
        assert_eq!(read, ids(&all.data), "{query:?}");
    }
    // One that is larger than a page is a page.
    let tiny = Log::records()
        .max_page_bytes(1)
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(ids(&tiny.data), [newest]);
    assert_eq!(tiny.total, Total::Exact(60));
    let hits = Log::records().search("line").max_page_bytes(1);
    let hits = hits.hits(&db.pool).await.unwrap();
    assert_eq!((hits.data.len(), hits.next.is_some()), (1, true));
}
