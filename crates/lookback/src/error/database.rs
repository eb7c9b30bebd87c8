//! Errors of the driver, and statements that the server rejected.

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
