//! Indexes and keys that are there before and after, but not the same: the new
//! one is built beside the old one, which works until they change places.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Change;
use crate::change::Plan;
use crate::schema::{Constraint, Index, Schema};
use crate::syntax::{Name, free};

/// The name of each new one while it is built, by its table and its name.
pub(super) type Replacements = BTreeMap<(Name, String), String>;

/// The drops of `plan` that can wait for what takes their place.
pub(super) fn replacements(plan: &Plan, from: &Schema, to: &Schema) -> Replacements {
    let changes = || plan.steps.iter().map(|step| &step.change);
    let comes: BTreeSet<(&Name, &String)> = changes()
        .filter_map(|change| match change {
            Change::CreateIndex { table, name, .. } => Some((table, name)),
            Change::AddConstraint {
                table,
                name,
                constraint: Constraint::PrimaryKey(_) | Constraint::Unique(_),
            } => Some((table, name)),
            _ => None,
        })
        .collect();
    let mut in_use = &from.names_in_use() | &to.names_in_use();
    let mut replacements = Replacements::new();
    let mut now = from.clone();
    for change in changes() {
        let goes = now.goes(change);
        change.apply(&mut now);
        let Some((table, name, old)) = goes else {
            continue;
        };
        let in_the_way = changes().any(|change| old.is_in_the_way_of(table, change));
        if !comes.contains(&(table, name)) || in_the_way {
            continue;
        }
        let temporary = free(name, "__new", |candidate| {
            in_use.contains(&table.beside(candidate))
        });
        in_use.insert(table.beside(temporary.as_str()));
        replacements.insert((table.clone(), name.clone()), temporary);
    }
    replacements
}

/// What is to be replaced.
enum Old {
    Index(Index),
    Key(Vec<String>),
}

impl Schema {
    /// The index or key that `change` drops: its table, its name, what it is.
    fn goes<'c>(&self, change: &'c Change) -> Option<(&'c Name, &'c String, Old)> {
        match change {
            Change::DropIndex { table, name } => {
                let index = self.tables.get(table)?.indexes.get(name)?;
                Some((table, name, Old::Index(index.clone())))
            }
            Change::DropConstraint { table, name } => {
                match self.tables.get(table)?.constraints.get(name)? {
                    Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                        let columns = key.columns.iter().chain(&key.include);
                        Some((table, name, Old::Key(columns.cloned().collect())))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl Old {
    /// Whether it has to be gone before the change is made to its table, or is
    /// gone by it: the table or a column of it is not what it was, or a foreign
    /// key finds another key to hold on to.
    fn is_in_the_way_of(&self, of: &Name, change: &Change) -> bool {
        match change {
            Change::AlterType { table, column, .. }
            | Change::DropColumn { table, column, .. }
            | Change::DropNotNull { table, column }
            | Change::DropExpression { table, column } => table == of && self.mentions(column),
            Change::CreateTable { name, .. } | Change::DropTable(name) => name == of,
            Change::MoveRows { to, .. } => to == of,
            Change::AddConstraint {
                constraint: Constraint::ForeignKey(key),
                ..
            } => key.table == *of && self.is_unique(),
            _ => false,
        }
    }

    fn mentions(&self, column: &String) -> bool {
        match self {
            Self::Index(index) => index.mentions(column),
            Self::Key(columns) => columns.contains(column),
        }
    }

    fn is_unique(&self) -> bool {
        match self {
            Self::Index(index) => index.unique,
            Self::Key(_) => true,
        }
    }
}
