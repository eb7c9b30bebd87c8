//! Tests of the program `lookback` against the real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, and recognizes only functions with #[test] as such"
)]

#[cfg(unix)]
mod alerts;
mod bad_input;
mod captured;
mod completions;
#[cfg(unix)]
mod concurrent;
mod config;
mod connection;
mod doctor;
mod export;
#[cfg(unix)]
mod follow;
#[cfg(unix)]
mod follow_random;
#[cfg(unix)]
mod full_disk;
mod generate;
mod guide;
#[cfg(unix)]
mod guide_printed;
mod import;
mod input;
mod kill;
mod kill_migrate;
#[cfg(unix)]
mod known_stream;
mod migrate;
mod numbers;
mod pg;
mod protobuf;
mod pull;
mod push;
mod rebase;
mod records;
mod replay;
mod round_trip;
mod serve;
mod serve_operations;
mod setup;
mod storage;
#[cfg(unix)]
mod stream;
mod support;
mod surroundings;
mod tables;
mod tail;
mod terminal;
mod users;
mod verbosity;
