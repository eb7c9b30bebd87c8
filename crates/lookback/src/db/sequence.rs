//! The sequence that assigns the ids of a table.

use sqlx::PgConnection;

use super::{Sql, one};
use crate::error::Error;
use crate::model::{ColumnRole, Table};

/// Appends the sequence of the table as a `regclass`; NULL if there is none.
pub(crate) fn push(sql: &mut Sql, table: &'static Table) -> Result<(), Error> {
    sql.push("pg_get_serial_sequence(");
    sql.bind(table.quoted())?;
    sql.push(", ");
    sql.bind(table.column_of(ColumnRole::Id).name)?;
    sql.push(")::regclass");
    Ok(())
}

/// The greatest id that the sequence of the table can assign.
pub(crate) async fn end(conn: &mut PgConnection, table: &'static Table) -> Result<i64, Error> {
    let mut sql = Sql::new("SELECT coalesce((SELECT seqmax FROM pg_sequence WHERE seqrelid = ");
    push(&mut sql, table)?;
    sql.push("), 9223372036854775807)");
    one(conn, sql).await
}

/// Makes the sequence of the table continue after this id; false if there is none.
pub(crate) async fn advance(
    conn: &mut PgConnection,
    table: &'static Table,
    id: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new("SELECT setval(");
    push(&mut sql, table)?;
    sql.push(", ");
    sql.bind(id)?;
    sql.push(") IS NOT NULL");
    one(conn, sql).await
}

/// Makes the sequence of the table continue after this id, unless it is beyond it already.
///
/// It takes effect at once, whether the transaction commits or not.
///
/// # Errors
///
/// [`Error::is_invalid`] if no id would be left after this one.
pub(crate) async fn move_behind(
    conn: &mut PgConnection,
    table: &'static Table,
    id: i64,
) -> Result<(), Error> {
    let last = end(conn, table).await?;
    if id >= last {
        let column = table.column_of(ColumnRole::Id).name;
        let problem = format!(
            "{id} must be less than {last}, the last id of the sequence of {}",
            table.name
        );
        return Err(Error::invalid_field(table.name, column, problem));
    }
    // In one statement, which leaves a moment only in which the sequence could be set back
    // behind an id that it assigns meanwhile. A lock that excludes it would belong to the
    // owner of the sequence alone, and stop all inserts.
    let mut sql = Sql::new("SELECT CASE WHEN coalesce(pg_sequence_last_value(");
    push(&mut sql, table)?;
    sql.push("), 0) < ");
    sql.bind(id)?;
    sql.push(" THEN setval(");
    push(&mut sql, table)?;
    sql.push(", ");
    sql.bind(id)?;
    sql.push(") END");
    one::<Option<i64>>(conn, sql).await?;
    Ok(())
}
