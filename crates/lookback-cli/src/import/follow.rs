//! `lookback import --follow`: files that grow, stored as they do.
//!
//! Each path has a thread ([`path`]) that imports one content of it after the other, each like a
//! stream: the content of a [`live`] file ends when the file is replaced, rewritten or removed. The
//! lines of [`rotated`] files that are not stored come before those of the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lookback::table::Table;
use lookback::{Log, Model as _, RequestSnapshot};
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::mpsc;

use super::connection::SharedConnections;
use super::input::{self, Identity};
use super::interrupt::Interrupt;
use super::report::Summary;
use super::stream::EndOfStream;
use super::{INTERRUPT_TIMEOUT, copies, files, session};
use crate::args::{Format, ImportArgs};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted};

mod live;
mod path;
mod reader;
mod rotated;

use path::FollowedPath;

/// The most connections that store batches of followed files.
const MAX_CONNECTIONS: usize = 8;

/// The most files that are followed, each with a thread.
const MAX_FILES: usize = 1_000;

/// The time between two searches for new files.
const SEARCH_INTERVAL: Duration = Duration::from_millis(300);

/// What the followers of all paths share.
struct Shared {
    config: Config,
    args: ImportArgs,
    connections: Arc<SharedConnections>,
    pool: PgPool,
    /// Set by the first signal.
    stop: EndOfStream,
    /// The files that are being read, under whatever path.
    claims: Mutex<BTreeSet<Identity>>,
    summary: Mutex<Summary>,
}

impl Shared {
    fn add(&self, summary: &Summary) {
        let mut all = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        all.stored += summary.stored;
        all.requests += summary.requests;
        all.rejected += summary.rejected;
    }

    /// Claims a file; `None` while another path leads to it.
    fn claim(self: &Arc<Self>, identity: Option<Identity>) -> Option<Claim> {
        if let Some(identity) = identity {
            let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
            if !claims.insert(identity) {
                return None;
            }
        }
        Some(Claim {
            shared: Arc::clone(self),
            identity,
        })
    }
}

/// A file that only one path follows.
struct Claim {
    shared: Arc<Shared>,
    identity: Option<Identity>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(identity) = &self.identity {
            let claims = &self.shared.claims;
            claims
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(identity);
        }
    }
}

/// Follows files until a signal, or a failure that is not of the connection.
pub(super) async fn run(config: &Config, mut args: ImportArgs) -> Result<(), Failure> {
    let targets = std::mem::take(&mut args.inputs);
    check(&args, &targets)?;
    // A report at the end, not of each content.
    let is_json = std::mem::take(&mut args.json);
    let (mut conn, options) = database::connect_to(config).await?;
    lookback::setup::check_server(&mut conn).await?;
    lookback::setup::check_encoder(&mut conn).await?;
    let pool = database::lazy_pool(options.application_name("lookback maintenance"), 3);
    let tables = tables(&args);
    let is_maintained = tables.iter().all(|table| table.is_sealed());
    let worker = is_maintained.then(|| session::spawn_worker(&tables, &pool, true));
    let worker = worker.transpose()?;
    let shared = Arc::new(Shared {
        config: config.clone(),
        args,
        connections: SharedConnections::new(conn, MAX_CONNECTIONS),
        pool,
        stop: EndOfStream::default(),
        claims: Mutex::default(),
        summary: Mutex::default(),
    });
    let ended = Follower::new(Arc::clone(&shared), targets).run().await;
    if let Some(worker) = worker {
        let _ = tokio::time::timeout(INTERRUPT_TIMEOUT, worker.stop()).await;
    }
    let summary = shared
        .summary
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if is_json {
        output::json(&json!({"data": {
            "stored": summary.stored,
            "rejected": summary.rejected,
        }}))?;
    }
    ended?;
    output::note(&format!(
        "stored {} and {}",
        counted(summary.stored - summary.requests, "record"),
        counted(summary.requests, "request")
    ));
    Ok(())
}

/// The tables whose partitions are maintained meanwhile.
fn tables(args: &ImportArgs) -> Vec<&'static Table> {
    match args.kind {
        Some(kind) => vec![kind.table()],
        None => vec![Log::TABLE, RequestSnapshot::TABLE],
    }
}

/// Checks what cannot be followed.
fn check(args: &ImportArgs, targets: &[PathBuf]) -> Result<(), Failure> {
    if matches!(args.own_format(), Some(Format::Csv | Format::Parquet)) {
        return Err(
            Failure::usage("--follow: reads lines: text, or JSON; not CSV and Parquet")
                .hint("to import such a file: the same command without --follow"),
        );
    }
    for target in targets {
        if target == Path::new("-") {
            return Err(Failure::usage(
                "--follow: is of files; standard input is followed without it",
            )
            .hint("… | lookback import -"));
        }
        files::check_pattern(target)?;
        if let Some(problem) = not_lines(target)
            && !target.is_dir()
        {
            return Err(problem);
        }
    }
    Ok(())
}

/// The failure of a file that by its name has no lines that could be followed.
fn not_lines(path: &Path) -> Option<Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_compressed = extension
        .is_some_and(|extension| ["gz", "zst", "bz2"].contains(&&*extension.to_ascii_lowercase()));
    let what = match input::by_extension(path) {
        _ if is_compressed => "compressed",
        Some(Format::Csv) => "CSV",
        Some(Format::Parquet) => "Parquet",
        Some(Format::Jsonl) | None => return None,
    };
    Some(cannot_follow(path, what))
}

fn cannot_follow(path: &Path, what: &str) -> Failure {
    Failure::usage(format!(
        "{} is {what}: --follow reads lines of text or JSON in UTF-8",
        input::shown_path(path)
    ))
    .hint("to import it as it is: the same command without --follow")
}

/// The threads of the paths that are followed.
struct Follower {
    shared: Arc<Shared>,
    targets: Vec<PathBuf>,
    /// The paths that are followed, and whether each was named.
    running: BTreeMap<PathBuf, bool>,
    /// All paths that were ever followed.
    known: BTreeSet<PathBuf>,
    sender: mpsc::UnboundedSender<(PathBuf, Result<(), Failure>)>,
    ended: mpsc::UnboundedReceiver<(PathBuf, Result<(), Failure>)>,
    is_full_shown: bool,
    is_none_shown: bool,
    /// The problems that were shown.
    shown: BTreeSet<String>,
}

impl Follower {
    fn new(shared: Arc<Shared>, targets: Vec<PathBuf>) -> Self {
        let (sender, ended) = mpsc::unbounded_channel();
        Self {
            shared,
            targets,
            running: BTreeMap::new(),
            known: BTreeSet::new(),
            sender,
            ended,
            is_full_shown: false,
            is_none_shown: false,
            shown: BTreeSet::new(),
        }
    }

    /// Returns after a signal, when what was read is stored.
    async fn run(mut self) -> Result<(), Failure> {
        let mut interrupt = Interrupt::new()?;
        let mut search = tokio::time::interval(SEARCH_INTERVAL);
        search.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failure = None;
        loop {
            let is_stopped = self.shared.stop.is_set();
            if is_stopped && self.running.is_empty() {
                return failure.map_or(Ok(()), Err);
            }
            tokio::select! {
                biased;
                () = interrupt.next() => {
                    if is_stopped {
                        self.finish().await;
                        return Err(failure.unwrap_or_else(|| Failure::interrupted("interrupted")));
                    }
                    self.shared.stop.set();
                }
                Some((path, result)) = self.ended.recv() => {
                    self.running.remove(&path);
                    if let Err(next) = result {
                        self.shared.stop.set();
                        // The first is the cause.
                        failure.get_or_insert(next);
                    }
                }
                _ = search.tick(), if !is_stopped => self.search(),
            }
        }
    }

    /// Waits for the threads, which end at the second signal too.
    async fn finish(&mut self) {
        let all = async {
            while !self.running.is_empty()
                && let Some((path, _)) = self.ended.recv().await
            {
                self.running.remove(&path);
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
    }

    /// Follows the files that are new.
    fn search(&mut self) {
        for target in self.targets.clone() {
            if !files::is_several(&target) {
                self.follow(target, true);
                continue;
            }
            for found in files::find(&target) {
                match found {
                    Ok(path) if !self.is_left_out(&path) => self.follow(path, false),
                    Ok(_) => {}
                    Err(failure) => {
                        if self.shown.insert(failure.message().to_owned()) {
                            output::warning(failure.message());
                        }
                    }
                }
            }
        }
        if self.running.is_empty() && !self.is_none_shown {
            self.is_none_shown = true;
            output::note("no file yet: waiting for one");
        }
    }

    fn follow(&mut self, path: PathBuf, is_named: bool) {
        if self.running.contains_key(&path) {
            return;
        }
        if self.running.len() >= MAX_FILES {
            if !std::mem::replace(&mut self.is_full_shown, true) {
                output::warning(&format!(
                    "{} files are followed at once: others wait until one is removed",
                    output::grouped(MAX_FILES as u64)
                ));
            }
            return;
        }
        self.running.insert(path.clone(), is_named);
        self.known.insert(path.clone());
        let followed = FollowedPath::new(Arc::clone(&self.shared), path.clone(), is_named);
        let sender = self.sender.clone();
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            // Reading a file blocks; the thread is there for it.
            let result = runtime.block_on(followed.run());
            // Nobody waits for it any more after a second signal.
            let _ = sender.send((path, result));
        });
    }

    /// Whether a file of a folder is not followed: it is rotated, has no lines, or is the file for
    /// rejected ones.
    fn is_left_out(&self, path: &Path) -> bool {
        let is_rotated = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| {
                copies::names_before(name).iter().any(|name| {
                    let before = path.with_file_name(name);
                    self.known.contains(&before) || before.exists()
                })
            });
        let identity = |path: &Path| path.metadata().ok().and_then(|file| Identity::of(&file));
        let is_rejects = |rejects: &Path| {
            let of_rejects = identity(rejects);
            rejects == path || (of_rejects.is_some() && of_rejects == identity(path))
        };
        let rejects = self.shared.args.rejects.as_deref();
        is_rotated || not_lines(path).is_some() || rejects.is_some_and(is_rejects)
    }
}
