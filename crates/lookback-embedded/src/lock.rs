use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::POLL_INTERVAL;
use crate::{Error, ErrorKind, Event, Result, folder};

/// An exclusive lock between processes and threads, released at the latest when its process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    /// `None` after a child process has inherited it.
    file: Option<File>,
}

impl Lock {
    /// Waits at most `timeout` for the lock. Processes that wait for this caller show `purpose`.
    ///
    /// The folder must exist. If it is removed during the wait, [`Error::io_kind`] is `NotFound`.
    pub(crate) fn acquire(
        path: &Path,
        purpose: &str,
        timeout: Duration,
        on_event: &dyn Fn(&Event),
    ) -> Result<Self> {
        let started_at = Instant::now();
        let mut announced = false;
        loop {
            let mut file = open(path).map_err(Error::io("open", path))?;
            match file.try_lock() {
                Ok(()) => {
                    let lock = Self { file: Some(file) };
                    if lock.is_at(path) {
                        lock.write_holder(purpose);
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
            // Reported before the timeout is checked: a caller that was delayed for longer than its
            // timeout still reports the holder.
            if !std::mem::replace(&mut announced, true) {
                on_event(&Event::WaitingForLock {
                    lock: path.to_owned(),
                    holder: holder.clone(),
                });
            }
            if started_at.elapsed() >= timeout {
                return Err(Error::from(ErrorKind::Locked {
                    lock: path.to_owned(),
                    holder,
                    waited: timeout,
                }));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Returns the lock if it is free.
    pub(crate) fn try_acquire(path: &Path) -> Result<Option<Self>> {
        let file = open(path).map_err(Error::io("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
        }
    }

    /// Whether the file at `path` is still the locked file, neither removed nor replaced.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let held = self.file.as_ref().and_then(|file| file.metadata().ok());
        match (held, fs::metadata(path)) {
            (Some(held), Ok(there)) => folder::is_same_file(&held, &there),
            _ => false,
        }
    }

    /// Passes the lock to a child process, as its standard input.
    pub(crate) fn into_stdio(mut self) -> Stdio {
        self.file.take().map_or_else(Stdio::null, Stdio::from)
    }

    fn write_holder(&self, purpose: &str) {
        // Only information for waiting processes; a full disk may prevent writing it.
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
    /// Unlocks explicitly, because closing the file is not enough.
    ///
    /// A child process that another thread is starting has a copy of the open file until it runs
    /// its program. The system keeps the lock as long as any copy exists.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // If this fails, closing the file releases the lock.
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
    use crate::ignore_events;
    use std::cell::RefCell;

    #[test]
    fn waiting_caller_reports_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::acquire(&path, "starting", Duration::ZERO, &ignore_events).unwrap();
        let messages = RefCell::new(Vec::new());
        let record = |event: &Event| messages.borrow_mut().push(event.to_string());
        // Also after the timeout.
        let error = Lock::acquire(&path, "stopping", Duration::ZERO, &record).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert!(error.to_string().contains("(starting) holds "), "{error}");
        assert_eq!(messages.borrow().len(), 1, "{messages:?}");
        assert!(messages.borrow()[0].starts_with("waiting for process "));
        drop(first);
        Lock::acquire(&path, "stopping", Duration::ZERO, &ignore_events).unwrap();
    }

    #[test]
    fn dropped_lock_is_released_though_a_child_has_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::try_acquire(&path).unwrap().unwrap();
        let copy = held.file.as_ref().unwrap().try_clone().unwrap();
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_acquire(&path).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn inherited_lock_is_still_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let input = Lock::try_acquire(&path).unwrap().unwrap().into_stdio();
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        drop(input);
    }

    #[test]
    fn lock_on_a_replaced_file_is_detected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::acquire(&path, "x", Duration::ZERO, &ignore_events).unwrap();
        assert!(held.is_at(&path));
        fs::rename(&path, dir.path().join("other")).unwrap();
        assert!(!held.is_at(&path));
        let second = Lock::acquire(&path, "x", Duration::ZERO, &ignore_events).unwrap();
        assert!(second.is_at(&path) && !held.is_at(&path));
    }
}
