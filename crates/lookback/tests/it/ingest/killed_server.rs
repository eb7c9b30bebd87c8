//! The server is killed and restarted at random.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lookback::Log;
use lookback::ingest::Writer;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use testkit::KillableServer;
use testkit::sample::Random;

use super::fixtures::{WAIT_LIMIT, within};
use super::workload::{Outcome, check, count, drive, reject_some, rows};
use testkit::proxy::{Fault, Proxy};

/// Stops the killing thread, also when the test fails.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_server_keeps_acknowledged_records_once() {
    let killable = KillableServer::new();
    let mut running = killable.start();
    let url = running.database_url("kept");
    let mut conn = PgConnection::connect(&running.url()).await.unwrap();
    let create = "CREATE DATABASE kept";
    sqlx::raw_sql(create).execute(&mut conn).await.unwrap();
    conn = PgConnection::connect(&url).await.unwrap();
    lookback::migrate::run(&mut conn, Duration::from_secs(60))
        .await
        .unwrap();
    drop(conn);
    let pool = PgPool::connect(&url).await.unwrap();
    reject_some(&pool).await;
    pool.close().await;

    let (_, seed) = crate::random::cases_and_seed(1);
    // The port of a killed server may be taken before it is back: the writer connects through a
    // proxy, whose port stays.
    let address = |port: u16| Some(format!("127.0.0.1:{port}"));
    let proxy = Proxy::new(address(running.port()).unwrap(), seed, |_| Fault::NONE).await;
    let through = PgConnectOptions::from_str(&url).unwrap();
    let through = through.host("127.0.0.1").port(proxy.port);
    let builder = || {
        Writer::<Log>::builder()
            .batch(700, 1 << 20)
            .batch_age(Duration::from_millis(10))
            .back_off(Duration::from_millis(5), Duration::from_millis(200))
    };
    let server = Arc::clone(&proxy.server);
    *server.lock().unwrap() = None;
    let error = builder().start_with(through.clone()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    *server.lock().unwrap() = address(running.port());
    let writer = builder().start_with(through).await.unwrap();

    let kills = Arc::new(AtomicU64::new(0));
    let over = Over(Arc::new(AtomicBool::new(false)));
    let killer = std::thread::spawn({
        let (kills, over) = (Arc::clone(&kills), Arc::clone(&over.0));
        let (mut random, writer) = (Random::new(seed), writer.clone());
        move || {
            while !over.load(Ordering::SeqCst) {
                // The writer makes progress between two kills, even on a slow machine.
                if kills.load(Ordering::SeqCst) % 2 == 0 {
                    let goal = writer.counters().written + 1 + random.below(2_000);
                    let begun = Instant::now();
                    while writer.counters().written < goal && !over.load(Ordering::SeqCst) {
                        assert!(begun.elapsed() < WAIT_LIMIT, "nothing is stored any more");
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                std::thread::sleep(Duration::from_millis(20 + random.below(600)));
                testkit::kill(&running);
                *server.lock().unwrap() = None;
                running = killable.start();
                *server.lock().unwrap() = address(running.port());
                kills.fetch_add(1, Ordering::SeqCst);
            }
            (killable, running)
        }
    });

    let outcomes = tokio::select! {
        outcomes = drive(&writer, 0, rows(20_000), &kills, 4) => outcomes,
        () = ended(&killer) => panic!("the thread that kills the server has failed"),
    };
    drop(over);
    let (_killable, running) = tokio::task::spawn_blocking(|| killer.join().unwrap())
        .await
        .unwrap();
    within("a close", writer.close()).await.unwrap();

    let pool = PgPool::connect(&running.database_url("kept"))
        .await
        .unwrap();
    check(&pool, &outcomes).await;
    assert_eq!(count(&outcomes, Outcome::Unknown), 0);
    eprintln!(
        "{} rows acknowledged and {} rejected over {} kills",
        count(&outcomes, Outcome::Acknowledged),
        count(&outcomes, Outcome::Rejected),
        kills.load(Ordering::SeqCst)
    );
    let counters = writer.counters();
    assert_eq!(
        counters.written,
        count(&outcomes, Outcome::Acknowledged) as u64
    );
    assert_eq!(
        counters.rejected,
        count(&outcomes, Outcome::Rejected) as u64
    );
}

async fn ended<T>(thread: &JoinHandle<T>) {
    while !thread.is_finished() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
