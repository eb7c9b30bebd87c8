//! Migrations against the real PostgreSQL: a database for each test.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod apply;
mod canonical;
mod conversions;
mod enums;
mod introspect;
mod keywords;
mod many;
mod pull_notes;
mod push;
mod rebase;
mod scenarios;
mod users_of_columns;

/// Parses a time.
fn time(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().expect("a time")
}
