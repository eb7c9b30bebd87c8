//! The schema of a PostgreSQL database as data: compared, planned, and written
//! as SQL. No I/O, no driver, no clock: values in, values out, and the same
//! input gives the same bytes.

mod change;
mod data_type;
mod diff;
mod error;
mod expression;
mod kind;
mod lex;
mod merge;
mod name;
mod plan;
mod schema;
mod script;
#[cfg(feature = "snapshot")]
mod snapshot;
mod stage;

pub use change::{Change, Lock, Risk};
pub use data_type::DataType;
pub use diff::{Decisions, DiffError, Path, Question, diff};
pub use error::Error;
pub use expression::Expression;
pub use kind::{ConcurrentIndex, StatementKind, statement_kind};
pub use lex::LexError;
pub use merge::{Conflict, merge};
pub use name::{MAX_NAME_BYTES, Name, literal, quoted};
pub use plan::{Plan, Step};
pub use schema::{
    Action, Column, Constraint, CreateIndex, Deferral, Exclusion, Fill, ForeignKey, Index,
    IndexKey, Key, Partition, PartitionBy, PartitionStrategy, Schema, Table,
};
pub use script::{Statement, statements};
#[cfg(feature = "snapshot")]
pub use snapshot::{FORMAT, Place, Snapshot};
pub use stage::File;
