//! Shared parts of Lookback's tests: a database for each test, sample data, and the pages of the
//! documentation.
//!
//! ```no_run
//! # async fn test() {
//! let db = testkit::database().await;
//! let page = lookback::Log::records().list(&db.pool).await.unwrap();
//! assert_eq!(page.total.value(), 0);
//! # }
//! ```
//!
//! All tests of a machine share one private PostgreSQL. It stops itself after a while without a
//! connected test, even if the tests were killed. `LOOKBACK_PG_BIN` is the folder of another
//! PostgreSQL to start. `LOOKBACK_TEST_DATABASE_URL` is a server to use instead. The user must be a
//! superuser, and the server must be on this machine, with default settings and a UTF-8 locale. `LOOKBACK_TEST_CITUS_URL` is a database of the
//! coordinator of a cluster of Citus, whose tables are then distributed.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "test code: a test without its database can only panic"
)]

pub mod bench;
mod cluster;
mod database;
mod killable_server;
pub mod page;
pub mod plans;
pub mod proxy;
pub mod sample;
pub mod schemas;

pub use cluster::is_cluster;
pub use database::{
    Database, database, database_without_ranges, empty_database, installation, server_url,
};
pub use killable_server::{KillableServer, kill};
