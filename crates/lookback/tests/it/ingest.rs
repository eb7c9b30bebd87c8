//! The writer.

mod kept;
mod plain;
mod refused;
