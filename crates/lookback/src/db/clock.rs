//! The clock by which records grow old.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Sql, one};
use crate::error::Error;

/// Returns the time from which ages are counted back where old records are
/// deleted: the earlier one of this machine's clock and the server's.
///
/// A clock that is ahead would delete records before their time; one that is
/// behind keeps them for longer.
///
/// # Errors
///
/// Those of the database.
pub async fn retention_now(conn: &mut PgConnection) -> Result<DateTime<Utc>, Error> {
    let server: DateTime<Utc> = one(conn, Sql::new("SELECT clock_timestamp()")).await?;
    Ok(server.min(Utc::now()))
}
