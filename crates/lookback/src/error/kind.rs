//! The kinds of errors.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{DatabaseError, Error, FieldError, Remedy};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("{table}: no record {id}")]
    NotFound { table: &'static str, id: i64 },

    #[error("{0}")]
    Conflict(FieldError),

    /// Fields of a record, filters or options.
    #[error("{}", Listed(fields))]
    Invalid {
        table: &'static str,
        fields: Vec<FieldError>,
    },

    #[error("{problem}")]
    Setup { problem: String, remedy: Remedy },

    #[cfg(feature = "migrate")]
    #[error(transparent)]
    Migration(lookback_migrate::Error),

    /// Each problem has the Rust type and its table.
    #[cfg(feature = "migrate")]
    #[error("{}", problems.join("\n"))]
    Schema { problems: Vec<String> },

    #[error("{table}: the read took longer than {} and was stopped", Seconds(*timeout))]
    TooSlow {
        table: &'static str,
        timeout: Duration,
    },

    #[error("{table}: the transaction cannot see records that were sealed after it began")]
    StaleSnapshot { table: &'static str },

    #[error("{table}: not written: {reason}")]
    NotWritten {
        table: &'static str,
        reason: String,
        source: Option<Arc<Error>>,
    },

    /// A file or thread of a writer.
    #[error("{problem}")]
    Io {
        problem: &'static str,
        source: io::Error,
    },

    #[error(transparent)]
    Database(DatabaseError),
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} s", self.0.as_secs()),
            _ => write!(f, "{} ms", self.0.as_millis()),
        }
    }
}

struct Listed<'a>(&'a [FieldError]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{field}")?;
        }
        Ok(())
    }
}
