//! The error of this crate.

use lookback_schema::Question;

use crate::hooks::BoxError;

mod folder;
mod generate;
mod history;
mod lock;
mod remedy;
mod schema;
mod script;
mod statement;

pub(crate) use folder::FolderError;
pub(crate) use generate::GenerateError;
pub(crate) use history::HistoryError;
pub(crate) use lock::LockError;
pub use remedy::Remedy;
pub(crate) use schema::{ColumnNeed, SchemaError};
pub(crate) use script::{ScriptError, ScriptProblem};
pub use statement::StatementError;

/// An error of reading, generating or applying a migration.
///
/// Predicates such as [`is_locked`](Self::is_locked) test its kind, so that kinds can be added. Its
/// message describes the problem; [`Remedy`] describes what to do next.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

#[derive(Debug, thiserror::Error)]
enum ErrorKind {
    #[error("{}", driver_message(.0))]
    Driver(#[source] sqlx::Error),
    #[error(transparent)]
    Hook(BoxError),
    #[error(transparent)]
    Statement(StatementError),
    #[error(transparent)]
    Lock(LockError),
    #[error(transparent)]
    History(HistoryError),
    #[error(transparent)]
    Script(ScriptError),
    #[error(transparent)]
    Folder(FolderError),
    #[error(transparent)]
    Generate(GenerateError),
    #[error(transparent)]
    Schema(SchemaError),
}

impl Error {
    /// Wraps the error of a [hook](crate::Hooks).
    pub fn from_hook(source: impl Into<BoxError>) -> Self {
        Self(Box::new(ErrorKind::Hook(source.into())))
    }

    /// Whether a statement of a migration failed.
    pub fn is_statement(&self) -> bool {
        self.statement().is_some()
    }

    /// The statement of a migration that failed.
    pub fn statement(&self) -> Option<&StatementError> {
        match &*self.0 {
            ErrorKind::Statement(error) => Some(error),
            _ => None,
        }
    }

    /// Whether another session blocks the run, or the migration lock was lost.
    pub fn is_locked(&self) -> bool {
        matches!(*self.0, ErrorKind::Lock(_))
    }

    /// Whether the recorded migrations do not match the files.
    pub fn is_history(&self) -> bool {
        matches!(*self.0, ErrorKind::History(_))
    }

    /// Whether a file is not valid SQL or cannot be applied.
    pub fn is_script(&self) -> bool {
        matches!(*self.0, ErrorKind::Script(_))
    }

    /// Whether the migrations folder is invalid or cannot be used.
    pub fn is_folder(&self) -> bool {
        matches!(*self.0, ErrorKind::Folder(_))
    }

    /// Whether a migration cannot be generated from the given input.
    pub fn is_generate(&self) -> bool {
        matches!(*self.0, ErrorKind::Generate(_))
    }

    /// Whether a schema cannot be read, or the server rejects it.
    pub fn is_schema(&self) -> bool {
        matches!(*self.0, ErrorKind::Schema(_))
    }

    /// Whether a [hook](crate::Hooks) failed.
    pub fn is_hook(&self) -> bool {
        matches!(*self.0, ErrorKind::Hook(_))
    }

    /// Whether the driver failed, or the server rejected a statement of this crate.
    pub fn is_driver(&self) -> bool {
        matches!(*self.0, ErrorKind::Driver(_))
    }

    /// The renames and drops to decide before a plan can be computed.
    pub fn questions(&self) -> &[Question] {
        match &*self.0 {
            ErrorKind::Generate(GenerateError::Undecided(questions)) => questions,
            _ => &[],
        }
    }

    /// The next step, if it is known.
    pub fn remedy(&self) -> Option<Remedy> {
        match &*self.0 {
            ErrorKind::Driver(_) | ErrorKind::Hook(_) => None,
            ErrorKind::Statement(error) => Some(error.remedy()),
            ErrorKind::Lock(error) => Some(error.remedy()),
            ErrorKind::History(error) => Some(error.remedy()),
            ErrorKind::Script(error) => Some(error.remedy()),
            ErrorKind::Folder(error) => Some(error.remedy()),
            ErrorKind::Generate(error) => Some(error.remedy()),
            ErrorKind::Schema(error) => Some(error.remedy()),
        }
    }

    /// Returns the error of the driver, if there is one.
    ///
    /// # Errors
    ///
    /// This error, if it has another kind.
    pub fn into_driver(self) -> Result<sqlx::Error, Self> {
        match *self.0 {
            ErrorKind::Driver(error) => Ok(error),
            kind => Err(Self(Box::new(kind))),
        }
    }

    /// Returns the error of a hook, if there is one.
    ///
    /// # Errors
    ///
    /// This error, if it has another kind.
    pub fn into_hook(self) -> Result<BoxError, Self> {
        match *self.0 {
            ErrorKind::Hook(error) => Ok(error),
            kind => Err(Self(Box::new(kind))),
        }
    }
}

macro_rules! from {
    ($($kind:ident($error:ty)),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self(Box::new(ErrorKind::$kind(error)))
            }
        })*
    };
}

from!(
    Driver(sqlx::Error),
    Statement(StatementError),
    Lock(LockError),
    History(HistoryError),
    Script(ScriptError),
    Folder(FolderError),
    Generate(GenerateError),
    Schema(SchemaError)
);

fn driver_message(error: &sqlx::Error) -> String {
    match crate::sqlstate::server_error(error) {
        Some(refusal) => format!(
            "the database refused: {} (SQLSTATE {})",
            refusal.message(),
            refusal.code()
        ),
        None => "cannot talk to the database".to_owned(),
    }
}
