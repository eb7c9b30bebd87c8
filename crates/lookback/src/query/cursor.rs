//! Cursors: positions in a list.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::order::OrderBy;
use crate::db::Sql;
use crate::error::Error;
use crate::hash::fnv1a;
use crate::model::{ColumnRole, Table};
use crate::value::{ColumnType, Json, Parameter, Problem, StoredTime, Value};

/// A position in a list: the next page is after it, the previous page before it.
///
/// Records that are added or deleted meanwhile do not move it.
/// [`Page::next`](super::Page::next) and [`Page::previous`](super::Page::previous)
/// return one. [`after`](super::QueryBuilder::after) and
/// [`before`](super::QueryBuilder::before) accept it, also as text. The text has
/// letters, digits, `-` and `_`, which fit into a URL. It contains the values that
/// its record is ordered by, and anyone can decode it. A value of more than 256 bytes
/// is left out and read from the record. It is valid for every query of the same table,
/// order and search.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(String);

/// The cursor where a page starts or ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PageStart {
    After(String),
    Before(String),
}

impl PageStart {
    /// The setting, and the text of the cursor.
    fn field_and_text(&self) -> (&'static str, &str) {
        match self {
            Self::After(cursor) => ("after", cursor),
            Self::Before(cursor) => ("before", cursor),
        }
    }
}

/// A key of an order, as SQL, with the type of its values.
#[derive(Clone, Debug)]
pub(super) struct OrderKey {
    pub(super) by: OrderBy,
    /// The key, in terms of the columns of the table.
    pub(super) sql: String,
    ty: ColumnType,
    cast: Option<&'static str>,
    nullable: bool,
}

impl OrderKey {
    pub(super) fn of(table: &'static Table, by: OrderBy, sql: &mut Sql) -> Result<Self, Error> {
        let column = by.def(table);
        let listed = column.is_listed_text();
        Ok(Self {
            sql: by.key(table, sql)?,
            nullable: by.is_nullable(table),
            // Listed values have their own order: the key is the index in the list.
            ty: match &by.target {
                Some(_) => ColumnType::Float8,
                None if listed => ColumnType::Int4,
                None => column.ty,
            },
            cast: if listed { None } else { column.cast },
            by,
        })
    }

    /// Whether its values may be visible in a cursor.
    pub(super) fn is_visible(&self, table: &'static Table) -> bool {
        let column = self.by.def(table);
        // A distance is from a vector of the caller.
        !column.hidden || column.role == ColumnRole::DeletedAt || self.by.target.is_some()
    }

    /// The name of the key beside the columns of a row.
    pub(super) fn alias(place: usize) -> String {
        format!("__key{place}")
    }
}

impl Cursor {
    /// The version of the format. Every cursor that was ever written stays readable.
    pub(super) const VERSION: u64 = 1;

    /// The cursor of a row that was read with its keys.
    pub(super) fn of_row(
        table: &'static Table,
        keys: &[OrderKey],
        row: &PgRow,
    ) -> Result<Self, sqlx::Error> {
        let mut values = Vec::with_capacity(keys.len());
        for (place, key) in keys.iter().enumerate() {
            let value = KeyValue::read(row, &OrderKey::alias(place), key.ty)?;
            values.push(shortened(value.to_json()));
        }
        let order = order_of(table, keys);
        Ok(Self::encode(&Json::Array(vec![
            Self::VERSION.into(),
            table.name.into(),
            order.into(),
            Json::Array(values),
        ])))
    }

    pub(super) fn encode(json: &Json) -> Self {
        Self(BASE64.encode(json.to_string()))
    }

    /// Decodes the text of a cursor: the version, the table, the order and the values
    /// of its keys.
    pub(super) fn decode(table: &'static Table, text: &str) -> Result<Json, Problem> {
        let json: Option<Json> = BASE64
            .decode(text)
            .ok()
            .and_then(|bytes| Json::from_slice(&bytes).ok());
        let json = json.filter(Json::is_array).ok_or_else(|| {
            Problem::new("is not a cursor; give one that a page of this list came with")
        })?;
        if json[0].as_u64() != Some(Self::VERSION) {
            return Err(Problem::new("is a cursor of another version of Lookback"));
        }
        if json[1].as_str() != Some(table.name) {
            return Err(Problem::new(format!(
                "is a cursor of another table, not of {}",
                table.name
            )));
        }
        Ok(json)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq)]
enum KeyValue {
    /// A time as it is stored: a page starts exactly there, even beyond a `DateTime`.
    Time(StoredTime),
    Other(Value<'static>),
}

impl KeyValue {
    fn read(row: &PgRow, name: &str, ty: ColumnType) -> Result<Self, sqlx::Error> {
        if ty == ColumnType::Timestamptz {
            let time: Option<StoredTime> = row.try_get(name)?;
            return Ok(time.map_or(Self::Other(Value::Null), Self::Time));
        }
        Value::read(row, name, ty).map(Self::Other)
    }

    /// Converts the value to JSON, which [`from_json`](Self::from_json) reads.
    fn to_json(&self) -> Json {
        match self {
            Self::Time(time) => {
                let text = time.to_cursor_text();
                let number = text.parse().map(Json::Number);
                Json::Array(vec![number.unwrap_or(Json::String(text))])
            }
            Self::Other(value) => value.to_raw_json(),
        }
    }

    fn from_json(json: &Json, ty: ColumnType) -> Option<Self> {
        if ty != ColumnType::Timestamptz {
            return Value::from_raw_json(json, ty)
                .filter(is_storable)
                .map(Self::Other);
        }
        match json.as_array()?.as_slice() {
            [] => Some(Self::Other(Value::Null)),
            [Json::String(text)] => StoredTime::from_cursor_text(text).map(Self::Time),
            [Json::Number(number)] => StoredTime::from_cursor_text(number.as_str()).map(Self::Time),
            _ => None,
        }
    }

    /// Binds the value and returns its placeholder; `None` for NULL.
    fn bind(&self, key: &OrderKey, sql: &mut Sql) -> Result<Option<String>, Error> {
        let placeholder = match self {
            Self::Other(Value::Null) => return Ok(None),
            Self::Time(time) => sql.argument(*time)?,
            Self::Other(value) => sql.argument(Parameter {
                ty: key.ty,
                value: value.clone(),
            })?,
        };
        let cast = key.cast.map(|ty| format!("::{ty}")).unwrap_or_default();
        Ok(Some(placeholder + &cast))
    }
}

/// The largest value in a cursor, in bytes of its JSON.
const MAX_VALUE: usize = 256;

/// Replaces a large value by a string, its digest: the value is read from the record.
fn shortened(value: Json) -> Json {
    let text = value.to_string();
    if text.len() > MAX_VALUE {
        Json::String(digest(&text))
    } else {
        value
    }
}

fn digest(text: &str) -> String {
    format!("{}-{:016x}", text.len(), fnv1a(text.bytes()))
}

/// Reads the values that a cursor leaves out, from its record; `None` if it has all.
///
/// # Errors
///
/// [`Error::is_invalid`] if the record was deleted for good, or one of the values has
/// changed: the position is not known any more.
pub(super) async fn resolve(
    table: &'static Table,
    order: &[OrderBy],
    start: &PageStart,
    conn: &mut PgConnection,
) -> Result<Option<PageStart>, Error> {
    let (field, text) = start.field_and_text();
    let mut sql = Sql::default();
    let keys = keys(table, order, &mut sql)?;
    // `push_start` reports an invalid cursor.
    let Ok(cursor) = Cursor::decode(table, text) else {
        return Ok(None);
    };
    let (Some(values), true) = (
        cursor[3]
            .as_array()
            .filter(|values| values.len() == keys.len()),
        cursor[2].as_str() == Some(&order_of(table, &keys)),
    ) else {
        return Ok(None);
    };
    let id = values
        .last()
        .and_then(|id| KeyValue::from_json(id, ColumnType::Int8));
    let (Some(KeyValue::Other(Value::Int8(id))), true) = (id, values.iter().any(Json::is_string))
    else {
        return Ok(None);
    };
    let columns = keys.iter().enumerate();
    let columns = columns.map(|(place, key)| format!("{} AS {}", key.sql, OrderKey::alias(place)));
    sql.push(&format!(
        "SELECT {} FROM {} WHERE {} = ",
        columns.collect::<Vec<_>>().join(", "),
        table.quoted(),
        table.column_of(ColumnRole::Id).quoted()
    ));
    sql.bind(id)?;
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    let lost = || {
        let problem = format!(
            "is a cursor of record {id}, which has another value since, or is deleted; start \
             again at the first page"
        );
        Error::invalid_field(table.name, field, problem)
    };
    let row = row.ok_or_else(lost)?;
    let mut all = Vec::with_capacity(values.len());
    for (place, (key, value)) in keys.iter().zip(values).enumerate() {
        all.push(match value {
            Json::String(wanted) => {
                let value = KeyValue::read(&row, &OrderKey::alias(place), key.ty)?.to_json();
                if digest(&value.to_string()) != *wanted {
                    return Err(lost());
                }
                value
            }
            value => value.clone(),
        });
    }
    let whole = Json::Array(vec![
        cursor[0].clone(),
        cursor[1].clone(),
        cursor[2].clone(),
        Json::Array(all),
    ]);
    let whole = Cursor::encode(&whole).to_string();
    Ok(Some(match start {
        PageStart::After(_) => PageStart::After(whole),
        PageStart::Before(_) => PageStart::Before(whole),
    }))
}

/// Decodes the values of the keys from the text of a cursor.
fn values(table: &'static Table, keys: &[OrderKey], text: &str) -> Result<Vec<KeyValue>, Problem> {
    let json = Cursor::decode(table, text)?;
    let order = order_of(table, keys);
    if json[2].as_str() != Some(&order) {
        let of = match json[2].as_str() {
            Some(by) if !by.contains(' ') => format!("ordered by {by}"),
            _ => "with a search".to_owned(),
        };
        return Err(Problem::new(format!(
            "is a cursor of a list {of}; this one is ordered by {order}"
        )));
    }
    let values: Option<Vec<KeyValue>> = json[3]
        .as_array()
        .filter(|values| values.len() == keys.len())
        .and_then(|values| {
            keys.iter()
                .zip(values)
                .map(|(key, value)| KeyValue::from_json(value, key.ty))
                .collect()
        });
    values.ok_or_else(|| Problem::new("is a cursor that was changed, or cut"))
}

/// Whether PostgreSQL can store the value. Other values are rejected here, where
/// they do not fail the caller's transaction.
fn is_storable(value: &Value<'_>) -> bool {
    fn has_nul(json: &Json) -> bool {
        match json {
            Json::String(text) => text.contains('\0'),
            Json::Array(items) => items.iter().any(has_nul),
            Json::Object(map) => map.iter().any(|(k, v)| k.contains('\0') || has_nul(v)),
            _ => false,
        }
    }
    match value {
        Value::Jsonb(json) => !has_nul(json),
        _ => true,
    }
}

fn order_of(table: &'static Table, keys: &[OrderKey]) -> String {
    let order: Vec<String> = keys.iter().map(|key| key.by.to_text(table)).collect();
    order.join(",")
}

/// Appends ` AND …`: after the cursor in the order of the keys, or before it.
pub(super) fn push_start(
    table: &'static Table,
    order: &[OrderBy],
    start: &PageStart,
    sql: &mut Sql,
) -> Result<(), Error> {
    let (field, cursor) = start.field_and_text();
    let mut keys = keys(table, order, sql)?;
    let values = values(table, &keys, cursor)
        .map_err(|problem| Error::invalid_field(table.name, field, problem))?;
    if matches!(start, PageStart::Before(_)) {
        for key in &mut keys {
            key.by = key.by.clone().reversed();
        }
    }
    let keys = keys.as_slice();
    let mut bound = Vec::with_capacity(keys.len());
    for (key, value) in keys.iter().zip(&values) {
        bound.push(value.bind(key, sql)?);
    }
    sql.push(" AND (");
    sql.push(&condition(keys, &bound));
    sql.push(")");
    Ok(())
}

/// The first value of a cursor, if it is a time, and the id of its record.
pub(super) fn time_and_id(
    table: &'static Table,
    order: &[OrderBy],
    start: &PageStart,
) -> Result<Option<(Option<StoredTime>, i64)>, Error> {
    let keys = keys(table, order, &mut Sql::default())?;
    let (_, cursor) = start.field_and_text();
    // `push_start` reports an invalid cursor.
    let values = values(table, &keys, cursor).unwrap_or_default();
    let time = match values.first() {
        Some(KeyValue::Time(time)) => Some(*time),
        _ => None,
    };
    Ok(match values.last() {
        Some(KeyValue::Other(Value::Int8(id))) => Some((time, *id)),
        _ => None,
    })
}

/// The condition "comes after these values"; `None` is NULL.
fn condition(keys: &[OrderKey], values: &[Option<String>]) -> String {
    let simple = keys.iter().all(|key| !key.nullable)
        && keys
            .windows(2)
            .all(|two| two[0].by.descending == two[1].by.descending);
    if simple && let Some(values) = values.iter().cloned().collect::<Option<Vec<_>>>() {
        // One comparison of rows, which an index on these columns supports.
        let columns: Vec<&str> = keys.iter().map(|key| key.sql.as_str()).collect();
        let operator = if keys.first().is_some_and(|key| key.by.descending) {
            "<"
        } else {
            ">"
        };
        let rows = format!(
            "({}) {operator} ({})",
            columns.join(", "),
            values.join(", ")
        );
        // A BRIN index does not support a comparison of rows, but the bound that it implies.
        return match (columns.as_slice(), values.as_slice()) {
            ([column, _, ..], [value, ..]) => format!("{rows} AND {column} {operator}= {value}"),
            _ => rows,
        };
    }
    let mut ways = Vec::with_capacity(keys.len());
    let mut equal = String::new();
    for (key, value) in keys.iter().zip(values) {
        ways.push(format!(
            "({equal}{})",
            strictly_after(key, value.as_deref())
        ));
        equal.push_str(&match value {
            Some(value) => format!("{} = {value} AND ", key.sql),
            None => format!("{} IS NULL AND ", key.sql),
        });
    }
    let ways = ways.join(" OR ");
    // A bound on the first key is implied, and an index can use it.
    match (keys.first(), values.first()) {
        (Some(key), Some(Some(value))) if !key.nullable || key.by.nulls_first => {
            let operator = if key.by.descending { "<=" } else { ">=" };
            format!("{} {operator} {value} AND ({ways})", key.sql)
        }
        _ => ways,
    }
}

/// The condition "this key comes after this value".
fn strictly_after(key: &OrderKey, value: Option<&str>) -> String {
    let operator = if key.by.descending { "<" } else { ">" };
    match value {
        None if key.by.nulls_first => format!("{} IS NOT NULL", key.sql),
        None => "FALSE".to_owned(),
        Some(value) if key.nullable && !key.by.nulls_first => {
            format!("({sql} {operator} {value} OR {sql} IS NULL)", sql = key.sql)
        }
        Some(value) => format!("{} {operator} {value}", key.sql),
    }
}

/// The keys of an order, which ends with the id.
pub(super) fn keys(
    table: &'static Table,
    order: &[OrderBy],
    sql: &mut Sql,
) -> Result<Vec<OrderKey>, Error> {
    debug_assert!(
        order
            .last()
            .is_some_and(|by| by.field.column == table.index_of(ColumnRole::Id))
    );
    let keys = order.iter().cloned();
    keys.map(|by| OrderKey::of(table, by, sql)).collect()
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({})", self.0)
    }
}

/// Accepts any text; the query validates it.
impl FromStr for Cursor {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl From<&str> for Cursor {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Cursor {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&Self> for Cursor {
    fn from(cursor: &Self) -> Self {
        cursor.clone()
    }
}

impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
