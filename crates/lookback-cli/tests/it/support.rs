//! Runs the program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Row as _};
use testkit::Database;

/// Longer than any command takes on a busy machine; only failures take this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// The program, with its own folder and environment.
pub(crate) struct Lookback {
    pub(crate) db: Option<Database>,
    folder: tempfile::TempDir,
}

impl Lookback {
    /// Returns the program with a migrated database.
    pub(crate) async fn new() -> Self {
        Self::with(Some(testkit::database().await))
    }

    pub(crate) fn with(db: Option<Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { db, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookback"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
        if let Some(db) = &self.db {
            command.env("DATABASE_URL", &db.url);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self
            .command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran::new(arguments, output)
    }

    /// Runs the program with this standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that stops early does not read all of it.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::new(arguments, child.wait_with_output().unwrap())
    }

    /// Runs the program with a standard output that its reader has closed, and returns
    /// the exit code.
    pub(crate) fn run_unread(&self, arguments: &[&str]) -> Option<i32> {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = self.command(arguments);
        let status = command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::null())
            .status();
        status.unwrap().code()
    }

    /// Runs the program on a terminal on which this is typed.
    #[cfg(unix)]
    pub(crate) fn run_typing(&self, arguments: &[&str], typed: &str) -> Ran {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut keys = std::fs::File::from(terminal.master);
        keys.write_all(typed.as_bytes()).unwrap();
        let output = self
            .command(arguments)
            .stdin(Stdio::from(terminal.slave))
            .output()
            .unwrap();
        // Kept until here: closing the keyboard's end closes the terminal.
        drop(keys);
        Ran::new(arguments, output)
    }

    /// The URL of the database for another role.
    pub(crate) fn url_as(&self, role: &str, password: &str) -> String {
        let url = &self.db.as_ref().unwrap().url;
        let (scheme, rest) = url.split_once("://").unwrap();
        let (_, rest) = rest.split_once('@').unwrap();
        format!("{scheme}://{role}:{password}@{rest}")
    }

    /// The password in the URL of the database.
    pub(crate) fn password(&self) -> &str {
        let url = &self.db.as_ref().unwrap().url;
        let (user, _) = url.split_once('@').unwrap();
        user.rsplit_once(':').unwrap().1
    }

    /// Waits until a query counts at least this many.
    pub(crate) async fn wait_for(&self, count: &str, number: i64) {
        let deadline = Instant::now() + DEADLINE;
        while self.number(count).await < number {
            assert!(Instant::now() < deadline, "never {number}: {count}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a query counts none.
    pub(crate) async fn wait_for_none(&self, count: &str) {
        let deadline = Instant::now() + DEADLINE;
        while self.number(count).await > 0 {
            assert!(Instant::now() < deadline, "never none: {count}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Changes the database.
    pub(crate) async fn execute(&self, sql: &str) {
        let pool = &self.db.as_ref().unwrap().pool;
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(pool)
            .await
            .unwrap();
    }

    /// Locks the logs against reads and writes until the lock is dropped.
    pub(crate) async fn lock_logs(&self) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut lock = self.db.as_ref().unwrap().pool.begin().await.unwrap();
        sqlx::query("LOCK TABLE logs IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await
            .unwrap();
        lock
    }

    /// Reads a number from the database.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query(AssertSqlSafe(format!("SELECT ({sql})::bigint AS number")))
            .fetch_one(&self.db.as_ref().unwrap().pool)
            .await
            .unwrap()
            .get("number")
    }
}

/// A line of pino that becomes a log line and a request.
#[cfg(unix)]
pub(crate) fn line_with_request(n: i64) -> String {
    format!(
        "{{\"level\":30,\"msg\":\"line {n} done\",\"req\":{{\"method\":\"GET\",\"url\":\"/{n}\"}},\
         \"res\":{{\"statusCode\":200}},\"responseTime\":3}}\n"
    )
}

/// A running program, whose messages go to a file.
pub(crate) struct Running {
    child: Child,
    err: tempfile::NamedTempFile,
}

impl Running {
    pub(crate) fn start(lookback: &Lookback, call: &[&str]) -> Self {
        let err = tempfile::NamedTempFile::new().unwrap();
        let mut command = lookback.command(call);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(err.reopen().unwrap());
        Self {
            child: command.spawn().unwrap(),
            err,
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks it to end.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        signal(&self.child, nix::sys::signal::Signal::SIGTERM);
    }

    /// Waits until it ends; returns its exit code, and what it printed.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + DEADLINE;
        while !self.has_ended() {
            assert!(Instant::now() < deadline, "does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = self.child.wait().unwrap();
        let err = std::fs::read_to_string(self.err.path()).unwrap();
        (status.code(), err)
    }
}

/// Kills what a failed test has left.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a running program.
#[cfg(unix)]
pub(crate) fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// Whether a variable is passed to the program: its time zone, and variables that change its
/// clock.
fn is_kept(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    ["TZ", "LD_PRELOAD", "LOOKBACK_CLOCK"].contains(&&*name) || name.contains("FAKE")
}

/// The output of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    call: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            call: format!("$ lookback {}", arguments.join(" ")),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The call and its output.
    pub(crate) fn transcript(&self) -> String {
        let mut text = format!("{}\n{}", self.call, self.out);
        for line in self.err.lines() {
            text.push_str(&format!("! {line}\n"));
        }
        if self.code != Some(0) {
            text.push_str(&format!("[exit code {:?}]\n", self.code.unwrap_or(-1)));
        }
        text
    }
}

/// Compares a transcript, with values masked that change from run to run.
macro_rules! transcript {
    ($ran:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"in \d+ ms\b", "in [time] ms"),
            (r"in \d+\.\d s \([\d,]+ records/s\)", "in [time] ([rate] records/s)"),
            // The maintenance worker creates partitions during the import.
            (r#"relation "logs_(default|p\d+)""#, r#"relation "logs_[partition]""#),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
            (r"PostgreSQL \d+\.\d+, in", "PostgreSQL [version], in"),
            (r"test_\d+_\d+_\d+", "[database]"),
            (r"/[\w/.-]*/\.tmp\w+", "[folder]"),
            (r"stream-\d+T\d+-\d+", "stream-[time]"),
        ]}, {
            insta::assert_snapshot!($ran.transcript(), @$expected)
        })
    };
}
pub(crate) use transcript;
