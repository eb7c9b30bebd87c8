//! Errors of generating migrations from the given schemas and options.

use std::path::PathBuf;

use lookback_schema::{DiffError, Question};

use super::{Error, Remedy};

#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerateError {
    #[error("cannot tell renames from drops")]
    Undecided(Vec<Question>),
    #[error("{0}")]
    Decision(lookback_schema::Error),
    #[error("cannot generate what reverts {name}: {source}")]
    NotReversible {
        name: String,
        source: lookback_schema::Error,
    },
    #[error("expected the name of a migration, got `{name}`")]
    MigrationName { name: String },
    #[error("expected the name of a table, got `{name}`")]
    TableName { name: String },
    #[error("version {version} must be later than {last}, the latest in {}", folder.display())]
    VersionNotLater {
        version: i64,
        last: i64,
        folder: PathBuf,
    },
    #[error("version {version} is too large: later files need versions, too")]
    VersionTooLarge { version: i64 },
    #[error("cannot choose a version later than {last}, the latest in {}", folder.display())]
    NoLaterVersion { last: i64, folder: PathBuf },
    #[error("{}", .0.join("\n"))]
    Conflicts(Vec<String>),
    #[error("cannot regenerate {version}: no branch has a migration of this version")]
    NotOnBranch { version: i64 },
    #[error("this loses data: {}", objects.join(", "))]
    DataLoss { objects: Vec<String> },
}

impl GenerateError {
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Undecided(questions) => Remedy::Decide {
                questions: questions.clone(),
            },
            Self::Decision(_) => Remedy::NameObject,
            Self::NotReversible { .. } => Remedy::WriteDownFile,
            Self::MigrationName { .. } => Remedy::UseMigrationName,
            Self::TableName { .. } => Remedy::UseTableName,
            Self::VersionNotLater { .. } => Remedy::UseLaterVersion,
            Self::VersionTooLarge { .. } => Remedy::UseSmallerVersion,
            Self::NoLaterVersion { .. } => Remedy::RenameByTime,
            Self::Conflicts(_) => Remedy::Regenerate,
            Self::NotOnBranch { .. } => Remedy::NameBranchVersion,
            Self::DataLoss { objects } => Remedy::AllowDataLoss {
                objects: objects.clone(),
            },
        }
    }
}

impl From<DiffError> for Error {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Questions(questions) => GenerateError::Undecided(questions).into(),
            DiffError::Decision(error) => GenerateError::Decision(error).into(),
        }
    }
}
