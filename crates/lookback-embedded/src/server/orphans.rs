use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::postmaster::workers;
use crate::process::POLL;
use crate::{Error, ErrorKind, Remedy, Result, folder};

/// Removes the unfinished data folder of a start that was killed; it is fine if there is none.
///
/// The caller holds the lock, so nobody waits for an `initdb` that still works there. It would go
/// on to its end, because it does not mind that nobody reads its output, and so it is killed. Its
/// children, and the server that makes the database, end with their input, and clear up.
pub(crate) fn clear(new: &Path, patience: Duration) -> Result<()> {
    let begun = Instant::now();
    while new.exists() {
        let left = workers("initdb", new);
        for pid in &left {
            kill(*pid);
        }
        let left = left.into_iter().chain(workers("postgres", new)).next();
        let late = begun.elapsed() >= patience;
        match left {
            Some(pid) if late => {
                return Err(Error::from(ErrorKind::Timeout {
                    pid,
                    base: new.to_owned(),
                    wanted: "stopped",
                    waited: patience,
                    detail: "it was left behind by a start that was killed".to_owned(),
                    remedy: Some(Remedy::EndProcess { pid }),
                }));
            }
            Some(_) => {}
            None => match folder::remove(new) {
                // Not every process can be seen by everybody.
                Err(e) if e.io_kind() == Some(io::ErrorKind::DirectoryNotEmpty) && !late => {}
                removed => return removed,
            },
        }
        thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(unix)]
fn kill(pid: u32) {
    use nix::sys::signal::{Signal, kill};
    if let Ok(pid) = i32::try_from(pid) {
        // If it has ended meanwhile, or may not be ended, that is seen when it is looked for.
        let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[cfg(not(unix))]
fn kill(_: u32) {}
