//! Drives numbered rows through a writer while something goes wrong, and holds
//! what was acknowledged against what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lookback::ingest::{Receipt, Writer};
use lookback::{Error, Log, NewLog};
use sqlx::PgPool;

use super::kept::{execute, numbered, stored};

/// How many rows to drive: `few`, or as many as a long test run asks for.
pub(crate) fn rows(few: i64) -> i64 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse::<i64>().ok());
    // `make test-long` asks for 20,000 cases: a million rows.
    cases.map_or(few, |cases| (cases * 50).clamp(few, 1_000_000))
}

/// Makes the table refuse some numbers that Lookback's own checks let pass.
pub(crate) async fn refuse_some(pool: &PgPool) {
    execute(
        pool,
        "ALTER TABLE logs ADD CONSTRAINT picky CHECK ((meta->>'n')::bigint % 1009 <> 7)",
    )
    .await;
}

/// A line of this number, of which some are bad.
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

/// What became of a number, as far as its writer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Acknowledged,
    Refused,
    /// The writer was dropped before it was known.
    Nothing,
}

/// How many senders there are, and how many records each waits for at once.
const SENDERS: i64 = 4;
const WINDOW: usize = 1_000;

/// A record of which nothing is told for so long is one of which nothing will
/// be, also where a server is killed several times meanwhile.
const SILENCE: Duration = Duration::from_secs(300);

/// Sends numbers from `from` on: at least `rows`, and until there were so many
/// faults. Returns what was told of each.
pub(crate) async fn drive(
    writer: &Writer<Log>,
    from: i64,
    rows: i64,
    faults: &Arc<AtomicU64>,
    least_faults: u64,
) -> BTreeMap<i64, Told> {
    drive_and_tell(writer, from, rows, faults, least_faults, |_, _| {}).await
}

/// The same, with what is called as soon as something is told.
pub(crate) async fn drive_and_tell(
    writer: &Writer<Log>,
    from: i64,
    rows: i64,
    faults: &Arc<AtomicU64>,
    least_faults: u64,
    tell: fn(i64, Told),
) -> BTreeMap<i64, Told> {
    let senders = (0..SENDERS).map(|sender| {
        let writer = writer.clone();
        let faults = Arc::clone(faults);
        tokio::spawn(async move {
            let mut told = BTreeMap::new();
            let mut n = from + sender;
            while n < from + rows || faults.load(Ordering::SeqCst) < least_faults {
                let mut window = Vec::with_capacity(WINDOW);
                for _ in 0..WINDOW {
                    match writer.submit(line(n)).await {
                        Ok(receipt) => window.push((n, receipt)),
                        Err(error) => {
                            assert!(error.is_unwritten(), "{error}");
                            settle(window, &mut told, tell).await;
                            return told;
                        }
                    }
                    n += SENDERS;
                }
                settle(window, &mut told, tell).await;
            }
            told
        })
    });
    let mut told = BTreeMap::new();
    for sender in senders.collect::<Vec<_>>() {
        told.append(&mut sender.await.unwrap());
    }
    told
}

async fn settle(window: Vec<(i64, Receipt)>, told: &mut BTreeMap<i64, Told>, tell: fn(i64, Told)) {
    for (n, receipt) in window {
        let outcome = tokio::time::timeout(SILENCE, receipt).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("{n}: nothing is told in {SILENCE:?}"));
        let what = match outcome {
            Ok(()) => Told::Acknowledged,
            Err(Error::Unwritten { .. }) => Told::Nothing,
            Err(error) => {
                assert!(error.is_invalid(), "{n}: {error:?}");
                Told::Refused
            }
        };
        tell(n, what);
        told.insert(n, what);
    }
}

/// Each acknowledged number is there once, none that was refused is, and those
/// of which nothing was told are there once or not at all.
pub(crate) async fn check(pool: &PgPool, told: &BTreeMap<i64, Told>) {
    let stored: BTreeMap<i64, i64> = stored(pool).await.into_iter().collect();
    for (n, times) in &stored {
        assert_eq!(*times, 1, "{n} is there {times} times");
        assert!(told.contains_key(n), "{n} was never sent");
    }
    for (n, told) in told {
        match told {
            Told::Acknowledged => {
                assert!(!is_bad(*n), "{n} is bad and was acknowledged");
                assert!(stored.contains_key(n), "{n} was acknowledged, and is lost");
            }
            Told::Refused => {
                assert!(is_bad(*n), "{n} was refused for nothing");
                assert!(!stored.contains_key(n), "{n} was refused, and is there");
            }
            Told::Nothing => {}
        }
    }
}

pub(crate) fn count(told: &BTreeMap<i64, Told>, what: Told) -> usize {
    told.values().filter(|told| **told == what).count()
}
