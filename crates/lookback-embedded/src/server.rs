mod account;
mod cluster;
mod launch;
mod log;
mod orphans;
mod password;
mod postmaster;
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
use crate::process::POLL;
use crate::{Error, ErrorKind, Event, Installation, Result, folder};
use password::Password;
use postmaster::{PidFile, Postmaster};
use tools::Tools;
use watchdog::Decision;

/// The superuser and the database of every server.
const NAME: &str = "lookback";

/// A private PostgreSQL, known by its base folder; making a value of this type touches nothing.
///
/// All that matters is in the base folder, so any number of values, in any number of
/// processes, may stand for the same server.
#[derive(Debug, Clone)]
pub struct Server {
    base: PathBuf,
    port: Option<u16>,
    user: Option<String>,
    throw_away: Option<ThrowAway>,
    patience: Duration,
}

/// How a server for tests ends, see [`Server::throw_away`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrowAway {
    /// After how long without a client connection the server stops itself, in whole seconds
    /// and at least one; 60 s by default.
    ///
    /// The time begins anew with every [`Server::start`]. It has to be longer than it takes
    /// to connect after that, and than the longest pause in which nobody is connected.
    pub idle: Duration,
    /// Whether the base folder is removed when the server was stopped, by itself or by
    /// [`Server::stop`]; it is by default.
    pub remove: bool,
    /// Whether what is committed is made durable, as on any other server; it is
    /// not by default. For benchmarks.
    pub durable: bool,
}

impl Default for ThrowAway {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            remove: true,
            durable: false,
        }
    }
}

/// A server that accepts connections. `Debug` does not show its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pid: u32,
    port: u16,
    password: Password,
    started: bool,
}

impl Running {
    /// `postgres://lookback:<password>@127.0.0.1:<port>/lookback`: a secret.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    /// The same for another database of this server, by a name that needs no escape in a URL.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        let (password, port) = (self.password.reveal(), self.port);
        format!("postgres://{NAME}:{password}@127.0.0.1:{port}/{database}")
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

    /// Whether this call has started it, or else found it running.
    #[must_use]
    pub fn started(&self) -> bool {
        self.started
    }
}

/// What a server is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It does not run, or does not exist yet.
    Stopped,
    /// It starts or stops, and accepts no connections.
    Busy {
        /// Its process id.
        pid: u32,
    },
    /// It accepts connections.
    Running(Running),
}

/// What [`Server::stop`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The server ran and was stopped.
    Stopped,
    /// It did not run.
    WasNotRunning,
}

impl Server {
    /// The server with this base folder ([`Layout::server`](crate::Layout::server)).
    ///
    /// As root the folder must be one that other accounts can enter.
    pub fn at(base: impl Into<PathBuf>) -> Self {
        let base = base.into();
        Self {
            // Only an empty path cannot be made absolute, and that fails on its first use.
            base: std::path::absolute(&base).unwrap_or(base),
            port: None,
            user: None,
            throw_away: None,
            patience: Duration::from_secs(60),
        }
    }

    /// Listens on this port; by default on the one it had last, or a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Runs as this account of the system if the caller is root; by default as the owner of
    /// an existing data folder, then `lookback`, then `postgres`, then a new `lookback`, then
    /// `nobody`. For other callers it may only be themselves.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// For tests: nothing is made durable (`fsync`, `synchronous_commit` and
    /// `full_page_writes` off) unless [`ThrowAway::durable`] says so, 300 connections,
    /// and the server stops itself when idle, even if every process that used it was
    /// killed.
    ///
    /// Two small `sh` processes watch it. They end with the server, at the latest after the
    /// idle time.
    #[must_use]
    pub fn throw_away(mut self, how: ThrowAway) -> Self {
        self.throw_away = Some(how);
        self
    }

    /// How long to wait for another process that starts or stops it, for PostgreSQL to be
    /// ready, and for it to be gone; 60 s by default, for each.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The base folder.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// PostgreSQL's log. It is there once the server was started.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.base.join("server.log")
    }

    /// The last lines of the log, empty if there is none.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn log_tail(&self, lines: usize) -> Result<String> {
        log::tail(&self.log_path(), lines)
    }

    /// What the server is doing now. Takes no lock, changes nothing and does not wait.
    ///
    /// # Errors
    ///
    /// If its files cannot be read; [`Error::is_damaged`] if it runs and its password is missing.
    pub fn status(&self) -> Result<Status> {
        match Postmaster::look(&self.data())? {
            Postmaster::Alive(file) => match self.answering(&file) {
                Some(port) => Ok(Status::Running(self.running(file.pid, port, false)?)),
                None => Ok(Status::Busy { pid: file.pid }),
            },
            _ => Ok(Status::Stopped),
        }
    }

    /// Starts the server, or finds it running; makes what is missing, so that a new folder is
    /// enough. Calls from any number of threads and processes share one server.
    ///
    /// The server goes on when the caller ends, in whatever way.
    ///
    /// # Errors
    ///
    /// After an error nothing half-made is left: an existing data
    /// folder is as it was, a new one is complete or not there.
    pub fn start(&self, installation: &Installation, on: &dyn Fn(&Event)) -> Result<Running> {
        // A throw-away server may stop itself at any moment of this, if this thread is held up
        // for the idle time. `settle` says afterwards whether that happened; then the folder may
        // be gone, what `launch` says is about another server, and all begins again.
        let begun = Instant::now();
        loop {
            let lock = self.enter("starting the server", on)?;
            let running = self.launch(installation, on);
            if let Ok(Some(running)) = &running {
                self.check_port(running)?;
            }
            match self.settle(&lock)? {
                Decision::Remove => continue,
                Decision::Stop if begun.elapsed() < self.patience => continue,
                Decision::Stop | Decision::None => {}
            }
            let running = running?;
            if let Some(running) = &running
                && matches!(Postmaster::look(&self.data())?, Postmaster::Alive(_))
            {
                return Ok(running.clone());
            }
            let found = running.is_none_or(|running| !running.started);
            // One that was found running was about to stop, and one that is watched may have been
            // stopped since it settled.
            if begun.elapsed() >= self.patience || !(found || self.is_watched()) {
                return Err(self.ended()?);
            }
        }
    }

    /// Stops the server: clients are disconnected, everything is written, nothing is lost.
    ///
    /// # Errors
    ///
    /// [`Error::is_timeout`] after the [`patience`](Self::patience), and I/O errors.
    pub fn stop(&self, on: &dyn Fn(&Event)) -> Result<Stop> {
        if !self.base.exists() {
            return Ok(Stop::WasNotRunning);
        }
        let _lock = self.enter("stopping the server", on)?;
        let found = match Postmaster::look(&self.data())? {
            Postmaster::Alive(file) => {
                on(&Event::Stopping { pid: file.pid });
                self.interrupt(file.pid)?;
                Stop::Stopped
            }
            _ => Stop::WasNotRunning,
        };
        if self.throw_away.as_ref().is_some_and(|how| how.remove) {
            self.remove()?;
        }
        Ok(found)
    }

    fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    /// Takes the lock on a base folder that is there to stay, and makes the folder if needed.
    fn enter(&self, purpose: &str, on: &dyn Fn(&Event)) -> Result<Lock> {
        let path = self.base.join("lock");
        let begun = Instant::now();
        loop {
            folder::create(&self.base, is_root())?;
            match Lock::acquire(&path, purpose, self.patience, on) {
                // The folder was removed by a throw-away server that has just ended.
                Ok(lock) if self.settle(&lock)? == Decision::Remove => {}
                Ok(lock) => return Ok(lock),
                Err(e)
                    if e.io_kind() == Some(io::ErrorKind::NotFound)
                        && begun.elapsed() < self.patience => {}
                Err(e) => return Err(e),
            }
            thread::sleep(POLL);
        }
    }

    /// Makes sure that no watchdog is about to stop the server, and says what one has decided.
    fn settle(&self, lock: &Lock) -> Result<Decision> {
        if self.is_watched() {
            watchdog::hold_off(&self.base, lock)
        } else if lock.is_at(&self.base.join("lock")) {
            Ok(Decision::None)
        } else {
            Ok(Decision::Remove)
        }
    }

    fn is_watched(&self) -> bool {
        self.throw_away.is_some() || watchdog::has_been(&self.base)
    }

    /// Finds the server running or starts it; `None` if it has ended meanwhile. The caller holds
    /// the lock.
    fn launch(&self, installation: &Installation, on: &dyn Fn(&Event)) -> Result<Option<Running>> {
        let data = self.data();
        let running = match Postmaster::look(&data)? {
            Postmaster::Alive(file) => self.wait_ready(&file, false)?,
            _ => {
                let account = account::choose(self.user.as_deref(), &data, on)?;
                let tools = Tools::new(installation, account, &self.base, self.patience);
                tools.check_access()?;
                cluster::prepare(&self.base, &tools, self.throw_away.is_some(), on)?;
                let file = launch::launch(self, &tools, on)?;
                let running = self.wait_ready(&file, true)?;
                if running.is_none() && !self.is_watched() {
                    return Err(self.ended()?);
                }
                running
            }
        };
        let Some(running) = running else {
            return Ok(None);
        };
        // Also of a server that was found: its start may have been killed before it came to this.
        launch::remember(&self.base, running.port)?;
        if let Some(how) = &self.throw_away {
            let account = account::choose(self.user.as_deref(), &data, on)?;
            let tools = Tools::new(installation, account, &self.base, self.patience);
            watchdog::ensure(&tools, how)?;
        }
        Ok(Some(running))
    }

    fn check_port(&self, running: &Running) -> Result<()> {
        match self.port {
            Some(wanted) if wanted != running.port => Err(Error::from(ErrorKind::OtherPort {
                base: self.base.clone(),
                running: running.port,
                wanted,
            })),
            _ => Ok(()),
        }
    }

    /// Waits until a server that is there accepts connections; `None` if it has ended.
    fn wait_ready(&self, file: &PidFile, started: bool) -> Result<Option<Running>> {
        let begun = Instant::now();
        let pid = file.pid;
        loop {
            if let Postmaster::Alive(file) = Postmaster::look(&self.data())?
                && file.pid == pid
            {
                if let Some(port) = self.answering(&file) {
                    return self.running(pid, port, started).map(Some);
                }
            } else {
                return Ok(None);
            }
            if begun.elapsed() >= self.patience {
                return Err(self.slow(pid, "ready"));
            }
            thread::sleep(POLL);
        }
    }

    /// The port, if the server says that it is ready and something answers there.
    fn answering(&self, file: &PidFile) -> Option<u16> {
        let port = file.port.filter(|_| file.ready)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
        Some(port)
    }

    fn running(&self, pid: u32, port: u16, started: bool) -> Result<Running> {
        let password = Password::read(&self.base.join("password"))?;
        Ok(Running {
            pid,
            port,
            password: password.ok_or_else(|| no_password(&self.base))?,
            started,
        })
    }

    /// What `pg_ctl stop -m fast -w` does, for which the installation would have to be known.
    #[cfg(unix)]
    fn interrupt(&self, pid: u32) -> Result<()> {
        use nix::sys::signal::{Signal, kill};
        let data = self.data();
        let target = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
        match kill(target, Signal::SIGINT) {
            Ok(()) | Err(nix::Error::ESRCH) => {}
            Err(e) => return Err(Error::io("stop the server in", &data)(e.into())),
        }
        let begun = Instant::now();
        // It removes its file somewhat earlier than it ends, and leaves its folder only then.
        while postmaster::is_alive(pid, &data) {
            if begun.elapsed() >= self.patience {
                return Err(self.slow(pid, "stopped"));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn interrupt(&self, _: u32) -> Result<()> {
        let text = "not supported here; use pg_ctl stop -m fast -D with that folder";
        let error = io::Error::new(io::ErrorKind::Unsupported, text);
        Err(Error::io("stop the server in", &self.data())(error))
    }

    fn ended(&self) -> Result<Error> {
        Ok(Error::from(ErrorKind::Tool {
            tool: "postgres".to_owned(),
            status: "it ended while it was starting".to_owned(),
            path: self.data(),
            detail: self.log_tail(10)?,
        }))
    }

    fn slow(&self, pid: u32, wanted: &'static str) -> Error {
        Error::from(ErrorKind::Timeout {
            pid,
            base: self.base.clone(),
            wanted,
            waited: self.patience,
            detail: self.log_tail(10).unwrap_or_default(),
            remedy: None,
        })
    }

    /// Removes the base folder, at once for everybody who looks for it by its name.
    fn remove(&self) -> Result<()> {
        let suffix = format!(".removed.{}", std::process::id());
        let aside = folder::with_suffix(&self.base, &suffix);
        match fs::rename(&self.base, &aside) {
            // The watch was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed.map_err(Error::io("remove", &self.base))?,
        }
        folder::remove(&aside)
    }
}

fn no_password(base: &Path) -> Error {
    Error::from(ErrorKind::Damaged {
        base: base.to_owned(),
        reason: "the file password is missing or empty".to_owned(),
    })
}
