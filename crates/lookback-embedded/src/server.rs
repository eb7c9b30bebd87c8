mod account;
mod cluster;
mod launch;
mod log;
mod orphans;
mod password;
mod postmaster;
mod refusal;
mod settings_file;
mod tools;
mod watchdog;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub use account::is_root;

use crate::lock::Lock;
use crate::process::POLL_INTERVAL;
use crate::{Error, ErrorKind, Event, Installation, Machine, Result, ServerSetting, folder};
use password::Password;
use postmaster::{PidFile, Postmaster};
use tools::Tools;
use watchdog::WatchdogDecision;

/// The superuser of each server.
const SUPERUSER: &str = "lookback";
/// The database of each server.
const DATABASE: &str = "lookback";

/// A private PostgreSQL, identified by its base folder; creating a value has no effect.
///
/// All state is in the base folder, so any number of values, in any number of processes, may
/// represent the same server.
#[derive(Debug, Clone)]
pub struct Server {
    base: PathBuf,
    port: Option<u16>,
    user: Option<String>,
    ephemeral: Option<EphemeralOptions>,
    settings: Vec<ServerSetting>,
    timeout: Duration,
}

/// Options of a server for tests, see [`Server::ephemeral`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EphemeralOptions {
    /// The time without a client connection after which the server stops itself.
    ///
    /// In whole seconds, at least one; 60 s by default. Each [`Server::start`] restarts it. It must
    /// be longer than connecting takes after a start, and longer than the longest pause without a
    /// connection.
    pub idle_timeout: Duration,
    /// Whether stopping the server removes the base folder; true by default.
    ///
    /// That is when it stops itself, and in [`Server::stop`].
    pub remove_on_stop: bool,
    /// Whether commits are durable, as on a normal server; false by default.
    ///
    /// Meant for benchmarks.
    pub durable: bool,
}

impl EphemeralOptions {
    /// Sets [`idle_timeout`](#structfield.idle_timeout).
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets [`remove_on_stop`](#structfield.remove_on_stop).
    #[must_use]
    pub fn remove_on_stop(mut self, remove: bool) -> Self {
        self.remove_on_stop = remove;
        self
    }

    /// Sets [`durable`](#structfield.durable).
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }
}

impl Default for EphemeralOptions {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(60),
            remove_on_stop: true,
            durable: false,
        }
    }
}

/// A server that accepts connections. `Debug` does not show its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningServer {
    pid: u32,
    port: u16,
    password: Password,
    started: bool,
}

impl RunningServer {
    /// `postgres://lookback:<password>@127.0.0.1:<port>/lookback`: a secret.
    #[must_use]
    pub fn url(&self) -> String {
        self.database_url(DATABASE)
    }

    /// The URL of another database of this server; `database` must need no escape in a URL.
    #[must_use]
    pub fn database_url(&self, database: &str) -> String {
        let (password, port) = (self.password.reveal(), self.port);
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether this call started the server; false if it was already running.
    #[must_use]
    pub fn was_started(&self) -> bool {
        self.started
    }
}

/// Whether a server is running.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerStatus {
    /// It is not running, or was never created.
    Stopped,
    /// It is starting or stopping, and accepts no connections.
    NotReady {
        /// Its process id.
        pid: u32,
    },
    /// It accepts connections.
    Running(RunningServer),
}

/// The outcome of [`Server::stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopOutcome {
    /// The server was running and was stopped.
    Stopped,
    /// The server was not running.
    NotRunning,
}

impl Server {
    /// Creates a handle for the server with this base folder, without starting it.
    ///
    /// The standard folder is [`Layout::server`](crate::Layout::server). If the caller is root,
    /// other accounts must be able to enter the folder.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        let base = base.into();
        Self {
            // Only an empty path cannot be made absolute; using it fails later.
            base: std::path::absolute(&base).unwrap_or(base),
            port: None,
            user: None,
            ephemeral: None,
            settings: Vec::new(),
            timeout: Duration::from_secs(60),
        }
    }

    /// Listens on this port; by default on the last used one, or on a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Runs as this system account; only root can choose an account other than its own.
    ///
    /// By default, root runs it as the owner of an existing data folder, then `lookback`, then
    /// `postgres`, then a new `lookback`, then `nobody`.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Makes it a server for tests: fast, not durable, and stopped when idle.
    ///
    /// `fsync`, `synchronous_commit` and `full_page_writes` are off unless
    /// [`EphemeralOptions::durable`] is set. There are 300 connections. The server stops itself
    /// when idle, even if all processes that used it were killed.
    ///
    /// Two small `sh` processes watch it. They end with the server, or at the latest after the idle
    /// timeout.
    #[must_use]
    pub fn ephemeral(mut self, options: EphemeralOptions) -> Self {
        self.ephemeral = Some(options);
        self
    }

    /// Starts with these settings, which take precedence over all files; a running server keeps its
    /// own.
    ///
    /// Without them, the server has what `postgresql.conf` and `ALTER SYSTEM` set, and for the rest,
    /// unless it is [ephemeral](Self::ephemeral), what [`ServerSetting::computed`] returns.
    #[must_use]
    pub fn settings(mut self, settings: Vec<ServerSetting>) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the time limit of each wait; 60 s by default.
    ///
    /// The waits are for another process that starts or stops the server, for PostgreSQL to become
    /// ready, and for PostgreSQL to end.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The base folder.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The path of PostgreSQL's log, which exists after the first start.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.base.join("server.log")
    }

    /// Reads the machine that the server runs on; its data folder must exist for its disk.
    #[must_use]
    pub fn machine(&self) -> Machine {
        Machine::detect(&self.data())
    }

    /// The path of the file of computed settings, which each start writes.
    #[must_use]
    pub fn settings_path(&self) -> PathBuf {
        self.data().join(settings_file::NAME)
    }

    /// Reads the computed settings that the last start wrote; none if PostgreSQL refused them.
    ///
    /// # Errors
    ///
    /// If their file cannot be read.
    pub fn written_settings(&self) -> Result<Vec<ServerSetting>> {
        let text = folder::read(&self.settings_path())?.unwrap_or_default();
        Ok(ServerSetting::parse_lines(&text))
    }

    /// The settings of [`settings`](Self::settings) that the running server was not started with.
    ///
    /// # Errors
    ///
    /// If PostgreSQL's file with the options of its start cannot be read.
    pub fn waiting_settings(&self) -> Result<Vec<ServerSetting>> {
        let options = folder::read(&self.data().join("postmaster.opts"))?.unwrap_or_default();
        let is_waiting = |setting: &&ServerSetting| !options.contains(&setting.started_with());
        Ok(self.settings.iter().filter(is_waiting).cloned().collect())
    }

    /// Reads the last lines of the log; empty if the log does not exist.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn log_tail(&self, lines: usize) -> Result<String> {
        log::tail(&self.log_path(), lines)
    }

    /// Returns the current status; takes no lock, changes nothing and does not wait.
    ///
    /// # Errors
    ///
    /// If its files cannot be read; [`Error::is_damaged`] if it runs but its password file is
    /// missing.
    pub fn status(&self) -> Result<ServerStatus> {
        match Postmaster::inspect(&self.data())? {
            Postmaster::Alive(file) => match accepting_port(&file) {
                Some(port) => Ok(ServerStatus::Running(
                    self.running_server(file.pid, port, false)?,
                )),
                None => Ok(ServerStatus::NotReady { pid: file.pid }),
            },
            _ => Ok(ServerStatus::Stopped),
        }
    }

    /// Starts the server unless it is running, and creates missing files.
    ///
    /// The base folder may be new. Concurrent calls from threads and processes share one server.
    /// The server keeps running when the caller ends in any way.
    ///
    /// # Errors
    ///
    /// An error leaves nothing incomplete: an existing data folder is unchanged, and a new one is
    /// complete or absent.
    pub fn start(
        &self,
        installation: &Installation,
        on_event: &dyn Fn(&Event),
    ) -> Result<RunningServer> {
        // An ephemeral server may stop itself at any moment here, if this thread is delayed for the
        // idle timeout. `cancel_idle_stop` returns whether that happened. In that case the folder
        // may be deleted, the result of `launch` belongs to another server, and the loop retries.
        let started_at = Instant::now();
        loop {
            let lock = self.lock_base("starting the server", on_event)?;
            let running = self.launch(installation, on_event);
            if let Ok(Some(running)) = &running {
                self.check_port(running)?;
            }
            match self.cancel_idle_stop(&lock)? {
                WatchdogDecision::Remove => continue,
                WatchdogDecision::Stop if started_at.elapsed() < self.timeout => continue,
                WatchdogDecision::Stop | WatchdogDecision::None => {}
            }
            let running = running?;
            if let Some(running) = &running
                && matches!(Postmaster::inspect(&self.data())?, Postmaster::Alive(_))
            {
                return Ok(running.clone());
            }
            let found = running.is_none_or(|running| !running.started);
            // A server that was found running may have been about to stop, and a server with a
            // watchdog may have been stopped since `cancel_idle_stop`.
            if started_at.elapsed() >= self.timeout || !(found || self.has_watchdog()) {
                return Err(self.exited_error()?);
            }
        }
    }

    /// Stops the server cleanly: disconnects clients and writes all data.
    ///
    /// # Errors
    ///
    /// [`Error::is_timeout`] after the [`timeout`](Self::timeout), and I/O errors.
    pub fn stop(&self, on_event: &dyn Fn(&Event)) -> Result<StopOutcome> {
        if !self.base.exists() {
            return Ok(StopOutcome::NotRunning);
        }
        let _lock = self.lock_base("stopping the server", on_event)?;
        let found = match Postmaster::inspect(&self.data())? {
            Postmaster::Alive(file) => {
                on_event(&Event::Stopping { pid: file.pid });
                self.shut_down(file.pid)?;
                StopOutcome::Stopped
            }
            _ => StopOutcome::NotRunning,
        };
        if self
            .ephemeral
            .as_ref()
            .is_some_and(|options| options.remove_on_stop)
        {
            self.remove()?;
        }
        Ok(found)
    }

    fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    /// Creates the base folder if needed and locks it, unless it is about to be removed.
    fn lock_base(&self, purpose: &str, on_event: &dyn Fn(&Event)) -> Result<Lock> {
        let path = self.base.join("lock");
        let started_at = Instant::now();
        loop {
            folder::create(&self.base, is_root())?;
            match Lock::acquire(&path, purpose, self.timeout, on_event) {
                // The folder was removed by an ephemeral server that has just ended.
                Ok(lock) if self.cancel_idle_stop(&lock)? == WatchdogDecision::Remove => {}
                Ok(lock) => return Ok(lock),
                Err(e)
                    if e.io_kind() == Some(io::ErrorKind::NotFound)
                        && started_at.elapsed() < self.timeout => {}
                Err(e) => return Err(e),
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Makes sure that no watchdog is about to stop the server; returns its decision, if any.
    fn cancel_idle_stop(&self, lock: &Lock) -> Result<WatchdogDecision> {
        if self.has_watchdog() {
            watchdog::renew_lease(&self.base, lock)
        } else if lock.is_at(&self.base.join("lock")) {
            Ok(WatchdogDecision::None)
        } else {
            Ok(WatchdogDecision::Remove)
        }
    }

    fn has_watchdog(&self) -> bool {
        self.ephemeral.is_some() || watchdog::was_started(&self.base)
    }

    /// Starts the server unless it is running; `None` if it ended during the call.
    ///
    /// The caller holds the lock.
    fn launch(
        &self,
        installation: &Installation,
        on_event: &dyn Fn(&Event),
    ) -> Result<Option<RunningServer>> {
        let data = self.data();
        let running = if let Postmaster::Alive(file) = Postmaster::inspect(&data)? {
            self.wait_ready(&file, false)?
        } else {
            let account = account::select(self.user.as_deref(), &data, on_event)?;
            let tools = Tools::new(installation, account, &self.base, self.timeout);
            tools.check_access()?;
            cluster::prepare(&self.base, &tools, self.ephemeral.is_some(), on_event)?;
            let file = launch::launch(self, &tools, on_event)?;
            let running = self.wait_ready(&file, true)?;
            if running.is_none() && !self.has_watchdog() {
                return Err(self.exited_error()?);
            }
            running
        };
        let Some(running) = running else {
            return Ok(None);
        };
        // Also for a running server: its start may have been killed before this step.
        launch::save_port(&self.base, running.port)?;
        if let Some(options) = &self.ephemeral {
            let account = account::select(self.user.as_deref(), &data, on_event)?;
            let tools = Tools::new(installation, account, &self.base, self.timeout);
            watchdog::ensure(&tools, options)?;
        }
        Ok(Some(running))
    }

    fn check_port(&self, running: &RunningServer) -> Result<()> {
        match self.port {
            Some(wanted) if wanted != running.port => Err(Error::from(ErrorKind::OtherPort {
                base: self.base.clone(),
                running: running.port,
                wanted,
            })),
            _ => Ok(()),
        }
    }

    /// Waits until a live server accepts connections; `None` if it ended.
    fn wait_ready(&self, file: &PidFile, started: bool) -> Result<Option<RunningServer>> {
        let started_at = Instant::now();
        let pid = file.pid;
        loop {
            if let Postmaster::Alive(file) = Postmaster::inspect(&self.data())?
                && file.pid == pid
            {
                if let Some(port) = accepting_port(&file) {
                    return self.running_server(pid, port, started).map(Some);
                }
            } else {
                return Ok(None);
            }
            if started_at.elapsed() >= self.timeout {
                return Err(self.timeout_error(pid, "ready"));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn running_server(&self, pid: u32, port: u16, started: bool) -> Result<RunningServer> {
        let password = Password::read(&self.base.join("password"))?;
        Ok(RunningServer {
            pid,
            port,
            password: password.ok_or_else(|| missing_password(&self.base))?,
            started,
        })
    }

    /// Stops the server as `pg_ctl stop -m fast -w` does, without knowing the installation.
    #[cfg(unix)]
    fn shut_down(&self, pid: u32) -> Result<()> {
        use nix::sys::signal::{Signal, kill};
        let data = self.data();
        let target = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
        match kill(target, Signal::SIGINT) {
            Ok(()) | Err(nix::Error::ESRCH) => {}
            Err(e) => return Err(Error::io("stop the server in", &data)(e.into())),
        }
        let started_at = Instant::now();
        // A server removes `postmaster.pid` before it ends, but keeps its working folder until the
        // end.
        while postmaster::is_alive(pid, &data) {
            if started_at.elapsed() >= self.timeout {
                return Err(self.timeout_error(pid, "stopped"));
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn shut_down(&self, _: u32) -> Result<()> {
        let text = "not supported here; use pg_ctl stop -m fast -D with that folder";
        let error = io::Error::new(io::ErrorKind::Unsupported, text);
        Err(Error::io("stop the server in", &self.data())(error))
    }

    fn exited_error(&self) -> Result<Error> {
        Ok(Error::from(ErrorKind::Tool {
            tool: "postgres".to_owned(),
            status: "it ended while it was starting".to_owned(),
            path: self.data(),
            detail: self.log_tail(10)?,
        }))
    }

    fn timeout_error(&self, pid: u32, wanted: &'static str) -> Error {
        Error::from(ErrorKind::Timeout {
            pid,
            base: self.base.clone(),
            wanted,
            waited: self.timeout,
            detail: self.log_tail(10).unwrap_or_default(),
            remedy: None,
        })
    }

    /// Removes the base folder, after an atomic rename.
    fn remove(&self) -> Result<()> {
        let suffix = format!(".removed.{}", std::process::id());
        let renamed_base = folder::with_suffix(&self.base, &suffix);
        match fs::rename(&self.base, &renamed_base) {
            // The watchdog has already removed it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed.map_err(Error::io("remove", &self.base))?,
        }
        folder::remove(&renamed_base)
    }
}

/// Returns the port if the server reports that it is ready and the port accepts connections.
fn accepting_port(file: &PidFile) -> Option<u16> {
    let port = file.port.filter(|_| file.ready)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    Some(port)
}

fn missing_password(base: &Path) -> Error {
    Error::from(ErrorKind::Damaged {
        base: base.to_owned(),
        reason: "the file password is missing or empty".to_owned(),
    })
}
