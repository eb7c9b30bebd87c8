//! The typed text, parsed into terms and the words of a query.

mod field;
pub(super) mod query;
pub(super) mod terms;
pub(super) mod text;
