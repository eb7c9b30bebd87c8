//! Recomputing the embeddings of another encoder.

use lookback::error::Remedy;
use lookback::migrate::{self, Models, Reembedded};
use lookback::{Log, NewLog};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::Notify;

/// Makes a database of 2,500 lines with the embeddings of another encoder.
async fn database_of_another_encoder() -> (testkit::Database, PgConnection) {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = testkit::sample::logs(7, 2_500)
        .into_iter()
        .map(|line| serde_json::from_value(line).unwrap())
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(
        "CREATE TABLE expected AS SELECT id, embedding, updated_at FROM logs;
         UPDATE logs SET embedding = ('[' || repeat('0,', 15) || '1]')::vector;
         UPDATE logs SET deleted_at = now() WHERE id % 10 = 0;
         UPDATE settings SET value = '1' WHERE name = 'encoder_version'",
    )
    .await
    .unwrap();
    (db, conn)
}

async fn mismatches(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM logs JOIN expected USING (id)
         WHERE logs.embedding IS DISTINCT FROM expected.embedding
            OR logs.updated_at <> expected.updated_at",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn reembed_recomputes_all_vectors_and_keeps_updated_at() {
    let (_db, mut conn) = database_of_another_encoder().await;
    let error = lookback::setup::check_encoder(&mut conn).await.unwrap_err();
    assert_eq!(error.remedy(), Some(Remedy::RecomputeVectors));
    assert_eq!(mismatches(&mut conn).await, 2_500);

    let mut progress = Vec::new();
    let done = migrate::reembed(&mut conn, &Models::lookback(), &mut |at| progress.push(*at))
        .await
        .unwrap();
    let counts = |all: &[Reembedded]| {
        let logs = all.iter().rfind(|at| at.table == "logs").unwrap();
        (logs.rows, logs.done, logs.changed)
    };
    assert_eq!(counts(&done), (2_500, 2_500, 2_500));
    assert_eq!(counts(&progress), (2_500, 2_500, 2_500));
    assert_eq!(mismatches(&mut conn).await, 0);
    lookback::setup::check_encoder(&mut conn).await.unwrap();

    let again = migrate::reembed(&mut conn, &Models::lookback(), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(counts(&again), (2_500, 2_500, 0));
}

#[tokio::test]
async fn reembed_after_interrupted_run_recomputes_the_rest() {
    let (db, mut conn) = database_of_another_encoder().await;
    let batch_is_done = Notify::new();
    let mut on_progress = |at: &Reembedded| {
        if at.table == "logs" && at.done > 0 {
            batch_is_done.notify_one();
        }
    };
    let models = Models::lookback();
    // Another session locks a record of the second batch.
    let mut other = PgConnection::connect(&db.url).await.unwrap();
    let mut locked = other.begin().await.unwrap();
    sqlx::query("SELECT FROM logs WHERE id = 2400 FOR UPDATE")
        .execute(&mut *locked)
        .await
        .unwrap();
    tokio::select! {
        biased;
        () = batch_is_done.notified() => {}
        _ = migrate::reembed(&mut conn, &models, &mut on_progress) => panic!("not interrupted"),
    }
    drop(conn);
    locked.rollback().await.unwrap();

    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let left = mismatches(&mut conn).await;
    assert_eq!(left, 500);
    assert!(lookback::setup::check_encoder(&mut conn).await.is_err());
    let done = migrate::reembed(&mut conn, &models, &mut |_| {})
        .await
        .unwrap();
    let logs = done.iter().find(|at| at.table == "logs").unwrap();
    assert_eq!((logs.done, logs.changed), (2_500, 500));
    assert_eq!(mismatches(&mut conn).await, 0);
    lookback::setup::check_encoder(&mut conn).await.unwrap();
}
