//! Builds the condition of a lookup and its value.

use chrono::{DateTime, Utc};

use super::operand::{RawOperand, Word};
use crate::filter::key::{FieldPath, searchable};
use crate::filter::lookup::{CONTAINS, Operation};
use crate::filter::tree::{JsonTest, Node, Tree};
use crate::filter::{Comparison, Lookup, Relation, Test};
use crate::model::{ColumnDef, Table, json_problem};
use crate::value::{ColumnType, Json, Problem, Quoted, Value, calendar, time};

/// Builds the tree of a filter.
pub(super) fn tree(
    table: &'static Table,
    target: FieldPath,
    lookup: &Lookup,
    raw: RawOperand,
    now: DateTime<Utc>,
) -> Result<Tree, Problem> {
    let column = &table.columns[target.column];
    let builder = ConditionBuilder {
        column: target.column,
        path: target.path,
        now,
    };
    let tree = if let RawOperand::Field(other) = &raw {
        builder.other_column(table, lookup.operation(), other)?
    } else if builder.path.is_empty() {
        builder.column(column, lookup.operation(), raw)?
    } else {
        builder.json(lookup.operation(), raw)?
    };
    Ok(if lookup.is_negated() {
        tree.not()
    } else {
        tree
    })
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

    /// Builds the comparison with another column.
    fn other_column(
        &self,
        table: &'static Table,
        operation: Operation,
        other: &str,
    ) -> Result<Tree, Problem> {
        let Operation::Compare(comparison) = operation else {
            unreachable!("`ParsedKey` rejects other lookups");
        };
        let index = searchable(table, other).map_err(|error| Problem::new(error.to_string()))?;
        let (column, def) = (&table.columns[self.column], &table.columns[index]);
        if !column.is_comparable_with(def) {
            return Err(Problem::new(format!(
                "is {} and cannot be compared with {other}, which is {}",
                column.ty.sql(),
                def.ty.sql()
            )));
        }
        self.test(Test::CompareColumn(comparison, index))
    }

    fn column(
        &self,
        column: &ColumnDef,
        operation: Operation,
        raw: RawOperand,
    ) -> Result<Tree, Problem> {
        let value = |text: &str| match self.relative(column.ty, text) {
            Some(value) => value,
            None => (column.parse)(text),
        };
        match operation {
            Operation::Compare(comparison) => {
                let value = match column.ty {
                    ColumnType::Array(_) => self.array(column, raw)?,
                    ColumnType::Jsonb => {
                        let values = json_values(column, raw.json())?;
                        values.into_iter().next().unwrap_or(Value::Null)
                    }
                    _ => value(&raw.one().text)?,
                };
                self.test(Test::Compare(comparison, value))
            }
            Operation::In if column.ty == ColumnType::Jsonb => {
                self.test(Test::In(json_values(column, raw.json())?))
            }
            Operation::In => {
                let items = raw.many();
                let values: Result<_, _> = items.iter().map(|item| value(&item.text)).collect();
                self.test(Test::In(values?))
            }
            Operation::Between => {
                let (low, high) = pair(raw)?;
                let (low, high) = (value(&low.text)?, value(&high.text)?);
                let low = self.test(Test::Compare(Comparison::Gte, low))?;
                Ok(low.and(self.test(Test::Compare(Comparison::Lte, high))?))
            }
            Operation::IsNull => self.flag(raw, Test::IsNull),
            Operation::Match(case, shape) => {
                self.test(Test::Like(shape.pattern(&raw.one().text, case)?))
            }
            Operation::Overlap(relation) => {
                self.test(Test::Array(relation, self.array(column, raw)?))
            }
            Operation::Exists | Operation::JsonIn => {
                unreachable!("`lookup_for` rejects lookups for paths into JSON")
            }
        }
    }

    fn json(&self, operation: Operation, raw: RawOperand) -> Result<Tree, Problem> {
        let test = |test| self.test(Test::Json(self.path.clone(), test));
        match operation {
            Operation::Compare(Comparison::Eq) => test(JsonTest::In(json_readings(&raw.one()))),
            Operation::Compare(comparison) => test(JsonTest::Compare(
                comparison,
                self.json_operand(&raw.one())?,
            )),
            Operation::In => test(JsonTest::In(
                raw.many().iter().flat_map(json_readings).collect(),
            )),
            Operation::JsonIn => test(JsonTest::In(raw.json())),
            Operation::Between => {
                let (low, high) = pair(raw)?;
                let (low, high) = (self.json_operand(&low)?, self.json_operand(&high)?);
                if low.is_number() != high.is_number() {
                    return Err(Problem::new(
                        "must have two numbers or two strings; a number in quotes is a string",
                    ));
                }
                let low = test(JsonTest::Compare(Comparison::Gte, low))?;
                Ok(low.and(test(JsonTest::Compare(Comparison::Lte, high))?))
            }
            Operation::IsNull => self.flag(raw, Test::Json(self.path.clone(), JsonTest::IsNull)),
            Operation::Exists => self.flag(raw, Test::Json(self.path.clone(), JsonTest::Exists)),
            Operation::Match(case, shape) => {
                let item = raw.one();
                let matches = test(JsonTest::Like(shape.pattern(&item.text, case)?))?;
                if operation != CONTAINS {
                    return Ok(matches);
                }
                let element = JsonTest::Array(Relation::Contains, vec![json_readings(&item)]);
                Ok(matches.or(test(element)?))
            }
            Operation::Overlap(relation) => {
                let groups = match raw {
                    RawOperand::Json(values) => {
                        values.into_iter().map(|value| vec![value]).collect()
                    }
                    raw => raw.many().iter().map(json_readings).collect(),
                };
                test(JsonTest::Array(relation, groups))
            }
        }
    }

    /// The number that a word spells, or else the string.
    ///
    /// A place in JSON has numbers and strings, and no times. Text that looks like a number
    /// or a relative time would be compared letter by letter, and is rejected.
    fn json_operand(&self, item: &Word) -> Result<Json, Problem> {
        let text = item.text.as_str();
        if item.quoted {
            return Ok(Json::String(text.to_owned()));
        }
        if let Some(number) = number(text) {
            return Ok(number);
        }
        if let Some(time) = time::read_relative(text, self.now) {
            return Err(Problem::new(format!(
                "{} is a time relative to now, and the values at a place in JSON are numbers and \
                 strings; write the time as the records do, such as {}, or the string \"{text}\" \
                 in quotes",
                Quoted(text),
                time::text(&time),
            )));
        }
        let looks_like_number = text
            .trim_start_matches(['+', '-', '.'])
            .starts_with(|c: char| c.is_ascii_digit());
        if looks_like_number && !time::starts_with_date(text) {
            return Err(Problem::new(format!(
                "{} is neither a number nor a date; put it in quotes to compare it as text, \
                 letter by letter",
                Quoted(text)
            )));
        }
        Ok(Json::String(text.to_owned()))
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
            of => match self.relative(of, text) {
                Some(value) => value,
                None => Value::from_text(of, text),
            },
        }
    }

    /// Parses a value of a type whose text may be relative to now; `None` for other types.
    fn relative(&self, ty: ColumnType, text: &str) -> Option<Result<Value<'static>, Problem>> {
        Some(match ty {
            ColumnType::Timestamptz => time::read(text, self.now).map(Value::Timestamptz),
            ColumnType::Timestamp => calendar::read_timestamp(text, self.now).map(Value::Timestamp),
            ColumnType::Date => calendar::read_date(text, self.now).map(Value::Date),
            _ => return None,
        })
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
            "must have the smallest and the largest value, between=1,5; got {count}"
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

/// The number that a word spells, also in forms that JSON does not have: `+5`, `05`, `.5`
/// and `5.`.
fn number(text: &str) -> Option<Json> {
    if let Ok(number) = text.parse() {
        return Some(Json::Number(number));
    }
    let (minus, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => digits.split_at(at),
        None => (digits, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    // Anything but digits is rejected here.
    let number = format!("{minus}{whole}{point}{fraction}{exponent}").parse();
    number.ok().map(Json::Number)
}
