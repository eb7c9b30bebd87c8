use lookback::{Log, NewLog};
use sqlx::Executor as _;
use std::time::Instant;

#[tokio::test]
async fn scale() {
    let db = testkit::database().await;
    let n = 300_000;
    for part in 0..(n / 50_000) {
        let logs: Vec<NewLog> = testkit::made::logs(part as u64, 50_000)
            .into_iter()
            .map(|l| serde_json::from_value(l).unwrap())
            .collect();
        Log::records().create_many(&db.pool, &logs).await.unwrap();
    }
    let texts: Vec<String> = sqlx::query_scalar("SELECT message FROM logs WHERE id % 30000 = 7")
        .fetch_all(&db.pool)
        .await
        .unwrap();
    println!("{texts:#?}");
    let d: (i64, i64) = sqlx::query_as("SELECT count(DISTINCT embedding), (SELECT max(c) FROM (SELECT count(*) c FROM logs GROUP BY embedding) x) FROM logs").fetch_one(&db.pool).await.unwrap();
    println!("distinct vectors, largest kind {d:?}");
    for phase in ["hot", "gin", "ivf"] {
        if phase == "gin" {
            db.pool.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX ON logs USING gin (lower(message || E'\\n' || source || E'\\n' || level) gin_trgm_ops)").await.unwrap();
        }
        if phase == "ivf" {
            db.pool.execute("CREATE INDEX ON logs USING ivfflat (embedding vector_cosine_ops) WITH (lists = 300)").await.unwrap();
        }
        db.pool.execute("VACUUM ANALYZE logs").await.unwrap();
        for words in [
            "conection refused",
            "payment gateway timeout",
            "\"connection refused\"",
            "4711",
            "sign in unsuccessful",
            "user could not reach the data store in time",
            "xqzvvk",
        ] {
            let mut best = (f64::MAX, f64::MAX);
            let mut total = String::new();
            for _ in 0..3 {
                let clock = Instant::now();
                let _ = Log::records()
                    .search(words)
                    .search_plan(&db.pool, true)
                    .await
                    .unwrap();
                let sql = clock.elapsed().as_secs_f64() * 1e3;
                let clock = Instant::now();
                let page = Log::records()
                    .search(words)
                    .limit(20)
                    .list(&db.pool)
                    .await
                    .unwrap();
                total = format!("{} {:?}", page.total, page.data.first().map(|l| &l.message));
                best = (
                    best.0.min(sql),
                    best.1.min(clock.elapsed().as_secs_f64() * 1e3),
                );
            }
            println!(
                "{phase} {words:45} sql {:8.1} ms  all {:8.1} ms  {total}",
                best.0, best.1
            );
        }
        let plan = Log::records()
            .search("conection refused")
            .search_plan(&db.pool, true)
            .await
            .unwrap();
        println!("{}", plan.join("\n"));
    }
}
