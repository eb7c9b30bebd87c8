//! A row of a COPY: its fields, as values and as JSON.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnDef, ColumnRole, ColumnValues, Model as _};
use crate::value::{Json, JsonMap, Parameter, Value};
use crate::write::insertable_columns;

/// Splits a row into its fields: NULL, or the bytes of a value.
fn fields(row: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let (count, mut rest) = row.split_first_chunk::<2>()?;
    let count = usize::try_from(i16::from_be_bytes(*count)).ok()?;
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        fields.push(match usize::try_from(i32::from_be_bytes(*length)) {
            Err(_) => None,
            Ok(length) => {
                let (field, after) = rest.split_at_checked(length)?;
                rest = after;
                Some(field)
            }
        });
    }
    rest.is_empty().then_some(fields)
}

/// Binds a row, as the list of values of an `INSERT`.
pub(super) fn bind(sql: &mut Sql, columns: &[&'static ColumnDef], row: &[u8]) -> Result<(), Error> {
    let fields = fields(row).unwrap_or_default();
    for (index, (column, bytes)) in columns.iter().zip(fields).enumerate() {
        if index > 0 {
            sql.push(", ");
        }
        sql.bind(EncodedValue { column, bytes })?;
        if let Some(ty) = column.cast {
            sql.push(&format!("::{ty}"));
        }
    }
    Ok(())
}

/// A value that is already encoded.
struct EncodedValue<'a> {
    column: &'static ColumnDef,
    bytes: Option<&'a [u8]>,
}

impl Type<Postgres> for EncodedValue<'_> {
    fn type_info() -> PgTypeInfo {
        <Parameter<'_> as Type<Postgres>>::type_info()
    }
}

impl<'q> Encode<'q, Postgres> for EncodedValue<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(match self.bytes {
            None => IsNull::Yes,
            Some(bytes) => {
                buffer.extend_from_slice(bytes);
                IsNull::No
            }
        })
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        let parameter = Parameter {
            ty: self.column.ty,
            value: Value::Null,
        };
        parameter.produces()
    }
}

/// The values given for a record as JSON, without hidden columns.
pub(super) fn json_of_record<N: ColumnValues>(record: &N) -> JsonMap {
    let given = insertable_columns(N::Model::TABLE).filter(|(_, column)| is_visible(column));
    let given = given.filter_map(|(index, column)| Some((column, record.value(index)?)));
    given
        .map(|(column, value)| (column.name.to_owned(), json(column, &value)))
        .collect()
}

/// The values of an encoded row as JSON, without hidden columns.
pub(super) fn json_of_row(columns: &[&'static ColumnDef], row: &[u8]) -> JsonMap {
    let fields = fields(row).unwrap_or_default();
    let mut map = JsonMap::new();
    for (column, bytes) in columns.iter().zip(fields) {
        let value = bytes.map_or(Ok(Value::Null), |bytes| Value::decode(column.ty, bytes));
        if let (true, Ok(value)) = (is_visible(column), value) {
            map.insert(column.name.to_owned(), json(column, &value));
        }
    }
    map
}

fn is_visible(column: &ColumnDef) -> bool {
    !column.hidden && matches!(column.role, ColumnRole::Plain | ColumnRole::CreatedAt)
}

/// Converts a value to JSON, in the form that the insert type reads.
fn json(column: &ColumnDef, value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::String(text.as_ref().to_owned()),
        Value::Jsonb(json) => json.as_ref().clone(),
        Value::Timestamptz(_) | Value::Bytea(_) => Json::String((column.format)(value)),
        other => {
            let text = (column.format)(other);
            serde_json::from_str(&text).unwrap_or(Json::String(text))
        }
    }
}
