//! `lookback import`: JSON lines into the database, batch by batch.
//!
//! One thread reads and checks lines and makes batches of them
//! ([`reader`]); this task stores each batch ([`mod@store`]) together with how
//! far the import has come ([`checkpoint`]), in one transaction. So whatever
//! ends the process, the database holds whole batches, and knows which.

use std::pin::pin;
use std::time::{Duration, Instant};

use lookback::maintenance::{Keeper, KeeperOptions};
use lookback::{Import, Log, Model, RequestSnapshot};
use serde_json::json;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::signal::ctrl_c;
use tokio::sync::mpsc;

use crate::args::{ImportArgs, Kind};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, grouped};

mod checkpoint;
mod input;
mod large;
mod lines;
mod progress;
mod reader;
mod rejects;
mod report;
mod store;

use checkpoint::Checkpoint;
use input::Input;
use lines::Lines;
use progress::Progress;
use reader::{Batch, Outcome, Rejected, Rules};
use rejects::Rejects;
use report::{Report, Summary};
use store::{Stored, store};

/// Batches read ahead of the one that is being stored.
const READ_AHEAD: usize = 1;

/// How long a batch that is being stored may take when the import is
/// interrupted.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn run(config: &Config, args: ImportArgs) -> Result<(), Failure> {
    let input = Input::open(&args)?;
    let rejects = Rejects::open(args.rejects.as_deref(), &input)?;
    let (mut conn, options) = database::connect_to(config).await?;
    lookback::check_server(&mut conn).await?;
    lookback::check_encoder(&mut conn).await?;
    // A server that goes on with a statement of a process that is gone would keep its lock.
    // Not every server can look; then it notices when it answers.
    let look = "SET client_connection_check_interval = '2s'";
    let _ = sqlx::query(look).execute(&mut conn).await;
    checkpoint::lock(&mut conn, &input).await?;

    let earlier = checkpoint::earlier(&mut conn, &input).await?;
    let mut lines = Lines::new(input.reader()?);
    let started = match earlier {
        Some(import) => from_earlier(&args, &input, &mut lines, import)?,
        None => Started::Fresh,
    };
    if let Started::Done(import) | Started::Resumed(import) = &started {
        let kind = checkpoint::kind(import)?;
        if args.kind.is_some_and(|given| given != kind) {
            return Err(Failure::usage(format!(
                "--kind: the earlier import of {} was of {}",
                input.shown(),
                import.target
            )));
        }
    }
    let mut checkpoint = match started {
        Started::Done(import) => return already_in(&args, &input, &import),
        Started::Resumed(import) => {
            let kind = checkpoint::kind(&import)?;
            output::note(&format!(
                "resuming after line {}: {} records are in",
                grouped(import.lines.unsigned_abs()),
                grouped(import.stored.unsigned_abs())
            ));
            Checkpoint::resumed(import, kind)
        }
        Started::Fresh => {
            if lines.mark().position > 0 {
                // Another content than before, found only by reading it.
                lines = Lines::new(input.reader()?);
            }
            let kind = match args.kind {
                Some(kind) => kind,
                None => reader::detect(&mut lines, input.shown())?,
            };
            Checkpoint::fresh(&input, kind)
        }
    };

    let keeper = keeper(checkpoint.kind, options)?;
    let ended = match checkpoint.kind {
        Kind::Logs => {
            import::<Log>(&args, &input, rejects, lines, &mut checkpoint, &mut conn).await
        }
        Kind::Requests => {
            import::<RequestSnapshot>(&args, &input, rejects, lines, &mut checkpoint, &mut conn)
                .await
        }
    };
    // It may be killed at any time, and is not waited for when somebody waits for us.
    if ended.is_ok() {
        let _ = tokio::time::timeout(PATIENCE, keeper.stop()).await;
    }
    ended
}

/// Makes partitions before the records come there, and seals those that are in.
/// What fails there is no reason for the import to fail: the records are right
/// without it, and whoever may only insert has no right to do it.
fn keeper(kind: Kind, options: PgConnectOptions) -> Result<Keeper, Failure> {
    let mut keeping = KeeperOptions::default();
    keeping.tables = match kind {
        Kind::Logs => vec![Log::TABLE],
        Kind::Requests => vec![RequestSnapshot::TABLE],
    };
    let pool = database::lazy_pool(options.application_name("lookback keeper"), 3);
    Ok(Keeper::spawn(pool, keeping)?)
}

/// Where an import starts.
enum Started {
    /// At the beginning.
    Fresh,
    /// Where an earlier one stopped.
    Resumed(Import),
    /// Nowhere: an earlier one took everything.
    Done(Import),
}

/// What an earlier import of an input of this name means for this one. Reads
/// the part of the input that was taken then, to be sure that it is the same.
fn from_earlier(
    args: &ImportArgs,
    input: &Input,
    lines: &mut Lines,
    import: Import,
) -> Result<Started, Failure> {
    if args.restart {
        return Ok(Started::Fresh);
    }
    let same = lines.skip(import.position.unsigned_abs())?
        && lines.mark().sha256() == import.prefix_sha256;
    if !same {
        if args.resume {
            return Err(Failure::failed(format!(
                "{} does not begin with what an earlier import took from it",
                input.shown()
            ))
            .hint("the file was changed or replaced; to import all of it: --restart"));
        }
        if input.is_file() {
            output::note(&format!(
                "{} is not the content imported under this name before: importing all of it",
                input.shown()
            ));
            return Ok(Started::Fresh);
        }
        return Err(Failure::failed(format!(
            "{} does not begin with what an earlier import named {} took",
            input.shown(),
            input.name()
        ))
        .hint("to import all of it: --restart"));
    }
    let at_end = lines.at_end()?;
    if at_end && import.finished_at.is_some() {
        return Ok(Started::Done(import));
    }
    if args.resume {
        return Ok(Started::Resumed(import));
    }
    let records = grouped(import.stored.unsigned_abs());
    let taken = grouped(import.lines.unsigned_abs());
    Err(if import.finished_at.is_some() {
        Failure::failed(format!(
            "{} has grown since it was imported: its first {taken} lines are in ({records} records)",
            input.shown()
        ))
        .hint("to import the new lines: --resume; to import all of it once more: --restart")
    } else {
        Failure::failed(format!(
            "an earlier import of {} stopped after line {taken}: {records} records are in",
            input.shown()
        ))
        .hint("to go on from there: --resume; to import all of it once more: --restart")
    })
}

fn already_in(args: &ImportArgs, input: &Input, import: &Import) -> Result<(), Failure> {
    output::note(&format!(
        "{} is imported already: {} records, {} lines rejected; to import it once more: --restart",
        input.shown(),
        grouped(import.stored.unsigned_abs()),
        grouped(import.rejected.unsigned_abs()),
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

/// How an import ended that did not fail.
#[derive(Debug)]
enum Ended {
    Done,
    /// Before a last line that is still being written.
    Unfinished,
    /// At a line that is not right.
    Stopped(Rejected),
    Interrupted,
}

async fn import<M: Model>(
    args: &ImportArgs,
    input: &Input,
    rejects: Rejects,
    lines: Lines,
    checkpoint: &mut Checkpoint,
    conn: &mut PgConnection,
) -> Result<(), Failure> {
    let mut importing = Importing {
        args,
        rejects,
        progress: Progress::new(input.length(), checkpoint.position()),
        summary: Summary::default(),
        checkpoint,
        conn,
    };
    let clock = Instant::now();
    let batches = read_aside::<M>(
        lines,
        Rules {
            size: args.batch as usize,
            on_error: args.on_error,
            resumable: input.known_name().is_some(),
        },
    );
    let ended = importing.run::<M>(batches).await;
    importing.progress.finish();
    Report {
        args,
        input,
        summary: importing.summary,
        checkpoint: importing.checkpoint,
        time: clock.elapsed(),
    }
    .tell(ended)
}

type Batches<M> = mpsc::Receiver<Result<Batch<<M as Model>::New>, Failure>>;

/// Reads in a thread of its own. It ends when nobody takes its batches; one
/// that waits for input that never comes ends with the process.
fn read_aside<M: Model>(lines: Lines, rules: Rules) -> Batches<M> {
    let (sender, batches) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        reader::read::<M::New>(lines, rules, |batch| sender.blocking_send(batch).is_ok());
    });
    batches
}

/// An import under way.
struct Importing<'a> {
    args: &'a ImportArgs,
    rejects: Rejects,
    progress: Progress,
    summary: Summary,
    checkpoint: &'a mut Checkpoint,
    conn: &'a mut PgConnection,
}

impl Importing<'_> {
    async fn run<M: Model>(&mut self, mut batches: Batches<M>) -> Result<Ended, Failure> {
        let mut interrupt = pin!(ctrl_c());
        loop {
            let batch = tokio::select! {
                biased;
                _ = &mut interrupt => return Ok(Ended::Interrupted),
                batch = batches.recv() => batch,
            };
            let Some(batch) = batch else {
                return Err(Failure::failed(
                    "reading the input failed; this is a fault of lookback",
                ));
            };
            let mut interrupted = false;
            let stored = {
                let mut storing = pin!(store::<M>(
                    batch?,
                    self.args.on_error,
                    self.checkpoint,
                    &mut self.rejects,
                    self.conn,
                ));
                tokio::select! {
                    stored = &mut storing => Some(stored?),
                    _ = &mut interrupt => {
                        interrupted = true;
                        within_patience(storing).await.transpose()?
                    }
                }
            };
            // Not stored in time: the database drops it with the connection.
            let Some(stored) = stored else {
                return Ok(Ended::Interrupted);
            };
            self.count(&stored);
            match stored.outcome {
                Outcome::End => return Ok(Ended::Done),
                Outcome::Unfinished => return Ok(Ended::Unfinished),
                Outcome::Stopped(bad) => return Ok(Ended::Stopped(bad)),
                Outcome::More if interrupted => return Ok(Ended::Interrupted),
                Outcome::More => {}
            }
        }
    }

    fn count(&mut self, stored: &Stored) {
        self.summary.stored += stored.records;
        self.summary.rejected += stored.rejected.len() as u64;
        self.progress
            .at(stored.position, self.summary.stored, &stored.rejected);
    }
}

/// Waits for an interrupted import to store its batch; not for long, and not
/// beyond a second interrupt.
async fn within_patience<T>(storing: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        stored = tokio::time::timeout(PATIENCE, storing) => stored.ok(),
        _ = ctrl_c() => None,
    }
}
