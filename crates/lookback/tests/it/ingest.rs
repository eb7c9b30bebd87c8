//! The writer.

mod cut;
mod drive;
mod kept;
mod killed_server;
mod plain;
mod proxy;
mod refused;
mod spilled;
