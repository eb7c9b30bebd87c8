//! Places in JSON: ordered by, selected, grouped and measured.

use lookback::query::{TextMeasures, count};
use lookback::{Filter, Json, Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot, json};
use sqlx::PgPool;

/// Log lines with these values of `meta`, with ids from 1.
async fn insert(pool: &PgPool, metas: &[Json]) {
    let new: Vec<NewLog> = metas
        .iter()
        .map(|meta| NewLog::new("API", Level::Info, "m").meta(meta.clone()))
        .collect();
    Log::records().create_many(pool, &new).await.unwrap();
}

fn metas() -> Vec<Json> {
    vec![
        json!({"ms": 10, "user": {"id": "b"}, "odd.key": [1]}),
        json!({"ms": 9, "user": {"id": "a"}}),
        json!({"ms": "9", "user": {"id": 7}}),
        json!({"ms": null, "user": {"id": "a"}}),
        json!({"user": "none"}),
        r#"{"ms": 9007199254740993.25, "user": {"id": 7}}"#.parse().unwrap(),
        json!([1]),
        json!({"ms": true}),
        json!({"ms": -0.5, "user": {"id": null}}),
        r#"{"ms": 1e400}"#.parse().unwrap(),
    ]
}

#[tokio::test]
async fn order_by_place_in_json_pages_by_cursor() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool, &metas()).await;
    for (order, expected) in [
        // Strings, numbers, booleans, as in jsonb; missing values and null are NULL.
        ("meta.ms", [3, 9, 2, 1, 6, 10, 8, 7, 5, 4]),
        ("-meta.ms", [8, 10, 6, 1, 2, 9, 3, 7, 5, 4]),
        ("meta.ms__nullsfirst", [7, 5, 4, 3, 9, 2, 1, 6, 10, 8]),
    ] {
        let query = Log::records().order_by_text(order).unwrap();
        let whole = query.list(pool).await.unwrap();
        let whole: Vec<i64> = whole.data.iter().map(|log| log.id).collect();
        assert_eq!(whole, expected, "{order}");
        let query = query.limit(3);
        let mut seen = Vec::new();
        let mut page = query.list(pool).await.unwrap();
        let last = loop {
            seen.extend(page.data.iter().map(|log| log.id));
            assert!(seen.len() <= expected.len(), "{order}: {seen:?}");
            match &page.next {
                Some(next) => page = query.clone().after(next).list(pool).await.unwrap(),
                None => break page,
            }
        };
        assert_eq!(seen, expected, "{order}");
        let before = query.clone().before(last.previous.unwrap());
        let before: Vec<i64> = before
            .list(pool)
            .await
            .unwrap()
            .data
            .iter()
            .map(|log| log.id)
            .collect();
        assert_eq!(before, expected[6..9], "{order}");
    }
    let two = Log::records()
        .filter(lookback::Filter::parse("meta.user.id__exists=true").unwrap())
        .order_by_text("meta.user.id")
        .unwrap()
        .order_by_text("-meta.ms")
        .unwrap();
    let ids: Vec<i64> = two
        .list(pool)
        .await
        .unwrap()
        .data
        .iter()
        .map(|log| log.id)
        .collect();
    assert_eq!(ids, [2, 4, 1, 6, 3, 9]);
    for order in [
        "meta.a\0b",
        "source.x",
        "meta.ms__first",
        "meta.",
        "meat.ms",
    ] {
        assert!(Log::records().order_by_text(order).is_err(), "{order}");
    }
    let injected = Log::records()
        .order_by_text("meta.\"'; DROP TABLE logs; --\"")
        .unwrap();
    assert_eq!(injected.list(pool).await.unwrap().data.len(), 10);
}

#[tokio::test]
async fn place_in_json_is_selected_by_its_path() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool, &metas()).await;
    let rows = Log::records()
        .order_by_text("id")
        .unwrap()
        .select_text(&["id", "meta.user.id", "meta.\"odd.key\".0", "meta.ms"])
        .unwrap();
    let rows = rows.list(pool).await.unwrap().data;
    let rows = rows.into_iter().map(|row| Json::Object(row).to_string());
    let rows: Vec<String> = rows.take(6).collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    {"id":1,"meta.\"odd.key\".0":1,"meta.ms":10,"meta.user.id":"b"}
    {"id":2,"meta.\"odd.key\".0":null,"meta.ms":9,"meta.user.id":"a"}
    {"id":3,"meta.\"odd.key\".0":null,"meta.ms":"9","meta.user.id":7}
    {"id":4,"meta.\"odd.key\".0":null,"meta.ms":null,"meta.user.id":"a"}
    {"id":5,"meta.\"odd.key\".0":null,"meta.ms":null,"meta.user.id":null}
    {"id":6,"meta.\"odd.key\".0":null,"meta.ms":9007199254740993.25,"meta.user.id":7}
    "#);
    for names in [["id", "source.x"], ["meta.ms", "meta.ms"]] {
        assert!(Log::records().select_text(&names).is_err(), "{names:?}");
    }
}

#[tokio::test]
async fn records_are_grouped_and_measured_by_places_in_json() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool, &metas()).await;
    let measures = |names: &[&str]| TextMeasures::parse::<Log>(names).unwrap();
    let few = Log::records().filter(lookback::Filter::parse("id__lt=10").unwrap());
    let groups = few
        .clone()
        .group_by_text(&["meta.user.id"])
        .unwrap()
        .aggregate(pool, measures(&["count", "meta.ms__sum"]))
        .await
        .unwrap();
    let text: Vec<String> = groups
        .into_iter()
        .map(|(by, of)| format!("{} {}", Json::Object(by), Json::Object(of)))
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    {"meta.user.id":"a"} {"count":2,"meta.ms__sum":9}
    {"meta.user.id":"b"} {"count":1,"meta.ms__sum":10}
    {"meta.user.id":7} {"count":2,"meta.ms__sum":9007199254740993.25}
    {"meta.user.id":null} {"count":4,"meta.ms__sum":-0.5}
    "#);
    let all = few
        .aggregate(
            pool,
            measures(&[
                "meta.ms__min",
                "meta.ms__max",
                "meta.ms__sum",
                "meta.ms__avg",
                "meta.ms__p50",
                "meta.ms__distinct",
                "meta.nothing__sum",
            ]),
        )
        .await
        .unwrap();
    insta::assert_snapshot!(Json::Object(all), @r#"{"meta.ms__avg":2251799813685252.9375,"meta.ms__distinct":6,"meta.ms__max":9007199254740993.25,"meta.ms__min":-0.5,"meta.ms__p50":9.5,"meta.ms__sum":9007199254741011.75,"meta.nothing__sum":null}"#);
    // A number beyond a float does not stop a percentile.
    let all = Log::records()
        .aggregate(pool, measures(&["meta.ms__p100"]))
        .await
        .unwrap();
    assert_eq!(all["meta.ms__p100"], 9_007_199_254_740_994.0);
    let top = Log::records()
        .group_by_text(&["meta.user.id"])
        .unwrap()
        .top(1)
        .aggregate(pool, measures(&["meta.ms__max"]))
        .await
        .unwrap();
    assert!(top[0].0["meta.user.id"].is_null());
    let error = |text: &str| TextMeasures::parse::<Log>(&[text]).unwrap_err().to_string();
    assert!(error("meta.ms__median").contains("a place in JSON"));
    let error = Log::records()
        .group_by_text(&["meta.at__1h"])
        .map(drop)
        .unwrap_err();
    insta::assert_snapshot!(error, @"meta.at__1h: meta.at is not a time, and has no time buckets; write meta.at");
}

#[tokio::test]
async fn header_names_are_found_in_upper_and_lower_case() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let headers = [
        json!({"content-type": "text/html", "X-Retry": 1}),
        json!({"Content-Type": "text/html", "x-retry": 2}),
        json!({"CONTENT-TYPE": "text/plain", "Content-Type": "image/png", "a": {"B": "c"}}),
        json!(["content-type"]),
        json!("content-type"),
        json!({}),
    ];
    for headers in headers.iter().cloned() {
        let new =
            NewRequestSnapshot::new("GET", "/", crate::time("2026-01-31T08:30:00Z"), "1", "test")
                .headers(headers);
        RequestSnapshot::records().create(pool, new).await.unwrap();
    }
    let ids = async |text: &str| {
        let query = RequestSnapshot::records().filter(Filter::parse(text).unwrap());
        let query = query.order_by(RequestSnapshot::id().asc());
        query
            .select(RequestSnapshot::id())
            .list(pool)
            .await
            .unwrap()
            .data
    };
    for name in ["Content-Type", "content-type", "CONTENT-type"] {
        assert_eq!(
            ids(&format!("headers.{name}=text/html")).await,
            [1, 2],
            "{name}"
        );
        assert_eq!(
            ids(&format!("headers.{name}__ne=text/html")).await,
            [3, 4, 5, 6],
            "{name}"
        );
        assert_eq!(
            ids(&format!("headers.{name}__startswith=text")).await.len(),
            2 + usize::from(name != "Content-Type")
        );
        assert_eq!(
            ids(&format!("headers.{name}__exists=true")).await,
            [1, 2, 3],
            "{name}"
        );
        assert_eq!(
            ids(&format!("headers.{name}__isnull=true")).await,
            [4, 5, 6],
            "{name}"
        );
    }
    // The name as it is written comes first. Keys below it keep their case.
    assert_eq!(ids("headers.Content-Type=image/png").await, [3]);
    assert_eq!(ids("headers.CONTENT-TYPE=text/plain").await, [3]);
    assert_eq!(ids("headers.A.B=c").await, [3]);
    assert_eq!(ids("headers.A.b=c").await, [0_i64; 0]);
    assert_eq!(ids("headers.X-RETRY__gte=2").await, [2]);

    let query = || RequestSnapshot::records();
    let ordered = query().order_by_text("-headers.x-RETRY").unwrap().limit(2);
    let page = ordered.list(pool).await.unwrap();
    let found: Vec<i64> = page.data.iter().map(|one| one.id).collect();
    assert_eq!(found, [2, 1]);
    let next = ordered.after(page.next.unwrap()).list(pool).await.unwrap();
    assert_eq!(next.data[0].id, 6);
    let selected = query()
        .order_by(RequestSnapshot::id().asc())
        .select_text(&["headers.content-TYPE"]);
    let selected = selected.unwrap().list(pool).await.unwrap().data;
    assert_eq!(selected[1]["headers.content-TYPE"], json!("text/html"));
    let groups = query().group_by_text(&["headers.Content-type"]).unwrap();
    let groups = groups.aggregate(pool, count()).await.unwrap();
    let html = groups
        .iter()
        .find(|(key, _)| key["headers.Content-type"] == json!("text/html"));
    assert_eq!(html.unwrap().1, 2);
}

/// With types as by their names.
#[tokio::test]
async fn typed_place_in_json_is_ordered_by_selected_and_grouped_by() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool, &metas()).await;
    let ms = || Log::meta().key("ms");
    let ordered = Log::records().order_by(ms().desc().unwrap().nulls_first());
    let by_name = Log::records()
        .order_by_text("-meta.ms__nullsfirst")
        .unwrap();
    let ids = |logs: Vec<Log>| -> Vec<i64> { logs.iter().map(|log| log.id).collect() };
    let (ordered, by_name) = (ordered.list(pool).await, by_name.list(pool).await);
    assert_eq!(ids(ordered.unwrap().data), ids(by_name.unwrap().data));
    let odd = Log::meta().path(r#""odd.key".0"#);
    let rows = Log::records()
        .order_by(Log::id().asc())
        .limit(5)
        .select((Log::id(), Log::meta().path("user.id"), odd))
        .list(pool)
        .await
        .unwrap();
    let expected = [
        (1, Some(json!("b")), Some(json!(1))),
        (2, Some(json!("a")), None),
        (3, Some(json!(7)), None),
        (4, Some(json!("a")), None),
        (5, None, None),
    ];
    assert_eq!(rows.data, expected);
    let mut groups = Log::records()
        .group_by((Log::level(), Log::meta().path("user.id")))
        .aggregate(pool, count())
        .await
        .unwrap();
    groups.sort_by_key(|((_, id), _)| id.as_ref().map(ToString::to_string));
    let groups: Vec<(Option<Json>, i64)> = groups
        .into_iter()
        .map(|((_, id), lines)| (id, lines))
        .collect();
    let expected = [
        (None, 5),
        (Some(json!("a")), 2),
        (Some(json!("b")), 1),
        (Some(json!(7)), 2),
    ];
    assert_eq!(groups, expected);
    for wrong in ["a..b", "\"a"] {
        let error = Log::meta().path(wrong).asc().err().unwrap();
        assert!(error.is_invalid(), "{error}");
        let selected = Log::records().select(Log::meta().path(wrong));
        assert!(selected.list(pool).await.unwrap_err().is_invalid());
    }
}
