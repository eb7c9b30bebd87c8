use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The longest time from a program's exit to the end of its output, on a busy machine.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(30);
/// The polling interval for events without a notification.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The exit status and the output of a program.
#[derive(Debug)]
pub(crate) struct ProgramOutput {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Creates a command with a separate environment.
///
/// `PG*` variables of the caller have no effect, and messages are in English.
pub(crate) fn clean_command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LANG", "C")
        .env("LC_ALL", "C")
        .env("HOME", home)
        .current_dir(home);
    command
}

/// Runs a command until it ends, and kills it after `limit`.
pub(crate) fn run(
    command: &mut Command,
    input: &str,
    limit: Duration,
) -> io::Result<ProgramOutput> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = spawn(command)?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    if let Some(mut stdin) = child.stdin.take() {
        // If the program does not read its input, its exit status shows why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = wait(&mut child, limit)?;
    Ok(ProgramOutput {
        status,
        stdout: receive(&stdout, OUTPUT_TIMEOUT)?,
        stderr: receive(&stderr, OUTPUT_TIMEOUT)?,
    })
}

/// Starts a command, with retries while its program is open for writing.
///
/// If the program was written just before, a child process that another thread is starting may
/// still have it open.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let started_at = Instant::now();
    loop {
        match command.spawn() {
            Err(e)
                if e.kind() == io::ErrorKind::ExecutableFileBusy
                    && started_at.elapsed() < Duration::from_secs(60) =>
            {
                thread::sleep(POLL_INTERVAL);
            }
            spawned => return spawned,
        }
    }
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            let text = format!("it did not end within {} s", limit.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn collect(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        // The receiver was dropped if the program was killed.
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

/// Returns the whole output of a program, or an error if it is incomplete after the limit.
///
/// A child of the program may keep the pipe open. The function does not wait for that child, and
/// does not return partial output.
fn receive(from: &mpsc::Receiver<String>, limit: Duration) -> io::Result<String> {
    from.recv_timeout(limit).map_err(|_| {
        let text = format!(
            "it ended, and its output was still open after {} s",
            limit.as_secs()
        );
        io::Error::new(io::ErrorKind::TimedOut, text)
    })
}

/// Returns the last `count` lines that are not blank.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Finds the first program with this name in the folders of a `PATH` value.
pub(crate) fn find_on_path(path: &OsStr, name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(&name))
        .find(|file| file.is_file())
}

/// Whether a program's output reports a full disk.
pub(crate) fn mentions_disk_full(text: &str) -> bool {
    text.contains("No space left on device") || text.contains("Disk quota exceeded")
}

/// Writes a shell script by another process.
///
/// A file that this process writes cannot be run while any other test is starting a process.
#[cfg(all(test, unix))]
pub(crate) fn write_script(file: &Path, text: &str) {
    let mut cat = clean_command(Path::new("/bin/sh"), Path::new("/"));
    cat.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(file);
    let script = format!("#!/bin/sh\n{text}\n");
    let done = run(&mut cat, &script, Duration::from_secs(300));
    assert!(
        done.is_ok_and(|done| done.status.success()),
        "{}",
        file.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_skip_blank_lines() {
        assert_eq!(last_lines("a\n\nb\n  \nc\n\n", 2), "b\nc");
        assert_eq!(last_lines("a", 5), "a");
        assert_eq!(last_lines("\n", 5), "");
    }

    #[cfg(unix)]
    #[test]
    fn run_reads_output_to_end_and_kills_at_timeout() {
        let root = Path::new("/");
        let sh = Path::new("/bin/sh");
        let script = ["-c", "read -r a; echo $a $PGHOST; echo no >&2; exit 3"];
        let done = run(
            clean_command(sh, root).args(script),
            "hi\n",
            Duration::from_secs(300),
        )
        .unwrap();
        assert_eq!(done.status.code(), Some(3));
        assert_eq!(
            (done.stdout.as_str(), done.stderr.as_str()),
            ("hi\n", "no\n")
        );

        let mut sleep = clean_command(sh, root);
        let late = run(
            sleep.args(["-c", "exec sleep 60"]),
            "",
            Duration::from_millis(50),
        );
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn receive_of_output_that_stays_open_times_out() {
        let (send, output) = mpsc::channel();
        let error = receive(&output, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        send.send("all of it".to_owned()).unwrap();
        assert_eq!(receive(&output, Duration::ZERO).unwrap(), "all of it");
    }
}
