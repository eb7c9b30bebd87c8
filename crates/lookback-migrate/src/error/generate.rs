//! A migration that cannot be generated from what was given.

use std::path::PathBuf;

use lookback_schema::{DiffError, Question};

use super::{Error, Remedy};

#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerateError {
    #[error("what was renamed and what was dropped cannot be told")]
    Undecided(Vec<Question>),
    #[error("{0}")]
    Decision(lookback_schema::Error),
    #[error("what undoes {name} cannot be told: {source}")]
    NotReversible {
        name: String,
        source: lookback_schema::Error,
    },
    #[error("`{name}` is not the name of a migration")]
    MigrationName { name: String },
    #[error("`{name}` is not the name of a table")]
    TableName { name: String },
    #[error("version {version} is not later than {last}, the latest in {}", folder.display())]
    VersionNotLater {
        version: i64,
        last: i64,
        folder: PathBuf,
    },
    #[error("version {version} leaves none for the files after it")]
    VersionTooLarge { version: i64 },
    #[error("no version comes after {last}, the largest in {}", folder.display())]
    NoLaterVersion { last: i64, folder: PathBuf },
    #[error("{}", .0.join("\n"))]
    Conflicts(Vec<String>),
    #[error("--regenerate {version}: no branch has a migration of this version")]
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
