//! The dependencies of objects.

use std::collections::BTreeSet;

use crate::merge::object::Object;
use crate::schema::{Column, Constraint, ForeignKey, Schema, Table};
use crate::syntax::Name;

impl Object {
    /// The objects of `schema` that this one depends on; none if it does not
    /// exist.
    pub(super) fn uses(&self, schema: &Schema) -> BTreeSet<Self> {
        let mut uses = Uses {
            schema,
            found: BTreeSet::new(),
        };
        match self {
            Self::Enum(_) => {}
            Self::Table(name) => uses.table(name),
            Self::TableComment(table) | Self::PartitionBy(table) => uses.add_table(table),
            Self::Partitions(table) => {
                uses.add_table(table);
                uses.found.insert(Self::PartitionBy(table.clone()));
            }
            Self::ColumnComment(table, column) => {
                uses.add_table(table);
                uses.found
                    .insert(Self::Column(table.clone(), column.clone()));
            }
            Self::Column(table, name) => {
                uses.add_table(table);
                // Rows that move to other partitions are copied with the
                // columns of that time.
                uses.found.insert(Self::PartitionBy(table.clone()));
                uses.found.insert(Self::Partitions(table.clone()));
                if let Some(table_there) = schema.tables.get(table)
                    && let Some(column) = table_there.column(name)
                {
                    uses.column(table, table_there, column);
                }
            }
            Self::Constraint(table, name) => {
                uses.add_table(table);
                uses.found.insert(Self::PartitionBy(table.clone()));
                if let Some(table_there) = schema.tables.get(table)
                    && let Some(constraint) = table_there.constraints.get(name)
                {
                    uses.constraint(table, table_there, constraint);
                }
            }
            Self::Index(table, name) => {
                uses.add_table(table);
                uses.found.insert(Self::PartitionBy(table.clone()));
                if let Some(table_there) = schema.tables.get(table)
                    && let Some(index) = table_there.indexes.get(name)
                {
                    uses.columns(table, table_there, |column| index.mentions(column));
                }
            }
        }
        uses.found
    }
}

struct Uses<'a> {
    schema: &'a Schema,
    found: BTreeSet<Object>,
}

impl Uses<'_> {
    fn add_table(&mut self, name: &Name) {
        self.found.insert(Object::Table(name.clone()));
    }

    /// Adds the dependencies of the parts of a table.
    fn table(&mut self, name: &Name) {
        let Some(table) = self.schema.tables.get(name) else {
            return;
        };
        for column in &table.columns {
            self.column(name, table, column);
        }
        for constraint in table.constraints.values() {
            self.constraint(name, table, constraint);
        }
    }

    fn column(&mut self, name: &Name, table: &Table, column: &Column) {
        self.found
            .insert(Object::Enum(column.data_type.name.clone()));
        if let Some(expression) = column.fill.generated() {
            self.columns(name, table, |other| {
                other != column.name && expression.mentions(other)
            });
        }
    }

    /// Adds the columns of the table for which `mentions` is true, and their
    /// types: an expression may contain a value of an enum.
    fn columns(&mut self, name: &Name, table: &Table, mentions: impl Fn(&str) -> bool) {
        for column in table.columns.iter().filter(|c| mentions(&c.name)) {
            self.found
                .insert(Object::Column(name.clone(), column.name.clone()));
            self.found
                .insert(Object::Enum(column.data_type.name.clone()));
        }
    }

    fn constraint(&mut self, name: &Name, table: &Table, constraint: &Constraint) {
        match constraint {
            Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                self.columns(name, table, |column| {
                    let mut all = key.columns.iter().chain(&key.include);
                    all.any(|other| other == column)
                });
            }
            Constraint::Check { expression, .. } => {
                self.columns(name, table, |column| expression.mentions(column));
            }
            Constraint::Exclude(exclusion) => self.columns(name, table, |column| {
                let mut keys = exclusion.elements.iter().map(|(key, _)| key);
                keys.any(|key| key.expression.mentions(column))
                    || exclusion.include.iter().any(|other| other == column)
                    || exclusion
                        .predicate
                        .as_ref()
                        .is_some_and(|predicate| predicate.mentions(column))
            }),
            Constraint::ForeignKey(foreign) => {
                self.columns(name, table, |column| {
                    foreign.columns.iter().any(|other| other == column)
                });
                self.reference(foreign);
            }
        }
    }

    /// Adds the table, columns and keys that a foreign key refers to.
    fn reference(&mut self, foreign: &ForeignKey) {
        let name = &foreign.table;
        self.add_table(name);
        self.found.insert(Object::PartitionBy(name.clone()));
        let Some(table) = self.schema.tables.get(name) else {
            return;
        };
        let wanted: BTreeSet<&String> = foreign.references.iter().collect();
        self.columns(name, table, |column| {
            foreign.references.iter().any(|other| other == column)
        });
        for (key_name, constraint) in &table.constraints {
            if let Constraint::PrimaryKey(key) | Constraint::Unique(key) = constraint
                && key.columns.iter().collect::<BTreeSet<_>>() == wanted
            {
                self.found
                    .insert(Object::Constraint(name.clone(), key_name.clone()));
            }
        }
        for (index_name, index) in &table.indexes {
            if index.unique && foreign.references.iter().all(|c| index.mentions(c)) {
                self.found
                    .insert(Object::Index(name.clone(), index_name.clone()));
            }
        }
    }
}
