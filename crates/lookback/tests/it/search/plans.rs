//! The indexes that a search reads, with filters and with repeated lines.

use lookback::query::Total;
use lookback::{Level, Log, NewLog};
use sqlx::Executor as _;

/// Creates logs with a trigram index on the searched text, and an index on
/// embeddings.
async fn indexed(vectors: &str) -> testkit::Database {
    let db = testkit::database().await;
    let mut logs: Vec<NewLog> = testkit::sample::logs(11, 20_000)
        .into_iter()
        .map(|line| serde_json::from_value(line).unwrap())
        .collect();
    logs.push(NewLog::new(
        "VAULT",
        Level::Warn,
        "certificate of the mail relay expires tomorrow",
    ));
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    db.pool
        .execute(
            "CREATE EXTENSION IF NOT EXISTS pg_trgm;
             CREATE INDEX logs_searched ON logs USING gin (
               lower(message || E'\\n' || source || E'\\n' || level) gin_trgm_ops);",
        )
        .await
        .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "CREATE INDEX logs_near ON logs USING {vectors}; ANALYZE logs"
    )))
    .execute(&db.pool)
    .await
    .unwrap();
    db
}

/// The major version of the server.
async fn version(db: &testkit::Database) -> i32 {
    sqlx::query_scalar("SELECT current_setting('server_version_num')::int / 10000")
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

const HNSW: &str = "hnsw (embedding vector_cosine_ops) WITH (m = 8, ef_construction = 32)";
const IVFFLAT: &str = "ivfflat (embedding vector_cosine_ops) WITH (lists = 40)";

#[tokio::test]
async fn search_reads_trigram_and_vector_indexes() {
    for vectors in [HNSW, IVFFLAT] {
        let db = indexed(vectors).await;
        // Before 17 PostgreSQL reads no nearest rows in order where an id decides between
        // those that are equally near: it sorts all of them.
        let by_index = version(&db).await >= 17;
        for words in [
            "certificate expires",
            "\"mail relay\" tomorrow",
            "certficate -handshake level:warn",
        ] {
            let (hits, plan) = testkit::plans::explain(&db, async |conn| {
                Log::records().search(words).list(conn).await.unwrap()
            })
            .await;
            let reads = |part: &str| {
                let mut lines = plan.lines();
                lines.any(|line| line.contains("Index Scan of") && line.contains(part))
            };
            assert!(reads("_lower_idx"), "{words}: {plan}");
            assert_eq!(
                reads("embedding_idx"),
                by_index && !words.starts_with('"'),
                "{words}: {plan}"
            );
            assert_eq!(hits.data[0].source, "VAULT", "{words}");
        }
    }
}

/// The index returns its nearest rows, and the filter excludes them all: it is read
/// further, and finally the table is scanned.
#[tokio::test]
async fn search_with_selective_filter_falls_back_from_index() {
    let db = indexed(HNSW).await;
    // No index serves these, and statistics say little about them.
    let filters = || {
        [
            Log::message().like("%relay%"),
            Log::source().eq("VAULT") & Log::message().ne("x"),
            Log::id().eq(20_001),
        ]
    };
    let like = Log::records()
        .filter(Log::source().ne("VAULT"))
        .first(&db.pool)
        .await
        .unwrap()
        .unwrap();
    for filter in filters() {
        let similar = Log::records()
            .filter(filter.clone())
            .similar_to(like.id)
            .list(&db.pool)
            .await
            .unwrap();
        assert_eq!((similar.data.len(), similar.total), (1, Total::Exact(1)));
        let found = Log::records()
            .filter(filter)
            .search("certificates expired")
            .list(&db.pool)
            .await
            .unwrap();
        assert_eq!((found.data.len(), found.total.value()), (1, 1));
    }
}

/// No setting of a search outlives it, in the caller's transaction or outside one.
#[tokio::test]
async fn search_restores_local_settings_of_caller() {
    let db = testkit::database().await;
    Log::records()
        .create(&db.pool, NewLog::new("API", Level::Info, "started"))
        .await
        .unwrap();
    let mut conn = db.pool.acquire().await.unwrap();
    // A vector in the session loads pgvector, which defines its settings.
    conn.execute("SELECT '[1]'::vector <=> '[1]'; SET jit = on; SET hnsw.ef_search = 77; SET ivfflat.probes = 3")
        .await
        .unwrap();
    let settings = "SELECT concat_ws(' ', current_setting('jit'), current_setting('hnsw.ef_search'), \
                    current_setting('hnsw.iterative_scan'), current_setting('ivfflat.probes'), \
                    current_setting('enable_indexscan'))";
    let before: String = sqlx::query_scalar(settings)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(before, "on 77 off 3 on");
    Log::records()
        .search("started")
        .list(&mut conn)
        .await
        .unwrap();
    let after: String = sqlx::query_scalar(settings)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(before, after);

    let mut transaction = sqlx::Connection::begin(&mut *conn).await.unwrap();
    transaction
        .execute("SET LOCAL hnsw.ef_search = 55")
        .await
        .unwrap();
    Log::records()
        .create(
            &mut transaction,
            NewLog::new("API", Level::Info, "started again"),
        )
        .await
        .unwrap();
    let hits = Log::records()
        .search("started again")
        .list(&mut transaction)
        .await
        .unwrap();
    assert_eq!(hits.data.len(), 2);
    let within: String = sqlx::query_scalar(settings)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(within, "on 55 off 3 on");
    transaction.commit().await.unwrap();
    let kept = Log::records().count(&db.pool).await.unwrap();
    assert_eq!(
        kept,
        Total::Exact(2),
        "the caller's write before the search is kept"
    );
}

/// A setting of pgvector that was set in a transaction before pgvector was loaded is empty after it:
/// nothing that pgvector would take back.
#[tokio::test]
async fn search_restores_settings_that_pgvector_did_not_define_yet() {
    let db = testkit::database().await;
    let log = Log::records()
        .create(&db.pool, NewLog::new("API", Level::Info, "started"))
        .await
        .unwrap();
    for is_set_before in [false, true] {
        for is_search in [false, true] {
            let mut conn = db.pool.acquire().await.unwrap().detach();
            if is_set_before {
                let set = "BEGIN; SELECT set_config('hnsw.iterative_scan', 'strict_order', TRUE), \
                           set_config('hnsw.ef_search', '200', TRUE), \
                           set_config('ivfflat.iterative_scan', 'relaxed_order', TRUE), \
                           set_config('ivfflat.probes', '10', TRUE); ROLLBACK";
                conn.execute(set).await.unwrap();
                let empty = "SELECT current_setting('hnsw.iterative_scan')";
                let empty: String = sqlx::query_scalar(empty)
                    .fetch_one(&mut conn)
                    .await
                    .unwrap();
                assert_eq!(empty, "");
            }
            let mut transaction = sqlx::Connection::begin(&mut conn).await.unwrap();
            let records = Log::records();
            let records = if is_search {
                records.search("started")
            } else {
                records.similar_to(log.id)
            };
            records.list(&mut transaction).await.unwrap();
            transaction
                .execute("SELECT '[1]'::vector <=> '[1]'")
                .await
                .unwrap();
            let after = "SELECT concat_ws(' ', current_setting('hnsw.iterative_scan'), \
                         current_setting('hnsw.ef_search'), current_setting('ivfflat.probes'))";
            let after: String = sqlx::query_scalar(after)
                .fetch_one(&mut *transaction)
                .await
                .unwrap();
            assert_eq!(after, "off 40 1", "{is_set_before} {is_search}");
            transaction.commit().await.unwrap();
        }
    }
}

/// The copies of other lines are lexical and vector candidates, too.
#[tokio::test]
async fn search_finds_rare_line_among_copies() {
    let db = testkit::database().await;
    let mut logs = vec![
        NewLog::new("API", Level::Info, "refused: connection to ledger"),
        NewLog::new(
            "API",
            Level::Info,
            "connections are being refused by ledger",
        ),
    ];
    for number in 0..4_000 {
        logs.push(NewLog::new(
            "API",
            Level::Info,
            format!("connection {number} was closed by the peer"),
        ));
        logs.push(NewLog::new(
            "API",
            Level::Info,
            format!("request {number} was refused by the gate"),
        ));
    }
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let page = Log::records()
        .search("conection refusd")
        .limit(2)
        .list(&db.pool)
        .await
        .unwrap();
    let mut ids: Vec<i64> = page.data.iter().map(|log| log.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    assert!(!page.total.is_exact(), "{:?}", page.total);
}
