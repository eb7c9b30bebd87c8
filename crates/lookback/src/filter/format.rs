//! Formats a filter as text that parses back to the same filter.

use crate::error::FieldError;
use crate::filter::key::FIELD;
use crate::filter::lookup::Operation;
use crate::filter::matching::MATCH;
use crate::filter::tree::{JsonTest, Node};
use crate::filter::{Lookup, Matching, Test, key};
use crate::model::{ColumnDef, Table};
use crate::value::{ColumnType, Json, Value};

/// The errors of nodes that have no text.
pub(super) fn unformattable(table: &Table, node: &Node) -> Vec<FieldError> {
    let mut errors = Vec::new();
    node.collect_invalid(&mut errors);
    collect_hidden(table, node, &mut errors);
    errors
}

fn collect_hidden(table: &Table, node: &Node, errors: &mut Vec<FieldError>) {
    match node {
        Node::All(nodes) | Node::Any(nodes) => {
            for node in nodes {
                collect_hidden(table, node, errors);
            }
        }
        Node::Not(node) => collect_hidden(table, node, errors),
        Node::Test { column, test } => {
            let other = match test {
                Test::CompareColumn(_, other) => Some(other),
                _ => None,
            };
            let columns = [Some(column), other].into_iter().flatten();
            for column in columns.map(|column| &table.columns[*column]) {
                if key::is_open(column) {
                    continue;
                }
                let problem = "is hidden; text filters cannot use it";
                errors.push(FieldError::new(column.name, problem));
            }
        }
        Node::Searched(_) | Node::SearchedOption(_) | Node::Matching(_) | Node::Invalid(_) => {}
    }
}

/// Formats a filter for which [`unformattable`] found no error.
pub(super) fn to_text(table: &Table, node: &Node) -> String {
    let pair = match node {
        Node::Test { column, test } => FormattedPair::of(table, *column, test, false),
        Node::Matching(matching) => Some(FormattedPair::of_matching(matching)),
        Node::Not(inner) => match inner.as_ref() {
            Node::Test { column, test } => FormattedPair::of(table, *column, test, true),
            _ => None,
        },
        _ => None,
    };
    match pair {
        Some(pair) => format!("{}={}", pair.key, pair.value.standalone()),
        None => {
            let mut text = String::new();
            grouped(table, node, &mut text);
            text
        }
    }
}

fn grouped(table: &Table, node: &Node, text: &mut String) {
    let mut group = |name: &str, nodes: &[Node]| {
        text.push_str(name);
        text.push('(');
        for (index, node) in nodes.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { "," });
            grouped(table, node, text);
        }
        text.push(')');
    };
    match node {
        Node::All(nodes) => group("and", nodes),
        Node::Any(nodes) => group("or", nodes),
        Node::Not(inner) => {
            if let Node::Test { column, test } = inner.as_ref()
                && let Some(pair) = FormattedPair::of(table, *column, test, true)
            {
                return pair.push_grouped(text);
            }
            group("not", std::slice::from_ref(inner));
        }
        Node::Test { column, test } => {
            if let Some(pair) = FormattedPair::of(table, *column, test, false) {
                pair.push_grouped(text);
            }
        }
        Node::Matching(matching) => FormattedPair::of_matching(matching).push_grouped(text),
        Node::Searched(_) | Node::SearchedOption(_) => {
            unreachable!("only searches contain it, and filters do not")
        }
        Node::Invalid(_) => unreachable!("`unformattable` found it"),
    }
}

struct FormattedPair {
    key: String,
    value: FormattedValue,
}

/// A value, for any place in the text.
enum FormattedValue {
    Plain(String),
    /// Text that needs quotes everywhere.
    Quoted(String),
    /// Text whose quotation marks have a meaning of their own.
    Words(String),
    List(Vec<String>),
    /// JSON, or a number.
    Json(String),
    /// Formatted items.
    Items(Vec<String>),
    JsonList(Vec<String>),
}

impl FormattedPair {
    fn of_matching(matching: &Matching) -> Self {
        Self {
            key: MATCH.to_owned(),
            value: FormattedValue::Words(matching.text.clone()),
        }
    }

    /// The pair for a test, or for its negation if it has one.
    fn of(table: &Table, column: usize, test: &Test, not: bool) -> Option<Self> {
        let column = &table.columns[column];
        let mut key = quote_key(column.name);
        let (operation, value) = match test {
            Test::Compare(comparison, value) => {
                (Operation::Compare(*comparison), format_value(column, value))
            }
            Test::CompareColumn(comparison, other) => {
                let suffix = Lookup::of(Operation::Compare(*comparison), not)?.suffix();
                return Some(Self {
                    key: format!("{key}{suffix}__{FIELD}"),
                    value: FormattedValue::Plain(table.columns[*other].name.to_owned()),
                });
            }
            Test::In(values) => {
                let each = values.iter().map(|value| (column.format)(value)).collect();
                let value = match column.ty {
                    ColumnType::Jsonb => FormattedValue::JsonList(each),
                    _ => FormattedValue::List(each),
                };
                (Operation::In, value)
            }
            Test::IsNull => (Operation::IsNull, FormattedValue::Plain("true".to_owned())),
            Test::Like(pattern) => (
                Operation::from(pattern),
                FormattedValue::Plain(pattern.text.clone()),
            ),
            Test::Array(relation, value) => {
                (Operation::Overlap(*relation), format_value(column, value))
            }
            Test::Json(path, test) => {
                for part in path {
                    key.push('.');
                    key.push_str(&quote_key(part));
                }
                json_operation(test, not)
            }
        };
        // The operand of `exists` negates it.
        let negated = not && operation != Operation::Exists;
        key.push_str(&Lookup::of(operation, negated)?.suffix());
        Some(Self { key, value })
    }

    fn push_grouped(&self, text: &mut String) {
        text.push_str(&self.key);
        text.push('=');
        match &self.value {
            FormattedValue::Plain(value) | FormattedValue::Words(value) => {
                text.push_str(&quote_item(value));
            }
            FormattedValue::Quoted(value) => text.push_str(&quoted(value)),
            FormattedValue::Json(value) => text.push_str(value),
            FormattedValue::List(values) => {
                let items: Vec<String> = values.iter().map(|value| quote_item(value)).collect();
                text.push_str(&format!("({})", items.join(",")));
            }
            FormattedValue::Items(values) | FormattedValue::JsonList(values) => {
                text.push_str(&format!("({})", values.join(",")));
            }
        }
    }
}

impl FormattedValue {
    fn standalone(&self) -> String {
        match self {
            // A value that starts with a quote would end at the next one.
            Self::Plain(value) if value.starts_with('"') => quoted(value),
            Self::Plain(value) | Self::Json(value) | Self::Words(value) => value.clone(),
            Self::Quoted(value) => quoted(value),
            Self::List(values) => {
                let items: Vec<String> = values.iter().map(|value| quote_item(value)).collect();
                items.join(",")
            }
            Self::Items(values) | Self::JsonList(values) => values.join(","),
        }
    }
}

fn json_operation(test: &JsonTest, not: bool) -> (Operation, FormattedValue) {
    match test {
        JsonTest::In(values) => (
            Operation::JsonIn,
            FormattedValue::JsonList(values.iter().map(Json::to_string).collect()),
        ),
        JsonTest::Compare(comparison, value) => {
            let value = match value {
                Json::String(text) => FormattedValue::Quoted(text.clone()),
                other => FormattedValue::Json(other.to_string()),
            };
            (Operation::Compare(*comparison), value)
        }
        JsonTest::Exists => (
            Operation::Exists,
            FormattedValue::Plain(if not { "false" } else { "true" }.to_owned()),
        ),
        JsonTest::IsNull => (Operation::IsNull, FormattedValue::Plain("true".to_owned())),
        JsonTest::Like(pattern) => (
            Operation::from(pattern),
            FormattedValue::Quoted(pattern.text.clone()),
        ),
        JsonTest::Array(relation, groups) => {
            (Operation::Overlap(*relation), format_elements(groups))
        }
    }
}

fn format_value(column: &ColumnDef, value: &Value<'_>) -> FormattedValue {
    match value {
        Value::Array(_, items) => {
            FormattedValue::List(items.iter().map(crate::value::text_of).collect())
        }
        Value::Jsonb(json) => FormattedValue::Json(json.to_string()),
        value => FormattedValue::Plain((column.format)(value)),
    }
}

/// Formats the elements of an array.
///
/// If every element has one type, they are a JSON array, which has the types.
/// Otherwise they are words, each of which stands for all types of its element.
fn format_elements(groups: &[Vec<Json>]) -> FormattedValue {
    if groups.iter().all(|group| group.len() == 1) {
        FormattedValue::Json(Json::Array(groups.iter().flatten().cloned().collect()).to_string())
    } else {
        let word = |group: &Vec<Json>| match group.as_slice() {
            [Json::String(text)] => quoted(text),
            [.., Json::String(text)] => text.clone(),
            _ => unreachable!("the string is the last of what a word spells"),
        };
        FormattedValue::Items(groups.iter().map(word).collect())
    }
}

/// Quotes the name of a key, unless it is plain.
pub(super) fn quote_key(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.is_empty()
        && !text.starts_with('_')
        && !text.ends_with('_')
        && !text.contains("__")
        && !matches!(text, "and" | "or" | "not");
    if is_plain {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Quotes an item of a list or a value in a group, unless it is plain.
fn quote_item(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:/+@%*".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}
