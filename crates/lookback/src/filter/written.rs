//! How the values of filters are written: alone and in groups, as text, lists
//! and JSON.

use crate::filter::Lookup;
use crate::filter::key::Place;
use crate::filter::scan::Scanner;
use crate::model::ColumnDef;
use crate::value::{ColumnType, Json, Problem};

/// How the value of a lookup is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text.
    Plain,
    /// Text, or text in quotes, which says that it is a string.
    Quotable,
    /// Items with commas between them.
    List,
    /// The same, or a JSON array.
    Array,
    /// A JSON value.
    Json,
    /// JSON values with commas between them.
    JsonList,
}

impl Form {
    pub(super) fn of(column: &ColumnDef, place: &Place, lookup: Lookup) -> Self {
        let in_json = !place.path.is_empty();
        let is_json = !in_json && column.ty == ColumnType::Jsonb;
        let is_array = !in_json && matches!(column.ty, ColumnType::Array(_));
        match lookup {
            Lookup::Is | Lookup::IsNot => Self::JsonList,
            Lookup::In | Lookup::NotIn if is_json => Self::JsonList,
            Lookup::In | Lookup::NotIn | Lookup::Between | Lookup::NotBetween => Self::List,
            Lookup::ArrayContains | Lookup::ArrayContained | Lookup::ArrayOverlaps => Self::Array,
            Lookup::Eq | Lookup::Ne if is_array => Self::Array,
            Lookup::Eq | Lookup::Ne if is_json => Self::Json,
            Lookup::IsNull | Lookup::IsNotNull | Lookup::Exists => Self::Plain,
            _ if in_json => Self::Quotable,
            _ => Self::Plain,
        }
    }
}

/// A value that has been taken apart.
#[derive(Debug)]
pub(super) enum Raw {
    One(Item),
    Many(Vec<Item>),
    Json(Vec<Json>),
}

/// Text, and whether it was in quotes.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) text: String,
    pub(super) quoted: bool,
}

impl Raw {
    /// A value that goes to the end.
    pub(super) fn alone(form: Form, scanner: &mut Scanner<'_>) -> Result<Self, Problem> {
        let raw = match form {
            Form::Plain => {
                let text = scanner.rest().to_owned();
                scanner.skip(text.len());
                Self::One(Item {
                    text,
                    quoted: false,
                })
            }
            Form::Quotable => Self::One(item(scanner, &[])?),
            Form::Array if scanner.peek() == Some('[') => Self::Json(elements(scanner, &[])?),
            Form::List | Form::Array => Self::Many(items(scanner, None)?),
            Form::Json => Self::Json(vec![json(scanner, &[])?]),
            Form::JsonList => Self::Json(jsons(scanner, None)?),
        };
        match scanner.is_at_end() {
            true => Ok(raw),
            false => Err(scanner.unexpected("the end")),
        }
    }

    /// A value in a group, which ends before `,` or `)`.
    pub(super) fn in_group(form: Form, scanner: &mut Scanner<'_>) -> Result<Self, Problem> {
        const ENDS: [char; 2] = [',', ')'];
        match form {
            Form::Plain | Form::Quotable => Ok(Self::One(grouped_item(scanner)?)),
            Form::Array if scanner.peek() == Some('[') => Ok(Self::Json(elements(scanner, &ENDS)?)),
            Form::List | Form::Array => {
                if scanner.take("(") {
                    let items = items(scanner, Some(')'))?;
                    scanner.expect(')', "`,` or `)`")?;
                    return Ok(Self::Many(items));
                }
                let item = grouped_item(scanner)?;
                Ok(Self::Many(match item.text.is_empty() && !item.quoted {
                    true => Vec::new(),
                    false => vec![item],
                }))
            }
            Form::Json => Ok(Self::Json(vec![json(scanner, &ENDS)?])),
            Form::JsonList => {
                if scanner.take("(") {
                    let values = jsons(scanner, Some(')'))?;
                    scanner.expect(')', "`,` or `)`")?;
                    return Ok(Self::Json(values));
                }
                Ok(Self::Json(vec![json(scanner, &ENDS)?]))
            }
        }
    }

    /// Goes over a value whose form is not known.
    pub(super) fn skip(scanner: &mut Scanner<'_>) -> Result<(), Problem> {
        if scanner.take("(") {
            while !matches!(scanner.peek(), None | Some(')')) {
                scanner.json(&[')']);
                let _ = scanner.take(",");
            }
            return scanner.expect(')', "`)`");
        }
        scanner.json(&[')']);
        Ok(())
    }

    pub(super) fn one(self) -> Item {
        match self {
            Self::One(item) => item,
            _ => unreachable!("the form of the lookup is of one value"),
        }
    }

    pub(super) fn many(self) -> Vec<Item> {
        match self {
            Self::Many(items) => items,
            _ => unreachable!("the form of the lookup is a list"),
        }
    }

    pub(super) fn json(self) -> Vec<Json> {
        match self {
            Self::Json(values) => values,
            _ => unreachable!("the form of the lookup is JSON"),
        }
    }

    pub(super) fn flag(self) -> Result<bool, Problem> {
        match self.one().text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(Problem::unreadable(other, "true or false")),
        }
    }
}

fn item(scanner: &mut Scanner<'_>, ends: &[char]) -> Result<Item, Problem> {
    Ok(match scanner.quoted()? {
        Some(text) => Item { text, quoted: true },
        None => {
            let text = match ends.is_empty() {
                true => {
                    let rest = scanner.rest();
                    scanner.skip(rest.len());
                    rest
                }
                false => scanner.until(ends).trim_end(),
            };
            Item {
                text: text.to_owned(),
                quoted: false,
            }
        }
    })
}

fn grouped_item(scanner: &mut Scanner<'_>) -> Result<Item, Problem> {
    let item = item(scanner, &[',', '(', ')'])?;
    match scanner.peek() {
        Some('(') => Err(scanner
            .unexpected("`,` or `)` (a value that holds a parenthesis or a comma is in quotes)")),
        _ => Ok(item),
    }
}

/// Items with commas between them, and spaces as one likes.
fn items(scanner: &mut Scanner<'_>, end: Option<char>) -> Result<Vec<Item>, Problem> {
    let ends: &[char] = match end {
        None => &[','],
        Some(_) => &[',', '(', ')'],
    };
    let mut items = Vec::new();
    scanner.skip_spaces();
    if scanner.peek() == end {
        return Ok(items);
    }
    loop {
        scanner.skip_spaces();
        let start = scanner.clone();
        let item = item(scanner, ends)?;
        if item.text.is_empty() && !item.quoted {
            return Err(Problem::new(format!(
                "at character {}, an item of the list is missing; \"\" is the empty text",
                start.position()
            )));
        }
        items.push(item);
        scanner.skip_spaces();
        if scanner.peek() == end {
            return Ok(items);
        }
        scanner.expect(',', "`,` between two items, or the end of the list")?;
    }
}

fn json(scanner: &mut Scanner<'_>, ends: &[char]) -> Result<Json, Problem> {
    let start = scanner.clone();
    let text = match ends.is_empty() {
        true => {
            let rest = scanner.rest();
            scanner.skip(rest.len());
            rest
        }
        false => scanner.json(ends),
    };
    serde_json::from_str(text).map_err(|_| {
        Problem::new(format!(
            "{} (at character {}), such as 5, true, \"text\" or {{\"key\":[1,2]}}",
            Problem::unreadable(text, "JSON"),
            start.position()
        ))
    })
}

fn jsons(scanner: &mut Scanner<'_>, end: Option<char>) -> Result<Vec<Json>, Problem> {
    let mut values = Vec::new();
    scanner.skip_spaces();
    if scanner.peek() == end {
        return Ok(values);
    }
    loop {
        values.push(json(
            scanner,
            &[',', ')'][..if end.is_some() { 2 } else { 1 }],
        )?);
        if scanner.peek() == end {
            return Ok(values);
        }
        scanner.expect(',', "`,` between two values, or the end of the list")?;
    }
}

/// The elements of a JSON array.
fn elements(scanner: &mut Scanner<'_>, ends: &[char]) -> Result<Vec<Json>, Problem> {
    match json(scanner, ends)? {
        Json::Array(items) => Ok(items),
        other => Err(Problem::wrong_json(&other, "an array")),
    }
}
