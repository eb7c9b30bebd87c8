//! Keys and measures of groups from text, for a program that gets them from its
//! users.

use chrono::{DateTime, Utc};

use super::super::bucket::{Bucket, push_bucket_with_offset, text_in_zone};
use super::super::select::{Cells, Selection, Terms};
use super::{AggregateCall, AggregateFunction, Keys, Measures, average, is_exact, push_exact};
use crate::error::Error;
use crate::filter::{FieldPath, field_path, split_field};
use crate::model::{ColumnDef, Model, nearest};
use crate::value::{ColumnType, Json, JsonMap, JsonNumber, json_of_float};

/// Keys from text; each key is a JSON object.
#[derive(Clone, Debug)]
pub struct TextKeys(Vec<TextKey>);

#[derive(Clone, Debug)]
struct TextKey {
    text: String,
    field: FieldPath,
    bucket: Option<Bucket>,
}

impl TextKeys {
    /// Parses keys: `level`, `meta.user.id`, `created_at__1h`,
    /// `created_at__day@Europe/Berlin`.
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
            let field = field_path(table, name)?;
            let def = &table.columns[field.column];
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
                field,
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
                Some(bucket) => push_bucket_with_offset::<M>(key.field.column, bucket, terms)?,
                None => terms.push_field(M::TABLE, &key.field)?,
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
                _ => cells.json(&M::TABLE.columns[key.field.column])?,
            };
            keys.insert(key.text.clone(), value);
        }
        Ok(keys)
    }
}

impl<M: Model> Keys<M> for TextKeys {}

/// Measures from text; the measures of a group are a JSON object.
#[derive(Clone, Debug)]
pub struct TextMeasures(Vec<TextMeasure>);

#[derive(Clone, Debug)]
struct TextMeasure {
    text: String,
    function: AggregateFunction,
    field: FieldPath,
}

impl TextMeasures {
    /// Parses measures: `count`, `duration__avg`, `duration__sum`,
    /// `duration__min`, `duration__max`, `duration__p95` (or any other
    /// percentile, `p99.9`), `source__distinct`; at a place in JSON, those of its numbers,
    /// `meta.ms__p95`.
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
                .any(|measure: &TextMeasure| measure.text == text)
            {
                return Err(Error::invalid_field(table.name, text, "is given twice"));
            }
            let (function, field) = match split_field(table, text) {
                (_, None) if text == "count" => (AggregateFunction::Count, FieldPath::of_column(0)),
                (_, None) => {
                    return Err(Error::invalid_field(
                        table.name,
                        text,
                        "must be an aggregate, such as count, field__avg or field__p95",
                    ));
                }
                (name, Some(function)) => {
                    let field = field_path(table, name)?;
                    let column = &table.columns[field.column];
                    let function = function_named(column, field.is_in_json(), function)
                        .map_err(|problem| Error::invalid_field(table.name, text, problem))?;
                    (function, field)
                }
            };
            read.push(TextMeasure {
                text: text.to_owned(),
                function,
                field,
            });
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
fn function_named(
    column: &ColumnDef,
    is_in_json: bool,
    name: &str,
) -> Result<AggregateFunction, String> {
    let number = is_in_json || column.ty.is_number();
    let ordered = number || column.ty.is_ordered();
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
        if is_in_json {
            "a place in JSON".into()
        } else {
            column.ty.sql()
        },
        offered.join(", ")
    ))
}

impl<M: Model> Selection<M> for TextMeasures {
    type Row = JsonMap;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        for measure in &self.0 {
            if measure.field.is_in_json() {
                push_json_measure::<M>(measure, terms)?;
            } else {
                let call = AggregateCall {
                    function: measure.function,
                    column: measure.field.column,
                };
                call.push::<M>(terms)?;
            }
        }
        Ok(())
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<JsonMap, sqlx::Error> {
        let number = |cells: &mut Cells<'_>| {
            let number = cells.nullable::<JsonNumber>()?;
            Ok::<Json, sqlx::Error>(number.map_or(Json::Null, Json::Number))
        };
        let mut measures = JsonMap::new();
        for TextMeasure {
            text,
            function,
            field,
        } in &self.0
        {
            let column = &M::TABLE.columns[field.column];
            let value = match function {
                AggregateFunction::Count | AggregateFunction::CountDistinct => {
                    Json::from(cells.value::<i64>()?)
                }
                AggregateFunction::Percentile(_) => {
                    cells.nullable::<f64>()?.map_or(Json::Null, json_of_float)
                }
                _ if field.is_in_json() => number(cells)?,
                AggregateFunction::Min | AggregateFunction::Max => cells.json(column)?,
                AggregateFunction::Sum | AggregateFunction::Avg if is_exact(column) => {
                    number(cells)?
                }
                _ => cells.nullable::<f64>()?.map_or(Json::Null, json_of_float),
            };
            measures.insert(text.clone(), value);
        }
        Ok(measures)
    }
}

/// Appends a measure of the numbers at a place in JSON; other values are ignored, as NULL is.
fn push_json_measure<M: Model>(measure: &TextMeasure, terms: &mut Terms<'_>) -> Result<(), Error> {
    let table = M::TABLE;
    let column = &table.columns[measure.field.column];
    let value = measure.field.json_value(table, terms.sql)?;
    // `CASE` is evaluated first, so that only numbers are converted.
    let number = format!("CASE jsonb_typeof({value}) WHEN 'number' THEN ({value})::numeric END");
    let exact = match measure.function {
        AggregateFunction::Count | AggregateFunction::CountDistinct => {
            terms.push(column, format!("count(DISTINCT {value})"));
            return Ok(());
        }
        AggregateFunction::Percentile(share) => {
            let share = terms.sql.argument(share)?;
            // A larger number is beyond a float.
            let float =
                format!("CASE WHEN abs({number}) < '1e308'::numeric THEN ({number})::float8 END");
            let term = format!("percentile_cont({share}) WITHIN GROUP (ORDER BY {float})");
            terms.push(column, term);
            return Ok(());
        }
        AggregateFunction::Min => format!("min({number})"),
        AggregateFunction::Max => format!("max({number})"),
        AggregateFunction::Sum => format!("sum({number})"),
        AggregateFunction::Avg => average(&number),
    };
    push_exact(column, exact, terms);
    Ok(())
}

impl<M: Model> Measures<M> for TextMeasures {}
