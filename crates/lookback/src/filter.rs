//! The filter tree.
//!
//! Typed columns and text lookups build the same tree; `sql` is the one place
//! that renders it. Values are always bound, identifiers come from the model.

use std::fmt;
use std::marker::PhantomData;
use std::ops;

use crate::error::FieldError;
use crate::model::{Model, Table};
use crate::value::{Problem, Value};

mod lookup;
mod sql;

pub use lookup::Lookup;
pub(crate) use lookup::searchable;

/// Which records of `M` a query is about.
///
/// Made from typed columns, or from text by [`parse`](Self::parse); joined by
/// `&`, `|` and `!`. Every filter is true or false of a record, never unknown:
/// `!filter` is exactly the records that `filter` leaves out.
///
/// ```
/// use lookback::{Filter, Log};
///
/// let typed = Log::level().eq("error") & Log::source().ne("WORKER");
/// let text = Filter::<Log>::parse("level__eq=error")?
///     & Filter::parse("source__ne=WORKER")?;
/// assert_eq!(typed, text);
/// # Ok::<(), lookback::Error>(())
/// ```
///
/// A value that the column cannot have (`Log::level().eq("verbose")`) is an
/// error when the query runs, as it is at once in `parse`.
pub struct Filter<M> {
    pub(crate) node: Node,
    of: PhantomData<fn() -> M>,
}

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

impl Node {
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
                match column.hidden && !matches!(test, Test::IsNull(_)) {
                    true => write!(f, "{} <hidden>", column.name),
                    false => write!(f, "{} {test:?}", column.name),
                }
            }
            Self::Searched(text) => write!(f, "searched {text:?}"),
            Self::Wrong(field) => write!(f, "{field}"),
        }
    }
}

/// What is asked of one column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Compare(Comparison, Value<'static>),
    In(Vec<Value<'static>>),
    IsNull(bool),
    Like { pattern: String, ignore_case: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Comparison {
    /// Greater or less, and not only same or other.
    pub(crate) fn is_order(self) -> bool {
        !matches!(self, Self::Eq | Self::Ne)
    }
}

impl Test {
    /// A pattern; one that ends in an escape of nothing is refused here, as
    /// PostgreSQL would.
    pub(crate) fn like(pattern: &str, ignore_case: bool) -> Result<Self, Problem> {
        let trailing = pattern.chars().rev().take_while(|c| *c == '\\').count();
        if trailing % 2 == 1 {
            return Err(Problem::new(
                "the pattern ends in \\, which takes the character after it; write \\\\ for one \\",
            ));
        }
        Ok(Self::Like {
            pattern: pattern.to_owned(),
            ignore_case,
        })
    }
}

impl Test {
    /// Refuses what no text of PostgreSQL holds, before PostgreSQL does.
    fn without_nul(self) -> Result<Self, Problem> {
        let has_nul = |value: &Value<'_>| matches!(value, Value::Text(text) if text.contains('\0'));
        let found = match &self {
            Self::Compare(_, value) => has_nul(value),
            Self::In(values) => values.iter().any(has_nul),
            Self::Like { pattern, .. } => pattern.contains('\0'),
            Self::IsNull(_) => false,
        };
        match found {
            true => Err(Problem::new("holds a NUL character, which no record does")),
            false => Ok(self),
        }
    }
}

impl<M: Model> Filter<M> {
    fn new(node: Node) -> Self {
        Self {
            node,
            of: PhantomData,
        }
    }

    pub(crate) fn test(column: usize, test: Result<Test, Problem>) -> Self {
        let test = test.and_then(Test::without_nul);
        Self::new(match test {
            Ok(test) => Node::Test { column, test },
            Err(problem) => Node::Wrong(FieldError::new(M::TABLE.columns[column].name, problem)),
        })
    }

    /// Every record: an `&` of nothing.
    pub fn all() -> Self {
        Self::new(Node::All(Vec::new()))
    }

    /// No record: an `|` of nothing.
    pub fn none() -> Self {
        Self::new(Node::Any(Vec::new()))
    }
}

impl<M: Model> ops::BitAnd for Filter<M> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self::new(match self.node {
            Node::All(mut nodes) => {
                nodes.push(other.node);
                Node::All(nodes)
            }
            node => Node::All(vec![node, other.node]),
        })
    }
}

impl<M: Model> ops::BitOr for Filter<M> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self::new(match self.node {
            Node::Any(mut nodes) => {
                nodes.push(other.node);
                Node::Any(nodes)
            }
            node => Node::Any(vec![node, other.node]),
        })
    }
}

impl<M: Model> ops::Not for Filter<M> {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(match self.node {
            Node::Not(inner) => *inner,
            node => Node::Not(Box::new(node)),
        })
    }
}

impl<M> Clone for Filter<M> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            of: PhantomData,
        }
    }
}

impl<M> PartialEq for Filter<M> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl<M: Model> fmt::Debug for Filter<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.debug(M::TABLE, f)
    }
}
