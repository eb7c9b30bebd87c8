//! Keys and measures of groups from text, for a program that gets them from its
//! users.

use chrono::{DateTime, Utc};

use super::super::bucket::{Bucket, push_bucket_with_offset, text_in_zone};
use super::super::select::{Cells, Selection, Terms};
use super::{AggregateCall, AggregateFunction, Keys, Measures, exact_number, is_exact};
use crate::error::Error;
use crate::filter::{searchable, split_field};
use crate::model::{ColumnDef, Model, nearest};
use crate::value::{ColumnType, Json, JsonMap, json_of_float};

/// Keys from text; each key is a JSON object.
#[derive(Clone, Debug)]
pub struct TextKeys(Vec<TextKey>);

#[derive(Clone, Debug)]
struct TextKey {
    text: String,
    column: usize,
    bucket: Option<Bucket>,
}

impl TextKeys {
    /// Parses keys: `level`, `created_at__1h`, `created_at__day@Europe/Berlin`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for an unknown or hidden field, an unknown bucket or one
    /// of a field that is not a time, and for no key at all.
    pub fn parse<M: Model>(keys: &[impl AsRef<str>]) -> Result<Self, Error> {
        let table = M::TABLE;
        let mut read = Vec::with_capacity(keys.len());
        for text in keys {
            let text = text.as_ref();
            let refuse = |problem: String| Error::invalid_field(table.name, text, problem);
            let (name, bucket) = split_field(table, text);
            if read.iter().any(|key: &TextKey| key.text == text) {
                return Err(refuse("is given twice".to_owned()));
            }
            let column = searchable(table, name)?;
            let def = &table.columns[column];
            let bucket = match bucket {
                Some(_) if def.ty != ColumnType::Timestamptz => {
                    return Err(refuse(format!(
                        "{name} is not a time, and has no time buckets; write {name}"
                    )));
                }
                Some(bucket) => Some(
                    bucket
                        .parse()
                        .map_err(|problem| Error::invalid_field(table.name, text, problem))?,
                ),
                None => None,
            };
            read.push(TextKey {
                text: text.to_owned(),
                column,
                bucket,
            });
        }
        if read.is_empty() {
            Err(Error::invalid_field(
                table.name,
                "group_by",
                "names no field; give at least one",
            ))
        } else {
            Ok(Self(read))
        }
    }
}

impl<M: Model> Selection<M> for TextKeys {
    type Row = JsonMap;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        for key in &self.0 {
            match &key.bucket {
                Some(bucket) => push_bucket_with_offset::<M>(key.column, bucket, terms)?,
                None => terms.push_column(&M::TABLE.columns[key.column]),
            }
        }
        Ok(())
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<JsonMap, sqlx::Error> {
        let mut keys = JsonMap::new();
        for key in &self.0 {
            let value = match &key.bucket {
                Some(bucket) if bucket.has_zone() => {
                    let start = cells.nullable::<DateTime<Utc>>()?;
                    let offset = cells.nullable::<i32>()?;
                    start.map_or(Json::Null, |start| text_in_zone(start, offset).into())
                }
                _ => cells.json(&M::TABLE.columns[key.column])?,
            };
            keys.insert(key.text.clone(), value);
        }
        Ok(keys)
    }
}

impl<M: Model> Keys<M> for TextKeys {}

/// Measures from text; the measures of a group are a JSON object.
#[derive(Clone, Debug)]
pub struct TextMeasures(Vec<(String, AggregateCall)>);

impl TextMeasures {
    /// Parses measures: `count`, `duration__avg`, `duration__sum`,
    /// `duration__min`, `duration__max`, `duration__p95` (or any other
    /// percentile, `p99.9`), `source__distinct`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for an unknown or hidden field, for a function that the
    /// field does not support, listing those that it does, and for no measure at all.
    pub fn parse<M: Model>(measures: &[impl AsRef<str>]) -> Result<Self, Error> {
        let table = M::TABLE;
        let mut read = Vec::with_capacity(measures.len());
        for text in measures {
            let text = text.as_ref();
            if read
                .iter()
                .any(|(name, _): &(String, AggregateCall)| name == text)
            {
                return Err(Error::invalid_field(table.name, text, "is given twice"));
            }
            let call = match split_field(table, text) {
                (_, None) if text == "count" => AggregateCall {
                    function: AggregateFunction::Count,
                    column: 0,
                },
                (_, None) => {
                    return Err(Error::invalid_field(
                        table.name,
                        text,
                        "must be an aggregate, such as count, field__avg or field__p95",
                    ));
                }
                (name, Some(function)) => {
                    let column = searchable(table, name)?;
                    let function = function_named(&table.columns[column], function)
                        .map_err(|problem| Error::invalid_field(table.name, text, problem))?;
                    AggregateCall { function, column }
                }
            };
            read.push((text.to_owned(), call));
        }
        if read.is_empty() {
            Err(Error::invalid_field(
                table.name,
                "measures",
                "must have at least one measure, such as count",
            ))
        } else {
            Ok(Self(read))
        }
    }
}

/// The function of this name, if the column supports it.
fn function_named(column: &ColumnDef, name: &str) -> Result<AggregateFunction, String> {
    use ColumnType as T;
    let number = matches!(column.ty, T::Int4 | T::Int8 | T::Float8);
    let ordered = number || matches!(column.ty, T::Text | T::Timestamptz | T::Enum(_));
    let percentile = name
        .strip_prefix('p')
        .and_then(|percent| percent.parse::<f64>().ok());
    match name {
        "distinct" => return Ok(AggregateFunction::CountDistinct),
        "min" if ordered => return Ok(AggregateFunction::Min),
        "max" if ordered => return Ok(AggregateFunction::Max),
        "avg" if number => return Ok(AggregateFunction::Avg),
        "sum" if number => return Ok(AggregateFunction::Sum),
        _ => {}
    }
    if let Some(percent) = percentile
        && number
    {
        return if (0.0..=100.0).contains(&percent) {
            Ok(AggregateFunction::Percentile(percent / 100.0))
        } else {
            Err("is not a percentile from p0 to p100".to_owned())
        };
    }
    let mut offered = vec!["distinct"];
    if ordered {
        offered.extend(["min", "max"]);
    }
    if number {
        offered.extend(["avg", "sum", "p50", "p95", "p99"]);
    }
    let near = nearest(name, offered.iter().copied())
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    Err(format!(
        "{name} is not an aggregate of {}{near} (it has {})",
        column.ty.sql(),
        offered.join(", ")
    ))
}

impl<M: Model> Selection<M> for TextMeasures {
    type Row = JsonMap;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        self.0
            .iter()
            .try_for_each(|(_, call)| call.push::<M>(terms))
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<JsonMap, sqlx::Error> {
        let mut measures = JsonMap::new();
        for (text, call) in &self.0 {
            let column = &M::TABLE.columns[call.column];
            let value = match call.function {
                AggregateFunction::Count | AggregateFunction::CountDistinct => {
                    Json::from(cells.value::<i64>()?)
                }
                AggregateFunction::Min | AggregateFunction::Max => cells.json(column)?,
                AggregateFunction::Sum | AggregateFunction::Avg if is_exact(column) => {
                    exact_number(cells)?.map_or(Json::Null, Json::Number)
                }
                _ => cells.nullable::<f64>()?.map_or(Json::Null, json_of_float),
            };
            measures.insert(text.clone(), value);
        }
        Ok(measures)
    }
}

impl<M: Model> Measures<M> for TextMeasures {}
