//! Selected columns, and streams of rows.

use futures_util::{StreamExt as _, TryStreamExt as _};
use lookback::json;
use lookback::value::ErrorRate;
use lookback::{Level, Log, Metric, NewLog, NewMetric, QueryBuilder, User};
use sqlx::PgPool;

use crate::time;

async fn lines(pool: &PgPool, lines: usize) {
    let new: Vec<NewLog> = (0..lines)
        .map(|n| {
            let log = NewLog::new("API", Level::ALL[n % 4], format!("line {n}"));
            match n % 2 {
                0 => log.trace_id(format!("trace {n}")),
                _ => log,
            }
        })
        .collect();
    Log::records().create_many(pool, &new).await.unwrap();
}

#[tokio::test]
async fn select_returns_chosen_columns() {
    let db = testkit::database().await;
    let pool = &db.pool;
    lines(pool, 4).await;
    let query = Log::records().order_by(Log::id().asc());

    let page = query
        .clone()
        .limit(2)
        .select((Log::message(), Log::trace_id(), Log::level()))
        .list(pool)
        .await
        .unwrap();
    assert_eq!(
        page.data,
        [
            (
                "line 0".to_owned(),
                Some("trace 0".to_owned()),
                Level::Debug
            ),
            ("line 1".to_owned(), None, Level::Info),
        ]
    );
    assert_eq!(page.total.value(), 4);
    let next = query.clone().limit(2).after(page.next.unwrap());
    let messages = next.select(Log::message()).list(pool).await.unwrap().data;
    assert_eq!(messages, ["line 2", "line 3"]);

    let nested = query
        .clone()
        .select((Log::id(), (Log::level(), Log::source())));
    let first = nested.first(pool).await.unwrap();
    assert_eq!(first, Some((1, (Level::Debug, "API".to_owned()))));
    let found = Log::records().search("line 3").select(Log::id());
    assert_eq!(found.first(pool).await.unwrap(), Some(4));
    let one = Log::records().select((Log::trace_id(),));
    assert_eq!(
        one.get(pool, 1).await.unwrap(),
        (Some("trace 0".to_owned()),)
    );
    assert!(one.get(pool, 9).await.unwrap_err().is_not_found());
    // A hidden column is read when it is named.
    Log::records().delete(pool, 2).await.unwrap();
    let deleted = Log::records().only_deleted().select(Log::deleted_at());
    assert!(deleted.first(pool).await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn select_text_returns_fields_as_json() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let window = NewMetric::new(
        time("2026-01-01T00:00:00Z"),
        time("2026-01-01T00:01:00Z"),
        "GET /",
        1,
        2,
        3,
        ErrorRate::of(1, 4),
        4,
    );
    Metric::records().create(pool, window).await.unwrap();
    let query: QueryBuilder<Metric> = Metric::records();
    let rows = query
        .clone()
        .select_text(&["error_rate", "window_start", "request_size", "deleted_at"])
        .unwrap()
        .list(pool)
        .await
        .unwrap();
    assert_eq!(
        json!(rows.data),
        json!([{
            "error_rate": 0.25,
            "window_start": "2026-01-01T00:00:00Z",
            "request_size": null,
            "deleted_at": null,
        }])
    );
    let refused = [
        query.clone().select_text(&["error_rat"]).unwrap_err(),
        query.clone().select_text(&["id", "id"]).unwrap_err(),
        query.select_text(&[] as &[&str]).unwrap_err(),
        User::records().select_text(&["password_hash"]).unwrap_err(),
    ];
    assert!(refused.iter().all(lookback::Error::is_invalid));
    insta::assert_snapshot!(refused.map(|error| error.to_string()).join("\n"), @r"
    error_rat: is not a field of metrics; did you mean error_rate?
    id: is given twice
    fields: names no field; give at least one
    password_hash: is not a field of users, which has id, email, role, created_at, updated_at, deleted_at
    ");
}

#[tokio::test]
async fn stream_returns_all_records_and_releases_connection() {
    let db = testkit::database().await;
    lines(&db.pool, 20_000).await;
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(std::time::Duration::from_secs(20))
        .connect(&db.url)
        .await
        .unwrap();
    let query = Log::records().filter(Log::level().eq("error"));
    let ids: Vec<i64> = query
        .stream(&pool)
        .map_ok(|log| log.id)
        .try_collect()
        .await
        .unwrap();
    let expected: Vec<i64> = (1..=20_000).rev().filter(|id| id % 4 == 0).collect();
    assert_eq!(ids, expected);
    let page: Vec<(i64,)> = query
        .clone()
        .limit(2)
        .offset(1)
        .select((Log::id(),))
        .stream(&pool)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(page, [(19_996,), (19_992,)]);

    // A stream that is dropped early, or never read, leaves a working pool.
    for taken in [0, 1, 700] {
        let some: Vec<_> = Log::records().stream(&pool).take(taken).collect().await;
        assert_eq!(some.len(), taken);
        assert_eq!(query.count(&pool).await.unwrap().value(), 5_000);
    }
    // A stream in the caller's transaction leaves it usable.
    let mut transaction = pool.begin().await.unwrap();
    let new = NewLog::new("API", Level::Error, "not committed");
    let new = Log::records().create(&mut transaction, new).await.unwrap();
    {
        let mut logs = Log::records().stream(&mut transaction);
        assert_eq!(logs.next().await.unwrap().unwrap().id, new.id);
    }
    assert_eq!(query.count(&mut transaction).await.unwrap().value(), 5_001);
    transaction.rollback().await.unwrap();

    let refused = Log::records().search("line").stream(&pool);
    let refused: Vec<_> = refused.collect().await;
    assert!(refused[0].as_ref().unwrap_err().is_invalid());
    assert_eq!(refused.len(), 1);
    let invalid = Log::records().filter(Log::level().eq("loud")).stream(&pool);
    let invalid: Vec<_> = invalid.collect().await;
    assert!(invalid.len() == 1 && invalid[0].as_ref().unwrap_err().is_invalid());
    // A server error ends the stream; the rows before it are returned.
    for sql in [
        "ALTER TABLE logs ALTER COLUMN source DROP NOT NULL",
        "UPDATE logs SET source = NULL WHERE id = 500",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let until: Vec<_> = Log::records().stream(&pool).collect().await;
    assert_eq!(until.len(), 19_501);
    assert!(until.last().unwrap().is_err());
    assert!(query.exists(&pool).await.unwrap());
}

#[tokio::test]
async fn stream_of_cancelled_statement_ends_with_error() {
    let db = testkit::database().await;
    // More than any buffer between client and server holds.
    sqlx::query(
        "INSERT INTO logs (source, level, message) \
         SELECT 'API', 'info', repeat('long ', 2000) FROM generate_series(1, 8000)",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    let mut conn = db.pool.acquire().await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let mut logs = Log::records().stream(&mut conn);
    assert!(logs.next().await.unwrap().is_ok());
    sqlx::query("SELECT pg_cancel_backend($1)")
        .bind(pid)
        .execute(&db.pool)
        .await
        .unwrap();
    let rest: Vec<_> = logs.collect().await;
    // The server sent some rows, and then the reason why there are no more.
    let error = rest.last().unwrap().as_ref().unwrap_err();
    assert!(error.is_timeout(), "{error}");
}
