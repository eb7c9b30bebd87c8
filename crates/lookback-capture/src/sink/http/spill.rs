//! Chunks that wait on disk while the server is away.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::chunk::{Chunk, Kind};

/// A folder of chunks, the oldest first. Each is a file `<number>-<kind>-<records>-<key>.ndjson.gz`.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    files: VecDeque<Waiting>,
    bytes: u64,
    most: u64,
    next: u64,
    /// Locked as long as the folder is in use.
    _lock: File,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    number: u64,
    name: String,
    bytes: u64,
}

const END: &str = ".ndjson.gz";
const UNFINISHED: &str = ".unfinished";

impl Spill {
    /// Opens a folder, which is created if it is missing, with what an earlier process left in it.
    pub(super) fn open(folder: &Path, most: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = private_file(&folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("another process uses the folder {}", folder.display()),
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            } else if let Some((number, ..)) = parts(&name) {
                let bytes = entry.metadata()?.len();
                files.push(Waiting {
                    number,
                    name,
                    bytes,
                });
            }
        }
        files.sort();
        Ok(Self {
            folder: folder.to_owned(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            next: files.last().map_or(0, |last| last.number + 1),
            files: files.into(),
            most,
            _lock: lock,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Keeps a chunk. Returns false if there is no room for it.
    pub(super) fn push(&mut self, chunk: &Chunk) -> io::Result<bool> {
        if self.bytes + chunk.body.len() as u64 > self.most {
            return Ok(false);
        }
        self.write(chunk)?;
        Ok(true)
    }

    /// Replaces the oldest chunk by its halves.
    pub(super) fn split_oldest(&mut self, halves: &[Chunk; 2]) -> io::Result<()> {
        // If the process ends in between, it is split again, into halves of the same keys.
        for half in halves {
            self.write(half)?;
        }
        self.remove_oldest()
    }

    fn write(&mut self, chunk: &Chunk) -> io::Result<()> {
        let bytes = chunk.body.len() as u64;
        let number = self.next;
        let name = format!(
            "{number:020}-{}-{}-{}{END}",
            chunk.kind.name(),
            chunk.records,
            chunk.key
        );
        let unfinished = self.folder.join(format!("{number:020}{UNFINISHED}"));
        let write = || {
            let mut file = private_file(&unfinished)?;
            file.set_len(0)?;
            file.write_all(&chunk.body)?;
            file.sync_data()?;
            fs::rename(&unfinished, self.folder.join(&name))
        };
        if let Err(error) = write() {
            // The next one of this number overwrites what cannot be removed.
            let _removed = fs::remove_file(&unfinished);
            return Err(error);
        }
        self.next += 1;
        self.bytes += bytes;
        self.files.push_back(Waiting {
            number,
            name,
            bytes,
        });
        Ok(())
    }

    /// Reads the oldest chunk.
    pub(super) fn oldest(&mut self) -> io::Result<Option<Chunk>> {
        while let Some(file) = self.files.front() {
            let body = match fs::read(self.folder.join(&file.name)) {
                Ok(body) => body,
                // Somebody has deleted it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.forget_oldest();
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some((_, kind, records, key)) = parts(&file.name) {
                return Ok(Some(Chunk {
                    kind,
                    records,
                    key: key.to_owned(),
                    body: body.into(),
                }));
            }
            self.forget_oldest();
        }
        Ok(None)
    }

    /// Deletes the oldest chunk: it is stored.
    pub(super) fn remove_oldest(&mut self) -> io::Result<()> {
        if let Some(file) = self.files.front() {
            match fs::remove_file(self.folder.join(&file.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.forget_oldest(),
            }
        }
        Ok(())
    }

    fn forget_oldest(&mut self) {
        if let Some(file) = self.files.pop_front() {
            self.bytes = self.bytes.saturating_sub(file.bytes);
        }
    }
}

/// The number, kind, records and key of a name.
fn parts(name: &str) -> Option<(u64, Kind, usize, &str)> {
    let mut parts = name.strip_suffix(END)?.splitn(4, '-');
    let number = parts.next()?.parse().ok()?;
    let kind = Kind::from_name(parts.next()?)?;
    let records = parts.next()?.parse().ok()?;
    let key = parts.next()?;
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_key.then_some((number, kind, records, key))
}

/// Opens a file that only its owner can read.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use lookback_json::Json;

    use super::super::chunk::{Chunk, Kind};
    use super::Spill;

    fn chunk(number: u64) -> Chunk {
        Chunk::encode(Kind::Logs, &[number], |number| Json::from(*number)).unwrap()
    }

    #[test]
    fn chunks_are_kept_in_order_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::open(folder.path(), 1_000_000).unwrap();
        let chunks = [chunk(1), chunk(2), chunk(3)];
        assert!(spill.push(&chunks[0]).unwrap() && spill.push(&chunks[1]).unwrap());
        assert!(
            Spill::open(folder.path(), 1)
                .unwrap_err()
                .to_string()
                .contains("another process"),
            "one process at a time"
        );
        drop(spill);
        // A process that was killed leaves this.
        fs::write(
            folder.path().join("00000000000000000002.unfinished"),
            "half",
        )
        .unwrap();
        fs::write(folder.path().join("notes.txt"), "not ours").unwrap();

        let mut spill = Spill::open(folder.path(), 1_000_000).unwrap();
        assert!(spill.push(&chunks[2]).unwrap());
        for expected in &chunks {
            let found = spill.oldest().unwrap().unwrap();
            assert_eq!((&found.key, &found.body), (&expected.key, &expected.body));
            assert_eq!((found.kind, found.records), (Kind::Logs, 1));
            spill.remove_oldest().unwrap();
        }
        assert!(spill.oldest().unwrap().is_none() && spill.is_empty());
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["lock", "notes.txt"]);
    }

    #[test]
    fn spill_takes_no_more_than_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let size = chunk(1).body.len() as u64;
        let mut spill = Spill::open(folder.path(), 2 * size).unwrap();
        assert!(spill.push(&chunk(1)).unwrap() && spill.push(&chunk(2)).unwrap());
        assert!(!spill.push(&chunk(3)).unwrap());
        spill.remove_oldest().unwrap();
        assert!(spill.push(&chunk(3)).unwrap());
    }
}
