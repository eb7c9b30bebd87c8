//! `storage seal`

use std::time::Duration;

use indicatif::ProgressBar;
use lookback::Table;
use lookback::maintenance::sealing::{DEFAULT_SEGMENT, Sealer, Step};
use lookback::maintenance::{self, MaintenanceOptions, MaintenanceWorker, PrecreateOptions};
use sqlx::PgPool;

use super::interrupt::Interrupt;
use super::tables;
use crate::args::Kind;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted, grouped};

/// The wait for transactions that may still write records of a segment.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval of checking whether another process has finished.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

pub(super) async fn run(config: &Config, kind: Option<Kind>) -> Result<(), Failure> {
    let pool = database::pool(config, 3).await?;
    let interrupt = Interrupt::listen();
    all(&pool, &tables(kind), &interrupt).await
}

/// Seals all new records of these tables.
pub(super) async fn all(
    pool: &PgPool,
    tables: &[&'static Table],
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    for table in tables {
        let bar = output::bar(0);
        bar.set_message(table.name());
        let done = seal(pool, table, &bar, interrupt).await;
        bar.finish_and_clear();
        output::note(&done?.in_words(table));
        interrupt.check("seal")?;
    }
    Ok(())
}

#[derive(Default)]
struct Done {
    partitions: usize,
    converted: bool,
    segments: u64,
    rows: u64,
    finished: u64,
    behind: u64,
    unsettled: bool,
}

async fn seal(
    pool: &PgPool,
    table: &'static Table,
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> Result<Done, Failure> {
    let mut done = Done::default();
    let made = maintenance::precreate_partitions(pool, table, &PrecreateOptions::default()).await?;
    done.partitions = made.created.len();
    done.converted = made.split.is_some();
    let mut sealer = Sealer::new(table, DEFAULT_SEGMENT)?;
    let mut sealed_ids = 0;
    while !interrupt.is_set() {
        let mut conn = pool.acquire().await?;
        match sealer.step(&mut conn, TRANSACTION_TIMEOUT).await? {
            Step::Sealed {
                first_id,
                last_id,
                rows,
                behind,
                ..
            } => {
                done.segments += 1;
                done.rows += rows;
                sealed_ids += last_id.abs_diff(first_id);
                bar.set_length(sealed_ids + behind);
                bar.set_position(sealed_ids);
                bar.set_message(format!("{}: {} records", table.name(), grouped(done.rows)));
            }
            Step::Done { behind, .. } => {
                done.behind = behind;
                break;
            }
            Step::Unsettled => {
                done.unsettled = true;
                break;
            }
            _ => {
                bar.set_message(format!("{}: another process is sealing", table.name()));
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }
    while !interrupt.is_set() {
        bar.set_message(format!("{}: finishing partitions", table.name()));
        if maintenance::freeze_partition(pool, table).await?.is_none() {
            break;
        }
        done.finished += 1;
    }
    Ok(done)
}

impl Done {
    fn in_words(&self, table: &Table) -> String {
        let mut words = Vec::new();
        if self.converted {
            words.push("the default partition is one of its ids now".to_owned());
        }
        if self.partitions > 0 {
            words.push(format!(
                "{} made",
                counted(self.partitions as u64, "partition")
            ));
        }
        if self.segments > 0 {
            words.push(format!(
                "{} sealed, {}",
                counted(self.segments, "segment"),
                counted(self.rows, "record")
            ));
        }
        if self.finished > 0 {
            words.push(format!("{} finished", counted(self.finished, "partition")));
        }
        if words.is_empty() {
            words.push("nothing to do".to_owned());
        }
        if self.unsettled {
            words.push(
                "the rest waits for a transaction that was begun before and may still write"
                    .to_owned(),
            );
        } else if self.behind > 0 {
            words.push(format!(
                "{} left, less than a segment",
                counted(self.behind, "id")
            ));
        }
        format!("{}: {}", table.name(), words.join("; "))
    }
}

/// Maintains the tables until interrupted.
pub(super) async fn watch(config: &Config, kind: Option<Kind>) -> Result<(), Failure> {
    let pool = database::pool(config, 3).await?;
    let mut options = MaintenanceOptions::default();
    options.tables = tables(kind);
    let bar = output::spinner("{spinner} {msg}  {elapsed}");
    bar.set_message("looking");
    let mut worker = MaintenanceWorker::spawn(pool, options)?;
    bar.suspend(|| output::note("keeping the tables; Ctrl-C ends it"));
    let mut failed = None;
    loop {
        let stats = tokio::select! {
            stats = worker.changed() => stats,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
        };
        if stats.last_error != failed {
            failed.clone_from(&stats.last_error);
            if let Some(problem) = &failed {
                bar.suspend(|| output::warning(&format!("{problem}; it is retried")));
            }
        }
        bar.set_message(format!(
            "{} sealed, {} behind",
            counted(stats.sealed_rows, "record"),
            counted(stats.unsealed_ids, "id")
        ));
    }
    let stats = worker.stop().await;
    bar.finish_and_clear();
    output::note(&format!(
        "{} made, {} sealed ({}), {} finished",
        counted(stats.created_partitions, "partition"),
        counted(stats.sealed_segments, "segment"),
        counted(stats.sealed_rows, "record"),
        counted(stats.frozen_partitions, "partition"),
    ));
    Ok(())
}
