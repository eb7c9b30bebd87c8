//! The error type of the library, and its remedies.

use std::fmt;
use std::io;
use std::sync::Arc;

mod database;
mod field;
mod kind;
mod remedy;
pub(crate) mod sqlstate;

pub(crate) use database::DatabaseError;
pub use field::FieldError;
pub(crate) use kind::ErrorKind;
pub use remedy::Remedy;

/// An error of the library.
///
/// Predicates tell its kind ([`is_not_found`](Self::is_not_found),
/// [`is_conflict`](Self::is_conflict), [`is_invalid`](Self::is_invalid), …), so
/// that more kinds can be added. Its text states the problem, and a [`Remedy`]
/// the next step. No message contains SQL or the value of a hidden column.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

impl Error {
    /// Whether no record has this id.
    ///
    /// A deleted record is not found either, unless the query includes deleted
    /// ones.
    pub fn is_not_found(&self) -> bool {
        matches!(*self.0, ErrorKind::NotFound { .. })
    }

    /// Whether the record conflicts with another one, or has changed since it
    /// was read.
    pub fn is_conflict(&self) -> bool {
        matches!(*self.0, ErrorKind::Conflict(_))
    }

    /// Whether fields, filters or options are invalid. Nothing was stored.
    ///
    /// See [`fields`](Self::fields).
    pub fn is_invalid(&self) -> bool {
        matches!(*self.0, ErrorKind::Invalid { .. })
    }

    /// Whether the database lacks something that Lookback needs.
    ///
    /// See [`remedy`](Self::remedy).
    pub fn is_setup(&self) -> bool {
        matches!(*self.0, ErrorKind::Setup { .. })
    }

    /// Whether the role of the connection lacks a permission.
    pub fn is_permission_denied(&self) -> bool {
        self.sqlstate() == Some(sqlstate::INSUFFICIENT_PRIVILEGE)
    }

    /// Whether a migration failed. See [`migration`](Self::migration).
    #[cfg(feature = "migrate")]
    pub fn is_migration(&self) -> bool {
        matches!(*self.0, ErrorKind::Migration(_))
    }

    /// Whether PostgreSQL would reject the schema that the models describe.
    #[cfg(feature = "migrate")]
    pub fn is_schema(&self) -> bool {
        matches!(*self.0, ErrorKind::Schema { .. })
    }

    /// Whether the database did not answer in time.
    ///
    /// It includes every error that [`is_too_slow`](Self::is_too_slow).
    pub fn is_timeout(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Database(DatabaseError::Timeout(_)) | ErrorKind::TooSlow { .. }
        )
    }

    /// Whether a read exceeded its [`timeout`](crate::QueryBuilder::timeout).
    ///
    /// The server stopped the read. A retry would take as long: see
    /// [`remedy`](Self::remedy).
    pub fn is_too_slow(&self) -> bool {
        matches!(*self.0, ErrorKind::TooSlow { .. })
    }

    /// Whether the snapshot of a transaction is older than the search summaries.
    ///
    /// A transaction of `REPEATABLE READ` or `SERIALIZABLE` was to change a
    /// search field, and began before records were sealed: it cannot see their
    /// summaries. Nothing was changed. The error
    /// [is retryable](Self::is_retryable).
    pub fn is_stale_snapshot(&self) -> bool {
        matches!(*self.0, ErrorKind::StaleSnapshot { .. })
    }

    /// Whether the database cannot be reached.
    pub fn is_unavailable(&self) -> bool {
        matches!(*self.0, ErrorKind::Database(DatabaseError::Unavailable(_)))
    }

    /// Whether a stored value does not fit the type of its column.
    ///
    /// Only another program can have written it.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Database(DatabaseError::Unreadable { .. })
        )
    }

    /// Whether a [`Writer`](crate::ingest::Writer) did not store a record, for
    /// no fault of the record.
    ///
    /// The queue was full, or the writer was closed, was dropped, or gave up. If
    /// the record may be stored nevertheless, the message says so.
    pub fn is_not_written(&self) -> bool {
        matches!(*self.0, ErrorKind::NotWritten { .. })
    }

    /// Whether a file or a thread of a [`Writer`](crate::ingest::Writer) failed.
    pub fn is_io(&self) -> bool {
        matches!(*self.0, ErrorKind::Io { .. })
    }

    /// Whether a retry may succeed.
    ///
    /// The database did not answer in time or cannot be reached, or another
    /// transaction was in the way. In the caller's transaction, the caller must
    /// retry the whole transaction.
    pub fn is_retryable(&self) -> bool {
        match &*self.0 {
            ErrorKind::StaleSnapshot { .. }
            | ErrorKind::Database(DatabaseError::Timeout(_) | DatabaseError::Unavailable(_)) => {
                true
            }
            _ => matches!(
                self.sqlstate(),
                Some(sqlstate::SERIALIZATION_FAILURE | sqlstate::DEADLOCK_DETECTED)
            ),
        }
    }

    /// Returns the SQLSTATE of a statement that the server rejected.
    ///
    /// `None` for an error of another kind, such as an invalid field, a conflict
    /// or a timeout.
    pub fn sqlstate(&self) -> Option<&str> {
        match &*self.0 {
            ErrorKind::Database(DatabaseError::Refused { code, .. }) => Some(code),
            _ => None,
        }
    }

    /// The SQLSTATE of every error that the server reported.
    fn server_code(&self) -> Option<&str> {
        match &*self.0 {
            ErrorKind::Database(error) => error.code(),
            _ => None,
        }
    }

    /// Returns the invalid fields, or the field of a conflict.
    pub fn fields(&self) -> &[FieldError] {
        match &*self.0 {
            ErrorKind::Invalid { fields, .. } => fields,
            ErrorKind::Conflict(field) => std::slice::from_ref(field),
            _ => &[],
        }
    }

    /// Returns the error of a migration that failed.
    #[cfg(feature = "migrate")]
    pub fn migration(&self) -> Option<&lookback_migrate::Error> {
        match &*self.0 {
            ErrorKind::Migration(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the next step, if it is known.
    pub fn remedy(&self) -> Option<Remedy> {
        match &*self.0 {
            ErrorKind::Setup { remedy, .. } => Some(remedy.clone()),
            ErrorKind::TooSlow { .. } => Some(Remedy::NarrowQuery),
            ErrorKind::StaleSnapshot { .. } => Some(Remedy::RetryTransaction),
            #[cfg(feature = "migrate")]
            ErrorKind::Migration(error) => error.remedy().map(Remedy::Migration),
            _ => match self.server_code()? {
                sqlstate::QUERY_CANCELED => Some(Remedy::RaiseStatementTimeout),
                sqlstate::LOCK_NOT_AVAILABLE => Some(Remedy::WaitForLock),
                sqlstate::DISK_FULL => Some(Remedy::FreeServerDisk),
                sqlstate::OUT_OF_MEMORY => Some(Remedy::FreeServerMemory),
                sqlstate::TOO_MANY_CONNECTIONS => Some(Remedy::FreeConnections),
                sqlstate::INVALID_SCHEMA
                | sqlstate::UNDEFINED_OBJECT
                | sqlstate::UNDEFINED_FUNCTION => Some(Remedy::SetSearchPath),
                sqlstate::READ_ONLY_TRANSACTION => Some(Remedy::ConnectToPrimary),
                sqlstate::UNDEFINED_TABLE => Some(Remedy::RunMigrations),
                sqlstate::INSUFFICIENT_PRIVILEGE => Some(Remedy::Grant),
                sqlstate::DUPLICATE_PREPARED_STATEMENT | sqlstate::UNKNOWN_PREPARED_STATEMENT => {
                    Some(Remedy::KeepPreparedStatements)
                }
                _ => None,
            },
        }
    }
}

impl Error {
    pub(crate) fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Returns the error of the driver, or this error if it is of another kind.
    pub(crate) fn into_driver(self) -> Result<sqlx::Error, Self> {
        match *self.0 {
            ErrorKind::Database(DatabaseError::Driver(source)) => Ok(source),
            kind => Err(kind.into()),
        }
    }

    pub(crate) fn not_found(table: &'static str, id: i64) -> Self {
        ErrorKind::NotFound { table, id }.into()
    }

    /// Creates the error of invalid fields.
    pub(crate) fn invalid(table: &'static str, fields: Vec<FieldError>) -> Self {
        ErrorKind::Invalid { table, fields }.into()
    }

    /// Creates the error of one invalid field or option.
    pub(crate) fn invalid_field(
        table: &'static str,
        field: impl Into<String>,
        problem: impl fmt::Display,
    ) -> Self {
        Self::invalid(table, vec![FieldError::new(field, problem)])
    }

    /// Creates the error of a record that conflicts with another one.
    pub(crate) fn conflict(field: FieldError) -> Self {
        ErrorKind::Conflict(field).into()
    }

    /// Creates the error of something that the database lacks, with its remedy.
    pub(crate) fn setup(problem: impl Into<String>, remedy: Remedy) -> Self {
        ErrorKind::Setup {
            problem: problem.into(),
            remedy,
        }
        .into()
    }

    /// Creates the error of a missing table, whose migrations were not applied.
    pub(crate) fn no_table(table: &str) -> Self {
        Self::setup(
            format!("the database has no table {table}"),
            Remedy::RunMigrations,
        )
    }

    /// Creates the error of a record that a writer did not store, for no fault
    /// of the record.
    pub(crate) fn not_written(table: &'static str, reason: impl Into<String>) -> Self {
        ErrorKind::NotWritten {
            table,
            reason: reason.into(),
            source: None,
        }
        .into()
    }

    /// Creates the error of a record that a writer gave up because of this
    /// error.
    pub(crate) fn gave_up(table: &'static str, error: Arc<Self>) -> Self {
        ErrorKind::NotWritten {
            table,
            reason: format!("the writer gave up: {error}"),
            source: Some(error),
        }
        .into()
    }

    pub(crate) fn io(problem: &'static str, source: io::Error) -> Self {
        ErrorKind::Io { problem, source }.into()
    }

    /// Moves the errors of the whole table to this field.
    pub(crate) fn with_field(mut self, field: &str) -> Self {
        if let ErrorKind::Invalid { table, fields } = &mut *self.0 {
            for wrong in fields.iter_mut().filter(|wrong| wrong.field == *table) {
                field.clone_into(&mut wrong.field);
            }
        }
        self
    }

    /// Removes the indexes of records in a batch.
    pub(crate) fn of_one_row(mut self) -> Self {
        for field in self.fields_mut() {
            field.row = None;
        }
        self
    }

    /// Sets the index of the record in a batch.
    pub(crate) fn at_row(mut self, row: usize) -> Self {
        for field in self.fields_mut() {
            field.row = Some(row);
        }
        self
    }

    /// Adds the number of records before this part to the indexes of records.
    pub(crate) fn after_rows(mut self, before: usize) -> Self {
        for row in self.fields_mut().iter_mut().filter_map(|f| f.row.as_mut()) {
            *row += before;
        }
        self
    }

    fn fields_mut(&mut self) -> &mut [FieldError] {
        match &mut *self.0 {
            ErrorKind::Invalid { fields, .. } => fields,
            ErrorKind::Conflict(field) => std::slice::from_mut(field),
            _ => &mut [],
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        ErrorKind::Database(error).into()
    }
}
