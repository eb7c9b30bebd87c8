//! The maintenance worker: a background task that does all maintenance.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::freezing::freeze_within;
use super::retention::purge_orphans;
use super::{
    PrecreateOptions, PrunePlan, PruneReport, RetentionPolicy, cutoff_clock, maintain_rollups,
    plan_prune, precreate_partitions, prune,
};
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::{Model as _, Table};
use crate::search::index::{DEFAULT_SEGMENT, SealStep, Sealer};
use crate::tables::{Log, RequestSnapshot};

/// How long sealing continues, apart from its last step, before partitions are checked again.
const ROUND_LIMIT: Duration = Duration::from_secs(1);

/// Sealing is far behind with more unsealed segments than this.
const BACKLOG_SEGMENTS: u64 = 8;

/// How many segments are sealed together while sealing is far behind.
///
/// Searches read unsealed records one by one, so sealing takes precedence then, at the
/// cost of some of the rate of inserts.
const SEGMENTS_AT_ONCE: usize = 3;

/// Pause after a partition could not be frozen because others held its locks.
const FREEZE_RETRY_DELAY: Duration = Duration::from_secs(10);

/// The longest pause after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Options of a [`MaintenanceWorker`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MaintenanceOptions {
    /// The tables to maintain; `logs` and `request_snapshots` by default.
    pub tables: Vec<&'static Table>,
    /// The partitions to pre-create.
    pub precreate: PrecreateOptions,
    /// Whether records are sealed, and full partitions frozen; true by default.
    pub seals: bool,
    /// The number of ids per segment that is sealed; [`DEFAULT_SEGMENT`] by default.
    pub segment_ids: i64,
    /// The pause when there is nothing to do; 1 s by default.
    pub idle_pause: Duration,
    /// The pause after a step, as a multiple of the step's duration; 1 by default, so
    /// that half of one connection's time is left to others. There is no pause while
    /// sealing is more than eight segments behind.
    pub rest_ratio: f64,
    /// The retention policies, applied every [`prune_interval`](Self::prune_interval);
    /// none by default.
    pub retention: Vec<(&'static Table, RetentionPolicy)>,
    /// The time between two rounds of pruning; 10 minutes by default.
    pub prune_interval: Duration,
}

impl Default for MaintenanceOptions {
    fn default() -> Self {
        Self {
            tables: vec![Log::TABLE, RequestSnapshot::TABLE],
            precreate: PrecreateOptions::default(),
            seals: true,
            segment_ids: DEFAULT_SEGMENT,
            idle_pause: Duration::from_secs(1),
            rest_ratio: 1.0,
            retention: Vec::new(),
            prune_interval: Duration::from_secs(600),
        }
    }
}

/// Totals of a [`MaintenanceWorker`] since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaintenanceStats {
    /// The number of partitions created, by pre-creating or splitting.
    pub created_partitions: u64,
    /// The number of segments sealed.
    pub sealed_segments: u64,
    /// The number of records in them.
    pub sealed_rows: u64,
    /// The number of ids of all its tables that were not sealed at its last check.
    pub unsealed_ids: u64,
    /// Whether sealing of a table was far behind at its last check, by more than eight segments.
    pub is_behind: bool,
    /// The number of partitions frozen.
    pub frozen_partitions: u64,
    /// The number of partitions dropped by pruning.
    pub dropped_partitions: u64,
    /// The number of rounds that found nothing to do.
    pub idle_rounds: u64,
    /// The error of the last round, which is retried; `None` once a round succeeded.
    pub last_error: Option<String>,
}

/// A background task that pre-creates partitions, seals, freezes and prunes.
///
/// Any number of processes may run one: each step is done by one of them.
///
/// It works on at most two connections of the pool, one step at a time, and can be
/// killed at any step. Failures are retried, with pauses that get longer. If the worker
/// is dropped, the task ends after its current step.
///
/// ```no_run
/// use lookback::maintenance::{MaintenanceOptions, MaintenanceWorker};
///
/// # async fn run(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
/// let worker = MaintenanceWorker::spawn(pool, MaintenanceOptions::default())?;
/// // …
/// worker.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MaintenanceWorker {
    stop: watch::Sender<bool>,
    stats: watch::Receiver<MaintenanceStats>,
    task: JoinHandle<()>,
}

impl MaintenanceWorker {
    /// Starts a worker on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a table that cannot be sealed.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn spawn(pool: PgPool, options: MaintenanceOptions) -> Result<Self, Error> {
        let sealers = options
            .tables
            .iter()
            .map(|table| Sealer::new(table, options.segment_ids))
            .collect::<Result<Vec<_>, _>>()?;
        let (stop, stopped) = watch::channel(false);
        let (stats_sender, stats) = watch::channel(MaintenanceStats::default());
        let task = WorkerTask {
            pool,
            unsealed_ids: vec![0; sealers.len()],
            last_pruned: None,
            freeze_after: None,
            options,
            stopped,
            stats: stats_sender,
        };
        let task = tokio::spawn(task.run(sealers));
        Ok(Self { stop, stats, task })
    }

    /// Returns the totals so far.
    pub fn stats(&self) -> MaintenanceStats {
        self.stats.borrow().clone()
    }

    /// Returns what has the totals, also after the worker has stopped.
    pub fn observer(&self) -> MaintenanceObserver {
        MaintenanceObserver(self.stats.clone())
    }

    /// Waits until the totals change, and returns them.
    pub async fn changed(&mut self) -> MaintenanceStats {
        // An error means that the task has ended, and nothing changes any more.
        if self.stats.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.stats.borrow_and_update().clone()
    }

    /// Stops after the current step, and returns the totals.
    pub async fn stop(self) -> MaintenanceStats {
        let _ = self.stop.send(true);
        let _ = self.task.await;
        self.stats.borrow().clone()
    }
}

/// The totals of a [`MaintenanceWorker`], for another part of a program.
#[derive(Clone, Debug)]
pub struct MaintenanceObserver(watch::Receiver<MaintenanceStats>);

impl MaintenanceObserver {
    /// Returns the totals so far.
    pub fn stats(&self) -> MaintenanceStats {
        self.0.borrow().clone()
    }
}

struct WorkerTask {
    pool: PgPool,
    options: MaintenanceOptions,
    stopped: watch::Receiver<bool>,
    stats: watch::Sender<MaintenanceStats>,
    /// Per table.
    unsealed_ids: Vec<u64>,
    /// When pruning last began.
    last_pruned: Option<Instant>,
    /// No partition is frozen before this time.
    freeze_after: Option<Instant>,
}

impl WorkerTask {
    async fn run(mut self, mut sealers: Vec<Sealer>) {
        let mut failures = 0_u32;
        while !self.is_stopped() {
            match self.round(&mut sealers).await {
                Ok(did) => {
                    failures = 0;
                    self.update_stats(|stats| {
                        stats.last_error = None;
                        stats.idle_rounds += u64::from(!did);
                    });
                    if !did {
                        self.pause(self.options.idle_pause).await;
                    }
                }
                Err(error) => {
                    self.update_stats(|stats| stats.last_error = Some(error.to_string()));
                    let pause = self.options.idle_pause * 2_u32.saturating_pow(failures.min(10));
                    failures += 1;
                    self.pause(pause.min(MAX_PAUSE)).await;
                }
            }
        }
    }

    /// Maintains each table, then prunes; returns whether there was anything to do.
    ///
    /// A failure for one table does not prevent the maintenance of others.
    async fn round(&mut self, sealers: &mut [Sealer]) -> Result<bool, Error> {
        let mut did = false;
        let mut failed = None;
        for (index, sealer) in sealers.iter_mut().enumerate() {
            if self.is_stopped() {
                break;
            }
            match self.maintain(index, sealer).await {
                Ok(more) => did |= more,
                Err(error) => failed = Some(error),
            }
        }
        if let Err(error) = self.prune_if_due().await {
            failed = Some(error);
        }
        failed.map_or(Ok(did), Err)
    }

    /// Does a step of each kind for one table; returns whether there was anything to do.
    async fn maintain(&mut self, index: usize, sealer: &mut Sealer) -> Result<bool, Error> {
        let table = sealer.table();
        let started = Instant::now();
        // First of all, because it keeps rows out of the default partition.
        let mut did = self.precreate(table).await?;
        if !self.options.seals {
            return Ok(did);
        }
        // Searches read unsealed records one by one, so sealing comes before freezing, which takes
        // seconds per partition.
        did |= self.seal(index, sealer, started).await?;
        if !self.is_far_behind(index) {
            did |= self.purge_orphans(table).await?;
            did |= maintain_rollups(&self.pool, table).await?;
            did |= self.freeze(table).await?;
            if did {
                let rest = self.options.rest_ratio.clamp(0.0, 1e3);
                self.pause(started.elapsed().mul_f64(rest)).await;
            }
        }
        Ok(did)
    }

    async fn precreate(&self, table: &'static Table) -> Result<bool, Error> {
        let report = precreate_partitions(&self.pool, table, &self.options.precreate).await?;
        let created = report.created.len() as u64 + u64::from(report.split.is_some());
        if created > 0 {
            self.update_stats(|stats| stats.created_partitions += created);
        }
        Ok(created > 0)
    }

    /// Seals a step, or more while sealing is far behind.
    async fn seal(
        &mut self,
        index: usize,
        sealer: &mut Sealer,
        started: Instant,
    ) -> Result<bool, Error> {
        let mut did = false;
        loop {
            let at_once = if self.is_far_behind(index) {
                SEGMENTS_AT_ONCE
            } else {
                1
            };
            let idle_pause = self.options.idle_pause;
            match sealer.steps(&self.pool, at_once, idle_pause).await? {
                SealStep::Sealed {
                    segments,
                    rows,
                    behind,
                    ..
                } => {
                    did = true;
                    self.unsealed_ids[index] = behind;
                    self.update_unsealed_ids(|stats| {
                        stats.sealed_segments += segments;
                        stats.sealed_rows += rows;
                    });
                    // Without a pause while it is far behind, up to the next check of partitions.
                    let goes_on = self.is_far_behind(index) && started.elapsed() < ROUND_LIMIT;
                    if goes_on && !self.is_stopped() {
                        continue;
                    }
                }
                SealStep::Done { behind } => {
                    self.unsealed_ids[index] = behind;
                    self.update_unsealed_ids(|_| {});
                }
                // Another process is sealing.
                _ => {}
            }
            return Ok(did);
        }
    }

    /// Whether more segments than [`BACKLOG_SEGMENTS`] of a table are not sealed.
    fn is_far_behind(&self, index: usize) -> bool {
        let segment_ids = self.options.segment_ids.unsigned_abs();
        self.unsealed_ids[index] > BACKLOG_SEGMENTS * segment_ids
    }

    /// Deletes orphans that an interrupted prune has left.
    async fn purge_orphans(&self, table: &'static Table) -> Result<bool, Error> {
        let mut session = CloseOnDrop::new(Db::from(&self.pool).session().await?);
        let purged = purge_orphans(session.conn(), table, Duration::ZERO).await;
        session.release();
        purged
    }

    async fn freeze(&mut self, table: &'static Table) -> Result<bool, Error> {
        if self.freeze_after.is_some_and(|time| time > Instant::now()) {
            return Ok(false);
        }
        match freeze_within(&self.pool, table, ROUND_LIMIT).await {
            Ok(None) => Ok(false),
            Ok(Some(_)) => {
                self.update_stats(|stats| stats.frozen_partitions += 1);
                Ok(true)
            }
            // Others hold the partition, such as an autovacuum; freezing can wait.
            Err(error) if error.is_timeout() => {
                self.freeze_after = Some(Instant::now() + FREEZE_RETRY_DELAY);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn prune_if_due(&mut self) -> Result<(), Error> {
        let is_due = self
            .last_pruned
            .is_none_or(|at| at.elapsed() >= self.options.prune_interval);
        if !is_due || self.options.retention.is_empty() {
            return Ok(());
        }
        self.last_pruned = Some(Instant::now());
        for (table, policy) in self.options.retention.clone() {
            if self.is_stopped() {
                break;
            }
            let mut session = CloseOnDrop::new(Db::from(&self.pool).session().await?);
            let stopped = self.stopped.clone();
            let mut on_progress = move |_: &PruneReport| {
                if *stopped.borrow() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let conn = session.conn();
            let report = match plan_now(conn, table, &policy).await {
                Ok(plan) if plan.is_empty() && !plan.is_overdue() => Ok(PruneReport::default()),
                Ok(plan) => prune(conn, table, &plan, &mut on_progress).await,
                Err(error) => Err(error),
            };
            session.release();
            let report = report?;
            self.update_stats(|stats| stats.dropped_partitions += report.dropped_partitions);
        }
        Ok(())
    }

    fn update_stats(&self, change: impl FnOnce(&mut MaintenanceStats)) {
        self.stats.send_if_modified(|stats| {
            let before = stats.clone();
            change(stats);
            *stats != before
        });
    }

    fn update_unsealed_ids(&self, change: impl FnOnce(&mut MaintenanceStats)) {
        let unsealed_ids = self.unsealed_ids.iter().sum();
        let is_behind = (0..self.unsealed_ids.len()).any(|index| self.is_far_behind(index));
        self.update_stats(|stats| {
            change(stats);
            stats.unsealed_ids = unsealed_ids;
            stats.is_behind = is_behind;
        });
    }

    /// Whether a stop was requested, or the [`MaintenanceWorker`] was dropped.
    fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    /// Waits, unless a stop is requested.
    async fn pause(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, self.stopped.changed()).await;
    }
}

async fn plan_now(
    conn: &mut PgConnection,
    table: &'static Table,
    policy: &RetentionPolicy,
) -> Result<PrunePlan, Error> {
    let now = cutoff_clock(conn).await?;
    plan_prune(conn, table, policy, now).await
}
