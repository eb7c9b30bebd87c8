//! Importing records with the columns that Lookback and the database usually fill in.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use sqlx::Row as _;

use super::QueryBuilder;
use crate::db::{CloseOnDrop, Db, Sql, TransactionScope, sequence};
use crate::error::{Error, FieldError};
use crate::model::{ColumnDef, ColumnRole, ColumnValues, Model};
use crate::search::index::Changes;
use crate::value::{ColumnValue, JsonMap, Value};
use crate::write::{EncodedCopy, check_records, copy_all, insert, insert_many};

/// A record of an export, to be stored by [`QueryBuilder::import_many`].
///
/// From JSON, it accepts the fields of the insert type, `id`, `updated_at` and `deleted_at`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Imported<N> {
    /// The fields that every new record has.
    pub record: N,
    /// The id to store it under; `None` for the next one of the sequence.
    pub id: Option<i64>,
    /// When the record was last changed; `None` for the time of the import.
    pub updated_at: Option<DateTime<Utc>>,
    /// When the record was deleted; `None` for a live record.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl<N: ColumnValues> Imported<N> {
    /// A live record under a new id.
    pub fn new(record: N) -> Self {
        Self {
            record,
            id: None,
            updated_at: None,
            deleted_at: None,
        }
    }
}

impl<N: ColumnValues> ColumnValues for Imported<N> {
    type Model = N::Model;

    fn value(&self, column: usize) -> Option<Value<'_>> {
        match N::Model::TABLE.columns.get(column)?.role {
            ColumnRole::Id => self.id.as_ref().map(ColumnValue::to_value),
            ColumnRole::UpdatedAt => self.updated_at.as_ref().map(ColumnValue::to_value),
            // Given for live records too, so that all records have the same columns.
            ColumnRole::DeletedAt => Some(
                self.deleted_at
                    .as_ref()
                    .map_or(Value::Null, ColumnValue::to_value),
            ),
            _ => self.record.value(column),
        }
    }

    fn from_json(mut map: JsonMap) -> Result<Self, Error> {
        let table = N::Model::TABLE;
        let mut errors = Vec::new();
        let id = take(&mut map, table.column_of(ColumnRole::Id), &mut errors);
        let updated_at = take(
            &mut map,
            table.column_of(ColumnRole::UpdatedAt),
            &mut errors,
        );
        let deleted_at = take(
            &mut map,
            table.column_of(ColumnRole::DeletedAt),
            &mut errors,
        );
        let record = match N::from_json(map) {
            Ok(record) if errors.is_empty() => record,
            read => {
                errors.extend(read.err().iter().flat_map(Error::fields).cloned());
                return Err(Error::invalid(table.name, errors));
            }
        };
        Ok(Self {
            record,
            id,
            updated_at,
            deleted_at,
        })
    }
}

/// Removes a field from the object, and reads it; NULL counts as absent.
fn take<T: ColumnValue>(
    map: &mut JsonMap,
    column: &'static ColumnDef,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let json = map.remove(column.name).filter(|json| !json.is_null())?;
    match T::from_json(json) {
        Ok(value) => Some(value),
        Err(problem) => {
            errors.push(FieldError::new(column.name, problem));
            None
        }
    }
}

/// Records that are encoded for [`QueryBuilder::import_encoded`], with their embeddings.
///
/// Encoding takes about as long as the database takes to store the records. This is for a program
/// that encodes in another thread than the one that stores.
#[derive(Debug)]
pub struct EncodedRecords<M: Model> {
    copy: EncodedCopy,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> EncodedRecords<M> {
    /// Encodes records that [`check_new`](super::check_new) accepts; others are rejected when they
    /// are stored.
    ///
    /// Returns `None` for what only [`QueryBuilder::import_many`] stores: no records, records with
    /// ids, and records that leave different columns to the database.
    ///
    /// # Errors
    ///
    /// A value has no form for the database.
    pub fn new(records: &[Imported<M::New>]) -> Result<Option<Self>, Error> {
        if records.iter().any(|record| record.id.is_some()) {
            return Ok(None);
        }
        let copy = EncodedCopy::new(records)
            .map_err(|error| Error::from_driver(M::TABLE, sqlx::Error::Encode(error)))?;
        Ok(copy.map(|copy| Self {
            copy,
            model: PhantomData,
        }))
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.copy.records
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.copy.records == 0
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Inserts encoded records, all or none, and returns their number.
    ///
    /// # Errors
    ///
    /// As for [`import_many`](Self::import_many).
    ///
    /// # Cancellation
    ///
    /// As for [`create_many`](Self::create_many).
    pub async fn import_encoded<'c>(
        &self,
        db: impl Into<Db<'c>>,
        records: &EncodedRecords<M>,
    ) -> Result<u64, Error> {
        self.check_no_conditions("records to import")?;
        self.check_not_only_deleted("records to import")?;
        let mut session = CloseOnDrop::new(db.into().session().await?);
        let copied = records.copy.send(session.conn()).await;
        if matches!(copied, Ok(_) | Err(sqlx::Error::Database(_))) {
            session.release();
        }
        copied.map_err(|error| Error::from_driver(M::TABLE, error).after_rows(0))
    }

    /// Returns which of these ids a record has, deleted ones included, in ascending order.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn existing_ids<'c>(
        &self,
        db: impl Into<Db<'c>>,
        ids: &[i64],
    ) -> Result<Vec<i64>, Error> {
        let table = M::TABLE;
        self.check_no_conditions("ids to look up")?;
        let id = table.column_of(ColumnRole::Id).quoted();
        let mut sql = Sql::new(&format!(
            "SELECT {id} AS __id FROM {} WHERE {id} = ANY(",
            table.quoted()
        ));
        sql.bind(ids)?;
        sql.push(&format!(") ORDER BY {id}"));
        let mut session = db.into().session().await?;
        let rows = sql
            .fetch_all(session.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        let ids = rows.iter().map(|row| row.try_get("__id"));
        Ok(ids.collect::<Result<_, sqlx::Error>>()?)
    }

    /// Inserts records of an export, all or none, and returns their number.
    ///
    /// Each keeps its `created_at`, `updated_at` and `deleted_at`; the embedding is computed.
    /// Either all of them have an id or none does. With ids, the sequence of the table first moves
    /// behind the greatest one, so that no later record gets an id of these, and records among
    /// sealed ones are added to the search summaries.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid field of every record; [`Error::is_conflict`] if
    /// another record has the id or violates a unique key. Each has the index of its record, from
    /// 0. [`Error::is_setup`] if an id belongs to a partition that was dropped, while the default
    /// partition is being split: finish that with
    /// [`precreate_partitions`](crate::maintenance::precreate_partitions), and import again.
    ///
    /// # Cancellation
    ///
    /// As for [`create_many`](Self::create_many).
    pub async fn import_many<'c>(
        &self,
        db: impl Into<Db<'c>>,
        records: &[Imported<M::New>],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        self.check_no_conditions("records to import")?;
        self.check_not_only_deleted("records to import")?;
        check_records(records)?;
        let ids: Vec<i64> = records.iter().filter_map(|record| record.id).collect();
        if !ids.is_empty()
            && let Some(row) = records.iter().position(|record| record.id.is_none())
        {
            let id = table.column_of(ColumnRole::Id).name;
            let problem = "is required, because other records have one";
            return Err(Error::invalid(
                table.name,
                vec![FieldError::new(id, problem).at_row(row)],
            ));
        }
        let mut session = CloseOnDrop::new(db.into().session().await?);
        if ids.is_empty() {
            return insert_many(session, records).await;
        }
        let imported = import_with_ids(&mut session, records, ids).await;
        if imported.as_ref().err().is_none_or(|error| {
            error.is_invalid()
                || error.is_conflict()
                || error.is_setup()
                || error.sqlstate().is_some()
        }) {
            session.release();
        }
        imported
    }
}

async fn import_with_ids<N: ColumnValues>(
    session: &mut CloseOnDrop<'_>,
    records: &[Imported<N>],
    ids: Vec<i64>,
) -> Result<u64, Error> {
    let table = N::Model::TABLE;
    let mut transaction = TransactionScope::begin(session.conn()).await?;
    // Until the transaction ends, no segment is sealed: it would lack these records.
    let summaries = Changes::begin(transaction.conn(), table).await?;
    let newest = ids.iter().copied().max().unwrap_or(0);
    sequence::move_behind(transaction.conn(), table, newest)
        .await
        .map_err(
            |error| match records.iter().position(|r| r.id == Some(newest)) {
                Some(row) => error.at_row(row),
                None => error,
            },
        )?;
    // A COPY of one record waits for an acknowledgement of TCP.
    let inserted = if records.len() == 1 {
        insert(transaction.conn(), records, Error::from_import)
            .await
            .map_err(|error| error.at_row(0))
    } else {
        copy_all(transaction.conn(), records)
            .await
            .map_err(|(before, error)| Error::from_import(table, error).after_rows(before))
    }?;
    summaries.inserted(transaction.conn(), &ids).await?;
    transaction.commit().await?;
    Ok(inserted)
}
