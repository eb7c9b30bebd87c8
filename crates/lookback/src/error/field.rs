//! A wrong field.

use std::fmt;

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// The place of the record in a batch, from 0; `None` for a record alone.
    pub row: Option<usize>,
    /// The field, with its path for a place inside JSON.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl FieldError {
    /// Creates an error of a record alone.
    pub fn new(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self {
            row: None,
            field: field.into(),
            problem: problem.to_string(),
        }
    }

    /// Sets the place of the record in a batch.
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
