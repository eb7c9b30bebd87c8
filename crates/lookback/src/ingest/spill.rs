//! Batches on disk, while the database is away.
//!
//! A folder holds a file for each batch, `<number>.batch`, besides `lock`, which
//! the one process holds that uses the folder, and `id`, the name of its lane.
//! A file is written under another name, synced and renamed, and the folder is
//! synced: it is whole or not there. What a killed process left under the other
//! name was in nobody's hands yet and is removed.
//!
//! Files are stored in the order of their numbers by a lane of their own, which
//! moves its number in `ingest_lanes` to that of the file: whoever opens the
//! folder next knows which are stored. So these rows are never removed.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

mod file;

pub(super) use file::Doubt;

use super::back_off::random;
use super::batch::Batch;
use super::intake::Waiter;
use crate::error::Error;
use crate::model::Table;

/// What names of lanes start with that are needed after their writer is gone.
pub(super) const LANE: &str = "spill-";

/// A folder of batches.
pub(super) struct Spill {
    table: &'static Table,
    folder: PathBuf,
    most_bytes: u64,
    id: String,
    state: Mutex<State>,
    changed: Notify,
    _lock: File,
}

#[derive(Default)]
struct State {
    files: VecDeque<Spilled>,
    bytes: u64,
    rows: u64,
    next: i64,
    /// What this process knows of files that it wrote itself.
    known: BTreeMap<i64, Known>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Spilled {
    number: i64,
    bytes: u64,
    rows: u64,
}

/// The number of the first record of a batch, and who waits for its rows.
struct Known {
    first: Option<u64>,
    waiters: Vec<Vec<(usize, Waiter)>>,
}

/// A batch read from its file.
pub(super) struct Replay {
    pub(super) number: i64,
    pub(super) doubt: Option<Doubt>,
    pub(super) batch: Batch,
}

impl Spill {
    /// Opens a folder, or makes it.
    pub(super) fn open(
        table: &'static Table,
        folder: &Path,
        most_bytes: u64,
    ) -> Result<Self, Error> {
        Self::try_open(table, folder, most_bytes).map_err(|error| {
            Error::invalid_field(
                table.name,
                "spill",
                format!("{}: {error}", folder.display()),
            )
        })
    }

    fn try_open(table: &'static Table, folder: &Path, most_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "is in use by another writer; give each its own folder",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("new") => fs::remove_file(&path)?,
                Some("batch") => {
                    let stem = path.file_stem().and_then(|stem| stem.to_str());
                    let number = stem.and_then(|stem| stem.parse::<i64>().ok());
                    numbers.push(number.ok_or_else(|| {
                        let problem = format!("{} has no number for a name", path.display());
                        io::Error::new(io::ErrorKind::InvalidData, problem)
                    })?);
                }
                _ => {}
            }
        }
        numbers.sort_unstable();
        let id = match fs::read_to_string(folder.join("id")) {
            Ok(id) if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => id,
            Ok(_) => return Err(io::Error::other("its file `id` is damaged")),
            Err(error) if error.kind() == io::ErrorKind::NotFound && numbers.is_empty() => {
                let id = format!("{:016x}{:016x}", random(), random());
                put_whole(folder, "id", id.as_bytes())?;
                id
            }
            Err(error) => return Err(error),
        };
        let spill = Self {
            table,
            folder: folder.to_owned(),
            most_bytes,
            id,
            state: Mutex::default(),
            changed: Notify::new(),
            _lock: lock,
        };
        {
            let mut state = spill.lock();
            for number in numbers {
                let (bytes, batch) = spill.read(number)?;
                let (bytes, rows) = (bytes as u64, batch.batch.rows() as u64);
                state.files.push_back(Spilled {
                    number,
                    bytes,
                    rows,
                });
                state.bytes += bytes;
                state.rows += rows;
                state.next = number;
            }
            // Numbers that are gone were stored: the lane knows the last of them.
            state.next = spill.last_number()?.max(state.next);
        }
        Ok(spill)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The greatest number that was given so far. Numbers never come again: the
    /// lane would take the new file for the old one.
    fn last_number(&self) -> io::Result<i64> {
        match fs::read_to_string(self.folder.join("last")) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| io::Error::other("its file `last` is damaged")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The name of the lane that stores the files.
    pub(super) fn lane(&self) -> String {
        format!("{LANE}{}", self.id)
    }

    /// How many rows are in the folder.
    pub(super) fn rows(&self) -> u64 {
        self.lock().rows
    }

    /// Whether a batch that is not there yet may be put into it.
    pub(super) fn has_room(&self) -> bool {
        self.lock().bytes < self.most_bytes
    }

    /// Puts a batch at the end; it is on disk when this returns.
    pub(super) fn put(
        &self,
        mut batch: Batch,
        doubt: Option<Doubt>,
    ) -> Result<(), (Batch, io::Error)> {
        let mut state = self.lock();
        let number = state.next + 1;
        let written = file::write(self.table, &batch, number, doubt).and_then(|bytes| {
            put_whole(&self.folder, "last", number.to_string().as_bytes())?;
            put_whole(&self.folder, &name(number), &bytes)?;
            Ok(bytes.len() as u64)
        });
        let bytes = match written {
            Ok(bytes) => bytes,
            Err(error) => return Err((batch, error)),
        };
        let rows = batch.rows() as u64;
        state.next = number;
        state.bytes += bytes;
        state.rows += rows;
        state.files.push_back(Spilled {
            number,
            bytes,
            rows,
        });
        let waiters = batch
            .groups
            .iter_mut()
            .map(|group| std::mem::take(&mut group.waiters));
        let known = Known {
            first: batch.first,
            waiters: waiters.collect(),
        };
        state.known.insert(number, known);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn read(&self, number: i64) -> io::Result<(usize, Replay)> {
        let path = self.folder.join(name(number));
        let bytes = fs::read(&path)?;
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{} {error}", path.display()));
        let (header, batch) = file::read(self.table, &bytes).map_err(named)?;
        let replay = Replay {
            number,
            doubt: header.doubt,
            batch,
        };
        Ok((bytes.len(), replay))
    }

    /// The first batch, with who waits for it; none if there is none and no
    /// more will come.
    pub(super) async fn first(&self) -> Option<io::Result<Replay>> {
        loop {
            {
                let state = self.lock();
                if let Some(file) = state.files.front().copied() {
                    drop(state);
                    return Some(self.replay(file.number));
                }
                if state.ended {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    fn replay(&self, number: i64) -> io::Result<Replay> {
        let (_, mut replay) = self.read(number)?;
        if let Some(known) = self.lock().known.remove(&number) {
            replay.batch.first = known.first;
            for (group, waiters) in replay.batch.groups.iter_mut().zip(known.waiters) {
                group.waiters = waiters;
            }
        }
        Ok(replay)
    }

    /// The first batch is not stored, and this writer has come to its end.
    pub(super) fn keep(&self, number: i64, batch: Batch) {
        let first = batch.first;
        let waiters = batch.groups.into_iter().map(|group| group.waiters);
        let waiters = waiters.collect();
        self.lock().known.insert(number, Known { first, waiters });
    }

    /// The first batch is stored.
    pub(super) fn remove_first(&self) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(file) = state.files.pop_front() {
            state.bytes -= file.bytes;
            state.rows -= file.rows;
            drop(state);
            fs::remove_file(self.folder.join(name(file.number)))?;
        }
        Ok(())
    }

    /// No more batches come.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Those who wait for what is left in the folder, with the first record of
    /// each batch.
    pub(super) fn left(&self) -> Vec<(Option<u64>, Vec<Waiter>)> {
        let known = std::mem::take(&mut self.lock().known);
        let left = known.into_values().map(|known| {
            let waiters = known.waiters.into_iter().flatten();
            (known.first, waiters.map(|(_, waiter)| waiter).collect())
        });
        left.collect()
    }
}

fn name(number: i64) -> String {
    format!("{number:020}.batch")
}

/// A file that is whole or not there, also after a crash of the machine.
fn put_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.new"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, folder.join(name))?;
    // A folder cannot be opened as a file on Windows, where renames are synced.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}
