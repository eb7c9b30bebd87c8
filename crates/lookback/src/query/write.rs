//! The write path: whatever stores a row goes through here, is checked against
//! the columns of the model, and has its times and its embedding filled in.

use chrono::Utc;
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::{Deleted, QueryBuilder};
use crate::db::Db;
use crate::embedding::{Embedding, Encoder};
use crate::error::{Error, FieldError};
use crate::model::{Assign, ColumnDef, Model, Role, Table, check};
use crate::sql::Sql;
use crate::value::{ColumnType, ColumnValue, Json, Value, to_microseconds};

impl<M: Model> QueryBuilder<M> {
    /// Inserts a record and returns it as stored.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every wrong field; [`Error::is_conflict`] if
    /// it clashes with another record.
    pub async fn create<'c>(&self, db: impl Into<Db<'c>>, new: M::New) -> Result<M, Error> {
        let table = M::TABLE;
        check_new(&new)?;
        let mut sql = Sql::new(&format!(
            "INSERT INTO {} ({}) VALUES (",
            table.quoted(),
            inserted_list(table)
        ));
        for (index, (column, value)) in row(&new, now()).enumerate() {
            if index > 0 {
                sql.push(", ");
            }
            sql.bind_value(column, value)?;
        }
        sql.push(&format!(") RETURNING {}", self.selected()));
        let mut session = db.into().session().await?;
        one(sql, session.conn(), table)
            .await?
            .ok_or_else(|| Error::Driver(sqlx::Error::RowNotFound))
    }

    /// Changes a record and returns it as stored. A field that the patch
    /// leaves out is kept, and a patch of nothing changes nothing.
    ///
    /// `updated_at` moves with every change, and the embedding follows a
    /// change of a search field.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`], [`Error::is_invalid`] with every wrong field,
    /// [`Error::is_conflict`].
    pub async fn update<'c>(
        &self,
        db: impl Into<Db<'c>>,
        id: i64,
        patch: M::Patch,
    ) -> Result<M, Error> {
        let table = M::TABLE;
        let changes: Vec<(usize, Value<'_>)> = (0..table.columns.len())
            .filter_map(|index| patch.value(index).map(|value| (index, value)))
            .collect();
        let wrong: Vec<FieldError> = changes
            .iter()
            .filter_map(|(index, value)| check(&table.columns[*index], value).err())
            .collect();
        if !wrong.is_empty() {
            return Err(Error::invalid(table.name, wrong));
        }
        let mut session = db.into().session().await?;
        let conn = session.conn();
        if changes.is_empty() {
            return self.get(conn, id).await;
        }

        let changed = |index: &usize| changes.iter().any(|(changed, _)| changed == index);
        if !table.search.iter().any(changed) {
            return self.set(conn, id, &changes).await;
        }
        // The embedding is of all search fields: those that stay are read, and
        // the row is locked so that no other change comes between.
        let mut transaction = conn.begin().await?;
        let kept = self.lock_search_fields(&mut transaction, id).await?;
        let mut encoder = Encoder::default();
        for (index, kept) in table.search.iter().zip(&kept) {
            match changes.iter().find(|(changed, _)| changed == index) {
                Some((_, value)) => encoder.add_value(value),
                None => encoder.add_value(kept),
            }
        }
        let embedding = encoder.finish();
        let mut changes = changes;
        changes.push((
            embedding_index(table),
            embedding
                .as_ref()
                .map_or(Value::Null, ColumnValue::to_value),
        ));
        let record = self.set(&mut transaction, id, &changes).await?;
        transaction.commit().await?;
        Ok(record)
    }

    /// Deletes a record softly: it stays in the table, and no query sees it
    /// unless asked. [`restore`](Self::restore) brings it back.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`], also if it is deleted already.
    pub async fn delete<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<(), Error> {
        let table = M::TABLE;
        let mut session = db.into().session().await?;
        let deleted = [(
            column_index(table, Role::DeletedAt),
            Value::Timestamptz(now()),
        )];
        // A live record only, whatever the query sees: the first time of deletion stays.
        let mut live = self.clone();
        live.deleted = Deleted::Without;
        live.set(session.conn(), id, &deleted).await.map(drop)
    }

    /// Deletes a record for good. One that is softly deleted is seen only
    /// [`with_deleted`](Self::with_deleted).
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`].
    pub async fn hard_delete<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<(), Error> {
        let table = M::TABLE;
        let id_column = table.role(Role::Id).quoted();
        let mut sql = Sql::new(&format!("DELETE FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        sql.push(&format!(" AND {id_column} = "));
        sql.bind(id)?;
        sql.push(&format!(" RETURNING {id_column}"));
        let mut session = db.into().session().await?;
        let row = sql
            .fetch_optional(session.conn())
            .await
            .map_err(|error| Error::of_table(table, error))?;
        match row {
            Some(_) => Ok(()),
            None => Err(not_found(table, id)),
        }
    }

    /// Brings back a softly deleted record and returns it.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is no deleted record of this id;
    /// [`Error::is_conflict`] if a live record has taken its place.
    pub async fn restore<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<M, Error> {
        let mut session = db.into().session().await?;
        let live = [(column_index(M::TABLE, Role::DeletedAt), Value::Null)];
        self.clone()
            .only_deleted()
            .set(session.conn(), id, &live)
            .await
    }

    /// Sets columns of one record and moves `updated_at`.
    async fn set(
        &self,
        conn: &mut PgConnection,
        id: i64,
        changes: &[(usize, Value<'_>)],
    ) -> Result<M, Error> {
        let table = M::TABLE;
        let mut sql = Sql::new(&format!("UPDATE {} SET ", table.quoted()));
        for (index, value) in changes {
            let column = &table.columns[*index];
            sql.push(&format!("{} = ", column.quoted()));
            sql.bind_value(column, value.clone())?;
            sql.push(", ");
        }
        // Never back and never the same, whatever the clock of this machine says.
        let updated_at = table.role(Role::UpdatedAt).quoted();
        sql.push(&format!("{updated_at} = greatest("));
        sql.bind(now())?;
        sql.push(&format!(", {updated_at} + interval '1 microsecond')"));
        self.push_where(&mut sql)?;
        sql.push(&format!(" AND {} = ", table.role(Role::Id).quoted()));
        sql.bind(id)?;
        sql.push(&format!(" RETURNING {}", self.selected()));
        one(sql, conn, table)
            .await?
            .ok_or_else(|| not_found(table, id))
    }

    /// The values of the search fields, in their order, of a record that stays
    /// locked until the transaction ends.
    async fn lock_search_fields(
        &self,
        conn: &mut PgConnection,
        id: i64,
    ) -> Result<Vec<Value<'static>>, Error> {
        let table = M::TABLE;
        let mut sql = Sql::new(&format!(
            "SELECT {} FROM {}",
            search_list(table).join(", "),
            table.quoted()
        ));
        self.push_where(&mut sql)?;
        sql.push(&format!(" AND {} = ", table.role(Role::Id).quoted()));
        sql.bind(id)?;
        sql.push(" FOR UPDATE");
        let row = sql
            .fetch_optional(conn)
            .await
            .map_err(|error| Error::of_table(table, error))?
            .ok_or_else(|| not_found(table, id))?;
        search_values(table, &row, 0)
    }
}

/// The search fields, as text, in SQL.
pub(crate) fn search_list(table: &'static Table) -> Vec<String> {
    table
        .search
        .iter()
        .map(|index| format!("{}::text", table.columns[*index].quoted()))
        .collect()
}

/// The values of [`search_list`] in a row, from its column `first` on.
pub(crate) fn search_values(
    table: &'static Table,
    row: &PgRow,
    first: usize,
) -> Result<Vec<Value<'static>>, Error> {
    let mut values = Vec::with_capacity(table.search.len());
    for (place, index) in table.search.iter().enumerate() {
        let text: Option<String> = row.try_get(first + place)?;
        values.push(match (text, table.columns[*index].ty) {
            (None, _) => Value::Null,
            (Some(text), ColumnType::Jsonb) => Value::Jsonb(std::borrow::Cow::Owned(
                serde_json::from_str::<Json>(&text)
                    .map_err(|error| sqlx::Error::Decode(error.into()))?,
            )),
            (Some(text), _) => Value::Text(text.into()),
        });
    }
    Ok(values)
}

/// The columns that an insert gives a value: all but the primary key,
/// `deleted_at` and what the database fills.
fn inserted(table: &'static Table) -> impl Iterator<Item = (usize, &'static ColumnDef)> {
    table.columns.iter().enumerate().filter(|(_, column)| {
        !matches!(column.role, Role::Id | Role::DeletedAt) && !column.generated
    })
}

pub(super) fn inserted_list(table: &'static Table) -> String {
    inserted(table)
        .map(|(_, column)| column.quoted())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Checks a new record as [`QueryBuilder::create`] does, without storing it.
///
/// # Errors
///
/// [`Error::is_invalid`] with every wrong field.
pub fn check_new<N: Assign>(new: &N) -> Result<(), Error> {
    check_record(new).map_err(|wrong| Error::invalid(N::Model::TABLE.name, wrong))
}

/// Every field of a new record that its column refuses.
pub(super) fn check_record<N: Assign>(new: &N) -> Result<(), Vec<FieldError>> {
    let wrong: Vec<FieldError> = inserted(N::Model::TABLE)
        .filter_map(|(index, column)| {
            new.value(index)
                .and_then(|value| check(column, &value).err())
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The row of a new record, in the order of [`inserted_list`].
pub(super) fn row<N: Assign>(
    new: &N,
    now: chrono::DateTime<Utc>,
) -> impl Iterator<Item = (&'static ColumnDef, Value<'_>)> {
    let table = N::Model::TABLE;
    inserted(table).map(move |(index, column)| {
        let value = match column.role {
            Role::Embedding => {
                embedding_of(new).map_or(Value::Null, |embedding| embedding.to_value().into_owned())
            }
            Role::UpdatedAt => Value::Timestamptz(now),
            Role::CreatedAt => new.value(index).unwrap_or(Value::Timestamptz(now)),
            Role::Id | Role::DeletedAt | Role::Plain => new.value(index).unwrap_or(Value::Null),
        };
        (column, value)
    })
}

fn embedding_of<N: Assign>(new: &N) -> Option<Embedding> {
    let mut encoder = Encoder::default();
    for index in N::Model::TABLE.search {
        if let Some(value) = new.value(*index) {
            encoder.add_value(&value);
        }
    }
    encoder.finish()
}

/// The time of this machine, as PostgreSQL keeps it.
pub(super) fn now() -> chrono::DateTime<Utc> {
    to_microseconds(Utc::now())
}

fn embedding_index(table: &'static Table) -> usize {
    column_index(table, Role::Embedding)
}

fn column_index(table: &'static Table, role: Role) -> usize {
    let wanted = table.role(role).name;
    table
        .columns
        .iter()
        .position(|column| column.name == wanted)
        .unwrap_or_else(|| unreachable!("the column was just found"))
}

fn not_found(table: &'static Table, id: i64) -> Error {
    Error::NotFound {
        table: table.name,
        id,
    }
}

async fn one<M: Model>(
    sql: Sql,
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<M>, Error> {
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::of_table(table, error))?;
    Ok(row.as_ref().map(M::from_row).transpose()?)
}
