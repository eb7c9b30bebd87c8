//! Errors of fields.

use std::fmt;

/// The error of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// The index of the record in a batch, from 0; `None` for a single record.
    pub row: Option<usize>,
    /// The field; for a value inside JSON, with the path to it.
    pub field: String,
    /// The problem, and what was expected.
    pub problem: String,
}

impl FieldError {
    /// Creates the error of a field of a single record.
    pub fn new(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self {
            row: None,
            field: field.into(),
            problem: problem.to_string(),
        }
    }

    /// Sets the index of the record in a batch.
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
