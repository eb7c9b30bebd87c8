//! A PostgreSQL server for one test, which the test kills.

use std::thread::sleep;
use std::time::{Duration, Instant};

use lookback_embedded::{EphemeralOptions, RunningServer, Server, ignore_events};

use crate::database::find_installation;

/// A server for one test, which is stopped and removed when the test ends.
#[derive(Debug)]
pub struct KillableServer {
    server: Server,
    _folder: tempfile::TempDir,
}

impl KillableServer {
    /// Creates a server without starting it.
    ///
    /// # Panics
    ///
    /// If its folder cannot be created.
    #[expect(clippy::new_without_default, reason = "it creates a folder")]
    pub fn new() -> Self {
        Self::with_durability(false)
    }

    /// Creates a server with durable commits, like that of an application.
    ///
    /// Other test servers are not durable, which is faster.
    ///
    /// # Panics
    ///
    /// If its folder cannot be created.
    pub fn durable() -> Self {
        Self::with_durability(true)
    }

    fn with_durability(durable: bool) -> Self {
        let mut folder = tempfile::Builder::new();
        folder.prefix("lookback-kill-");
        let folder = folder.tempdir().unwrap();
        // The user that runs PostgreSQL for root must be able to enter it, whatever the umask.
        #[cfg(unix)]
        {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).unwrap();
        }
        let options = EphemeralOptions::default()
            .idle_timeout(Duration::from_secs(120))
            .remove_on_stop(true)
            .durable(durable);
        Self {
            server: Server::new(folder.path().join("server")).ephemeral(options),
            _folder: folder,
        }
    }

    /// Starts it after the last process of a killed server has ended.
    ///
    /// It uses the previous port if that is free. It blocks the thread.
    ///
    /// # Panics
    ///
    /// If it does not start within ten minutes.
    pub fn start(&self) -> RunningServer {
        let installation = find_installation();
        let deadline = Instant::now() + Duration::from_secs(600);
        loop {
            match self.server.start(&installation, &ignore_events) {
                Ok(running) => return running,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// Kills a server with all of its processes by SIGKILL, as a crash would.
///
/// Without the first process, the others end by themselves, but on a busy machine one may answer
/// once more.
///
/// # Panics
///
/// If it cannot be killed.
pub fn kill(running: &RunningServer) {
    let others = children(running.pid());
    let kill = |pid: u32| {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)
    };
    kill(running.pid()).unwrap();
    for other in others {
        // It may have ended meanwhile.
        let _ended = kill(other);
    }
}

/// The processes that a process started, where `/proc` lists them.
fn children(of: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        // The parent is the second field behind the name, which is in parentheses.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1));
        parent.is_some_and(|parent| parent.parse() == Ok(of))
    };
    pids.filter(is_child).collect()
}

impl Drop for KillableServer {
    fn drop(&mut self) {
        let _ = self.server.stop(&ignore_events);
    }
}
