//! Errors of the driver and refusals of the server.

#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("the database did not answer in time")]
    Timeout(#[source] sqlx::Error),

    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),

    /// The server refused, for a reason that has no kind of its own.
    #[error("the database refused: {message} (SQLSTATE {code})")]
    Refused {
        /// The message of the server.
        message: String,
        code: String,
        #[source]
        source: sqlx::Error,
    },

    /// A stored value is none of its column's type.
    #[error("{column} of {record} cannot be read: {source}")]
    Unreadable {
        /// The record, in words, and whether a change of it is stored.
        record: String,
        column: String,
        source: sqlx::error::BoxDynError,
    },

    #[error("talking to the database failed")]
    Driver(#[source] sqlx::Error),
}
