//! The advisory lock of a table's summaries.

use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;

/// How a transaction takes the lock of a table's summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// Shared with others; waits while a segment is being sealed.
    Shared,
    /// Exclusive, or not at all.
    TryExclusive,
    /// Exclusive; waits for others.
    Exclusive,
}

/// Takes the lock of a table's summaries until the transaction ends, and
/// returns whether it has it. Transaction-level locks work through poolers,
/// too.
pub(super) async fn lock(
    conn: &mut PgConnection,
    table: &'static Table,
    how: Lock,
) -> Result<bool, Error> {
    let take = match how {
        Lock::Shared => "pg_advisory_xact_lock_shared({}) IS NOT NULL",
        Lock::TryExclusive => "pg_try_advisory_xact_lock({})",
        Lock::Exclusive => "pg_advisory_xact_lock({}) IS NOT NULL",
    };
    let mut sql = Sql::default();
    let name = sql.argument(format!("lookback seal {}", table.name))?;
    let key = format!("hashtextextended({name} || ' ' || coalesce(current_schema(), ''), 0)");
    sql.push(&format!("SELECT {} AS locked", take.replace("{}", &key)));
    let row = sql.fetch_optional(conn).await?;
    Ok(match row {
        Some(row) => row.try_get("locked")?,
        None => false,
    })
}
