//! The worker that does all of this in the background.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clean::clean;
use super::finish::finish_within;
use super::{
    AheadOptions, Policy, Retained, Retention, make_ahead, plan_retention, retain, retention_now,
};
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::{Model as _, Table};
use crate::search::index::{DEFAULT_SEGMENT, Sealer, Step};
use crate::tables::{Log, RequestSnapshot};

/// A round is not longer than this, if steps are not: so often partitions are
/// looked at.
const ROUND: Duration = Duration::from_secs(1);

/// Sealing is far behind if so many segments are not sealed.
const FAR: u64 = 8;

/// How many segments are sealed together where sealing is far behind: what is read
/// one by one by a search comes first then, at the cost of some of what is taken
/// in.
const AT_ONCE: usize = 3;

/// When it is tried again to finish a partition that others were at.
const FINISH_AGAIN: Duration = Duration::from_secs(10);

/// The longest pause after something that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a [`Keeper`] does, and how fast.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeeperOptions {
    /// The tables that it keeps; by default `logs` and `request_snapshots`.
    pub tables: Vec<&'static Table>,
    /// The partitions that it makes.
    pub ahead: AheadOptions,
    /// How many ids a segment has that it seals; [`DEFAULT_SEGMENT`] by default.
    pub segment: i64,
    /// How long it waits when there is nothing to do; 1 s by default.
    pub idle: Duration,
    /// How long it rests after a step, as a multiple of what the step took; 1
    /// by default, so that half of one connection's time is for others. It does
    /// not rest while sealing is behind by more than eight segments.
    pub rest: f64,
    /// What goes; nothing by default. Looked at every
    /// [`retain_every`](Self::retain_every).
    pub retention: Vec<(&'static Table, Policy)>,
    /// 10 minutes by default.
    pub retain_every: Duration,
}

impl Default for KeeperOptions {
    fn default() -> Self {
        Self {
            tables: vec![Log::TABLE, RequestSnapshot::TABLE],
            ahead: AheadOptions::default(),
            segment: DEFAULT_SEGMENT,
            idle: Duration::from_secs(1),
            rest: 1.0,
            retention: Vec::new(),
            retain_every: Duration::from_secs(600),
        }
    }
}

/// What a [`Keeper`] has done since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// Partitions that it made.
    pub partitions: u64,
    /// Segments that it sealed.
    pub segments: u64,
    /// Records in them.
    pub sealed_rows: u64,
    /// Ids that were not sealed when it looked last, of all its tables.
    pub behind: u64,
    /// Partitions that it finished.
    pub finished: u64,
    /// Partitions that retention dropped.
    pub dropped: u64,
    /// Times that it found nothing to do.
    pub idle: u64,
    /// What failed last, and is tried again: the table and the error. `None`
    /// once all went well again.
    pub failed: Option<String>,
}

/// A worker that makes partitions ahead of need, seals, finishes, and takes what
/// retention says. Any process may have one, and any number of processes: each
/// step is done by one of them.
///
/// It works on connections of the pool, two at most, one step at a time, and
/// can be killed at any of them. What fails is tried again, with longer pauses.
/// Dropped, it ends after the step that it is at.
///
/// ```no_run
/// use lookback::maintenance::{Keeper, KeeperOptions};
///
/// # async fn run(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
/// let keeper = Keeper::spawn(pool, KeeperOptions::default())?;
/// // …
/// keeper.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Keeper {
    stop: watch::Sender<bool>,
    kept: watch::Receiver<Kept>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins to work, in the tokio runtime that this is called in.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a table that cannot be sealed.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn(pool: PgPool, options: KeeperOptions) -> Result<Self, Error> {
        let sealers = options
            .tables
            .iter()
            .map(|table| Sealer::new(table, options.segment))
            .collect::<Result<Vec<_>, _>>()?;
        let (stop, stopped) = watch::channel(false);
        let (say, kept) = watch::channel(Kept::default());
        let worker = Worker {
            pool,
            behind: vec![0; sealers.len()],
            retained: None,
            not_before: None,
            options,
            stopped,
            say,
        };
        let task = tokio::spawn(worker.run(sealers));
        Ok(Self { stop, kept, task })
    }

    /// What it has done so far.
    pub fn kept(&self) -> Kept {
        self.kept.borrow().clone()
    }

    /// Waits until it has done something, or failed, and returns what it has
    /// done so far.
    pub async fn changed(&mut self) -> Kept {
        // An error means that it has ended, and nothing changes any more.
        if self.kept.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.kept.borrow_and_update().clone()
    }

    /// Ends after the step that it is at, and returns what it did.
    pub async fn stop(self) -> Kept {
        let _ = self.stop.send(true);
        let _ = self.task.await;
        self.kept.borrow().clone()
    }
}

struct Worker {
    pool: PgPool,
    options: KeeperOptions,
    stopped: watch::Receiver<bool>,
    say: watch::Sender<Kept>,
    /// Of each table.
    behind: Vec<u64>,
    /// When retention was last looked at.
    retained: Option<Instant>,
    /// No partition is finished before.
    not_before: Option<Instant>,
}

impl Worker {
    async fn run(mut self, mut sealers: Vec<Sealer>) {
        let mut failures = 0_u32;
        while !self.is_stopped() {
            match self.round(&mut sealers).await {
                Ok(did) => {
                    failures = 0;
                    self.tell(|kept| {
                        kept.failed = None;
                        kept.idle += u64::from(!did);
                    });
                    if !did {
                        self.pause(self.options.idle).await;
                    }
                }
                Err(error) => {
                    self.tell(|kept| kept.failed = Some(error.to_string()));
                    let pause = self.options.idle * 2_u32.saturating_pow(failures.min(10));
                    failures += 1;
                    self.pause(pause.min(LONGEST_PAUSE)).await;
                }
            }
        }
    }

    /// What there is to do for each table, a step of it; whether there was
    /// anything. What fails for one table does not keep it from the others.
    async fn round(&mut self, sealers: &mut [Sealer]) -> Result<bool, Error> {
        let mut did = false;
        let mut failed = None;
        for (place, sealer) in sealers.iter_mut().enumerate() {
            if self.is_stopped() {
                break;
            }
            match self.step(place, sealer).await {
                Ok(more) => did |= more,
                Err(error) => failed = Some(error),
            }
        }
        if let Err(error) = self.retain().await {
            failed = Some(error);
        }
        failed.map_or(Ok(did), Err)
    }

    async fn step(&mut self, place: usize, sealer: &mut Sealer) -> Result<bool, Error> {
        let table = sealer.table();
        let clock = Instant::now();
        // Before all else: it is what keeps rows out of the default partition.
        let made = make_ahead(&self.pool, table, &self.options.ahead).await?;
        let made = made.partitions.len() as u64 + u64::from(made.converted.is_some());
        if made > 0 {
            self.tell(|kept| kept.partitions += made);
        }
        // What is not sealed is read one by one by searches, and comes before partitions are
        // finished, which takes seconds of each.
        let far = FAR * self.options.segment.unsigned_abs();
        let mut did = made > 0;
        loop {
            let at_once = match self.behind[place] > far {
                true => AT_ONCE,
                false => 1,
            };
            match sealer.steps(&self.pool, at_once, self.options.idle).await? {
                Step::Sealed {
                    segments,
                    rows,
                    behind,
                    ..
                } => {
                    did = true;
                    self.behind[place] = behind;
                    self.tell_behind(|kept| {
                        kept.segments += segments;
                        kept.sealed_rows += rows;
                    });
                    // One after the other while it is far behind, up to the next look at the
                    // partitions.
                    if behind > far && clock.elapsed() < ROUND && !self.is_stopped() {
                        continue;
                    }
                }
                Step::Done { behind } => {
                    self.behind[place] = behind;
                    self.tell_behind(|_| {});
                }
                // Another one is at it.
                _ => {}
            }
            break;
        }
        if self.behind[place] <= far {
            // What a retention that was killed has left.
            let mut session = CloseOnDrop::new(Db::from(&self.pool).session().await?);
            let cleaned = clean(session.conn(), table, Duration::ZERO).await;
            session.release();
            did |= cleaned?;
        }
        let may_finish = self.not_before.is_none_or(|time| time <= Instant::now());
        if self.behind[place] <= far && may_finish {
            match finish_within(&self.pool, table, ROUND).await {
                Ok(None) => {}
                Ok(Some(_)) => {
                    did = true;
                    self.tell(|kept| kept.finished += 1);
                }
                // Others are at the partition, such as an autovacuum; it is not what counts.
                Err(error) if error.is_timeout() => {
                    self.not_before = Some(Instant::now() + FINISH_AGAIN);
                }
                Err(error) => return Err(error),
            }
        }
        if did && self.behind[place] <= far {
            self.pause(clock.elapsed().mul_f64(self.options.rest.clamp(0.0, 1e3)))
                .await;
        }
        Ok(did)
    }

    async fn retain(&mut self) -> Result<(), Error> {
        let is_due = self
            .retained
            .is_none_or(|at| at.elapsed() >= self.options.retain_every);
        if !is_due || self.options.retention.is_empty() {
            return Ok(());
        }
        self.retained = Some(Instant::now());
        for (table, policy) in self.options.retention.clone() {
            if self.is_stopped() {
                break;
            }
            let mut session = CloseOnDrop::new(Db::from(&self.pool).session().await?);
            let stopped = self.stopped.clone();
            let mut go_on = move |_: &Retained| match *stopped.borrow() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            let conn = session.conn();
            let done = match plan_now(conn, table, &policy).await {
                Ok(plan) if plan.is_empty() && !plan.of.is_overdue => Ok(Retained::default()),
                Ok(plan) => retain(conn, table, &plan, &mut go_on).await,
                Err(error) => Err(error),
            };
            session.release();
            let done = done?;
            self.tell(|kept| kept.dropped += done.partitions);
        }
        Ok(())
    }

    fn tell(&self, change: impl FnOnce(&mut Kept)) {
        self.say.send_if_modified(|kept| {
            let before = kept.clone();
            change(kept);
            *kept != before
        });
    }

    fn tell_behind(&self, change: impl FnOnce(&mut Kept)) {
        let behind = self.behind.iter().sum();
        self.tell(|kept| {
            change(kept);
            kept.behind = behind;
        });
    }

    /// Whether it was told to stop, or whoever could tell it is gone.
    fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    /// Waits, unless it is told to stop.
    async fn pause(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, self.stopped.changed()).await;
    }
}

async fn plan_now(
    conn: &mut PgConnection,
    table: &'static Table,
    policy: &Policy,
) -> Result<Retention, Error> {
    let now = retention_now(conn).await?;
    plan_retention(conn, table, policy, now).await
}
