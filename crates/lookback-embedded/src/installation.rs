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

/// The oldest PostgreSQL that lookback runs on.
const MIN_MAJOR: u32 = 15;
/// The extensions it needs, with the oldest version that will do.
const EXTENSIONS: [(&str, [u32; 3]); 2] = [("vector", [0, 8, 4]), ("pg_trgm", [0, 0, 0])];
/// The programs that this crate runs.
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "pg_ctl", "psql"];
/// A program that only says where or what it is takes no longer than this, on the slowest of
/// machines.
const ANSWER: Duration = Duration::from_secs(120);

/// A PostgreSQL on this machine that is good enough for lookback.
#[derive(Debug, Clone)]
pub struct Installation {
    bin: PathBuf,
    version: Version,
    origin: Origin,
}

/// How an [`Installation`] was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// In the folder that the caller gave.
    Given,
    /// Fetched before.
    Cached,
    /// Installed on the system.
    System,
    /// Fetched now.
    Fetched,
}

impl Installation {
    /// The PostgreSQL in a folder that holds its programs, or whose `bin` does.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`]; the message names what the PostgreSQL lacks.
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

    /// Its version, as `postgres --version` says it.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// How it was found.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The path of one of its programs, by name: `psql`, `pg_dump`, ….
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        program(&self.bin, name)
    }

    /// Checks everything that can be checked without running a server; the error is a reason
    /// to be put into a sentence.
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
            ask(&program(&bin, name), "--version")?; // a library may be missing
        }
        let said = ask(&program(&bin, "postgres"), "--version")?;
        let version = Version::parse(&said)
            .ok_or_else(|| format!("postgres --version says {:?}", said.trim()))?;
        if version.major() < MIN_MAJOR {
            return Err(format!("it is {version}, older than {MIN_MAJOR}"));
        }
        let share = share(&bin).ok_or("its folder share/extension was not found")?;
        for (name, least) in EXTENSIONS {
            control::check(&share.join("extension"), name, least)?;
        }
        Ok(Self {
            bin,
            version,
            origin,
        })
    }
}

/// Looks for a PostgreSQL: a given folder, then the cached one, then the system's, and at last
/// one that `pip` fetches.
#[derive(Debug, Clone)]
pub struct Search {
    cache: PathBuf,
    path: OsString,
    given: Option<PathBuf>,
    system: bool,
}

impl Search {
    /// A search that keeps what it fetches in `cache` ([`Layout::postgres`]) and looks for
    /// `pg_config` and `pip` on `path`, a value of the variable `PATH`.
    ///
    /// [`Layout::postgres`]: crate::Layout::postgres
    pub fn new(cache: impl Into<PathBuf>, path: impl Into<OsString>) -> Self {
        Self {
            cache: cache.into(),
            path: path.into(),
            given: None,
            system: true,
        }
    }

    /// Takes the PostgreSQL in this folder and no other: if it cannot be used, that is an
    /// error.
    #[must_use]
    pub fn given(mut self, dir: impl Into<PathBuf>) -> Self {
        self.given = Some(dir.into());
        self
    }

    /// Whether the system's PostgreSQLs are looked at. They are by default; tests that want
    /// the same version on every machine leave them out.
    #[must_use]
    pub fn system(mut self, look: bool) -> Self {
        self.system = look;
        self
    }

    /// Finds a PostgreSQL without fetching one; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if a folder was given and holds none.
    pub fn find_local(&self, on: &dyn Fn(&Event)) -> Result<Option<Installation>> {
        if let Some(dir) = &self.given {
            return Installation::open(dir).map(Some);
        }
        let cached = fetch::place(&self.cache);
        if cached.exists() {
            match Installation::inspect(&cached, Origin::Cached) {
                Ok(found) => return Ok(Some(found)),
                Err(reason) => on(&Event::PassedOver {
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
                Err(reason) => on(&Event::PassedOver { bin, reason }),
            }
        }
        Ok(best)
    }

    /// Finds a PostgreSQL, and fetches one if there is none.
    ///
    /// `pip` is run with the caller's whole environment, so that its own configuration
    /// (`PIP_*`, proxies, certificates) holds.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if none can be fetched; [`Error::is_disk_full`] and other I/O errors.
    pub fn find(&self, on: &dyn Fn(&Event)) -> Result<Installation> {
        match self.find_local(on)? {
            Some(found) => Ok(found),
            None => fetch::fetch(&self.cache, &self.path, on),
        }
    }
}

fn program(bin: &Path, name: &str) -> PathBuf {
    bin.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// What a program says about itself, or why it does not.
fn ask(program: &Path, question: &str) -> Result<String, String> {
    let mut command = process::clean(program, Path::new("/"));
    let done = process::run(command.arg(question), "", ANSWER)
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

/// The folder of its shared files: distributions put it anywhere, and only `pg_config` knows.
fn share(bin: &Path) -> Option<PathBuf> {
    let told = ask(&program(bin, "pg_config"), "--sharedir").ok();
    let guesses = ["../share", "../share/postgresql"].map(|guess| bin.join(guess));
    told.map(|line| PathBuf::from(line.trim()))
        .into_iter()
        .chain(guesses)
        .find(|share| share.join("extension").is_dir())
}
