//! The content of a file that grows, until the file is replaced, rewritten or removed.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::super::input::{Identity, shown_path};
use crate::output;

/// The time without new lines after which a file that was renamed ends: until it has opened the new
/// file, a program writes to the old one.
const QUIET: Duration = Duration::from_millis(500);

/// The same if the program goes on writing to the renamed file, and there is a new one with lines.
const LONGEST_OVERLAP: Duration = Duration::from_secs(5);

/// The time without new lines after which a file ends that was removed, or renamed without a new
/// one.
const REMOVED: Duration = Duration::from_secs(5);

/// The bytes at the start, and before the position, by which a rewritten file is recognised.
const SAMPLE: usize = 1024;

/// The first bytes of a file.
pub(super) fn sample(mut file: &File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(SAMPLE as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Why a content ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndOfContent {
    /// There is another file at the path.
    Replaced,
    /// The file became shorter, or has other bytes than those that were read.
    Rewritten,
    /// There is no file at the path.
    Removed,
    /// There is another file at the path, though this one still grows.
    Left,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// This number of bytes was read.
    Bytes(usize),
    /// Nothing new.
    Nothing,
    End(EndOfContent),
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct LiveFile {
    file: File,
    path: PathBuf,
    identity: Option<Identity>,
    /// The number of bytes that were read.
    position: u64,
    /// The first bytes.
    start: Vec<u8>,
    /// The last bytes before the position.
    before: Vec<u8>,
    /// The time of the last change, when the bytes were last compared.
    changed: Option<SystemTime>,
    grown: Instant,
    /// Since when, at the end of this file, the path leads to another one, or to none.
    moved: Option<Instant>,
    /// When the path was last looked at while the file grew.
    checked: Instant,
    /// Whether it is left although it grows.
    is_over: bool,
    is_removal_shown: bool,
}

impl LiveFile {
    /// `start` is a [`sample`] of the file from when it was opened: what came between is seen.
    ///
    /// # Errors
    ///
    /// The properties of the file cannot be read.
    pub(super) fn new(file: File, path: PathBuf, start: Vec<u8>) -> io::Result<Self> {
        Ok(Self {
            identity: Identity::of(&file.metadata()?),
            file,
            path,
            position: 0,
            start,
            before: Vec::new(),
            changed: None,
            grown: Instant::now(),
            moved: None,
            checked: Instant::now(),
            is_over: false,
            is_removal_shown: false,
        })
    }

    /// The time for which it has not grown.
    pub(super) fn quiet(&self) -> Duration {
        self.grown.elapsed()
    }

    /// Reads what was added.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Growth> {
        if self.is_over {
            return Ok(Growth::End(EndOfContent::Left));
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        let length = loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                length => break length?,
            }
        };
        let bytes = &buffer[..length];
        if length > 0 {
            // Compared after reading: it may be rewritten in between.
            if !self.is_as_read()? {
                return Ok(Growth::End(EndOfContent::Rewritten));
            }
            self.add(bytes);
            self.grown = Instant::now();
            if self.checked.elapsed() >= QUIET {
                self.checked = Instant::now();
                self.end_overlap();
            }
            return Ok(Growth::Bytes(length));
        }
        let metadata = self.file.metadata()?;
        if metadata.len() < self.position {
            return Ok(Growth::End(EndOfContent::Rewritten));
        }
        let changed = metadata.modified().ok();
        if changed != self.changed {
            self.changed = changed;
            if !self.is_as_read()? {
                return Ok(Growth::End(EndOfContent::Rewritten));
            }
        }
        Ok(match self.end_by_path() {
            Some(end) => Growth::End(end),
            None => Growth::Nothing,
        })
    }

    /// Whether the path leads to another file, or to none, for long enough.
    fn end_by_path(&mut self) -> Option<EndOfContent> {
        let (end, limit) = match self.path.metadata() {
            Ok(found) if self.is_other(&found) => (EndOfContent::Replaced, QUIET),
            Ok(_) => {
                self.moved = None;
                return None;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (EndOfContent::Removed, REMOVED)
            }
            // Such as a server of files that does not answer: it may be there again.
            Err(_) => return None,
        };
        let since = *self.moved.get_or_insert_with(Instant::now);
        if end == EndOfContent::Removed && !self.is_removal_shown {
            self.is_removal_shown = true;
            output::note(&format!(
                "{}: was removed or renamed; waiting for it",
                shown_path(&self.path)
            ));
        }
        (since.elapsed() >= limit && self.grown.elapsed() >= limit).then_some(end)
    }

    /// Ends a renamed file that is still written to, if the new one has lines, too.
    fn end_overlap(&mut self) {
        let is_long = self
            .moved
            .is_some_and(|since| since.elapsed() >= LONGEST_OVERLAP);
        let has_new = |path: &Path| {
            path.metadata()
                .is_ok_and(|new| self.is_other(&new) && new.len() > 0)
        };
        if is_long && has_new(&self.path) {
            self.is_over = true;
            output::warning(&format!(
                "{}: was replaced, and a program still writes to the old file: what it writes \
                 there from now on is not stored",
                shown_path(&self.path)
            ));
        }
    }

    fn is_other(&self, found: &Metadata) -> bool {
        let found = Identity::of(found);
        self.identity.is_some() && found.is_some() && self.identity != found
    }

    /// Whether the bytes that were read are still there, as far as samples show.
    fn is_as_read(&self) -> io::Result<bool> {
        let before = self.position - self.before.len() as u64;
        Ok(self.has(0, &self.start)? && self.has(before, &self.before)?)
    }

    fn has(&self, position: u64, expected: &[u8]) -> io::Result<bool> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(position))?;
        let mut found = Vec::with_capacity(expected.len());
        file.take(expected.len() as u64).read_to_end(&mut found)?;
        Ok(found == expected)
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Ok(position) = usize::try_from(self.position)
            && let Some(known) = self.start.len().checked_sub(position)
        {
            let end = bytes.len().min(SAMPLE.saturating_sub(position));
            self.start
                .extend_from_slice(bytes.get(known..end).unwrap_or_default());
        }
        self.before
            .extend_from_slice(&bytes[bytes.len().saturating_sub(SAMPLE)..]);
        let excess = self.before.len().saturating_sub(SAMPLE);
        self.before.drain(..excess);
        self.position += bytes.len() as u64;
    }
}
