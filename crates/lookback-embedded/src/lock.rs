use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::POLL;
use crate::{Error, ErrorKind, Event, Result, folder};

/// An exclusive lock between processes and threads, released when dropped or killed.
#[derive(Debug)]
pub(crate) struct Lock {
    /// `None` once it was passed on.
    file: Option<File>,
}

impl Lock {
    /// Waits for the lock, for `patience` at most. `purpose` is what others are told who wait
    /// for this caller.
    ///
    /// The folder must exist. If it is removed meanwhile, [`Error::io_kind`] is `NotFound`.
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
                    let lock = Self { file: Some(file) };
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
            // Before it gives up: a caller that was held up for longer than its patience still
            // says for whom it waits.
            if !std::mem::replace(&mut told, true) {
                on(&Event::Waiting {
                    lock: path.to_owned(),
                    holder: holder.clone(),
                });
            }
            if begun.elapsed() >= patience {
                return Err(Error::from(ErrorKind::Locked {
                    lock: path.to_owned(),
                    holder,
                    waited: patience,
                }));
            }
            thread::sleep(POLL);
        }
    }

    /// The lock if nobody holds it.
    pub(crate) fn attempt(path: &Path) -> Result<Option<Self>> {
        let file = open(path).map_err(Error::io("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
        }
    }

    /// Whether the file at `path` is still the locked one, and not gone or replaced.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let held = self.file.as_ref().and_then(|file| file.metadata().ok());
        match (held, fs::metadata(path)) {
            (Some(held), Ok(there)) => folder::same(&held, &there),
            _ => false,
        }
    }

    /// Lets a child process inherit the lock, as its input.
    pub(crate) fn into_stdio(mut self) -> Stdio {
        self.file.take().map_or_else(Stdio::null, Stdio::from)
    }

    fn sign(&self, purpose: &str) {
        // Only a courtesy to those who wait, which a full disk may prevent.
        let Some(mut file) = self.file.as_ref() else {
            return;
        };
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "process {} ({purpose})", std::process::id()));
    }
}

impl Drop for Lock {
    /// Closing the file would not be enough: a child that another thread is just starting has a
    /// copy of it until it runs its program, and the system's lock lasts as long as any copy.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // If that fails, closing it is what is left.
            let _ = file.unlock();
        }
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
        // However late it is by then.
        let error = Lock::acquire(&path, "eating", Duration::ZERO, &hear).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert!(error.to_string().contains("(baking) holds "), "{error}");
        assert_eq!(heard.borrow().len(), 1, "{heard:?}");
        assert!(heard.borrow()[0].starts_with("waiting for process "));
        drop(first);
        Lock::acquire(&path, "eating", Duration::ZERO, &quiet).unwrap();
    }

    #[test]
    fn dropping_it_releases_it_though_a_starting_child_has_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::attempt(&path).unwrap().unwrap();
        let copy = held.file.as_ref().unwrap().try_clone().unwrap();
        assert!(Lock::attempt(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::attempt(&path).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn a_lock_that_is_passed_on_is_still_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let input = Lock::attempt(&path).unwrap().unwrap().into_stdio();
        assert!(Lock::attempt(&path).unwrap().is_none());
        drop(input);
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
