//! What is recorded as applied and does not fit the files.

use super::Remedy;

#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error("{file} was changed after it was applied")]
    Edited { file: String },
    #[error("the migration {version} ({description}) is applied, and has no file")]
    Missing {
        version: i64,
        description: String,
        reverting: bool,
    },
    #[error("{file} was being undone, and that stopped half-way")]
    PartlyReverted { file: String },
    #[error("{file} is applied in part")]
    PartlyApplied { file: String },
    #[error("{file} has no file that undoes it")]
    NotReversible { file: String },
    #[error("{file} is applied in part, and now wants a transaction")]
    TransactionAdded { file: String },
    #[error(
        "{file} is applied in part, and one of its first {done} statements, which took effect, \
         was changed afterwards"
    )]
    StatementsEdited {
        file: String,
        done: usize,
        /// The SQL that forgets the migration.
        forget: String,
    },
    #[error(
        "{file}, line {line} (statement {statement} of {statements}): an earlier run was ended \
         while this statement ran, and it is not known whether it took effect"
    )]
    OutcomeUnknown {
        file: String,
        line: usize,
        statement: usize,
        statements: usize,
        /// The SQL that records that it took effect, and that it did not.
        done: String,
        not_done: String,
    },
    #[error("{file}, line {line}: there is an index {index} of another definition on this table")]
    IndexDiffers {
        file: String,
        line: usize,
        index: String,
    },
    #[error("the table {table} cannot be found after it was made")]
    TableNotFound { table: String },
}

impl HistoryError {
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Edited { .. } => Remedy::RestoreEditedFile,
            Self::Missing { reverting, .. } => {
                if *reverting {
                    Remedy::RevertWithOriginalFiles
                } else {
                    Remedy::UseOriginalFiles
                }
            }
            Self::PartlyReverted { .. } => Remedy::FinishRevert,
            Self::PartlyApplied { .. } => Remedy::RunMigrations,
            Self::NotReversible { .. } => Remedy::WriteReverseMigration,
            Self::TransactionAdded { .. } => Remedy::RestoreNoTransaction,
            Self::StatementsEdited { forget, .. } => Remedy::RestoreStatements {
                forget: forget.clone(),
            },
            Self::OutcomeUnknown { done, not_done, .. } => Remedy::RecordOutcome {
                done: done.clone(),
                not_done: not_done.clone(),
            },
            Self::IndexDiffers { index, .. } => Remedy::DropIndex {
                index: index.clone(),
            },
            Self::TableNotFound { .. } => Remedy::SetSearchPath,
        }
    }
}
