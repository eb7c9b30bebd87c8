//! The typed text, parsed: terms, and the words that rows are fetched and ranked by.

pub(super) mod query;
pub(super) mod terms;
pub(super) mod text;
