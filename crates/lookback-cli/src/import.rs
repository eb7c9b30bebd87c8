//! `lookback import`: imports records into the database, batch by batch.
//!
//! CSV, Parquet and the records of [`protobuf`] are converted to JSON lines ([`convert`]), so that
//! everything after that is the same for all formats.
//!
//! Lines of other programs are decoded to log lines and requests by `lookback-formats`
//! ([`entries`]); [`content`] detects them.
//!
//! One thread reads and checks lines and groups them into batches ([`reader`]), another encodes them
//! for the database ([`encoder`]). The task of the import ([`batches`]) stores each batch
//! ([`mod@store`]) together with the progress ([`checkpoint`]) in one transaction. So the database
//! always contains whole batches and knows which ones, no matter how the process ends.

use std::time::{Duration, Instant};

use lookback::{Model as _, RequestSnapshot};
use serde_json::json;

use crate::args::{ImportArgs, ImportKind};
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{self, counted, grouped};
use crate::privileges::{self, Required};

mod batches;
mod checkpoint;
mod connection;
mod content;
mod convert;
mod copies;
mod dry_run;
mod encoder;
mod encoding;
mod entries;
mod files;
mod follow;
mod input;
mod interrupt;
mod line_size;
mod lines;
mod mapped_fields;
mod progress;
mod protobuf;
mod reader;
mod rejects;
mod report;
mod sealing;
mod session;
mod store;
mod stream;
mod unstored;

use batches::ImportSource;
use checkpoint::{Checkpoint, Import};
use copies::{FoundInStream, Relation};
use input::Input;
use lines::Lines;
use rejects::Rejects;
use report::Report;
use session::LazySession;

/// The time limit for finishing the current batch after an interrupt.
const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) async fn run(config: &Config, mut args: ImportArgs) -> Result<(), Failure> {
    if let Some(problem) = args.misplaced() {
        return Err(Failure::usage(problem));
    }
    let needs = needs(&args);
    if args.follow {
        return match follow::run(config, args).await {
            Err(failure) => Err(privileges::explain(config, failure, &needs).await),
            done => done,
        };
    }
    let mut paths = files::expand(&std::mem::take(&mut args.inputs))?;
    if paths.len() == 1
        && let Some(path) = paths.pop()
    {
        args.input = path?;
        return run_one(config, args, &needs).await;
    }
    if args.name.is_some() {
        return Err(Failure::usage("--name: is of one input, not of several"));
    }
    run_several(config, args, paths, &needs).await
}

/// Imports files sequentially; one that cannot be imported does not keep the others from it.
async fn run_several(
    config: &Config,
    args: ImportArgs,
    paths: Vec<files::Found>,
    needs: &[Required],
) -> Result<(), Failure> {
    let all = paths.len();
    let mut session = LazySession::new(true);
    let mut failed = 0;
    for path in paths {
        if session.is_interrupted() {
            return Err(Failure::interrupted("interrupted"));
        }
        let imported = match path {
            Ok(path) => {
                let mut args = args.clone();
                args.input = path;
                execute(config, args, &mut session).await
            }
            Err(failure) => Err(failure),
        };
        match imported {
            Ok(()) => {}
            // The others would fail in the same way.
            Err(failure)
                if failure.is_interrupted()
                    || failure.is_of_connection()
                    || failure.is_of_setup()
                    || session.has_failed() =>
            {
                return Err(privileges::explain(config, failure, needs).await);
            }
            Err(failure) => {
                failure.print();
                failed += 1;
            }
        }
    }
    session.finish().await?;
    if failed > 0 {
        return Err(Failure::failed(format!(
            "{failed} of {} {} not imported; the others are",
            counted(all as u64, "file"),
            if failed == 1 { "is" } else { "are" }
        )));
    }
    Ok(())
}

async fn run_one(config: &Config, args: ImportArgs, needs: &[Required]) -> Result<(), Failure> {
    let mut session = LazySession::new(false);
    match execute(config, args, &mut session).await {
        Err(failure) => Err(privileges::explain(config, failure, needs).await),
        // The worker may be killed at any time, and the user should not wait for it after a failure.
        Ok(()) => session.finish().await,
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

async fn execute(
    config: &Config,
    args: ImportArgs,
    session: &mut LazySession,
) -> Result<(), Failure> {
    let input = Input::open(&args)?;
    if args.dry_run {
        return dry_run::print(&args, &input);
    }
    let rejects = Rejects::open(args.rejects.as_deref(), &input)?;
    let session = session.get(config).await?;
    let earlier = session
        .query(config, async |conn, _| {
            checkpoint::find_earlier(conn, &input).await
        })
        .await?;
    let earlier_id = earlier.as_ref().map(|import| import.id);
    let mut lines = Lines::new(input.reader()?);
    let mut started = match earlier {
        Some(import) => resume_point(&args, &input, &mut lines, import)?,
        None => ImportStart::Fresh,
    };
    if input.is_unrepeatable() {
        session.end_at_signal(&input)?;
    }
    let mut is_copy = false;
    if matches!(started, ImportStart::Fresh) && !args.restart && input.is_unrepeatable() {
        if let Some(FoundInStream { found, is_all }) =
            session.find_in_stream(config, &args, &input).await
        {
            // All of it was there when it was compared.
            if !lines.skip(found.import.position.unsigned_abs())? {
                return Err(Failure::failed(
                    "standard input changed while it was read: this is a bug in lookback",
                ));
            }
            input.buffer().set_stored(lines.mark().position);
            is_copy = found.relation == Relation::Copy;
            started = go_on_after(found.import, is_all);
        }
    } else if matches!(started, ImportStart::Fresh)
        && !args.restart
        && let Some((found, mut read)) = session
            .query(config, async |conn, known| {
                copies::find(conn, known, &args, &input).await
            })
            .await?
    {
        if found.relation != Relation::Alike {
            lines = read;
            is_copy = found.relation == Relation::Copy;
            started = continue_after(&args, &input, &mut lines, found.import)?;
        } else if found.import.is_finished && read.at_end()? {
            note_alike(&input, &found.import);
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
                content.shown()
            )));
        }
        content::check(&args, &input, content)?;
    }
    let mut checkpoint = match started {
        ImportStart::Done(import) => {
            return report_already_imported(&args, &input, &import, is_copy);
        }
        ImportStart::Resumed(import) => {
            let content = checkpoint::content(&import)?;
            note_resumed(&args, &input, &import);
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

    let is_sealed_later = input.is_file() && !sealing::is_beside_storing();
    let tables = checkpoint.content.tables();
    session.maintain(&tables, !is_sealed_later)?;
    let source = ImportSource {
        config,
        args: &args,
        input: &input,
        rejects,
        lines,
        pool: session.pool.clone(),
        // What a stream has sent is nowhere else.
        waits: session.waits || !input.is_file(),
    };
    let clock = Instant::now();
    let (summary, ended) = session.import(source, &mut checkpoint).await?;
    let ended = Report {
        args: &args,
        input: &input,
        summary,
        checkpoint: &checkpoint,
        time: clock.elapsed(),
    }
    .print(ended);
    if ended.is_ok() && input.is_file() {
        session.seal_later(&tables, checkpoint.stored());
    }
    ended
}

/// Formats a count with its noun and verb: `1 record is`, `2 records are`.
fn counted_are(number: u64, what: &str) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(number, what))
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
        .hint(format!(
            "to import the new {unit}s: --resume; to import all of it again: --restart"
        ))
    } else {
        Failure::failed(format!(
            "an earlier import of {} stopped after {unit} {taken}: {} stored",
            input.shown(),
            counted_are(import.stored.unsigned_abs(), "record")
        ))
        .hint("to continue from there: --resume; to import all of it again: --restart")
    })
}

/// Determines the start after the part of a stream that an earlier import has stored.
///
/// The rest of it is imported without being asked for: it comes only once.
fn go_on_after(import: Import, is_all: bool) -> ImportStart {
    if is_all && import.is_finished {
        ImportStart::Done(import)
    } else {
        ImportStart::Resumed(import)
    }
}

/// Says behind what an import begins.
fn note_resumed(args: &ImportArgs, input: &Input, import: &Import) {
    let (unit, lines) = (input.unit(), grouped(import.lines.unsigned_abs()));
    let stored = import.stored.unsigned_abs();
    if args.resume {
        let stored = counted_are(stored, "record");
        output::note(&format!("resuming after {unit} {lines}: {stored} stored"));
    } else {
        // A stream, which was not asked to be resumed. Two programs may write the same: it is for
        // the user to decide, also with --quiet.
        output::warning(&format!(
            "{} up to {unit} {lines} is already imported{} ({}): only the rest is stored; to \
             import all of it: --restart",
            input.shown(),
            as_other_name(input, import),
            counted(stored, "record")
        ));
    }
}

/// Says that a file was not taken for another one with the same few bytes.
fn note_alike(input: &Input, import: &Import) {
    output::note(&format!(
        "{} has the same content as {}, which is imported already; it is imported, too, because \
         fewer than {} bytes tell no copy from another file",
        input.shown(),
        import.shown_name(),
        grouped(copies::MIN_BYTES.unsigned_abs())
    ));
}

/// ` as …`, if an import has another name than this input.
fn as_other_name(input: &Input, import: &Import) -> String {
    let name = import.shown_name();
    if import.is_of(input) || (input.known_name().is_none() && name == input.shown()) {
        String::new()
    } else {
        format!(" as {name}")
    }
}

fn report_already_imported(
    args: &ImportArgs,
    input: &Input,
    import: &Import,
    is_copy: bool,
) -> Result<(), Failure> {
    let counts = format!(
        "{}, {} rejected",
        counted(import.stored.unsigned_abs(), "record"),
        counted(import.rejected.unsigned_abs(), input.unit()),
    );
    let shown = input.shown();
    if is_copy || (input.is_unrepeatable() && !import.is_of(input)) {
        let name = import.shown_name();
        let name = if name == shown {
            "an earlier one"
        } else {
            &name
        };
        // Two programs may write the same: it is for the user to decide, also with --quiet.
        output::warning(&format!(
            "{shown} has the same content as {name}, which is already imported ({counts}): nothing \
             of it is stored; to import it, too: --restart",
        ));
    } else {
        output::note(&format!(
            "{shown} is already imported{}: {counts}; to import it again: --restart",
            as_other_name(input, import)
        ));
    }
    if args.json {
        output::json(&json!({"data": {
            "stored": 0, "rejected": 0,
            "stored_in_all": import.stored, "rejected_in_all": import.rejected,
            "lines": import.lines, "finished": true,
        }}))?;
    }
    Ok(())
}
