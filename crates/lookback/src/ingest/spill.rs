//! The spill: batches on disk while the database cannot be reached.
//!
//! A folder holds a file for each batch, `<number>.batch`. It also holds `lock`, which the
//! process that uses the folder locks; `id`, the name of its lane; and `last`, the highest
//! file number so far. A file is written under a temporary name, synced and renamed, and the
//! folder is synced: the file is complete or absent. A temporary file of a killed process
//! was not handed over yet and is removed.
//!
//! A lane of the spill stores the files in the order of their numbers. It advances its
//! number in `ingest_lanes` to that of the file, so that the next writer with the folder
//! knows which files are stored. The rows of these lanes are never deleted.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

mod file;

pub(super) use file::InDoubtBatch;

use super::back_off::random;
use super::batch::Batch;
use super::queue::Waiter;
use crate::error::Error;
use crate::model::Table;

/// The prefix of lane names that are needed after their writer has ended.
pub(super) const LANE_PREFIX: &str = "spill-";

/// A folder of batches.
pub(super) struct Spill {
    table: &'static Table,
    folder: PathBuf,
    max_bytes: u64,
    id: String,
    state: Mutex<SpillState>,
    changed: Notify,
    _lock: File,
}

#[derive(Default)]
struct SpillState {
    files: VecDeque<SpillFile>,
    bytes: u64,
    rows: u64,
    next: i64,
    /// State of batches whose files this process wrote.
    pending: BTreeMap<i64, PendingBatch>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct SpillFile {
    number: i64,
    bytes: u64,
    rows: u64,
}

/// The number of the first record of a batch, and the callers that wait for its rows.
struct PendingBatch {
    first: Option<u64>,
    waiters: Vec<Vec<(usize, Waiter)>>,
}

/// A batch read from its file.
pub(super) struct SpilledBatch {
    pub(super) number: i64,
    pub(super) doubt: Option<InDoubtBatch>,
    pub(super) batch: Batch,
}

impl Spill {
    /// Opens a folder, or creates it.
    pub(super) fn open(
        table: &'static Table,
        folder: &Path,
        max_bytes: u64,
    ) -> Result<Self, Error> {
        Self::try_open(table, folder, max_bytes).map_err(|error| {
            Error::invalid_field(
                table.name,
                "spill",
                format!("{}: {error}", folder.display()),
            )
        })
    }

    fn try_open(table: &'static Table, folder: &Path, max_bytes: u64) -> io::Result<Self> {
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
                    "is in use by another writer; each needs its own folder",
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
                        let problem = format!("the name of {} must be a number", path.display());
                        io::Error::new(io::ErrorKind::InvalidData, problem)
                    })?);
                }
                _ => {}
            }
        }
        numbers.sort_unstable();
        let id = match fs::read_to_string(folder.join("id")) {
            Ok(id) if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => id,
            Ok(_) => return Err(io::Error::other("its file `id` is corrupt")),
            Err(error) if error.kind() == io::ErrorKind::NotFound && numbers.is_empty() => {
                let id = format!("{:016x}{:016x}", random(), random());
                write_atomically(folder, "id", id.as_bytes())?;
                id
            }
            Err(error) => return Err(error),
        };
        let spill = Self {
            table,
            folder: folder.to_owned(),
            max_bytes,
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
                state.files.push_back(SpillFile {
                    number,
                    bytes,
                    rows,
                });
                state.bytes += bytes;
                state.rows += rows;
                state.next = number;
            }
            // Missing numbers were stored: the lane knows the last of them.
            state.next = spill.last_number()?.max(state.next);
        }
        Ok(spill)
    }

    fn lock(&self) -> MutexGuard<'_, SpillState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The highest file number assigned so far.
    ///
    /// File numbers are never reused: the lane would mistake the new file for the old one.
    fn last_number(&self) -> io::Result<i64> {
        match fs::read_to_string(self.folder.join("last")) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| io::Error::other("its file `last` is corrupt")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The name of the lane that stores the files.
    pub(super) fn lane(&self) -> String {
        format!("{LANE_PREFIX}{}", self.id)
    }

    /// The number of rows in the folder.
    pub(super) fn rows(&self) -> u64 {
        self.lock().rows
    }

    /// Whether the folder has room for another batch.
    pub(super) fn has_room(&self) -> bool {
        self.lock().bytes < self.max_bytes
    }

    /// Appends a batch; it is on disk when this returns.
    pub(super) fn put(
        &self,
        mut batch: Batch,
        doubt: Option<InDoubtBatch>,
    ) -> Result<(), (Batch, io::Error)> {
        let mut state = self.lock();
        let number = state.next + 1;
        let written = file::encode(self.table, &batch, number, doubt).and_then(|bytes| {
            write_atomically(&self.folder, "last", number.to_string().as_bytes())?;
            write_atomically(&self.folder, &name(number), &bytes)?;
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
        state.files.push_back(SpillFile {
            number,
            bytes,
            rows,
        });
        let waiters = batch
            .groups
            .iter_mut()
            .map(|group| std::mem::take(&mut group.waiters));
        let known = PendingBatch {
            first: batch.first,
            waiters: waiters.collect(),
        };
        state.pending.insert(number, known);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn read(&self, number: i64) -> io::Result<(usize, SpilledBatch)> {
        let path = self.folder.join(name(number));
        let bytes = fs::read(&path)?;
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{} {error}", path.display()));
        let (header, batch) = file::decode(self.table, &bytes).map_err(named)?;
        let replay = SpilledBatch {
            number,
            doubt: header.doubt,
            batch,
        };
        Ok((bytes.len(), replay))
    }

    /// Waits for the first batch, with its waiting callers; `None` if no more come.
    pub(super) async fn first(&self) -> Option<io::Result<SpilledBatch>> {
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

    fn replay(&self, number: i64) -> io::Result<SpilledBatch> {
        let (_, mut replay) = self.read(number)?;
        if let Some(known) = self.lock().pending.remove(&number) {
            replay.batch.first = known.first;
            for (group, waiters) in replay.batch.groups.iter_mut().zip(known.waiters) {
                group.waiters = waiters;
            }
        }
        Ok(replay)
    }

    /// Puts back the first batch, which is not stored when the writer ends.
    pub(super) fn keep(&self, number: i64, batch: Batch) {
        let first = batch.first;
        let waiters = batch.groups.into_iter().map(|group| group.waiters);
        let waiters = waiters.collect();
        self.lock()
            .pending
            .insert(number, PendingBatch { first, waiters });
    }

    /// Removes the file of the first batch, which is stored.
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

    /// Ends the sequence of batches.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// The callers that wait for batches left in the folder, with the first record of each.
    pub(super) fn take_waiters(&self) -> Vec<(Option<u64>, Vec<Waiter>)> {
        let known = std::mem::take(&mut self.lock().pending);
        let batches = known.into_values().map(|known| {
            let waiters = known.waiters.into_iter().flatten();
            (known.first, waiters.map(|(_, waiter)| waiter).collect())
        });
        batches.collect()
    }
}

fn name(number: i64) -> String {
    format!("{number:020}.batch")
}

/// Writes a file that is complete or absent, also after a crash of the machine.
fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.new"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, folder.join(name))?;
    // Windows cannot open a folder as a file, and syncs renames.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}
