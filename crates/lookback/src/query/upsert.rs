//! Upsert: inserting a record, or updating the record with its key.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use sqlx::Row as _;

use super::create::STORED_RECORD;
use super::update::addable_time;
use super::{Deleted, QueryBuilder};
use crate::db::Db;
use crate::db::Sql;
use crate::error::{Error, FieldError};
use crate::model::{ColumnRole, KeyDef, Model, nearest};
use crate::write::{bind_row, check_new, given_columns, insertable_columns, now, quoted_list};

/// A unique key of a model, by which [`QueryBuilder::upsert`] identifies a record.
///
/// [`#[model]`](crate::model) generates a function for each unique index and unique
/// constraint of a struct, named after it:
/// `Metric::metrics_endpoint_window_start_key()`.
pub struct UniqueKey<M> {
    place: usize,
    of: PhantomData<fn() -> M>,
}

/// The result of an upsert.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Upserted<M> {
    /// The record as stored.
    pub record: M,
    /// Whether it was inserted; otherwise it was updated.
    pub created: bool,
}

impl<M: Model> UniqueKey<M> {
    #[doc(hidden)]
    pub const fn __new(place: usize) -> Self {
        Self {
            place,
            of: PhantomData,
        }
    }

    /// Returns the unique key of this name.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for an unknown name, listing the unique keys.
    pub fn named(name: &str) -> Result<Self, Error> {
        let table = M::TABLE;
        if let Some(place) = table.keys.iter().position(|key| key.name == name) {
            return Ok(Self::__new(place));
        }
        let names = || table.keys.iter().map(|key| key.name);
        let problem = match (nearest(name, names()), table.keys.is_empty()) {
            (Some(near), _) => format!("is not a unique key; did you mean {near}?"),
            (None, true) => format!("is not a unique key: {} has none", table.name),
            (None, false) => format!(
                "is not a unique key of {}, which has {}",
                table.name,
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        Err(Error::invalid_field(table.name, name, problem))
    }

    pub(super) fn target(self) -> &'static str {
        self.def().target
    }

    fn def(self) -> &'static KeyDef {
        &M::TABLE.keys[self.place]
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Inserts a record, or updates the record with the same unique key.
    ///
    /// An update sets every field except `id` and `created_at`, also those that are
    /// NULL or at their default in the new record. It is one statement: of several
    /// concurrent upserts one inserts and the others update. If a soft-deleted record
    /// has the key (a unique key without `WHERE deleted_at IS NULL`), it is a conflict,
    /// unless the query is [`with_deleted`](Self::with_deleted); then that record is
    /// updated and stays deleted.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid field; [`Error::is_conflict`] if it
    /// violates another unique key, or a deleted record has the key.
    pub async fn upsert<'c>(
        &self,
        db: impl Into<Db<'c>>,
        new: M::New,
        key: UniqueKey<M>,
    ) -> Result<Upserted<M>, Error> {
        let table = M::TABLE;
        self.check_no_conditions("a record to upsert")?;
        check_new(&new)?;
        let now = now();
        let mut sql = self.upsert_statement(std::slice::from_ref(&new), key, now)?;
        sql.push(&format!(", {}", self.selected()));
        let mut session = db.into().session().await?;
        let row = sql
            .fetch_optional(session.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        match row {
            Some(row) => Ok(Upserted {
                record: M::from_row(&row)
                    .map_err(|error| Error::of_record(table, STORED_RECORD, error))?,
                created: row.try_get("__created")?,
            }),
            None => Err(self.key_conflict(key)),
        }
    }

    /// The upsert of records that leave the same columns to the database. It returns a row
    /// for each, with the column `__created`.
    pub(super) fn upsert_statement(
        &self,
        records: &[M::New],
        key: UniqueKey<M>,
        now: DateTime<Utc>,
    ) -> Result<Sql, Error> {
        let table = M::TABLE;
        let mut sql = insert_statement::<M>(records, now)?;
        sql.push(&format!(" ON CONFLICT {} DO UPDATE SET ", key.target()));
        for (_, column) in insertable_columns(table) {
            let name = column.quoted();
            match column.role {
                ColumnRole::CreatedAt | ColumnRole::UpdatedAt => {}
                _ => sql.push(&format!("{name} = excluded.{name}, ")),
            }
        }
        // Always later than the time of an insert, which distinguishes the two.
        let updated_at = table.column_of(ColumnRole::UpdatedAt).quoted();
        sql.push(&format!(
            "{updated_at} = greatest(excluded.{updated_at}, {}) + interval '1 microsecond'",
            addable_time(&format!("kept.{updated_at}"))
        ));
        let deleted_at = table.column_of(ColumnRole::DeletedAt).quoted();
        match self.deleted {
            Deleted::Without => sql.push(&format!(" WHERE kept.{deleted_at} IS NULL")),
            Deleted::With => {}
            Deleted::Only => sql.push(&format!(" WHERE kept.{deleted_at} IS NOT NULL")),
        }
        sql.push(&format!(" RETURNING {updated_at} = "));
        sql.bind(now)?;
        sql.push(" AS __created");
        Ok(sql)
    }

    /// The error of an upsert whose key belongs to a record that the query does not see.
    pub(super) fn key_conflict(&self, key: UniqueKey<M>) -> Error {
        let key = key.def();
        Error::conflict(FieldError::new(
            key.field,
            format!(
                "is already used by a {} record (unique key {})",
                match self.deleted {
                    Deleted::Only => "live",
                    _ => "deleted",
                },
                key.name
            ),
        ))
    }
}

/// The `INSERT` of records that leave the same columns to the database, under the name
/// `kept`.
pub(super) fn insert_statement<M: Model>(
    records: &[M::New],
    now: DateTime<Utc>,
) -> Result<Sql, Error> {
    let columns = records.first().map(given_columns).unwrap_or_default();
    let mut sql = Sql::new(&format!(
        "INSERT INTO {} AS kept ({}) VALUES ",
        M::TABLE.quoted(),
        quoted_list(&columns)
    ));
    for (place, record) in records.iter().enumerate() {
        sql.push(if place > 0 { ", (" } else { "(" });
        bind_row(&mut sql, record, now)?;
        sql.push(")");
    }
    Ok(sql)
}

impl<M> Clone for UniqueKey<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for UniqueKey<M> {}

impl<M: Model> fmt::Debug for UniqueKey<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.def().name)
    }
}
