//! Results of statements that always return one row.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row as _};

use super::Sql;
use crate::error::Error;

/// Runs a statement that returns one row.
pub(crate) async fn row(conn: &mut PgConnection, sql: Sql) -> Result<PgRow, Error> {
    let row = sql.fetch_optional(conn).await?;
    Ok(row.ok_or(sqlx::Error::RowNotFound)?)
}

/// Runs a statement that returns one value.
pub(crate) async fn one<T>(conn: &mut PgConnection, sql: Sql) -> Result<T, Error>
where
    T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    Ok(row(conn, sql).await?.try_get(0)?)
}
