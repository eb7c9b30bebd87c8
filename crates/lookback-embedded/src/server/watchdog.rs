//! The watchdog of an ephemeral server: two detached `sh` processes.
//!
//! The *watch* runs as the caller: it counts clients, decides, and removes the folder. The
//! *stopper* runs as the server's account, because `pg_ctl` refuses root: it waits at a pipe
//! for the command `stop`, or for the watch's end.
//!
//! A server is idle if it reports that no client is connected, or if its process no longer exists.
//! A live server that does not respond counts as busy: on a slow machine that is the likelier
//! reason.
//!
//! A start and the watch's decision may race. `sh` cannot take part in the lock, because macOS has
//! no `flock` program. The protocol is therefore: a start writes a new `lease` and then looks for
//! the folder `stopping`; the watch creates `stopping` and then reads `lease` again. Whichever
//! comes first, at least one sees the other. The watch cancels its decision if the lease is new.
//! The start waits until `stopping` or the whole base folder is deleted. The watch also cancels its
//! decision if the server is still alive after the stop, and retries later. It renames the base
//! folder before it removes it, so a partly removed folder never has the original name.
//!
//! The lock on the file `watchdog` shows that the watch is alive: the watch inherits the open file,
//! and the system releases the lock when the watch ends. A watch that ends by its own decision
//! leaves `stopping` behind; a start removes a marker without a live watch.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::EphemeralOptions;
use super::tools::Tools;
use crate::lock::Lock;
use crate::process::{self, POLL_INTERVAL};
use crate::{Error, ErrorKind, Result, folder};

/// The longest wait for a decision of the watch, which gives `pg_ctl` a minute.
///
/// It includes a reserve for a very slow machine.
const DECISION_TIMEOUT: Duration = Duration::from_secs(300);

/// The decision of a watch during a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchdogDecision {
    /// No decision.
    None,
    /// Stop the server. The stop is over, either carried out or cancelled.
    Stop,
    /// Stop the server. The base folder was removed, too.
    Remove,
}

/// Whether a watchdog was ever started for this server.
pub(crate) fn was_started(base: &Path) -> bool {
    base.join("watchdog").exists()
}

/// Restarts the idle timeout and waits for a pending decision.
///
/// The caller holds `lock`.
pub(crate) fn renew_lease(base: &Path, lock: &Lock) -> Result<WatchdogDecision> {
    let held = base.join("lock");
    let stopping = base.join("stopping");
    let started_at = Instant::now();
    let or_removed = |error: Error| {
        if lock.is_at(&held) {
            Err(error)
        } else {
            Ok(WatchdogDecision::Remove)
        }
    };
    if let Err(error) =
        folder::write_atomically(&base.join("lease"), &lease_token(SystemTime::now()), 0o600)
    {
        return or_removed(error);
    }
    let mut decision = WatchdogDecision::None;
    while stopping.exists() {
        decision = WatchdogDecision::Stop;
        match Lock::try_acquire(&base.join("watchdog")) {
            Ok(Some(_)) => folder::remove(&stopping)?,
            Ok(None) if started_at.elapsed() >= DECISION_TIMEOUT => {
                return Err(Error::from(ErrorKind::Locked {
                    lock: stopping,
                    holder: "the watchdog of this server".to_owned(),
                    waited: DECISION_TIMEOUT,
                }));
            }
            Ok(None) => thread::sleep(POLL_INTERVAL),
            Err(error) => return or_removed(error),
        }
    }
    Ok(if lock.is_at(&held) {
        decision
    } else {
        WatchdogDecision::Remove
    })
}

/// Starts the watchdog of the server if it is not running.
pub(crate) fn ensure(tools: &Tools<'_>, options: &EphemeralOptions) -> Result<()> {
    let base = tools.base;
    let Some(lock) = Lock::try_acquire(&base.join("watchdog"))? else {
        return Ok(());
    };
    let (commands, sender) = io::pipe().map_err(Error::io("watch", base))?;

    let mut stopper = shell(include_str!("watchdog/stopper.sh"));
    stopper
        .arg(tools.installation.program("pg_ctl"))
        .arg(base.join("data"));
    if let Some(account) = &tools.account {
        account.apply(&mut stopper);
    }
    detach(stopper.stdin(commands).stdout(Stdio::null()), base)?;

    let mut watch = shell(include_str!("watchdog/watch.sh"));
    watch.arg(base).arg(tools.installation.bin());
    watch.arg(options.idle_timeout.as_secs().max(1).to_string());
    watch.arg(if options.remove_on_stop {
        "remove"
    } else {
        "keep"
    });
    watch.current_dir(base);
    detach(watch.stdin(lock.into_stdio()).stdout(sender), base)
}

fn shell(script: &str) -> Command {
    let mut command = process::clean_command(Path::new("/bin/sh"), Path::new("/"));
    command.args(["-c", script, "lookback-watchdog"]);
    command
}

/// Runs a script that continues in the background, detached from the caller's terminal.
fn detach(command: &mut Command, base: &Path) -> Result<()> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    // Waits only for the shell that starts the script in the background.
    let status = command.stderr(Stdio::null()).status();
    status.map_err(Error::io("watch", base)).map(|_| ())
}

/// Returns a text that no other start writes.
///
/// The time distinguishes processes with the same id. The counter distinguishes starts within one
/// process, for which the time may be equal.
fn lease_token(now: SystemTime) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = now.duration_since(SystemTime::UNIX_EPOCH);
    let nanos = nanos.map_or(0, |since| since.as_nanos());
    format!("{} {nanos} {count}", std::process::id())
}

#[cfg(all(test, unix))]
#[expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, and recognizes only functions with #[test] as such"
)]
mod tests {
    use super::*;
    use crate::ignore_events;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;
    #[cfg(target_os = "linux")]
    use std::process::Child;
    use std::sync::mpsc;

    /// Only failures take this long.
    const TEST_TIMEOUT: Duration = Duration::from_secs(300);

    fn lock(base: &Path) -> Lock {
        Lock::acquire(
            &base.join("lock"),
            "testing",
            Duration::ZERO,
            &ignore_events,
        )
        .unwrap()
    }

    #[test]
    fn marker_without_a_live_watch_is_removed() {
        let base = tempfile::tempdir().unwrap();
        let lock = lock(base.path());
        fs::create_dir(base.path().join("stopping")).unwrap();
        assert_eq!(
            renew_lease(base.path(), &lock).unwrap(),
            WatchdogDecision::Stop
        );
        assert_eq!(
            renew_lease(base.path(), &lock).unwrap(),
            WatchdogDecision::None
        );
        assert!(!base.path().join("stopping").exists());
    }

    #[test]
    fn start_waits_for_a_decision_that_is_cancelled() {
        let base = tempfile::tempdir().unwrap();
        let lock = lock(base.path());
        let stopping = base.path().join("stopping");
        fs::create_dir(&stopping).unwrap();
        let watch = Lock::try_acquire(&base.path().join("watchdog")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                fs::remove_dir(&stopping).unwrap();
            });
            assert_eq!(
                renew_lease(base.path(), &lock).unwrap(),
                WatchdogDecision::Stop
            );
        });
        drop(watch);
    }

    #[test]
    fn start_sees_a_decision_that_is_carried_out() {
        let outer = tempfile::tempdir().unwrap();
        let base = outer.path().join("server");
        fs::create_dir_all(base.join("stopping")).unwrap();
        let lock = lock(&base);
        let watch = Lock::try_acquire(&base.join("watchdog")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                fs::rename(&base, outer.path().join("server.removed.1")).unwrap();
            });
            assert_eq!(renew_lease(&base, &lock).unwrap(), WatchdogDecision::Remove);
        });
        drop(watch);
        assert_eq!(renew_lease(&base, &lock).unwrap(), WatchdogDecision::Remove);
    }

    #[test]
    fn concurrent_starts_write_different_leases() {
        let now = SystemTime::now();
        assert_ne!(lease_token(now), lease_token(now));
    }

    /// A watch on a folder with fake programs, and the commands that it sends to the stopper.
    struct WatchFixture {
        outer: tempfile::TempDir,
        base: PathBuf,
        commands: mpsc::Receiver<String>,
    }

    impl WatchFixture {
        /// Both scripts run in the base folder, where `psql` can act as a start would.
        fn new(psql: &str, postmaster: impl FnOnce(&Path) -> String) -> Self {
            let outer = tempfile::tempdir().unwrap();
            let base = outer.path().join("server");
            fs::create_dir_all(base.join("data")).unwrap();
            for (file, text) in [("lease", "1"), ("port", "1"), ("password", "x")] {
                fs::write(base.join(file), text).unwrap();
            }
            let pid = postmaster(outer.path());
            fs::write(base.join("data/postmaster.pid"), pid).unwrap();
            process::write_script(&outer.path().join("psql"), psql);

            let mut watch = shell(include_str!("watchdog/watch.sh"));
            watch
                .arg(&base)
                .arg(outer.path())
                .args(["1", "remove"])
                .current_dir(&base);
            let (receiver, sender) = io::pipe().unwrap();
            let lock = Lock::try_acquire(&base.join("watchdog")).unwrap().unwrap();
            detach(watch.stdin(lock.into_stdio()).stdout(sender), &base).unwrap();
            drop(watch); // and with it this end of the pipe
            let (send, commands) = mpsc::channel();
            thread::spawn(move || {
                for line in BufReader::new(receiver).lines() {
                    send.send(line.unwrap()).unwrap();
                }
            });
            Self {
                outer,
                base,
                commands,
            }
        }

        fn wait_for_stop_command(&self) {
            assert_eq!(self.commands.recv_timeout(TEST_TIMEOUT).unwrap(), "stop");
        }

        fn report_done(&self) {
            fs::write(self.base.join("data/watchdog.done"), "").unwrap();
        }

        /// Waits until the watch has ended, without another command.
        fn wait_for_end(&self) {
            let end = self.commands.recv_timeout(TEST_TIMEOUT);
            assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
            assert!(!self.base.exists());
        }

        #[cfg(target_os = "linux")]
        fn wait_until(&self, what: &str, done: impl Fn(&Path) -> bool) {
            let started_at = Instant::now();
            while !done(&self.base) {
                assert!(
                    started_at.elapsed() < TEST_TIMEOUT,
                    "waited in vain until {what}"
                );
                thread::sleep(POLL_INTERVAL);
            }
        }
    }

    /// A process that looks like a server on the data folder.
    #[cfg(target_os = "linux")]
    struct Postmaster(Child);

    #[cfg(target_os = "linux")]
    impl Postmaster {
        fn new(outer: &Path) -> Self {
            let program = outer.join("postgres");
            process::write_script(&program, "read -r end");
            let mut postgres = Command::new(program);
            postgres.current_dir(outer.join("server/data"));
            let postgres = postgres.stdin(Stdio::piped()).spawn().unwrap();
            // Its name is set somewhat after its start.
            let name = format!("/proc/{}/comm", postgres.id());
            while fs::read_to_string(&name).unwrap() != "postgres\n" {
                thread::sleep(POLL_INTERVAL);
            }
            Self(postgres)
        }

        fn end(mut self) {
            drop(self.0.stdin.take());
            self.0.wait().unwrap();
        }
    }

    /// The other half of the protocol: a client, and then a lease, arrive while the watch decides.
    #[test]
    fn watch_cancels_a_decision_for_a_client_or_a_lease() {
        let psql = "echo 0 $(ls -d stopping) >>../asked; [ -e stopping ] || { echo 0; exit; }
            case $(wc -l <../asked) in 2) echo 1;; 4) echo 2 >lease; echo 0;; *) echo 0;; esac";
        let fixture = WatchFixture::new(psql, |_| String::new());
        fixture.wait_for_stop_command();
        let asked = fs::read_to_string(fixture.outer.path().join("asked")).unwrap();
        let decisions = asked
            .lines()
            .filter(|line| line.ends_with("stopping"))
            .count();
        assert_eq!(decisions, 3, "{asked}");
        fixture.report_done();
        fixture.wait_for_end();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn live_server_without_an_answer_is_busy() {
        let mut postmaster = None;
        // No connection, and no program to make one with, in turn.
        let psql = "echo >>../asked; exit $(($(wc -l <../asked) % 2 ? 2 : 127))";
        let fixture = WatchFixture::new(psql, |outer| {
            postmaster = Some(Postmaster::new(outer));
            postmaster.as_ref().unwrap().0.id().to_string()
        });
        let asked = fixture.outer.path().join("asked");
        fixture.wait_until("it was polled for longer than the idle timeout", |_| {
            fs::read(&asked).is_ok_and(|asked| asked.len() >= 4)
        });
        assert_eq!(fixture.commands.try_recv(), Err(mpsc::TryRecvError::Empty));
        postmaster.unwrap().end();
        fixture.wait_for_stop_command();
        fixture.report_done();
        fixture.wait_for_end();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn server_that_did_not_stop_keeps_its_folder_and_is_stopped_again() {
        let mut postmaster = None;
        let fixture = WatchFixture::new("echo 0", |outer| {
            postmaster = Some(Postmaster::new(outer));
            postmaster.as_ref().unwrap().0.id().to_string()
        });
        fixture.wait_for_stop_command();
        fixture.report_done(); // although it was not
        fixture.wait_until("the decision is cancelled", |base| {
            !base.join("stopping").exists()
        });
        fixture.wait_for_stop_command();
        postmaster.unwrap().end();
        fixture.report_done();
        fixture.wait_for_end();
    }
}
