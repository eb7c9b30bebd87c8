//! Renames, which are resolved before the schemas are compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Change;
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
        schema: from.clone(),
        decisions,
        changes: Vec::new(),
        questions: Vec::new(),
    };
    resolver.enums(to);
    let tables = resolver.tables(to);
    for (old, new) in &tables {
        resolver.columns(old, new, to);
    }
    if !resolver.questions.is_empty() {
        return Err(DiffError::Questions(resolver.questions));
    }
    resolver.owned(to);
    Ok(Resolved {
        schema: resolver.schema,
        renames: Renames {
            changes: resolver.changes,
        },
    })
}

struct Resolver<'a> {
    schema: Schema,
    decisions: &'a Decisions,
    changes: Vec<Change>,
    questions: Vec<Question>,
}

impl Resolver<'_> {
    fn enums(&mut self, to: &Schema) {
        let old: Vec<Name> = self.schema.enums.keys().cloned().collect();
        let new: Vec<Name> = to.enums.keys().cloned().collect();
        let before = self.schema.enums.clone();
        let renames = self.pair("enum", &old, &new, ObjectPath::of, |gone, came| {
            before.get(gone) == to.enums.get(came)
        });
        let original: BTreeMap<Name, Name> = renames
            .iter()
            .map(|(a, b)| (b.clone(), a.clone()))
            .collect();
        let taken: BTreeSet<Name> = old.iter().cloned().collect();
        let in_use = self.in_use(to);
        for (from, to) in in_order(renames, &taken, |name| beside(name, &in_use)) {
            self.make(Change::RenameEnum { from, to });
        }
        for (name, values) in &to.enums {
            let Some(before) = self.schema.enums.get(name).cloned() else {
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
                self.make(Change::RenameEnumValue {
                    name: name.clone(),
                    from,
                    to,
                });
            }
        }
    }

    /// The tables that both schemas have, as pairs of old and new name.
    fn tables(&mut self, to: &Schema) -> Vec<(Name, Name)> {
        let old: Vec<Name> = self.schema.tables.keys().cloned().collect();
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
        both.extend(renames.clone());
        let taken: BTreeSet<Name> = old.into_iter().collect();
        let in_use = self.in_use(to);
        for (from, to) in in_order(renames, &taken, |name| beside(name, &in_use)) {
            self.make(Change::RenameTable { from, to });
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
        let (Some(before), Some(after)) = (self.schema.tables.get(name), to.tables.get(name))
        else {
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
            self.make(Change::RenameColumn {
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
            let Some(before) = self.schema.tables.get(name).cloned() else {
                continue;
            };
            let table = || name.clone();
            for (from, to) in same_under_another_name(&before.constraints, &after.constraints) {
                self.make(Change::RenameConstraint {
                    table: table(),
                    from,
                    to,
                });
            }
            for (from, to) in same_under_another_name(&before.indexes, &after.indexes) {
                self.make(Change::RenameIndex {
                    table: table(),
                    from,
                    to,
                });
            }
            for (from, to) in same_under_another_name(&before.partitions, &after.partitions) {
                self.make(Change::RenameTable { from, to });
            }
        }
    }

    fn in_use(&self, to: &Schema) -> BTreeSet<Name> {
        let mut names = self.schema.names_in_use();
        names.append(&mut to.names_in_use());
        names
    }

    fn make(&mut self, change: Change) {
        change.apply(&mut self.schema);
        self.changes.push(change);
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

/// The suffix of temporary names.
const SWAP: &str = "__swap";

fn beside(name: &Name, in_use: &BTreeSet<Name>) -> Name {
    name.beside(free(&name.name, SWAP, |candidate| {
        in_use.contains(&name.beside(candidate))
    }))
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

fn same_under_another_name<K: Clone + Ord, V: PartialEq>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> Vec<(K, K)> {
    let mut came: Vec<(&K, &V)> = after
        .iter()
        .filter(|(name, _)| !before.contains_key(name))
        .collect();
    let mut renames = Vec::new();
    for (name, value) in before.iter().filter(|(name, _)| !after.contains_key(name)) {
        if let Some(at) = came.iter().position(|(_, candidate)| *candidate == value) {
            renames.push((name.clone(), came.remove(at).0.clone()));
        }
    }
    renames
}
