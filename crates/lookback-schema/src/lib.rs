//! The schema of a PostgreSQL database as data: compared, planned, and written
//! as SQL. No I/O, no driver, no clock: values in, values out, and the same
//! input gives the same bytes.

mod kind;
mod lex;
mod script;

pub use kind::{ConcurrentIndex, StatementKind, statement_kind};
pub use lex::LexError;
pub use script::{Statement, statements};
