//! Moving tables into shards and back, on a cluster of Citus: `make test-citus`.

use lookback::maintenance::{distribute, shards, undistribute};
use lookback::{Level, Log, Model as _, NewLog, RequestSnapshot};
use sqlx::{Executor as _, PgPool};

/// What a copy of the table has to have, too.
async fn kept(pool: &PgPool) -> Vec<String> {
    let sql = "SELECT 'index ' || tablename || '.' || indexname FROM pg_indexes \
           WHERE tablename LIKE 'logs%' \
         UNION ALL SELECT 'constraint ' || conrelid::regclass || '.' || conname || ' ' || pg_get_constraintdef(oid) \
           FROM pg_constraint WHERE conrelid::regclass::text LIKE 'logs%' \
         UNION ALL SELECT 'partition ' || c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) \
           FROM pg_class AS c WHERE c.relispartition AND c.relkind = 'r' AND c.relname LIKE 'logs%' \
         UNION ALL SELECT 'sequence ' || pg_get_serial_sequence('logs', 'id') \
         UNION ALL SELECT 'comment ' || coalesce(obj_description('logs'::regclass), '') \
         UNION ALL SELECT 'of ' || c.relname || ' ' || c.relowner::regrole || coalesce(c.relacl::text, '') \
             || coalesce(c.reloptions::text, '') \
           FROM pg_class AS c WHERE c.relname LIKE 'logs%' AND c.relkind IN ('r', 'p') \
         ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn tables_move_to_shards_and_back_with_all_they_have() {
    if !testkit::is_cluster() {
        eprintln!("no cluster: make test-citus");
        return;
    }
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let line = |n: u32| NewLog::new("API", Level::Info, format!("order {n} is shipped"));
    let lines: Vec<NewLog> = (0..300).map(line).collect();
    Log::records()
        .create_many(&mut *conn, &lines)
        .await
        .unwrap();
    Log::records().delete(&mut *conn, 7).await.unwrap();
    conn.execute("COMMENT ON TABLE logs IS 'what happened'")
        .await
        .unwrap();
    conn.execute("ALTER TABLE logs_default SET (autovacuum_vacuum_scale_factor = 0.3)")
        .await
        .unwrap();
    conn.execute("GRANT SELECT ON logs TO pg_monitor")
        .await
        .unwrap();
    let before = kept(&db.pool).await;
    let all = async |pool: &PgPool| -> Vec<(i64, String)> {
        let all = Log::records().with_deleted().order_by(Log::id().asc());
        let all = all.limit(1_000).without_total().list(pool).await.unwrap();
        all.data
            .into_iter()
            .map(|log| (log.id, log.message))
            .collect()
    };
    let rows = all(&db.pool).await;
    let found = shards(&mut conn, Log::TABLE).await.unwrap().unwrap();
    assert_eq!(found.count(), 4);
    assert!(found.servers.len() > 1 && found.skew() >= 1.0);

    for table in [Log::TABLE, RequestSnapshot::TABLE] {
        assert!(undistribute(&mut conn, table).await.unwrap());
        assert!(!undistribute(&mut conn, table).await.unwrap());
        assert_eq!(shards(&mut conn, table).await.unwrap(), None);
    }
    assert_eq!(kept(&db.pool).await, before);
    assert_eq!(all(&db.pool).await, rows);
    let next = Log::records().create(&mut *conn, line(300)).await.unwrap();
    assert_eq!(next.id, 301);

    for table in [Log::TABLE, RequestSnapshot::TABLE] {
        assert!(distribute(&mut conn, table, 3).await.unwrap());
        assert!(!distribute(&mut conn, table, 3).await.unwrap());
        assert_eq!(shards(&mut conn, table).await.unwrap().unwrap().count(), 3);
    }
    assert_eq!(all(&db.pool).await.len(), 301);
    let next = Log::records().create(&mut *conn, line(301)).await.unwrap();
    assert_eq!(next.id, 302);
    let hits = Log::records()
        .search("order 300")
        .hits(&mut *conn)
        .await
        .unwrap();
    assert_eq!(hits.data[0].record.id, 301);

    conn.execute("CREATE VIEW recent AS SELECT id FROM logs")
        .await
        .unwrap();
    let error = undistribute(&mut conn, Log::TABLE).await.unwrap_err();
    assert!(
        error.is_invalid() && error.to_string().contains("the view recent"),
        "{error}"
    );
}
