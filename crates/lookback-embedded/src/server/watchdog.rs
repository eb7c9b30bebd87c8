//! The idle watch of a throw-away server: two detached `sh` processes.
//!
//! The *watch* runs as the caller: it counts clients, decides, and removes the folder. The
//! *stopper* runs as the server's account, because `pg_ctl` refuses root: it waits at a pipe
//! for the word to stop the server, or for the watch's end.
//!
//! A server is idle if it says that no client is connected, or if its process is gone. One that
//! lives and does not answer is busy: on a slow machine that is the likelier reason.
//!
//! A start and the watch's decision may meet. `sh` cannot take part in the lock (there is no
//! `flock` program on macOS), so they meet like this: a start writes a new `lease` and then
//! looks for the folder `stopping`; the watch makes `stopping` and then reads `lease` again.
//! Whichever came first, at least one sees the other: the watch takes its decision back if the
//! lease is new, and the start waits until `stopping` is gone, or everything is. The watch also
//! takes it back if the server lives on after all, and tries again later. It renames the base folder before it removes it, so a folder is never half removed under its
//! name.
//!
//! That the watch lives is told by the lock on the file `watchdog`, which it inherits as an
//! open file and which the system releases at its end. When it ends by its own decision it
//! leaves `stopping` behind: a marker whose maker is gone is swept by the next start.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::ThrowAway;
use super::tools::Tools;
use crate::lock::Lock;
use crate::process::{self, POLL};
use crate::{Error, ErrorKind, Result, folder};

/// The watch gives `pg_ctl` a minute, and so this has to do for the watch, also on a machine on
/// which all of it takes much longer than it should.
const DECISION: Duration = Duration::from_secs(300);

/// What a watch has decided meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing.
    None,
    /// To stop the server: carried out or taken back, and over in either case.
    Stop,
    /// To stop the server, and the base folder was removed.
    Remove,
}

/// Whether a watch has ever been set on this server.
pub(crate) fn has_been(base: &Path) -> bool {
    base.join("watchdog").exists()
}

/// Restarts the idle time and waits for a decision that is under way. The caller holds `lock`.
pub(crate) fn hold_off(base: &Path, lock: &Lock) -> Result<Decision> {
    let held = base.join("lock");
    let stopping = base.join("stopping");
    let begun = Instant::now();
    let gone = |error: Error| {
        if lock.is_at(&held) {
            Err(error)
        } else {
            Ok(Decision::Remove)
        }
    };
    if let Err(error) = folder::write(&base.join("lease"), &token(SystemTime::now()), 0o600) {
        return gone(error);
    }
    let mut decision = Decision::None;
    while stopping.exists() {
        decision = Decision::Stop;
        match Lock::attempt(&base.join("watchdog")) {
            Ok(Some(_)) => folder::remove(&stopping)?,
            Ok(None) if begun.elapsed() >= DECISION => {
                return Err(Error::from(ErrorKind::Locked {
                    lock: stopping,
                    holder: "the idle watch of this server".to_owned(),
                    waited: DECISION,
                }));
            }
            Ok(None) => thread::sleep(POLL),
            Err(error) => return gone(error),
        }
    }
    Ok(if lock.is_at(&held) {
        decision
    } else {
        Decision::Remove
    })
}

/// Sets a watch on the server if there is none.
pub(crate) fn ensure(tools: &Tools<'_>, how: &ThrowAway) -> Result<()> {
    let base = tools.base;
    let Some(lock) = Lock::attempt(&base.join("watchdog"))? else {
        return Ok(());
    };
    let (orders, voice) = io::pipe().map_err(Error::io("watch", base))?;

    let mut stopper = shell(include_str!("watchdog/stopper.sh"));
    stopper
        .arg(tools.installation.program("pg_ctl"))
        .arg(base.join("data"));
    if let Some(account) = &tools.account {
        account.apply(&mut stopper);
    }
    detach(stopper.stdin(orders).stdout(Stdio::null()), base)?;

    let mut watch = shell(include_str!("watchdog/watch.sh"));
    watch.arg(base).arg(tools.installation.bin());
    watch.arg(how.idle.as_secs().max(1).to_string());
    watch.arg(if how.remove { "remove" } else { "keep" });
    watch.current_dir(base);
    detach(watch.stdin(lock.into_stdio()).stdout(voice), base)
}

fn shell(script: &str) -> Command {
    let mut command = process::clean(Path::new("/bin/sh"), Path::new("/"));
    command.args(["-c", script, "lookback-watchdog"]);
    command
}

/// Runs a script that goes on in the background, apart from the caller's terminal.
fn detach(command: &mut Command, base: &Path) -> Result<()> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    // What is waited for is only the shell that puts the script into the background.
    let status = command.stderr(Stdio::null()).status();
    status.map_err(Error::io("watch", base)).map(|_| ())
}

/// A text that no other start writes: the time tells apart processes that have the same number,
/// and the count those of one process, for which the time may stand still.
fn token(now: SystemTime) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = now.duration_since(SystemTime::UNIX_EPOCH);
    let nanos = nanos.map_or(0, |since| since.as_nanos());
    format!("{} {nanos} {count}", std::process::id())
}

#[cfg(all(test, unix))]
// clippy.toml allows it in tests, and sees only functions with #[test] as such.
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::quiet;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;
    #[cfg(target_os = "linux")]
    use std::process::Child;
    use std::sync::mpsc;

    /// Only failures wait for it.
    const LONG: Duration = Duration::from_secs(300);

    fn lock(base: &Path) -> Lock {
        Lock::acquire(&base.join("lock"), "testing", Duration::ZERO, &quiet).unwrap()
    }

    #[test]
    fn a_decision_whose_maker_is_gone_is_swept() {
        let base = tempfile::tempdir().unwrap();
        let lock = lock(base.path());
        fs::create_dir(base.path().join("stopping")).unwrap();
        assert_eq!(hold_off(base.path(), &lock).unwrap(), Decision::Stop);
        assert_eq!(hold_off(base.path(), &lock).unwrap(), Decision::None);
        assert!(!base.path().join("stopping").exists());
    }

    #[test]
    fn a_decision_that_is_taken_back_is_waited_for() {
        let base = tempfile::tempdir().unwrap();
        let lock = lock(base.path());
        let stopping = base.path().join("stopping");
        fs::create_dir(&stopping).unwrap();
        let watch = Lock::attempt(&base.path().join("watchdog")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                fs::remove_dir(&stopping).unwrap();
            });
            assert_eq!(hold_off(base.path(), &lock).unwrap(), Decision::Stop);
        });
        drop(watch);
    }

    #[test]
    fn a_decision_that_is_carried_out_is_seen() {
        let outer = tempfile::tempdir().unwrap();
        let base = outer.path().join("server");
        fs::create_dir_all(base.join("stopping")).unwrap();
        let lock = lock(&base);
        let watch = Lock::attempt(&base.join("watchdog")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                fs::rename(&base, outer.path().join("server.removed.1")).unwrap();
            });
            assert_eq!(hold_off(&base, &lock).unwrap(), Decision::Remove);
        });
        drop(watch);
        assert_eq!(hold_off(&base, &lock).unwrap(), Decision::Remove);
    }

    #[test]
    fn two_starts_at_the_same_time_write_different_leases() {
        let now = SystemTime::now();
        assert_ne!(token(now), token(now));
    }

    /// A watch on a folder with programs that connect nowhere, and its word to the stopper.
    struct Watched {
        outer: tempfile::TempDir,
        base: PathBuf,
        heard: mpsc::Receiver<String>,
    }

    impl Watched {
        /// Both scripts run in the base folder: what `psql` does there is what a start would do.
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
            let (voice_heard, voice) = io::pipe().unwrap();
            let lock = Lock::attempt(&base.join("watchdog")).unwrap().unwrap();
            detach(watch.stdin(lock.into_stdio()).stdout(voice), &base).unwrap();
            drop(watch); // and with it this end of the pipe
            let (send, heard) = mpsc::channel();
            thread::spawn(move || {
                for line in BufReader::new(voice_heard).lines() {
                    send.send(line.unwrap()).unwrap();
                }
            });
            Self { outer, base, heard }
        }

        fn waits_for_the_word(&self) {
            assert_eq!(self.heard.recv_timeout(LONG).unwrap(), "stop");
        }

        fn says_that_it_was_done(&self) {
            fs::write(self.base.join("data/watchdog.done"), "").unwrap();
        }

        /// Waits until the watch has ended, and has said nothing more.
        fn ends(&self) {
            let end = self.heard.recv_timeout(LONG);
            assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
            assert!(!self.base.exists());
        }

        #[cfg(target_os = "linux")]
        fn until(&self, what: &str, done: impl Fn(&Path) -> bool) {
            let begun = Instant::now();
            while !done(&self.base) {
                assert!(begun.elapsed() < LONG, "waited in vain until {what}");
                thread::sleep(POLL);
            }
        }
    }

    /// A process that is a server on the data folder as far as can be seen.
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
            // It gets its name somewhat later than it begins.
            let name = format!("/proc/{}/comm", postgres.id());
            while fs::read_to_string(&name).unwrap() != "postgres\n" {
                thread::sleep(POLL);
            }
            Self(postgres)
        }

        fn end(mut self) {
            drop(self.0.stdin.take());
            self.0.wait().unwrap();
        }
    }

    /// The other half of the agreement: a client, and then a lease, that come while the watch is
    /// deciding.
    #[test]
    fn the_watch_takes_a_decision_back() {
        let psql = "echo 0 $(ls -d stopping) >>../asked; [ -e stopping ] || { echo 0; exit; }
            case $(wc -l <../asked) in 2) echo 1;; 4) echo 2 >lease; echo 0;; *) echo 0;; esac";
        let watched = Watched::new(psql, |_| String::new());
        watched.waits_for_the_word();
        let asked = fs::read_to_string(watched.outer.path().join("asked")).unwrap();
        let decisions = asked
            .lines()
            .filter(|line| line.ends_with("stopping"))
            .count();
        assert_eq!(decisions, 3, "{asked}");
        watched.says_that_it_was_done();
        watched.ends();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_server_that_lives_and_does_not_answer_is_busy() {
        let mut postmaster = None;
        // No connection, and no program to make one with, in turn.
        let psql = "echo >>../asked; exit $(($(wc -l <../asked) % 2 ? 2 : 127))";
        let watched = Watched::new(psql, |outer| {
            postmaster = Some(Postmaster::new(outer));
            postmaster.as_ref().unwrap().0.id().to_string()
        });
        let asked = watched.outer.path().join("asked");
        watched.until("it was asked for longer than the idle time", |_| {
            fs::read(&asked).is_ok_and(|asked| asked.len() >= 4)
        });
        assert_eq!(watched.heard.try_recv(), Err(mpsc::TryRecvError::Empty));
        postmaster.unwrap().end();
        watched.waits_for_the_word();
        watched.says_that_it_was_done();
        watched.ends();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_server_that_could_not_be_stopped_keeps_its_folder_and_is_asked_again() {
        let mut postmaster = None;
        let watched = Watched::new("echo 0", |outer| {
            postmaster = Some(Postmaster::new(outer));
            postmaster.as_ref().unwrap().0.id().to_string()
        });
        watched.waits_for_the_word();
        watched.says_that_it_was_done(); // and it was not
        watched.until("the decision is taken back", |base| {
            !base.join("stopping").exists()
        });
        watched.waits_for_the_word();
        postmaster.unwrap().end();
        watched.says_that_it_was_done();
        watched.ends();
    }
}
