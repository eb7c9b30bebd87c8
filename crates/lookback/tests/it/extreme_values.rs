//! Values that few programs store: infinite times, years before 1 and after 9999, NaN.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use lookback::maintenance::sealing::Sealer;
use lookback::maintenance::{self, RetentionPolicy};
use lookback::query::{Bucket, TextMeasures, count};
use lookback::{Filter, Level, Log, LogPatch, Model as _, NewLog, RequestSnapshot};
use sqlx::{AssertSqlSafe, PgPool};

use crate::sealing::seal_all;

/// In the order of time.
const TIMES: [&str; 9] = [
    "-infinity",
    "4714-11-24 00:00:00+00 BC",
    "0044-03-15 00:00:00+00 BC",
    "2026-01-31 08:30:00.123456+00",
    "9999-12-31 23:59:59.999999+00",
    "12345-06-07 08:09:10+00",
    "290000-01-01 00:00:00+00",
    "294276-12-31 23:59:59.999999+00",
    "infinity",
];

/// The same as text; those beyond a `DateTime` are its last microsecond.
const TEXTS: [&str; 9] = [
    "-infinity",
    "-4713-11-24T00:00:00Z",
    "-0043-03-15T00:00:00Z",
    "2026-01-31T08:30:00.123456Z",
    "9999-12-31T23:59:59.999999Z",
    "+12345-06-07T08:09:10Z",
    "+262142-12-31T23:59:59.999999Z",
    "+262142-12-31T23:59:59.999999Z",
    "infinity",
];

async fn execute(pool: &PgPool, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::query(sql).execute(pool).await.unwrap();
}

/// A log line for each of the times, with ids from 1.
async fn insert(pool: &PgPool) {
    let new = TIMES.map(|_| NewLog::new("API", Level::Info, "connection refused"));
    Log::records().create_many(pool, &new).await.unwrap();
    for (id, time) in (1..).zip(TIMES) {
        let set = format!("created_at = '{time}', updated_at = '{time}', deleted_at = NULL");
        execute(pool, &format!("UPDATE logs SET {set} WHERE id = {id}")).await;
    }
}

#[tokio::test]
async fn records_of_any_time_are_read_in_every_way() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool).await;
    let records = Log::records().order_by(Log::id().asc());

    let page = records.list(pool).await.unwrap();
    let texts = |logs: &[Log]| -> Vec<String> {
        let json = logs.iter().map(|log| serde_json::to_value(log).unwrap());
        json.map(|log| log["created_at"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(&page.data), TEXTS);
    assert_eq!(page.data[8].created_at, DateTime::<Utc>::MAX_UTC);
    assert_eq!(page.data[0].updated_at, DateTime::<Utc>::MIN_UTC);
    let streamed: Vec<Log> = records.stream(pool).try_collect().await.unwrap();
    assert_eq!(texts(&streamed), TEXTS);
    let objects = records
        .clone()
        .select_text(&["created_at", "deleted_at"])
        .unwrap();
    let objects = objects.list(pool).await.unwrap().data;
    let selected = objects
        .iter()
        .map(|object| object["created_at"].as_str().unwrap());
    assert_eq!(selected.collect::<Vec<_>>(), TEXTS);
    execute(pool, "UPDATE logs SET deleted_at = created_at WHERE id > 7").await;
    let deleted = records
        .clone()
        .only_deleted()
        .with_hidden(Log::deleted_at());
    let deleted = deleted.list(pool).await.unwrap().data;
    assert_eq!(
        deleted[1].deleted_at.get().unwrap(),
        &Some(DateTime::<Utc>::MAX_UTC)
    );
    execute(pool, "UPDATE logs SET deleted_at = NULL").await;

    let hits = Log::records().search("refused").hits(pool).await.unwrap();
    assert_eq!(hits.data.len(), TIMES.len());
    let (least, most) = Log::records()
        .aggregate(pool, (Log::created_at().min(), Log::created_at().max()))
        .await
        .unwrap();
    assert_eq!(
        (least, most),
        (
            Some(DateTime::<Utc>::MIN_UTC),
            Some(DateTime::<Utc>::MAX_UTC)
        )
    );
}

#[tokio::test]
async fn filter_with_shown_time_finds_its_record() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool).await;
    let found = async |text: &str| -> Vec<i64> {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(Filter::parse(&filter.to_text().unwrap()).unwrap(), filter);
        let records = Log::records().filter(filter).order_by(Log::id().asc());
        let page = records.list(pool).await.unwrap();
        page.data.iter().map(|log| log.id).collect()
    };
    for (id, text) in (1..).zip(TEXTS).filter(|(id, _)| ![7, 8].contains(id)) {
        assert_eq!(found(&format!("created_at={text}")).await, [id], "{text}");
    }
    assert_eq!(found("created_at__gte=+262142-01-01").await, [7, 8, 9]);
    assert_eq!(found("created_at__lt=infinity").await.len(), 8);
    assert_eq!(found("created_at__in=infinity,-infinity").await, [1, 9]);
    assert_eq!(
        found("created_at__between=-infinity,-0043-12-31").await,
        [1, 2, 3]
    );
    let typed = Log::created_at().eq(DateTime::<Utc>::MAX_UTC);
    assert_eq!(typed, Filter::parse("created_at=infinity").unwrap());
}

#[tokio::test]
async fn pages_by_any_time_show_each_record_once() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool).await;
    for (order, expected) in [
        (Log::created_at().asc(), [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (Log::created_at().desc(), [9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ] {
        let query = Log::records().order_by(order).limit(1);
        let mut seen = Vec::new();
        let mut page = query.list(pool).await.unwrap();
        let last = loop {
            seen.extend(page.data.iter().map(|log| log.id));
            assert!(seen.len() <= expected.len(), "{seen:?}");
            match &page.next {
                Some(next) => page = query.clone().after(next).list(pool).await.unwrap(),
                None => break page,
            }
        };
        assert_eq!(seen, expected);
        let mut before = last.previous;
        while let Some(cursor) = before {
            seen.pop();
            let page = query.clone().before(cursor).list(pool).await.unwrap();
            assert_eq!(Some(&page.data[0].id), seen.last());
            before = page.previous;
        }
        assert_eq!(seen.len(), 1);
    }
}

#[tokio::test]
async fn groups_by_bucket_of_any_time_are_computed() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool).await;
    for bucket in [
        Bucket::hours(1),
        Bucket::every(std::time::Duration::from_secs(100 * 366 * 86_400)),
        Bucket::day(),
        Bucket::week(),
        Bucket::year().in_zone("America/New_York"),
        Bucket::quarter().in_zone("Pacific/Auckland"),
    ] {
        let groups = Log::records()
            .group_by(Log::created_at().bucket(bucket.clone()))
            .aggregate(pool, count())
            .await
            .unwrap();
        assert_eq!(groups.len(), TIMES.len(), "{bucket:?}");
        assert_eq!(groups[0].0, DateTime::<Utc>::MIN_UTC);
        assert_eq!(groups[8].0, DateTime::<Utc>::MAX_UTC);
    }
    let groups = Log::records()
        .group_by_text(&["created_at__day"])
        .unwrap()
        .aggregate(pool, TextMeasures::parse::<Log>(&["count"]).unwrap())
        .await
        .unwrap();
    assert_eq!(groups[8].0["created_at__day"], "infinity");
    assert_eq!(groups[3].0["created_at__day"], "2026-01-31T00:00:00Z");
}

#[tokio::test]
async fn records_of_any_time_are_changed_and_written() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool).await;
    for (id, time) in (1..).zip(TIMES) {
        let log = Log::records().get(pool, id).await.unwrap();
        // A time beyond a `DateTime` is not the one that was read.
        let mut records = Log::records();
        if ![7, 8].contains(&id) {
            records = records.if_updated_at(log.updated_at);
        }
        let changed = records
            .update(pool, id, LogPatch::new().source("DB"))
            .await
            .unwrap_or_else(|error| panic!("{time}: {error}"));
        if id != 7 {
            assert_ne!(changed.updated_at, log.updated_at, "{time}");
        }
        assert_eq!(changed.created_at, log.created_at, "{time}");
        let new = NewLog::new("API", Level::Info, "again").created_at(log.created_at);
        let again = Log::records().create(pool, new).await.unwrap();
        assert_eq!(again.created_at, log.created_at, "{time}");
    }
    let error = NewLog::new("API", Level::Info, "before all")
        .created_at(crate::time("-5000-01-01T00:00:00Z"));
    let error = Log::records().create(pool, error).await.unwrap_err();
    insta::assert_snapshot!(error, @"created_at: must not be before 24 November 4714 BC, the first day that PostgreSQL stores");
}

#[tokio::test]
async fn storage_with_infinite_times_is_sealed_measured_and_pruned() {
    let db = testkit::database().await;
    let pool = &db.pool;
    insert(pool).await;
    let mut conn = pool.acquire().await.unwrap();
    let policy = RetentionPolicy::default()
        .older_than(std::time::Duration::from_secs(86_400))
        .deleted_older_than(std::time::Duration::from_secs(86_400));
    let now = crate::time("2026-02-02T00:00:00Z");
    // Read from the rows, then from the summaries.
    for _ in 0..2 {
        let status = maintenance::status(&mut conn, Log::TABLE).await.unwrap();
        assert_eq!(status.oldest, Some(DateTime::<Utc>::MIN_UTC));
        assert_eq!(status.newest, Some(DateTime::<Utc>::MAX_UTC));
        let plan = maintenance::plan_prune(&mut conn, Log::TABLE, &policy, now)
            .await
            .unwrap();
        assert_eq!(plan.rows(), 4);
        let oldest = maintenance::oldest_remaining(&mut conn, Log::TABLE, &plan)
            .await
            .unwrap();
        assert_eq!(oldest, Some(crate::time("9999-12-31T23:59:59.999999Z")));
        maintenance::retention_blockers(&mut conn, Log::TABLE, &policy, &plan)
            .await
            .unwrap();
        let mut sealer = Sealer::new(Log::TABLE, 8).unwrap();
        seal_all(&mut conn, &mut sealer).await;
    }
    for (text, found) in [
        ("created_at=infinity", 1),
        ("created_at=-infinity", 1),
        ("created_at__gt=9999-12-31T23:59:59.999999Z", 4),
        ("created_at__lt=2026-01-01", 3),
    ] {
        let query = Log::records().filter(Filter::parse(text).unwrap());
        let hits = query.search("refused").hits(&mut conn).await.unwrap();
        assert_eq!(hits.data.len(), found, "{text}");
    }
    let plan = maintenance::plan_prune(&mut conn, Log::TABLE, &policy, now)
        .await
        .unwrap();
    let report = maintenance::prune(&mut conn, Log::TABLE, &plan, &mut |_| {
        std::ops::ControlFlow::Continue(())
    })
    .await
    .unwrap();
    assert_eq!(report.deleted_rows, 4);
    assert_eq!(Log::records().count(pool).await.unwrap().value(), 5);
}

#[tokio::test]
async fn numbers_that_are_not_finite_are_read_filtered_and_measured() {
    let db = testkit::database().await;
    let pool = &db.pool;
    for sql in [
        "INSERT INTO request_snapshots (method, path, timestamp, version, stage, geo_lat) \
         SELECT 'GET', '/', now(), '1', 'test', lat FROM unnest(ARRAY['NaN', 'Infinity', \
         '-Infinity', '1.5', '1e308', '1e308']::float8[]) AS lat",
    ] {
        execute(pool, sql).await;
    }
    let records = RequestSnapshot::records().order_by(RequestSnapshot::id().asc());
    let page = records.list(pool).await.unwrap();
    let shown = |at: usize| serde_json::to_value(&page.data[at]).unwrap()["geo_lat"].clone();
    assert_eq!(
        [shown(0), shown(1), shown(2), shown(3)],
        [
            "NaN".into(),
            "Infinity".into(),
            "-Infinity".into(),
            1.5.into()
        ] as [serde_json::Value; 4]
    );
    let objects = records.clone().select_text(&["geo_lat"]).unwrap();
    let objects = objects.list(pool).await.unwrap().data;
    assert_eq!(objects[0]["geo_lat"], "NaN");
    for (text, ids) in [
        ("geo_lat=NaN", vec![1]),
        ("geo_lat=-Infinity", vec![3]),
        ("geo_lat__in=inf,NaN", vec![1, 2]),
        ("geo_lat__gt=1.7e308", vec![1, 2]),
    ] {
        let filter = Filter::<RequestSnapshot>::parse(text).unwrap();
        let formatted = filter.to_text().unwrap();
        let again = Filter::<RequestSnapshot>::parse(&formatted).unwrap();
        assert_eq!(again.to_text().unwrap(), formatted);
        let page = records.clone().filter(filter).list(pool).await.unwrap();
        let found: Vec<i64> = page.data.iter().map(|request| request.id).collect();
        assert_eq!(found, ids, "{text}");
    }
    assert!(Filter::<RequestSnapshot>::parse("geo_lat=1e999").is_err());
    let by_lat = RequestSnapshot::records()
        .order_by(RequestSnapshot::geo_lat().asc())
        .limit(1);
    let mut page = by_lat.list(pool).await.unwrap();
    let mut seen = Vec::new();
    loop {
        seen.extend(page.data.iter().map(|request| request.id));
        let Some(next) = &page.next else { break };
        assert!(seen.len() < 7, "{seen:?}");
        page = by_lat.clone().after(next).list(pool).await.unwrap();
    }
    assert_eq!(seen, [3, 4, 6, 5, 2, 1]);
    let measures = [
        "geo_lat__max",
        "geo_lat__avg",
        "geo_lat__sum",
        "geo_lat__p50",
    ];
    let measures = RequestSnapshot::records()
        .aggregate(
            pool,
            TextMeasures::parse::<RequestSnapshot>(&measures).unwrap(),
        )
        .await
        .unwrap();
    insta::assert_snapshot!(lookback::Json::Object(measures), @r#"{"geo_lat__avg":"NaN","geo_lat__max":"NaN","geo_lat__p50":1e+308,"geo_lat__sum":"NaN"}"#);
}

#[tokio::test]
async fn json_nested_deeper_than_is_read_is_text_below() {
    let db = testkit::database().await;
    let pool = &db.pool;
    execute(
        pool,
        "INSERT INTO logs (source, level, message, meta) SELECT 'API', 'info', 'deep', \
         (repeat('[', 3000) || '\"a]\\\"\"' || repeat(']', 3000))::jsonb",
    )
    .await;
    let log = Log::records().first(pool).await.unwrap().unwrap();
    let mut json = log.meta.as_ref().unwrap();
    let mut levels = 0;
    while let Some(items) = json.as_array() {
        (json, levels) = (&items[0], levels + 1);
    }
    assert_eq!(levels, 127);
    let rest = json.as_str().unwrap();
    assert!(rest.starts_with("[[") && rest.ends_with("]]"));
    assert_eq!(rest.matches('[').count(), 3000 - 127);
    let objects = Log::records().select_text(&["meta"]).unwrap();
    assert_eq!(objects.list(pool).await.unwrap().data.len(), 1);
}
