//! The idle watch of a throw-away server: two detached `sh` processes.
//!
//! The *watch* runs as the caller: it counts clients, decides, and removes the folder. The
//! *stopper* runs as the server's account, because `pg_ctl` refuses root: it waits at a pipe
//! for the word to stop the server, or for the watch's end.
//!
//! A start and the watch's decision may meet. `sh` cannot take part in the lock (there is no
//! `flock` program on macOS), so they meet like this: a start writes a new `lease` and then
//! looks for the folder `stopping`; the watch makes `stopping` and then reads `lease` again.
//! Whichever came first, at least one sees the other: the watch takes its decision back if the
//! lease is new, and the start waits until `stopping` is gone, or everything is. The watch
//! renames the base folder before it removes it, so a folder is never half removed under its
//! name.
//!
//! That the watch lives is told by the lock on the file `watchdog`, which it inherits as an
//! open file and which the system releases at its end. When it ends by its own decision it
//! leaves `stopping` behind: a marker whose maker is gone is swept by the next start.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::ThrowAway;
use super::tools::Tools;
use crate::lock::Lock;
use crate::process::{self, POLL};
use crate::{Error, Result, folder};

/// The watch gives `pg_ctl` a minute, and so somewhat more has to do for the watch.
const DECISION: Duration = Duration::from_secs(100);

/// Whether a watch has ever been set on this server.
pub(crate) fn has_been(base: &Path) -> bool {
    base.join("watchdog").exists()
}

/// Begins the idle time anew and waits for a decision that is under way; false if the base
/// folder was removed by it. The caller holds `lock`.
pub(crate) fn hold_off(base: &Path, lock: &Lock) -> Result<bool> {
    let held = base.join("lock");
    let stopping = base.join("stopping");
    let begun = Instant::now();
    let gone = |error: Error| {
        if lock.is_at(&held) {
            Err(error)
        } else {
            Ok(false)
        }
    };
    if let Err(error) = folder::write(&base.join("lease"), &token(), 0o600) {
        return gone(error);
    }
    while stopping.exists() {
        match Lock::attempt(&base.join("watchdog")) {
            Ok(Some(_)) => folder::remove(&stopping)?,
            Ok(None) if begun.elapsed() >= DECISION => {
                return Err(Error::Locked {
                    lock: stopping,
                    holder: "the idle watch of this server".to_owned(),
                    waited: DECISION,
                });
            }
            Ok(None) => thread::sleep(POLL),
            Err(error) => return gone(error),
        }
    }
    Ok(lock.is_at(&held))
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
    detach(watch.stdin(lock.into_file()).stdout(voice), base)
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

/// A text that no other start writes.
fn token() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = now.map_or(0, |now| now.as_nanos());
    format!(
        "{} {nanos} {:?}",
        std::process::id(),
        thread::current().id()
    )
}

#[cfg(all(test, unix))]
// clippy.toml allows it in tests, and sees only functions with #[test] as such.
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::quiet;
    use std::fs;

    fn lock(base: &Path) -> Lock {
        Lock::acquire(&base.join("lock"), "testing", Duration::ZERO, &quiet).unwrap()
    }

    #[test]
    fn a_decision_whose_maker_is_gone_is_swept() {
        let base = tempfile::tempdir().unwrap();
        let lock = lock(base.path());
        fs::create_dir(base.path().join("stopping")).unwrap();
        assert!(hold_off(base.path(), &lock).unwrap());
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
            assert!(hold_off(base.path(), &lock).unwrap());
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
            assert!(!hold_off(&base, &lock).unwrap());
        });
        drop(watch);
        assert!(!hold_off(&base, &lock).unwrap());
    }

    /// The other half of the agreement, with programs that connect nowhere: a client, and then
    /// a lease, that come while the watch is deciding.
    #[test]
    fn the_watch_takes_a_decision_back() {
        let outer = tempfile::tempdir().unwrap();
        let base = outer.path().join("server");
        fs::create_dir_all(base.join("data")).unwrap();
        for (file, text) in [("lease", "1"), ("port", "1"), ("password", "x")] {
            fs::write(base.join(file), text).unwrap();
        }
        fs::write(base.join("data/postmaster.pid"), "").unwrap();
        let program = |name: &str, text: &str| {
            process::write_script(&outer.path().join(name), text);
        };
        // It runs in the base folder: what it does there is what a start would do.
        let psql = "echo 0 $(ls -d stopping) >>../asked; [ -e stopping ] || { echo 0; exit; }
            case $(wc -l <../asked) in 2) echo 1;; 4) echo 2 >lease; echo 0;; *) echo 0;; esac";
        program("psql", psql);
        program("pg_isready", "exit 2");

        let mut watch = shell(include_str!("watchdog/watch.sh"));
        watch
            .arg(&base)
            .arg(outer.path())
            .args(["1", "remove"])
            .current_dir(&base);
        let (mut heard, voice) = io::pipe().unwrap();
        let lock = Lock::attempt(&base.join("watchdog")).unwrap().unwrap();
        detach(watch.stdin(lock.into_file()).stdout(voice), &base).unwrap();
        drop(watch); // and with it this end of the pipe
        let mut word = [0; 5];
        io::Read::read_exact(&mut heard, &mut word).unwrap();
        assert_eq!(&word, b"stop\n");
        let asked = fs::read_to_string(outer.path().join("asked")).unwrap();
        let decisions = asked
            .lines()
            .filter(|line| line.ends_with("stopping"))
            .count();
        assert_eq!(decisions, 3, "{asked}");

        fs::write(base.join("data/watchdog.done"), "").unwrap();
        let mut rest = Vec::new();
        io::Read::read_to_end(&mut heard, &mut rest).unwrap(); // until the watch has ended
        assert_eq!(rest, b"");
        assert!(!base.exists());
    }
}
