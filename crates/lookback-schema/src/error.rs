//! Errors of schemas and of their parts.

/// A problem with a name, a definition, a snapshot or a change.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{problem}")]
pub struct Error {
    problem: String,
}

impl Error {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
        }
    }

    /// Puts the name of the object before the problem.
    pub(crate) fn of(self, what: impl std::fmt::Display) -> Self {
        Self::new(format!("{what}: {}", self.problem))
    }
}
