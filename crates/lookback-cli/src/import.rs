//! `lookback import`: JSON lines into the database, batch by batch.
//!
//! One thread reads and checks lines and makes batches of them
//! ([`reader`]); this task stores each batch together with how far the import
//! has come, in one transaction ([`checkpoint`]). So whatever ends the process,
//! the database holds whole batches, and knows which.

use std::path::Path;
use std::time::Instant;

use lookback::{Import, Log, Model, RequestSnapshot};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

use crate::args::{ImportArgs, Kind, OnError};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, grouped};

mod checkpoint;
mod input;
mod lines;
mod progress;
mod reader;
mod rejects;

use checkpoint::Checkpoint;
use input::Input;
use lines::Lines;
use progress::Progress;
use reader::{Batch, Outcome, Rejected, Source};
use rejects::Rejects;

/// Batches read ahead of the one that is being stored.
const READ_AHEAD: usize = 2;

/// What an import did.
#[derive(Debug, Default)]
struct Summary {
    stored: u64,
    rejected: u64,
}

pub(crate) async fn run(config: &Config, args: ImportArgs) -> Result<(), Failure> {
    let input = Input::open(&args)?;
    let rejects = Rejects::open(args.rejects.as_deref(), &input)?;
    let mut conn = database::connect(config).await?;
    lookback::check_encoder(&mut conn).await?;
    checkpoint::lock(&mut conn, &input).await?;

    let earlier = checkpoint::earlier(&mut conn, &input).await?;
    let mut lines = Lines::new(input.reader()?);
    let started = match earlier {
        Some(import) => from_earlier(&args, &input, &mut lines, import)?,
        None => Started::Fresh,
    };
    let mut checkpoint = match started {
        Started::Done(import) => return already_in(&args, &input, &import),
        Started::Resumed(import) => {
            let kind = checkpoint::kind(&import)?;
            if args.kind.is_some_and(|given| given != kind) {
                return Err(Failure::usage(format!(
                    "--kind: the earlier import of {} was of {}",
                    input.shown(),
                    import.target
                )));
            }
            output::note(&format!(
                "resuming after line {}: {} records are in",
                grouped(import.lines.unsigned_abs()),
                grouped(import.stored.unsigned_abs())
            ));
            Checkpoint::resumed(import, kind)
        }
        Started::Fresh => {
            if lines.position() > 0 {
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

    match checkpoint.kind {
        Kind::Logs => {
            import::<Log>(&args, &input, rejects, lines, &mut checkpoint, &mut conn).await
        }
        Kind::Requests => {
            import::<RequestSnapshot>(&args, &input, rejects, lines, &mut checkpoint, &mut conn)
                .await
        }
    }
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
        && lines.prefix_sha256() == import.prefix_sha256;
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

async fn import<M: Model>(
    args: &ImportArgs,
    input: &Input,
    mut rejects: Rejects,
    lines: Lines,
    checkpoint: &mut Checkpoint,
    conn: &mut PgConnection,
) -> Result<(), Failure> {
    let mut progress = Progress::new(input.length(), checkpoint.position());
    let mut summary = Summary::default();
    let clock = Instant::now();

    let (sender, mut batches) = mpsc::channel::<Result<Batch<M::New>, Failure>>(READ_AHEAD);
    let (size, on_error) = (args.batch as usize, args.on_error);
    let reading = std::thread::spawn(move || {
        reader::read::<M::New>(lines, size, on_error, |batch| {
            sender.blocking_send(batch).is_ok()
        });
    });
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut stopped: Option<Rejected> = None;
    let mut interrupted = false;
    loop {
        let batch = tokio::select! {
            biased;
            _ = &mut interrupt => { interrupted = true; break; }
            batch = batches.recv() => match batch { Some(batch) => batch?, None => break },
        };
        let Batch {
            records,
            lines,
            mut rejected,
            end,
            outcome,
        } = batch;
        let mut records = Numbered { records, lines };
        rejects.write(&rejected)?;
        let refused = store::<M>(
            &mut records,
            &end,
            rejected.len() as u64,
            outcome.is_end(),
            on_error,
            checkpoint,
            conn,
        )
        .await?;
        match refused {
            Stored::All(refused) => {
                rejects.write(&refused)?;
                rejected.extend(refused);
            }
            Stored::Nothing(refused) => {
                stopped = Some(refused);
                break;
            }
        }
        summary.stored += records.records.len() as u64;
        summary.rejected += rejected.len() as u64;
        progress.at(end.position, summary.stored, &rejected);
        if let Outcome::Stopped(bad) = outcome {
            stopped = Some(bad);
            break;
        }
    }
    // The reader ends when it finds nobody to take its batches; an interrupted one may be
    // waiting for input that never comes, and ends with the process.
    drop(batches);
    if !interrupted && reading.join().is_err() {
        return Err(Failure::failed(
            "reading the input failed; this is a fault of lookback",
        ));
    }
    progress.finish();
    report(
        args,
        input,
        checkpoint,
        &summary,
        clock,
        stopped,
        interrupted,
    )
}

/// The records of a batch, and the line that each is from.
struct Numbered<N> {
    records: Vec<N>,
    lines: Vec<Source>,
}

/// What became of a batch.
enum Stored {
    /// It is stored, but for these lines, which the database itself refused.
    All(Vec<Rejected>),
    /// Nothing of it is, because of this line.
    Nothing(Rejected),
}

/// Stores a batch and how far the import has come, in one transaction.
async fn store<M: Model>(
    batch: &mut Numbered<M::New>,
    end: &lines::Mark,
    rejected: u64,
    is_end: bool,
    on_error: OnError,
    checkpoint: &mut Checkpoint,
    conn: &mut PgConnection,
) -> Result<Stored, Failure> {
    let mut refused = Vec::new();
    loop {
        let mut transaction = conn.begin().await?;
        let stored = lookback::QueryBuilder::<M>::new()
            .create_many(&mut transaction, &batch.records)
            .await;
        match stored {
            Ok(stored) => {
                let rejected = rejected + refused.len() as u64;
                let moved = checkpoint
                    .moved(&mut transaction, end, stored, rejected, is_end)
                    .await?;
                transaction.commit().await?;
                *checkpoint = moved;
                return Ok(Stored::All(refused));
            }
            // What the checks before a batch let through and the database did not: take
            // the record out, and try the others again.
            Err(error)
                if error
                    .fields()
                    .first()
                    .is_some_and(|field| field.row.is_some()) =>
            {
                transaction.rollback().await?;
                let row = error
                    .fields()
                    .first()
                    .and_then(|field| field.row)
                    .unwrap_or(0);
                if row >= batch.records.len() {
                    return Err(error.into());
                }
                batch.records.remove(row);
                let bad = Rejected::refused(batch.lines.remove(row), &error);
                match on_error {
                    OnError::Stop => return Ok(Stored::Nothing(bad)),
                    OnError::Skip => refused.push(bad),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn report(
    args: &ImportArgs,
    input: &Input,
    checkpoint: &Checkpoint,
    summary: &Summary,
    clock: Instant,
    stopped: Option<Rejected>,
    interrupted: bool,
) -> Result<(), Failure> {
    let seconds = clock.elapsed().as_secs_f64();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let rate = (summary.stored as f64 / seconds.max(0.001)) as u64;
    if args.json {
        output::json(&json!({"data": {
            "stored": summary.stored,
            "rejected": summary.rejected,
            "stored_in_all": checkpoint.stored(),
            "rejected_in_all": checkpoint.rejected(),
            "lines": checkpoint.lines(),
            "finished": stopped.is_none() && !interrupted,
        }}))?;
    }
    let in_all = match checkpoint.lines() {
        0 => "nothing is stored".to_owned(),
        lines => format!(
            "lines 1 to {} are done with: {} records are in, {} lines were rejected",
            grouped(lines),
            grouped(checkpoint.stored()),
            grouped(checkpoint.rejected())
        ),
    };
    // An input that nothing is known of cannot be known again.
    let resume = match (input.known_name(), checkpoint.lines()) {
        (_, 0) => "to go on: the same command",
        (Some(_), _) => "to go on: the same command with --resume",
        (None, _) => "to go on: import the lines after them",
    };
    if let Some(bad) = stopped {
        return Err(Failure::failed(format!(
            "{}, line {}: {}",
            input.shown(),
            grouped(bad.line.number),
            bad.problem
        ))
        .hint(format!(
            "{in_all}; {resume}, after mending the line or with --on-error skip"
        )));
    }
    if interrupted {
        return Err(Failure::interrupted("interrupted").hint(format!("{in_all}; {resume}")));
    }
    output::note(&format!(
        "{}: {} records into {} in {seconds:.1} s ({} records/s){}",
        input.shown(),
        grouped(summary.stored),
        checkpoint.target(),
        grouped(rate),
        match summary.rejected {
            0 => String::new(),
            rejected => format!(
                "; {} lines rejected{}",
                grouped(rejected),
                args.rejects
                    .as_deref()
                    .map(|path: &Path| format!(", written to {}", path.display()))
                    .unwrap_or_default()
            ),
        }
    ));
    Ok(())
}
