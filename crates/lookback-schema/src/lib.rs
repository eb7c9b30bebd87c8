//! The schema of a PostgreSQL database as data. Schemas are compared,
//! differences are planned, and plans are written as SQL. The crate has no I/O,
//! no driver and no clock: its functions map values to values, and the same
//! input gives the same bytes.

mod change;
mod diff;
mod error;
mod files;
mod merge;
mod schema;
#[cfg(feature = "snapshot")]
mod snapshot;
mod syntax;

pub use change::{
    Cast, CastContext, Change, Indexed, Lock, Plan, PlanBatch, PlanStep, Risk, casts,
};
pub use diff::{Decisions, DiffError, ObjectPath, Question, diff};
pub use error::Error;
pub use files::File;
pub use merge::{Conflict, merge};
pub use schema::{
    Action, Column, Constraint, CreateIndex, Deferral, Exclusion, Fill, ForeignKey, Index,
    IndexKey, Key, Partition, PartitionBy, PartitionStrategy, Schema, Table,
};
#[cfg(feature = "snapshot")]
pub use snapshot::{FORMAT, Snapshot, SnapshotHeader};
pub use syntax::{
    ConcurrentIndex, DataType, Expression, LexError, MAX_NAME_BYTES, Name, Statement,
    StatementKind, literal, quoted, retyped_columns, since_18, statement_kind, statements,
};
