//! A server per test, which never outlives the test.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use lookback_embedded::{
    EphemeralOptions, Error, Event, Installation, InstallationFinder, Layout, RunningServer,
    Server, ServerStatus, ignore_events, is_root,
};
use tempfile::TempDir;

/// Longer than any step takes on a slow and busy machine; only failures take this long.
const DEADLINE: Duration = Duration::from_secs(300);
/// The timeout of a server that waits for another process, which may be running `initdb`.
const SERVER_TIMEOUT: Duration = Duration::from_secs(600);
/// The environment of a child process, see [`child`].
const CHILD_BASE: &str = "LOOKBACK_TEST_CHILD_BASE";
const CHILD_URL: &str = "LOOKBACK_TEST_CHILD_URL";
const CHILD_IDLE: &str = "LOOKBACK_TEST_CHILD_IDLE";

pub(crate) fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The PostgreSQL in the folder `LOOKBACK_PG_BIN`, or else the pinned one from the standard cache.
pub(crate) fn installation() -> &'static Installation {
    static FOUND: OnceLock<Installation> = OnceLock::new();
    FOUND.get_or_init(|| {
        let found = if let Some(dir) = std::env::var_os("LOOKBACK_PG_BIN") {
            Installation::open(Path::new(&dir))
        } else {
            let layout = Layout::standard(|name| std::env::var_os(name), is_root()).unwrap();
            let search =
                InstallationFinder::new(layout.installations(), path()).include_system(false);
            search.find(&ignore_events)
        };
        found.unwrap_or_else(|e| panic!("{e}"))
    })
}

/// Creates a temporary folder that other accounts can enter, whatever the umask.
pub(crate) fn open_folder() -> TempDir {
    let usual = std::env::temp_dir();
    let open = |folder: &Path| folder.ancestors().all(|p| p.is_dir() && mode(p) & 1 == 1);
    let places = [usual.as_path(), Path::new("/tmp"), Path::new("/var/tmp")];
    // Root's temporary folder may be private, and then PostgreSQL cannot work there.
    let place = places.into_iter().find(|place| !is_root() || open(place));
    let folder = tempfile::Builder::new()
        .prefix("lookback-")
        .tempdir_in(place.unwrap_or(&usual))
        .unwrap();
    allow_in(folder.path());
    folder
}

/// Lets other accounts enter a folder.
pub(crate) fn allow_in(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Replaces one program of the real PostgreSQL by a script.
///
/// In the script, `$real` is the replaced program.
pub(crate) fn with_program(folder: &Path, name: &str, text: &str) -> Installation {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    allow_in(&bin);
    for entry in fs::read_dir(installation().bin()).unwrap().flatten() {
        let link = bin.join(entry.file_name());
        if entry.file_name() != name {
            std::os::unix::fs::symlink(entry.path(), link).unwrap();
        }
    }
    let real = installation().program(name);
    let version = "case $1 in --version) exec \"$real\" --version;; esac";
    script(
        &bin,
        name,
        &format!("real='{}'\n{version}\n{text}", real.display()),
    );
    Installation::open(folder).unwrap()
}

/// The server with this base folder and a long timeout.
pub(crate) fn server_at(base: &Path) -> Server {
    Server::new(base).timeout(SERVER_TIMEOUT)
}

/// A temporary base folder, whose server is stopped at the end, also after a failure.
pub(crate) struct TestServer {
    pub(crate) folder: TempDir,
    base: PathBuf,
}

impl TestServer {
    pub(crate) fn new() -> Self {
        let folder = open_folder();
        let base = folder.path().join("server");
        Self { folder, base }
    }

    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    pub(crate) fn server(&self) -> Server {
        server_at(&self.base)
    }

    pub(crate) fn ephemeral(&self, idle: u64) -> Server {
        self.server()
            .ephemeral(EphemeralOptions::default().idle_timeout(Duration::from_secs(idle)))
    }

    pub(crate) fn start(&self) -> RunningServer {
        start(&self.server())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Err(error) = self.server().stop(&ignore_events) {
            println!("cannot stop the server in {}: {error}", self.base.display());
        }
    }
}

pub(crate) fn start(server: &Server) -> RunningServer {
    server
        .start(installation(), &ignore_events)
        .unwrap_or_else(|e| panic!("{e}"))
}

/// Starts the server and returns the events with the result.
pub(crate) fn start_with_events(server: &Server) -> (Result<RunningServer, Error>, Vec<Event>) {
    let events = RefCell::new(Vec::new());
    let record = |event: &Event| events.borrow_mut().push(event.clone());
    let result = server.start(installation(), &record);
    (result, events.into_inner())
}

pub(crate) fn start_error(server: &Server) -> Error {
    server
        .start(installation(), &ignore_events)
        .expect_err("the start should have failed")
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) fn psql(url: &str, sql: &str) -> Command {
    let mut command = Command::new(installation().program("psql"));
    for (name, _) in std::env::vars_os() {
        // A setting of the environment of the tests.
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    command
}

/// Runs SQL and returns its output.
pub(crate) fn query(url: &str, sql: &str) -> String {
    let output = psql(url, sql).output().unwrap();
    assert!(output.status.success(), "{sql}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started_at = Instant::now();
    while !done() {
        assert!(
            started_at.elapsed() < DEADLINE,
            "waited in vain until {what}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn is_stopped(server: &Server) -> bool {
    matches!(server.status(), Ok(ServerStatus::Stopped))
}

/// Whether the server accepts connections, which it does by asking for the password.
///
/// It starts no program: a busy machine may start one very late.
pub(crate) fn accepts(port: u16) -> bool {
    let asked = || -> std::io::Result<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        // https://www.postgresql.org/docs/current/protocol-message-formats.html, StartupMessage.
        let names = b"user\0lookback\0database\0lookback\0\0";
        let length = u32::try_from(8 + names.len()).unwrap();
        let message = [&length.to_be_bytes()[..], &[0, 3, 0, 0], names].concat();
        stream.write_all(&message)?;
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        Ok(kind[0])
    };
    asked().is_ok_and(|kind| kind == b'R')
}

/// Kills a process with SIGKILL; false if there is no such process.
pub(crate) fn kill(pid: u32) -> bool {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    let killed = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    assert!(
        matches!(killed, Ok(()) | Err(nix::Error::ESRCH)),
        "{killed:?}"
    );
    killed.is_ok()
}

/// The id of a process that has ended.
pub(crate) fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// A process of another program, killed when dropped.
pub(crate) struct Another(pub(crate) Child);

impl Another {
    pub(crate) fn new() -> Self {
        let mut cat = Command::new("cat");
        Self(cat.stdin(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Another process that starts a server, and then waits to be killed.
pub(crate) struct Starter {
    process: Child,
    answer: PathBuf,
}

impl Starter {
    /// Starts the process; with `idle` the server is ephemeral.
    pub(crate) fn new(place: &TestServer, name: &str, idle: Option<u64>) -> Self {
        Self::with(installation(), place, name, idle)
    }

    /// Starts the process with another PostgreSQL.
    pub(crate) fn with(
        installation: &Installation,
        place: &TestServer,
        name: &str,
        idle: Option<u64>,
    ) -> Self {
        let answer = place.folder.path().join(name);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "support::child", "--ignored"])
            .env(CHILD_BASE, place.base())
            .env(CHILD_URL, &answer)
            .env("LOOKBACK_PG_BIN", installation.bin())
            // None of these may reach PostgreSQL's programs.
            .env("PGDATA", "/nowhere")
            .env("PGPORT", "1")
            .env("LC_ALL", "no_WHERE.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(idle) = idle {
            command.env(CHILD_IDLE, idle.to_string());
        }
        let process = command.spawn().unwrap();
        Self { process, answer }
    }

    /// Waits for the URL of the server.
    pub(crate) fn url(&mut self) -> String {
        until("the other process has started the server", || {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "the other process has ended: {ended:?}");
            self.answer.exists()
        });
        fs::read_to_string(&self.answer).unwrap()
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        self.process.kill().unwrap(); // SIGKILL
        self.process.wait().unwrap();
    }
}

/// The child process of [`Starter`].
#[test]
#[ignore = "only run by other tests, as a process of its own"]
fn child() {
    let (Some(base), Some(answer)) = (std::env::var_os(CHILD_BASE), std::env::var_os(CHILD_URL))
    else {
        return;
    };
    let mut server = server_at(Path::new(&base));
    if let Ok(idle) = std::env::var(CHILD_IDLE) {
        let idle_timeout = Duration::from_secs(idle.parse().unwrap());
        let options = EphemeralOptions::default().idle_timeout(idle_timeout);
        server = server.ephemeral(options);
    }
    let url = start(&server).url();
    let new = PathBuf::from(&answer).with_extension("new");
    fs::write(&new, url).unwrap();
    fs::rename(new, answer).unwrap();
    thread::sleep(DEADLINE);
}

/// Writes an executable shell script into a folder, by another process.
///
/// A file that this process writes cannot be run while any other test is starting a process.
pub(crate) fn script(folder: &Path, name: &str, text: &str) {
    let mut cat = Command::new("/bin/sh");
    cat.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]);
    let mut cat = cat
        .arg(folder.join(name))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = cat.stdin.take().unwrap();
    write!(input, "#!/bin/sh\n{text}\n").unwrap();
    drop(input);
    assert!(cat.wait().unwrap().success());
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
