//! Lost connections, at every point of a transaction and in either direction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lookback::Log;
use lookback::ingest::{Writer, WriterBuilder};
use sqlx::postgres::PgConnectOptions;

use super::fixtures::{WAIT_LIMIT, numbered, stored, until, within};
use super::workload::{Outcome, check, count, drive, reject_some, rows};
use testkit::proxy::{Fault, Proxy};

/// Starts a writer with a short answer timeout; retries if a busy server exceeds it.
async fn start(builder: impl Fn() -> WriterBuilder<Log>, to: PgConnectOptions) -> Writer<Log> {
    let begun = Instant::now();
    loop {
        match builder().start_with(to.clone()).await {
            Ok(writer) => return writer,
            Err(error) => assert!(
                error.is_unavailable() && begun.elapsed() < WAIT_LIMIT,
                "{error}"
            ),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_store_every_record_once() {
    let db = testkit::database().await;
    reject_some(&db.pool).await;
    let (_, seed) = crate::random::cases_and_seed(1);
    let has_started = Arc::new(AtomicBool::new(false));
    let faults = Arc::clone(&has_started);
    let (proxy, through) = Proxy::in_front_of(&db, seed, move |random| {
        // The writer starts without a fault.
        if !faults.load(Ordering::SeqCst) {
            return Fault::Bytes(3_000_000);
        }
        let commit = 2 + random.below(6);
        match random.below(12) {
            0..=3 => Fault::Bytes(random.below(2_000_000)),
            4 | 5 => Fault::BeforeCommit(commit),
            6 | 7 => Fault::WithCommit(commit),
            8 | 9 => Fault::BeforeAnswer(commit),
            10 => Fault::HalfOpen(commit),
            _ => Fault::Silent(commit),
        }
    })
    .await;
    let builder = || {
        Writer::<Log>::builder()
            .connections(3)
            .batch(700, 1 << 20)
            .batch_age(Duration::from_millis(10))
            .back_off(Duration::from_millis(2), Duration::from_millis(50))
            .answer_timeout(Duration::from_secs(3))
    };
    let writer = start(builder, through).await;
    has_started.store(true, Ordering::SeqCst);
    let outcomes = drive(&writer, 0, rows(60_000), &proxy.cuts, 25).await;
    let counters = writer.counters();
    within("a close", writer.close()).await.unwrap();
    check(&db.pool, &outcomes).await;
    assert_eq!(count(&outcomes, Outcome::Unknown), 0);
    assert_eq!(
        counters.written,
        count(&outcomes, Outcome::Acknowledged) as u64
    );
    assert_eq!(
        counters.rejected,
        count(&outcomes, Outcome::Rejected) as u64
    );
    eprintln!(
        "{} rows acknowledged and {} rejected; cut: {:?}",
        counters.written,
        counters.rejected,
        proxy.met.lock().unwrap()
    );
}

/// The server does not notice that the connection is lost, and the answer timeout is no
/// longer than the usual wait for the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connection_with_short_timeout_terminates_its_server_process() {
    for fault in [Fault::HalfOpen(2), Fault::Silent(2)] {
        let db = testkit::database().await;
        let is_good = Arc::new(AtomicBool::new(false));
        let good = Arc::clone(&is_good);
        let (proxy, through) = Proxy::in_front_of(&db, 1, move |_| {
            if good.load(Ordering::SeqCst) {
                Fault::NONE
            } else {
                fault
            }
        })
        .await;
        let builder = || {
            Writer::<Log>::builder()
                .connections(1)
                .batch_age(Duration::from_millis(5))
                .back_off(Duration::from_millis(5), Duration::from_millis(50))
                .answer_timeout(Duration::from_secs(2))
        };
        let writer = start(builder, through).await;
        let receipt = writer.submit(numbered(1)).await.unwrap();
        until("a connection that is lost", async || {
            proxy.cuts.load(Ordering::SeqCst) > 0
        })
        .await;
        is_good.store(true, Ordering::SeqCst);
        within("the outcome of the record", receipt).await.unwrap();
        within("a close", writer.close()).await.unwrap();
        assert_eq!(stored(&db.pool).await, [(1, 1)]);
    }
}
