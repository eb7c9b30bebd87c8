//! Translation of driver errors into errors of the library.

use std::fmt;

use sqlx::postgres::PgDatabaseError;

use super::constraints::{SPLIT_BOUND_PREFIX, TIME_RANGE};
use crate::error::{DatabaseError, Error, FieldError, Remedy, sqlstate};
use crate::model::{ColumnRole, Table, literal};

impl Error {
    /// Translates the error of reading a record; `record` is its id or a description.
    pub(crate) fn of_record(
        table: &'static Table,
        record: impl fmt::Display,
        source: sqlx::Error,
    ) -> Self {
        match source {
            sqlx::Error::ColumnDecode { index, source } => DatabaseError::Unreadable {
                record: format!("{record} of {}", table.name),
                column: index,
                source,
            }
            .into(),
            other => Self::from(other),
        }
    }

    /// Translates an error of inserting records with ids of their own.
    pub(crate) fn from_import(table: &'static Table, source: sqlx::Error) -> Self {
        let Some(refusal) = postgres_error(&source) else {
            return Self::from(source);
        };
        if !is_sequence_behind(table, &source) {
            return Self::from_driver(table, source);
        }
        let id = table.column_of(ColumnRole::Id).name;
        let taken = refusal
            .detail()
            .and_then(|detail| detail.split_once(")=("))
            .and_then(|(_, rest)| rest.split_once(')'))
            .map_or("it", |(taken, _)| taken);
        Self::conflict(FieldError {
            row: copied_row(refusal),
            ..FieldError::new(id, format!("{taken} is the id of another record"))
        })
    }

    /// Translates an error of the driver into the fields of the model of a table.
    pub(crate) fn from_driver(table: &'static Table, source: sqlx::Error) -> Self {
        let Some(refusal) = postgres_error(&source) else {
            return Self::from(source);
        };
        if let Some(error) = maintenance_error(table, refusal) {
            return error;
        }
        if is_sequence_behind(table, &source) {
            return Self::setup(
                format!(
                    "the sequence of {}.{} is behind its table: it assigned an id that a record has",
                    table.name,
                    table.column_of(ColumnRole::Id).name
                ),
                Remedy::AdvanceSequence {
                    table: table.name,
                    statement: format!(
                        "SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {}",
                        literal(&table.quoted()),
                        literal(table.column_of(ColumnRole::Id).name),
                        table.column_of(ColumnRole::Id).quoted(),
                        table.quoted(),
                    ),
                },
            );
        }
        let known = constraint_of(refusal)
            .and_then(|name| table.constraints.iter().find(|c| c.name == name))
            .map(|constraint| FieldError::new(constraint.field, constraint.problem));
        let known = known.or_else(|| {
            let name = constraint_of(refusal)?;
            let key = table.keys.iter().find(|key| key.name == name)?;
            let problem = format!("is already used by another record (unique key {name})");
            Some(FieldError::new(key.field, problem))
        });
        let field_error = known.unwrap_or_else(|| {
            let column = refusal
                .column()
                .or_else(|| context_part(refusal, "column "))
                .unwrap_or(table.name);
            FieldError::new(column, refusal.message())
        });
        let field_error = FieldError {
            row: copied_row(refusal),
            ..field_error
        };
        match code_of(refusal) {
            sqlstate::UNIQUE_VIOLATION | sqlstate::EXCLUSION_VIOLATION => {
                Self::conflict(field_error)
            }
            code if code.starts_with(sqlstate::INTEGRITY) || code.starts_with(sqlstate::DATA) => {
                Self::invalid(table.name, vec![field_error])
            }
            sqlstate::UNDEFINED_TABLE => Self::no_table(table.name),
            _ => Self::from(source),
        }
    }
}

impl Error {
    /// Translates the error of a statement on one internal table. A missing table is
    /// recognised by its SQLSTATE, whatever the language of the server's messages.
    pub(crate) fn of_internal_table(table: &str, source: sqlx::Error) -> Self {
        match Self::from(source) {
            error if error.sqlstate() == Some(sqlstate::UNDEFINED_TABLE) => Self::no_table(table),
            error => error,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        if let Some(refusal) = postgres_error(&source) {
            let (message, code) = (refusal.message().to_owned(), code_of(refusal).to_owned());
            if code == sqlstate::UNDEFINED_TABLE
                && let Some(table) = undefined_table(&message)
            {
                return Self::no_table(table);
            }
            return match code.as_str() {
                sqlstate::QUERY_CANCELED | sqlstate::LOCK_NOT_AVAILABLE => {
                    DatabaseError::Timeout(source)
                }
                code if code.starts_with(sqlstate::CONNECTION)
                    || sqlstate::UNAVAILABLE.contains(&code) =>
                {
                    DatabaseError::Unavailable(source)
                }
                _ => DatabaseError::Refused {
                    message,
                    code,
                    source,
                },
            }
            .into();
        }
        match source {
            sqlx::Error::PoolTimedOut => DatabaseError::Timeout(source),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
                DatabaseError::Unavailable(source)
            }
            sqlx::Error::Protocol(ref text) if text.starts_with(CLOSED_AT_ONCE) => {
                DatabaseError::Unavailable(source)
            }
            _ => DatabaseError::Driver(source),
        }
        .into()
    }
}

/// Whether the sequence assigned an id that a record has.
///
/// Lookback assigns no ids itself, so the record that is inserted is not the cause. The
/// detail of the error names the columns of the key as they are, in any language.
pub(crate) fn is_sequence_behind(table: &'static Table, source: &sqlx::Error) -> bool {
    let id = table.column_of(ColumnRole::Id);
    let keys = [id.name.to_owned(), id.quoted()].map(|name| format!("({name})=("));
    postgres_error(source).is_some_and(|refusal| {
        let detail = refusal.detail().unwrap_or_default();
        code_of(refusal) == sqlstate::UNIQUE_VIOLATION
            && keys.iter().any(|key| detail.contains(key.as_str()))
    })
}

/// The start of sqlx 0.9's error for a connection that was closed before the server
/// answered whether it has TLS: it reads a zero instead of the missing byte. A
/// position in its source follows.
const CLOSED_AT_ONCE: &str = "unexpected response from SSLRequest: 0x00";

/// Translates the error of a constraint that maintenance has added to a partition.
fn maintenance_error(table: &'static Table, refusal: &PgDatabaseError) -> Option<Error> {
    let constraint = constraint_of(refusal)?;
    if constraint == TIME_RANGE {
        let partition = table_of(refusal).unwrap_or(table.name);
        let problem = format!(
            "must be in the range of times of {partition}, which is frozen; to allow it, drop its \
             constraint {constraint}, which is added again later"
        );
        let field = table.time_field();
        return Some(Error::invalid_field(table.name, field, problem));
    }
    let before = constraint.strip_prefix(SPLIT_BOUND_PREFIX)?;
    Some(Error::setup(
        format!(
            "the default partition of {} is being split; until that is finished, it accepts no id \
             from {before} on, and none of a dropped partition",
            table.name
        ),
        Remedy::FinishSplit { table: table.name },
    ))
}

fn postgres_error(source: &sqlx::Error) -> Option<&PgDatabaseError> {
    source
        .as_database_error()
        .and_then(|error| error.try_downcast_ref())
}

/// What PostgreSQL says of a row that a constraint refuses, and its SQLSTATE.
const REFUSED_ROWS: [(&str, &str); 3] = [
    (" violates unique constraint \"", sqlstate::UNIQUE_VIOLATION),
    (" violates check constraint \"", sqlstate::CHECK_VIOLATION),
    (
        " violates not-null constraint",
        sqlstate::NOT_NULL_VIOLATION,
    ),
];

/// The SQLSTATE of an error.
///
/// While Citus copies rows into shards, what a shard finds is an internal error to it, with the
/// message of the shard; that of other languages stays one.
pub(crate) fn code_of(refusal: &PgDatabaseError) -> &str {
    let said = |(text, _): &&(&str, &str)| refusal.message().contains(text);
    match REFUSED_ROWS.iter().find(said) {
        Some((_, code)) if refusal.code() == sqlstate::INTERNAL => code,
        _ => refusal.code(),
    }
}

/// The constraint that refused a row. For a row in a shard of Citus, it is in the message, and may
/// end in the number of the shard, as its table does.
fn constraint_of(refusal: &PgDatabaseError) -> Option<&str> {
    let context = refusal.r#where().unwrap_or_default();
    let is_of_shard =
        refusal.code() == sqlstate::INTERNAL || context.contains("executing command on ");
    if !is_of_shard {
        return refusal.constraint();
    }
    let (_, name) = refusal.message().rsplit_once(" constraint \"")?;
    Some(without_shard(name.strip_suffix('"')?))
}

/// The least number that Citus gives a shard.
const FIRST_SHARD: u64 = 102_008;

fn without_shard(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((rest, shard)) if shard.parse().is_ok_and(|shard: u64| shard >= FIRST_SHARD) => rest,
        _ => name,
    }
}

/// The table of a row that a constraint refused.
fn table_of(refusal: &PgDatabaseError) -> Option<&str> {
    refusal.table().or_else(|| {
        let (_, rest) = refusal.message().split_once(" relation \"")?;
        Some(without_shard(rest.split_once('"')?.0))
    })
}

/// The table in `relation "logs" does not exist`; `None` in other languages.
fn undefined_table(message: &str) -> Option<&str> {
    message
        .strip_prefix("relation \"")?
        .strip_suffix("\" does not exist")
}

/// The index of the record that a COPY was reading, from 0.
fn copied_row(refusal: &PgDatabaseError) -> Option<usize> {
    context_part(refusal, "line ")?
        .parse::<usize>()
        .ok()?
        .checked_sub(1)
}

/// The text after `label` in the context that COPY adds to an error:
/// "COPY logs, line 3, column meta".
fn context_part<'a>(refusal: &'a PgDatabaseError, label: &str) -> Option<&'a str> {
    refusal
        .r#where()
        .filter(|context| context.starts_with("COPY "))
        .and_then(|context| {
            context
                .split([',', ':'])
                .find_map(|part| part.trim().strip_prefix(label))
        })
}
