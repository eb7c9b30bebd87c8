//! Stores the batches of an import, until its end, a failure or a signal.

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Offset as _, Utc};
use lookback::maintenance::{self, PrecreateOptions};
use lookback::query::Imported;
use lookback::{Log, Metric, Model, RequestSnapshot, User};
use sqlx::{Connection as _, PgPool};
use tokio::sync::mpsc;

use super::checkpoint::{self, Checkpoint};
use super::connection::Connection;
use super::content::Content;
use super::encoder::{self, Encoded, EncodedBatch};
use super::input::Input;
use super::interrupt::Interrupt;
use super::lines::Lines;
use super::progress::ImportProgress;
use super::reader::{self, Batch, Outcome, ReadOptions, Rejected};
use super::rejects::Rejects;
use super::report::Summary;
use super::session::advise_to_start;
use super::store::{StoredBatch, store};
use super::{INTERRUPT_TIMEOUT, entries};
use crate::args::{ImportArgs, ImportKind};
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

/// The number of batches that are read ahead of the current one.
const MAX_BATCHES_AHEAD: usize = 1;

/// The time limit for storing what a stream has sent, which is nowhere else, after an interrupt:
/// below the 30 seconds that Kubernetes and systemd wait before they kill.
const STREAM_TIMEOUT: Duration = Duration::from_secs(25);

/// Imports the rest of an input, of whatever content. Returns what was stored, and how it ended.
pub(super) async fn import_content(
    source: ImportSource<'_>,
    checkpoint: &mut Checkpoint,
    conn: &mut Connection,
    interrupt: &mut Interrupt,
) -> (Summary, Result<ImportEnd, Failure>) {
    match checkpoint.content {
        Content::Records(ImportKind::Logs) => {
            import::<Log>(source, checkpoint, conn, interrupt, spawn_reader::<Log>).await
        }
        Content::Records(ImportKind::Requests) => {
            import::<RequestSnapshot>(
                source,
                checkpoint,
                conn,
                interrupt,
                spawn_reader::<RequestSnapshot>,
            )
            .await
        }
        Content::Records(ImportKind::Metrics) => {
            import::<Metric>(source, checkpoint, conn, interrupt, spawn_reader::<Metric>).await
        }
        Content::Records(ImportKind::Users) => {
            import::<User>(source, checkpoint, conn, interrupt, spawn_reader::<User>).await
        }
        Content::Entries => {
            let decoding = decoding(source.args, source.input);
            let is_strict = source.args.is_strict();
            let spawn =
                move |lines, options| spawn_entry_reader(lines, options, decoding, is_strict);
            import::<Log>(source, checkpoint, conn, interrupt, spawn).await
        }
    }
}

/// The end of an import without a failure.
#[derive(Debug)]
pub(super) enum ImportEnd {
    Done,
    /// All lines were rejected, and nothing is stored.
    AllRejected,
    /// The last line is incomplete; the import stopped before it.
    Unfinished,
    /// The import stopped at an invalid line.
    Stopped(Rejected),
    Interrupted,
}

/// What an import reads, and how.
pub(super) struct ImportSource<'a> {
    pub(super) config: &'a Config,
    pub(super) args: &'a ImportArgs,
    pub(super) input: &'a Input,
    pub(super) rejects: Rejects,
    pub(super) lines: Lines,
    /// For the partitions of records that keep their ids.
    pub(super) pool: PgPool,
    /// Whether it waits for a database that is away.
    pub(super) waits: bool,
}

async fn import<M: Model>(
    source: ImportSource<'_>,
    checkpoint: &mut Checkpoint,
    conn: &mut Connection,
    interrupt: &mut Interrupt,
    spawn_reader: impl FnOnce(Lines, ReadOptions) -> Batches<M>,
) -> (Summary, Result<ImportEnd, Failure>) {
    let ImportSource {
        config,
        args,
        input,
        rejects,
        lines,
        pool,
        waits,
    } = source;
    let mut run = ImportRun {
        config,
        begun: Utc::now(),
        args,
        rejects,
        progress: ImportProgress::new(input, checkpoint.position()),
        summary: Summary::default(),
        partitions: PartitionsAhead::new::<M>(pool),
        checkpoint,
        conn,
        input,
        waits,
    };
    let batches = spawn_reader(
        lines,
        ReadOptions {
            size: args.batch as usize,
            on_error: args.on_error(),
            resumable: input.known_name().is_some(),
            format: input.format(),
            keep_ids: args.keep_ids,
            is_stream: !input.is_file(),
        },
    );
    let ended = run.run::<M>(encoder::spawn::<M>(batches), interrupt).await;
    run.progress.finish();
    (run.summary, ended)
}

type Batches<M> = mpsc::Receiver<Result<Batch<<M as Model>::New>, Failure>>;

/// Spawns a thread that reads batches.
///
/// The thread ends when the receiver is dropped. While it waits for input, it ends only with the
/// process.
fn spawn_reader<M: Model>(lines: Lines, rules: ReadOptions) -> Batches<M> {
    let (sender, batches) = mpsc::channel(MAX_BATCHES_AHEAD);
    std::thread::spawn(move || {
        reader::read::<M::New>(lines, rules, |batch| sender.blocking_send(batch).is_ok());
    });
    batches
}

/// How lines of other programs are decoded.
pub(super) fn decoding(args: &ImportArgs, input: &Input) -> lookback_formats::Options {
    lookback_formats::Options {
        source: args.source.clone().unwrap_or_else(|| input.stem()),
        offset: args.timezone.unwrap_or_else(|| Utc.fix()),
        now: Utc::now(),
        format: args.other_format(),
        names: args.map.clone().unwrap_or_default(),
        time_unit: args.time_unit,
    }
}

/// Spawns a thread that decodes lines of other programs.
fn spawn_entry_reader(
    lines: Lines,
    rules: ReadOptions,
    decoding: lookback_formats::Options,
    is_strict: bool,
) -> Batches<Log> {
    let (sender, batches) = mpsc::channel(MAX_BATCHES_AHEAD);
    std::thread::spawn(move || {
        entries::read(lines, rules, decoding, is_strict, |batch| {
            sender.blocking_send(batch).is_ok()
        });
    });
    batches
}

/// A running import.
struct ImportRun<'a> {
    config: &'a Config,
    /// The time of this process, before the first batch.
    begun: DateTime<Utc>,
    args: &'a ImportArgs,
    rejects: Rejects,
    progress: ImportProgress,
    summary: Summary,
    partitions: PartitionsAhead,
    checkpoint: &'a mut Checkpoint,
    conn: &'a mut Connection,
    input: &'a Input,
    waits: bool,
}

impl ImportRun<'_> {
    async fn run<M: Model>(
        &mut self,
        mut batches: mpsc::Receiver<Result<EncodedBatch<M>, Failure>>,
        interrupt: &mut Interrupt,
    ) -> Result<ImportEnd, Failure> {
        let mut is_interrupted = false;
        let limit = if self.input.is_file() {
            INTERRUPT_TIMEOUT
        } else {
            STREAM_TIMEOUT
        };
        // Of what a stream has sent before the first signal, for all of its batches.
        let mut deadline = None;
        loop {
            let batch = tokio::select! {
                biased;
                () = interrupt.next() => {
                    // What a stream has sent is nowhere else: it is stored before the end.
                    if self.input.is_file() || is_interrupted {
                        return Ok(ImportEnd::Interrupted);
                    }
                    is_interrupted = true;
                    deadline = Some(tokio::time::Instant::now() + limit);
                    self.input.end_stream();
                    continue;
                }
                batch = batches.recv() => batch,
            };
            let Some(batch) = batch else {
                return Err(Failure::failed(
                    "reading the input failed: this is a bug in lookback",
                ));
            };
            let EncodedBatch { batch, encoded } = batch?;
            let stored = {
                let input = self.input;
                let mut storing = pin!(self.store::<M>(batch, &encoded));
                loop {
                    tokio::select! {
                        stored = &mut storing => break Some(stored?),
                        () = interrupt.next() => {
                            if std::mem::replace(&mut is_interrupted, true) {
                                break None;
                            }
                            deadline = Some(tokio::time::Instant::now() + limit);
                            input.end_stream();
                        }
                        () = until(deadline) => break None,
                    }
                }
            };
            // The batch was not stored in time: the database rolls it back with the connection.
            let Some(stored) = stored else {
                return Ok(ImportEnd::Interrupted);
            };
            self.count(&stored);
            self.summary
                .missing_fields
                .clone_from(&stored.missing_fields);
            match stored.outcome {
                Outcome::End if self.checkpoint.stored() == 0 && self.checkpoint.rejected() > 0 => {
                    return Ok(ImportEnd::AllRejected);
                }
                Outcome::End if is_interrupted && self.input.is_unrepeatable() => {
                    return Ok(ImportEnd::Interrupted);
                }
                Outcome::End => return Ok(ImportEnd::Done),
                Outcome::Unfinished => return Ok(ImportEnd::Unfinished),
                Outcome::Stopped(bad) => return Ok(ImportEnd::Stopped(bad)),
                Outcome::More if is_interrupted && self.input.is_file() => {
                    return Ok(ImportEnd::Interrupted);
                }
                Outcome::More => {}
            }
        }
    }

    /// Stores a batch. If the connection is lost and the import waits for it, it connects again and
    /// stores what was not stored: the lines of a stream are nowhere else. If a default partition
    /// that is being split refuses an id, it stores the batch after the split.
    async fn store<M: Model>(
        &mut self,
        batch: Batch<M::New>,
        encoded: &Encoded<M>,
    ) -> Result<StoredBatch, Failure> {
        self.partitions.create::<M>(&batch.records).await;
        let kept = (self.waits || self.args.keep_ids).then(|| batch.clone());
        let mut next = Some(batch);
        loop {
            let Some(batch) = next.take().or_else(|| kept.clone()) else {
                return Err(Failure::failed(
                    "storing a batch failed: this is a bug in lookback",
                ));
            };
            let stored = store::<M>(
                batch,
                encoded,
                self.args.on_error(),
                self.checkpoint,
                &mut self.rejects,
                self.conn.get(self.config).await?,
                self.input,
            )
            .await;
            if stored.is_ok() {
                self.conn.release().await;
            }
            let (Err(failure), Some(kept)) = (&stored, &kept) else {
                return stored;
            };
            if failure.is_of_split() && self.finish_split::<M>().await? {
                continue;
            }
            if !(self.waits && failure.is_of_connection()) {
                return stored;
            }
            output::warning(&format!(
                "{}: the database cannot be reached; what was read waits for it",
                self.input.shown()
            ));
            advise_to_start(self.config);
            self.input.buffer().set_keeping(true);
            let behind = self.reconnect(kept).await;
            self.input.buffer().set_keeping(false);
            if let Some(behind) = behind? {
                self.conn.release().await;
                let records = behind.stored() - self.checkpoint.stored();
                *self.checkpoint = behind;
                return Ok(StoredBatch {
                    records,
                    requests: kept.requests.records.len() as u64,
                    renumbered: kept.renumbered,
                    local_times: kept.local_times,
                    skipped: kept.skipped,
                    rejected: kept.rejected.clone(),
                    missing_fields: kept.missing_fields.clone(),
                    position: kept.end.position,
                    outcome: kept.outcome.clone(),
                });
            }
        }
    }

    /// Waits until the default partition is split. Returns false if it cannot be.
    async fn finish_split<M: Model>(&mut self) -> Result<bool, Failure> {
        output::note(&format!(
            "{}: the default partition of {} is being split; records with ids of dropped \
             partitions wait for it",
            self.input.shown(),
            M::TABLE.name(),
        ));
        // Ends the transaction of the batch, whose locks the split waits for. If the connection is
        // lost, the next attempt to store the batch finds that.
        let conn = self.conn.get(self.config).await?;
        let is_lost = conn.ping().await.is_err();
        self.conn.release().await;
        if is_lost {
            return Ok(self.waits);
        }
        Ok(match self.partitions.finish_split::<M>().await {
            Ok(()) => true,
            // What a stream has sent waits for a database that is away.
            Err(error) => self.waits && (error.is_unavailable() || error.is_timeout()),
        })
    }

    /// Connects until it succeeds. Returns the checkpoint behind a batch if it is stored.
    async fn reconnect<N>(&mut self, kept: &Batch<N>) -> Result<Option<Checkpoint>, Failure> {
        loop {
            self.conn.reconnect(self.config).await;
            let conn = self.conn.get(self.config).await?;
            let is_end = kept.outcome.is_end();
            let behind = self
                .checkpoint
                .stored_behind(conn, &kept.end, is_end, self.begun);
            let behind = behind.await;
            // The server may need a while to notice that the lost connection is lost.
            let is_locked = behind.as_ref().is_err_and(checkpoint::is_lock_timeout);
            match behind.map_err(Failure::from) {
                Err(failure) if is_locked || failure.is_of_connection() => {
                    output::detail(failure.message());
                }
                behind => {
                    output::note("connected again");
                    return behind;
                }
            }
        }
    }

    fn count(&mut self, stored: &StoredBatch) {
        self.input.buffer().set_stored(stored.position);
        self.summary.stored += stored.records;
        self.summary.requests += stored.requests;
        self.summary.local_times += stored.local_times;
        self.summary.skipped.spans += stored.skipped.spans;
        self.summary.skipped.metrics += stored.skipped.metrics;
        self.summary.renumbered += stored.renumbered;
        self.summary.rejected += stored.rejected.len() as u64;
        self.progress
            .at(stored.position, self.summary.stored, &stored.rejected);
    }
}

/// Waits until a time, if there is one.
async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Creates partitions for records that keep their ids, before they are stored.
///
/// New ids need none of it: the maintenance worker creates their partitions in time.
struct PartitionsAhead {
    pool: PgPool,
    /// The first id without a partition, as far as it is known.
    end: Option<i64>,
}

impl PartitionsAhead {
    fn new<M: Model>(pool: PgPool) -> Self {
        Self {
            pool,
            end: M::TABLE.is_sealed().then_some(0),
        }
    }

    /// Splits the default partition, or waits while another process does.
    async fn finish_split<M: Model>(&self) -> Result<(), lookback::Error> {
        let options = PrecreateOptions::default();
        loop {
            match maintenance::precreate_partitions(&self.pool, M::TABLE, &options).await {
                Ok(report) if report.busy => {}
                Ok(_) => return Ok(()),
                // Others hold their locks.
                Err(error) if error.is_timeout() && error.sqlstate().is_some() => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A failure is none of the import: the records then go into the default partition.
    async fn create<M: Model>(&mut self, records: &[Imported<M::New>]) {
        let Some(end) = &mut self.end else { return };
        let mut ids: Vec<i64> = records.iter().filter_map(|record| record.id).collect();
        ids.sort_unstable();
        for id in ids {
            if id < *end {
                continue;
            }
            let mut options = PrecreateOptions::default();
            options.next_id = Some(id);
            options.lock_retry_timeout = Duration::from_secs(5);
            let _ = maintenance::precreate_partitions(&self.pool, M::TABLE, &options).await;
            *end = (id - id.rem_euclid(options.ids_per_partition))
                .saturating_add(options.ids_per_partition);
        }
    }
}
