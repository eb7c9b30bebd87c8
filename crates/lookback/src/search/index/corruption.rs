//! Summaries that are not as they were written: changed by hand, or by another
//! program.

use std::fmt;

use crate::error::{Error, sqlstate};
use crate::model::Table;

/// Numbers beyond their type, and bits of other lengths. Other data exceptions may
/// be of a filter, which the same statements ask.
const OUT_OF_RANGE: [&str; 2] = [sqlstate::NUMERIC_OUT_OF_RANGE, sqlstate::LENGTH_MISMATCH];

/// Summaries of a table that say what they cannot, with what mends it.
pub(crate) fn damaged(table: &'static Table, problem: impl fmt::Display) -> Error {
    Error::Setup {
        problem: format!(
            "what search keeps about {} was changed by another program: {problem}",
            table.name
        ),
        hint: "make it anew: lookback storage reembed".to_owned(),
    }
}

/// Reads an error of a statement that reads nothing but summaries: what cannot be
/// worked out of their values is the fault of these.
pub(crate) fn of_summaries(table: &'static Table, error: Error) -> Error {
    match &error {
        Error::Database { code, .. } if code == sqlstate::SUBSCRIPT_ERROR => damaged(
            table,
            "search_blocks.grams or sealed_segments.odd_letters is cut short",
        ),
        Error::Database { code, message, .. } if OUT_OF_RANGE.contains(&code.as_str()) => {
            damaged(table, message)
        }
        Error::Driver(sqlx::Error::ColumnDecode { index, source }) => damaged(
            table,
            format_args!("{} cannot be read: {source}", index.trim_matches('"')),
        ),
        _ => error,
    }
}
