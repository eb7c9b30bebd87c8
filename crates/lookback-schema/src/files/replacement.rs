//! Replaces indexes and keys whose definition changes.
//!
//! The new one is built beside the old one, which stays in use until then.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Change;
use crate::change::Plan;
use crate::schema::{Constraint, Index, Schema};
use crate::syntax::{Name, free};

/// The temporary name of each replacement, by its table and name.
pub(super) type Replacements = BTreeMap<(Name, String), String>;

/// Finds the drops of `plan` that can wait for their replacement.
pub(super) fn replacements(plan: &Plan, from: &Schema, to: &Schema) -> Replacements {
    let changes = || plan.steps.iter().map(|step| &step.change);
    let comes: BTreeSet<(&Name, &String)> = changes()
        .filter_map(|change| match change {
            Change::CreateIndex { table, name, .. } => Some((table, name)),
            Change::AddConstraint {
                table,
                name,
                constraint: Constraint::PrimaryKey(key) | Constraint::Unique(key),
            } if !key.without_overlaps => Some((table, name)),
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

/// The index or key that is replaced.
enum Old {
    Index(Index),
    Key(Vec<String>),
}

impl Schema {
    /// The index or key that `change` drops, with its table and its name.
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
    /// Whether it must be dropped before `change`, or is dropped by it.
    ///
    /// That is so if its table or one of its columns changes, or if a new
    /// foreign key might use it instead of its replacement.
    fn is_in_the_way_of(&self, of: &Name, change: &Change) -> bool {
        match change {
            Change::AlterType { table, column, .. }
            | Change::DropColumn { table, column, .. }
            | Change::DropNotNull { table, column }
            | Change::DropExpression { table, column } => table == of && self.mentions(column),
            Change::CreateTable { name, .. } | Change::DropTable(name) => name == of,
            Change::MoveRows { to, .. } => to == of,
            // The enum is recreated in the first file.
            Change::CheckEnumUsers { name, .. } => self.mentions_type(name),
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

    fn mentions_type(&self, name: &Name) -> bool {
        match self {
            Self::Index(index) => index.expressions().any(|e| e.mentions_type(name)),
            Self::Key(_) => false,
        }
    }

    fn is_unique(&self) -> bool {
        match self {
            Self::Index(index) => index.unique,
            Self::Key(_) => true,
        }
    }
}
