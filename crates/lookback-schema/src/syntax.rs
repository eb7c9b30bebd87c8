//! The part of PostgreSQL's grammar that definitions and migrations need.

mod expressions;
mod lexer;
mod names;
mod retyped_columns;
mod statement_kind;
mod statements;
mod types;
mod versions;

pub use expressions::Expression;
pub(crate) use expressions::closing;
pub use lexer::LexError;
pub(crate) use lexer::{Token, TokenKind, tokens};
pub use names::{MAX_NAME_BYTES, Name, literal, quoted};
pub(crate) use names::{check, free, is_keyword, is_reserved, quoted_list, shortened, unquoted};
pub use retyped_columns::retyped_columns;
pub use statement_kind::{ConcurrentIndex, StatementKind, statement_kind};
pub use statements::{Statement, statements};
pub use types::DataType;
pub use versions::since_18;
