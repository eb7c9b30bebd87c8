//! Seals the records of an import, so that searches in many of them are fast.

use std::time::Duration;

use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::table::Table;
use sqlx::PgPool;

use super::interrupt::Interrupt;
use crate::commands::storage::SealingBar;
use crate::failure::Failure;
use crate::output;

/// The number of processors from which on sealing takes nothing from storing.
const MANY_PROCESSORS: usize = 4;

/// The longest wait for transactions that may still write records of a segment.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether records are sealed while others are stored: sealing takes more of a processor than
/// storing does.
pub(super) fn is_beside_storing() -> bool {
    std::thread::available_parallelism().is_ok_and(|number| number.get() >= MANY_PROCESSORS)
}

/// Seals the records of tables until a signal comes; `stored` has how many each import has stored
/// in all, since one that stopped has sealed nothing.
///
/// Nothing depends on it, so a failure is none of the import: a role that can only insert lacks the
/// privileges.
pub(super) async fn seal(pool: &PgPool, stored: &[(&'static Table, u64)]) -> Result<(), Failure> {
    let is_segment = |(_, records): &&(&Table, u64)| *records >= DEFAULT_SEGMENT.unsigned_abs();
    let mut interrupt = Interrupt::new()?;
    for (table, _) in stored.iter().filter(is_segment) {
        let bar = SealingBar::new(format!("sealing {} for fast search", table.name()));
        let sealed = tokio::select! {
            sealed = seal_table(pool, table, bar) => sealed,
            () = interrupt.next() => {
                output::note("all records are stored; lookback storage seal makes searches in them fast");
                return Ok(());
            }
        };
        if let Err(error) = sealed {
            output::detail(&format!("{}: not sealed: {error}", table.name()));
        }
    }
    Ok(())
}

async fn seal_table(
    pool: &PgPool,
    table: &'static Table,
    mut bar: SealingBar,
) -> Result<(), lookback::Error> {
    let mut sealer = Sealer::new(table, DEFAULT_SEGMENT)?;
    loop {
        let mut conn = pool.acquire().await?;
        match sealer.step(&mut conn, TRANSACTION_TIMEOUT).await? {
            step @ SealStep::Sealed { .. } => bar.add(&step),
            // Done, or another process does it.
            _ => return Ok(()),
        }
    }
}
