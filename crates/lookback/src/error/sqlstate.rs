//! The SQLSTATEs that errors distinguish (PostgreSQL manual, appendix A).

/// Class: data exceptions.
pub(crate) const DATA: &str = "22";
/// Numeric value out of range.
pub(crate) const NUMERIC_OUT_OF_RANGE: &str = "22003";
/// String data, length mismatch: bit strings of different lengths.
pub(crate) const LENGTH_MISMATCH: &str = "22026";
/// Array subscript error: a bit beyond the end of a bit string.
pub(crate) const SUBSCRIPT_ERROR: &str = "2202E";
/// A sequence has reached its end.
pub(crate) const SEQUENCE_LIMIT: &str = "2200H";

/// An upsert would change a row a second time.
pub(crate) const CARDINALITY_VIOLATION: &str = "21000";

/// Class: integrity constraints.
pub(crate) const INTEGRITY: &str = "23";
pub(crate) const UNIQUE_VIOLATION: &str = "23505";
pub(crate) const CHECK_VIOLATION: &str = "23514";
pub(crate) const NOT_NULL_VIOLATION: &str = "23502";
pub(crate) const EXCLUSION_VIOLATION: &str = "23P01";

/// No schema of the search path exists, or a named one does not.
pub(crate) const INVALID_SCHEMA: &str = "3F000";
/// A type, or an operator or function, that the search path does not lead to.
pub(crate) const UNDEFINED_OBJECT: &str = "42704";
pub(crate) const FEATURE_NOT_SUPPORTED: &str = "0A000";
pub(crate) const UNDEFINED_FUNCTION: &str = "42883";
pub(crate) const READ_ONLY_TRANSACTION: &str = "25006";

pub(crate) const UNDEFINED_TABLE: &str = "42P01";
pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// A pooler sent a statement to a connection that already has one of this name.
pub(crate) const DUPLICATE_PREPARED_STATEMENT: &str = "42P05";
/// A pooler sent a statement to a connection on which it was not prepared.
pub(crate) const UNKNOWN_PREPARED_STATEMENT: &str = "26000";

pub(crate) const DISK_FULL: &str = "53100";
pub(crate) const OUT_OF_MEMORY: &str = "53200";
pub(crate) const TOO_MANY_CONNECTIONS: &str = "53300";

pub(crate) const QUERY_CANCELED: &str = "57014";
pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Class: the connection.
pub(crate) const CONNECTION: &str = "08";
/// The server was shut down, crashed, is starting or stopping, or has too many
/// connections.
pub(crate) const UNAVAILABLE: [&str; 4] = ["57P01", "57P02", "57P03", "53300"];

pub(crate) const INTERNAL: &str = "XX000";
pub(crate) const SERIALIZATION_FAILURE: &str = "40001";
pub(crate) const DEADLOCK_DETECTED: &str = "40P01";
