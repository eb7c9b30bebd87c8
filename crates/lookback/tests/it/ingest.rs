//! The writer.

pub(crate) mod fixtures;
mod killed_server;
mod lost_connections;
mod rejected_rows;
mod spill;
mod workload;
mod writer;
