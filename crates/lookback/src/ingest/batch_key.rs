//! Keys of batches, by which a batch that is sent twice is stored once.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::error::Error;
use crate::value::Json;

/// What is known of the key of a batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BatchClaim {
    /// It is new. Store the batch in the same transaction, and [note](note_outcome) what became of
    /// it.
    New,
    /// The batch is stored; this was noted of it.
    Stored(Json),
    /// Another batch was stored under the key.
    Other,
}

/// Claims the key of a batch in a transaction of `conn`: it counts if that is committed.
///
/// A transaction that claims the same key meanwhile waits for the end of this one. `digest` is a
/// hash of the batch.
///
/// # Errors
///
/// Those of the database.
pub async fn claim_batch(
    conn: &mut PgConnection,
    key: &str,
    digest: i64,
) -> Result<BatchClaim, Error> {
    let mut sql = Sql::new("INSERT INTO ingested_batches (key, digest) VALUES (");
    sql.bind(key)?;
    sql.push(", ");
    sql.bind(digest)?;
    sql.push(") ON CONFLICT (key) DO NOTHING RETURNING TRUE");
    let claimed = sql
        .fetch_optional(&mut *conn)
        .await
        .map_err(|error| Error::of_internal_table(TABLE, error))?;
    if claimed.is_some() {
        return Ok(BatchClaim::New);
    }
    let mut sql = Sql::new("SELECT digest, outcome FROM ingested_batches WHERE key = ");
    sql.bind(key)?;
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::of_internal_table(TABLE, error))?;
    let Some(row) = row else {
        // It was forgotten in between.
        return Ok(BatchClaim::Other);
    };
    if row.try_get::<i64, _>("digest")? != digest {
        return Ok(BatchClaim::Other);
    }
    let outcome: Option<Json> = row.try_get("outcome")?;
    Ok(BatchClaim::Stored(outcome.unwrap_or(Json::Null)))
}

/// Notes what became of a batch whose key was claimed in this transaction.
///
/// # Errors
///
/// Those of the database.
pub async fn note_outcome(conn: &mut PgConnection, key: &str, outcome: &Json) -> Result<(), Error> {
    let mut sql = Sql::new("UPDATE ingested_batches SET outcome = ");
    // As text: what is bound is a value of a column otherwise.
    sql.bind(outcome.to_string())?;
    sql.push("::jsonb WHERE key = ");
    sql.bind(key)?;
    sql.execute(conn)
        .await
        .map_err(|error| Error::of_internal_table(TABLE, error))?;
    Ok(())
}

/// Forgets the keys of batches that were stored longer ago than this, and returns their number.
///
/// # Errors
///
/// Those of the database.
pub async fn forget_batches(conn: &mut PgConnection, older_than: Duration) -> Result<u64, Error> {
    let mut sql =
        Sql::new("DELETE FROM ingested_batches WHERE created_at < now() - make_interval(secs => ");
    sql.bind(older_than.as_secs_f64())?;
    sql.push(")");
    sql.execute(conn)
        .await
        .map_err(|error| Error::of_internal_table(TABLE, error))
}

const TABLE: &str = "ingested_batches";
