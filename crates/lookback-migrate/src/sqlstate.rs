//! The SQLSTATEs that this crate distinguishes (PostgreSQL manual, appendix A).

use sqlx::postgres::PgDatabaseError;

/// The class of values that do not fit a type.
pub(crate) const DATA_EXCEPTION: &str = "22";
pub(crate) const FEATURE_NOT_SUPPORTED: &str = "0A000";
pub(crate) const DEPENDENT_OBJECTS_STILL_EXIST: &str = "2BP01";
pub(crate) const INVALID_TEXT_REPRESENTATION: &str = "22P02";
pub(crate) const SYNTAX_ERROR: &str = "42601";
pub(crate) const NOT_NULL_VIOLATION: &str = "23502";
pub(crate) const ACTIVE_SQL_TRANSACTION: &str = "25001";
pub(crate) const READ_ONLY_SQL_TRANSACTION: &str = "25006";
pub(crate) const NO_ACTIVE_SQL_TRANSACTION: &str = "25P01";
pub(crate) const DEADLOCK_DETECTED: &str = "40P01";
pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// Undefined or ambiguous function or operator, a function that is one only for other types (such as
/// `rank`, an aggregate), wrong type, no such cast.
pub(crate) const WRONG_TYPES: [&str; 5] = ["42883", "42725", "42809", "42804", "42846"];
/// Those of them that a missing function may cause.
pub(crate) const UNDEFINED_FUNCTION: [&str; 3] = ["42883", "42725", "42809"];
pub(crate) const DATATYPE_MISMATCH: &str = "42804";
/// Duplicate table or index; duplicate type, schema or extension; duplicate column.
pub(crate) const DUPLICATES: [&str; 3] = ["42P07", "42710", "42701"];
pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
pub(crate) const QUERY_CANCELED: &str = "57014";
/// The class of sessions ended by the server or an administrator, such as 57P01.
pub(crate) const SESSION_ENDED: &str = "57P";

/// The error of the server, if the driver's error contains one.
pub(crate) fn server_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref())
}

/// The message of the server, or that of the driver.
///
/// The driver's text of a server error ends with a line of PostgreSQL's source.
pub(crate) fn message(error: &sqlx::Error) -> String {
    match server_error(error) {
        Some(refusal) => refusal.message().to_owned(),
        None => error.to_string(),
    }
}

/// The SQLSTATE of a server error.
pub(crate) fn code(error: &sqlx::Error) -> Option<&str> {
    server_error(error).map(PgDatabaseError::code)
}

/// Whether a lock was not available, so that a retry may succeed.
pub(crate) fn is_lock_conflict(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(LOCK_NOT_AVAILABLE | DEADLOCK_DETECTED))
}

/// Whether the session may have ended.
pub(crate) fn is_connection_lost(error: &sqlx::Error) -> bool {
    code(error).is_none_or(|code| code.starts_with(SESSION_ENDED))
}

/// Whether the role or the server forbids the change.
pub(crate) fn is_change_forbidden(error: &sqlx::Error) -> bool {
    matches!(
        code(error),
        Some(INSUFFICIENT_PRIVILEGE | READ_ONLY_SQL_TRANSACTION)
    )
}

/// Whether a savepoint was rejected because there is no transaction.
pub(crate) fn is_no_transaction(error: &sqlx::Error) -> bool {
    code(error) == Some(NO_ACTIVE_SQL_TRANSACTION)
}
