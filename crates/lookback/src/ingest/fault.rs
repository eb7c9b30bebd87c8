//! Whose fault an error is: of one row, of the table, or of nobody.

use sqlx::postgres::PgDatabaseError;

use crate::error::{Error, sqlstate};

/// Whose fault an error of the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A row's: the others of its batch can be stored.
    Row,
    /// The table's, or of the rights to it: the same would be said of any row,
    /// until somebody does something about it.
    Table,
    /// Nobody's: it may go better in a moment.
    Passing,
}

/// Tells them apart by SQLSTATE (PostgreSQL manual, appendix A).
///
/// | whose | SQLSTATE |
/// |---|---|
/// | row | class 22 (data) but 2200H, class 23 (constraints), class 44 (check option), 54000 and 54001 (an index entry too large, JSON too deep), P0001 and P0004 (a trigger said no) |
/// | table | 2200H (a sequence has come to its end), classes 0A, 28, 3D, 3F and 42 (no such table or column, no right, no such database), and what Lookback itself says of the set-up |
/// | nobody | everything else: the connection, 40 (deadlock, serialization), 53 (disk, memory, connections), 55 (locks), 57 (shut down, cancelled, timed out), 25 (read-only, as while a standby takes over), 58 and XX (the server's own) |
pub(super) fn of(error: &sqlx::Error) -> Fault {
    let Some(refusal) = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return Fault::Passing;
    };
    of_code(refusal.code())
}

/// The same of an error of Lookback's own.
pub(super) fn of_own(error: &Error) -> Fault {
    match error {
        Error::Setup { .. } => Fault::Table,
        Error::Database { code, .. } => match of_code(code) {
            Fault::Row => Fault::Table,
            fault => fault,
        },
        _ => Fault::Passing,
    }
}

fn of_code(code: &str) -> Fault {
    match (code.get(..2).unwrap_or_default(), code) {
        (_, sqlstate::SEQUENCE_LIMIT) => Fault::Table,
        ("22" | "23" | "44", _) | (_, "54000" | "54001" | "P0001" | "P0004") => Fault::Row,
        ("0A" | "28" | "3D" | "3F" | "42", _) => Fault::Table,
        _ => Fault::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, of_code};

    #[test]
    fn a_row_is_blamed_for_nothing_but_its_values() {
        let of =
            |codes: &[&str]| -> Vec<Fault> { codes.iter().map(|code| of_code(code)).collect() };
        assert_eq!(
            of(&[
                "22021", "22P03", "23514", "23505", "44000", "54000", "P0001"
            ]),
            [Fault::Row; 7]
        );
        assert_eq!(
            of(&[
                "42P01", "42703", "42501", "28P01", "3D000", "2200H", "0A000"
            ]),
            [Fault::Table; 7]
        );
        assert_eq!(
            of(&[
                "08006", "40P01", "40001", "53100", "55P03", "57P01", "57014", "25006", "XX000"
            ]),
            [Fault::Passing; 9]
        );
    }
}
