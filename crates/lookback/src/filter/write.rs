//! A filter as text.

use crate::error::FieldError;
use crate::filter::node::{JsonTest, Node};
use crate::filter::{Comparison, Pattern, Relation, Test, key};
use crate::model::{ColumnDef, Table};
use crate::value::{ColumnType, Json, Value};

/// What cannot be written, since nothing could be asked with it.
pub(super) fn refused(table: &Table, node: &Node) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    node.collect_wrong(&mut wrong);
    collect_hidden(table, node, &mut wrong);
    wrong
}

fn collect_hidden(table: &Table, node: &Node, wrong: &mut Vec<FieldError>) {
    match node {
        Node::All(nodes) | Node::Any(nodes) => {
            nodes
                .iter()
                .for_each(|node| collect_hidden(table, node, wrong));
        }
        Node::Not(node) => collect_hidden(table, node, wrong),
        Node::Test { column, .. } => {
            let column = &table.columns[*column];
            if !key::is_open(column) {
                let problem = "is hidden, and text does not ask about it";
                wrong.push(FieldError::new(column.name, problem));
            }
        }
        Node::Searched(_) | Node::Wrong(_) => {}
    }
}

/// The text of a filter that is not refused.
pub(super) fn text(table: &Table, node: &Node) -> String {
    let pair = match node {
        Node::Test { column, test } => Pair::of(&table.columns[*column], test, false),
        Node::Not(inner) => match inner.as_ref() {
            Node::Test { column, test } => Pair::of(&table.columns[*column], test, true),
            _ => None,
        },
        _ => None,
    };
    match pair {
        Some(pair) => format!("{}={}", pair.key, pair.value.alone()),
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
                && let Some(pair) = Pair::of(&table.columns[*column], test, true)
            {
                return pair.push_grouped(text);
            }
            group("not", std::slice::from_ref(inner));
        }
        Node::Test { column, test } => {
            if let Some(pair) = Pair::of(&table.columns[*column], test, false) {
                pair.push_grouped(text);
            }
        }
        Node::Searched(_) => unreachable!("a search puts it into its query, and into no filter"),
        Node::Wrong(_) => unreachable!("`refused` found it"),
    }
}

struct Pair {
    key: String,
    value: Written,
}

/// A value, before it is known where it stands.
enum Written {
    Plain(String),
    /// Text that stands in quotes anywhere.
    Quoted(String),
    List(Vec<String>),
    /// JSON, or a number.
    Json(String),
    /// Items as they are written.
    Items(Vec<String>),
    JsonList(Vec<String>),
}

impl Pair {
    /// The pair that asks this, or its opposite; not every test has one for
    /// that.
    fn of(column: &ColumnDef, test: &Test, not: bool) -> Option<Self> {
        let either = |so: &'static str, not_so: &'static str| Some(if not { not_so } else { so });
        let only = |so: &'static str| (!not).then_some(so);
        let mut key = name(column.name);
        let (lookup, value) = match test {
            Test::Compare(comparison, value) => {
                let lookup = match comparison {
                    Comparison::Eq => either("", "ne"),
                    other => only(order(*other)),
                };
                (lookup, written(column, value))
            }
            Test::In(values) => {
                let each = values.iter().map(|value| (column.write)(value)).collect();
                let value = match column.ty {
                    ColumnType::Jsonb => Written::JsonList(each),
                    _ => Written::List(each),
                };
                (either("in", "notin"), value)
            }
            Test::IsNull => (
                either("isnull", "isnotnull"),
                Written::Plain("true".to_owned()),
            ),
            Test::Like(pattern) => (
                Some(like(pattern, not)),
                Written::Plain(pattern.text.clone()),
            ),
            Test::Array(relation, value) => (only(array(*relation)), written(column, value)),
            Test::Json(path, test) => {
                for part in path {
                    key.push('.');
                    key.push_str(&name(part));
                }
                match test {
                    JsonTest::In(values) => (
                        either("is", "isnot"),
                        Written::JsonList(values.iter().map(Json::to_string).collect()),
                    ),
                    JsonTest::Compare(comparison, value) => {
                        let value = match value {
                            Json::String(text) => Written::Quoted(text.clone()),
                            other => Written::Json(other.to_string()),
                        };
                        (only(order(*comparison)), value)
                    }
                    JsonTest::Exists => (
                        Some("exists"),
                        Written::Plain(if not { "false" } else { "true" }.to_owned()),
                    ),
                    JsonTest::IsNull => (
                        either("isnull", "isnotnull"),
                        Written::Plain("true".to_owned()),
                    ),
                    JsonTest::Like(pattern) => (
                        Some(like(pattern, not)),
                        Written::Quoted(pattern.text.clone()),
                    ),
                    JsonTest::Array(relation, groups) => (only(array(*relation)), elements(groups)),
                }
            }
        };
        match lookup? {
            "" => {}
            lookup => {
                key.push_str("__");
                key.push_str(lookup);
            }
        }
        Some(Self { key, value })
    }

    fn push_grouped(&self, text: &mut String) {
        text.push_str(&self.key);
        text.push('=');
        match &self.value {
            Written::Plain(value) => text.push_str(&item(value)),
            Written::Quoted(value) => text.push_str(&quoted(value)),
            Written::Json(value) => text.push_str(value),
            Written::List(values) => {
                let items: Vec<String> = values.iter().map(|value| item(value)).collect();
                text.push_str(&format!("({})", items.join(",")));
            }
            Written::Items(values) | Written::JsonList(values) => {
                text.push_str(&format!("({})", values.join(",")));
            }
        }
    }
}

impl Written {
    fn alone(&self) -> String {
        match self {
            Self::Plain(value) | Self::Json(value) => value.clone(),
            Self::Quoted(value) => quoted(value),
            Self::List(values) => {
                let items: Vec<String> = values.iter().map(|value| item(value)).collect();
                items.join(",")
            }
            Self::Items(values) | Self::JsonList(values) => values.join(","),
        }
    }
}

fn written(column: &ColumnDef, value: &Value<'_>) -> Written {
    match value {
        Value::Array(_, items) => Written::List(items.iter().map(crate::value::text_of).collect()),
        Value::Jsonb(json) => Written::Json(json.to_string()),
        value => Written::Plain((column.write)(value)),
    }
}

/// An element that may be of several types is a word that spells them all;
/// where no element is, a JSON array tells the types.
fn elements(groups: &[Vec<Json>]) -> Written {
    match groups.iter().all(|group| group.len() == 1) {
        true => Written::Json(Json::Array(groups.iter().flatten().cloned().collect()).to_string()),
        false => {
            let word = |group: &Vec<Json>| match group.as_slice() {
                [Json::String(text)] => quoted(text),
                [.., Json::String(text)] => text.clone(),
                _ => unreachable!("the string is the last of what a word spells"),
            };
            Written::Items(groups.iter().map(word).collect())
        }
    }
}

fn order(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Eq => "eq",
        Comparison::Gt => "gt",
        Comparison::Gte => "gte",
        Comparison::Lt => "lt",
        Comparison::Lte => "lte",
    }
}

fn array(relation: Relation) -> &'static str {
    match relation {
        Relation::Contains => "arraycontains",
        Relation::Contained => "arraycontained",
        Relation::Overlaps => "arrayoverlaps",
    }
}

fn like(pattern: &Pattern, not: bool) -> &'static str {
    match (not, pattern.ignore_case) {
        (false, false) => "like",
        (false, true) => "ilike",
        (true, false) => "notlike",
        (true, true) => "notilike",
    }
}

/// A name of a key, in quotes unless it is plain.
fn name(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.is_empty()
        && !text.starts_with('_')
        && !text.ends_with('_')
        && !text.contains("__")
        && !matches!(text, "and" | "or" | "not");
    match is_plain {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// An item of a list, or a value in a group, in quotes unless it is plain.
fn item(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:/+@%*".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => quoted(text),
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
