//! Error classes: whether an error is caused by a row, by the table, or by neither.

use sqlx::postgres::PgDatabaseError;

use crate::db::{code_of, is_sequence_behind};
use crate::error::{Error, sqlstate};
use crate::model::Table;

/// The cause of a database error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorClass {
    /// One row: the others of its batch can be stored.
    Row,
    /// The table, or the permissions on it: any row would fail, until somebody fixes it.
    Table,
    /// The connection or the server: a retry may succeed.
    Transient,
}

/// Classifies an error of the driver by SQLSTATE (PostgreSQL manual, appendix A).
///
/// | class | SQLSTATE |
/// |---|---|
/// | row | class 22 (data) except 2200H, class 23 (constraints), class 44 (check option), 54000 and 54001 (an index entry too large, JSON too deep), P0001 and P0004 (a trigger rejected it) |
/// | table | 2200H (a sequence has reached its end), classes 0A, 28, 3D, 3F and 42 (missing table or column, no permission, missing database), and Lookback's own set-up errors |
/// | transient | everything else: the connection, 40 (deadlock, serialization), 53 (disk, memory, connections), 55 (locks), 57 (shut down, cancelled, timed out), 25 (read-only, as while a standby takes over), 58 and XX (internal errors of the server) |
///
/// An id that the sequence assigned and a record has is an error of the table, too.
pub(super) fn classify_driver(table: &'static Table, error: &sqlx::Error) -> ErrorClass {
    if is_sequence_behind(table, error) {
        return ErrorClass::Table;
    }
    let Some(error) = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return ErrorClass::Transient;
    };
    classify_code(code_of(error))
}

/// Classifies an error of Lookback that was not caused by a row.
pub(super) fn classify(error: &Error) -> ErrorClass {
    if error.is_setup() {
        return ErrorClass::Table;
    }
    match error.sqlstate().map(classify_code) {
        Some(ErrorClass::Row) => ErrorClass::Table,
        Some(class) => class,
        None => ErrorClass::Transient,
    }
}

fn classify_code(code: &str) -> ErrorClass {
    match (code.get(..2).unwrap_or_default(), code) {
        (_, sqlstate::SEQUENCE_LIMIT) => ErrorClass::Table,
        ("22" | "23" | "44", _) | (_, "54000" | "54001" | "P0001" | "P0004") => ErrorClass::Row,
        ("0A" | "28" | "3D" | "3F" | "42", _) => ErrorClass::Table,
        _ => ErrorClass::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorClass, classify_code};

    #[test]
    fn classify_code_blames_a_row_only_for_its_values() {
        let classes = |codes: &[&str]| -> Vec<ErrorClass> {
            codes.iter().map(|code| classify_code(code)).collect()
        };
        assert_eq!(
            classes(&[
                "22021", "22P03", "23514", "23505", "44000", "54000", "P0001"
            ]),
            [ErrorClass::Row; 7]
        );
        assert_eq!(
            classes(&[
                "42P01", "42703", "42501", "28P01", "3D000", "2200H", "0A000"
            ]),
            [ErrorClass::Table; 7]
        );
        assert_eq!(
            classes(&[
                "08006", "40P01", "40001", "53100", "55P03", "57P01", "57014", "25006", "XX000"
            ]),
            [ErrorClass::Transient; 9]
        );
    }
}
