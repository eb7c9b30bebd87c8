//! Creating one record.

use sqlx::PgConnection;

use super::QueryBuilder;
use crate::db::{Db, Sql};
use crate::error::Error;
use crate::model::{Model, Table};
use crate::write::{bind_row, check_new, given, now, quoted_list};

impl<M: Model> QueryBuilder<M> {
    /// Inserts a record and returns it as stored.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every wrong field; [`Error::is_conflict`] if
    /// it clashes with another record.
    pub async fn create<'c>(&self, db: impl Into<Db<'c>>, new: M::New) -> Result<M, Error> {
        let table = M::TABLE;
        self.nothing_asked("a record to create")?;
        self.not_only_deleted("a record to create")?;
        check_new(&new)?;
        let mut sql = Sql::new(&format!(
            "INSERT INTO {} ({}) VALUES (",
            table.quoted(),
            quoted_list(&given(&new))
        ));
        bind_row(&mut sql, &new, now())?;
        sql.push(&format!(") RETURNING {}", self.selected()));
        let mut session = db.into().session().await?;
        one(sql, session.conn(), table)
            .await?
            .ok_or_else(|| Error::Driver(sqlx::Error::RowNotFound))
    }
}

/// How an error calls a record that was written before it turned out that it
/// cannot be read.
pub(super) const STORED: &str = "the stored record";

pub(super) fn not_found(table: &'static Table, id: i64) -> Error {
    Error::NotFound {
        table: table.name,
        id,
    }
}

pub(super) async fn one<M: Model>(
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
        .map_err(|error| Error::of_record(table, STORED, error))
}
