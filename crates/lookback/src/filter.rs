//! Filters: conditions on records.
//!
//! Typed columns (`Log::level().eq("error")`) and text lookups
//! (`level__eq=error`) build the same tree. Values are always bound, identifiers
//! come from the model.

// `lookup` lists the lookups, `sql` is the only place that renders a tree. The
// tree has few kinds of nodes: `ne` is a `!` around `eq`, `between` an `&`,
// `contains` a pattern.

use std::fmt;
use std::marker::PhantomData;
use std::ops;

use chrono::{DateTime, Utc};

use crate::error::{Error, FieldError};
use crate::model::{Model, Table};
use crate::value::Problem;

mod format;
mod json_path;
mod key;
mod lexer;
mod lookup;
mod matching;
mod parser;
mod sql;
#[cfg(test)]
mod tests;
mod tree;
mod url;
mod validate;
pub(crate) mod word_condition;
pub(crate) mod words;

pub use json_path::JsonPath;
pub(crate) use key::{FieldPath, document, field_path, searchable, split_field};
pub use lookup::{Lookup, ValueForm};
pub(crate) use matching::{Exclusion, MatchedWord, Matching};
use tree::Tree;
pub(crate) use tree::{Comparison, Node, Pattern, Relation, Test};

/// Parses the filter of a lookup and its value; `None` if it is not valid.
pub(crate) fn parse_lookup(
    table: &'static Table,
    key: &str,
    value: &str,
    now: DateTime<Utc>,
) -> Option<Node> {
    let tree = parser::parse_pair(table, key, value, now).ok()?;
    let mut errors = Vec::new();
    tree.node.collect_invalid(&mut errors);
    errors.is_empty().then_some(tree.node)
}

/// A condition on the records of `M`.
///
/// Typed columns build it, or [`parse`](Self::parse) from text; `&`, `|` and `!`
/// combine filters. Every filter is true or false for a record, never unknown:
/// `!filter` matches exactly the records that `filter` does not match.
///
/// ```
/// use lookback::{Filter, Log};
///
/// let typed = Log::level().eq("error") & Log::source().ne("WORKER");
/// let text = Filter::<Log>::parse("level__eq=error")?
///     & Filter::parse("source__ne=WORKER")?;
/// assert_eq!(typed, text);
/// assert_eq!(typed.to_text()?, "and(level=error,source__ne=WORKER)");
/// # Ok::<(), lookback::Error>(())
/// ```
///
/// A value that the column cannot have (`Log::level().eq("verbose")`) is an
/// error when the query runs; `parse` returns it at once. The same holds for a
/// filter that is nested more than 64 deep, or has more than 1,000 conditions.
pub struct Filter<M> {
    pub(crate) node: Node,
    depth: usize,
    tests: usize,
    of: PhantomData<fn() -> M>,
}

impl<M: Model> Filter<M> {
    fn new(tree: Tree) -> Self {
        Self {
            node: tree.node,
            depth: tree.depth,
            tests: tree.tests,
            of: PhantomData,
        }
    }

    fn tree(self) -> Tree {
        Tree {
            node: self.node,
            depth: self.depth,
            tests: self.tests,
        }
    }

    pub(crate) fn test(column: usize, test: Result<Test, Problem>) -> Self {
        let node = match test.and_then(Test::validated) {
            Ok(test) => Node::Test { column, test },
            Err(problem) => Node::Invalid(FieldError::new(M::TABLE.columns[column].name, problem)),
        };
        Self::new(Tree::leaf(node))
    }

    /// Matches every record: an `&` of nothing.
    pub fn all() -> Self {
        Self::new(Tree::all())
    }

    /// Matches no record: an `|` of nothing.
    pub fn none() -> Self {
        Self::new(Tree::none())
    }

    /// Matches records whose search fields have all words of a text.
    ///
    /// The text has words, `"exact phrases"` and `-without`, as that of a
    /// [search](crate::QueryBuilder::search): a record matches if the search has it among those
    /// with all the words. A match orders nothing, so it can be combined with any order,
    /// with other filters by `&`, `|` and `!`, and with streams, groups and tails. As text:
    /// `match=connection refused`.
    ///
    /// ```
    /// use lookback::{Filter, Log};
    ///
    /// let filter = Filter::<Log>::matching("connection refused -cache");
    /// assert_eq!(filter, Filter::parse("match=connection refused -cache")?);
    /// # Ok::<(), lookback::Error>(())
    /// ```
    ///
    /// A text without a word, phrase or exclusion is an error when the query runs, and so are more
    /// than 24 words, and `level:error`, which is a filter.
    pub fn matching(text: impl AsRef<str>) -> Self {
        Self::new(Matching::tree(M::TABLE, text.as_ref()))
    }

    /// Matches records that at least one of these filters matches; no record if there is none.
    ///
    /// ```
    /// use lookback::{Filter, Log};
    ///
    /// let filter = Filter::any([Log::level().eq("error"), Log::source().eq("WORKER")]);
    /// assert_eq!(filter, Log::level().eq("error") | Log::source().eq("WORKER"));
    /// ```
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        filters
            .into_iter()
            .reduce(ops::BitOr::bitor)
            .unwrap_or_else(Self::none)
    }

    /// Matches records that each of these filters matches; every record if there is none.
    pub fn all_of(filters: impl IntoIterator<Item = Self>) -> Self {
        filters
            .into_iter()
            .reduce(ops::BitAnd::bitand)
            .unwrap_or_else(Self::all)
    }

    /// Parses a filter: `field__lookup=value`, or a group of them,
    /// `or=(level=error,and(source=API,id__gte=7))`.
    ///
    /// Without a lookup, `field=value` is `eq`. The guide page "Queries" describes
    /// the whole syntax. Times such as `-15m` are relative to this call.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for every field, lookup and value that the model does
    /// not have, listing those that it has; for a syntax error, with its position;
    /// for more than 1 MiB of text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_all([text])
    }

    /// Parses several filters, all of which have to match.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), for all filters in one error.
    pub fn parse_all<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, Error> {
        Self::parse_all_at(texts, Utc::now())
    }

    /// As [`parse_all`](Self::parse_all), with times such as `-15m` relative to
    /// `now`.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_all_at<T: AsRef<str>>(
        texts: impl IntoIterator<Item = T>,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let trees = texts
            .into_iter()
            .map(|text| parser::parse(M::TABLE, text.as_ref(), now));
        Self::joined(trees)
    }

    /// Parses the query of a URL, `level=error&created_at__gte=-15m`.
    ///
    /// Every pair is a filter, and all of them have to match. `%` and two digits
    /// is a byte of UTF-8, and `+` a space.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), for all pairs in one error.
    pub fn from_query(query: &str) -> Result<Self, Error> {
        Self::from_query_at(query, Utc::now())
    }

    /// As [`from_query`](Self::from_query), with times such as `-15m` relative to
    /// `now`.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn from_query_at(query: &str, now: DateTime<Utc>) -> Result<Self, Error> {
        let table = M::TABLE;
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let trees = pairs.map(|pair| match url::decoded(pair) {
            Ok(text) => parser::parse(table, &text, now),
            Err(problem) => Err(vec![FieldError::new(
                lexer::excerpt(pair.split('=').next().unwrap_or_default()),
                problem,
            )]),
        });
        Self::joined(trees)
    }

    /// Parses a filter from its key and its value, as in the decoded query of a
    /// URL.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn lookup(key: &str, value: &str) -> Result<Self, Error> {
        let tree = parser::parse_pair(M::TABLE, key, value, Utc::now());
        Self::joined([tree])
    }

    fn joined(
        trees: impl IntoIterator<Item = Result<Tree, Vec<FieldError>>>,
    ) -> Result<Self, Error> {
        let mut whole: Option<Tree> = None;
        let mut errors = Vec::new();
        for tree in trees {
            match (tree, whole.take()) {
                (Ok(tree), None) => whole = Some(tree),
                (Ok(tree), Some(before)) => whole = Some(before.and(tree)),
                (Err(more), before) => {
                    whole = before;
                    errors.extend(more);
                }
            }
        }
        let whole = whole.unwrap_or_else(Tree::all);
        whole.node.collect_invalid(&mut errors);
        if errors.is_empty() {
            Ok(Self::new(whole))
        } else {
            Err(Error::invalid(M::TABLE.name, errors))
        }
    }

    /// Formats the filter as text, which [`parse`](Self::parse) reads as the same
    /// filter.
    ///
    /// A condition that has two forms comes out in one: `ne` for `!` and `eq`,
    /// `like` for `contains`, `gte` and `lte` for `between`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a filter that a query would reject, and for a
    /// condition on a hidden column, which text filters cannot use.
    pub fn to_text(&self) -> Result<String, Error> {
        let errors = format::unformattable(M::TABLE, &self.node);
        if errors.is_empty() {
            Ok(format::to_text(M::TABLE, &self.node))
        } else {
            Err(Error::invalid(M::TABLE.name, errors))
        }
    }
}

impl<M: Model> ops::BitAnd for Filter<M> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self::new(self.tree().and(other.tree()))
    }
}

impl<M: Model> ops::BitOr for Filter<M> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self::new(self.tree().or(other.tree()))
    }
}

impl<M: Model> ops::Not for Filter<M> {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(self.tree().not())
    }
}

impl<M> Clone for Filter<M> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            depth: self.depth,
            tests: self.tests,
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
