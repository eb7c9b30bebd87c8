//! The tree itself, and how it is put together.

use std::fmt;

use crate::error::FieldError;
use crate::model::{Table, json_problem};
use crate::value::time::time_problem;
use crate::value::{Json, Problem, Value};

/// Every walk over a filter is a recursion: this keeps it off the end of the
/// stack, here and in PostgreSQL.
pub(super) const MAX_DEPTH: usize = 64;

/// PostgreSQL plans in the square of what it is asked (18.0, 2026-11: 1,000
/// `ne` of a column in 0.2 s, 4,000 in 4 s). A list is one thing.
const MAX_TESTS: usize = 1_000;

/// A node of the tree. Columns are named by their place in the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test {
        column: usize,
        test: Test,
    },
    /// The text of the search fields contains this, whatever the case.
    Searched(String),
    Wrong(FieldError),
}

/// What is asked of one column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Compare(Comparison, Value<'static>),
    In(Vec<Value<'static>>),
    IsNull,
    Like(Pattern),
    /// Of an array, with a `Value::Array`.
    Array(Relation, Value<'static>),
    /// Of what is at a path in a JSON column; the path is not empty.
    Json(Vec<String>, JsonTest),
}

/// What is asked of a place in JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JsonTest {
    /// Is one of these.
    In(Vec<Json>),
    /// Is a number and compares so with this number, or a string with this string.
    Compare(Comparison, Json),
    /// Is there, if only as null.
    Exists,
    /// Is not there, or null.
    IsNull,
    /// Is a string that matches.
    Like(Pattern),
    /// Is an array. An element stands for any value of its group.
    Array(Relation, Vec<Vec<Json>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// How an array is to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Holds all of it.
    Contains,
    /// Holds nothing else.
    Contained,
    /// Holds some of it.
    Overlaps,
}

/// A pattern of LIKE.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(crate) ignore_case: bool,
}

impl Pattern {
    /// A pattern; one that ends in an escape of nothing is refused here, as
    /// PostgreSQL would.
    pub(crate) fn new(text: &str, ignore_case: bool) -> Result<Self, Problem> {
        let trailing = text.chars().rev().take_while(|c| *c == '\\').count();
        if trailing % 2 == 1 {
            return Err(Problem::new(
                "the pattern ends in \\, which takes the character after it; write \\\\ for one \\",
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            ignore_case,
        })
    }

    /// The text itself, with anything before or after it.
    pub(crate) fn literal(before: bool, text: &str, after: bool, ignore_case: bool) -> Self {
        let mut pattern = String::with_capacity(text.len() + 2);
        pattern.push_str(if before { "%" } else { "" });
        for c in text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push_str(if after { "%" } else { "" });
        Self {
            text: pattern,
            ignore_case,
        }
    }

    /// A pattern for a text that contains `piece`, letter by letter.
    pub(crate) fn containing(piece: &str) -> String {
        Self::literal(true, piece, true, false).text
    }
}

impl Test {
    /// Refuses what no record holds and PostgreSQL does not take.
    pub(crate) fn askable(self) -> Result<Self, Problem> {
        match &self {
            Self::Compare(_, value) | Self::Array(_, value) => askable(value)?,
            Self::In(values) => {
                few_enough(values.len())?;
                values.iter().try_for_each(askable)?;
            }
            Self::Like(pattern) => no_nul(&pattern.text)?,
            Self::IsNull => {}
            Self::Json(path, test) => {
                if path.len() > MAX_KEYS {
                    return Err(Problem::new(format!(
                        "a path into JSON has at most {MAX_KEYS} keys, not {}",
                        path.len()
                    )));
                }
                path.iter().try_for_each(|key| no_nul(key))?;
                match test {
                    JsonTest::In(values) => {
                        few_enough(values.len())?;
                        values.iter().try_for_each(askable_json)?;
                    }
                    JsonTest::Compare(_, value) => askable_json(value)?,
                    JsonTest::Like(pattern) => no_nul(&pattern.text)?,
                    JsonTest::Array(_, groups) => {
                        few_enough(groups.len())?;
                        groups.iter().flatten().try_for_each(askable_json)?;
                    }
                    JsonTest::Exists | JsonTest::IsNull => {}
                }
            }
        }
        Ok(self)
    }
}

/// The longest path into JSON: no record is nested deeper. What is at a path is
/// looked for as a document of that depth, too, and walks over one recurse.
const MAX_KEYS: usize = 100;

/// The longest list.
const MAX_LIST: usize = 1_000_000;

fn few_enough(count: usize) -> Result<(), Problem> {
    match count > MAX_LIST {
        true => Err(Problem::new(format!(
            "a list takes at most {MAX_LIST} values, not {count}"
        ))),
        false => Ok(()),
    }
}

fn no_nul(text: &str) -> Result<(), Problem> {
    match text.contains('\0') {
        true => Err(Problem::new("holds a NUL character, which no record does")),
        false => Ok(()),
    }
}

fn askable(value: &Value<'_>) -> Result<(), Problem> {
    match value {
        Value::Text(text) => no_nul(text),
        Value::Jsonb(json) => askable_json(json),
        Value::Float8(number) if !number.is_finite() => {
            Err(Problem::new("must be a finite number"))
        }
        Value::Timestamptz(time) => match time_problem(time) {
            Some(problem) => Err(Problem::new(problem)),
            None => Ok(()),
        },
        Value::Array(_, items) => {
            few_enough(items.len())?;
            items.iter().try_for_each(askable)
        }
        _ => Ok(()),
    }
}

fn askable_json(json: &Json) -> Result<(), Problem> {
    json_problem(json).map_or(Ok(()), |problem| Err(Problem::new(problem)))
}

/// A node with its size, which is kept small.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) node: Node,
    pub(super) depth: usize,
    pub(super) tests: usize,
}

impl Tree {
    pub(super) fn leaf(node: Node) -> Self {
        Self {
            node,
            depth: 1,
            tests: 1,
        }
    }

    pub(super) fn all() -> Self {
        Self {
            node: Node::All(Vec::new()),
            depth: 1,
            tests: 1,
        }
    }

    pub(super) fn none() -> Self {
        Self {
            node: Node::Any(Vec::new()),
            depth: 1,
            tests: 1,
        }
    }

    /// An `&` never stands right in another one, whatever way they were joined.
    pub(super) fn and(self, other: Self) -> Self {
        let is_all = |node: &Node| matches!(node, Node::All(_));
        let depth = self.depth_in(is_all).max(other.depth_in(is_all)) + 1;
        let tests = self.tests + other.tests;
        let node = match (self.node, other.node) {
            (Node::All(mut nodes), Node::All(more)) => {
                nodes.extend(more);
                Node::All(nodes)
            }
            (Node::All(mut nodes), node) => {
                nodes.push(node);
                Node::All(nodes)
            }
            (node, Node::All(mut nodes)) => {
                nodes.insert(0, node);
                Node::All(nodes)
            }
            (node, other) => Node::All(vec![node, other]),
        };
        Self { node, depth, tests }.bounded()
    }

    /// Nor an `|`.
    pub(super) fn or(self, other: Self) -> Self {
        let is_any = |node: &Node| matches!(node, Node::Any(_));
        let depth = self.depth_in(is_any).max(other.depth_in(is_any)) + 1;
        let tests = self.tests + other.tests;
        let node = match (self.node, other.node) {
            (Node::Any(mut nodes), Node::Any(more)) => {
                nodes.extend(more);
                Node::Any(nodes)
            }
            (Node::Any(mut nodes), node) => {
                nodes.push(node);
                Node::Any(nodes)
            }
            (node, Node::Any(mut nodes)) => {
                nodes.insert(0, node);
                Node::Any(nodes)
            }
            (node, other) => Node::Any(vec![node, other]),
        };
        Self { node, depth, tests }.bounded()
    }

    /// Nor a `!`.
    pub(super) fn not(self) -> Self {
        let (node, depth) = match self.node {
            Node::Not(inner) => (*inner, self.depth - 1),
            node => (Node::Not(Box::new(node)), self.depth + 1),
        };
        Self {
            node,
            depth,
            tests: self.tests,
        }
        .bounded()
    }

    /// How deep this is inside a node that takes in the nodes of its own kind.
    fn depth_in(&self, same: impl Fn(&Node) -> bool) -> usize {
        self.depth - usize::from(same(&self.node))
    }

    /// A tree that has grown too large is replaced by that fact.
    fn bounded(self) -> Self {
        let problem = if self.depth > MAX_DEPTH {
            format!("is nested more than {MAX_DEPTH} deep")
        } else if self.tests > MAX_TESTS {
            format!(
                "asks more than {MAX_TESTS} things; many values of one field go into one list, by \
                 `in`"
            )
        } else {
            return self;
        };
        Self::leaf(Node::Wrong(FieldError::new("filter", problem)))
    }
}

impl Node {
    /// Collects the columns that it asks of, by their places, and tells whether
    /// these are all that it depends on.
    pub(crate) fn columns(&self, columns: &mut Vec<usize>) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().all(|node| node.columns(columns)),
            Self::Not(node) => node.columns(columns),
            Self::Test { column, .. } => {
                columns.push(*column);
                true
            }
            Self::Searched(_) | Self::Wrong(_) => false,
        }
    }

    /// Everything in it that is wrong.
    pub(super) fn collect_wrong(&self, wrong: &mut Vec<FieldError>) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => {
                nodes.iter().for_each(|node| node.collect_wrong(wrong));
            }
            Self::Not(node) => node.collect_wrong(wrong),
            Self::Test { .. } | Self::Searched(_) => {}
            Self::Wrong(field) => wrong.push(field.clone()),
        }
    }

    /// The filter in words; the value of a hidden column is not shown.
    pub(crate) fn debug(&self, table: &Table, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut joined = |nodes: &[Self], operator: &str| {
            f.write_str("(")?;
            for (index, node) in nodes.iter().enumerate() {
                if index > 0 {
                    f.write_str(operator)?;
                }
                node.debug(table, f)?;
            }
            f.write_str(")")
        };
        match self {
            Self::All(nodes) => joined(nodes, " & "),
            Self::Any(nodes) => joined(nodes, " | "),
            Self::Not(node) => {
                f.write_str("!")?;
                node.debug(table, f)
            }
            Self::Test { column, test } => {
                let column = &table.columns[*column];
                match column.hidden && *test != Test::IsNull {
                    true => write!(f, "{} <hidden>", column.name),
                    false => write!(f, "{} {test:?}", column.name),
                }
            }
            Self::Searched(text) => write!(f, "searched {text:?}"),
            Self::Wrong(field) => write!(f, "{field}"),
        }
    }
}
