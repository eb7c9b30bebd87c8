//! Renames in an order in which no two objects have one name at a time.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Change;
use crate::schema::{Constraint, Partition, Schema, Table};
use crate::syntax::{Name, free};

/// The suffix of temporary names.
pub(super) const SWAP: &str = "__swap";

/// A rename of an object whose name other objects may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rename {
    Enum(Name, Name),
    /// Also a partition.
    Table(Name, Name),
    Constraint(Name, String, String),
    Index(Name, String, String),
}

/// An object that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holder {
    Enum(Name),
    Table(Name),
    Constraint(Name, String),
    Index(Name, String),
}

/// The names of a schema, while objects are renamed one after another.
///
/// Tables, partitions, indexes and keys share one space of names in PostgreSQL (`pg_class`); enums,
/// tables and partitions another (`pg_type`). The names of the constraints of a table are a third.
pub(super) struct Renamer {
    pub(super) schema: Schema,
    pub(super) changes: Vec<Change>,
    /// Renames that are still to be made.
    pending: Vec<Rename>,
    relations: BTreeMap<Name, Holder>,
    types: BTreeMap<Name, Holder>,
    /// Names that a temporary one cannot be.
    in_use: BTreeSet<Name>,
    /// Tables that are dropped, so that their names can be had.
    dropped: BTreeSet<Name>,
}

impl Renamer {
    pub(super) fn new(schema: Schema, to: &Schema) -> Self {
        let in_use = &schema.names_in_use() | &to.names_in_use();
        let mut renamer = Self {
            changes: Vec::new(),
            pending: Vec::new(),
            relations: BTreeMap::new(),
            types: BTreeMap::new(),
            in_use,
            dropped: BTreeSet::new(),
            schema: Schema::default(),
        };
        for name in schema.enums.keys() {
            let holder = Holder::Enum(name.clone());
            renamer.types.insert(name.clone(), holder);
        }
        for (name, table) in &schema.tables {
            renamer.enter(name, table);
        }
        renamer.schema = schema;
        renamer
    }

    /// Marks a table that is dropped.
    pub(super) fn drop(&mut self, table: &Name) {
        self.dropped.insert(table.clone());
    }

    pub(super) fn add(&mut self, rename: Rename) {
        if !rename.is_empty() {
            self.pending.push(rename);
        }
    }

    /// Makes the renames of one kind. An object that has a new name of one of them is renamed
    /// first, gets a temporary name, or is dropped.
    pub(super) fn run(&mut self, kind: impl Fn(&Rename) -> bool) {
        loop {
            let wanted = |rename: &&Rename| kind(rename);
            let Some(first) = self.pending.iter().find(wanted).cloned() else {
                return;
            };
            let free = self
                .pending
                .iter()
                .filter(wanted)
                .find(|rename| self.holders(rename).is_empty())
                .cloned();
            if let Some(rename) = free {
                self.pending.retain(|other| *other != rename);
                self.rename(rename);
                continue;
            }
            for holder in self.holders(&first) {
                self.set_aside(&holder);
            }
        }
    }

    /// Gives a temporary name to an object that is dropped after others are created.
    pub(super) fn set_enum_aside(&mut self, name: &Name) {
        self.set_aside(&Holder::Enum(name.clone()));
    }

    /// The same for a partition.
    pub(super) fn set_partition_aside(&mut self, name: &Name) {
        self.set_aside(&Holder::Table(name.clone()));
    }

    pub(super) fn make(&mut self, change: Change) {
        change.apply(&mut self.schema);
        self.changes.push(change);
    }

    /// The objects that have the new name of a rename.
    fn holders(&self, rename: &Rename) -> Vec<Holder> {
        let mut holders = Vec::new();
        let mut add = |holder: Option<&Holder>| {
            if let Some(holder) = holder
                && !holders.contains(holder)
            {
                holders.push(holder.clone());
            }
        };
        match rename {
            Rename::Enum(_, to) => add(self.types.get(to)),
            Rename::Table(_, to) => {
                add(self.types.get(to));
                add(self.relations.get(to));
            }
            Rename::Index(table, _, to) => add(self.relations.get(&table.beside(to.as_str()))),
            Rename::Constraint(table, from, to) => {
                let constraints = self
                    .schema
                    .tables
                    .get(table)
                    .map(|table| &table.constraints);
                let Some(constraints) = constraints else {
                    return holders;
                };
                if constraints.contains_key(to) {
                    add(Some(&Holder::Constraint(table.clone(), to.clone())));
                }
                if constraints.get(from).is_some_and(Constraint::has_index) {
                    add(self.relations.get(&table.beside(to.as_str())));
                }
            }
        }
        holders
    }

    fn set_aside(&mut self, holder: &Holder) {
        let (Holder::Table(owner)
        | Holder::Enum(owner)
        | Holder::Constraint(owner, _)
        | Holder::Index(owner, _)) = holder;
        if self.dropped.contains(owner) && !matches!(holder, Holder::Enum(_)) {
            return self.drop_table(&owner.clone());
        }
        let rename = match holder {
            Holder::Enum(name) => Rename::Enum(name.clone(), self.temporary(name)),
            Holder::Table(name) => Rename::Table(name.clone(), self.temporary(name)),
            Holder::Constraint(table, name) => {
                let free = self.temporary(&table.beside(name.as_str())).name;
                Rename::Constraint(table.clone(), name.clone(), free)
            }
            Holder::Index(table, name) => {
                let free = self.temporary(&table.beside(name.as_str())).name;
                Rename::Index(table.clone(), name.clone(), free)
            }
        };
        for later in &mut self.pending {
            later.follow(&rename);
        }
        self.pending.retain(|later| !later.is_empty());
        self.rename(rename);
    }

    /// Drops a table after the foreign keys that refer to it.
    fn drop_table(&mut self, name: &Name) {
        let mut references = Vec::new();
        for (table, definition) in &self.schema.tables {
            for (key, constraint) in &definition.constraints {
                if matches!(constraint, Constraint::ForeignKey(key) if key.table == *name)
                    && table != name
                {
                    references.push(Change::DropConstraint {
                        table: table.clone(),
                        name: key.clone(),
                    });
                }
            }
        }
        for change in references {
            self.make(change);
        }
        if let Some(table) = self.schema.tables.get(name).cloned() {
            self.leave(name, &table);
        }
        self.make(Change::DropTable(name.clone()));
    }

    fn temporary(&mut self, name: &Name) -> Name {
        let free = name.beside(free(&name.name, SWAP, |candidate| {
            self.in_use.contains(&name.beside(candidate))
        }));
        self.in_use.insert(free.clone());
        free
    }

    fn rename(&mut self, rename: Rename) {
        match rename {
            Rename::Enum(from, to) => {
                self.types.remove(&from);
                self.types.insert(to.clone(), Holder::Enum(to.clone()));
                self.make(Change::RenameEnum { from, to });
            }
            Rename::Table(from, to) => self.rename_table(from, to),
            Rename::Constraint(table, from, to) => {
                if self
                    .relations
                    .remove(&table.beside(from.as_str()))
                    .is_some()
                {
                    let holder = Holder::Constraint(table.clone(), to.clone());
                    self.relations.insert(table.beside(to.as_str()), holder);
                }
                self.make(Change::RenameConstraint { table, from, to });
            }
            Rename::Index(table, from, to) => {
                self.relations.remove(&table.beside(from.as_str()));
                let holder = Holder::Index(table.clone(), to.clone());
                self.relations.insert(table.beside(to.as_str()), holder);
                self.make(Change::RenameIndex { table, from, to });
            }
        }
    }

    fn rename_table(&mut self, mut from: Name, to: Name) {
        if from.schema != to.schema {
            self.free_part_names(&from, &to);
            // The schema is changed before the name.
            let between = to.beside(from.name.as_str());
            let is_held =
                |name: &Name| self.relations.contains_key(name) || self.types.contains_key(name);
            if from.name != to.name && is_held(&between) {
                let wanted = from.beside(to.name.as_str());
                let first = if is_held(&wanted) {
                    from.beside(self.temporary(&to.beside(from.name.as_str())).name)
                } else {
                    wanted
                };
                self.move_table(&from, &first);
                from = first;
            }
        }
        self.move_table(&from, &to);
    }

    /// Gives temporary names to the indexes and keys of a table whose names are in use in the
    /// schema that it moves to. They get their new names with the other indexes and keys.
    fn free_part_names(&mut self, from: &Name, to: &Name) {
        let Some(table) = self.schema.tables.get(from).cloned() else {
            return;
        };
        for (name, holder) in parts(from, &table) {
            if self.relations.contains_key(&to.beside(name.name.as_str())) {
                self.in_use.insert(to.beside(name.name.as_str()));
                self.set_aside(&holder);
            }
        }
    }

    fn move_table(&mut self, from: &Name, to: &Name) {
        let table = self.schema.tables.get(from).cloned();
        match &table {
            Some(table) => self.leave(from, table),
            None => self.leave_name(from),
        }
        match &table {
            Some(table) => self.enter(to, table),
            None => self.enter_name(to),
        }
        self.make(Change::RenameTable {
            from: from.clone(),
            to: to.clone(),
        });
    }

    fn enter(&mut self, name: &Name, table: &Table) {
        self.enter_name(name);
        self.relations.extend(parts(name, table));
        let mut partitions: Vec<(&Name, &Partition)> = table.partitions.iter().collect();
        while let Some((name, partition)) = partitions.pop() {
            self.enter_name(name);
            partitions.extend(&partition.partitions);
        }
    }

    fn leave(&mut self, name: &Name, table: &Table) {
        self.leave_name(name);
        for (part, _) in parts(name, table) {
            self.relations.remove(&part);
        }
        // Partitions that stay are entered again.
        let mut partitions: Vec<(&Name, &Partition)> = table.partitions.iter().collect();
        while let Some((name, partition)) = partitions.pop() {
            self.leave_name(name);
            partitions.extend(&partition.partitions);
        }
    }

    fn enter_name(&mut self, name: &Name) {
        let holder = Holder::Table(name.clone());
        self.relations.insert(name.clone(), holder.clone());
        self.types.insert(name.clone(), holder);
    }

    fn leave_name(&mut self, name: &Name) {
        self.relations.remove(name);
        self.types.remove(name);
    }
}

impl Rename {
    /// Whether both names are equal.
    fn is_empty(&self) -> bool {
        match self {
            Self::Enum(from, to) | Self::Table(from, to) => from == to,
            Self::Constraint(_, from, to) | Self::Index(_, from, to) => from == to,
        }
    }

    /// Takes the new name of an object that was renamed for a while.
    fn follow(&mut self, made: &Self) {
        match (self, made) {
            (Self::Enum(from, _), Self::Enum(old, new))
            | (Self::Table(from, _), Self::Table(old, new))
                if from == old =>
            {
                from.clone_from(new);
            }
            (Self::Constraint(table, from, _), Self::Constraint(of, old, new))
            | (Self::Index(table, from, _), Self::Index(of, old, new))
                if table == of && from == old =>
            {
                from.clone_from(new);
            }
            (Self::Constraint(table, ..) | Self::Index(table, ..), Self::Table(old, new))
                if table == old =>
            {
                table.clone_from(new);
            }
            _ => {}
        }
    }
}

/// The indexes and keys of a table, which are relations.
fn parts(name: &Name, table: &Table) -> Vec<(Name, Holder)> {
    let keys = (table.constraints.iter())
        .filter(|(_, constraint)| constraint.has_index())
        .map(|(key, _)| {
            (
                name.beside(key.as_str()),
                Holder::Constraint(name.clone(), key.clone()),
            )
        });
    let indexes = table.indexes.keys().map(|index| {
        (
            name.beside(index.as_str()),
            Holder::Index(name.clone(), index.clone()),
        )
    });
    keys.chain(indexes).collect()
}
