//! Corruption: summaries that were changed by hand or by another program.

use std::fmt;

use crate::error::{DatabaseError, Error, ErrorKind, Remedy, sqlstate};
use crate::model::Table;

/// Numbers out of range, and bit strings of other lengths. Other data
/// exceptions may come from a filter in the same statement.
const OUT_OF_RANGE: [&str; 2] = [sqlstate::NUMERIC_OUT_OF_RANGE, sqlstate::LENGTH_MISMATCH];

/// Creates the error for impossible values in a table's summaries, with the
/// hint that repairs them.
pub(crate) fn corruption(table: &'static Table, problem: impl fmt::Display) -> Error {
    Error::setup(
        format!(
            "the search summaries of {} were changed by another program: {problem}",
            table.name
        ),
        Remedy::RebuildSummaries { table: table.name },
    )
}

/// Maps an error of a statement that reads nothing but summaries: values that
/// cannot be computed with are corruption.
pub(crate) fn map_summary_error(table: &'static Table, error: Error) -> Error {
    let ErrorKind::Database(source) = error.kind() else {
        return error;
    };
    match source {
        DatabaseError::Refused { code, .. } if code == sqlstate::SUBSCRIPT_ERROR => corruption(
            table,
            "search_blocks.bloom_filter or sealed_segments.trigrams is cut short",
        ),
        DatabaseError::Refused { code, message, .. } if OUT_OF_RANGE.contains(&code.as_str()) => {
            corruption(table, message)
        }
        DatabaseError::Driver(sqlx::Error::ColumnDecode { index, source }) => corruption(
            table,
            format_args!("{} cannot be read: {source}", index.trim_matches('"')),
        ),
        _ => error,
    }
}
