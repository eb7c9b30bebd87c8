//! Few records, by `INSERT`.
//!
//! A COPY ends with a message of its own, which the driver writes after the data.
//! As it leaves Nagle's algorithm on (sqlx 0.9, November 2026), TCP holds such a
//! message back until what was sent before is acknowledged, and the server does
//! that 40 ms later unless much of it came. So a COPY of a row took 44 ms, and an
//! `INSERT` of it, which is one message, takes less than one.

use sqlx::PgConnection;

use super::row::{bind_row, given, now, quoted_list};
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnValues, Model as _};

/// An `INSERT` of more values than this takes longer than a COPY.
pub(crate) const MOST_VALUES: usize = 2_048;

/// Whether records are few that all leave the same columns to the database.
pub(crate) fn are_few<N: ColumnValues>(records: &[N]) -> bool {
    let columns = records.first().map_or(0, |record| given(record).len());
    records.len() * columns <= MOST_VALUES
}

/// Inserts records that all leave the same columns to the database, in one
/// statement if they are few. An error does not say which of them it is.
pub(crate) async fn insert<N: ColumnValues>(
    conn: &mut PgConnection,
    records: &[N],
) -> Result<u64, Error> {
    let Some(first) = records.first() else {
        return Ok(0);
    };
    let (table, columns, now) = (N::Model::TABLE, given(first), now());
    let mut inserted = 0;
    for some in records.chunks((MOST_VALUES / columns.len().max(1)).max(1)) {
        let mut sql = Sql::new(&format!(
            "INSERT INTO {} ({}) VALUES ",
            table.quoted(),
            quoted_list(&columns)
        ));
        for (place, record) in some.iter().enumerate() {
            sql.push(if place > 0 { ", (" } else { "(" });
            bind_row(&mut sql, record, now)?;
            sql.push(")");
        }
        let sql = if some.len() > 1 { sql.once() } else { sql };
        inserted += sql
            .execute(&mut *conn)
            .await
            .map_err(|error| Error::from_driver(table, error))?;
    }
    Ok(inserted)
}
