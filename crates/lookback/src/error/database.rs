//! Errors of the driver, and statements that the server rejected.

use sqlx::postgres::PgDatabaseError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("the database did not answer in time")]
    Timeout(#[source] sqlx::Error),

    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),

    /// The server rejected the statement, for a reason that has no kind of its
    /// own.
    #[error("the database refused: {message} (SQLSTATE {code})")]
    Refused {
        /// The message of the server.
        message: String,
        code: String,
        #[source]
        source: sqlx::Error,
    },

    /// A stored value does not fit the type of its column.
    #[error("{column} of {record} cannot be read: {source}")]
    Unreadable {
        /// The record in words, and whether its change was stored.
        record: String,
        column: String,
        source: sqlx::error::BoxDynError,
    },

    #[error("the connection to the database failed")]
    Driver(#[source] sqlx::Error),
}

impl DatabaseError {
    /// The SQLSTATE, if the server reported the error.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Timeout(source) | Self::Unavailable(source) | Self::Driver(source) => source
                .as_database_error()
                .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
                .map(PgDatabaseError::code),
            Self::Unreadable { .. } => None,
        }
    }
}
