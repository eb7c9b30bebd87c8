//! `lookback import`: imports records into the database, batch by batch.
//!
//! CSV and Parquet are converted to JSON lines ([`convert`]), so that everything after that is the
//! same for all formats.
//!
//! Lines of other programs are decoded to log lines and requests by `lookback-formats`
//! ([`entries`]); [`content`] detects them.
//!
//! One thread reads and checks lines and groups them into batches ([`reader`]), another encodes them
//! for the database ([`encoder`]). This task stores each batch ([`mod@store`]) together with the
//! progress of the import ([`checkpoint`]) in one transaction. So the database always contains whole batches and knows which ones, no matter how
//! the process ends.

use std::pin::pin;
use std::time::{Duration, Instant};

use chrono::{DateTime, Offset as _, Utc};
use lookback::maintenance::{self, MaintenanceOptions, MaintenanceWorker, PrecreateOptions};
use lookback::query::Imported;
use lookback::table::Table;
use lookback::{Log, Metric, Model, RequestSnapshot, User};
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::args::{ImportArgs, ImportKind};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted, grouped};
use crate::privileges::{self, Required};

mod checkpoint;
mod connection;
mod content;
mod convert;
mod dry_run;
mod encoder;
mod encoding;
mod entries;
mod files;
mod follow;
mod input;
mod line_size;
mod lines;
mod progress;
mod reader;
mod rejects;
mod report;
mod sealing;
mod store;
mod stream;

use checkpoint::{Checkpoint, Import};
use connection::Connection;
use content::Content;
use encoder::{Encoded, EncodedBatch};
use input::Input;
use lines::Lines;
use progress::ImportProgress;
use reader::{Batch, Outcome, ReadOptions, Rejected};
use rejects::Rejects;
use report::{Report, Summary};
use store::{StoredBatch, store};

/// The number of batches that are read ahead of the current one.
const MAX_BATCHES_AHEAD: usize = 1;

/// The time limit for finishing the current batch after an interrupt.
const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The same for a stream, whose lines are nowhere else: below the 30 seconds that Kubernetes and
/// systemd wait before they kill.
const STREAM_TIMEOUT: Duration = Duration::from_secs(25);

pub(crate) async fn run(config: &Config, mut args: ImportArgs) -> Result<(), Failure> {
    let needs = needs(&args);
    if args.follow {
        return match follow::run(config, args).await {
            Err(failure) => Err(privileges::explain(config, failure, &needs).await),
            done => done,
        };
    }
    let paths = files::expand(&std::mem::take(&mut args.inputs))?;
    if let [path] = paths.as_slice() {
        args.input.clone_from(path);
        return run_one(config, args, &needs).await;
    }
    if args.name.is_some() {
        return Err(Failure::usage("--name: is of one input, not of several"));
    }
    let all = paths.len();
    let mut failed = 0;
    for path in paths {
        let mut args = args.clone();
        args.input = path;
        match run_one(config, args, &needs).await {
            Ok(()) => {}
            // The others would fail in the same way.
            Err(failure)
                if failure.is_interrupted()
                    || failure.is_of_connection()
                    || failure.is_of_setup() =>
            {
                return Err(failure);
            }
            Err(failure) => {
                failure.print();
                failed += 1;
            }
        }
    }
    if failed > 0 {
        return Err(Failure::failed(format!(
            "{failed} of {} not imported; the others are",
            counted_are(all as u64, "file")
        )));
    }
    Ok(())
}

async fn run_one(config: &Config, args: ImportArgs, needs: &[Required]) -> Result<(), Failure> {
    match execute(config, args).await {
        Err(failure) => Err(privileges::explain(config, failure, needs).await),
        done => done,
    }
}

/// Returns the privileges that an import requires.
fn needs(args: &ImportArgs) -> Vec<Required> {
    let table = args.kind.unwrap_or(ImportKind::Logs).table();
    let mut needs = vec![
        ("imports", privileges::ADD),
        (table.name(), privileges::ADD_ONLY),
    ];
    if args.kind.is_none() {
        needs.push((RequestSnapshot::TABLE.name(), privileges::ADD_ONLY));
    }
    if args.keep_ids && table.is_sealed() {
        needs.extend(privileges::on_summaries(privileges::READ));
    }
    needs
}

async fn execute(config: &Config, args: ImportArgs) -> Result<(), Failure> {
    if let Some((option, problem)) = args.misplaced() {
        return Err(Failure::usage(format!("{option}: {problem}")));
    }
    let input = Input::open(&args)?;
    if args.dry_run {
        return dry_run::print(&args, &input);
    }
    let rejects = Rejects::open(args.rejects.as_deref(), &input)?;
    let (mut conn, options) = database::connect_to(config).await?;
    lookback::setup::check_server(&mut conn).await?;
    lookback::setup::check_encoder(&mut conn).await?;
    let earlier = checkpoint::find_earlier(&mut conn, &input).await?;
    let earlier_id = earlier.as_ref().map(|import| import.id);
    let mut lines = Lines::new(input.reader()?);
    let mut started = match earlier {
        Some(import) => resume_point(&args, &input, &mut lines, import)?,
        None => ImportStart::Fresh,
    };
    if matches!(started, ImportStart::Fresh) && !args.restart {
        let same = checkpoint::find_same_content(&mut conn, &input, args.kind).await?;
        if let Some((import, read)) = same {
            lines = read;
            started = continue_after(&args, &input, &mut lines, import)?;
        }
    }
    if let ImportStart::Done(import) | ImportStart::Resumed(import) = &started {
        let content = checkpoint::content(import)?;
        if content::given(&args).is_some_and(|given| given != content) {
            let option = if args.kind.is_some() {
                "--kind"
            } else {
                "--format"
            };
            return Err(Failure::usage(format!(
                "{option}: the earlier import of {} was of {}",
                input.shown(),
                import.target
            )));
        }
    }
    let mut checkpoint = match started {
        ImportStart::Done(import) => return report_already_imported(&args, &input, &import),
        ImportStart::Resumed(import) => {
            let content = checkpoint::content(&import)?;
            output::note(&format!(
                "resuming after {} {}: {} stored",
                input.unit(),
                grouped(import.lines.unsigned_abs()),
                counted_are(import.stored.unsigned_abs(), "record")
            ));
            Checkpoint::resumed(&input, import, content, earlier_id)
        }
        ImportStart::Fresh => {
            if input.is_file() || lines.mark().position > 0 {
                // Only reading the content showed that it differs.
                lines = Lines::new(input.reader()?);
            }
            let content = content::of(&args, &mut lines, &input)?;
            Checkpoint::fresh(&input, content, earlier_id)
        }
    };

    let pool = database::lazy_pool(options.application_name("lookback maintenance"), 3);
    let is_sealed_later = input.is_file() && !sealing::is_beside_storing();
    let tables = checkpoint.content.tables();
    let worker = maintenance_worker(&tables, &pool, !is_sealed_later)?;
    let source = ImportSource {
        config,
        args: &args,
        input: &input,
        rejects,
        lines,
        pool: pool.clone(),
    };
    let mut conn = Connection::own(conn);
    let clock = Instant::now();
    let (summary, ended) = import_content(source, &mut checkpoint, &mut conn).await;
    let ended = Report {
        args: &args,
        input: &input,
        summary,
        checkpoint: &checkpoint,
        time: clock.elapsed(),
    }
    .print(ended);
    // The worker may be killed at any time, and the user should not wait for it after a failure.
    if let Some(worker) = worker
        && ended.is_ok()
    {
        let _ = tokio::time::timeout(INTERRUPT_TIMEOUT, worker.stop()).await;
        if input.is_file() {
            sealing::seal(&pool, &tables, checkpoint.stored()).await?;
        }
    }
    ended
}

/// Imports the rest of an input, of whatever content. Returns what was stored, and how it ended.
async fn import_content(
    source: ImportSource<'_>,
    checkpoint: &mut Checkpoint,
    conn: &mut Connection,
) -> (Summary, Result<ImportEnd, Failure>) {
    match checkpoint.content {
        Content::Records(ImportKind::Logs) => {
            import::<Log>(source, checkpoint, conn, spawn_reader::<Log>).await
        }
        Content::Records(ImportKind::Requests) => {
            import::<RequestSnapshot>(source, checkpoint, conn, spawn_reader::<RequestSnapshot>)
                .await
        }
        Content::Records(ImportKind::Metrics) => {
            import::<Metric>(source, checkpoint, conn, spawn_reader::<Metric>).await
        }
        Content::Records(ImportKind::Users) => {
            import::<User>(source, checkpoint, conn, spawn_reader::<User>).await
        }
        Content::Entries => {
            let decoding = decoding(source.args, source.input);
            let is_strict = source.args.is_strict();
            let spawn =
                move |lines, options| spawn_entry_reader(lines, options, decoding, is_strict);
            import::<Log>(source, checkpoint, conn, spawn).await
        }
    }
}

/// Formats a count with its noun and verb: `1 record is`, `2 records are`.
fn counted_are(number: u64, what: &str) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(number, what))
}

/// Starts a worker that pre-creates partitions, and seals stored records if it is to; `None` for a
/// table without partitions.
///
/// A failure of the worker does not fail the import: the records are complete without the worker,
/// and a role that can only insert lacks the privileges for it.
fn maintenance_worker(
    tables: &[&'static Table],
    pool: &PgPool,
    seals: bool,
) -> Result<Option<MaintenanceWorker>, Failure> {
    if !tables.iter().all(|table| table.is_sealed()) {
        return Ok(None);
    }
    let mut options = MaintenanceOptions::default();
    options.tables = tables.to_vec();
    options.seals = seals;
    Ok(Some(MaintenanceWorker::spawn(pool.clone(), options)?))
}

/// The start of an import.
enum ImportStart {
    /// Starts at the beginning.
    Fresh,
    /// Continues where an earlier import stopped.
    Resumed(Import),
    /// Has nothing to do: an earlier import stored everything.
    Done(Import),
}

/// Determines the start after an earlier import of an input with the same name.
///
/// Reads the part that was already imported, to verify that it is unchanged.
fn resume_point(
    args: &ImportArgs,
    input: &Input,
    lines: &mut Lines,
    import: Import,
) -> Result<ImportStart, Failure> {
    // An import that stored nothing is none: another attempt begins at the first line.
    if args.restart || (import.stored == 0 && !(import.is_finished && import.rejected == 0)) {
        return Ok(ImportStart::Fresh);
    }
    let same = lines.skip(import.position.unsigned_abs())?
        && lines.mark().sha256() == import.prefix_sha256;
    if !same {
        if args.resume {
            return Err(Failure::failed(format!(
                "the start of {} differs from what an earlier import read",
                input.shown()
            ))
            .hint("the file was changed or replaced; to import all of it: --restart"));
        }
        if input.is_file() {
            output::note(&format!(
                "{} differs from the content imported under this name before: importing all of it",
                input.shown()
            ));
            return Ok(ImportStart::Fresh);
        }
        return Err(Failure::failed(format!(
            "the start of {} differs from what an earlier import named {} read",
            input.shown(),
            input.name()
        ))
        .hint("to import all of it: --restart"));
    }
    continue_after(args, input, lines, import)
}

/// Determines the start after the part of an input that an earlier import has stored, under
/// this name or another one.
fn continue_after(
    args: &ImportArgs,
    input: &Input,
    lines: &mut Lines,
    import: Import,
) -> Result<ImportStart, Failure> {
    let at_end = lines.at_end()?;
    if at_end && import.is_finished {
        return Ok(ImportStart::Done(import));
    }
    if args.resume {
        return Ok(ImportStart::Resumed(import));
    }
    let unit = input.unit();
    let records = counted(import.stored.unsigned_abs(), "record");
    let taken = grouped(import.lines.unsigned_abs());
    if !import.is_of(input) {
        return Err(Failure::failed(format!(
            "{} up to {unit} {taken} is stored already ({records}): it was imported as {}",
            input.shown(),
            import.shown_name()
        ))
        .hint(
            "to import what comes after it: --resume (and --name for standard input); to import \
             all of it again: --restart",
        ));
    }
    Err(if import.is_finished {
        Failure::failed(format!(
            "{} has grown since it was imported: it is stored up to {unit} {taken} ({records})",
            input.shown()
        ))
        .hint("to import the new lines: --resume; to import all of it again: --restart")
    } else {
        Failure::failed(format!(
            "an earlier import of {} stopped after {unit} {taken}: {} stored",
            input.shown(),
            counted_are(import.stored.unsigned_abs(), "record")
        ))
        .hint("to continue from there: --resume; to import all of it again: --restart")
    })
}

fn report_already_imported(
    args: &ImportArgs,
    input: &Input,
    import: &Import,
) -> Result<(), Failure> {
    let other_name = if import.is_of(input) {
        String::new()
    } else {
        format!(" as {}", import.shown_name())
    };
    output::note(&format!(
        "{} is already imported{other_name}: {}, {} rejected; to import it again: --restart",
        input.shown(),
        counted(import.stored.unsigned_abs(), "record"),
        counted(import.rejected.unsigned_abs(), input.unit()),
    ));
    if args.json {
        output::json(&json!({"data": {
            "stored": 0, "rejected": 0,
            "stored_in_all": import.stored, "rejected_in_all": import.rejected,
            "lines": import.lines, "finished": true,
        }}))?;
    }
    Ok(())
}

/// The end of an import without a failure.
#[derive(Debug)]
enum ImportEnd {
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
struct ImportSource<'a> {
    config: &'a Config,
    args: &'a ImportArgs,
    input: &'a Input,
    rejects: Rejects,
    lines: Lines,
    /// For the partitions of records that keep their ids.
    pool: PgPool,
}

async fn import<M: Model>(
    source: ImportSource<'_>,
    checkpoint: &mut Checkpoint,
    conn: &mut Connection,
    spawn_reader: impl FnOnce(Lines, ReadOptions) -> Batches<M>,
) -> (Summary, Result<ImportEnd, Failure>) {
    let ImportSource {
        config,
        args,
        input,
        rejects,
        lines,
        pool,
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
    let ended = run.run::<M>(encoder::spawn::<M>(batches)).await;
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
fn decoding(args: &ImportArgs, input: &Input) -> lookback_formats::Options {
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
}

impl ImportRun<'_> {
    async fn run<M: Model>(
        &mut self,
        mut batches: mpsc::Receiver<Result<EncodedBatch<M>, Failure>>,
    ) -> Result<ImportEnd, Failure> {
        let mut interrupt = Interrupt::new()?;
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
            self.partitions.create::<M>(&batch.records).await;
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

    /// Stores a batch. If the connection of a stream is lost, it connects again and stores what was
    /// not stored: its lines are nowhere else.
    async fn store<M: Model>(
        &mut self,
        batch: Batch<M::New>,
        encoded: &Encoded<M>,
    ) -> Result<StoredBatch, Failure> {
        let kept = (!self.input.is_file()).then(|| batch.clone());
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
            if !failure.is_of_connection() {
                return stored;
            }
            output::warning(&format!(
                "{}: the database cannot be reached; what was read waits for it",
                self.input.shown()
            ));
            if let Some(behind) = self.reconnect(kept).await? {
                self.conn.release().await;
                let records = behind.stored() - self.checkpoint.stored();
                *self.checkpoint = behind;
                return Ok(StoredBatch {
                    records,
                    requests: kept.requests.records.len() as u64,
                    renumbered: kept.renumbered,
                    local_times: kept.local_times,
                    rejected: kept.rejected.clone(),
                    position: kept.end.position,
                    outcome: kept.outcome.clone(),
                });
            }
        }
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
        self.summary.stored += stored.records;
        self.summary.requests += stored.requests;
        self.summary.local_times += stored.local_times;
        self.summary.renumbered += stored.renumbered;
        self.summary.rejected += stored.rejected.len() as u64;
        self.progress
            .at(stored.position, self.summary.stored, &stored.rejected);
    }
}

/// The signals that end an import: SIGINT and SIGTERM. One that comes while nothing waits for it
/// is kept.
struct Interrupt {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Interrupt {
    fn new() -> Result<Self, Failure> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};

        let cannot =
            |error: std::io::Error| Failure::failed(format!("cannot wait for signals: {error}"));
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
            #[cfg(windows)]
            interrupt: tokio::signal::windows::ctrl_c().map_err(cannot)?,
        })
    }

    /// Waits for the next signal.
    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
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
