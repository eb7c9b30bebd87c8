use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::postmaster::processes_on;
use crate::process::POLL_INTERVAL;
use crate::{Error, ErrorKind, Remedy, Result, folder};

/// Removes the unfinished data folder of a killed start, if it exists.
///
/// The caller holds the lock, so an `initdb` that still works there belongs to no running start. It
/// does not notice that its output is not read and would continue to its end, so it is killed. Its
/// children, and the server that creates the database, end when their input ends, and clean up.
/// clean up.
pub(crate) fn remove_unfinished(new: &Path, timeout: Duration) -> Result<()> {
    let started_at = Instant::now();
    while new.exists() {
        let remaining = processes_on("initdb", new);
        for pid in &remaining {
            kill(*pid);
        }
        let remaining = remaining
            .into_iter()
            .chain(processes_on("postgres", new))
            .next();
        let timed_out = started_at.elapsed() >= timeout;
        match remaining {
            Some(pid) if timed_out => {
                return Err(Error::from(ErrorKind::Timeout {
                    pid,
                    base: new.to_owned(),
                    wanted: "stopped",
                    waited: timeout,
                    detail: "it was remaining behind by a start that was killed".to_owned(),
                    remedy: Some(Remedy::EndProcess { pid }),
                }));
            }
            Some(_) => {}
            None => match folder::remove(new) {
                // A process of another account may be invisible.
                Err(e) if e.io_kind() == Some(io::ErrorKind::DirectoryNotEmpty) && !timed_out => {}
                removed => return removed,
            },
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

#[cfg(unix)]
fn kill(pid: u32) {
    use nix::sys::signal::{Signal, kill};
    if let Ok(pid) = i32::try_from(pid) {
        // If it has already ended or cannot be killed, the next check of the processes shows that.
        let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[cfg(not(unix))]
fn kill(_: u32) {}
