//! Similar records.

use lookback::query::Total;
use lookback::{Level, Log, NewLog, NewRequestSnapshot, NewUser, RequestSnapshot, User};

#[tokio::test]
async fn similar_to_returns_nearest_without_record_itself() {
    let db = testkit::database().await;
    let messages = [
        "connection to the database refused",
        "user 17 logged in",
        "connection to the database was refused",
        "connection to the database refused",
        "deleted connection to the database refused",
    ];
    let logs = messages.map(|message| NewLog::new("API", Level::Info, message));
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    Log::records().delete(&db.pool, 5).await.unwrap();

    let hits = Log::records().similar_to(1).hits(&db.pool).await.unwrap();
    let ids: Vec<i64> = hits.data.iter().map(|hit| hit.record.id).collect();
    assert_eq!((ids, hits.total), (vec![4, 3, 2], Total::Exact(3)));
    assert!((hits.data[0].score - 1.0).abs() < 1e-6);
    assert_eq!(hits.data[0].why.similarity, Some(hits.data[0].score));

    let page = Log::records()
        .similar_to(1)
        .limit(1)
        .offset(1)
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!((page.data[0].id, page.total), (3, Total::Exact(3)));
    let filtered = Log::records()
        .filter(Log::id().lt(4))
        .similar_to(4)
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(
        filtered.data.iter().map(|log| log.id).collect::<Vec<_>>(),
        [1, 3, 2]
    );
    let past = Log::records()
        .similar_to(1)
        .offset(9)
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!((past.data.len(), past.total), (0, Total::Exact(3)));
}

#[tokio::test]
async fn similar_to_without_usable_embedding_is_error() {
    let db = testkit::database().await;
    Log::records()
        .create(&db.pool, NewLog::new("API", Level::Info, "started"))
        .await
        .unwrap();
    sqlx::query("UPDATE logs SET embedding = NULL")
        .execute(&db.pool)
        .await
        .unwrap();
    let error = Log::records()
        .similar_to(1)
        .list(&db.pool)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "similar_to: record 1 has no embedding, since its search fields hold no word; choose another record"
    );
    assert!(
        Log::records()
            .similar_to(7)
            .list(&db.pool)
            .await
            .unwrap_err()
            .is_not_found()
    );
    let both = Log::records()
        .similar_to(1)
        .search("started")
        .list(&db.pool)
        .await
        .unwrap_err();
    assert_eq!(
        both.to_string(),
        "similar_to: cannot be combined with a search; leave one of them out"
    );
    let ordered = Log::records()
        .similar_to(1)
        .order_by(Log::id().asc())
        .list(&db.pool)
        .await
        .unwrap_err();
    assert!(ordered.is_invalid());
    Log::records().delete(&db.pool, 1).await.unwrap();
    assert!(
        Log::records()
            .similar_to(1)
            .list(&db.pool)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test]
async fn similar_to_works_for_every_model() {
    let db = testkit::database().await;
    let at = crate::time("2026-01-01T00:00:00Z");
    let request = |method: &str, path: &str| NewRequestSnapshot::new(method, path, at, "1", "test");
    let requests = [
        request("GET", "/orders/7"),
        request("POST", "/login"),
        request("GET", "/orders/9"),
    ];
    RequestSnapshot::records()
        .create_many(&db.pool, &requests)
        .await
        .unwrap();
    let page = RequestSnapshot::records()
        .similar_to(1)
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(page.data[0].id, 3);

    for email in ["ada@shop.example", "ada.b@shop.example"] {
        User::records()
            .create(&db.pool, NewUser::new(email, "x"))
            .await
            .unwrap();
    }
    let page = User::records().similar_to(2).list(&db.pool).await.unwrap();
    assert_eq!(page.data[0].email, "ada@shop.example");
}
