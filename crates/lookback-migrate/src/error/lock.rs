//! Errors of locks held by other sessions, and of a lost migration lock.

use std::time::Duration;

use crate::event::Holder;

use super::Remedy;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("another process is migrating this database: no lock within {} s", timeout.as_secs())]
    Held {
        timeout: Duration,
        holder: Option<Holder>,
    },
    #[error(
        "cannot begin {file}: the connection is now to server process {pid}, and server process \
         {lock_pid} holds the migration lock"
    )]
    Moved {
        file: String,
        pid: i32,
        lock_pid: i32,
    },
    #[error("cannot begin {file}: the migration lock was released")]
    Released { file: String },
    #[error("another session is building the index {index}")]
    IndexInProgress { index: String, holders: Vec<Holder> },
}

impl LockError {
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Held {
                holder: Some(holder),
                ..
            } => Remedy::WaitForProcess {
                holder: holder.clone(),
            },
            Self::Held { holder: None, .. } => Remedy::RunAgain,
            Self::Moved { .. } => Remedy::ConnectDirectly,
            Self::Released { .. } => Remedy::KeepLock,
            Self::IndexInProgress { holders, .. } => Remedy::WaitForIndex {
                holders: holders.clone(),
            },
        }
    }
}
