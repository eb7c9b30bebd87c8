//! Events that are sent while migrations are applied.

use std::fmt;
use std::time::Duration;

/// The function that receives events.
pub type EventSink<'a> = &'a mut (dyn FnMut(Event) + Send);

/// An event that is sent while migrations are applied.
///
/// Its text is a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The connection seems to go through a pooler.
    Pooler {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// Another process applies migrations; sent at once and then every ten
    /// seconds.
    WaitingForLock {
        /// The session that holds the lock; `None` if it was just released.
        holder: Option<Holder>,
    },
    /// A file is older than the newest applied one.
    OutOfOrder {
        /// The file.
        file: String,
        /// The newest applied version.
        newest: i64,
    },
    /// A partly applied file is resumed.
    Resuming {
        /// The file.
        file: String,
        /// The number of its statements that took effect before.
        done: usize,
    },
    /// A file is started.
    Applying {
        /// The file.
        file: String,
    },
    /// A lock was not available; a retry follows after a pause.
    ///
    /// The retry repeats the file, or the statement of a file without a
    /// transaction.
    Retrying {
        /// The file.
        file: String,
        /// The line of the statement.
        line: usize,
        /// The transactions that hold table locks, oldest first.
        holders: Vec<Holder>,
        /// The pause.
        pause: Duration,
    },
    /// An index left by a failed build was dropped.
    DroppedInvalidIndex {
        /// The index, with its schema.
        index: String,
    },
    /// An index already exists, valid and with the same definition.
    ///
    /// An earlier run was stopped after it built the index.
    IndexExists {
        /// The index, with its schema.
        index: String,
    },
    /// An index was already dropped: an earlier run was stopped after that.
    IndexAlreadyDropped {
        /// The index, as written.
        index: String,
    },
    /// A file was applied and recorded.
    Applied {
        /// The file.
        file: String,
        /// The duration.
        time: Duration,
    },
    /// A migration was reverted and is no longer recorded.
    Reverted {
        /// The file that reverted it.
        file: String,
        /// The duration.
        time: Duration,
    },
}

/// A session of the server that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The server process of the session.
    pub pid: i32,
    /// The `application_name` of the client.
    pub program: String,
    /// The statement that it runs or ran last, shortened to one line.
    pub query: String,
    /// The start time, as the server prints it.
    pub since: String,
}

impl Event {
    /// Whether the event deserves a warning.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::Pooler { .. } | Self::OutOfOrder { .. })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pooler { host, port } => write!(
                f,
                "{host}:{port} looks like a connection pooler; migrations need a direct \
                 connection, or a pooler that keeps a session for each client"
            ),
            Self::WaitingForLock { holder: None } => {
                f.write_str("another process is migrating this database; waiting")
            }
            Self::WaitingForLock {
                holder: Some(holder),
            } => write!(
                f,
                "another process is migrating this database; waiting for {holder}"
            ),
            Self::OutOfOrder { file, newest } => write!(
                f,
                "{file} is older than {newest}, the newest applied migration (from a merged \
                 branch?)"
            ),
            Self::Resuming { file, done } => write!(
                f,
                "resuming {file} after statement {done}, where an earlier run stopped"
            ),
            Self::Applying { file } => write!(f, "applying {file}"),
            Self::Retrying {
                file,
                line,
                holders,
                pause,
            } => write!(
                f,
                "{file}, line {line}: a lock is not free; retrying in {} ms{}",
                pause.as_millis(),
                Listed(holders)
            ),
            Self::DroppedInvalidIndex { index } => {
                write!(
                    f,
                    "dropped the INVALID index {index}, left by a failed build"
                )
            }
            Self::IndexExists { index } => write!(
                f,
                "the index {index} already exists, valid and with the same definition"
            ),
            Self::IndexAlreadyDropped { index } => {
                write!(f, "the index {index} was already dropped")
            }
            Self::Applied { file, time } => {
                write!(f, "applied {file} in {} ms", time.as_millis())
            }
            Self::Reverted { file, time } => {
                write!(f, "reverted by {file} in {} ms", time.as_millis())
            }
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            program,
            query,
            since,
        } = self;
        write!(f, "process {pid} of the server")?;
        if !program.is_empty() {
            write!(f, " ({program})")?;
        }
        write!(f, ", since {since}: {query}")
    }
}

/// Formats sessions that hold locks, one per line.
pub(crate) struct Listed<'a>(pub(crate) &'a [Holder]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for holder in self.0 {
            write!(f, "\n    locks are held by {holder}")?;
        }
        Ok(())
    }
}
