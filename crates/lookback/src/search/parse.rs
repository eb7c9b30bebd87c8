//! The typed text, parsed into terms and the words of a query.

pub(super) mod query;
pub(super) mod terms;
pub(super) mod text;
