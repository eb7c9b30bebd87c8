//! `create` and `update`, with a pool, a connection and a transaction.

use std::time::Duration;

use lookback::embedding::Embedding;
use lookback::error::Remedy;
use lookback::json;
use lookback::value::{Bytes, ErrorRate, Patch};
use lookback::{
    GeoSource, Json, Level, Log, LogPatch, Metric, NewLog, NewMetric, NewRequestSnapshot, NewUser,
    RequestSnapshot, RequestSnapshotPatch, User, UserPatch, UserRole,
};

use crate::time;

fn log(message: &str) -> NewLog {
    NewLog::new("API", Level::Info, message)
}

#[tokio::test]
async fn create_returns_record_as_given() {
    let db = testkit::database().await;
    let meta = json!({"big": 123_456_789_012_345_678_u64, "text": "ünï\u{1f600}", "list": [1, null, true]});
    let new = log("disk is full")
        .meta(meta.clone())
        .trace_id("4bf92f3577b34da6a3ce929d0e0e4736")
        .created_at(time("2015-12-10T06:55:46.123456Z"));
    let log = Log::records().create(&db.pool, new).await.unwrap();
    assert_eq!(log.source, "API");
    assert_eq!(log.level, Level::Info);
    assert_eq!(log.message, "disk is full");
    assert_eq!(log.meta, Some(meta));
    assert_eq!(
        log.trace_id.as_deref(),
        Some("4bf92f3577b34da6a3ce929d0e0e4736")
    );
    assert_eq!(log.created_at, time("2015-12-10T06:55:46.123456Z"));
    assert_eq!(Log::records().get(&db.pool, log.id).await.unwrap(), log);

    let window = NewMetric::new(
        time("2026-01-01T00:00:00Z"),
        time("2026-01-01T00:01:00Z"),
        "GET /orders/{id}",
        12,
        80,
        200,
        ErrorRate::of(1, 400),
        400,
    )
    .request_size(i64::MAX)
    .latency_sketch(Bytes(vec![0, 255, 7]));
    let metric = Metric::records().create(&db.pool, window).await.unwrap();
    assert_eq!(metric.error_rate.fraction(), 0.0025);
    assert_eq!(metric.request_size, Some(i64::MAX));
    assert_eq!(metric.response_size, None);
    assert_eq!(metric.latency_sketch, Some(Bytes(vec![0, 255, 7])));

    let new = NewRequestSnapshot::new("GET", "/", time("2026-01-01T00:00:00Z"), "1.0", "test")
        .status_code(204)
        .geo_lat(-33.5)
        .geo_source(GeoSource::Ip)
        .body(json!(["a body may be any JSON", 1.50, -0]));
    let request = RequestSnapshot::records()
        .create(&db.pool, new)
        .await
        .unwrap();
    assert_eq!(request.status_code, Some(204));
    assert_eq!(request.geo_lat, Some(-33.5));
    assert_eq!(request.geo_source, Some(GeoSource::Ip));
    assert_eq!(request.duration, None);
    assert_eq!(request.body.unwrap()[0], "a body may be any JSON");

    let user = User::records()
        .create(&db.pool, NewUser::new("ada@example.com", "$argon2id$…"))
        .await
        .unwrap();
    assert_eq!(user.role, UserRole::User);
    let admin = NewUser::new("root@example.com", "hash").role(UserRole::Admin);
    assert_eq!(
        User::records().create(&db.pool, admin).await.unwrap().role,
        UserRole::Admin
    );
}

#[tokio::test]
async fn json_numbers_keep_every_digit() {
    let db = testkit::database().await;
    let meta: Json = serde_json::from_str(
        "{\"id\": 123456789012345678901234567890, \"x\": 0.1234567890123456789}",
    )
    .unwrap();
    let log = Log::records()
        .create(&db.pool, log("m").meta(meta.clone()))
        .await
        .unwrap();
    assert_eq!(log.meta.unwrap().to_string(), meta.to_string());
}

#[tokio::test]
async fn create_with_invalid_fields_names_each() {
    let db = testkit::database().await;
    let bad = NewLog::new("a\0b", Level::Info, "\t").meta(json!({"k": "v\0"}));
    let error = Log::records().create(&db.pool, bad).await.unwrap_err();
    assert!(error.is_invalid());
    insta::assert_snapshot!(error, @"source: contains a NUL character (at byte 1), which PostgreSQL text cannot store; message: must not be blank; meta.k: contains a NUL character, which PostgreSQL jsonb cannot store");
    let window = NewMetric::new(
        time("2026-01-01T00:00:30Z"),
        time("2026-01-01T00:01:30Z"),
        "GET /",
        1,
        1,
        1,
        ErrorRate::default(),
        1,
    );
    let error = Metric::records()
        .create(&db.pool, window)
        .await
        .unwrap_err();
    assert!(error.is_invalid());
    insta::assert_snapshot!(error, @"window_end: is not 60 seconds after a window_start on the full minute");
    assert_eq!(Log::records().count(&db.pool).await.unwrap().value(), 0);
    assert_eq!(Metric::records().count(&db.pool).await.unwrap().value(), 0);
}

#[tokio::test]
async fn create_user_with_taken_email_is_a_conflict() {
    let db = testkit::database().await;
    let create = |email: &str| {
        let new = NewUser::new(email, "hash");
        let pool = db.pool.clone();
        async move { User::records().create(&pool, new).await }
    };
    let ada = create("ada@example.com").await.unwrap();
    let error = create("ADA@Example.com").await.unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(error.to_string(), "email: is the e-mail of another user");
    assert_eq!(error.fields()[0].field, "email");

    // Of letters that a database of the locale C does not know, too.
    create("Åsa@Example.se").await.unwrap();
    for same in ["ÅSA@example.se", "a\u{30a}sa@example.se"] {
        let error = create(same).await.unwrap_err();
        assert_eq!(error.to_string(), "email: is the e-mail of another user");
    }
    // In a database of Turkish, `lower` alone takes the two for different.
    let index: String = sqlx::query_scalar("SELECT pg_get_indexdef('users_email_key'::regclass)")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert!(index.contains("COLLATE \"C\""), "{index}");

    // The e-mail of a deleted user is free; once it is taken, that user cannot be restored.
    User::records().delete(&db.pool, ada.id).await.unwrap();
    create("ada@example.com").await.unwrap();
    let error = User::records().restore(&db.pool, ada.id).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
}

#[tokio::test]
async fn patch_distinguishes_absent_from_null() {
    let db = testkit::database().await;
    let new = NewRequestSnapshot::new("GET", "/a", time("2026-01-01T00:00:00Z"), "1", "test")
        .user_id("u1")
        .duration(5);
    let before = RequestSnapshot::records()
        .create(&db.pool, new)
        .await
        .unwrap();

    let patch = RequestSnapshotPatch::new().user_id(None).duration(7);
    let after = RequestSnapshot::records()
        .update(&db.pool, before.id, patch)
        .await
        .unwrap();
    assert_eq!(after.user_id, None);
    assert_eq!(after.duration, Some(7));
    assert_eq!(after.path, "/a");
    assert!(after.updated_at > before.updated_at);
    assert_eq!(after.created_at, before.created_at);

    let patch: RequestSnapshotPatch =
        serde_json::from_value(serde_json::json!({"duration": null})).unwrap();
    assert_eq!(patch.duration, Patch::Set(None));
    assert_eq!(patch.user_id, Patch::Keep);

    let nothing = RequestSnapshotPatch::new();
    let same = RequestSnapshot::records()
        .update(&db.pool, after.id, nothing)
        .await
        .unwrap();
    assert_eq!(same, after);

    let error = Log::records()
        .update(&db.pool, 99, LogPatch::new().message("m"))
        .await
        .unwrap_err();
    assert!(error.is_not_found());
    let error =
        serde_json::from_value::<LogPatch>(serde_json::json!({"message": null, "colour": 1}))
            .unwrap_err();
    insta::assert_snapshot!(error, @"message: must not be null; colour: is not a field of logs, which has source, level, message, meta, trace_id, created_at");
}

#[tokio::test]
async fn embedding_is_updated_with_search_fields() {
    let db = testkit::database().await;
    let embedding = |id: i64| {
        let pool = db.pool.clone();
        async move {
            let query = Log::records().with_hidden(Log::embedding());
            let log = query.get(&pool, id).await.unwrap();
            log.embedding.into_inner().expect("a requested column")
        }
    };
    let id = Log::records()
        .create(&db.pool, log("disk is full"))
        .await
        .unwrap()
        .id;
    assert_eq!(embedding(id).await, Embedding::of("disk is full API info"));

    let records = Log::records();
    let update = |patch: LogPatch| records.update(&db.pool, id, patch);
    update(LogPatch::new().meta(Some(json!({"k": 1}))))
        .await
        .unwrap();
    assert_eq!(embedding(id).await, Embedding::of("disk is full API info"));
    update(LogPatch::new().level(Level::Error)).await.unwrap();
    assert_eq!(embedding(id).await, Embedding::of("disk is full API error"));
    update(LogPatch::new().message("disk is empty"))
        .await
        .unwrap();
    assert_eq!(
        embedding(id).await,
        Embedding::of("disk is empty API error")
    );

    // The embedding covers JSON, too, in the same way whether given or read back.
    let body = json!({"order": {"id": 12.50, "note": "grüße\n"}, "list": [null, true]});
    let new = NewRequestSnapshot::new("POST", "/orders", time("2026-01-01T00:00:00Z"), "1", "test")
        .body(body.clone());
    let made = RequestSnapshot::records()
        .create(&db.pool, new.clone())
        .await
        .unwrap();
    let patch = RequestSnapshotPatch::new().path("/other");
    RequestSnapshot::records()
        .update(&db.pool, made.id, patch)
        .await
        .unwrap();
    let mut other = new;
    other.path = "/other".to_owned();
    let fresh = RequestSnapshot::records()
        .create(&db.pool, other)
        .await
        .unwrap();
    let query = RequestSnapshot::records().with_hidden(RequestSnapshot::embedding());
    assert_eq!(
        query.get(&db.pool, made.id).await.unwrap().embedding.get(),
        query.get(&db.pool, fresh.id).await.unwrap().embedding.get(),
    );
}

#[tokio::test]
async fn concurrent_updates_give_embedding_of_both() {
    let db = testkit::database().await;
    let records = Log::records();
    for _ in 0..20 {
        let id = Log::records()
            .create(&db.pool, log("before"))
            .await
            .unwrap()
            .id;
        let (a, b) = tokio::join!(
            records.update(&db.pool, id, LogPatch::new().message("after")),
            records.update(&db.pool, id, LogPatch::new().source("DB")),
        );
        a.unwrap();
        b.unwrap();
        let query = Log::records().with_hidden(Log::embedding());
        let log = query.get(&db.pool, id).await.unwrap();
        assert_eq!((log.message.as_str(), log.source.as_str()), ("after", "DB"));
        assert_eq!(
            log.embedding.into_inner(),
            Some(Embedding::of("after DB info"))
        );
    }
}

#[tokio::test]
async fn writes_in_transaction_roll_back_with_it() {
    let db = testkit::database().await;
    let kept = Log::records().create(&db.pool, log("kept")).await.unwrap();

    let mut transaction = db.pool.begin().await.unwrap();
    let records = Log::records();
    let inner = records
        .create(&mut transaction, log("inner"))
        .await
        .unwrap();
    records
        .create_many(&mut transaction, &[log("a"), log("b")])
        .await
        .unwrap();
    records
        .update(
            &mut transaction,
            kept.id,
            LogPatch::new().message("changed"),
        )
        .await
        .unwrap();
    records.delete(&mut transaction, inner.id).await.unwrap();
    records.restore(&mut transaction, inner.id).await.unwrap();
    assert_eq!(records.count(&mut transaction).await.unwrap().value(), 4);
    // An error of Lookback's own checks leaves the transaction usable.
    assert!(records.create(&mut transaction, log(" ")).await.is_err());
    assert!(
        records
            .create_many(&mut transaction, &[log("c"), log(" ")])
            .await
            .is_err()
    );
    assert!(records.get(&mut transaction, 12345).await.is_err());
    assert_eq!(records.count(&mut transaction).await.unwrap().value(), 4);
    assert_eq!(records.count(&db.pool).await.unwrap().value(), 1);
    transaction.rollback().await.unwrap();

    assert_eq!(records.count(&db.pool).await.unwrap().value(), 1);
    assert_eq!(
        records.get(&db.pool, kept.id).await.unwrap().message,
        "kept"
    );

    let mut connection = db.pool.acquire().await.unwrap();
    records
        .create(&mut connection, log("by a connection"))
        .await
        .unwrap();
    assert_eq!(records.count(&mut *connection).await.unwrap().value(), 2);
}

/// The future of a query is `Send`, as a server requires.
#[tokio::test]
async fn queries_run_in_spawned_tasks() {
    let db = testkit::database().await;
    let pool = db.pool.clone();
    let task = tokio::spawn(async move {
        let mut transaction = pool.begin().await.unwrap();
        Log::records()
            .create_many(&mut transaction, &[log("a")])
            .await
            .unwrap();
        Log::records()
            .update(&mut transaction, 1, LogPatch::new().source("s"))
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        Log::records()
            .search("a")
            .list(&pool)
            .await
            .unwrap()
            .data
            .len()
    });
    let found = tokio::time::timeout(Duration::from_secs(60), task)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, 1);
}

#[tokio::test]
async fn hidden_columns_are_not_in_json_debug_or_errors() {
    let db = testkit::database().await;
    let secret = "$argon2id$v=19$secret";
    let new = NewUser::new("ada@example.com", secret);
    let patch = UserPatch::new().password_hash(secret);
    assert!(!format!("{new:?} {patch:?}").contains("argon2id"));

    let user = User::records().create(&db.pool, new).await.unwrap();
    assert_eq!(user.password_hash.get(), None);
    let asked = User::records()
        .with_hidden(User::password_hash())
        .with_hidden(User::deleted_at())
        .get(&db.pool, user.id)
        .await
        .unwrap();
    assert_eq!(asked.password_hash.get().map(String::as_str), Some(secret));
    assert_eq!(asked.deleted_at.get(), Some(&None));
    assert!(!format!("{asked:?}").contains("argon2id"));
    let json = serde_json::to_value(&asked).unwrap();
    let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["created_at", "email", "id", "role", "updated_at"]);

    let error = serde_json::from_value::<NewUser>(
        serde_json::json!({"email": "a@b", "password_hash": [secret]}),
    )
    .unwrap_err();
    assert!(!error.to_string().contains("argon2id"), "{error}");
    let long = NewUser::new("a@b", secret.repeat(100));
    let error = User::records().create(&db.pool, long).await.unwrap_err();
    assert!(!error.to_string().contains("argon2id"), "{error}");
}

#[tokio::test]
async fn list_without_tables_suggests_migrations() {
    let db = testkit::empty_database().await;
    let error = Log::records().list(&db.pool).await.unwrap_err();
    assert!(error.is_setup());
    assert_eq!(error.remedy(), Some(Remedy::RunMigrations));
}

/// The deepest JSON that is accepted can be read back.
#[tokio::test]
async fn json_at_its_limits_can_be_read_back() {
    let db = testkit::database().await;
    let deep: Json =
        serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    let wide: Json = serde_json::from_str("[1e131071, 1e-16383, -1.5e-7, 12E3]").unwrap();
    for meta in [deep, wide] {
        let stored = Log::records()
            .create(&db.pool, log("m").meta(meta))
            .await
            .unwrap();
        let read = Log::records().get(&db.pool, stored.id).await.unwrap();
        assert_eq!(read.meta, stored.meta);
    }
}

/// Two e-mails in other cases are one, for letters that the database does not know, too.
#[tokio::test]
async fn emails_are_unique_whatever_the_case_of_their_letters() {
    let db = testkit::database().await;
    let asa = User::records()
        .create(&db.pool, NewUser::new("ÅSA@Exämple.se", "hash"))
        .await
        .unwrap();
    assert_eq!(asa.email, "åsa@exämple.se");
    for same in ["åsa@exämple.se", "A\u{30a}SA@EXÄMPLE.SE"] {
        let again = User::records()
            .create(&db.pool, NewUser::new(same, "hash"))
            .await
            .unwrap_err();
        assert!(again.is_conflict(), "{same}: {again}");
        let ada = User::records()
            .create(
                &db.pool,
                NewUser::new(format!("{}@x.org", same.len()), "hash"),
            )
            .await
            .unwrap();
        let patch = UserPatch::new().email(same);
        let taken = User::records().update(&db.pool, ada.id, patch).await;
        assert!(taken.unwrap_err().is_conflict(), "{same}");
    }
    // ASCII stays as it was given.
    let ada = User::records()
        .create(&db.pool, NewUser::new("Ada@X.org", "hash"))
        .await
        .unwrap();
    assert_eq!(ada.email, "Ada@X.org");
}
