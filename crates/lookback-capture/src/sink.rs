//! Where captured records go.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;

use crate::record::Batch;

#[cfg(feature = "http")]
mod http;
mod json_lines;
mod memory;

#[cfg(feature = "http")]
pub use http::{HttpSink, HttpSinkError};
pub use json_lines::JsonLinesSink;
pub use memory::MemorySink;

/// Stores captured records.
///
/// All of it runs on one thread that capture starts, in a Tokio runtime of that thread. What takes
/// long makes no request wait: records are queued, and dropped and counted when the queue is full.
pub trait Sink: Send + 'static {
    /// Stores the records of a batch.
    ///
    /// It takes out what it has stored. After a temporary error it is called again later, with what
    /// is left and more. What is left otherwise is dropped, and counted as failed; windows are kept
    /// for the next time.
    ///
    /// # Errors
    ///
    /// What is left was not stored.
    fn store(&mut self, batch: &mut Batch) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Called about once a second while there is nothing to store: it can store now what it keeps
    /// elsewhere. By default it does nothing.
    ///
    /// # Errors
    ///
    /// It cannot store it now.
    fn idle(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }

    /// Waits until every record that was taken before is stored.
    ///
    /// # Errors
    ///
    /// Some are not.
    fn flush(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }

    /// Stores what it has, or keeps it elsewhere: it is not called again. By default it
    /// [flushes](Self::flush).
    ///
    /// # Errors
    ///
    /// Some records are lost.
    fn close(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send {
        self.flush()
    }

    /// Returns how many records it took and could not store since the last call. By default none.
    fn take_rejected(&mut self) -> Rejected {
        Rejected::default()
    }

    /// Returns why it cannot store now what it has taken; `None`, the default, if it can.
    fn last_error(&self) -> Option<String> {
        None
    }
}

/// The numbers of records that a sink took and could not store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a sink makes it")]
pub struct Rejected {
    /// Requests.
    pub requests: u64,
    /// Log lines.
    pub logs: u64,
}

/// Why records were not stored.
#[derive(Debug)]
pub struct SinkError {
    source: Box<dyn StdError + Send + Sync>,
    is_temporary: bool,
}

impl SinkError {
    /// Creates an error after which the same records can be stored later, such as a lost connection.
    pub fn temporary(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            is_temporary: true,
        }
    }

    /// Creates an error that these records will always cause.
    pub fn permanent(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            is_temporary: false,
        }
    }

    /// Whether the same records can be stored later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.is_temporary
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl StdError for SinkError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.source()
    }
}
