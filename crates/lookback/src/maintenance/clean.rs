//! What search still keeps about records that retention took.

use std::time::Duration;

use sqlx::PgConnection;

use super::turns::{self, Turns};
use crate::error::Error;
use crate::model::Table;
use crate::search::index;

/// How one transaction of cleaning came out.
enum Cleaned {
    All,
    Some,
    /// Another process is at it.
    Busy,
}

/// Deletes what search still keeps about records that retention took, in
/// transactions of its own, and returns whether it did, and there is nothing
/// left. Searches do not read it; so it can be cut short anywhere, and if others
/// have the lock of the summaries for longer than this, it is left to whoever
/// comes next.
pub(super) async fn clean(
    conn: &mut PgConnection,
    table: &'static Table,
    patience: Duration,
) -> Result<bool, Error> {
    let mut turns = Turns::new(patience);
    let mut did = false;
    loop {
        match step(conn, table).await {
            Ok(Cleaned::All) => return Ok(did),
            Ok(Cleaned::Some) => did = true,
            Ok(Cleaned::Busy) => return Ok(false),
            Err(error) if turns.again(&error).await => {}
            Err(error) if error.is_timeout() => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

async fn step(conn: &mut PgConnection, table: &'static Table) -> Result<Cleaned, Error> {
    if !index::has_gone(conn, table).await? {
        return Ok(Cleaned::All);
    }
    let Some(mut transaction) = turns::begin(conn, table, "cleaning").await? else {
        return Ok(Cleaned::Busy);
    };
    index::forget_gone(&mut transaction, table).await?;
    transaction.commit().await?;
    Ok(Cleaned::Some)
}
