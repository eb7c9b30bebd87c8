//! Events of applying migrations.

use std::fmt;
use std::time::Duration;

/// The function that receives events.
pub type EventSink<'a> = &'a mut (dyn FnMut(Event) + Send);

/// Something that happened while migrations were applied.
///
/// Its text is a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The connection looks as if it were to a pooler.
    Pooler {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// Another process is migrating; sent at once, and every ten seconds.
    WaitingForLock {
        /// The session that holds the lock; `None` if it was just released.
        holder: Option<Holder>,
    },
    /// A file is older than the newest that is applied.
    OutOfOrder {
        /// The file.
        file: String,
        /// The newest version that is applied.
        newest: i64,
    },
    /// A partly applied file is resumed.
    Resuming {
        /// The file.
        file: String,
        /// How many of its statements took effect before.
        done: usize,
    },
    /// A file begins.
    Applying {
        /// The file.
        file: String,
    },
    /// A lock was not free; another attempt follows after a pause.
    ///
    /// It repeats the file, or the statement of a file without transaction.
    Retrying {
        /// The file.
        file: String,
        /// The line of the statement.
        line: usize,
        /// The transactions that hold locks on tables, the oldest first.
        holders: Vec<Holder>,
        /// The pause.
        pause: Duration,
    },
    /// An index that a failed build had left was dropped.
    DroppedInvalidIndex {
        /// The index, with its schema.
        index: String,
    },
    /// An index existed already, valid and with the same definition.
    ///
    /// An earlier run was ended after building it.
    IndexExists {
        /// The index, with its schema.
        index: String,
    },
    /// An index was dropped already: an earlier run was ended after it.
    IndexAlreadyDropped {
        /// The index, as written.
        index: String,
    },
    /// A file was applied and recorded.
    Applied {
        /// The file.
        file: String,
        /// How long it took.
        time: Duration,
    },
    /// A migration was reverted, and is no longer recorded.
    Reverted {
        /// The file that undid it.
        file: String,
        /// How long it took.
        time: Duration,
    },
}

/// A session of the server that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The process of the server.
    pub pid: i32,
    /// The `application_name` of the client.
    pub program: String,
    /// The statement it is running, or ran last, cut to one short line.
    pub query: String,
    /// The time since when, as the server prints it.
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

/// The sessions that hold locks, as lines.
pub(crate) struct Listed<'a>(pub(crate) &'a [Holder]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for holder in self.0 {
            write!(f, "\n    locks are held by {holder}")?;
        }
        Ok(())
    }
}
