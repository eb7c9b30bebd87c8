//! The objects of a schema, each of which is changed as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::change::Change;
use crate::change::Plan;
use crate::schema::{Column, Schema, Table};
use crate::syntax::{Name, quoted};

/// An object that is changed as a whole.
///
/// The order is that of copying changes: a table comes before its parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Object {
    Enum(Name),
    Table(Name),
    /// The partition key of a table.
    PartitionBy(Name),
    Partitions(Name),
    /// A column, without its comment.
    Column(Name, String),
    ColumnComment(Name, String),
    TableComment(Name),
    Constraint(Name, String),
    Index(Name, String),
}

/// The change of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Did {
    Create,
    Drop,
    Alter {
        /// Whether the change affects objects that use this one.
        users: bool,
    },
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Drop => "drop",
            Self::Alter { .. } => "change",
        })
    }
}

/// As the command-line flags name it.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enum(name)
            | Self::Table(name)
            | Self::PartitionBy(name)
            | Self::Partitions(name)
            | Self::TableComment(name) => name.fmt(f),
            Self::Column(table, part)
            | Self::ColumnComment(table, part)
            | Self::Constraint(table, part)
            | Self::Index(table, part) => write!(f, "{table}.{}", quoted(part)),
        }
    }
}

impl Object {
    /// The name with its kind before it.
    pub(super) fn described(&self) -> String {
        let kind = match self {
            Self::Enum(_) => "enum",
            Self::Table(_) => "table",
            Self::PartitionBy(_) => "the way of partitioning of",
            Self::Partitions(_) => "the partitions of",
            Self::TableComment(_) | Self::ColumnComment(..) => "comment of",
            Self::Column(..) => "column",
            Self::Constraint(..) => "constraint",
            Self::Index(..) => "index",
        };
        format!("{kind} {self}")
    }

    pub(super) fn is_comment(&self) -> bool {
        matches!(self, Self::TableComment(_) | Self::ColumnComment(..))
    }

    /// Whether `change` changes this object.
    pub(super) fn is_of(&self, change: &Change) -> bool {
        let comment = matches!(change, Change::SetComment { .. });
        let kind = match self {
            Self::Constraint(..) => matches!(
                change,
                Change::AddConstraint { .. } | Change::DropConstraint { .. }
            ),
            Self::Index(..) => matches!(
                change,
                Change::CreateIndex { .. } | Change::DropIndex { .. }
            ),
            Self::Column(..) => !matches!(
                change,
                Change::AddConstraint { .. }
                    | Change::DropConstraint { .. }
                    | Change::CreateIndex { .. }
                    | Change::DropIndex { .. }
            ),
            Self::Table(_) => matches!(change, Change::CreateTable { .. } | Change::DropTable(_)),
            Self::Enum(name) => {
                return change.owner() == Some(name)
                    && matches!(
                        change,
                        Change::CreateEnum { .. }
                            | Change::AddEnumValue { .. }
                            | Change::DropEnum(_)
                    );
            }
            Self::PartitionBy(_) | Self::Partitions(_) => false,
            Self::TableComment(_) | Self::ColumnComment(..) => true,
        };
        kind && comment == self.is_comment() && change.object() == self.to_string()
    }

    /// Whether the object is the same in both schemas.
    pub(super) fn same_in(&self, one: &Schema, other: &Schema) -> bool {
        fn same<'s, T: PartialEq + 's>(
            one: &'s Schema,
            other: &'s Schema,
            part: impl Fn(&'s Schema) -> Option<T>,
        ) -> bool {
            part(one) == part(other)
        }
        match self {
            Self::Enum(name) => same(one, other, |s| s.enums.get(name)),
            Self::Table(name) => same(one, other, |s| s.tables.get(name)),
            Self::PartitionBy(name) => {
                same(one, other, |s| s.tables.get(name).map(|t| &t.partition_by))
            }
            Self::Partitions(name) => same(one, other, |s| {
                let table = s.tables.get(name)?;
                Some((&table.partitions, table.open_partitions))
            }),
            Self::Column(table, name) => same(one, other, |s| {
                Some(bare(s.tables.get(table)?.column(name)?))
            }),
            Self::ColumnComment(table, name) => same(one, other, |s| {
                Some(&s.tables.get(table)?.column(name)?.comment)
            }),
            Self::TableComment(name) => same(one, other, |s| Some(&s.tables.get(name)?.comment)),
            Self::Constraint(table, name) => {
                same(one, other, |s| s.tables.get(table)?.constraints.get(name))
            }
            Self::Index(table, name) => {
                same(one, other, |s| s.tables.get(table)?.indexes.get(name))
            }
        }
    }

    /// Copies the object from `from` to `to`; removes it if `from` lacks it.
    pub(super) fn copy(&self, from: &Schema, to: &mut Schema) {
        match self {
            Self::Enum(name) => put(&mut to.enums, name, from.enums.get(name)),
            Self::Table(name) => put(&mut to.tables, name, from.tables.get(name)),
            Self::PartitionBy(name)
            | Self::Partitions(name)
            | Self::TableComment(name)
            | Self::Column(name, _)
            | Self::ColumnComment(name, _)
            | Self::Constraint(name, _)
            | Self::Index(name, _) => {
                if let (Some(from), Some(to)) = (from.tables.get(name), to.tables.get_mut(name)) {
                    self.copy_part(from, to);
                }
            }
        }
    }

    fn copy_part(&self, from: &Table, to: &mut Table) {
        match self {
            Self::Enum(_) | Self::Table(_) => {}
            Self::PartitionBy(_) => to.partition_by.clone_from(&from.partition_by),
            Self::Partitions(_) => {
                to.partitions.clone_from(&from.partitions);
                to.open_partitions = from.open_partitions;
            }
            Self::TableComment(_) => to.comment.clone_from(&from.comment),
            Self::Constraint(_, name) => {
                put(&mut to.constraints, name, from.constraints.get(name));
            }
            Self::Index(_, name) => put(&mut to.indexes, name, from.indexes.get(name)),
            Self::Column(_, name) => {
                let there = to.columns.iter_mut().find(|column| column.name == *name);
                match (from.column(name), there) {
                    (Some(new), Some(old)) => {
                        let comment = old.comment.take();
                        old.clone_from(new);
                        old.comment = comment;
                    }
                    (Some(new), None) => to.columns.push(new.clone()),
                    (None, _) => to.columns.retain(|column| column.name != *name),
                }
            }
            Self::ColumnComment(_, name) => {
                let there = to.columns.iter_mut().find(|column| column.name == *name);
                if let (Some(new), Some(old)) = (from.column(name), there) {
                    old.comment.clone_from(&new.comment);
                }
            }
        }
    }
}

fn put<K: Ord + Clone, V: Clone>(map: &mut BTreeMap<K, V>, key: &K, value: Option<&V>) {
    match value {
        Some(value) => {
            map.insert(key.clone(), value.clone());
        }
        None => {
            map.remove(key);
        }
    }
}

/// A column without its comment, which is an object of its own.
fn bare(column: &Column) -> Column {
    Column {
        comment: None,
        ..column.clone()
    }
}

/// The changed objects of a schema.
///
/// The parts of a created or dropped table are not listed.
#[derive(Debug, Default)]
pub(super) struct Changes(pub(super) BTreeMap<Object, Did>);

impl Changes {
    pub(super) fn between(from: &Schema, to: &Schema) -> Self {
        let mut changes = Self::default();
        changes.each(&from.enums, &to.enums, Object::Enum, |before, after| {
            // Added values affect no user of the enum; other changes create a new type.
            let mut kept = after.iter();
            !before.iter().all(|value| kept.any(|other| other == value))
        });
        let names: BTreeSet<&Name> = from.tables.keys().chain(to.tables.keys()).collect();
        for name in names {
            match (from.tables.get(name), to.tables.get(name)) {
                (None, _) => changes.add(Object::Table(name.clone()), Did::Create),
                (_, None) => changes.add(Object::Table(name.clone()), Did::Drop),
                (Some(before), Some(after)) => changes.parts(name, before, after, from, to),
            }
        }
        changes
    }

    /// Adds the unchanged objects that the plan recreates.
    ///
    /// These are generated columns, indexes, and columns of an enum.
    pub(super) fn add_recreated(&mut self, plan: &Plan, from: &Schema) {
        let altered = Did::Alter { users: true };
        for step in &plan.steps {
            let object = match &step.change {
                Change::DropColumn { table, column, .. }
                | Change::AlterType { table, column, .. } => {
                    Object::Column(table.clone(), column.clone())
                }
                Change::DropConstraint { table, name } => {
                    Object::Constraint(table.clone(), name.clone())
                }
                Change::DropIndex { table, name } => Object::Index(table.clone(), name.clone()),
                Change::CreateTable { name, .. } if from.tables.contains_key(name) => {
                    Object::PartitionBy(name.clone())
                }
                Change::CreateEnum { name, .. } if from.enums.contains_key(name) => {
                    Object::Enum(name.clone())
                }
                Change::DetachPartition { table, .. } => Object::Partitions(table.clone()),
                _ => continue,
            };
            if !matches!(self.0.get(&object), Some(Did::Create | Did::Drop)) {
                self.add(object, altered);
            }
        }
    }

    fn parts(&mut self, name: &Name, before: &Table, after: &Table, from: &Schema, to: &Schema) {
        let columns = |table: &Table| -> BTreeMap<String, Column> {
            let named = |column: &Column| (column.name.clone(), bare(column));
            table.columns.iter().map(named).collect()
        };
        let retyped = |old: &Column, new: &Column| {
            old.data_type != new.data_type
                || old.collation != new.collation
                || old.fill.generated() != new.fill.generated()
        };
        self.each(
            &columns(before),
            &columns(after),
            |column| Object::Column(name.clone(), column),
            retyped,
        );
        let altered = Did::Alter { users: true };
        for new in &after.columns {
            let old = before.column(&new.name);
            if old.is_some_and(|old| old.comment != new.comment) {
                self.add(
                    Object::ColumnComment(name.clone(), new.name.clone()),
                    altered,
                );
            }
        }
        if before.comment != after.comment {
            self.add(Object::TableComment(name.clone()), altered);
        }
        // The column of a partition key cannot be altered: the table is recreated.
        let divides = before.partition_by.as_ref().is_some_and(|by| {
            before.columns.iter().any(|old| {
                by.keys.iter().any(|key| key.expression.mentions(&old.name))
                    && after.column(&old.name).is_none_or(|new| {
                        let values = |s: &Schema| s.enums.get(&old.data_type.name).cloned();
                        retyped(old, new) || values(from) != values(to)
                    })
            })
        });
        if before.partition_by != after.partition_by || divides {
            self.add(Object::PartitionBy(name.clone()), altered);
        }
        if before.partitions != after.partitions || before.open_partitions != after.open_partitions
        {
            self.add(Object::Partitions(name.clone()), altered);
        }
        self.each(
            &before.constraints,
            &after.constraints,
            |constraint| Object::Constraint(name.clone(), constraint),
            |_, _| true,
        );
        self.each(
            &before.indexes,
            &after.indexes,
            |index| Object::Index(name.clone(), index),
            |_, _| true,
        );
    }

    fn each<K: Ord + Clone, V: PartialEq>(
        &mut self,
        from: &BTreeMap<K, V>,
        to: &BTreeMap<K, V>,
        object: impl Fn(K) -> Object,
        users: impl Fn(&V, &V) -> bool,
    ) {
        let keys: BTreeSet<&K> = from.keys().chain(to.keys()).collect();
        for key in keys {
            let did = match (from.get(key), to.get(key)) {
                (None, _) => Did::Create,
                (_, None) => Did::Drop,
                (Some(before), Some(after)) if before == after => continue,
                (Some(before), Some(after)) => Did::Alter {
                    users: users(before, after),
                },
            };
            self.add(object(key.clone()), did);
        }
    }

    fn add(&mut self, object: Object, did: Did) {
        self.0.insert(object, did);
    }
}
