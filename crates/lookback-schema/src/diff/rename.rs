//! Renames, which are resolved before the schemas are compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Change;
use crate::diff::names::{Rename, Renamer, SWAP};
use crate::diff::{Decisions, DiffError, ObjectPath, Question};
use crate::schema::{Schema, Table};
use crate::syntax::{Name, free};

/// The old schema with its new names, and the changes that rename it.
pub(super) struct Resolved {
    pub(super) schema: Schema,
    pub(super) renames: Renames,
}

/// The renames, in order.
pub(super) struct Renames {
    pub(super) changes: Vec<Change>,
}

pub(super) fn resolve(
    from: &Schema,
    to: &Schema,
    decisions: &Decisions,
) -> Result<Resolved, DiffError> {
    let mut resolver = Resolver {
        names: Renamer::new(from.clone(), to),
        decisions,
        questions: Vec::new(),
    };
    let enums = resolver.enums(from, to);
    let tables = resolver.tables(from, to);
    resolver
        .names
        .run(|rename| matches!(rename, Rename::Enum(..)));
    resolver.values(&enums, to);
    resolver
        .names
        .run(|rename| matches!(rename, Rename::Table(..)));
    for (old, new) in &tables {
        resolver.columns(old, new, to);
    }
    if !resolver.questions.is_empty() {
        return Err(DiffError::Questions(resolver.questions));
    }
    resolver.owned(to);
    resolver.free_names(to);
    Ok(Resolved {
        schema: resolver.names.schema,
        renames: Renames {
            changes: resolver.names.changes,
        },
    })
}

struct Resolver<'a> {
    names: Renamer,
    decisions: &'a Decisions,
    questions: Vec<Question>,
}

impl Resolver<'_> {
    /// Finds the renames of enums. Returns their old names by the new ones.
    fn enums(&mut self, from: &Schema, to: &Schema) -> BTreeMap<Name, Name> {
        let old: Vec<Name> = from.enums.keys().cloned().collect();
        let new: Vec<Name> = to.enums.keys().cloned().collect();
        let renames = self.pair("enum", &old, &new, ObjectPath::of, |gone, came| {
            from.enums.get(gone) == to.enums.get(came)
        });
        for (from, to) in &renames {
            self.names.add(Rename::Enum(from.clone(), to.clone()));
        }
        renames.into_iter().map(|(from, to)| (to, from)).collect()
    }

    fn values(&mut self, original: &BTreeMap<Name, Name>, to: &Schema) {
        for (name, values) in &to.enums {
            let Some(before) = self.names.schema.enums.get(name).cloned() else {
                continue;
            };
            let was = original.get(name).unwrap_or(name).clone();
            let renames = self.pair(
                "value",
                &before,
                values,
                |value| ObjectPath::within(&was, value),
                |_, _| false,
            );
            let taken: BTreeSet<String> = before.into_iter().collect();
            let in_use = |value: &str| taken.contains(value) || values.iter().any(|v| v == value);
            for (from, to) in in_order(renames, &taken, |value| free(value, SWAP, in_use)) {
                self.names.make(Change::RenameEnumValue {
                    name: name.clone(),
                    from,
                    to,
                });
            }
        }
    }

    /// Finds the renames of tables. Returns the tables that both schemas have, as pairs of old and
    /// new name.
    fn tables(&mut self, from: &Schema, to: &Schema) -> Vec<(Name, Name)> {
        let old: Vec<Name> = from.tables.keys().cloned().collect();
        let new: Vec<Name> = to.tables.keys().cloned().collect();
        let renames = self.pair("table", &old, &new, ObjectPath::of, |_, _| false);
        let mut both: Vec<(Name, Name)> = old
            .iter()
            .filter(|name| {
                to.tables.contains_key(name)
                    && !renames.iter().any(|(a, b)| a == *name || b == *name)
            })
            .map(|name| (name.clone(), name.clone()))
            .collect();
        both.extend(renames);
        for name in &old {
            if !both.iter().any(|(stays, _)| stays == name) {
                self.names.drop(name);
            }
        }
        for (from, to) in &both {
            self.names.add(Rename::Table(from.clone(), to.clone()));
        }
        both
    }

    fn columns(&mut self, was: &Name, name: &Name, to: &Schema) {
        let names = |table: &Table| -> Vec<String> {
            table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect()
        };
        let old = self.names.schema.tables.get(name);
        let (Some(before), Some(after)) = (old, to.tables.get(name)) else {
            return;
        };
        let (before, after) = (names(before), names(after));
        let renames = self.pair(
            "column",
            &before,
            &after,
            |column| ObjectPath::within(was, column),
            |_, _| false,
        );
        let taken: BTreeSet<String> = before.into_iter().collect();
        let in_use = |column: &str| taken.contains(column) || after.iter().any(|c| c == column);
        for (from, to) in in_order(renames, &taken, |column| free(column, SWAP, in_use)) {
            self.names.make(Change::RenameColumn {
                table: name.clone(),
                from,
                to,
            });
        }
    }

    /// Renames constraints, indexes and partitions with the same definition.
    ///
    /// Neither way loses data, so no question is asked.
    fn owned(&mut self, to: &Schema) {
        for (name, after) in &to.tables {
            let Some(before) = self.names.schema.tables.get(name).cloned() else {
                continue;
            };
            for (from, to) in same_under_another_name(&before.constraints, &after.constraints) {
                self.names.add(Rename::Constraint(name.clone(), from, to));
            }
            for (from, to) in same_under_another_name(&before.indexes, &after.indexes) {
                self.names.add(Rename::Index(name.clone(), from, to));
            }
            for (from, to) in same_under_another_name(&before.partitions, &after.partitions) {
                self.names.add(Rename::Table(from, to));
            }
        }
        self.names.run(|_| true);
    }

    /// Gives temporary names to enums and partitions whose names a new object gets: they are
    /// dropped after it is created.
    fn free_names(&mut self, to: &Schema) {
        let partitions = |table: &Table| -> BTreeSet<Name> {
            let mut names = BTreeSet::new();
            let mut rest: Vec<_> = table.partitions.iter().collect();
            while let Some((name, partition)) = rest.pop() {
                names.insert(name.clone());
                rest.extend(&partition.partitions);
            }
            names
        };
        // By name, the table that it is a partition of; none for a table or an enum.
        let mut coming: BTreeMap<Name, Option<Name>> = BTreeMap::new();
        coming.extend(to.enums.keys().map(|name| (name.clone(), None)));
        for (name, table) in &to.tables {
            coming.insert(name.clone(), None);
            let of = partitions(table).into_iter();
            coming.extend(of.map(|partition| (partition, Some(name.clone()))));
        }
        let schema = &self.names.schema;
        let enums: Vec<Name> = (schema.enums.keys())
            .filter(|name| !to.enums.contains_key(name) && coming.contains_key(name))
            .cloned()
            .collect();
        let moved: Vec<Name> = (schema.tables.iter())
            .flat_map(|(table, definition)| {
                let direct = definition.partitions.keys();
                direct.map(move |partition| (table, partition))
            })
            .filter(|(table, partition)| {
                coming
                    .get(*partition)
                    .is_some_and(|of| of.as_ref() != Some(*table))
            })
            .map(|(_, partition)| partition.clone())
            .collect();
        for name in enums {
            self.names.set_enum_aside(&name);
        }
        for name in moved {
            self.names.set_partition_aside(&name);
        }
    }

    /// Pairs objects of `old` with objects of `new` that have another name.
    fn pair<T: Clone + Ord + Named>(
        &mut self,
        kind: &'static str,
        old: &[T],
        new: &[T],
        path: impl Fn(&T) -> ObjectPath,
        same: impl Fn(&T, &T) -> bool,
    ) -> Vec<(T, T)> {
        let mut renames: Vec<(T, T)> = Vec::new();
        for item in old {
            let decided = self
                .decisions
                .renames
                .iter()
                .find(|(from, _)| *from == path(item));
            if let Some((_, target)) = decided
                && let Some(now) = new.iter().find(|now| now.is(target))
            {
                renames.push((item.clone(), now.clone()));
            }
        }
        let (was, is): (BTreeSet<&T>, BTreeSet<&T>) = (old.iter().collect(), new.iter().collect());
        let is_renamed =
            |item: &T, renames: &[(T, T)]| renames.iter().any(|(from, _)| from == item);
        let gone: Vec<T> = old
            .iter()
            .filter(|item| !is.contains(item) && !is_renamed(item, &renames))
            .cloned()
            .collect();
        let mut came: Vec<T> = new
            .iter()
            .filter(|item| !was.contains(item) && !renames.iter().any(|(_, to)| to == *item))
            .cloned()
            .collect();
        for item in gone {
            if self.decisions.is_dropped(&path(&item)) {
                continue;
            }
            let twins: Vec<usize> = (0..came.len())
                .filter(|at| same(&item, &came[*at]))
                .collect();
            if let [only] = twins.as_slice() {
                renames.push((item, came.remove(*only)));
            } else if !came.is_empty() {
                self.questions.push(Question {
                    kind,
                    gone: path(&item),
                    candidates: came.iter().map(&path).collect(),
                });
            }
        }
        renames
    }
}

/// A name that a decision can be about.
trait Named {
    fn is(&self, target: &ObjectPath) -> bool;
}

impl Named for Name {
    fn is(&self, target: &ObjectPath) -> bool {
        *self == target.name()
    }
}

impl Named for String {
    fn is(&self, target: &ObjectPath) -> bool {
        self == target.last()
    }
}

/// Orders renames so that each new name is free.
///
/// An object gets a temporary name if two names are swapped, or if its new name
/// is still in use.
fn in_order<T: Clone + Ord>(
    mut renames: Vec<(T, T)>,
    taken: &BTreeSet<T>,
    temporary: impl Fn(&T) -> T,
) -> Vec<(T, T)> {
    renames.retain(|(from, to)| from != to);
    let mut taken = taken.clone();
    let mut ordered = Vec::new();
    while !renames.is_empty() {
        if let Some(at) = renames.iter().position(|(_, to)| !taken.contains(to)) {
            let (from, to) = renames.remove(at);
            taken.remove(&from);
            taken.insert(to.clone());
            ordered.push((from, to));
            continue;
        }
        // The object with that name gets a temporary name. Later it gets its
        // own new name, or it is dropped.
        let aside = renames[0].1.clone();
        let free = temporary(&aside);
        taken.remove(&aside);
        taken.insert(free.clone());
        for (from, _) in renames.iter_mut().filter(|(from, _)| *from == aside) {
            from.clone_from(&free);
        }
        ordered.push((aside, free));
    }
    ordered
}

/// Pairs parts that have the definition of another one, which may have their name.
fn same_under_another_name<K: Clone + Ord, V: PartialEq>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> Vec<(K, K)> {
    let stays = |name: &K| before.get(name) == after.get(name);
    let mut came: Vec<(&K, &V)> = after.iter().filter(|(name, _)| !stays(name)).collect();
    let mut renames = Vec::new();
    for (name, value) in before.iter().filter(|(name, _)| !stays(name)) {
        if let Some(at) = came.iter().position(|(_, candidate)| *candidate == value) {
            renames.push((name.clone(), came.remove(at).0.clone()));
        }
    }
    renames
}
