//! A file that is not SQL that can be applied.

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
    #[error("it begins or ends a transaction, and the file is in one already")]
    Transaction,
    #[error("the file ends before this transaction")]
    OpenTransaction,
    #[error("COPY from or to the client does not work in a migration")]
    CopyStream,
    #[error("an index that is built CONCURRENTLY needs a name")]
    UnnamedIndex,
}

impl ScriptError {
    pub(super) fn remedy(&self) -> Remedy {
        match self.problem {
            ScriptProblem::NotSql(_) => Remedy::CorrectScript,
            ScriptProblem::Transaction => Remedy::RemoveTransaction,
            ScriptProblem::OpenTransaction => Remedy::CommitTransaction,
            ScriptProblem::CopyStream => Remedy::ReplaceCopy,
            ScriptProblem::UnnamedIndex => Remedy::NameIndex,
        }
    }
}
