//! The values of a new record: validated against the columns of its model, with
//! its times and its embedding filled in.

use chrono::Utc;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::db::Sql;
use crate::embedding::{Embedding, Encoder};
use crate::error::{Error, FieldError};
use crate::model::{ColumnDef, ColumnRole, ColumnValues, Model, Table, check};
use crate::value::{ColumnType, ColumnValue, Json, Value, to_microseconds};

/// Reads the values of `encoder_texts` from a row, from its column `first` on.
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
            // The encoder finds no words in values of these types.
            (Some(_), ty) if !ty.has_words() => Value::Null,
            (Some(text), ColumnType::Jsonb | ColumnType::Array(_)) => {
                Value::Jsonb(std::borrow::Cow::Owned(
                    serde_json::from_str::<Json>(&text)
                        .map_err(|error| sqlx::Error::Decode(error.into()))?,
                ))
            }
            (Some(text), _) => Value::Text(text.into()),
        });
    }
    Ok(values)
}

/// The columns that an `INSERT` sets: all except the primary key, `deleted_at` and
/// generated columns.
pub(crate) fn insertable_columns(
    table: &'static Table,
) -> impl Iterator<Item = (usize, &'static ColumnDef)> {
    table.columns.iter().enumerate().filter(|(_, column)| {
        !matches!(column.role, ColumnRole::Id | ColumnRole::DeletedAt) && !column.generated
    })
}

/// The columns that the `INSERT` of this record sets: all insertable columns except
/// those that it leaves to the default of the database.
pub(crate) fn given_columns<N: ColumnValues>(new: &N) -> Vec<&'static ColumnDef> {
    given_indexes(new).map(|(_, column)| column).collect()
}

/// The id and the time of deletion are given by imported records only.
fn given_indexes<N: ColumnValues>(new: &N) -> impl Iterator<Item = (usize, &'static ColumnDef)> {
    let columns = N::Model::TABLE.columns.iter().enumerate();
    columns.filter(|(index, column)| match column.role {
        ColumnRole::Id | ColumnRole::DeletedAt => new.value(*index).is_some(),
        _ if column.generated => false,
        _ => !column.database_default || new.value(*index).is_some(),
    })
}

/// Whether the record has an id of its own, instead of the next one of the sequence.
pub(crate) fn has_id<N: ColumnValues>(new: &N) -> bool {
    new.value(N::Model::TABLE.index_of(ColumnRole::Id))
        .is_some()
}

pub(crate) fn quoted_list(columns: &[&'static ColumnDef]) -> String {
    let quoted: Vec<String> = columns.iter().map(|column| column.quoted()).collect();
    quoted.join(", ")
}

/// Validates a new record as [`QueryBuilder::create`](crate::QueryBuilder::create)
/// does, without storing it.
///
/// # Errors
///
/// [`Error::is_invalid`] with every invalid field.
pub fn check_new<N: ColumnValues>(new: &N) -> Result<(), Error> {
    check_record(new).map_err(|wrong| Error::invalid(N::Model::TABLE.name, wrong))
}

/// Validates a new record; an error has every invalid field.
pub(crate) fn check_record<N: ColumnValues>(new: &N) -> Result<(), Vec<FieldError>> {
    let wrong: Vec<FieldError> = given_indexes(new)
        .filter_map(|(index, column)| {
            new.value(index)
                .and_then(|value| check(column, &value).err())
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Validates new records; an error has every invalid field, with the index of its record.
pub(crate) fn check_records<N: ColumnValues>(records: &[N]) -> Result<(), Error> {
    let errors: Vec<FieldError> = records
        .iter()
        .enumerate()
        .filter_map(|(row, record)| Some((row, check_record(record).err()?)))
        .flat_map(|(row, errors)| errors.into_iter().map(move |field| field.at_row(row)))
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid(N::Model::TABLE.name, errors))
    }
}

/// Visits the columns and values of a new record, in the order of [`given_columns`].
pub(crate) fn visit_row<N: ColumnValues, E>(
    new: &N,
    now: chrono::DateTime<Utc>,
    mut each: impl FnMut(&'static ColumnDef, Value<'_>) -> Result<(), E>,
) -> Result<(), E> {
    for (index, column) in given_indexes(new) {
        match column.role {
            ColumnRole::Embedding => match embedding_of(new) {
                Some(embedding) => each(column, embedding.to_value())?,
                None => each(column, Value::Null)?,
            },
            ColumnRole::UpdatedAt | ColumnRole::CreatedAt => {
                each(column, new.value(index).unwrap_or(Value::Timestamptz(now)))?;
            }
            ColumnRole::Id | ColumnRole::DeletedAt | ColumnRole::Plain => {
                let value = new.value(index).map(|value| column.stored(value));
                each(column, value.unwrap_or(Value::Null))?;
            }
        }
    }
    Ok(())
}

/// Binds the values of a new record for an `INSERT`.
pub(crate) fn bind_row<N: ColumnValues>(
    sql: &mut Sql,
    new: &N,
    now: chrono::DateTime<Utc>,
) -> Result<(), Error> {
    let mut first = true;
    visit_row(new, now, |column, value| {
        if !std::mem::take(&mut first) {
            sql.push(", ");
        }
        sql.bind_value(column, value)
    })
}

fn embedding_of<N: ColumnValues>(new: &N) -> Option<Embedding> {
    let mut encoder = Encoder::default();
    for index in N::Model::TABLE.search {
        if let Some(value) = new.value(*index) {
            let column = &N::Model::TABLE.columns[*index];
            encoder.add_value(&column.stored(value));
        }
    }
    encoder.finish()
}

/// The time of this machine, in microseconds as PostgreSQL stores it.
pub(crate) fn now() -> chrono::DateTime<Utc> {
    to_microseconds(Utc::now())
}
