//! The server is killed and restarted at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lookback::Log;
use lookback::ingest::Writer;
use sqlx::{Connection as _, PgConnection, PgPool};
use testkit::Killable;
use testkit::made::Random;

use super::drive::{Told, check, count, drive, refuse_some, rows};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled() {
    let killable = Killable::new();
    let mut running = killable.start();
    let url = running.url_of("kept");
    let mut conn = PgConnection::connect(&running.url()).await.unwrap();
    let create = "CREATE DATABASE kept";
    sqlx::raw_sql(create).execute(&mut conn).await.unwrap();
    conn = PgConnection::connect(&url).await.unwrap();
    lookback::migrate::run(&mut conn, Duration::from_secs(60))
        .await
        .unwrap();
    drop(conn);
    let pool = PgPool::connect(&url).await.unwrap();
    refuse_some(&pool).await;

    let (_, seed) = crate::random::cases_and_seed(1);
    let kills = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let killer = std::thread::spawn({
        let (kills, over) = (Arc::clone(&kills), Arc::clone(&over));
        let mut random = Random::new(seed);
        move || {
            while !over.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20 + random.below(600)));
                testkit::kill(&running);
                let port = running.port();
                running = killable.start();
                assert_eq!(running.port(), port, "the server has another port");
                kills.fetch_add(1, Ordering::SeqCst);
            }
            (killable, running)
        }
    });

    let writer = Writer::<Log>::builder()
        .batch(700, 1 << 20)
        .batch_age(Duration::from_millis(10))
        .back_off(Duration::from_millis(5), Duration::from_millis(200))
        .start(&pool)
        .await;
    // It may be down at this very moment.
    let writer = match writer {
        Ok(writer) => writer,
        Err(error) => {
            assert!(error.is_unavailable(), "{error}");
            tokio::time::sleep(Duration::from_secs(2)).await;
            Writer::<Log>::builder().start(&pool).await.unwrap()
        }
    };
    let told = drive(&writer, 0, rows(20_000), &kills, 4).await;
    over.store(true, Ordering::SeqCst);
    let (_killable, _running) = tokio::task::spawn_blocking(|| killer.join().unwrap())
        .await
        .unwrap();
    writer.close().await.unwrap();

    let pool = PgPool::connect(&url).await.unwrap();
    check(&pool, &told).await;
    assert_eq!(count(&told, Told::Nothing), 0);
    eprintln!(
        "{} rows acknowledged and {} refused over {} kills",
        count(&told, Told::Acknowledged),
        count(&told, Told::Refused),
        kills.load(Ordering::SeqCst)
    );
    let counters = writer.counters();
    assert_eq!(counters.written, count(&told, Told::Acknowledged) as u64);
    assert_eq!(counters.rejected, count(&told, Told::Refused) as u64);
}
