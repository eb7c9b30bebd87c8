//! Tests against the real PostgreSQL: the one in the folder `LOOKBACK_PG_BIN`, or else the pinned
//! one in the standard cache, which the first run fetches. They run as root, which covers more,
//! and as a user.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests, and recognizes only functions with #[test] as such"
)]

mod fetch;
mod full_disk;
mod idle;
mod installation;
mod lifecycle;
mod port;
mod recovery;
mod refusal;
mod settings;
mod support;
