//! Compares two schemas and returns their differences as an ordered plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Change, Indexed, TypeChange};
use crate::change::{Plan, new_tables};
use crate::error::Error;
use crate::schema::{
    Column, Constraint, Deferral, Fill, Index, IndexKey, Partition, Schema, Table,
};
use crate::syntax::Expression;
use crate::syntax::{Name, free, quoted, shortened};

mod decisions;
mod names;
mod rename;

pub use decisions::{Decisions, DiffError, ObjectPath, Question};

/// Computes the changes from `from` to `to`.
///
/// The changes are valid in this order and in one transaction. Equal schemas give an empty plan.
///
/// Extensions, schemas and, where [`Table::open_partitions`] is set, partitions
/// that only `from` has are kept.
///
/// # Errors
///
/// [`DiffError::Questions`] if an object may have been renamed or dropped, and `decisions` does not
/// settle it.
pub fn diff(from: &Schema, to: &Schema, decisions: &Decisions) -> Result<Plan, DiffError> {
    decisions.check(from, to)?;
    let renamed = rename::resolve(from, to, decisions)?;
    decisions.check_needed(&renamed.schema, to)?;
    let mut differ = Differ {
        old: renamed.schema,
        to,
        decisions,
        renamed: renamed.renames,
        clear: Vec::new(),
        drops: Vec::new(),
        types: Vec::new(),
        tables: Vec::new(),
        columns: Vec::new(),
        keys: Vec::new(),
        indexes: Vec::new(),
        references: Vec::new(),
        last: Vec::new(),
        swapped: BTreeMap::new(),
        rebuilt: BTreeMap::new(),
        kept_indexes: 0,
        in_use: &(&from.names_in_use() | &to.names_in_use()) | &sequences(from),
    };
    differ.run();
    let Differ {
        renamed,
        clear,
        drops,
        types,
        tables,
        columns,
        keys,
        indexes,
        references,
        last,
        ..
    } = differ;
    let mut changes = Vec::new();
    changes.extend(
        to.schemas
            .difference(&from.schemas)
            .cloned()
            .map(Change::CreateSchema),
    );
    let extensions = to.extensions.difference(&from.extensions).cloned();
    changes.extend(extensions.map(Change::CreateExtension));
    changes.extend(renamed.changes);
    for group in [
        clear, drops, types, tables, columns, keys, indexes, references, last,
    ] {
        changes.extend(group);
    }
    let new = new_tables(changes.iter());
    Ok(Plan::of(changes, &new))
}

struct Differ<'a> {
    /// `from` after all renames and without dropped objects: the remaining objects have the names
    /// of `to`.
    old: Schema,
    to: &'a Schema,
    decisions: &'a Decisions,
    renamed: rename::Renames,
    clear: Vec<Change>,
    drops: Vec<Change>,
    types: Vec<Change>,
    tables: Vec<Change>,
    columns: Vec<Change>,
    keys: Vec<Change>,
    indexes: Vec<Change>,
    references: Vec<Change>,
    last: Vec<Change>,
    /// Enums that are recreated, each with the temporary name of the old one.
    swapped: BTreeMap<Name, Name>,
    /// Tables that are recreated, each with the temporary name of the old one.
    rebuilt: BTreeMap<Name, Name>,
    /// The number of indexes and keys whose settings are kept.
    kept_indexes: usize,
    /// Names that cannot be used for temporary objects: those of both schemas, and those of objects
    /// that are renamed for a while.
    in_use: BTreeSet<Name>,
}

impl Differ<'_> {
    fn run(&mut self) {
        let (old, to) = (self.old.clone(), self.to);
        self.find_swapped_enums(&old);
        self.find_rebuilt_tables(&old);
        for (name, table) in &to.tables {
            match old.tables.get(name) {
                None => self.create_table(name, table),
                Some(before) if self.rebuilt.contains_key(name) => {
                    self.rebuild(name, before, table);
                }
                Some(before) => self.alter_table(name, before, table),
            }
        }
        self.enums(&old);
        for (name, table) in &old.tables {
            if !to.tables.contains_key(name) {
                self.drop_table(name, table);
            }
        }
    }

    // Enums.

    /// PostgreSQL can neither remove a value of an enum nor change the order of values.
    fn find_swapped_enums(&mut self, old: &Schema) {
        for (name, values) in &self.to.enums {
            let Some(before) = old.enums.get(name) else {
                continue;
            };
            let kept: Vec<&String> = values
                .iter()
                .filter(|value| before.contains(value))
                .collect();
            let swap = kept != before.iter().collect::<Vec<_>>()
                || (before != values && self.uses_new_value(name, before, values));
            if swap {
                let temporary = self.aside(name);
                self.swapped.insert(name.clone(), temporary);
            }
        }
    }

    /// An added value cannot be used before its transaction ends.
    fn uses_new_value(&self, name: &Name, before: &[String], values: &[String]) -> bool {
        let new: Vec<&String> = values
            .iter()
            .filter(|value| !before.contains(value))
            .collect();
        let decisions = self.decisions;
        let mut decided = decisions.fills.iter().chain(&decisions.usings);
        let is_filled = decided
            .any(|(_, expression)| new.iter().any(|value| expression.mentions_literal(value)));
        let is_used = || {
            self.to.tables.values().any(|table| {
                let expressions = table.expressions_of_type(name);
                new.iter().any(|value| {
                    expressions
                        .iter()
                        .any(|expression| expression.mentions_literal(value))
                        || table.bounds_mention(value)
                })
            })
        };
        decisions.one_transaction && (is_filled || is_used())
    }

    fn enums(&mut self, old: &Schema) {
        for (name, values) in &self.to.enums {
            match (old.enums.get(name), self.swapped.get(name)) {
                (None, _) => self.types.push(Change::CreateEnum {
                    name: name.clone(),
                    values: values.clone(),
                }),
                (Some(_), Some(temporary)) => {
                    let temporary = temporary.clone();
                    self.types.push(Change::CheckEnumUsers {
                        name: name.clone(),
                        temporary: temporary.clone(),
                        columns: self.columns_of(name, old),
                    });
                    self.types.push(Change::RenameEnum {
                        from: name.clone(),
                        to: temporary.clone(),
                    });
                    self.types.push(Change::CreateEnum {
                        name: name.clone(),
                        values: values.clone(),
                    });
                    self.last.push(Change::DropEnum(temporary));
                }
                (Some(before), None) => self.add_values(name, before, values),
            }
        }
        let gone = old
            .enums
            .keys()
            .filter(|name| !self.to.enums.contains_key(name));
        self.last.extend(gone.cloned().map(Change::DropEnum));
    }

    /// The columns that the plan converts to the recreated enum `name`, with the names that their
    /// tables have then. A table without such a column, but with an expression that contains the
    /// type, has none.
    fn columns_of(&self, name: &Name, old: &Schema) -> Vec<(Name, Option<String>)> {
        let tables = (old.tables.iter()).filter(|(table, _)| self.to.tables.contains_key(*table));
        let columns = tables.flat_map(|(table, before)| {
            let there = self.rebuilt.get(table).unwrap_or(table);
            let typed = before.columns.iter().filter(|c| c.data_type.name == *name);
            let typed = typed.map(|column| (there.clone(), Some(column.name.clone())));
            let mentioned = before.expressions().iter().any(|e| e.mentions_type(name));
            typed.chain(mentioned.then(|| (there.clone(), None)))
        });
        columns.collect()
    }

    fn add_values(&mut self, name: &Name, before: &[String], values: &[String]) {
        for (at, value) in values.iter().enumerate() {
            if before.contains(value) {
                continue;
            }
            self.types.push(Change::AddEnumValue {
                name: name.clone(),
                value: value.clone(),
                after: at.checked_sub(1).map(|at| values[at].clone()),
                before: (at == 0).then(|| before.first().cloned()).flatten(),
            });
        }
    }

    // Tables.

    fn create_table(&mut self, name: &Name, table: &Table) {
        self.tables.push(Change::CreateTable {
            name: name.clone(),
            table: Box::new(table.clone()),
        });
        for (constraint_name, constraint) in &table.constraints {
            if !constraint.comes_with_its_table() {
                self.add_constraint(name, constraint_name, constraint);
            }
        }
        self.add_indexes(name, table);
    }

    fn add_indexes(&mut self, name: &Name, table: &Table) {
        for (index_name, index) in &table.indexes {
            self.indexes.push(Change::CreateIndex {
                table: name.clone(),
                name: index_name.clone(),
                index: index.clone(),
                concurrently: false,
            });
        }
    }

    fn add_references(&mut self, name: &Name, table: &Table) {
        for (constraint_name, constraint) in &table.constraints {
            if matches!(constraint, Constraint::ForeignKey(_)) {
                self.references
                    .push(add_constraint(name, constraint_name, constraint));
            }
        }
    }

    fn drop_table(&mut self, name: &Name, table: &Table) {
        // Tables may refer to each other: references are dropped before the tables.
        self.drop_references(name, table);
        self.drops.push(Change::DropTable(name.clone()));
    }

    fn drop_references(&mut self, name: &Name, table: &Table) {
        for (constraint_name, constraint) in &table.constraints {
            if matches!(constraint, Constraint::ForeignKey(_)) {
                self.clear.insert(0, drop_constraint(name, constraint_name));
            }
        }
    }

    /// Finds the tables whose partition key, or a type in it, changes.
    ///
    /// PostgreSQL can alter neither.
    fn find_rebuilt_tables(&mut self, old: &Schema) {
        for (name, table) in &self.to.tables {
            let Some(before) = old.tables.get(name) else {
                continue;
            };
            let key_changed = before.partition_by.as_ref().is_some_and(|by| {
                before.columns.iter().any(|column| {
                    by.keys
                        .iter()
                        .any(|key| key.expression.mentions(&column.name))
                        && table.column(&column.name).is_none_or(|new| {
                            new.data_type != column.data_type
                                || new.collation != column.collation
                                || self.swapped.contains_key(&column.data_type.name)
                        })
                })
            });
            if before.partition_by != table.partition_by || key_changed {
                let temporary = self.aside(name);
                self.rebuilt.insert(name.clone(), temporary);
            }
        }
    }

    fn rebuild(&mut self, name: &Name, before: &Table, after: &Table) {
        let Some(temporary) = self.rebuilt.get(name).cloned() else {
            return;
        };
        self.drop_references(name, before);
        for index in before.indexes.keys() {
            self.clear.push(drop_index(name, index));
        }
        for (constraint_name, constraint) in &before.constraints {
            if !matches!(constraint, Constraint::ForeignKey(_)) {
                self.clear.push(drop_constraint(name, constraint_name));
            }
        }
        self.clear.push(Change::RenameTable {
            from: name.clone(),
            to: temporary.clone(),
        });
        let moves = self.set_aside(&before.partitions);
        self.clear.extend(moves);
        let mut bare = after.clone();
        bare.constraints.clear();
        bare.indexes.clear();
        self.tables.push(Change::CreateTable {
            name: name.clone(),
            table: Box::new(bare),
        });
        let columns = after
            .columns
            .iter()
            .filter(|column| column.fill.generated().is_none())
            .filter_map(|column| {
                let value = match before.column(&column.name) {
                    Some(old) => self.value_of(name, old, column)?,
                    None => self.decisions.fill(name, &column.name)?,
                };
                Some((column.name.clone(), value))
            })
            .collect();
        let counts = |column: &Column| column.fill.is_identity() || column.fill == Fill::Serial;
        let counted = after
            .columns
            .iter()
            .filter(|column| counts(column))
            .map(|column| {
                let old = before.column(&column.name);
                (column.name.clone(), old.is_some_and(counts))
            })
            .collect();
        self.columns.push(Change::MoveRows {
            from: temporary,
            to: name.clone(),
            columns,
            counted,
            deferred: false,
            remade: true,
        });
        for (constraint_name, constraint) in &after.constraints {
            if !matches!(constraint, Constraint::ForeignKey(_)) {
                self.keys
                    .push(add_constraint(name, constraint_name, constraint));
            }
        }
        self.add_indexes(name, after);
        self.add_references(name, after);
    }

    /// The expression that converts a value of the old table to the new column.
    fn value_of(&self, table: &Name, old: &Column, new: &Column) -> Option<Expression> {
        let same =
            old.data_type == new.data_type && !self.swapped.contains_key(&old.data_type.name);
        let converted = match self.decisions.using(table, &new.name) {
            Some(how) => Some(how),
            None if same => None,
            None => {
                let mut from = old.data_type.clone();
                if let Some(temporary) = self.swapped.get(&from.name) {
                    from.name = temporary.clone();
                }
                TypeChange::new(&from, &new.data_type).using(&new.name)
            }
        };
        let value = converted.or_else(|| Expression::new(quoted(&new.name)).ok())?;
        match self
            .decisions
            .fill(table, &new.name)
            .filter(|_| !old.not_null && new.not_null)
        {
            Some(fill) => Expression::new(format!("coalesce({value}, {fill})")).ok(),
            None => Some(value),
        }
    }

    fn alter_table(&mut self, name: &Name, before: &Table, after: &Table) {
        if before == after && !self.is_touched_from_outside(before) {
            return;
        }
        let retyped = self.retyped(before, after);
        self.alter_constraints(name, before, after, &retyped);
        self.alter_indexes(name, before, after, &retyped);
        self.alter_columns(name, before, after, &retyped);
        self.alter_partitions(name, before, after, &retyped);
        if before.comment != after.comment {
            self.last.push(Change::SetComment {
                table: name.clone(),
                column: None,
                comment: after.comment.clone(),
            });
        }
    }

    /// Whether a change of another table or of a type may affect this table.
    fn is_touched_from_outside(&self, table: &Table) -> bool {
        let swapped = table
            .columns
            .iter()
            .any(|c| self.swapped.contains_key(&c.data_type.name))
            || (table.expressions().into_iter()).any(|e| self.mentions_swapped(e));
        let refers = table
            .constraints
            .values()
            .any(|c| matches!(c, Constraint::ForeignKey(_)));
        swapped || refers
    }

    /// Whether an expression contains the name of an enum that is recreated.
    fn mentions_swapped(&self, expression: &Expression) -> bool {
        self.swapped
            .keys()
            .any(|name| expression.mentions_type(name))
    }

    /// Whether a column is dropped and added: it cannot be altered, or it is generated from columns
    /// or types that change.
    fn remade(&self, old: &Column, new: &Column, retyped: &BTreeSet<String>) -> bool {
        let contains_type = |column: &Column| {
            let expression = column.fill.generated();
            expression.is_some_and(|expression| self.mentions_swapped(expression))
        };
        remade(old, new, retyped)
            || new.fill.generated().is_some() && (contains_type(old) || contains_type(new))
    }

    /// Columns whose type changes, and generated columns that depend on them.
    fn retyped(&self, before: &Table, after: &Table) -> BTreeSet<String> {
        let mut retyped: BTreeSet<String> = after
            .columns
            .iter()
            .filter(|column| {
                before.column(&column.name).is_some_and(|old| {
                    old.data_type != column.data_type
                        || old.collation != column.collation
                        || self.swapped.contains_key(&old.data_type.name)
                })
            })
            .map(|column| column.name.clone())
            .collect();
        // A generated column that uses such a column is recreated; so are its own dependents.
        let remade: Vec<String> = after
            .columns
            .iter()
            .filter(|column| {
                before
                    .column(&column.name)
                    .is_some_and(|old| self.remade(old, column, &retyped))
            })
            .map(|column| column.name.clone())
            .collect();
        retyped.extend(remade);
        retyped
    }

    fn alter_constraints(
        &mut self,
        name: &Name,
        before: &Table,
        after: &Table,
        retyped: &BTreeSet<String>,
    ) {
        for (constraint_name, constraint) in &before.constraints {
            let same = after.constraints.get(constraint_name);
            let remade = self.must_be_remade(name, constraint, retyped);
            let stays = same == Some(constraint) && !remade;
            let validates = constraint.is_not_valid()
                && !remade
                && same.is_some_and(|after| *after == constraint.clone().validated());
            if stays {
                continue;
            }
            if validates {
                self.keys.push(Change::ValidateConstraint {
                    table: name.clone(),
                    name: constraint_name.clone(),
                });
                continue;
            }
            if constraint.has_index() {
                self.keep_index_settings(name, constraint_name, after);
            }
            let change = drop_constraint(name, constraint_name);
            if matches!(constraint, Constraint::ForeignKey(_)) {
                self.clear.insert(0, change);
            } else {
                self.clear.push(change);
            }
            if let Some(after) = same {
                self.add_constraint(name, constraint_name, after);
            }
        }
        for (constraint_name, constraint) in &after.constraints {
            if !before.constraints.contains_key(constraint_name) {
                self.add_constraint(name, constraint_name, constraint);
            }
        }
    }

    fn add_constraint(&mut self, table: &Name, name: &str, constraint: &Constraint) {
        let change = add_constraint(table, name, constraint);
        if matches!(constraint, Constraint::ForeignKey(_)) {
            self.references.push(change);
        } else {
            self.keys.push(change);
        }
    }

    /// Whether an unchanged constraint must be dropped and added because of a column.
    fn must_be_remade(
        &self,
        table: &Name,
        constraint: &Constraint,
        retyped: &BTreeSet<String>,
    ) -> bool {
        match constraint {
            Constraint::Check { .. } | Constraint::Exclude(_)
                if (constraint.expressions().into_iter()).any(|e| self.mentions_swapped(e)) =>
            {
                true
            }
            Constraint::Check { expression, .. } => retyped.iter().any(|c| expression.mentions(c)),
            Constraint::Exclude(exclusion) => retyped.iter().any(|c| exclusion.mentions(c)),
            Constraint::PrimaryKey(key) | Constraint::Unique(key) => key
                .columns
                .iter()
                .chain(&key.include)
                .any(|column| self.is_dropped_and_added(table, column, retyped)),
            Constraint::ForeignKey(key) => {
                key.columns.iter().any(|column| retyped.contains(column))
                    || self.key_is_remade(&key.table, &key.references)
            }
        }
    }

    fn is_dropped_and_added(&self, table: &Name, column: &str, retyped: &BTreeSet<String>) -> bool {
        let columns = |schema: &Schema| {
            schema
                .tables
                .get(table)
                .and_then(|t| t.column(column).cloned())
        };
        match (columns(&self.old), columns(self.to)) {
            (Some(old), Some(new)) => self.remade(&old, &new, retyped),
            _ => false,
        }
    }

    /// Whether the key that a foreign key refers to is dropped, even for a while.
    fn key_is_remade(&self, table: &Name, references: &[String]) -> bool {
        if self.rebuilt.contains_key(table) {
            return true;
        }
        let (Some(before), Some(after)) = (self.old.tables.get(table), self.to.tables.get(table))
        else {
            return false;
        };
        let retyped = self.retyped(before, after);
        let wanted: BTreeSet<&String> = references.iter().collect();
        let key_goes = before
            .constraints
            .iter()
            .any(|(name, constraint)| match constraint {
                Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                    key.columns.iter().collect::<BTreeSet<_>>() == wanted
                        && (after.constraints.get(name) != Some(constraint)
                            || self.must_be_remade(table, constraint, &retyped)
                            // The server recreates its index.
                            || key.include.iter().any(|column| retyped.contains(column)))
                }
                _ => false,
            });
        let index_goes = before.indexes.iter().any(|(name, index)| {
            index.unique
                && (after.indexes.get(name) != Some(index)
                    || retyped.iter().any(|column| index.mentions(column)))
                && index
                    .keys
                    .iter()
                    .all(|key| references.iter().any(|r| key.expression.mentions(r)))
        });
        let column_changes = references.iter().any(|column| {
            retyped.contains(column)
                || before.column(column).is_none()
                || after.column(column).is_none()
        });
        // A partition cannot be detached while foreign keys refer to its rows.
        let rows_move = before
            .partitions
            .iter()
            .any(|(name, was)| !partition_stays(before, after, name, was));
        key_goes || index_goes || column_changes || rows_move
    }

    fn alter_indexes(
        &mut self,
        name: &Name,
        before: &Table,
        after: &Table,
        retyped: &BTreeSet<String>,
    ) {
        let is_touched = |differ: &Self, index: &Index| {
            let mentions = retyped.iter().any(|column| index.mentions(column))
                || (index.expressions()).any(|expression| differ.mentions_swapped(expression));
            mentions && !differ.follows_types(name, index, retyped)
        };
        for (index_name, index) in &before.indexes {
            let touched = is_touched(self, index);
            if after.indexes.get(index_name) == Some(index) && !touched {
                continue;
            }
            self.keep_index_settings(name, index_name, after);
            self.clear.push(drop_index(name, index_name));
        }
        for (index_name, index) in &after.indexes {
            let touched = is_touched(self, index);
            if before.indexes.get(index_name) == Some(index) && !touched {
                continue;
            }
            self.indexes.push(Change::CreateIndex {
                table: name.clone(),
                name: index_name.clone(),
                index: index.clone(),
                concurrently: false,
            });
        }
    }

    /// Whether an index stays while types of its columns change.
    ///
    /// PostgreSQL builds it again with the table, if it must, and keeps its settings; a unique one
    /// is never missing. That takes place under the lock of the change. So it is left to PostgreSQL
    /// for a B-tree of columns only: others may take far longer than the table itself, and an
    /// expression may not accept the new type.
    fn follows_types(&self, table: &Name, index: &Index, retyped: &BTreeSet<String>) -> bool {
        let changes = |expression: &Expression| {
            retyped.iter().any(|column| expression.mentions(column))
                || self.mentions_swapped(expression)
        };
        let follows = |key: &IndexKey| match key.expression.as_column() {
            Some(column) if retyped.contains(&column) => {
                let is_default = key.opclass.is_none() && key.collation.is_none();
                is_default && !self.is_dropped_and_added(table, &column, retyped)
            }
            _ => !changes(&key.expression),
        };
        index.method == "btree"
            && index.keys.iter().all(follows)
            && !index.predicate.as_ref().is_some_and(changes)
            && !(index.include.iter()).any(|c| self.is_dropped_and_added(table, c, retyped))
    }

    /// Keeps the settings of an index or key that is dropped, if another one gets its name.
    fn keep_index_settings(&mut self, table: &Name, name: &str, after: &Table) {
        let constraint = after
            .constraints
            .get(name)
            .is_some_and(Constraint::has_index);
        if !constraint && !after.indexes.contains_key(name) {
            return;
        }
        self.kept_indexes += 1;
        let number = self.kept_indexes;
        self.clear.push(Change::KeepIndexSettings {
            table: table.clone(),
            name: name.to_owned(),
            number,
        });
        self.last.push(Change::RestoreIndexSettings {
            table: table.clone(),
            name: name.to_owned(),
            number,
            constraint,
        });
    }

    fn alter_columns(
        &mut self,
        name: &Name,
        before: &Table,
        after: &Table,
        retyped: &BTreeSet<String>,
    ) {
        // Generated columns are dropped first and added last: they depend on the others.
        let mut drops = Vec::new();
        let mut late = Vec::new();
        for column in &before.columns {
            let new = after.column(&column.name);
            if new.is_some_and(|new| !self.remade(column, new, retyped)) {
                continue;
            }
            let generated = column.fill.generated().is_some();
            let stays_generated = new.is_none_or(|new| new.fill.generated().is_some());
            let drop = Change::DropColumn {
                table: name.clone(),
                column: column.name.clone(),
                generated: generated && stays_generated,
                was: self.name_before(name, &column.name),
            };
            if generated {
                drops.insert(0, drop);
            } else {
                drops.push(drop);
            }
        }
        self.drops.extend(drops);
        let earlier = self.columns.len();
        for column in &after.columns {
            let old = before
                .column(&column.name)
                .filter(|old| !self.remade(old, column, retyped));
            if let Some(old) = old {
                self.alter_column(name, old, column);
            } else {
                let existing = self
                    .decisions
                    .fill(name, &column.name)
                    .filter(|_| column.not_null && column.fill == Fill::None);
                if let Some(value) = existing.clone().filter(|value| !value.is_a_default()) {
                    late.extend(self.add_filled(name, column, value));
                    continue;
                }
                let change = Change::AddColumn {
                    table: name.clone(),
                    column: column.clone(),
                    existing,
                };
                if column.fill.generated().is_some() {
                    late.push(change);
                } else {
                    self.columns.push(change);
                }
            }
        }
        let fills = |change: &Change| matches!(change, Change::FillNulls { .. });
        let mut changes = self.columns.split_off(earlier);
        if !changes.iter().chain(&late).any(fills) {
            changes.append(&mut late);
        }
        changes.sort_by_key(place_in_table);
        self.columns.extend(changes);
        self.columns.extend(late);
    }

    /// The name of a dropped column that has a temporary one.
    fn name_before(&self, table: &Name, column: &str) -> Option<String> {
        self.renamed.changes.iter().find_map(|change| match change {
            Change::RenameColumn {
                table: of,
                from,
                to,
            } if of == table && to == column && self.to.tables.get(table)?.column(to).is_none() => {
                Some(from.clone())
            }
            _ => None,
        })
    }

    /// Adds a column that refuses null and whose existing rows get a computed value, for example
    /// from other columns.
    fn add_filled(&self, table: &Name, column: &Column, value: Expression) -> [Change; 3] {
        let nullable = Column {
            not_null: false,
            ..column.clone()
        };
        [
            Change::AddColumn {
                table: table.clone(),
                column: nullable,
                existing: None,
            },
            Change::FillNulls {
                table: table.clone(),
                column: column.name.clone(),
                value,
                deferred: self.waits(table),
            },
            Change::SetNotNull {
                table: table.clone(),
                column: column.name.clone(),
                proved: false,
            },
        ]
    }

    fn alter_column(&mut self, table: &Name, old: &Column, new: &Column) {
        let column = || new.name.clone();
        let retyped = old.data_type != new.data_type
            || old.collation != new.collation
            || self.swapped.contains_key(&old.data_type.name);
        let same_fill = old.fill.is_same(&new.fill, &new.data_type);
        // A default with the type of an enum that is recreated goes and comes back, too.
        let retypes = |fill: &Fill| matches!(fill, Fill::Default(e) if self.mentions_swapped(e));
        let default_retyped = retyped || retypes(&old.fill) || retypes(&new.fill);
        let refill = !same_fill || (default_retyped && matches!(old.fill, Fill::Default(_)));
        let identity = old.fill.is_identity() && new.fill.is_identity();
        let table_name = || table.clone();
        if refill && !identity {
            match &old.fill {
                Fill::Default(_) if default_retyped || !matches!(new.fill, Fill::Default(_)) => {
                    self.columns.push(Change::DropDefault {
                        table: table_name(),
                        column: column(),
                    });
                }
                Fill::IdentityAlways | Fill::IdentityByDefault => {
                    self.columns.push(Change::DropIdentity {
                        table: table_name(),
                        column: column(),
                    });
                }
                Fill::Serial => {
                    self.columns.push(Change::DropSerial {
                        table: table_name(),
                        column: column(),
                    });
                }
                Fill::Stored(_) | Fill::Virtual(_) => {
                    // Must run before the columns in the expression change.
                    self.clear.push(Change::DropExpression {
                        table: table_name(),
                        column: column(),
                    });
                }
                Fill::Default(_) | Fill::None => {}
            }
        }
        if retyped {
            self.alter_type(table, old, new);
        }
        if old.not_null && !new.not_null {
            self.columns.push(Change::DropNotNull {
                table: table_name(),
                column: column(),
            });
        }
        if !old.not_null && new.not_null {
            if let Some(value) = self.decisions.fill(table, &new.name) {
                self.columns.push(Change::FillNulls {
                    table: table_name(),
                    column: column(),
                    value,
                    deferred: self.waits(table),
                });
            }
            self.columns.push(Change::SetNotNull {
                table: table_name(),
                column: column(),
                proved: false,
            });
        }
        if identity && !same_fill {
            self.columns.push(Change::SetIdentity {
                table: table_name(),
                column: column(),
                always: new.fill == Fill::IdentityAlways,
            });
        } else if refill {
            match &new.fill {
                Fill::Default(default) => self.columns.push(Change::SetDefault {
                    table: table_name(),
                    column: column(),
                    default: default.clone(),
                }),
                Fill::IdentityAlways | Fill::IdentityByDefault => {
                    self.columns.push(Change::AddIdentity {
                        table: table_name(),
                        column: column(),
                        always: new.fill == Fill::IdentityAlways,
                    });
                }
                Fill::Serial => {
                    let sequence = self.sequence(table, &new.name);
                    self.columns.push(Change::AddSerial {
                        table: table_name(),
                        column: column(),
                        data_type: new.data_type.clone(),
                        sequence,
                    });
                }
                Fill::None | Fill::Stored(_) | Fill::Virtual(_) => {}
            }
        }
        // The sequence of an identity follows its column by itself.
        if let (Some(from), Some(to)) = (old.type_of_sequence(), new.type_of_sequence())
            && from != to
        {
            self.columns.push(Change::AlterSequence {
                table: table_name(),
                column: column(),
                from: from.clone(),
                to: to.clone(),
            });
        }
        if old.comment != new.comment {
            self.last.push(Change::SetComment {
                table: table_name(),
                column: Some(column()),
                comment: new.comment.clone(),
            });
        }
    }

    /// The name that PostgreSQL gives the sequence of a serial column.
    ///
    /// Another name if that one is in use: sequences keep their names when tables are renamed.
    fn sequence(&mut self, table: &Name, column: &str) -> Name {
        let free = free(&format!("{}_{column}", table.name), "_seq", |candidate| {
            self.in_use.contains(&table.beside(candidate))
        });
        let sequence = table.beside(free);
        self.in_use.insert(sequence.clone());
        sequence
    }

    /// Whether the table has a constraint that is checked at the end of the transaction.
    fn waits(&self, table: &Name) -> bool {
        let table = self.old.tables.get(table);
        table.is_some_and(|table| {
            let mut constraints = table.constraints.values();
            constraints.any(|c| c.deferral() == Deferral::InitiallyDeferred)
        })
    }

    fn alter_type(&mut self, table: &Name, old: &Column, new: &Column) {
        let mut from = old.data_type.clone();
        let mut without = None;
        if let Some(temporary) = self.swapped.get(&from.name) {
            let values = |schema: &Schema| {
                schema
                    .enums
                    .get(&old.data_type.name)
                    .cloned()
                    .unwrap_or_default()
            };
            let kept = values(self.to);
            if new.data_type.name == from.name {
                let mut gone = values(&self.old);
                gone.retain(|value| !kept.contains(value));
                without = Some(gone);
            }
            from.name = temporary.clone();
        }
        let using = match self.decisions.using(table, &new.name) {
            Some(how) => Some(how),
            None if from.name == old.data_type.name && old.data_type == new.data_type => None,
            None => TypeChange::new(&from, &new.data_type).using(&new.name),
        };
        self.columns.push(Change::AlterType {
            table: table.clone(),
            column: new.name.clone(),
            from,
            to: new.data_type.clone(),
            collation: new.collation.clone(),
            using,
            without,
            indexed: self.indexed(table, &new.name),
        });
    }

    /// What stays on a column whose type changes.
    fn indexed(&self, table: &Name, column: &str) -> Indexed {
        let (old, new) = (self.old.tables.get(table), self.to.tables.get(table));
        let (Some(old), Some(new)) = (old, new) else {
            return Indexed::No;
        };
        let retyped = self.retyped(old, new);
        let stays = |unique: bool| {
            old.indexes.iter().any(|(name, index)| {
                (!unique || index.unique)
                    && (index.keys.iter()).any(|key| key.expression.mentions(column))
                    && new.indexes.get(name) == Some(index)
                    && self.follows_types(table, index, &retyped)
            })
        };
        if self.is_in_key(table, column) || stays(true) {
            Indexed::Key
        } else if stays(false) {
            Indexed::Index
        } else {
            Indexed::No
        }
    }

    /// Whether a column belongs to a key that stays.
    fn is_in_key(&self, table: &Name, column: &str) -> bool {
        let keys = |schema: &Schema| -> Option<Vec<String>> {
            let constraints = schema.tables.get(table)?.constraints.iter();
            let keys = constraints.filter(|(_, constraint)| match constraint {
                Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                    key.columns.iter().any(|name| name == column)
                }
                _ => false,
            });
            Some(keys.map(|(name, _)| name.clone()).collect())
        };
        let (old, new) = (keys(&self.old), keys(self.to));
        old.is_some_and(|old| new.is_some_and(|new| old.iter().any(|name| new.contains(name))))
    }

    // Partitions.

    /// Reserves a free temporary name for an object that has to give up its name.
    fn aside(&mut self, name: &Name) -> Name {
        let free = name.beside(free(&name.name, "__old", |candidate| {
            self.in_use.contains(&name.beside(candidate))
        }));
        self.in_use.insert(free.clone());
        free
    }

    /// Renames partitions, and their own partitions, to free the names for new ones.
    fn set_aside(&mut self, partitions: &BTreeMap<Name, Partition>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, partition) in partitions {
            changes.push(Change::RenameTable {
                from: name.clone(),
                to: self.aside(name),
            });
            changes.extend(self.set_aside(&partition.partitions));
        }
        changes
    }

    fn alter_partitions(
        &mut self,
        name: &Name,
        before: &Table,
        after: &Table,
        retyped: &BTreeSet<String>,
    ) {
        let mut moved = Vec::new();
        for (partition, was) in &before.partitions {
            if partition_stays(before, after, partition, was) {
                continue;
            }
            let temporary = self.aside(partition);
            self.tables.push(Change::DetachPartition {
                table: name.clone(),
                name: partition.clone(),
            });
            self.tables.push(Change::RenameTable {
                from: partition.clone(),
                to: temporary.clone(),
            });
            let moves = self.set_aside(&was.partitions);
            self.tables.extend(moves);
            moved.push((temporary, partition.clone()));
        }
        for (partition, now) in &after.partitions {
            let new = before.partitions.get(partition) != Some(now)
                || moved.iter().any(|(_, was)| was == partition);
            if new {
                self.tables.push(Change::CreatePartition {
                    table: name.clone(),
                    name: partition.clone(),
                    partition: now.clone(),
                });
            }
        }
        // The columns at that time: dropped columns no longer exist, and altered columns are not
        // altered yet.
        let columns: Vec<(String, Expression)> = before
            .columns
            .iter()
            .filter(|column| {
                let new = after.column(&column.name);
                column.fill.generated().is_none()
                    && new.is_some_and(|new| !self.remade(column, new, retyped))
            })
            .filter_map(|column| {
                Some((
                    column.name.clone(),
                    Expression::new(quoted(&column.name)).ok()?,
                ))
            })
            .collect();
        for (temporary, _) in moved {
            self.tables.push(Change::MoveRows {
                from: temporary,
                to: name.clone(),
                columns: columns.clone(),
                counted: Vec::new(),
                deferred: self.waits(name),
                remade: false,
            });
        }
    }
}

/// The order of the changes of the columns of one table: those that may rewrite it come one after
/// another, and become one statement.
fn place_in_table(change: &Change) -> u8 {
    match change {
        Change::DropIdentity { .. } | Change::DropSerial { .. } | Change::DropNotNull { .. } => 0,
        Change::DropDefault { .. } => 1,
        Change::AlterType { .. } => 2,
        Change::AddColumn { column, .. } if column.fill.generated().is_none() => 3,
        Change::AddColumn { .. } => 4,
        Change::SetDefault { .. } => 5,
        _ => 6,
    }
}

/// The names that PostgreSQL gives the sequences of new columns.
fn sequences(schema: &Schema) -> BTreeSet<Name> {
    let tables = schema.tables.iter();
    let counted = tables.flat_map(|(name, table)| {
        let columns = table.columns.iter();
        columns
            .filter(|column| column.fill.is_identity() || column.fill == Fill::Serial)
            .map(move |column| (name, column))
    });
    counted
        .map(|(name, column)| {
            name.beside(shortened(&format!("{}_{}", name.name, column.name), "_seq"))
        })
        .collect()
}

/// Whether a column must be recreated because PostgreSQL cannot alter it.
fn is_regenerated(old: &Column, new: &Column) -> bool {
    match (old.fill.generated(), new.fill.generated()) {
        (None, None) => false,
        (None, Some(_)) => true,
        (Some(_), None) => matches!(old.fill, Fill::Virtual(_)),
        (Some(_), Some(_)) => {
            old.fill != new.fill || old.data_type != new.data_type || old.collation != new.collation
        }
    }
}

/// Whether a column is dropped and added: it cannot be altered, or it is generated from columns
/// that change.
fn remade(old: &Column, new: &Column, retyped: &BTreeSet<String>) -> bool {
    let follows = |column: &Column| {
        column.fill.generated().is_some_and(|expression| {
            retyped
                .iter()
                .any(|name| *name != column.name && expression.mentions(name))
        })
    };
    is_regenerated(old, new) || (new.fill.generated().is_some() && follows(new))
}

/// Whether a partition is left unchanged.
fn partition_stays(before: &Table, after: &Table, name: &Name, was: &Partition) -> bool {
    let comes = || {
        let mut partitions = after.partitions.iter();
        partitions.any(|(name, now)| before.partitions.get(name) != Some(now))
    };
    match after.partitions.get(name) {
        // Rows of the default partition may belong in a new partition.
        Some(now) => now == was && !(was.is_default() && comes()),
        None => after.open_partitions,
    }
}

fn add_constraint(table: &Name, name: &str, constraint: &Constraint) -> Change {
    Change::AddConstraint {
        table: table.clone(),
        name: name.to_owned(),
        constraint: constraint.clone(),
    }
}

fn drop_constraint(table: &Name, name: &str) -> Change {
    Change::DropConstraint {
        table: table.clone(),
        name: name.to_owned(),
    }
}

fn drop_index(table: &Name, name: &str) -> Change {
    Change::DropIndex {
        table: table.clone(),
        name: name.to_owned(),
    }
}

/// The error for a decision about an object that does not exist.
pub(crate) fn unknown(what: &str, path: &ObjectPath) -> Error {
    Error::new(format!("cannot {what} {path}: there is no such object"))
}
