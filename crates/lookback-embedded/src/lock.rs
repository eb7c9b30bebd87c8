use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::POLL;
use crate::{Error, Event, Result, folder};

/// An exclusive lock between processes and threads, released when dropped or killed.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Waits for the lock, for `patience` at most. `purpose` is what others are told who wait
    /// for this caller.
    ///
    /// The folder must exist. If it is removed meanwhile the error is
    /// [`Error::is_missing_file`].
    pub(crate) fn acquire(
        path: &Path,
        purpose: &str,
        patience: Duration,
        on: &dyn Fn(&Event),
    ) -> Result<Self> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let mut file = open(path).map_err(Error::io("open", path))?;
            match file.try_lock() {
                Ok(()) => {
                    let lock = Self { file };
                    if lock.is_at(path) {
                        lock.sign(purpose);
                        return Ok(lock);
                    }
                    // The file was replaced between opening and locking it.
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
            }
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder);
            if read.is_err() || holder.is_empty() {
                holder = "another process".to_owned();
            }
            if begun.elapsed() >= patience {
                return Err(Error::Locked {
                    lock: path.to_owned(),
                    holder,
                    waited: patience,
                });
            }
            if !std::mem::replace(&mut told, true) {
                let lock = path.to_owned();
                on(&Event::Waiting { lock, holder });
            }
            thread::sleep(POLL);
        }
    }

    /// The lock if nobody holds it.
    pub(crate) fn attempt(path: &Path) -> Result<Option<Self>> {
        let file = open(path).map_err(Error::io("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
        }
    }

    /// Whether the file at `path` is still the locked one, and not gone or replaced.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        match (self.file.metadata(), fs::metadata(path)) {
            (Ok(held), Ok(there)) => folder::same(&held, &there),
            _ => false,
        }
    }

    /// The locked file. Whoever it is passed to holds the lock too.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    fn sign(&self, purpose: &str) {
        // Only a courtesy to those who wait, which a full disk may prevent.
        let mut file = &self.file;
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "process {} ({purpose})", std::process::id()));
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quiet;
    use std::cell::RefCell;

    #[test]
    fn waits_and_says_for_whom() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::acquire(&path, "baking", Duration::ZERO, &quiet).unwrap();
        let heard = RefCell::new(Vec::new());
        let hear = |event: &Event| heard.borrow_mut().push(event.to_string());
        let patience = Duration::from_millis(60);
        let error = Lock::acquire(&path, "eating", patience, &hear).unwrap_err();
        assert!(matches!(&error, Error::Locked { holder, .. } if holder.ends_with("(baking)")));
        assert_eq!(heard.borrow().len(), 1, "{heard:?}");
        assert!(heard.borrow()[0].starts_with("waiting for process "));
        drop(first);
        Lock::acquire(&path, "eating", Duration::ZERO, &quiet).unwrap();
    }

    #[test]
    fn a_replaced_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::acquire(&path, "x", Duration::ZERO, &quiet).unwrap();
        assert!(held.is_at(&path));
        fs::rename(&path, dir.path().join("other")).unwrap();
        assert!(!held.is_at(&path));
        let second = Lock::acquire(&path, "x", Duration::ZERO, &quiet).unwrap();
        assert!(second.is_at(&path) && !held.is_at(&path));
    }
}
