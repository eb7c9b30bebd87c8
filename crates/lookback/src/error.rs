//! The error of the library, and what to do about it.

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

/// What went wrong, and with which field.
///
/// Its kind is asked by predicates ([`is_not_found`](Self::is_not_found),
/// [`is_conflict`](Self::is_conflict), [`is_invalid`](Self::is_invalid), …), so
/// that more kinds may come. Its text says what is wrong; [`Remedy`] says what
/// to do next. No message shows SQL or the value of a hidden column.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

impl Error {
    /// There is no record of this id, or it is deleted and the query did not ask
    /// for deleted ones.
    pub fn is_not_found(&self) -> bool {
        matches!(*self.0, ErrorKind::NotFound { .. })
    }

    /// The record clashes with another one, or was changed since it was read.
    pub fn is_conflict(&self) -> bool {
        matches!(*self.0, ErrorKind::Conflict(_))
    }

    /// Fields, filters or options are not right; nothing was stored. See
    /// [`fields`](Self::fields).
    pub fn is_invalid(&self) -> bool {
        matches!(*self.0, ErrorKind::Invalid { .. })
    }

    /// The database lacks something that Lookback needs. See
    /// [`remedy`](Self::remedy).
    pub fn is_setup(&self) -> bool {
        matches!(*self.0, ErrorKind::Setup { .. })
    }

    /// The role of the connection lacks a right.
    pub fn is_permission_denied(&self) -> bool {
        self.sqlstate() == Some(sqlstate::INSUFFICIENT_PRIVILEGE)
    }

    /// A migration failed. See [`migration`](Self::migration).
    #[cfg(feature = "migrate")]
    pub fn is_migration(&self) -> bool {
        matches!(*self.0, ErrorKind::Migration(_))
    }

    /// The models describe no schema that PostgreSQL would accept.
    #[cfg(feature = "migrate")]
    pub fn is_schema(&self) -> bool {
        matches!(*self.0, ErrorKind::Schema { .. })
    }

    /// The database did not answer in time; this holds for what
    /// [`is_too_slow`](Self::is_too_slow), too.
    pub fn is_timeout(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Database(DatabaseError::Timeout(_)) | ErrorKind::TooSlow { .. }
        )
    }

    /// A read took longer than its [`timeout`](crate::QueryBuilder::timeout) and
    /// was stopped. A retry would take as long: see [`remedy`](Self::remedy).
    pub fn is_too_slow(&self) -> bool {
        matches!(*self.0, ErrorKind::TooSlow { .. })
    }

    /// A transaction of `REPEATABLE READ` or `SERIALIZABLE` was to change a text
    /// that is searched, and began before records were sealed: it cannot see
    /// their summaries. Nothing was changed. It
    /// [is retryable](Self::is_retryable).
    pub fn is_stale_snapshot(&self) -> bool {
        matches!(*self.0, ErrorKind::StaleSnapshot { .. })
    }

    /// The database cannot be reached.
    pub fn is_unavailable(&self) -> bool {
        matches!(*self.0, ErrorKind::Database(DatabaseError::Unavailable(_)))
    }

    /// A record holds what the type of its column does not; only another program
    /// can have written it.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Database(DatabaseError::Unreadable { .. })
        )
    }

    /// A [`Writer`](crate::ingest::Writer) did not store a record, for no fault
    /// of the record: its queue is full, it is closed, or it gave up.
    pub fn is_not_written(&self) -> bool {
        matches!(*self.0, ErrorKind::NotWritten { .. })
    }

    /// A file or a thread of a [`Writer`](crate::ingest::Writer) failed.
    pub fn is_io(&self) -> bool {
        matches!(*self.0, ErrorKind::Io { .. })
    }

    /// A retry may succeed: the database did not answer in time or cannot be
    /// reached, or another transaction was in the way. In a caller's
    /// transaction, all of it has to be retried.
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

    /// The SQLSTATE of a statement that the server refused for a reason that has
    /// no predicate of its own.
    pub fn sqlstate(&self) -> Option<&str> {
        match &*self.0 {
            ErrorKind::Database(DatabaseError::Refused { code, .. }) => Some(code),
            _ => None,
        }
    }

    /// The wrong fields of an invalid record, or the clashing one.
    pub fn fields(&self) -> &[FieldError] {
        match &*self.0 {
            ErrorKind::Invalid { fields, .. } => fields,
            ErrorKind::Conflict(field) => std::slice::from_ref(field),
            _ => &[],
        }
    }

    /// The migration that failed.
    #[cfg(feature = "migrate")]
    pub fn migration(&self) -> Option<&lookback_migrate::Error> {
        match &*self.0 {
            ErrorKind::Migration(error) => Some(error),
            _ => None,
        }
    }

    /// The next thing to do, where that is known.
    pub fn remedy(&self) -> Option<Remedy> {
        match &*self.0 {
            ErrorKind::Setup { remedy, .. } => Some(remedy.clone()),
            ErrorKind::TooSlow { .. } => Some(Remedy::NarrowQuery),
            ErrorKind::StaleSnapshot { .. } => Some(Remedy::RetryTransaction),
            #[cfg(feature = "migrate")]
            ErrorKind::Migration(error) => error.remedy().map(Remedy::Migration),
            _ => match self.sqlstate()? {
                sqlstate::UNDEFINED_TABLE => Some(Remedy::RunMigrations),
                sqlstate::INSUFFICIENT_PRIVILEGE => Some(Remedy::Grant),
                _ => None,
            },
        }
    }
}

impl Error {
    pub(crate) fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// The error of the driver, or this error if it is of another kind.
    pub(crate) fn into_driver(self) -> Result<sqlx::Error, Self> {
        match *self.0 {
            ErrorKind::Database(DatabaseError::Driver(source)) => Ok(source),
            kind => Err(kind.into()),
        }
    }

    pub(crate) fn not_found(table: &'static str, id: i64) -> Self {
        ErrorKind::NotFound { table, id }.into()
    }

    /// Fields that are not right.
    pub(crate) fn invalid(table: &'static str, fields: Vec<FieldError>) -> Self {
        ErrorKind::Invalid { table, fields }.into()
    }

    /// One field or option that is not right.
    pub(crate) fn invalid_field(
        table: &'static str,
        field: impl Into<String>,
        problem: impl fmt::Display,
    ) -> Self {
        Self::invalid(table, vec![FieldError::new(field, problem)])
    }

    /// A record that clashes with another one.
    pub(crate) fn conflict(field: FieldError) -> Self {
        ErrorKind::Conflict(field).into()
    }

    /// Something that the database lacks, and what to do about it.
    pub(crate) fn setup(problem: impl Into<String>, remedy: Remedy) -> Self {
        ErrorKind::Setup {
            problem: problem.into(),
            remedy,
        }
        .into()
    }

    /// A table of migrations that were not applied.
    pub(crate) fn no_table(table: &str) -> Self {
        Self::setup(
            format!("the database has no table {table}"),
            Remedy::RunMigrations,
        )
    }

    /// A record that a writer did not store, for no fault of the record.
    pub(crate) fn not_written(table: &'static str, reason: impl Into<String>) -> Self {
        ErrorKind::NotWritten {
            table,
            reason: reason.into(),
            source: None,
        }
        .into()
    }

    /// A record that a writer did not store, because of this error.
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

    /// Moves an error of the whole table to this field.
    pub(crate) fn with_field(mut self, field: &str) -> Self {
        if let ErrorKind::Invalid { table, fields } = &mut *self.0 {
            for wrong in fields.iter_mut().filter(|wrong| wrong.field == *table) {
                field.clone_into(&mut wrong.field);
            }
        }
        self
    }

    /// Removes the places in a batch.
    pub(crate) fn of_one_row(mut self) -> Self {
        for field in self.fields_mut() {
            field.row = None;
        }
        self
    }

    /// Moves the places of records on by the number of records before this part.
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
