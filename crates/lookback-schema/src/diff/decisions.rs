//! Decisions that a comparison of two schemas leaves open.

use std::fmt;
use std::str::FromStr;

use crate::diff::unknown;
use crate::error::Error;
use crate::schema::Schema;
use crate::syntax::Expression;
use crate::syntax::tokens;
use crate::syntax::{Name, quoted, unquoted};

/// The path of a table, a column, an enum or a value.
///
/// `logs`, `logs.message`, `sales.orders.total`, `mood."very happy"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectPath(Vec<String>);

impl ObjectPath {
    /// The path of a table or an enum.
    pub fn of(name: &Name) -> Self {
        Self(
            name.schema
                .iter()
                .cloned()
                .chain([name.name.clone()])
                .collect(),
        )
    }

    /// The path of a column of a table, or of a value of an enum.
    pub fn within(name: &Name, part: &str) -> Self {
        let mut path = Self::of(name);
        path.0.push(part.to_owned());
        path
    }

    /// All but the last part: the table of a column, the enum of a value.
    fn owner(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    fn part(&self, last: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(last.to_owned());
        Self(parts)
    }

    /// The last part.
    pub(crate) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The path as the name of a table or an enum.
    pub(crate) fn name(&self) -> Name {
        match self.0.as_slice() {
            [schema, name] => Name::within(Some(schema.as_str()), name.as_str()),
            _ => Name::new(self.last()),
        }
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|part| quoted(part)).collect();
        f.write_str(&parts.join("."))
    }
}

impl FromStr for ObjectPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(format!(
                "`{text}` is not a name: write table, table.column or schema.table.column"
            ))
        };
        let found = tokens(text).map_err(|_| wrong())?;
        let mut parts = Vec::new();
        for (at, token) in found.iter().enumerate() {
            if at % 2 == 0 {
                parts.push(unquoted(token.kind, token.text).ok_or_else(wrong)?);
            } else if !token.is(".") {
                return Err(wrong());
            }
        }
        if parts.is_empty() || parts.len() > 3 || found.len() % 2 == 0 {
            return Err(wrong());
        }
        Ok(Self(parts))
    }
}

/// Decisions on renames, drops and conversions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decisions {
    /// Renamed tables, columns, enums and values.
    pub renames: Vec<(ObjectPath, ObjectPath)>,
    /// Objects that were dropped, although a similar one was added.
    pub drops: Vec<ObjectPath>,
    /// The values of existing rows in columns that become `NOT NULL`.
    pub fills: Vec<(ObjectPath, Expression)>,
    /// The expressions that convert values of columns to their new types.
    pub usings: Vec<(ObjectPath, Expression)>,
    /// Whether every missing object counts as dropped.
    pub assume_drops: bool,
    /// Whether all changes are made in one transaction.
    ///
    /// A value that is added to an enum cannot be used in the same transaction.
    pub one_transaction: bool,
}

impl Decisions {
    /// Decisions that leave no question open: every missing object counts as dropped.
    pub fn assuming_drops() -> Self {
        Self {
            assume_drops: true,
            ..Self::default()
        }
    }

    /// Rejects fills that no column needs.
    ///
    /// `old` is the first schema with the names of `to`.
    pub(crate) fn check_needed(&self, old: &Schema, to: &Schema) -> Result<(), DiffError> {
        let both = |path: &ObjectPath| {
            let table = path.owner().name();
            let column = |schema: &Schema| {
                schema
                    .tables
                    .get(&table)
                    .map(|t| t.column(path.last()).cloned())
            };
            // A new table has no rows.
            Some((column(old)?, column(to)??))
        };
        for (path, _) in &self.fills {
            let needed = both(path)
                .is_none_or(|(old, new)| new.not_null && old.is_none_or(|old| !old.not_null));
            if !needed {
                return Err(DiffError::Decision(Error::new(format!(
                    "cannot fill {path}: the column does not become NOT NULL"
                ))));
            }
        }
        Ok(())
    }

    /// The path that `target` stands for, in the first and in the second schema.
    ///
    /// The last part of the path is enough for a column or a value.
    fn targets(
        &self,
        path: &ObjectPath,
        target: &ObjectPath,
        from: &Schema,
    ) -> (ObjectPath, ObjectPath) {
        if is_owner(path, from) {
            let owner = ObjectPath::of(&target.name());
            return (owner.clone(), owner);
        }
        let owner = path.owner();
        let mut renames = self.renames.iter();
        let now = renames.find(|(from, _)| *from == owner);
        let now = now.map_or(&owner, |(_, to)| to);
        (owner.part(target.last()), now.part(target.last()))
    }

    pub(crate) fn is_dropped(&self, path: &ObjectPath) -> bool {
        self.assume_drops || self.drops.contains(path)
    }

    pub(crate) fn fill(&self, table: &Name, column: &str) -> Option<Expression> {
        find(&self.fills, &ObjectPath::within(table, column))
    }

    pub(crate) fn using(&self, table: &Name, column: &str) -> Option<Expression> {
        find(&self.usings, &ObjectPath::within(table, column))
    }

    /// Rejects decisions about objects that do not exist.
    pub(crate) fn check(&self, from: &Schema, to: &Schema) -> Result<(), DiffError> {
        let old = paths(from);
        let new = paths(to);
        let missing = |what: &str, path: &ObjectPath| DiffError::Decision(unknown(what, path));
        for (path, target) in &self.renames {
            if !old.contains(path) {
                return Err(missing("rename", path));
            }
            let (there, renamed) = self.targets(path, target, from);
            if !new.contains(&renamed) {
                let problem =
                    format!("cannot rename {path} to {target}: no new object has this name");
                return Err(DiffError::Decision(Error::new(problem)));
            }
            let moves = self.renames.iter().any(|(from, _)| *from == there);
            if there != *path && old.contains(&there) && !moves && !self.is_dropped(&there) {
                return Err(DiffError::Decision(Error::new(format!(
                    "cannot rename {path} to {target}: {there} exists already; if it is dropped, \
                     decide that, too"
                ))));
            }
        }
        for (at, (path, _)) in self.renames.iter().enumerate() {
            let again = self.renames[..at]
                .iter()
                .any(|(earlier, _)| earlier == path);
            if again || self.drops.contains(path) {
                return Err(DiffError::Decision(Error::new(format!(
                    "{path} must be renamed or dropped once"
                ))));
            }
        }
        for path in &self.drops {
            if !old.contains(path) {
                return Err(missing("drop", path));
            }
        }
        for (what, list) in [("fill", &self.fills), ("convert", &self.usings)] {
            for (path, _) in list {
                if !new.contains(path) {
                    return Err(missing(what, path));
                }
            }
        }
        Ok(())
    }
}

/// Whether it is the path of a table or an enum.
fn is_owner(path: &ObjectPath, schema: &Schema) -> bool {
    let name = path.name();
    ObjectPath::of(&name) == *path
        && (schema.tables.contains_key(&name) || schema.enums.contains_key(&name))
}

fn find(list: &[(ObjectPath, Expression)], wanted: &ObjectPath) -> Option<Expression> {
    list.iter()
        .find(|(path, _)| path == wanted)
        .map(|(_, expression)| expression.clone())
}

fn paths(schema: &Schema) -> Vec<ObjectPath> {
    let mut paths = Vec::new();
    for (name, table) in &schema.tables {
        paths.push(ObjectPath::of(name));
        paths.extend(
            table
                .columns
                .iter()
                .map(|column| ObjectPath::within(name, &column.name)),
        );
    }
    for (name, values) in &schema.enums {
        paths.push(ObjectPath::of(name));
        paths.extend(values.iter().map(|value| ObjectPath::within(name, value)));
    }
    paths
}

/// An open decision: was an object renamed or dropped?
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question {
    /// `table`, `column`, `enum` or `value`.
    pub kind: &'static str,
    /// The object that is missing in the new schema.
    pub gone: ObjectPath,
    /// The new objects that it may have become.
    pub candidates: Vec<ObjectPath>,
}

impl Question {
    /// The name of a candidate in a rename; only the last part for a column or a value.
    pub fn new_name(&self, candidate: &ObjectPath) -> String {
        match self.kind {
            "table" | "enum" => candidate.to_string(),
            _ => quoted(candidate.last()).into_owned(),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            gone,
            candidates,
        } = self;
        let new: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        write!(
            f,
            "the {kind} {gone} was removed, and {} added: was it renamed or dropped?",
            new.join(", ")
        )
    }
}

/// The reason why there is no plan.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DiffError {
    /// Open decisions.
    #[error("{}", questions(.0))]
    Questions(Vec<Question>),
    /// A decision that is not valid.
    #[error("{0}")]
    Decision(Error),
}

fn questions(questions: &[Question]) -> String {
    let lines: Vec<String> = questions.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::Decisions;
    use crate::{Column, Name, Schema, Table, diff};

    fn table(columns: &[&str]) -> Schema {
        let columns = columns
            .iter()
            .map(|name| Column::new(*name, "text".parse().unwrap()))
            .collect();
        let table = Table {
            columns,
            ..Table::default()
        };
        Schema {
            tables: [(Name::new("logs"), table)].into(),
            ..Schema::default()
        }
    }

    fn refused(decisions: &Decisions) -> String {
        let (from, to) = (table(&["msg"]), table(&["message"]));
        diff(&from, &to, decisions).unwrap_err().to_string()
    }

    #[test]
    fn diff_with_duplicate_or_needless_decision_is_refused() {
        let path = |text: &str| text.parse().unwrap();
        let rename = (path("logs.msg"), path("message"));
        let mut decisions = Decisions {
            renames: vec![rename.clone(), rename],
            ..Decisions::default()
        };
        insta::assert_snapshot!(refused(&decisions), @"logs.msg must be renamed or dropped once");
        decisions.renames.pop();
        decisions.drops.push(path("logs.msg"));
        insta::assert_snapshot!(refused(&decisions), @"logs.msg must be renamed or dropped once");
        decisions.drops.clear();
        decisions
            .fills
            .push((path("logs.message"), "'none'".parse().unwrap()));
        insta::assert_snapshot!(refused(&decisions), @"cannot fill logs.message: the column does not become NOT NULL");
        decisions.fills.clear();
        let both = table(&["msg", "message"]);
        let error = diff(&both, &table(&["message"]), &decisions).unwrap_err();
        insta::assert_snapshot!(error, @"cannot rename logs.msg to message: logs.message exists already; if it is dropped, decide that, too");
        decisions.renames[0].1 = path("mesage");
        insta::assert_snapshot!(refused(&decisions), @"cannot rename logs.msg to mesage: no new object has this name");
    }
}
