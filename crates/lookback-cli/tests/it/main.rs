//! Tests of the program `lookback` against the real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bad_input;
mod config;
mod export;
mod generate;
mod import;
mod input;
mod kill;
mod kill_migrate;
mod migrate;
mod numbers;
mod pg;
mod pull;
mod push;
mod rebase;
mod records;
mod setup;
mod storage;
mod support;
mod users;
