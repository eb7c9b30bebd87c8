//! The error of the library.

use std::fmt;
use std::time::Duration;

pub(crate) mod sqlstate;

/// What went wrong, and with which field.
///
/// Ask by predicate ([`is_not_found`](Self::is_not_found),
/// [`is_conflict`](Self::is_conflict), [`is_invalid`](Self::is_invalid), …):
/// more kinds may come. No message shows SQL or the value of a hidden column.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No record of this id, or it is deleted and the query did not ask for
    /// deleted ones.
    #[error("{table}: no record {id}")]
    #[non_exhaustive]
    NotFound {
        /// The table.
        table: &'static str,
        /// The id asked for.
        id: i64,
    },

    /// The record clashes with another one.
    #[error("{0}")]
    Conflict(FieldError),

    /// Fields, filters or options that are not right; nothing was stored.
    #[error("{}", Listed(fields))]
    #[non_exhaustive]
    Invalid {
        /// The table.
        table: &'static str,
        /// Each wrong field and what is wrong with it.
        fields: Vec<FieldError>,
    },

    /// The database lacks something that Lookback needs.
    #[error("{problem}")]
    #[non_exhaustive]
    Setup {
        /// What is missing.
        problem: String,
        /// What to do about it.
        hint: String,
    },

    /// A migration failed.
    #[cfg(feature = "migrate")]
    #[error(transparent)]
    Migration(lookback_migrate::Error),

    /// Models that describe no schema that PostgreSQL would take.
    #[error("{}", problems.join("\n"))]
    #[non_exhaustive]
    Schema {
        /// Every mistake, with the Rust type and its table.
        problems: Vec<String>,
    },

    /// The database did not answer in time.
    #[error("the database did not answer in time")]
    Timeout(#[source] sqlx::Error),

    /// A read took longer than its [`timeout`](crate::QueryBuilder::timeout),
    /// and was stopped.
    #[error("{table}: nothing within {}, so the read was stopped", Seconds(*timeout))]
    #[non_exhaustive]
    TooSlow {
        /// The table.
        table: &'static str,
        /// How long it might have taken.
        timeout: Duration,
    },

    /// A transaction of `REPEATABLE READ` or `SERIALIZABLE` is to change a text
    /// that is searched, and does not see what was sealed since it began. Nothing
    /// was changed.
    #[error(
        "{table}: records may have been sealed since the transaction began, which it cannot see"
    )]
    #[non_exhaustive]
    StaleSnapshot {
        /// The table.
        table: &'static str,
    },

    /// The database cannot be reached.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),

    /// The database refused for another reason.
    #[error("the database refused: {message} (SQLSTATE {code})")]
    #[non_exhaustive]
    Database {
        /// The server's own words.
        message: String,
        /// The SQLSTATE.
        code: String,
        /// The error of the driver.
        #[source]
        source: sqlx::Error,
    },

    /// A record holds what the type of its column does not, as only another
    /// program can have written it.
    #[error("{column} of {record} cannot be read: {source}")]
    #[non_exhaustive]
    Unreadable {
        /// The record, in words, and whether a change of it is stored.
        record: String,
        /// The column.
        column: String,
        /// What is wrong with its value.
        source: sqlx::error::BoxDynError,
    },

    /// A [`Writer`](crate::ingest::Writer) did not store a record, for no fault
    /// of the record: its queue is full, it is closed, or it gave up.
    #[error("{table}: not written: {reason}")]
    #[non_exhaustive]
    NotWritten {
        /// The table.
        table: &'static str,
        /// Why, and what is known of the record.
        reason: String,
        /// What the writer gave up on.
        #[source]
        source: Option<std::sync::Arc<Error>>,
    },

    /// The driver failed.
    #[error("talking to the database failed")]
    Driver(#[source] sqlx::Error),
}

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The place of the record in a batch, from 0; `None` for a record alone.
    pub row: Option<usize>,
    /// The field, with its path for a place inside JSON.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl FieldError {
    /// Says that `field` has this problem.
    pub fn new(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self {
            row: None,
            field: field.into(),
            problem: problem.to_string(),
        }
    }

    /// The same, said of the record at this place of a batch.
    #[must_use]
    pub fn at_row(mut self, row: usize) -> Self {
        self.row = Some(row);
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "record {row}, ")?;
        }
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// What makes a read faster.
const FASTER: &str = "narrow it by created_at or by another filter, leave the total out or give it \
    a limit, go by cursors instead of a large offset, or give it more time";

/// What makes tables.
const MIGRATE: &str = "apply the migrations: lookback db migrate";

/// What makes a role one that may.
const RIGHTS: &str =
    "run it as the owner of the tables, or have the owner GRANT the right to the role";

/// What makes a transaction see what was sealed.
const RETRY_TRANSACTION: &str =
    "roll the transaction back and try all of it again, or begin it as READ COMMITTED";

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} s", self.0.as_secs()),
            _ => write!(f, "{} ms", self.0.as_millis()),
        }
    }
}

struct Listed<'a>(&'a [FieldError]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{field}")?;
        }
        Ok(())
    }
}

impl Error {
    /// Fields that are not right.
    pub fn invalid(table: &'static str, fields: Vec<FieldError>) -> Self {
        Self::Invalid { table, fields }
    }

    /// One field or option that is not right.
    pub(crate) fn invalid_field(
        table: &'static str,
        field: impl Into<String>,
        problem: impl fmt::Display,
    ) -> Self {
        Self::invalid(table, vec![FieldError::new(field, problem)])
    }

    /// A record that a writer did not store, for no fault of the record.
    pub(crate) fn not_written(table: &'static str, reason: impl Into<String>) -> Self {
        Self::NotWritten {
            table,
            reason: reason.into(),
            source: None,
        }
    }

    /// There is no such record.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// The record clashes with another one.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Fields, filters or options are not right.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }

    /// The database lacks something that Lookback needs.
    pub fn is_setup(&self) -> bool {
        matches!(self, Self::Setup { .. })
    }

    /// A migration failed.
    #[cfg(feature = "migrate")]
    pub fn is_migration(&self) -> bool {
        matches!(self, Self::Migration(_))
    }

    /// The database did not answer in time; this holds for what
    /// [`is_too_slow`](Self::is_too_slow), too.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::TooSlow { .. })
    }

    /// A read took longer than the time that its query gave it. The same again
    /// would take as long: see the [`hint`](Self::hint).
    pub fn is_too_slow(&self) -> bool {
        matches!(self, Self::TooSlow { .. })
    }

    /// The models describe no schema that PostgreSQL would take.
    pub fn is_schema(&self) -> bool {
        matches!(self, Self::Schema { .. })
    }

    /// The database cannot be reached.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// A writer did not store a record, for no fault of the record.
    pub fn is_not_written(&self) -> bool {
        matches!(self, Self::NotWritten { .. })
    }

    /// The same may succeed when it is tried again: the database did not answer
    /// in time or cannot be reached, or another transaction was in the way. In a
    /// caller's transaction, all of it has to be retried.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Unavailable(_) | Self::StaleSnapshot { .. } => true,
            Self::Database { code, .. } => matches!(
                code.as_str(),
                sqlstate::SERIALIZATION_FAILURE | sqlstate::DEADLOCK_DETECTED
            ),
            _ => false,
        }
    }

    /// The wrong fields of an invalid record, or the clashing one.
    pub fn fields(&self) -> &[FieldError] {
        match self {
            Self::Invalid { fields, .. } => fields,
            Self::Conflict(field) => std::slice::from_ref(field),
            _ => &[],
        }
    }

    /// What to do about it, where that is known. That of a migration is its
    /// `remedy`.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Setup { hint, .. } => Some(hint),
            Self::TooSlow { .. } => Some(FASTER),
            Self::StaleSnapshot { .. } => Some(RETRY_TRANSACTION),
            Self::Database { code, .. } => match code.as_str() {
                sqlstate::UNDEFINED_TABLE => Some(MIGRATE),
                sqlstate::INSUFFICIENT_PRIVILEGE => Some(RIGHTS),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Error {
    /// The same, blamed on this field where it was blamed on the whole table.
    pub(crate) fn with_field(mut self, field: &str) -> Self {
        if let Self::Invalid { table, fields } = &mut self {
            for wrong in fields.iter_mut().filter(|wrong| wrong.field == *table) {
                field.clone_into(&mut wrong.field);
            }
        }
        self
    }

    /// The same, said of a record alone.
    pub(crate) fn of_one_row(mut self) -> Self {
        let fields = match &mut self {
            Self::Invalid { fields, .. } => fields.as_mut_slice(),
            Self::Conflict(field) => std::slice::from_mut(field),
            _ => &mut [],
        };
        fields.iter_mut().for_each(|field| field.row = None);
        self
    }

    /// Moves the places of records on by the number of records before this part.
    pub(crate) fn after_rows(mut self, before: usize) -> Self {
        let fields = match &mut self {
            Self::Invalid { fields, .. } => fields.as_mut_slice(),
            Self::Conflict(field) => std::slice::from_mut(field),
            _ => &mut [],
        };
        for row in fields.iter_mut().filter_map(|field| field.row.as_mut()) {
            *row += before;
        }
        self
    }

    /// The migrations that make this table were not applied.
    pub(crate) fn no_table(table: &str) -> Self {
        Self::Setup {
            problem: format!("the database has no table {table}"),
            hint: MIGRATE.to_owned(),
        }
    }
}
