//! The syntax of the values of filters: text, lists and JSON.

use crate::filter::key::FieldPath;
use crate::filter::lexer::Lexer;
use crate::filter::lookup::{Lookup, Operand};
use crate::model::ColumnDef;
use crate::value::{ColumnType, Json, Problem};

/// The syntax of the value of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperandSyntax {
    /// A word without quotes.
    Plain,
    /// Text, or text in quotes. At a path into JSON, quotes make it a string.
    Quotable,
    /// Items with commas between them.
    List,
    /// Items with commas between them, or a JSON array.
    Array,
    /// A JSON value.
    Json,
    /// JSON values with commas between them.
    JsonList,
    /// The name of another field.
    Field,
}

impl OperandSyntax {
    pub(super) fn of(column: &ColumnDef, target: &FieldPath, lookup: &Lookup) -> Self {
        let in_json = !target.path.is_empty();
        let is_json = !in_json && column.ty == ColumnType::Jsonb;
        let is_array = !in_json && matches!(column.ty, ColumnType::Array(_));
        match lookup.operand() {
            Operand::Value if is_array => Self::Array,
            Operand::Value if is_json => Self::Json,
            Operand::Value => Self::Quotable,
            Operand::Flag => Self::Plain,
            Operand::Values if is_json => Self::JsonList,
            Operand::Values | Operand::Range => Self::List,
            Operand::Items => Self::Array,
            Operand::JsonValues => Self::JsonList,
        }
    }
}

/// A value that is not yet of the type of its column.
#[derive(Debug)]
pub(super) enum RawOperand {
    One(Word),
    Many(Vec<Word>),
    Json(Vec<Json>),
    /// The name of another field.
    Field(String),
}

/// Text, and whether it was in quotes.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

impl RawOperand {
    /// Parses a value that goes to the end of the text.
    pub(super) fn standalone(
        syntax: OperandSyntax,
        lexer: &mut Lexer<'_>,
    ) -> Result<Self, Problem> {
        let raw = match syntax {
            OperandSyntax::Plain => {
                let text = lexer.rest().to_owned();
                lexer.skip(text.len());
                Self::One(Word {
                    text,
                    quoted: false,
                })
            }
            OperandSyntax::Field => {
                let text = lexer.rest().to_owned();
                lexer.skip(text.len());
                Self::Field(text)
            }
            OperandSyntax::Quotable => {
                let item = item(lexer, &[])?;
                if !lexer.is_at_end() {
                    return Err(lexer.unexpected(
                        "the end after the quote (to start with a quote, write the value in \
                         quotes, and \\\" for each quote in it)",
                    ));
                }
                Self::One(item)
            }
            OperandSyntax::Array if lexer.peek() == Some('[') => Self::Json(elements(lexer, &[])?),
            OperandSyntax::List | OperandSyntax::Array => Self::Many(items(lexer, None)?),
            OperandSyntax::Json => Self::Json(vec![json(lexer, &[])?]),
            OperandSyntax::JsonList => Self::Json(jsons(lexer, None)?),
        };
        if lexer.is_at_end() {
            Ok(raw)
        } else {
            Err(lexer.unexpected("the end"))
        }
    }

    /// Parses a value in a group, which ends before `,` or `)`.
    pub(super) fn in_group(syntax: OperandSyntax, lexer: &mut Lexer<'_>) -> Result<Self, Problem> {
        const ENDS: [char; 2] = [',', ')'];
        match syntax {
            OperandSyntax::Plain | OperandSyntax::Quotable => Ok(Self::One(grouped_item(lexer)?)),
            OperandSyntax::Field => Ok(Self::Field(grouped_item(lexer)?.text)),
            OperandSyntax::Array if lexer.peek() == Some('[') => {
                Ok(Self::Json(elements(lexer, &ENDS)?))
            }
            OperandSyntax::List | OperandSyntax::Array => {
                if lexer.take("(") {
                    let items = items(lexer, Some(')'))?;
                    lexer.expect(')', "`,` or `)`")?;
                    return Ok(Self::Many(items));
                }
                let item = grouped_item(lexer)?;
                Ok(Self::Many(if item.text.is_empty() && !item.quoted {
                    Vec::new()
                } else {
                    vec![item]
                }))
            }
            OperandSyntax::Json => Ok(Self::Json(vec![json(lexer, &ENDS)?])),
            OperandSyntax::JsonList => {
                if lexer.take("(") {
                    let values = jsons(lexer, Some(')'))?;
                    lexer.expect(')', "`,` or `)`")?;
                    return Ok(Self::Json(values));
                }
                Ok(Self::Json(vec![json(lexer, &ENDS)?]))
            }
        }
    }

    /// Skips a value whose syntax is not known.
    pub(super) fn skip(lexer: &mut Lexer<'_>) -> Result<(), Problem> {
        if lexer.take("(") {
            while !matches!(lexer.peek(), None | Some(')')) {
                lexer.json(&[')']);
                let _ = lexer.take(",");
            }
            return lexer.expect(')', "`)`");
        }
        lexer.json(&[')']);
        Ok(())
    }

    pub(super) fn one(self) -> Word {
        match self {
            Self::One(item) => item,
            _ => unreachable!("the syntax of the lookup is one value"),
        }
    }

    pub(super) fn many(self) -> Vec<Word> {
        match self {
            Self::Many(items) => items,
            _ => unreachable!("the syntax of the lookup is a list"),
        }
    }

    pub(super) fn json(self) -> Vec<Json> {
        match self {
            Self::Json(values) => values,
            _ => unreachable!("the syntax of the lookup is JSON"),
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

fn item(lexer: &mut Lexer<'_>, ends: &[char]) -> Result<Word, Problem> {
    Ok(match lexer.quoted()? {
        Some(text) => Word { text, quoted: true },
        None => {
            let text = if ends.is_empty() {
                let rest = lexer.rest();
                lexer.skip(rest.len());
                rest
            } else {
                lexer.until(ends).trim_end()
            };
            Word {
                text: text.to_owned(),
                quoted: false,
            }
        }
    })
}

fn grouped_item(lexer: &mut Lexer<'_>) -> Result<Word, Problem> {
    let item = item(lexer, &[',', '(', ')'])?;
    match lexer.peek() {
        Some('(') => Err(lexer
            .unexpected("`,` or `)` (a value that holds a parenthesis or a comma is in quotes)")),
        _ => Ok(item),
    }
}

/// Parses items with commas between them; spaces around items are ignored.
fn items(lexer: &mut Lexer<'_>, end: Option<char>) -> Result<Vec<Word>, Problem> {
    let ends: &[char] = match end {
        None => &[','],
        Some(_) => &[',', '(', ')'],
    };
    let mut items = Vec::new();
    lexer.skip_spaces();
    if lexer.peek() == end {
        return Ok(items);
    }
    loop {
        lexer.skip_spaces();
        let start = lexer.clone();
        let item = item(lexer, ends)?;
        if item.text.is_empty() && !item.quoted {
            return Err(Problem::new(format!(
                "at character {}, an item of the list is missing; \"\" is the empty text",
                start.position()
            )));
        }
        items.push(item);
        lexer.skip_spaces();
        if lexer.peek() == end {
            return Ok(items);
        }
        lexer.expect(',', "`,` between two items, or the end of the list")?;
    }
}

fn json(lexer: &mut Lexer<'_>, ends: &[char]) -> Result<Json, Problem> {
    let start = lexer.clone();
    let text = if ends.is_empty() {
        let rest = lexer.rest();
        lexer.skip(rest.len());
        rest
    } else {
        lexer.json(ends)
    };
    text.parse().map_err(|_| {
        Problem::new(format!(
            "{} (at character {}), such as 5, true, \"text\" or {{\"key\":[1,2]}}",
            Problem::unreadable(text, "JSON"),
            start.position()
        ))
    })
}

fn jsons(lexer: &mut Lexer<'_>, end: Option<char>) -> Result<Vec<Json>, Problem> {
    let mut values = Vec::new();
    lexer.skip_spaces();
    if lexer.peek() == end {
        return Ok(values);
    }
    loop {
        values.push(json(
            lexer,
            &[',', ')'][..if end.is_some() { 2 } else { 1 }],
        )?);
        if lexer.peek() == end {
            return Ok(values);
        }
        lexer.expect(',', "`,` between two values, or the end of the list")?;
    }
}

/// Parses a JSON array.
fn elements(lexer: &mut Lexer<'_>, ends: &[char]) -> Result<Vec<Json>, Problem> {
    match json(lexer, ends)? {
        Json::Array(items) => Ok(items),
        other => Err(Problem::wrong_json(&other, "an array")),
    }
}
