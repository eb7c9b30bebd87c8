//! Queries do not see deleted records.

use lookback::{Filter, Level, Log, LogPatch, NewLog};

#[tokio::test]
async fn queries_exclude_deleted_records_by_default() {
    let db = testkit::database().await;
    let records = Log::records();
    let create =
        |message: &str| records.create(&db.pool, NewLog::new("API", Level::Error, message));
    let live = create("connection refused").await.unwrap();
    let dead = create("connection refused").await.unwrap();
    records.delete(&db.pool, dead.id).await.unwrap();

    let ids = |query: lookback::QueryBuilder<Log>| {
        let pool = db.pool.clone();
        async move {
            let page = query.list(&pool).await.unwrap();
            let ids: Vec<i64> = page.data.iter().map(|log| log.id).collect();
            assert_eq!(page.total.value(), ids.len() as u64);
            ids
        }
    };
    let either = Filter::parse("level=error").unwrap() | Log::id().eq(dead.id);
    let filters = [
        Filter::all(),
        either.clone(),
        !Log::id().eq(live.id) | Log::id().eq(live.id),
        Log::deleted_at().is_not_null() | Log::deleted_at().is_null(),
        Log::id().is_in([live.id, dead.id]),
    ];
    for filter in filters {
        assert_eq!(
            ids(records.clone().filter(filter.clone())).await,
            [live.id],
            "{filter:?}"
        );
        let found = records
            .clone()
            .filter(filter.clone())
            .search("connection refused");
        assert_eq!(ids(found).await, [live.id], "{filter:?}");
        let both = records.clone().filter(filter.clone()).with_deleted();
        assert_eq!(ids(both).await, [dead.id, live.id], "{filter:?}");
        let only = records
            .clone()
            .filter(filter)
            .only_deleted()
            .search("connection");
        assert_eq!(ids(only).await, [dead.id]);
    }

    assert!(
        records
            .get(&db.pool, dead.id)
            .await
            .unwrap_err()
            .is_not_found()
    );
    let patch = LogPatch::new().message("changed");
    assert!(
        records
            .update(&db.pool, dead.id, patch.clone())
            .await
            .unwrap_err()
            .is_not_found()
    );
    let patch_unsearched = LogPatch::new().trace_id(Some("t".to_owned()));
    assert!(
        records
            .update(&db.pool, dead.id, patch_unsearched)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        records
            .delete(&db.pool, dead.id)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        records
            .hard_delete(&db.pool, dead.id)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        records
            .restore(&db.pool, live.id)
            .await
            .unwrap_err()
            .is_not_found()
    );

    // With `with_deleted` the record is found.
    let deleted = records
        .clone()
        .with_deleted()
        .with_hidden(Log::deleted_at())
        .get(&db.pool, dead.id)
        .await
        .unwrap();
    assert_eq!(deleted.message, "connection refused");
    assert!(deleted.deleted_at.get().unwrap().is_some());
    assert!(deleted.updated_at > dead.updated_at);

    // Deleting it again does not move the time of its deletion.
    let again = records
        .clone()
        .with_deleted()
        .delete(&db.pool, dead.id)
        .await;
    assert!(again.unwrap_err().is_not_found());

    let restored = records.restore(&db.pool, dead.id).await.unwrap();
    assert!(restored.updated_at > deleted.updated_at);
    assert_eq!(ids(records.clone()).await, [dead.id, live.id]);
    assert!(
        records
            .restore(&db.pool, dead.id)
            .await
            .unwrap_err()
            .is_not_found()
    );

    records.hard_delete(&db.pool, dead.id).await.unwrap();
    records.delete(&db.pool, live.id).await.unwrap();
    records
        .clone()
        .with_deleted()
        .hard_delete(&db.pool, live.id)
        .await
        .unwrap();
    assert!(ids(records.clone().with_deleted()).await.is_empty());
}
