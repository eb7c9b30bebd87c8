//! `storage seal`

use std::time::Duration;

use indicatif::ProgressBar;
use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::maintenance::{self, MaintenanceOptions, MaintenanceWorker, PrecreateOptions};
use lookback::table::Table;
use sqlx::PgPool;

use super::interrupt::Interrupt;
use super::tables;
use crate::args::Kind;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted};

/// The longest wait for transactions that may still write records of a segment.
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
        let report = seal(pool, table, interrupt).await;
        output::note(&report?.describe(table));
        interrupt.check("seal")?;
    }
    Ok(())
}

/// The progress of sealing a table on a terminal, which ends with it.
pub(crate) struct SealingBar {
    bar: ProgressBar,
    label: String,
    ids: u64,
    rows: u64,
}

impl SealingBar {
    pub(crate) fn new(label: String) -> Self {
        let bar = output::bar(0);
        bar.set_message(label.clone());
        Self {
            bar,
            label,
            ids: 0,
            rows: 0,
        }
    }

    /// Adds a step that sealed segments.
    pub(crate) fn add(&mut self, step: &SealStep) {
        let SealStep::Sealed {
            first_id,
            last_id,
            rows,
            behind,
            ..
        } = step
        else {
            return;
        };
        self.ids += last_id.abs_diff(*first_id);
        self.rows += rows;
        self.bar.set_length(self.ids + behind);
        self.bar.set_position(self.ids);
        self.say(&counted(self.rows, "record"));
    }

    fn say(&self, what: &str) {
        self.bar.set_message(format!("{}: {what}", self.label));
    }
}

impl Drop for SealingBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[derive(Default)]
struct SealReport {
    partitions: usize,
    split: bool,
    segments: u64,
    rows: u64,
    frozen: u64,
    behind: u64,
    unsettled: bool,
}

async fn seal(
    pool: &PgPool,
    table: &'static Table,
    interrupt: &Interrupt,
) -> Result<SealReport, Failure> {
    let mut bar = SealingBar::new(table.name().to_owned());
    let mut report = SealReport::default();
    let precreated =
        maintenance::precreate_partitions(pool, table, &PrecreateOptions::default()).await?;
    report.partitions = precreated.created.len();
    report.split = precreated.split.is_some();
    let mut sealer = Sealer::new(table, DEFAULT_SEGMENT)?;
    while !interrupt.is_set() {
        let mut conn = pool.acquire().await?;
        match sealer.step(&mut conn, TRANSACTION_TIMEOUT).await? {
            step @ SealStep::Sealed { segments, rows, .. } => {
                report.segments += segments;
                report.rows += rows;
                bar.add(&step);
            }
            SealStep::Done { behind, .. } => {
                report.behind = behind;
                break;
            }
            SealStep::Unsettled => {
                report.unsettled = true;
                break;
            }
            _ => {
                bar.say("another process is sealing");
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }
    while !interrupt.is_set() && maintenance::maintain_rollups(pool, table).await? {
        bar.say("counting records");
    }
    while !interrupt.is_set() {
        bar.say("freezing partitions");
        if maintenance::freeze_partition(pool, table).await?.is_none() {
            break;
        }
        report.frozen += 1;
    }
    Ok(report)
}

impl SealReport {
    fn describe(&self, table: &Table) -> String {
        let mut words = Vec::new();
        if self.split {
            words.push("default partition split".to_owned());
        }
        if self.partitions > 0 {
            words.push(format!(
                "{} created",
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
        if self.frozen > 0 {
            words.push(format!("{} frozen", counted(self.frozen, "partition")));
        }
        if words.is_empty() {
            words.push("nothing to do".to_owned());
        }
        if self.unsettled {
            words.push("the rest waits for an earlier transaction that may still write".to_owned());
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
    bar.set_message("checking");
    let mut worker = MaintenanceWorker::spawn(pool, options)?;
    bar.suspend(|| output::note("maintaining the tables; Ctrl-C stops"));
    let mut last_error = None;
    loop {
        let stats = tokio::select! {
            stats = worker.changed() => stats,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
        };
        if stats.last_error != last_error {
            last_error.clone_from(&stats.last_error);
            if let Some(problem) = &last_error {
                bar.suspend(|| output::warning(&format!("{problem}; retrying")));
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
        "{} created, {} sealed ({}), {} frozen",
        counted(stats.created_partitions, "partition"),
        counted(stats.sealed_segments, "segment"),
        counted(stats.sealed_rows, "record"),
        counted(stats.frozen_partitions, "partition"),
    ));
    Ok(())
}
