//! What a statement answers that returns one row, whatever is in the tables.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row as _};

use super::Sql;
use crate::error::Error;

/// The one row that a statement returns.
pub(crate) async fn row(conn: &mut PgConnection, sql: Sql) -> Result<PgRow, Error> {
    let row = sql.fetch_optional(conn).await?;
    Ok(row.ok_or(sqlx::Error::RowNotFound)?)
}

/// The one value that a statement returns.
pub(crate) async fn one<T>(conn: &mut PgConnection, sql: Sql) -> Result<T, Error>
where
    T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    Ok(row(conn, sql).await?.try_get(0)?)
}
