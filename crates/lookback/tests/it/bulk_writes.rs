//! Writes of many records by filter, upserts, and conflicting writes.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use lookback::embedding::Embedding;
use lookback::json;
use lookback::query::UniqueKey;
use lookback::value::ErrorRate;
use lookback::{
    Filter, Level, Log, LogPatch, Metric, NewLog, NewMetric, NewRequestSnapshot, NewUser,
    RequestSnapshot, RequestSnapshotPatch, User, UserPatch, UserRole,
};
use sqlx::PgPool;

use crate::time;

async fn create(pool: &PgPool, source: &str, message: &str) -> Log {
    let new = NewLog::new(source, Level::Info, message);
    Log::records().create(pool, new).await.unwrap()
}

async fn embedding(pool: &PgPool, id: i64) -> Option<Embedding> {
    let query = Log::records().with_deleted().with_hidden(Log::embedding());
    query
        .get(pool, id)
        .await
        .unwrap()
        .embedding
        .into_inner()
        .flatten()
}

fn window(endpoint: &str, p50: i32) -> NewMetric {
    NewMetric::new(
        time("2026-01-01T00:00:00Z"),
        time("2026-01-01T00:01:00Z"),
        endpoint,
        p50,
        80,
        200,
        ErrorRate::of(1, 400),
        400,
    )
}

#[tokio::test]
async fn update_all_changes_only_records_of_filter() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let new: Vec<NewLog> = (0..1_203)
        .map(|n| {
            NewLog::new(
                if n % 3 == 0 { "DB" } else { "API" },
                Level::Info,
                format!("line {n}"),
            )
        })
        .collect();
    Log::records().create_many(pool, &new).await.unwrap();
    let dead = create(pool, "DB", "deleted before").await;
    Log::records().delete(pool, dead.id).await.unwrap();
    let db_logs = Log::records().filter(Log::source().eq("DB"));
    let before = db_logs.clone().limit(1_000).list(pool).await.unwrap().data;

    // `meta` is not a search field: the embeddings stay.
    let vector = embedding(pool, before[0].id).await;
    let marked = db_logs
        .update_all(pool, LogPatch::new().meta(json!({"seen": true})))
        .await
        .unwrap();
    assert_eq!(marked, 401);
    assert_eq!(embedding(pool, before[0].id).await, vector);
    // `source` is one of three search fields: each record gets its own embedding, in more
    // than one batch.
    let changed = db_logs
        .update_all(pool, LogPatch::new().source("STORE"))
        .await
        .unwrap();
    assert_eq!(changed, 401);
    assert_eq!(db_logs.count(pool).await.unwrap().value(), 0);
    let after = Log::records()
        .filter(Log::source().eq("STORE"))
        .with_hidden(Log::embedding())
        .limit(1_000)
        .list(pool)
        .await
        .unwrap()
        .data;
    assert_eq!(after.len(), 401);
    for (log, before) in after.iter().zip(&before) {
        assert_eq!(log.message, before.message);
        assert_eq!(log.meta, Some(json!({"seen": true})));
        assert!(log.updated_at > before.updated_at);
        let text = format!("{} STORE info", log.message);
        assert_eq!(
            *log.embedding.get().unwrap(),
            Embedding::of(&text),
            "{text}"
        );
    }
    // All three search fields: one embedding for all records.
    let patch = LogPatch::new()
        .source("S")
        .level(Level::Warn)
        .message("the same");
    let few = Log::records().filter(Log::id().lte(6));
    assert_eq!(few.update_all(pool, patch).await.unwrap(), 6);
    assert_eq!(embedding(pool, 6).await, Embedding::of("the same S warn"));

    let kept = Log::records()
        .with_deleted()
        .get(pool, dead.id)
        .await
        .unwrap();
    assert_eq!(
        (kept.source.as_str(), kept.updated_at > dead.updated_at),
        ("DB", true)
    );
    assert_eq!(kept.meta, None);
    let nothing = few.update_all(pool, LogPatch::new()).await.unwrap();
    assert_eq!(nothing, 0);
}

#[tokio::test]
async fn update_all_is_all_or_nothing_and_requires_filter() {
    let db = testkit::database().await;
    let pool = &db.pool;
    for endpoint in ["GET /a", "GET /b"] {
        Metric::records()
            .create(pool, window(endpoint, 1))
            .await
            .unwrap();
    }
    // The second record conflicts with the first; `endpoint` is a search field.
    let all = Metric::records().filter(Filter::all());
    let patch = lookback::MetricPatch::new().endpoint("GET /c");
    let clash = all.update_all(pool, patch).await.unwrap_err();
    assert!(clash.is_conflict());
    assert_eq!(clash.fields()[0].field, "endpoint");
    assert_eq!(
        Metric::records()
            .filter(Metric::endpoint().eq("GET /c"))
            .count(pool)
            .await
            .unwrap()
            .value(),
        0
    );

    // Without a filter, every bulk write is refused.
    let missing = [
        Log::records()
            .update_all(pool, LogPatch::new().source("x"))
            .await
            .unwrap_err(),
        Log::records().delete_all(pool).await.unwrap_err(),
        Log::records().restore_all(pool).await.unwrap_err(),
        Log::records().hard_delete_all(pool).await.unwrap_err(),
        Log::records()
            .filter(Filter::all())
            .limit(3)
            .delete_all(pool)
            .await
            .unwrap_err(),
        Log::records()
            .filter(Filter::all())
            .search("x")
            .delete_all(pool)
            .await
            .unwrap_err(),
        Log::records()
            .filter(Filter::all())
            .if_updated_at(time("2026-01-01T00:00:00Z"))
            .delete_all(pool)
            .await
            .unwrap_err(),
        Log::records()
            .filter(Filter::all())
            .create(pool, NewLog::new("a", Level::Info, "b"))
            .await
            .unwrap_err(),
        Log::records()
            .offset(1)
            .create_many(pool, &[])
            .await
            .unwrap_err(),
        Log::records().limit(1).get(pool, 1).await.unwrap_err(),
        Log::records()
            .if_updated_at(time("2026-01-01T00:00:00Z"))
            .list(pool)
            .await
            .unwrap_err(),
    ];
    assert!(missing.iter().all(lookback::Error::is_invalid));
    insta::assert_snapshot!(missing.map(|error| error.to_string()).join("\n"), @r"
    filter: is required; use Filter::all() for every one of the records to change
    filter: is required; use Filter::all() for every one of the records to delete
    filter: is required; use Filter::all() for every one of the records to restore
    filter: is required; use Filter::all() for every one of the records to delete
    limit: cannot be combined with records to delete
    search: cannot be combined with records to delete
    if_updated_at: cannot be combined with records to delete: it applies to a write of one record by its id
    filter: cannot be combined with a record to create
    offset: cannot be combined with records to create
    limit: cannot be combined with a record read by its id
    if_updated_at: cannot be combined with records to list: it applies to a write of one record by its id
    ");
}

#[tokio::test]
async fn delete_all_restore_all_and_purge_apply_the_filter() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let new: Vec<NewLog> = (0..30)
        .map(|n| NewLog::new(format!("s{}", n % 3), Level::Info, "m"))
        .collect();
    Log::records().create_many(pool, &new).await.unwrap();
    let first = Log::records().filter(Log::source().eq("s0"));
    let all = Log::records().filter(Filter::all());

    assert_eq!(first.delete_all(pool).await.unwrap(), 10);
    assert_eq!(first.delete_all(pool).await.unwrap(), 0);
    let times = async || {
        let deleted = Log::records().only_deleted().select(Log::deleted_at());
        deleted.list(pool).await.unwrap().data
    };
    let at = times().await;
    // Deleting deleted records again keeps their first `deleted_at`.
    assert_eq!(
        all.clone().with_deleted().delete_all(pool).await.unwrap(),
        20
    );
    assert_eq!(
        times()
            .await
            .iter()
            .filter(|time| at.contains(time))
            .count(),
        10
    );
    assert_eq!(first.restore_all(pool).await.unwrap(), 10);
    assert_eq!(all.count(pool).await.unwrap().value(), 10);

    // `purge` removes records deleted before the cutoff, and no live ones.
    let month_ago = chrono::Utc::now() - TimeDelta::days(30);
    sqlx::query("UPDATE logs SET deleted_at = $1 WHERE id <= 9 AND source <> 's0'")
        .bind(month_ago - TimeDelta::days(10))
        .execute(pool)
        .await
        .unwrap();
    let s1_logs = Log::records().filter(Log::source().eq("s1"));
    assert_eq!(
        s1_logs
            .clone()
            .limit(1)
            .purge(pool, month_ago)
            .await
            .unwrap(),
        1
    );
    assert_eq!(s1_logs.purge(pool, month_ago).await.unwrap(), 2);
    assert_eq!(Log::records().purge(pool, month_ago).await.unwrap(), 3);
    assert_eq!(Log::records().purge(pool, month_ago).await.unwrap(), 0);
    assert_eq!(
        Log::records()
            .with_deleted()
            .count(pool)
            .await
            .unwrap()
            .value(),
        24
    );
    assert_eq!(Log::records().count(pool).await.unwrap().value(), 10);
    let mut transaction = pool.begin().await.unwrap();
    assert_eq!(
        Log::records()
            .purge(&mut transaction, chrono::Utc::now() + TimeDelta::days(1))
            .await
            .unwrap(),
        14
    );
    transaction.rollback().await.unwrap();
    assert_eq!(
        Log::records()
            .with_deleted()
            .count(pool)
            .await
            .unwrap()
            .value(),
        24
    );

    assert_eq!(first.hard_delete_all(pool).await.unwrap(), 10);
    assert_eq!(all.hard_delete_all(pool).await.unwrap(), 0);
    assert_eq!(all.only_deleted().hard_delete_all(pool).await.unwrap(), 14);
}

#[tokio::test]
async fn upsert_inserts_or_updates_by_key() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let key = Metric::metrics_endpoint_window_start_key();
    let records = Metric::records();
    let new = window("GET /", 12)
        .request_size(7)
        .created_at(time("2026-01-01T00:01:05Z"));
    let first = records.upsert(pool, new, key).await.unwrap();
    assert!(first.created);
    let second = records
        .upsert(pool, window("GET /", 15), key)
        .await
        .unwrap();
    assert!(!second.created);
    assert_eq!(second.record.id, first.record.id);
    assert_eq!(second.record.p50_latency, 15);
    assert_eq!(
        second.record.request_size, None,
        "an omitted field becomes NULL"
    );
    assert_eq!(second.record.created_at, first.record.created_at);
    assert!(second.record.updated_at > first.record.updated_at);
    assert!(
        records
            .upsert(pool, window("POST /", 1), key)
            .await
            .unwrap()
            .created
    );

    // A deleted record does not hold its unique key.
    records.delete(pool, first.record.id).await.unwrap();
    let third = records
        .upsert(pool, window("GET /", 16), key)
        .await
        .unwrap();
    assert!(third.created && third.record.id != first.record.id);

    // A key on an expression; the embedding is updated.
    let by_email = User::users_email_key();
    let ada = User::records()
        .upsert(pool, NewUser::new("Ada@x.org", "one"), by_email)
        .await
        .unwrap();
    let admin = NewUser::new("ada@x.org", "two").role(UserRole::Admin);
    let users = User::records()
        .with_hidden(User::embedding())
        .with_hidden(User::password_hash());
    let again = users.upsert(pool, admin, by_email).await.unwrap();
    assert_eq!((again.record.id, again.created), (ada.record.id, false));
    assert_eq!(again.record.email, "ada@x.org");
    assert_eq!(again.record.password_hash.get().unwrap(), "two");
    assert_eq!(
        *again.record.embedding.get().unwrap(),
        Embedding::of("ada@x.org admin")
    );

    // Exactly one of twenty concurrent upserts inserts.
    let tasks = (0..20).map(|n| {
        let pool = pool.clone();
        tokio::spawn(async move {
            Metric::records()
                .upsert(&pool, window("PUT /", n), key)
                .await
                .unwrap()
                .created
        })
    });
    let created = futures_util::future::join_all(tasks).await;
    assert_eq!(
        created
            .into_iter()
            .filter(|created| *created.as_ref().unwrap())
            .count(),
        1
    );

    let invalid = records
        .upsert(pool, window(" ", -1), key)
        .await
        .unwrap_err();
    assert_eq!(invalid.fields().len(), 2);
    insta::assert_snapshot!(
        [
            UniqueKey::<Metric>::named("metrics_endpoint_key").unwrap_err(),
            UniqueKey::<Metric>::named("x").unwrap_err(),
            UniqueKey::<Log>::named("logs_pkey").unwrap_err(),
        ]
        .map(|error| error.to_string())
        .join("\n"),
        @r"
    metrics_endpoint_key: is not a unique key of metrics, which has metrics_endpoint_window_start_key
    x: is not a unique key of metrics, which has metrics_endpoint_window_start_key
    logs_pkey: is not a unique key: logs has none
    "
    );
    assert_eq!(
        format!(
            "{:?}",
            UniqueKey::<Metric>::named("metrics_endpoint_window_start_key").unwrap()
        ),
        "metrics_endpoint_window_start_key"
    );
}

#[tokio::test]
async fn write_with_outdated_if_updated_at_is_a_conflict() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let log = create(pool, "API", "first").await;
    let records = Log::records();
    let mine = records.clone().if_updated_at(log.updated_at);
    let theirs = records
        .update(pool, log.id, LogPatch::new().message("theirs"))
        .await
        .unwrap();
    for clash in [
        mine.update(pool, log.id, LogPatch::new().message("mine"))
            .await
            .unwrap_err(),
        mine.update(pool, log.id, LogPatch::new().trace_id("t".to_owned()))
            .await
            .unwrap_err(),
        mine.update(pool, log.id, LogPatch::new())
            .await
            .unwrap_err(),
        mine.delete(pool, log.id).await.unwrap_err(),
        mine.hard_delete(pool, log.id).await.unwrap_err(),
    ] {
        assert!(clash.is_conflict(), "{clash:?}");
        assert_eq!(clash.fields()[0].field, "updated_at");
        assert!(clash.to_string().contains("read it again"), "{clash}");
    }
    assert_eq!(records.get(pool, log.id).await.unwrap(), theirs);
    let gone = mine
        .update(pool, 99, LogPatch::new().message("x"))
        .await
        .unwrap_err();
    assert!(gone.is_not_found());

    let mine = records.clone().if_updated_at(theirs.updated_at);
    let changed = mine
        .update(pool, log.id, LogPatch::new().message("mine"))
        .await
        .unwrap();
    assert_eq!(changed.message, "mine");
    let mine = records.clone().if_updated_at(changed.updated_at);
    mine.delete(pool, log.id).await.unwrap();
    let deleted = records
        .clone()
        .only_deleted()
        .get(pool, log.id)
        .await
        .unwrap();
    assert!(mine.restore(pool, log.id).await.unwrap_err().is_conflict());
    let mine = records.clone().if_updated_at(deleted.updated_at);
    let back = mine.restore(pool, log.id).await.unwrap();
    records
        .if_updated_at(back.updated_at)
        .hard_delete(pool, log.id)
        .await
        .unwrap();

    // Exactly one of several concurrent writes of the same version succeeds.
    let log = create(pool, "API", "raced").await;
    let mine = Log::records().if_updated_at(log.updated_at);
    let write = |n: usize| {
        let (pool, mine) = (pool.clone(), mine.clone());
        tokio::spawn(async move {
            let patch = LogPatch::new().message(format!("by {n}"));
            mine.update(&pool, log.id, patch).await
        })
    };
    let outcomes = futures_util::future::join_all((0..10).map(write)).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes
        .into_iter()
        .map(Result::unwrap)
        .partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.into_iter()
            .all(|error| error.unwrap_err().is_conflict())
    );
}

#[tokio::test]
async fn bulk_writes_in_transaction_roll_back_with_it() {
    let db = testkit::database().await;
    let pool = &db.pool;
    for n in 0..5 {
        create(pool, "API", &format!("line {n}")).await;
    }
    let all = Log::records().filter(Filter::all());
    let mut transaction = pool.begin().await.unwrap();
    assert_eq!(
        all.update_all(&mut transaction, LogPatch::new().source("X"))
            .await
            .unwrap(),
        5
    );
    assert_eq!(all.delete_all(&mut transaction).await.unwrap(), 5);
    assert!(!all.exists(&mut transaction).await.unwrap());
    transaction.rollback().await.unwrap();
    let logs = all.list(pool).await.unwrap().data;
    assert!(logs.len() == 5 && logs.iter().all(|log| log.source == "API"));
    assert_eq!(embedding(pool, 1).await, Embedding::of("line 0 API info"));

    // An embedding recomputed from jsonb equals that of a new record.
    let body = json!({"order": {"items": ["boots", "scarf"]}, "paid": true});
    let at = time("2026-01-01T00:00:00Z");
    let new = NewRequestSnapshot::new("POST", "/orders", at, "1", "test").body(body);
    let request = RequestSnapshot::records()
        .create(pool, new.clone())
        .await
        .unwrap();
    let every = RequestSnapshot::records().filter(Filter::all());
    every
        .update_all(pool, RequestSnapshotPatch::new().path("/carts"))
        .await
        .unwrap();
    let fresh = NewRequestSnapshot {
        path: "/carts".to_owned(),
        ..new
    };
    let fresh = RequestSnapshot::records()
        .create(pool, fresh)
        .await
        .unwrap();
    let vectors =
        RequestSnapshot::records().select((RequestSnapshot::id(), RequestSnapshot::embedding()));
    let vectors = vectors.list(pool).await.unwrap().data;
    assert_eq!((vectors[0].0, vectors[1].0), (fresh.id, request.id));
    assert_eq!(vectors[0].1, vectors[1].1);
    assert!(vectors[0].1.is_some());

    let patch = UserPatch::new().email(" ");
    let users = User::records().filter(Filter::all());
    assert!(
        users
            .update_all(pool, patch)
            .await
            .unwrap_err()
            .is_invalid()
    );
}

#[tokio::test]
async fn purge_skips_record_restored_meanwhile() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let log = create(pool, "API", "deleted by mistake").await;
    create(pool, "API", "kept").await;
    let records = Log::records();
    records.delete(pool, log.id).await.unwrap();
    let mut restoring = pool.begin().await.unwrap();
    records.restore(&mut restoring, log.id).await.unwrap();
    let purging = {
        let (records, pool) = (records.clone(), pool.clone());
        let later = chrono::Utc::now() + TimeDelta::days(1);
        tokio::spawn(async move { records.purge(&pool, later).await })
    };
    // Wait until `purge` waits for the record's lock.
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        if waiting {
            break;
        }
        assert!(!purging.is_finished() && Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    restoring.commit().await.unwrap();
    assert_eq!(purging.await.unwrap().unwrap(), 0);
    assert_eq!(
        records.get(pool, log.id).await.unwrap().message,
        "deleted by mistake"
    );
}

#[tokio::test]
async fn delete_and_create_with_only_deleted_are_refused() {
    let db = testkit::database().await;
    let pool = &db.pool;
    create(pool, "API", "live").await;
    let deleted = Log::records().only_deleted();
    let all = deleted.clone().filter(Filter::all());
    let new = || NewLog::new("API", Level::Info, "m");
    for error in [
        all.delete_all(pool).await.unwrap_err(),
        deleted.delete(pool, 1).await.unwrap_err(),
        deleted.create(pool, new()).await.map(drop).unwrap_err(),
        deleted.create_many(pool, &[new()]).await.unwrap_err(),
    ] {
        assert!(
            error.is_invalid() && error.fields()[0].field == "only_deleted",
            "{error}"
        );
    }
    assert_eq!(Log::records().count(pool).await.unwrap().value(), 1);
}

#[tokio::test]
async fn unreadable_value_is_named_and_record_can_be_deleted() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let log = create(pool, "API", "from beyond").await;
    create(pool, "API", "newer").await;
    for sql in [
        "ALTER TABLE logs ALTER COLUMN created_at DROP NOT NULL".to_owned(),
        format!("UPDATE logs SET created_at = NULL WHERE id = {}", log.id),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(pool)
            .await
            .unwrap();
    }
    let records = Log::records();
    let errors = [
        records.list(pool).await.unwrap_err(),
        records.get(pool, log.id).await.unwrap_err(),
        records
            .clone()
            .select((Log::id(), Log::created_at()))
            .list(pool)
            .await
            .unwrap_err(),
        records
            .update(pool, log.id, LogPatch::new().source("DB"))
            .await
            .unwrap_err(),
        records
            .clone()
            .group_by(Log::created_at())
            .aggregate(pool, lookback::query::count())
            .await
            .unwrap_err(),
    ];
    insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"), @r#"
created_at of record 1 of logs cannot be read: the value is null
created_at of record 1 of logs cannot be read: the value is null
created_at of record 1 of logs cannot be read: the value is null
created_at of the stored record of logs cannot be read: the value is null
created_at of a group of logs cannot be read: the value is null
"#);
    // The update was stored, as its error says.
    let source = records
        .clone()
        .select(Log::source())
        .get(pool, log.id)
        .await
        .unwrap();
    assert_eq!(source, "DB");
    records.delete(pool, log.id).await.unwrap();
    assert_eq!(records.list(pool).await.unwrap().data.len(), 1);
}
