//! `INSERT` of a small number of records.
//!
//! A COPY ends with a separate message, which the driver writes after the data. The
//! driver leaves Nagle's algorithm on (sqlx 0.9, November 2026), so TCP holds this
//! message back until the data before it is acknowledged, and the server delays
//! that by 40 ms unless it received much data. A COPY of one row took 44 ms; an
//! `INSERT` of it, which is one message, takes less than 1 ms.

use sqlx::PgConnection;

use super::row::{bind_row, given_columns, has_id, now, quoted_list};
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnValues, Model as _, Table};

/// The most values of an `INSERT`; with more, a COPY is faster.
pub(crate) const MAX_INSERT_VALUES: usize = 2_048;

/// Whether records that leave the same columns to the database fit one `INSERT`.
pub(crate) fn fit_one_insert<N: ColumnValues>(records: &[N]) -> bool {
    let columns = records
        .first()
        .map_or(0, |record| given_columns(record).len());
    records.len() * columns <= MAX_INSERT_VALUES
}

/// Inserts records that all leave the same columns to the database.
///
/// It is one statement if the records fit. An error, which `translate` makes of that of the
/// driver, does not name the record.
pub(crate) async fn insert<N: ColumnValues>(
    conn: &mut PgConnection,
    records: &[N],
    translate: fn(&'static Table, sqlx::Error) -> Error,
) -> Result<u64, Error> {
    let Some(first) = records.first() else {
        return Ok(0);
    };
    let (table, columns, now) = (N::Model::TABLE, given_columns(first), now());
    let mut inserted = 0;
    for some in records.chunks((MAX_INSERT_VALUES / columns.len().max(1)).max(1)) {
        let mut sql = Sql::new(&format!(
            "INSERT INTO {} ({}) {}VALUES ",
            table.quoted(),
            quoted_list(&columns),
            // A COPY always does so.
            if has_id(first) {
                "OVERRIDING SYSTEM VALUE "
            } else {
                ""
            }
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
            .map_err(|error| translate(table, error))?;
    }
    Ok(inserted)
}
