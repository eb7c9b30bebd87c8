//! The spill: batches on disk while the database is away.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lookback::Log;
use lookback::ingest::{Writer, WriterBuilder};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use testkit::sample::Random;

use super::fixtures::{WAIT_LIMIT, number, numbered, stored, until, within};
use super::workload::{Outcome, check, count, drive_with, reject_some, rows};
use testkit::proxy::{Fault, Proxy};

fn options(folder: &Path) -> WriterBuilder<Log> {
    Writer::builder()
        .batch(200, 1 << 20)
        .batch_age(Duration::from_millis(5))
        .back_off(Duration::from_millis(5), Duration::from_millis(50))
        .spill(folder, 64 << 20)
}

/// A proxy in front of the database of a test, and options to connect through it.
async fn proxy(
    db: &testkit::Database,
    draw: impl FnMut(&mut Random) -> Fault + Send + 'static,
) -> (Proxy, PgConnectOptions) {
    let (_, seed) = crate::random::cases_and_seed(1);
    Proxy::in_front_of(db, seed, draw).await
}

fn files(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".batch")).count()
}

/// Starts the next writer of a folder. The thread of the last one may hold it for a moment
/// after the writer is dropped.
async fn next_of(folder: &Path, pool: &PgPool) -> Writer<Log> {
    let begun = Instant::now();
    loop {
        match options(folder).start(pool).await {
            Ok(writer) => return writer,
            Err(error) => assert!(
                error.to_string().contains("in use by another writer")
                    && begun.elapsed() < WAIT_LIMIT,
                "{error}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Closes a writer after its folder is empty: batches that cannot be stored at once during
/// a close stay there.
async fn close_empty(writer: &Writer<Log>) {
    until("an empty spill", async || writer.counters().spilled == 0).await;
    writer.close().await.unwrap();
}

#[tokio::test]
async fn full_memory_spills_batches_for_the_next_writer() {
    let db = testkit::database().await;
    let folder = tempfile::tempdir().unwrap();
    // A connection lasts for its preparation and little more.
    let (proxy, through) = proxy(&db, |_| Fault::BeforeCommit(2)).await;
    let writer = options(folder.path()).start_with(through).await.unwrap();
    proxy.take_no_more();
    let mut receipts = Vec::new();
    for n in 0..5_000 {
        receipts.push(writer.submit(numbered(n)).await.unwrap());
    }
    until("3,000 records in the spill", async || {
        writer.counters().spilled >= 3_000
    })
    .await;
    assert!(files(folder.path()) >= 15);
    assert!(writer.counters().last_error.is_some());
    let error = options(folder.path()).start(&db.pool).await.unwrap_err();
    assert!(
        error.to_string().contains("in use by another writer"),
        "{error}"
    );

    // Waiting callers learn that their records are kept, not that they are stored.
    within("a close", writer.close()).await.unwrap();
    assert_eq!(writer.counters().spilled, 5_000);
    for receipt in receipts {
        let error = receipt.await.unwrap_err();
        assert!(error.to_string().contains("kept in the spill"), "{error}");
    }
    assert_eq!(stored(&db.pool).await, []);
    drop(writer);

    let next = next_of(folder.path(), &db.pool).await;
    next.write(numbered(5_000)).await.unwrap();
    close_empty(&next).await;
    let counters = next.counters();
    assert_eq!((counters.accepted, counters.written), (5_001, 5_001));
    assert_eq!((counters.pending, counters.spilled), (0, 0));
    assert_eq!(files(folder.path()), 0);
    let expected: Vec<(i64, i64)> = (0..5_001).map(|n| (n, 1)).collect();
    assert_eq!(stored(&db.pool).await, expected);
    // The lane of the spill stays.
    let lanes = "SELECT count(*) FROM ingest_lanes WHERE name NOT LIKE 'spill-%'";
    assert_eq!(number(&db.pool, lanes).await, 0);
    drop(next);
    // A closed writer holds nothing any more.
    let last = options(folder.path()).start(&db.pool).await.unwrap();
    last.close().await.unwrap();
    assert_eq!(
        number(&db.pool, "SELECT count(*) FROM ingest_lanes").await,
        1
    );
}

#[tokio::test]
async fn receipt_of_a_spilled_record_resolves_when_it_is_stored() {
    let db = testkit::database().await;
    let folder = tempfile::tempdir().unwrap();
    let (proxy, through) = proxy(&db, |_| Fault::Bytes(150_000)).await;
    let writer = options(folder.path()).start_with(through).await.unwrap();
    proxy.take_no_more();
    let mut receipts = Vec::new();
    for n in 0..10_000 {
        receipts.push(writer.submit(numbered(n)).await.unwrap());
    }
    until("2,000 records in the spill", async || {
        writer.counters().spilled >= 2_000
    })
    .await;
    proxy.open();
    within("a flush", writer.flush()).await.unwrap();
    for receipt in receipts {
        receipt.await.unwrap();
    }
    assert_eq!(writer.counters().spilled, 0);
    assert!(stored(&db.pool).await.iter().all(|(_, times)| *times == 1));
    assert_eq!(stored(&db.pool).await.len(), 10_000);
    writer.close().await.unwrap();
}

/// A batch goes to the spill while it is unknown whether it was committed.
#[tokio::test]
async fn spilled_batch_in_doubt_is_stored_once() {
    for fault in [Fault::BeforeAnswer(2), Fault::BeforeCommit(2)] {
        let db = testkit::database().await;
        let folder = tempfile::tempdir().unwrap();
        let (proxy, through) = proxy(&db, move |_| fault).await;
        let writer = options(folder.path()).start_with(through).await.unwrap();
        proxy.take_no_more();
        for n in 0..1_000 {
            writer.send(numbered(n)).await.unwrap();
        }
        within("a close", writer.close()).await.unwrap();
        drop(writer);
        // The batch is committed before the connection is cut, or not at all.
        let before = stored(&db.pool).await.len();
        assert_eq!(before > 0, fault == Fault::BeforeAnswer(2));
        let next = next_of(folder.path(), &db.pool).await;
        close_empty(&next).await;
        let expected: Vec<(i64, i64)> = (0..1_000).map(|n| (n, 1)).collect();
        assert_eq!(stored(&db.pool).await, expected);
    }
}

/// Every version of the format stays readable.
#[tokio::test]
async fn spill_files_of_version_1_are_read() {
    let db = testkit::database().await;
    let folder = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ingest/spill-v1");
    for file in std::fs::read_dir(kept).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    // Left by a process that was killed while writing.
    std::fs::write(folder.path().join("00000000000000000009.batch.new"), "LBSP").unwrap();
    let writer = options(folder.path()).start(&db.pool).await.unwrap();
    close_empty(&writer).await;
    assert_eq!(stored(&db.pool).await, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    let page = Log::records()
        .order_by(Log::id().asc())
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(page.data[0].message, "order 1 was stored");
    assert_eq!(page.data[0].created_at, crate::time("2026-01-31T08:30:00Z"));
}

#[tokio::test]
async fn open_with_a_corrupt_file_names_it() {
    let db = testkit::database().await;
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ingest/spill-v1");
    let good = std::fs::read(kept.join("00000000000000000001.batch")).unwrap();
    let corrupt = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        (
            corrupt(good.len() / 2),
            "is corrupt: its checksum does not match",
        ),
        (
            good[..good.len() / 2].to_vec(),
            "is corrupt: its checksum does not match",
        ),
        (corrupt(0), "is not a spill file"),
        (corrupt(7), "has version 0 of the format"),
        (Vec::new(), "is truncated"),
    ];
    for (bytes, problem) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(kept.join("id"), folder.path().join("id")).unwrap();
        std::fs::write(folder.path().join("00000000000000000001.batch"), bytes).unwrap();
        let error = options(folder.path()).start(&db.pool).await.unwrap_err();
        assert!(error.is_invalid());
        let error = error.to_string();
        assert!(error.contains("00000000000000000001.batch"), "{error}");
        assert!(error.contains(problem), "{error}");
    }
}

const URL: &str = "LOOKBACK_TEST_SPILL_URL";
const PORT: &str = "LOOKBACK_TEST_SPILL_PORT";
const FOLDER: &str = "LOOKBACK_TEST_SPILL_FOLDER";
const FROM: &str = "LOOKBACK_TEST_SPILL_FROM";
const ROWS: &str = "LOOKBACK_TEST_SPILL_ROWS";

/// The process that is killed: writes records, and prints their outcomes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by killed_processes_store_every_record_once"]
async fn killed_writer() {
    // Unset if all ignored tests were requested: nothing would kill it.
    let Ok(url) = std::env::var(URL) else { return };
    let var = |name: &str| std::env::var(name).unwrap();
    let through = PgConnectOptions::from_str(&url).unwrap();
    let through = through.host("127.0.0.1").port(var(PORT).parse().unwrap());
    let folder = var(FOLDER);
    let writer = options(Path::new(&folder))
        .start_with(through)
        .await
        .unwrap();
    let (from, rows) = (var(FROM).parse().unwrap(), var(ROWS).parse().unwrap());
    let none = Arc::new(AtomicU64::new(0));
    drive_with(&writer, from, rows, &none, 0, |n, outcome| {
        let line = match outcome {
            Outcome::Acknowledged => format!("\nacknowledged {n}\n"),
            Outcome::Rejected => format!("\nrejected {n}\n"),
            Outcome::Unknown => return,
        };
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    })
    .await;
    writer.close().await.unwrap();
}

/// A process that writes until it is killed.
struct Process {
    child: Child,
    /// The number of records acknowledged to it.
    acknowledged: Arc<AtomicU64>,
    reading: Option<JoinHandle<Vec<(i64, Outcome)>>>,
}

impl Process {
    fn start(url: &str, port: u16, folder: &Path, from: i64, rows: i64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "ingest::spill::killed_writer",
                "--ignored",
                "--nocapture",
            ])
            .env(URL, url)
            .env(PORT, port.to_string())
            .env(FOLDER, folder)
            .env(FROM, from.to_string())
            .env(ROWS, rows.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let acknowledged = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&acknowledged);
        let reading = std::thread::spawn(move || {
            let mut outcomes = Vec::new();
            for line in output.lines() {
                let line = line.unwrap();
                let number = |word: &str| line.strip_prefix(word).and_then(|n| n.parse().ok());
                if let Some(n) = number("acknowledged ") {
                    outcomes.push((n, Outcome::Acknowledged));
                    count.fetch_add(1, Ordering::SeqCst);
                } else if let Some(n) = number("rejected ") {
                    outcomes.push((n, Outcome::Rejected));
                }
            }
            outcomes
        });
        Self {
            child,
            acknowledged,
            reading: Some(reading),
        }
    }

    /// Waits until a condition holds, while the process lives.
    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the process ended by itself: {ended:?}");
            assert!(
                begun.elapsed() < WAIT_LIMIT,
                "not within {WAIT_LIMIT:?}: {what}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills the process, and returns the outcomes that it printed.
    fn kill(mut self) -> Vec<(i64, Outcome)> {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the process ended by itself: {ended:?}");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reading.take().unwrap().join().unwrap()
    }
}

impl Drop for Process {
    /// Kills the process, also if the test fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_store_every_record_once() {
    let db = testkit::database().await;
    reject_some(&db.pool).await;
    let folder = tempfile::tempdir().unwrap();
    let (proxy, _) = proxy(&db, |random| match random.below(4) {
        0 => Fault::BeforeCommit(2 + random.below(3)),
        1 => Fault::BeforeAnswer(2 + random.below(3)),
        _ => Fault::Bytes(20_000 + random.below(800_000)),
    })
    .await;

    let mut random = Random::new(7);
    let mut outcomes: BTreeMap<i64, Outcome> = BTreeMap::new();
    let (mut from, mut kills, mut most_spilled) = (0, 0, 0);
    // More than a killed process sends.
    let each = 1_000_000;
    // Each process gets some thousands acknowledged: a million takes twenty minutes.
    let goal = rows(15_000).min(250_000);
    while kills < 6 || count(&outcomes, Outcome::Acknowledged) < usize::try_from(goal).unwrap() {
        // It is killed while it stores, spills, or stores spilled batches while the database goes
        // away again.
        let (starts_away, comes_to_store, ends_away) = match kills % 3 {
            0 => (false, true, false),
            1 => (true, false, true),
            _ => (true, true, true),
        };
        if starts_away {
            proxy.close();
        } else {
            proxy.open();
        }
        let before = files(folder.path());
        let mut process = Process::start(&db.url, proxy.port, folder.path(), from, each);
        if starts_away {
            process
                .until("a spilled batch", |_| files(folder.path()) > before)
                .await;
        }
        if comes_to_store {
            proxy.open();
            let enough = 1 + random.below(5_000);
            process
                .until("records that are stored", |process| {
                    process.acknowledged.load(Ordering::SeqCst) >= enough
                })
                .await;
        }
        if ends_away {
            proxy.close();
        }
        tokio::time::sleep(Duration::from_millis(random.below(300))).await;
        outcomes.extend(process.kill());
        kills += 1;
        most_spilled = most_spilled.max(files(folder.path()));
        from += each;
    }
    let last = next_of(folder.path(), &db.pool).await;
    close_empty(&last).await;
    assert_eq!(files(folder.path()), 0);
    assert!(most_spilled > 0, "nothing was ever spilled");

    // Stored rows that were not acknowledged have an unknown outcome.
    for (n, _) in stored(&db.pool).await {
        outcomes.entry(n).or_insert(Outcome::Unknown);
    }
    check(&db.pool, &outcomes).await;
    eprintln!(
        "{} rows acknowledged, {} rejected, {} stored with unknown outcome; \
         {kills} kills, {most_spilled} files at most",
        count(&outcomes, Outcome::Acknowledged),
        count(&outcomes, Outcome::Rejected),
        count(&outcomes, Outcome::Unknown)
    );
}
