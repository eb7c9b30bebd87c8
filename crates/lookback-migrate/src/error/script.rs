//! Errors of files whose SQL cannot be applied.

use super::Remedy;

#[derive(Debug, thiserror::Error)]
#[error("{file}, line {line}: {problem}")]
pub(crate) struct ScriptError {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) problem: ScriptProblem,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum ScriptProblem {
    #[error("{0}")]
    NotSql(&'static str),
    #[error("BEGIN and COMMIT are not allowed: the file already runs in a transaction")]
    Transaction,
    #[error("this transaction has no end in the file")]
    OpenTransaction,
    #[error("COPY from STDIN or to STDOUT is not supported in a migration")]
    CopyStream,
    #[error("commands of psql, such as \\connect, are not SQL")]
    PsqlCommand,
    #[error("CREATE INDEX CONCURRENTLY must name the index")]
    UnnamedIndex,
}

impl ScriptError {
    pub(super) fn remedy(&self) -> Remedy {
        match self.problem {
            ScriptProblem::NotSql(_) => Remedy::CorrectScript,
            ScriptProblem::Transaction => Remedy::RemoveTransaction,
            ScriptProblem::OpenTransaction => Remedy::CommitTransaction,
            ScriptProblem::CopyStream => Remedy::ReplaceCopy,
            ScriptProblem::PsqlCommand => Remedy::RemovePsqlCommand,
            ScriptProblem::UnnamedIndex => Remedy::NameIndex,
        }
    }
}
