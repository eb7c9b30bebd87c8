//! The library against the real PostgreSQL: a database for each test.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod canonical;
mod create_many;
mod embedding;
mod filters;
mod introspect;
mod macros;
mod migrate;
mod migrations;
mod models;
mod pull;
mod rebase;
mod reembed;
mod round_trip;
mod scenarios;
mod schema;
mod search;
mod soft_delete;
mod writes;

/// A time that reads the same in every test.
fn time(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().expect("a time")
}
