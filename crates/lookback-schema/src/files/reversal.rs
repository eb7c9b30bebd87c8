//! The reversal of a file.

use std::collections::BTreeMap;

use super::File;
use crate::change::Change;
use crate::change::Plan;
use crate::diff::{Decisions, ObjectPath, diff};
use crate::error::Error;
use crate::schema::Schema;
use crate::syntax::Name;

impl File {
    /// Creates the plan that reverts the file.
    ///
    /// # Errors
    ///
    /// None for a plan of this crate: the objects to revert exist.
    pub fn reversal(&self) -> Result<Plan, Error> {
        let before = self.before();
        let after = self.plan.apply(before.clone());
        let decisions = Decisions {
            renames: renames_back(&self.plan, &before, &after),
            assume_drops: true,
            one_transaction: !self.no_transaction,
            ..Decisions::default()
        };
        diff(&after, &before, &decisions).map_err(|error| Error::new(error.to_string()))
    }

    /// The text of the `.down.sql` file for `back`, a
    /// [`reversal`](Self::reversal).
    pub fn reversal_sql(&self, back: &Plan) -> String {
        if back.is_empty() {
            return "-- There is nothing to revert.\n".to_owned();
        }
        if self.no_transaction
            && let [step] = back.steps.as_slice()
            && let Change::DropIndex { table, name } = &step.change
        {
            let index = table.beside(name.as_str());
            return format!("-- no-transaction\nDROP INDEX CONCURRENTLY {index};\n");
        }
        back.sql()
    }
}

/// The renames that undo those of `plan`, without temporary names.
fn renames_back(plan: &Plan, before: &Schema, after: &Schema) -> Vec<(ObjectPath, ObjectPath)> {
    // New name to old name.
    let mut owners: BTreeMap<Name, Name> = (before.tables.keys().chain(before.enums.keys()))
        .map(|name| (name.clone(), name.clone()))
        .collect();
    let mut parts: BTreeMap<(Name, String), String> = BTreeMap::new();
    for (name, table) in &before.tables {
        let columns = table.columns.iter().map(|column| &column.name);
        parts.extend(columns.map(|column| ((name.clone(), column.clone()), column.clone())));
    }
    for (name, values) in &before.enums {
        let values = values.iter();
        parts.extend(values.map(|value| ((name.clone(), value.clone()), value.clone())));
    }
    for step in &plan.steps {
        match &step.change {
            Change::RenameTable { from, to }
            | Change::RenameEnum { from, to }
            | Change::MoveRows {
                from,
                to,
                remade: true,
                ..
            } => {
                if let Some(then) = owners.remove(from) {
                    owners.insert(to.clone(), then);
                }
                let moved = parts.extract_if(.., |(owner, _), _| owner == from);
                let moved: Vec<_> = moved.collect();
                parts.extend(
                    moved
                        .into_iter()
                        .map(|((_, part), then)| ((to.clone(), part), then)),
                );
            }
            Change::RenameColumn { table, from, to }
            | Change::RenameEnumValue {
                name: table,
                from,
                to,
            } => {
                if let Some(then) = parts.remove(&(table.clone(), from.clone())) {
                    parts.insert((table.clone(), to.clone()), then);
                }
            }
            _ => {}
        }
    }
    let there = |name: &Name| after.tables.contains_key(name) || after.enums.contains_key(name);
    let is_part = |owner: &Name, part: &String| {
        after
            .tables
            .get(owner)
            .is_some_and(|t| t.column(part).is_some())
            || after
                .enums
                .get(owner)
                .is_some_and(|values| values.contains(part))
    };
    let of_owners = (owners.iter())
        .filter(|(now, then)| now != then && there(now))
        .map(|(now, then)| (ObjectPath::of(now), ObjectPath::of(then)));
    let of_parts = (parts.iter())
        .filter(|((owner, now), then)| now != *then && is_part(owner, now))
        .map(|((owner, now), then)| {
            let was = owners.get(owner).unwrap_or(owner);
            (
                ObjectPath::within(owner, now),
                ObjectPath::within(was, then),
            )
        });
    of_owners.chain(of_parts).collect()
}
