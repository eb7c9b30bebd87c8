//! The commands, one file each.

pub(crate) mod alerts;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod metrics;
pub(crate) mod pg;
pub(crate) mod records;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod storage;
pub(crate) mod users;
