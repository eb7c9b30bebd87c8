//! The clock for the ages of records.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Sql, one};
use crate::error::Error;

/// Returns the time from which cutoffs are counted back.
///
/// It is the earlier one of this machine's clock and the server's: a clock that is
/// ahead would delete records too early; one that is behind keeps them for longer.
///
/// # Errors
///
/// Those of the database.
pub async fn cutoff_clock(conn: &mut PgConnection) -> Result<DateTime<Utc>, Error> {
    let server: DateTime<Utc> = one(conn, Sql::new("SELECT clock_timestamp()")).await?;
    Ok(server.min(Utc::now()))
}
