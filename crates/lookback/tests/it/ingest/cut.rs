//! Connections are cut, at every point of a transaction and in either
//! direction.

use std::str::FromStr as _;
use std::time::Duration;

use lookback::Log;
use lookback::ingest::Writer;
use sqlx::postgres::PgConnectOptions;

use super::drive::{Told, check, count, drive, refuse_some, rows};
use super::proxy::{Fault, Proxy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_loses_and_doubles_nothing() {
    let db = testkit::database().await;
    refuse_some(&db.pool).await;
    let direct = PgConnectOptions::from_str(&db.url).unwrap();
    let server = format!("{}:{}", direct.get_host(), direct.get_port());
    let (_, seed) = crate::random::cases_and_seed(1);
    let mut made = 0;
    let proxy = Proxy::new(server, seed, move |random| {
        made += 1;
        // The writer starts well.
        if made <= 3 {
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
    let writer = Writer::<Log>::builder()
        .connections(3)
        .batch(700, 1 << 20)
        .batch_age(Duration::from_millis(10))
        .back_off(Duration::from_millis(2), Duration::from_millis(50))
        .answer_timeout(Duration::from_secs(3))
        .start_with(direct.clone().host("127.0.0.1").port(proxy.port))
        .await
        .unwrap();
    let told = drive(&writer, 0, rows(60_000), &proxy.cuts, 25).await;
    let counters = writer.counters();
    writer.close().await.unwrap();
    check(&db.pool, &told).await;
    assert_eq!(count(&told, Told::Nothing), 0);
    assert_eq!(counters.written, count(&told, Told::Acknowledged) as u64);
    assert_eq!(counters.rejected, count(&told, Told::Refused) as u64);
    eprintln!(
        "{} rows acknowledged and {} refused; cut: {:?}",
        counters.written,
        counters.rejected,
        proxy.met.lock().unwrap()
    );
}
