//! Builds the condition of a lookup and its value.

use chrono::{DateTime, Utc};

use super::operand::{RawOperand, Word};
use crate::filter::key::FieldPath;
use crate::filter::tree::{JsonTest, Node, Tree};
use crate::filter::{Comparison, Lookup, Pattern, Relation, Test};
use crate::model::{ColumnDef, Table, json_problem};
use crate::value::{ColumnType, ColumnValue as _, Json, Problem, Value, time};

/// Builds the tree of a filter.
pub(super) fn tree(
    table: &'static Table,
    target: FieldPath,
    lookup: Lookup,
    raw: RawOperand,
    now: DateTime<Utc>,
) -> Result<Tree, Problem> {
    let column = &table.columns[target.column];
    let builder = ConditionBuilder {
        column: target.column,
        path: target.path,
        now,
    };
    // The negation of another lookup becomes a `!` around that.
    let (lookup, not) = match lookup {
        Lookup::Ne => (Lookup::Eq, true),
        Lookup::NotLike => (Lookup::Like, true),
        Lookup::NotIlike => (Lookup::Ilike, true),
        Lookup::NotIn => (Lookup::In, true),
        Lookup::NotBetween => (Lookup::Between, true),
        Lookup::IsNotNull => (Lookup::IsNull, true),
        Lookup::IsNot => (Lookup::Is, true),
        lookup => (lookup, false),
    };
    let tree = match builder.path.is_empty() {
        true => builder.column(column, lookup, raw)?,
        false => builder.json(lookup, raw)?,
    };
    Ok(if not { tree.not() } else { tree })
}

struct ConditionBuilder {
    column: usize,
    path: Vec<String>,
    now: DateTime<Utc>,
}

impl ConditionBuilder {
    fn test(&self, test: Test) -> Result<Tree, Problem> {
        let test = test.validated()?;
        Ok(Tree::leaf(Node::Test {
            column: self.column,
            test,
        }))
    }

    fn column(&self, column: &ColumnDef, lookup: Lookup, raw: RawOperand) -> Result<Tree, Problem> {
        let value = |text: &str| match column.ty {
            ColumnType::Timestamptz => time::read(text, self.now).map(Value::Timestamptz),
            _ => (column.parse)(text),
        };
        if let Some(pattern) = pattern(lookup) {
            return self.test(Test::Like(pattern(&raw.one().text)?));
        }
        match lookup {
            Lookup::Eq if matches!(column.ty, ColumnType::Array(_)) => {
                self.test(Test::Compare(Comparison::Eq, self.array(column, raw)?))
            }
            Lookup::Eq if column.ty == ColumnType::Jsonb => {
                let values = json_values(column, raw.json())?;
                let value = values.into_iter().next().unwrap_or(Value::Null);
                self.test(Test::Compare(Comparison::Eq, value))
            }
            Lookup::In if column.ty == ColumnType::Jsonb => {
                self.test(Test::In(json_values(column, raw.json())?))
            }
            Lookup::In => {
                let items = raw.many();
                let values: Result<_, _> = items.iter().map(|item| value(&item.text)).collect();
                self.test(Test::In(values?))
            }
            Lookup::Between => {
                let (low, high) = pair(raw)?;
                let (low, high) = (value(&low.text)?, value(&high.text)?);
                let low = self.test(Test::Compare(Comparison::Gte, low))?;
                Ok(low.and(self.test(Test::Compare(Comparison::Lte, high))?))
            }
            Lookup::IsNull => self.flag(raw, Test::IsNull),
            lookup => match (comparison(lookup), relation(lookup)) {
                (Some(comparison), _) => {
                    let value = value(&raw.one().text)?;
                    self.test(Test::Compare(comparison, value))
                }
                (_, Some(relation)) => self.test(Test::Array(relation, self.array(column, raw)?)),
                _ => unreachable!("`lookup_for` lets no other lookup of a column through"),
            },
        }
    }

    fn json(&self, lookup: Lookup, raw: RawOperand) -> Result<Tree, Problem> {
        let test = |test| self.test(Test::Json(self.path.clone(), test));
        if lookup == Lookup::Contains {
            let item = raw.one();
            let part = Pattern::literal(true, &item.text, true, false);
            let element = JsonTest::Array(Relation::Contains, vec![json_readings(&item)]);
            return Ok(test(JsonTest::Like(part))?.or(test(element)?));
        }
        if let Some(pattern) = pattern(lookup) {
            return test(JsonTest::Like(pattern(&raw.one().text)?));
        }
        match lookup {
            Lookup::Eq => test(JsonTest::In(json_readings(&raw.one()))),
            Lookup::In => test(JsonTest::In(
                raw.many().iter().flat_map(json_readings).collect(),
            )),
            Lookup::Is => test(JsonTest::In(raw.json())),
            Lookup::IsNull => self.flag(raw, Test::Json(self.path.clone(), JsonTest::IsNull)),
            Lookup::Exists => self.flag(raw, Test::Json(self.path.clone(), JsonTest::Exists)),
            Lookup::Between => {
                let (low, high) = pair(raw)?;
                let (low, high) = (json_operand(&low), json_operand(&high));
                if low.is_number() != high.is_number() {
                    return Err(Problem::new(
                        "is between two numbers or two strings; a number in quotes is a string",
                    ));
                }
                let low = test(JsonTest::Compare(Comparison::Gte, low))?;
                Ok(low.and(test(JsonTest::Compare(Comparison::Lte, high))?))
            }
            lookup => match (comparison(lookup), relation(lookup)) {
                (Some(comparison), _) => {
                    test(JsonTest::Compare(comparison, json_operand(&raw.one())))
                }
                (_, Some(relation)) => {
                    let groups = match raw {
                        RawOperand::Json(values) => {
                            values.into_iter().map(|value| vec![value]).collect()
                        }
                        raw => raw.many().iter().map(json_readings).collect(),
                    };
                    test(JsonTest::Array(relation, groups))
                }
                _ => unreachable!("negated lookups became a `!`"),
            },
        }
    }

    /// `isnull=false` is the opposite of `isnull=true`.
    fn flag(&self, raw: RawOperand, test: Test) -> Result<Tree, Problem> {
        let is_so = raw.flag()?;
        let tree = self.test(test)?;
        Ok(if is_so { tree } else { tree.not() })
    }

    fn array(&self, column: &ColumnDef, raw: RawOperand) -> Result<Value<'static>, Problem> {
        let ColumnType::Array(of) = column.ty else {
            unreachable!("`lookup_for` lets only arrays through");
        };
        match raw {
            RawOperand::Json(values) => (column.parse)(&Json::Array(values).to_string()),
            raw => {
                let items = raw.many();
                let read = items
                    .iter()
                    .map(|item| self.element(column, *of, &item.text));
                Ok(Value::Array(of, read.collect::<Result<_, _>>()?))
            }
        }
    }

    /// Parses an element of an array like a value of a column of its type.
    fn element(
        &self,
        column: &ColumnDef,
        of: ColumnType,
        text: &str,
    ) -> Result<Value<'static>, Problem> {
        match of {
            ColumnType::Text if column.variants.is_empty() || column.variants.contains(&text) => {
                Ok(Value::Text(text.to_owned().into()))
            }
            ColumnType::Text => Err(Problem::not_one_of(text, column.variants)),
            ColumnType::Timestamptz => time::read(text, self.now).map(Value::Timestamptz),
            ColumnType::Bool => bool::from_text(text).map(Value::Bool),
            ColumnType::Int4 => i32::from_text(text).map(Value::Int4),
            ColumnType::Int8 => i64::from_text(text).map(Value::Int8),
            ColumnType::Float8 => f64::from_text(text).map(Value::Float8),
            other => unreachable!("{} is no ArrayElement", other.sql()),
        }
    }
}

fn json_values(column: &ColumnDef, values: Vec<Json>) -> Result<Vec<Value<'static>>, Problem> {
    let read = |value: Json| (column.parse)(&value.to_string());
    values.into_iter().map(read).collect()
}

fn pair(raw: RawOperand) -> Result<(Word, Word), Problem> {
    let items = raw.many();
    let count = items.len();
    let mut items = items.into_iter();
    match (items.next(), items.next(), items.next()) {
        (Some(low), Some(high), None) => Ok((low, high)),
        _ => Err(Problem::new(format!(
            "takes the smallest and the largest value, between=1,5, and not {count} of them"
        ))),
    }
}

/// The JSON values that a word stands for: the string, and without quotes also
/// the number, `true`, `false` or `null` that it spells.
fn json_readings(item: &Word) -> Vec<Json> {
    let string = Json::String(item.text.clone());
    let other = match item.text.as_str() {
        _ if item.quoted => None,
        "true" => Some(Json::Bool(true)),
        "false" => Some(Json::Bool(false)),
        "null" => Some(Json::Null),
        text => number(text).filter(|number| json_problem(number).is_none()),
    };
    other.into_iter().chain([string]).collect()
}

/// The number that a word spells, or else the string.
fn json_operand(item: &Word) -> Json {
    match number(&item.text) {
        Some(number) if !item.quoted => number,
        _ => Json::String(item.text.clone()),
    }
}

fn number(text: &str) -> Option<Json> {
    // `from_str` would skip spaces at both ends.
    let ends_well = |c: char| c.is_ascii_digit();
    let starts_well = |c: char| c.is_ascii_digit() || c == '-';
    if !text.starts_with(starts_well) || !text.ends_with(ends_well) {
        return None;
    }
    serde_json::from_str::<serde_json::Number>(text)
        .ok()
        .map(Json::Number)
}

fn comparison(lookup: Lookup) -> Option<Comparison> {
    Some(match lookup {
        Lookup::Eq => Comparison::Eq,
        Lookup::Gt => Comparison::Gt,
        Lookup::Gte => Comparison::Gte,
        Lookup::Lt => Comparison::Lt,
        Lookup::Lte => Comparison::Lte,
        _ => return None,
    })
}

fn relation(lookup: Lookup) -> Option<Relation> {
    Some(match lookup {
        Lookup::ArrayContains => Relation::Contains,
        Lookup::ArrayContained => Relation::Contained,
        Lookup::ArrayOverlaps => Relation::Overlaps,
        _ => return None,
    })
}

/// Makes a pattern from a value.
type MakePattern = fn(&str) -> Result<Pattern, Problem>;

/// The function that makes the pattern of a lookup, if it has one.
fn pattern(lookup: Lookup) -> Option<MakePattern> {
    Some(match lookup {
        Lookup::Like => |text| Pattern::new(text, false),
        Lookup::Ilike => |text| Pattern::new(text, true),
        Lookup::StartsWith => |text| Ok(Pattern::literal(false, text, true, false)),
        Lookup::IStartsWith => |text| Ok(Pattern::literal(false, text, true, true)),
        Lookup::EndsWith => |text| Ok(Pattern::literal(true, text, false, false)),
        Lookup::IEndsWith => |text| Ok(Pattern::literal(true, text, false, true)),
        Lookup::Contains => |text| Ok(Pattern::literal(true, text, true, false)),
        Lookup::IContains => |text| Ok(Pattern::literal(true, text, true, true)),
        _ => return None,
    })
}
