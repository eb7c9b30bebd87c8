//! Errors of recorded migrations that do not match the files.

use super::Remedy;
use crate::apply::privileges::MissingCreate;
use crate::sqlstate;

#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error("{file} was changed after it was applied")]
    Edited { file: String },
    #[error("migration {version} ({description}) is applied, but has no file")]
    Missing {
        version: i64,
        description: String,
        reverting: bool,
    },
    #[error("{file} is partly reverted")]
    PartlyReverted { file: String },
    #[error("{file} is partly applied")]
    PartlyApplied { file: String },
    #[error("cannot revert {file}: it has no .down.sql")]
    NotReversible { file: String },
    #[error("{file} is partly applied without a transaction, and now has one")]
    TransactionAdded { file: String },
    #[error(
        "{file} is partly applied, and one of the first {done} statements, which took effect, \
         was changed afterwards"
    )]
    StatementsEdited {
        file: String,
        done: usize,
        /// The SQL that removes the record of the migration.
        forget: String,
    },
    #[error(
        "{file}, line {line} (statement {statement} of {statements}): an earlier run ended \
         during this statement; whether it took effect is unknown"
    )]
    OutcomeUnknown {
        file: String,
        line: usize,
        statement: usize,
        statements: usize,
        /// The SQL to record that it took effect, or that it did not.
        done: String,
        not_done: String,
    },
    #[error("{file}, line {line}: the table already has an index {index} with another definition")]
    IndexDiffers {
        file: String,
        line: usize,
        index: String,
    },
    #[error("cannot create the table {table}: {}", sqlstate::message(source))]
    TableNotCreated {
        table: String,
        missing: MissingCreate,
        source: sqlx::Error,
    },
    #[error("cannot find the table {table} after creating it")]
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
            Self::TableNotCreated { missing, .. } => Remedy::GrantCreate {
                schema: missing.schema.clone(),
                role: missing.role.clone(),
            },
            Self::TableNotFound { .. } => Remedy::SetSearchPath,
        }
    }
}
