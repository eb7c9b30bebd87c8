//! What is wrong with a schema, or stands between two.

/// A problem with what was given: a name, a definition, a snapshot, a change.
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

    /// The same, saying first what it is about.
    pub(crate) fn of(self, what: impl std::fmt::Display) -> Self {
        Self::new(format!("{what}: {}", self.problem))
    }
}
