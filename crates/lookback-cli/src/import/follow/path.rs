//! Follows one path: imports one content of it after the other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::super::batches::{ImportEnd, ImportSource, import_content};
use super::super::checkpoint::{self, Checkpoint, Import};
use super::super::connection::Connection;
use super::super::content::{self, Content};
use super::super::copies::{self, Found, KnownContent, Relation};
use super::super::encoding;
use super::super::input::{Identity, Input, shown_path};
use super::super::interrupt::Interrupt;
use super::super::lines::Lines;
use super::super::protobuf;
use super::super::rejects::Rejects;
use super::super::report::Report;
use super::live::{self, EndOfContent, LiveFile};
use super::reader::FollowReader;
use super::{Claim, Shared, cannot_follow, rotated};
use crate::args::{ImportArgs, ImportFormat};
use crate::failure::Failure;
use crate::output::{self, grouped};

/// The time between two looks at a path without a file.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A path that is followed.
pub(super) struct FollowedPath {
    shared: Arc<Shared>,
    path: PathBuf,
    /// Whether it was named, not found in a folder.
    is_named: bool,
    /// The content that this process has read to its end before.
    ended: Option<EndedContent>,
    /// A file that cannot be followed.
    unreadable: Option<Identity>,
    /// The problem that was shown last, so that it is shown once.
    shown: Option<String>,
}

struct EndedContent {
    identity: Option<Identity>,
    end: EndOfContent,
}

/// A file to read.
struct OpenFile {
    file: File,
    identity: Option<Identity>,
    /// Its first bytes.
    start: Vec<u8>,
    _claim: Claim,
}

/// The lines to import, and where they begin.
struct Start {
    lines: Lines,
    end: Arc<OnceLock<EndOfContent>>,
    /// The import that has stored what is before them.
    import: Option<Import>,
}

/// How the import of a content ended.
enum Ended {
    Content(EndOfContent),
    /// By a signal, or by a failure elsewhere.
    Stopped,
}

/// The failure of a content.
enum ContentFailure {
    /// Only this file cannot be read.
    OfFile(Failure),
    Other(Failure),
}

impl<E: Into<Failure>> From<E> for ContentFailure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl FollowedPath {
    pub(super) fn new(shared: Arc<Shared>, path: PathBuf, is_named: bool) -> Self {
        Self {
            shared,
            path,
            is_named,
            ended: None,
            unreadable: None,
            shown: None,
        }
    }

    /// Returns at a signal, or when a file of a folder is gone.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        while let Some(open) = self.wait_for_file().await? {
            let identity = open.identity;
            match self.import(open).await {
                Ok(Ended::Stopped) => return Ok(()),
                Ok(Ended::Content(end)) => {
                    self.ended = Some(EndedContent { identity, end });
                }
                Err(ContentFailure::OfFile(failure)) if !self.is_named => {
                    self.show(failure.message());
                    self.unreadable = identity;
                }
                Err(ContentFailure::OfFile(failure) | ContentFailure::Other(failure)) => {
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.is_set()
    }

    /// Prints a problem that this path waits for, once.
    fn show(&mut self, problem: &str) {
        if self.shown.as_deref() != Some(problem) {
            output::warning(problem);
            self.shown = Some(problem.to_owned());
        }
    }

    /// Waits until there is a file with content that no other path is following; `None` at a signal,
    /// or for a file of a folder that is gone.
    async fn wait_for_file(&mut self) -> Result<Option<OpenFile>, Failure> {
        let mut is_waiting_shown = false;
        while !self.is_stopped() {
            match self.path.metadata() {
                Ok(metadata) if metadata.is_dir() => return Ok(None),
                Ok(metadata) if !metadata.is_file() => {
                    return self.no_file();
                }
                Ok(_) => {
                    if let Some(open) = self.open()? {
                        self.shown = None;
                        return Ok(Some(open));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if !self.is_named {
                        return Ok(None);
                    }
                    // Of a file that was removed, its reader has said so.
                    if !is_waiting_shown && self.ended.is_none() {
                        output::note(&format!(
                            "{}: is not there yet; waiting for it",
                            shown_path(&self.path)
                        ));
                    }
                    is_waiting_shown = true;
                }
                Err(error) => self.cannot_be_read(&error)?,
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(None)
    }

    fn no_file(&self) -> Result<Option<OpenFile>, Failure> {
        if self.is_named {
            return Err(Failure::usage(format!(
                "{} is no regular file: --follow is of files",
                shown_path(&self.path)
            ))
            .hint("a pipe is read as it comes: the same command without --follow"));
        }
        Ok(None)
    }

    /// A file that cannot be read at the start is an error; later, it is waited for.
    fn cannot_be_read(&mut self, error: &io::Error) -> Result<(), Failure> {
        let problem = format!("{}: cannot be read: {error}", shown_path(&self.path));
        if self.is_named && self.ended.is_none() {
            return Err(Failure::failed(problem));
        }
        self.show(&problem);
        Ok(())
    }

    fn open(&mut self) -> Result<Option<OpenFile>, Failure> {
        let opened = File::open(&self.path).and_then(|file| {
            let metadata = file.metadata()?;
            let start = live::sample(&file)?;
            Ok((file, metadata, start))
        });
        let (file, metadata, start) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                self.cannot_be_read(&error)?;
                return Ok(None);
            }
        };
        let identity = Identity::of(&metadata);
        let is_unreadable = identity.is_some() && identity == self.unreadable;
        if metadata.len() == 0 || is_unreadable {
            return Ok(None);
        }
        let claim = self.shared.claim(identity);
        Ok(claim.map(|claim| OpenFile {
            file,
            identity,
            start,
            _claim: claim,
        }))
    }

    /// Imports a content, until it ends.
    async fn import(&mut self, open: OpenFile) -> Result<Ended, ContentFailure> {
        let shared = Arc::clone(&self.shared);
        let args = &shared.args;
        check_start(&open.start, &self.path).map_err(ContentFailure::OfFile)?;
        let stop = shared.stop.clone();
        let input = Input::followed(args, &self.path, open.identity, stop)?;
        let ended = self.ended.take().filter(|ended| {
            // Otherwise it was moved away, and back.
            ended.end == EndOfContent::Rewritten || ended.identity != open.identity
        });
        let mut conn = Connection::shared(&shared.connections);
        let Some(mut earlier) = self.earlier(&mut conn, &input).await? else {
            return Ok(Ended::Stopped);
        };
        let mut start = None;
        if let Some(import) = earlier.as_ref().filter(|import| import.stored > 0)
            && ended.is_none()
        {
            start = self.continued(&open, import)?;
        }
        if let Some(import) = earlier.take_if(|import| start.is_none() && import.stored > 0) {
            if self.is_stopped() {
                return Ok(Ended::Stopped);
            }
            let current = open.identity;
            self.import_rotated(&mut conn, &input, &import, ended.as_ref(), current)
                .await?;
            earlier = match self.earlier(&mut conn, &input).await? {
                Some(newest) => newest,
                None => return Ok(Ended::Stopped),
            };
        }
        let earlier_id = earlier.as_ref().map(|import| import.id);
        // New content is not looked for: short files often begin alike.
        let is_looked_for = (ended.is_none() && earlier.is_none()) || is_rotated(&self.path);
        if start.is_none() && is_looked_for {
            let lines = || Ok(Lines::new(Box::new(self.reader(&open, u64::MAX)?.0)));
            let length = open.file.metadata()?.len();
            let found = self.longest(&mut conn, lines, length, args, &input).await?;
            if let Some(Found { import, relation }) = found {
                start = self.continued(&open, &import)?;
                if start.is_some() && relation == Relation::Copy {
                    output::warning(&format!(
                        "{} begins with a copy of what was imported as {}, which is not stored \
                         again; to store that, too: lookback import --restart",
                        input.shown(),
                        import.shown_name()
                    ));
                }
            }
        }
        let Start {
            mut lines,
            end,
            import,
        } = match start {
            Some(start) => start,
            // What was compared may have been cut off by a signal.
            None if self.is_stopped() => return Ok(Ended::Stopped),
            None => {
                let (reader, end) = self.reader(&open, 0)?;
                Start {
                    lines: Lines::new(Box::new(reader)),
                    end,
                    import: None,
                }
            }
        };
        let content = match &import {
            Some(import) => checkpoint::content(import)?,
            None => self.detect(&mut lines, &input)?,
        };
        if args
            .kind
            .is_some_and(|kind| Content::Records(kind) != content)
        {
            return Err(Failure::usage(format!(
                "--kind: the earlier import of {} was of {}",
                input.shown(),
                content.shown()
            ))
            .into());
        }
        content::check(args, &input, content)?;
        if self.is_stopped() && lines.at_end()? {
            return Ok(Ended::Stopped);
        }
        output::note(&match &import {
            Some(import) => format!(
                "{}: following it after line {}",
                input.shown(),
                grouped(import.lines.unsigned_abs())
            ),
            None if ended.is_some() => format!("{}: following the new content", input.shown()),
            None => format!("{}: following it from its start", input.shown()),
        });
        let checkpoint = match import {
            Some(import) => Checkpoint::resumed(&input, import, content, earlier_id),
            None => Checkpoint::fresh(&input, content, earlier_id),
        };
        self.store(&mut conn, args, &input, lines, checkpoint)
            .await?;
        Ok(end.get().map_or(Ended::Stopped, |end| Ended::Content(*end)))
    }

    /// Stores lines until their end.
    async fn store(
        &self,
        conn: &mut Connection,
        args: &ImportArgs,
        input: &Input,
        lines: Lines,
        mut checkpoint: Checkpoint,
    ) -> Result<(), ContentFailure> {
        let Shared { config, pool, .. } = &*self.shared;
        let source = ImportSource {
            config,
            args,
            input,
            rejects: Rejects::open(args.rejects.as_deref(), input)?,
            lines,
            pool: pool.clone(),
            waits: true,
        };
        let clock = Instant::now();
        let mut interrupt = Interrupt::new()?;
        let (summary, ended) = import_content(source, &mut checkpoint, conn, &mut interrupt).await;
        self.shared.add(&summary);
        for problem in &summary.missing_fields {
            output::warning(&format!("{}: {problem}", input.shown()));
        }
        match ended {
            Ok(ImportEnd::Done | ImportEnd::AllRejected) => Ok(()),
            Ok(ImportEnd::Unfinished) => {
                output::warning(&format!(
                    "{}: the last line of its old content is incomplete: it is not stored",
                    input.shown()
                ));
                Ok(())
            }
            ended => {
                let report = Report {
                    args,
                    input,
                    summary,
                    checkpoint: &checkpoint,
                    time: clock.elapsed(),
                };
                Ok(report.print(ended)?)
            }
        }
    }

    /// Runs queries, again and again while the database is away; `None` at a signal.
    async fn query<T>(
        &self,
        conn: &mut Connection,
        mut queries: impl AsyncFnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let config = &self.shared.config;
        let mut is_lost = false;
        loop {
            let found = tokio::select! {
                found = async {
                    if is_lost {
                        conn.reconnect(config).await;
                    }
                    queries(conn.get(config).await?).await
                } => found,
                () = self.stopped() => return Ok(None),
            };
            match found {
                Err(failure) if failure.is_of_connection() => is_lost = true,
                Err(failure) => return Err(failure),
                Ok(found) => {
                    conn.release().await;
                    return Ok(Some(found));
                }
            }
        }
    }

    /// Returns the last import of this path; `None` at a signal.
    async fn earlier(
        &self,
        conn: &mut Connection,
        input: &Input,
    ) -> Result<Option<Option<Import>>, Failure> {
        self.query(conn, async |conn: &mut PgConnection| {
            checkpoint::find_earlier(conn, input).await
        })
        .await
    }

    /// Returns the import that has stored the longest part of these lines of an input.
    async fn longest(
        &self,
        conn: &mut Connection,
        lines: impl Fn() -> Result<Lines, Failure>,
        length: u64,
        args: &ImportArgs,
        input: &Input,
    ) -> Result<Option<Found>, Failure> {
        let found = self.query(conn, async |conn: &mut PgConnection| {
            let mut known = KnownContent::default();
            copies::find_longest(conn, &mut known, &lines, length, args, input).await
        });
        let found = found.await?.flatten();
        Ok(found.filter(|found| found.relation != Relation::Alike))
    }

    /// Waits for a signal.
    async fn stopped(&self) {
        while !self.is_stopped() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// A reader of the file from its start, and where it says why it ended.
    fn reader(
        &self,
        open: &OpenFile,
        imported: u64,
    ) -> io::Result<(FollowReader, Arc<OnceLock<EndOfContent>>)> {
        let file = LiveFile::new(
            open.file.try_clone()?,
            self.path.clone(),
            open.start.clone(),
        )?;
        let stop = self.shared.stop.clone();
        let end = Arc::default();
        let reader = FollowReader::live(file, imported, stop, Arc::clone(&end));
        Ok((reader, end))
    }

    /// Returns the lines after those of an import, if the file begins with them.
    fn continued(&self, open: &OpenFile, import: &Import) -> Result<Option<Start>, Failure> {
        let stored = import.position.unsigned_abs();
        if open.file.metadata()?.len() < stored {
            return Ok(None);
        }
        let (reader, end) = self.reader(open, stored)?;
        let mut lines = Lines::new(Box::new(reader));
        let is_same = lines.skip(stored)? && lines.mark().sha256() == import.prefix_sha256;
        Ok(is_same.then(|| Start {
            lines,
            end,
            import: Some(import.clone()),
        }))
    }

    fn detect(&self, lines: &mut Lines, input: &Input) -> Result<Content, ContentFailure> {
        content::of(&self.shared.args, lines, input).map_err(ContentFailure::OfFile)
    }

    /// Imports what is not stored of the rotated files of this path, unless a signal comes.
    ///
    /// `ended` is there if this process has read what the import has stored. `current` is the file
    /// that is read next.
    async fn import_rotated(
        &self,
        conn: &mut Connection,
        input: &Input,
        import: &Import,
        ended: Option<&EndedContent>,
        current: Option<Identity>,
    ) -> Result<(), ContentFailure> {
        let path = self.path.canonicalize();
        let path = path.unwrap_or_else(|_| self.path.clone());
        let read = ended.and_then(|ended| {
            // A rewritten file has other content now, and may have been renamed with it.
            Some((ended.identity?, ended.end == EndOfContent::Rewritten))
        });
        let all = rotated::not_stored(&self.shared.args, &path, import, read, current);
        if all.is_none() && ended.is_none() {
            output::note(&format!(
                "{}: is another file than the one that is stored up to line {}, which is not \
                 there any more: lines that came after that are not stored",
                input.shown(),
                grouped(import.lines.unsigned_abs())
            ));
        }
        for rotated in all.unwrap_or_default() {
            if self.is_stopped() {
                break;
            }
            match self.import_one_rotated(conn, input, &rotated).await {
                // The others can be read, perhaps.
                Err(ContentFailure::OfFile(failure)) => output::warning(failure.message()),
                imported => imported?,
            }
        }
        Ok(())
    }

    async fn import_one_rotated(
        &self,
        conn: &mut Connection,
        input: &Input,
        rotated: &Path,
    ) -> Result<(), ContentFailure> {
        let shared = &self.shared;
        let mut args = shared.args.clone();
        rotated.clone_into(&mut args.input);
        args.name = Some(input.name().to_owned());
        args.source.get_or_insert_with(|| input.stem());
        args.format = args.other_format().map(ImportFormat::Other);
        let lines = |imported| -> Result<Lines, Failure> {
            let reader = Input::open(&args)?.reader()?;
            let reader = FollowReader::complete(reader, imported, shared.stop.clone());
            Ok(Lines::new(Box::new(reader)))
        };
        // It may have been read before, or have been imported under its new name.
        let followed = Input::followed(&args, rotated, None, shared.stop.clone())?;
        let found = self
            .longest(conn, || lines(u64::MAX), u64::MAX, &args, &followed)
            .await?
            .map(|found| found.import);
        let Some(earlier) = self.earlier(conn, input).await? else {
            return Ok(());
        };
        let stored = found.as_ref().map_or(0, |import| import.position);
        let stored = stored.unsigned_abs();
        let mut lines = lines(stored).map_err(ContentFailure::OfFile)?;
        if self.is_stopped() || !lines.skip(stored)? || lines.at_end()? {
            return Ok(());
        }
        let content = match &found {
            Some(import) => checkpoint::content(import)?,
            None => self.detect(&mut lines, input)?,
        };
        output::note(&format!(
            "{}: storing what is not stored of it",
            shown_path(rotated)
        ));
        let id = earlier.map(|import| import.id);
        let checkpoint = match found {
            Some(import) => Checkpoint::resumed(&followed, import, content, id),
            None => Checkpoint::fresh(&followed, content, id),
        };
        self.store(conn, &args, &followed, lines, checkpoint).await
    }
}

fn is_rotated(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| !copies::names_before(name).is_empty())
}

/// Checks that a file has lines of text, by its first bytes.
fn check_start(start: &[u8], path: &Path) -> Result<(), Failure> {
    if start.starts_with(encoding::PARQUET) {
        return Err(cannot_follow(path, "Parquet"));
    }
    if protobuf::is_start(start) {
        return Err(cannot_follow(path, "protobuf"));
    }
    if let Some(layer) = encoding::Layer::of(start) {
        return Err(cannot_follow(path, layer.what()));
    }
    match encoding::Unsupported::of(start) {
        Some(problem) => Err(cannot_follow(path, problem.what())),
        None => Ok(()),
    }
}
