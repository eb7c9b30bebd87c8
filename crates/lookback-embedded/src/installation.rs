mod control;
mod fetch;
mod pip;
mod system;
mod version;
mod wheel;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use version::Version;

use crate::{Error, ErrorKind, Event, Result, process};

/// The oldest major version of PostgreSQL that Lookback supports.
const MIN_MAJOR: u32 = 15;
/// The required extensions, with the oldest supported version of each.
const EXTENSIONS: [(&str, [u32; 3]); 2] = [("vector", [0, 8, 4]), ("pg_trgm", [0, 0, 0])];
/// The programs of PostgreSQL that this crate runs.
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "pg_ctl", "psql"];
/// The time limit for printing a version or a folder, on a slow machine.
const QUERY_TIMEOUT: Duration = Duration::from_secs(120);

/// A PostgreSQL on this machine that meets Lookback's requirements.
#[derive(Debug, Clone)]
pub struct Installation {
    bin: PathBuf,
    version: Version,
    origin: Origin,
}

/// The way an [`Installation`] was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// In the folder given by the caller.
    Given,
    /// Fetched earlier.
    Cached,
    /// Installed on the system.
    System,
    /// Fetched by this call.
    Fetched,
}

impl Installation {
    /// Opens the PostgreSQL in a folder that contains its programs, or whose `bin` does.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`]; the message describes what is missing.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::inspect(dir, Origin::Given).map_err(|reason| {
            Error::from(ErrorKind::Unsuitable {
                dir: dir.to_owned(),
                reason,
            })
        })
    }

    /// The folder of its programs.
    #[must_use]
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Its version, as printed by `postgres --version`.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The way it was found.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The path of one of its programs, by name: `psql`, `pg_dump`, ….
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        program(&self.bin, name)
    }

    /// Checks everything that needs no running server.
    ///
    /// The error is a reason, formatted as a clause for a message.
    fn inspect(dir: &Path, origin: Origin) -> Result<Self, String> {
        // Clean commands run in "/": a relative program name would mean another file there.
        let dir = std::path::absolute(dir).map_err(|e| e.to_string())?;
        let bin = [dir.join("bin"), dir]
            .into_iter()
            .find(|bin| program(bin, "postgres").is_file())
            .ok_or("there is no program named postgres")?;
        for name in PROGRAMS {
            if !program(&bin, name).is_file() {
                return Err(format!("there is no program named {name}"));
            }
            run_query(&program(&bin, name), "--version")?; // a library may be missing
        }
        let output = run_query(&program(&bin, "postgres"), "--version")?;
        let version = Version::parse(&output)
            .ok_or_else(|| format!("postgres --version printed {:?}", output.trim()))?;
        if version.major() < MIN_MAJOR {
            return Err(format!("it is {version}, older than {MIN_MAJOR}"));
        }
        let share = share_folder(&bin).ok_or("its folder share/extension was not found")?;
        for (name, minimum) in EXTENSIONS {
            control::check(&share.join("extension"), name, minimum)?;
        }
        Ok(Self {
            bin,
            version,
            origin,
        })
    }
}

/// Finds a PostgreSQL: in a given folder, cached, on the system, or fetched by `pip`.
#[derive(Debug, Clone)]
pub struct InstallationFinder {
    cache: PathBuf,
    path: OsString,
    given: Option<PathBuf>,
    system: bool,
}

impl InstallationFinder {
    /// Creates a finder that fetches into `cache`, usually [`Layout::installations`].
    ///
    /// It looks for `pg_config` and `pip` on `path`, a value of the variable `PATH`.
    ///
    /// [`Layout::installations`]: crate::Layout::installations
    pub fn new(cache: impl Into<PathBuf>, path: impl Into<OsString>) -> Self {
        Self {
            cache: cache.into(),
            path: path.into(),
            given: None,
            system: true,
        }
    }

    /// Uses only the PostgreSQL in this folder.
    ///
    /// An unusable one is an error.
    #[must_use]
    pub fn directory(mut self, dir: impl Into<PathBuf>) -> Self {
        self.given = Some(dir.into());
        self
    }

    /// Sets whether the system's PostgreSQLs are included; they are by default.
    ///
    /// Tests that need the same version on every machine exclude them.
    #[must_use]
    pub fn include_system(mut self, include: bool) -> Self {
        self.system = include;
        self
    }

    /// Finds a PostgreSQL without fetching one; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if the given folder has no usable PostgreSQL.
    pub fn find_local(&self, on_event: &dyn Fn(&Event)) -> Result<Option<Installation>> {
        if let Some(dir) = &self.given {
            return Installation::open(dir).map(Some);
        }
        let cached = fetch::installation_folder(&self.cache);
        if cached.exists() {
            match Installation::inspect(&cached, Origin::Cached) {
                Ok(found) => return Ok(Some(found)),
                Err(reason) => on_event(&Event::InstallationRejected {
                    bin: cached,
                    reason,
                }),
            }
        }
        if !self.system {
            return Ok(None);
        }
        let mut best: Option<Installation> = None;
        for bin in system::candidates(&self.path) {
            match Installation::inspect(&bin, Origin::System) {
                Ok(found) => {
                    let newer = |best: &Installation| found.version.major() > best.version.major();
                    if best.as_ref().is_none_or(newer) {
                        best = Some(found);
                    }
                }
                Err(reason) => on_event(&Event::InstallationRejected { bin, reason }),
            }
        }
        Ok(best)
    }

    /// Finds a PostgreSQL, and fetches one if there is none.
    ///
    /// `pip` runs with the caller's whole environment, so that its own configuration (`PIP_*`,
    /// proxies, certificates) applies.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if none can be fetched; [`Error::is_disk_full`] and other I/O errors.
    pub fn find(&self, on_event: &dyn Fn(&Event)) -> Result<Installation> {
        match self.find_local(on_event)? {
            Some(found) => Ok(found),
            None => fetch::fetch(&self.cache, &self.path, on_event),
        }
    }
}

fn program(bin: &Path, name: &str) -> PathBuf {
    bin.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Runs a program with an option such as `--version` and returns its output.
fn run_query(program: &Path, option: &str) -> Result<String, String> {
    let mut command = process::clean_command(program, Path::new("/"));
    let done = process::run(command.arg(option), "", QUERY_TIMEOUT)
        .map_err(|e| format!("{} does not run: {e}", program.display()))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    Err(format!(
        "{} does not run ({}): {}",
        program.display(),
        done.status,
        process::last_lines(&done.stderr, 3)
    ))
}

/// Finds the folder of PostgreSQL's shared files.
///
/// Its place depends on the distribution, and only `pg_config` knows it.
fn share_folder(bin: &Path) -> Option<PathBuf> {
    let configured = run_query(&program(bin, "pg_config"), "--sharedir").ok();
    let guesses = ["../share", "../share/postgresql"].map(|guess| bin.join(guess));
    configured
        .map(|line| PathBuf::from(line.trim()))
        .into_iter()
        .chain(guesses)
        .find(|share| share.join("extension").is_dir())
}
