//! Inserting one record.

use sqlx::PgConnection;

use super::QueryBuilder;
use crate::db::{Db, Sql};
use crate::error::Error;
use crate::model::{Model, Table};
use crate::write::{bind_row, check_new, given_columns, now, quoted_list};

impl<M: Model> QueryBuilder<M> {
    /// Inserts a record and returns it as stored.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid field; [`Error::is_conflict`] if it
    /// violates a unique key.
    pub async fn create<'c>(&self, db: impl Into<Db<'c>>, new: M::New) -> Result<M, Error> {
        let table = M::TABLE;
        self.check_no_conditions("a record to create")?;
        self.check_not_only_deleted("a record to create")?;
        check_new(&new)?;
        let mut sql = Sql::new(&format!(
            "INSERT INTO {} ({}) VALUES (",
            table.quoted(),
            quoted_list(&given_columns(&new))
        ));
        bind_row(&mut sql, &new, now())?;
        sql.push(&format!(") RETURNING {}", self.selected()));
        let mut session = db.into().session().await?;
        fetch_record(sql, session.conn(), table)
            .await?
            .ok_or_else(|| Error::from(sqlx::Error::RowNotFound))
    }
}

/// The name in errors of a record that was written, but cannot be read.
pub(super) const STORED_RECORD: &str = "the stored record";

pub(super) fn not_found(table: &'static Table, id: i64) -> Error {
    Error::not_found(table.name, id)
}

/// Reads all records that a statement returns.
pub(super) async fn fetch_records<M: Model>(
    sql: Sql,
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Vec<M>, Error> {
    let rows = sql
        .fetch_all(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    let records = rows.iter().map(M::from_row).collect::<Result<_, _>>();
    records.map_err(|error| Error::of_record(table, STORED_RECORD, error))
}

pub(super) async fn fetch_record<M: Model>(
    sql: Sql,
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<M>, Error> {
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    row.as_ref()
        .map(M::from_row)
        .transpose()
        .map_err(|error| Error::of_record(table, STORED_RECORD, error))
}
