//! Binary COPY stores what single inserts store.

use std::time::Duration;

use lookback::json;
use lookback::{Level, Log, NewLog, NewRequestSnapshot, NewUser, RequestSnapshot, User};

use crate::time;

#[tokio::test]
async fn create_many_stores_same_values_as_create() {
    let db = testkit::database().await;
    let new = NewRequestSnapshot::new(
        "PUT",
        "/ünï",
        time("2026-01-01T00:00:00.000001Z"),
        "1",
        "test",
    )
    .query(json!({"q": ["a", null]}))
    .body(json!("just text"))
    .status_code(599)
    .duration(i32::MAX)
    .geo_lat(52.52)
    .created_at(time("1999-12-31T23:59:59Z"));
    let records = RequestSnapshot::records()
        .with_hidden(RequestSnapshot::embedding())
        .with_hidden(RequestSnapshot::deleted_at());
    let inserted = records.create(&db.pool, new.clone()).await.unwrap();
    assert_eq!(records.create_many(&db.pool, &[new]).await.unwrap(), 1);
    let copied = records.get(&db.pool, inserted.id + 1).await.unwrap();
    assert_eq!(
        RequestSnapshot {
            id: inserted.id,
            updated_at: inserted.updated_at,
            ..copied
        },
        inserted
    );

    let user = NewUser::new("ada@example.com", "hash");
    User::records()
        .create_many(&db.pool, &[user])
        .await
        .unwrap();
    let user = User::records().first(&db.pool).await.unwrap().unwrap();
    assert_eq!(user.role, lookback::UserRole::User);
}

#[tokio::test]
async fn create_many_names_each_invalid_record_and_stores_none() {
    let db = testkit::database().await;
    let log = |message: &str| NewLog::new("API", Level::Info, message);
    let many: Vec<NewLog> = (0..20_000).map(|n| log(&format!("line {n}"))).collect();
    assert_eq!(
        Log::records().create_many(&db.pool, &many).await.unwrap(),
        20_000
    );
    assert_eq!(Log::records().create_many(&db.pool, &[]).await.unwrap(), 0);

    let batch = [
        log("good"),
        log(" "),
        log("also good"),
        NewLog::new("\0", Level::Info, ""),
    ];
    let error = Log::records()
        .create_many(&db.pool, &batch)
        .await
        .unwrap_err();
    assert!(error.is_invalid());
    insta::assert_snapshot!(error, @"record 1, message: must not be blank; record 3, source: contains a NUL character (at byte 0), which PostgreSQL text cannot store; record 3, message: must not be blank");
    assert_eq!(
        Log::records().count(&db.pool).await.unwrap().value(),
        20_000
    );
}

/// An error that only the database finds names the record's index, too.
#[tokio::test]
async fn create_many_refused_by_database_names_the_record() {
    let db = testkit::database().await;
    sqlx::query("ALTER TABLE logs ADD CONSTRAINT no_secrets CHECK (message <> 'secret')")
        .execute(&db.pool)
        .await
        .unwrap();
    let log = |message: &str| NewLog::new("API", Level::Info, message);
    let error = Log::records()
        .create_many(&db.pool, &[log("a"), log("b"), log("secret"), log("c")])
        .await
        .unwrap_err();
    assert!(error.is_invalid());
    assert_eq!(error.fields()[0].row, Some(2), "{error}");

    let users = ["a@example.com", "b@example.com", "A@example.com"]
        .map(|email| NewUser::new(email, "hash"));
    let error = User::records()
        .create_many(&db.pool, &users)
        .await
        .unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(
        error.to_string(),
        "record 2, email: is the e-mail of another user"
    );
    assert_eq!(User::records().count(&db.pool).await.unwrap().value(), 0);
    // The connection is still usable.
    assert_eq!(
        Log::records()
            .create_many(&db.pool, &[log("a")])
            .await
            .unwrap(),
        1
    );
}

/// A dropped COPY stores nothing and does not block the pool's next user.
#[tokio::test]
async fn dropped_create_many_leaves_pool_usable() {
    let db = testkit::database().await;
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect(&db.url)
        .await
        .unwrap();
    let logs: Vec<NewLog> = (0..20_000)
        .map(|n| NewLog::new("API", Level::Info, format!("line {n}")))
        .collect();
    let kept = Log::records()
        .create(&pool, NewLog::new("API", Level::Info, "kept"))
        .await
        .unwrap();
    let mut dropped = 0;
    for milliseconds in [0, 1, 2, 3, 5, 8, 13, 21, 34] {
        let limit = Duration::from_millis(milliseconds);
        let records = Log::records();
        let copy = records.create_many(&pool, &logs);
        if tokio::time::timeout(limit, copy).await.is_err() {
            dropped += 1;
        }
        let read = Log::records();
        let read = read.get(&pool, kept.id);
        let read = tokio::time::timeout(Duration::from_secs(60), read).await;
        assert_eq!(
            read.expect("the pool still answers").unwrap().message,
            "kept"
        );
    }
    assert!(dropped > 0, "no COPY was slow enough to be dropped");
    let total = Log::records().count(&pool).await.unwrap().value();
    assert_eq!((total - 1) % 20_000, 0, "a dropped COPY stored a part");
}

/// Few records are sent at once, in a statement that waits for a lock.
#[tokio::test]
async fn dropped_create_many_of_few_records_stores_none() {
    let db = testkit::database().await;
    let mut locking = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE logs IN SHARE MODE")
        .execute(&mut *locking)
        .await
        .unwrap();
    let logs = [NewLog::new("API", Level::Info, "a")];
    let records = Log::records();
    let dropped = records.create_many(&db.pool, &logs);
    let dropped = tokio::time::timeout(Duration::from_millis(300), dropped).await;
    assert!(dropped.is_err(), "the lock keeps it waiting");
    locking.rollback().await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND query LIKE 'INSERT INTO \"logs\"%'";
    for _ in 0..1_000 {
        let waiting: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&db.pool)
            .await
            .unwrap();
        if waiting == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let total = Log::records().count(&db.pool).await.unwrap();
    assert_eq!(total.value(), 0);
}
