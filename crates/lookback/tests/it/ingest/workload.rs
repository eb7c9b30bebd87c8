//! Drives numbered rows through a writer during faults, and compares the acknowledged
//! rows with the stored ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lookback::ingest::{Receipt, Writer};
use lookback::{Log, NewLog};
use sqlx::PgPool;

use super::fixtures::{execute, numbered, stored};

/// The number of rows to drive: `few`, or more for a long test run.
pub(crate) fn rows(few: i64) -> i64 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse::<i64>().ok());
    // `make test-long` asks for 20,000 cases: a million rows.
    cases.map_or(few, |cases| (cases * 50).clamp(few, 1_000_000))
}

/// Makes the table reject some numbers that pass Lookback's checks.
pub(crate) async fn reject_some(pool: &PgPool) {
    execute(
        pool,
        "ALTER TABLE logs ADD CONSTRAINT picky CHECK ((meta->>'n')::bigint % 1009 <> 7)",
    )
    .await;
}

/// The line of this number; some are bad.
pub(crate) fn line(n: i64) -> NewLog {
    let mut line = numbered(n);
    if n % 1_013 == 5 {
        line.message.push('\0');
    }
    line
}

pub(crate) fn is_bad(n: i64) -> bool {
    n % 1_009 == 7 || n % 1_013 == 5
}

/// The outcome of a number, as reported by its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acknowledged,
    Rejected,
    /// The writer was dropped before the outcome was known.
    Unknown,
}

/// The number of senders, and of records that each waits for at once.
const SENDERS: i64 = 4;
const WINDOW: usize = 1_000;

/// The longest wait for an outcome, also if a server is killed several times meanwhile.
const SILENCE: Duration = Duration::from_secs(300);

/// Sends numbers from `from` on, at least `rows` and until there were `least_faults`;
/// returns the outcome of each.
pub(crate) async fn drive(
    writer: &Writer<Log>,
    from: i64,
    rows: i64,
    faults: &Arc<AtomicU64>,
    least_faults: u64,
) -> BTreeMap<i64, Outcome> {
    drive_with(writer, from, rows, faults, least_faults, |_, _| {}).await
}

/// Like `drive`, with a callback for each outcome.
pub(crate) async fn drive_with(
    writer: &Writer<Log>,
    from: i64,
    rows: i64,
    faults: &Arc<AtomicU64>,
    least_faults: u64,
    on_outcome: fn(i64, Outcome),
) -> BTreeMap<i64, Outcome> {
    let senders = (0..SENDERS).map(|sender| {
        let writer = writer.clone();
        let faults = Arc::clone(faults);
        tokio::spawn(async move {
            let mut outcomes = BTreeMap::new();
            let mut n = from + sender;
            while n < from + rows || faults.load(Ordering::SeqCst) < least_faults {
                let mut window = Vec::with_capacity(WINDOW);
                for _ in 0..WINDOW {
                    match writer.submit(line(n)).await {
                        Ok(receipt) => window.push((n, receipt)),
                        Err(error) => {
                            assert!(error.is_not_written(), "{error}");
                            settle(window, &mut outcomes, on_outcome).await;
                            return outcomes;
                        }
                    }
                    n += SENDERS;
                }
                settle(window, &mut outcomes, on_outcome).await;
            }
            outcomes
        })
    });
    let mut outcomes = BTreeMap::new();
    for sender in senders.collect::<Vec<_>>() {
        outcomes.append(&mut sender.await.unwrap());
    }
    outcomes
}

async fn settle(
    window: Vec<(i64, Receipt)>,
    outcomes: &mut BTreeMap<i64, Outcome>,
    on_outcome: fn(i64, Outcome),
) {
    for (n, receipt) in window {
        let outcome = tokio::time::timeout(SILENCE, receipt).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("{n}: no outcome within {SILENCE:?}"));
        let what = match outcome {
            Ok(()) => Outcome::Acknowledged,
            Err(error) if error.is_not_written() => Outcome::Unknown,
            Err(error) => {
                assert!(error.is_invalid(), "{n}: {error:?}");
                Outcome::Rejected
            }
        };
        on_outcome(n, what);
        outcomes.insert(n, what);
    }
}

/// Checks that acknowledged numbers are stored once, rejected ones are not, and others at
/// most once.
pub(crate) async fn check(pool: &PgPool, outcomes: &BTreeMap<i64, Outcome>) {
    let stored: BTreeMap<i64, i64> = stored(pool).await.into_iter().collect();
    for (n, times) in &stored {
        assert_eq!(*times, 1, "{n} is stored {times} times");
        assert!(outcomes.contains_key(n), "{n} was never sent");
    }
    for (n, outcome) in outcomes {
        match outcome {
            Outcome::Acknowledged => {
                assert!(!is_bad(*n), "{n} is bad and was acknowledged");
                assert!(stored.contains_key(n), "{n} was acknowledged and is lost");
            }
            Outcome::Rejected => {
                assert!(is_bad(*n), "{n} was rejected without a reason");
                assert!(!stored.contains_key(n), "{n} was rejected and is stored");
            }
            Outcome::Unknown => {}
        }
    }
}

pub(crate) fn count(outcomes: &BTreeMap<i64, Outcome>, what: Outcome) -> usize {
    outcomes
        .values()
        .filter(|outcome| **outcome == what)
        .count()
}
