//! The library against the real PostgreSQL: a database for each test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "tests"
)]

mod aggregate;
mod bulk_writes;
mod cancelled;
#[cfg(feature = "capture")]
mod capture;
mod column_types;
mod create_many;
mod distribution;
mod embedding;
mod errors;
mod explain;
mod extreme_values;
mod fence;
mod filters;
mod import_many;
mod ingest;
mod json_places;
mod macros;
mod maintenance;
mod matching;
mod migrations;
mod models;
mod own_model;
mod pages;
mod pull;
mod random;
mod reembed;
mod rollups;
mod rollups_of_json;
mod round_trip;
mod schema;
mod sealing;
mod search;
mod select;
mod soft_delete;
mod tail;
mod time_order;
mod timeout;
mod verbs;
mod writes;

/// Parses a time.
fn time(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().expect("a time")
}
