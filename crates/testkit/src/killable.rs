//! A PostgreSQL of one test's own, to be killed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use lookback_embedded::{EphemeralOptions, RunningServer, Server, ignore_events};

use crate::database::find_installation;

/// A server of a test's own, which is stopped and removed at the end.
#[derive(Debug)]
pub struct Killable {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Killable {
    /// One that is not started yet.
    ///
    /// # Panics
    ///
    /// If there is no place for it.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(false)
    }

    /// One that makes durable what is committed, as the server of an
    /// application does; what others of the tests do costs less than there.
    ///
    /// # Panics
    ///
    /// If there is no place for it.
    pub fn durable() -> Self {
        Self::with(true)
    }

    fn with(durable: bool) -> Self {
        let mut folder = tempfile::Builder::new();
        folder.prefix("lookback-kill-");
        let folder = folder.tempdir().unwrap();
        // The user that runs PostgreSQL for root has to enter it, whatever the umask is.
        #[cfg(unix)]
        {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).unwrap();
        }
        let options = EphemeralOptions {
            idle_timeout: Duration::from_secs(120),
            remove_on_stop: true,
            durable,
        };
        Self {
            server: Server::new(folder.path().join("server")).ephemeral(options),
            _folder: folder,
        }
    }

    /// Starts it, as soon as the last process of one that was killed is gone;
    /// on the port that it had, if that is free. It waits, and belongs on a
    /// thread that may.
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

/// Kills a server as a crash does.
///
/// # Panics
///
/// If it cannot be killed.
pub fn kill(running: &RunningServer) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(running.pid()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

impl Drop for Killable {
    fn drop(&mut self) {
        let _ = self.server.stop(&ignore_events);
    }
}
