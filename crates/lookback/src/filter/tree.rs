//! The tree of a filter.

use std::fmt;

use super::key::FieldPath;
use super::matching::Matching;
use crate::error::FieldError;
use crate::model::Table;
use crate::value::{Json, Problem, Value};

/// The deepest nesting. Every walk over a filter recurses, here and in
/// PostgreSQL, and the stack is limited.
pub(super) const MAX_DEPTH: usize = 64;

/// The most conditions; a list is one condition. The planning time of PostgreSQL
/// grows with their square (18.0, 2026-11: 1,000 `ne` of a column in 0.2 s, 4,000
/// in 4 s).
const MAX_TESTS: usize = 1_000;

/// A node of the tree. Columns are given by their index in the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test {
        column: usize,
        test: Test,
    },
    /// The text of the search fields contains this, ignoring case.
    Searched(String),
    /// The text of the search fields contains this as a whole word that does not
    /// follow a `-`, ignoring case.
    SearchedOption(String),
    /// The text of the search fields has all words of another, its phrases, and nothing that
    /// it excludes.
    Matching(Matching),
    /// A condition that is not valid; it becomes an error when the query runs.
    Invalid(FieldError),
}

/// A condition on one column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Compare(Comparison, Value<'static>),
    /// Compares with another column of the same record, by its index.
    CompareColumn(Comparison, usize),
    In(Vec<Value<'static>>),
    IsNull,
    Like(Pattern),
    /// A comparison of an array with a `Value::Array`.
    Array(Relation, Value<'static>),
    /// A condition on the value at a path in a JSON column; the path is not empty.
    Json(Vec<String>, JsonTest),
}

/// A condition on the value at a path in JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JsonTest {
    /// Equals one of these.
    In(Vec<Json>),
    /// Is a number that compares with this number, or a string with this string.
    Compare(Comparison, Json),
    /// Is present, even as null.
    Exists,
    /// Is absent, or null.
    IsNull,
    /// Is a string that matches.
    Like(Pattern),
    /// Is an array that relates to these groups. A group is one element, and
    /// matches any of its values.
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

/// How an array relates to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Contains all items of the list.
    Contains,
    /// Contains only items of the list.
    Contained,
    /// Contains at least one item of the list.
    Overlaps,
}

/// A pattern of `LIKE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(crate) ignore_case: bool,
}

impl Pattern {
    /// Parses a pattern. One that ends in an escape character is rejected, as
    /// PostgreSQL does.
    pub(crate) fn new(text: &str, ignore_case: bool) -> Result<Self, Problem> {
        let trailing = text.chars().rev().take_while(|c| *c == '\\').count();
        if trailing % 2 == 1 {
            return Err(Problem::new(
                "the pattern ends in \\, which escapes the next character; write \\\\ for one \\",
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            ignore_case,
        })
    }

    /// Matches this text literally, with any text before or after it.
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

    /// Matches text that contains `piece` literally.
    pub(crate) fn containing(piece: &str) -> String {
        Self::literal(true, piece, true, false).text
    }
}

/// A node with its size, which is bounded.
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

    /// Joins with `&`. An `&` directly in another one is merged into it.
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

    /// Joins with `|`. An `|` directly in another one is merged into it.
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

    /// Negates. Two `!` cancel each other.
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

    /// The depth inside a node that merges nodes of its own kind.
    fn depth_in(&self, same: impl Fn(&Node) -> bool) -> usize {
        self.depth - usize::from(same(&self.node))
    }

    /// Replaces a tree that is too large by an invalid node.
    fn bounded(self) -> Self {
        let problem = if self.depth > MAX_DEPTH {
            format!("is nested more than {MAX_DEPTH} deep")
        } else if self.tests > MAX_TESTS {
            format!(
                "must have at most {MAX_TESTS} conditions; for many values of one field, use \
                 `in`"
            )
        } else {
            return self;
        };
        Self::leaf(Node::Invalid(FieldError::new("filter", problem)))
    }
}

impl Node {
    /// Collects its columns and places in JSON, and returns whether it depends on nothing else.
    pub(crate) fn places(&self, places: &mut Vec<FieldPath>) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().all(|node| node.places(places)),
            Self::Not(node) => node.places(places),
            Self::Test { column, test } => {
                let mut of_column = FieldPath::of_column(*column);
                match test {
                    Test::Json(path, _) => of_column.path.clone_from(path),
                    Test::CompareColumn(_, other) => places.push(FieldPath::of_column(*other)),
                    _ => {}
                }
                places.push(of_column);
                true
            }
            Self::Searched(_) | Self::SearchedOption(_) | Self::Matching(_) | Self::Invalid(_) => {
                false
            }
        }
    }

    /// Collects the errors of its invalid nodes.
    pub(super) fn collect_invalid(&self, errors: &mut Vec<FieldError>) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => {
                for node in nodes {
                    node.collect_invalid(errors);
                }
            }
            Self::Not(node) => node.collect_invalid(errors),
            Self::Test { .. } | Self::Searched(_) | Self::SearchedOption(_) | Self::Matching(_) => {
            }
            Self::Invalid(error) => errors.push(error.clone()),
        }
    }

    /// Formats the filter for `Debug`, without the values of hidden columns.
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
                if column.hidden && *test != Test::IsNull {
                    write!(f, "{} <hidden>", column.name)
                } else {
                    write!(f, "{} {test:?}", column.name)
                }
            }
            Self::Searched(text) => write!(f, "searched {text:?}"),
            Self::SearchedOption(text) => write!(f, "searched whole word {text:?}"),
            Self::Matching(matching) => write!(f, "match {:?}", matching.text),
            Self::Invalid(error) => write!(f, "{error}"),
        }
    }
}
