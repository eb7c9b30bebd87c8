//! What the tests of Lookback share: a database for each test, and made data.
//!
//! ```no_run
//! # async fn test() {
//! let db = testkit::database().await;
//! let page = lookback::Log::records().list(&db.pool).await.unwrap();
//! assert_eq!(page.total.value(), 0);
//! # }
//! ```
//!
//! All tests of a machine share one private PostgreSQL, which stops by itself
//! when no test has been connected for a while, also when the tests were
//! killed. `LOOKBACK_PG_BIN` names the folder of another PostgreSQL to start;
//! `LOOKBACK_TEST_DATABASE_URL` a server to use instead: as a superuser, on this
//! machine, with the settings of a new one and a locale of UTF-8.

// Test code: a test that cannot have its database has nothing better to do than to panic.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)]

pub mod bench;
mod database;
mod killable;
pub mod made;
pub mod plans;
pub mod schemas;

pub use database::{Database, database, empty_database, installation, server_url};
pub use killable::{Killable, kill};
