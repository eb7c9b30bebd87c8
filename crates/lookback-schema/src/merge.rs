//! Merges two schemas that have a common ancestor.

use std::collections::BTreeSet;
use std::fmt;

use crate::change::Change;
use crate::change::Plan;
use crate::diff::{Decisions, diff};
use crate::schema::Schema;

mod dependencies;
mod object;

use object::{Changes, Did, Object};

/// A reason why two changes of a schema cannot both be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// An object that one side changes, and the other changes differently or uses.
    Object {
        /// The object, for example `logs.message`.
        object: String,
        /// The change of the first side.
        first: String,
        /// The change of the second side.
        second: String,
    },
    /// Both sides make the same change, which can be made only once.
    Same {
        /// The object.
        object: String,
        /// The change that both make.
        both: String,
    },
    /// Each change is valid alone, but not both together.
    Together(String),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object {
                object,
                first,
                second,
            } if first == second => {
                write!(f, "{object}: {first} in both, each in another way")
            }
            Self::Object {
                object,
                first,
                second,
            } => write!(f, "{object}: {first} in the first, {second} in the second"),
            Self::Same { object, both } => write!(f, "{object}: {both} in both"),
            Self::Together(problem) => write!(f, "both together: {problem}"),
        }
    }
}

/// Merges the changes from `base` to `first` and those from `base` to `second`.
///
/// The two sides must change different objects and give the same schema in either order.
///
/// Both sides may add the same extensions and schemas: these are created only if they do not exist.
/// A renamed column or table counts as dropped and added, because schemas do not record renames.
///
/// # Errors
///
/// All conflicts.
pub fn merge(base: &Schema, first: &Schema, second: &Schema) -> Result<Schema, Vec<Conflict>> {
    let one = Side::new(base, first);
    let other = Side::new(base, second);
    let mut conflicts = Vec::new();
    for (object, did) in &other.changes.0 {
        if one.changes.0.contains_key(object) {
            conflicts.push(if object.same_in(first, second) {
                Conflict::Same {
                    object: object.to_string(),
                    both: other.describe(object, *did),
                }
            } else {
                Conflict::Object {
                    object: object.to_string(),
                    first: one.said_of(object),
                    second: other.describe(object, *did),
                }
            });
        }
    }
    for (user, used) in one.uses_what_changed_in(&other) {
        conflicts.push(Conflict::Object {
            object: used.to_string(),
            first: one.said_of(&user),
            second: other.said_of(&used),
        });
    }
    for (user, used) in other.uses_what_changed_in(&one) {
        conflicts.push(Conflict::Object {
            object: used.to_string(),
            first: one.said_of(&used),
            second: other.said_of(&user),
        });
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }

    let mut merged = first.clone();
    for object in other.changes.0.keys() {
        object.copy(second, &mut merged);
    }
    merged.extensions = both(&base.extensions, &first.extensions, &second.extensions);
    merged.schemas = both(&base.schemas, &first.schemas, &second.schemas);
    let merged = merged.completed().map_err(|errors| {
        let together = |error: crate::Error| Conflict::Together(error.to_string());
        errors.into_iter().map(together).collect::<Vec<_>>()
    })?;
    // The merge by object is checked against the plans of both sides.
    for (side, start) in [(&other, first), (&one, second)] {
        let left = plan(&side.plan.apply(start.clone()), &merged);
        let wrong = |step: &crate::PlanStep| Conflict::Together(step.change.summary());
        if !left.is_empty() {
            return Err(left.steps.iter().map(wrong).collect());
        }
    }
    Ok(merged)
}

/// One of the two schemas, with its changes.
struct Side<'a> {
    base: &'a Schema,
    to: &'a Schema,
    changes: Changes,
    plan: Plan,
}

impl<'a> Side<'a> {
    fn new(base: &'a Schema, to: &'a Schema) -> Self {
        let plan = plan(base, to);
        let mut changes = Changes::between(base, to);
        changes.add_recreated(&plan, base);
        Self {
            base,
            to,
            changes,
            plan,
        }
    }

    /// Pairs of changed objects: one of this side, and one of `other` that it uses.
    fn uses_what_changed_in(&self, other: &Self) -> BTreeSet<(Object, Object)> {
        let mut found = BTreeSet::new();
        for user in self.changes.0.keys() {
            for used in user.uses(self.base).union(&user.uses(self.to)) {
                let Some(did) = other.changes.0.get(used) else {
                    continue;
                };
                let matters = match did {
                    Did::Create => false,
                    Did::Drop => true,
                    Did::Alter { users } => *users && !user.is_comment(),
                };
                if matters && !self.changes.0.contains_key(used) {
                    found.insert((user.clone(), used.clone()));
                }
            }
        }
        found
    }

    fn said_of(&self, object: &Object) -> String {
        let did = self.changes.0.get(object).copied();
        self.describe(object, did.unwrap_or(Did::Alter { users: true }))
    }

    /// Describes the changes of the object in the words of the plan.
    fn describe(&self, object: &Object, did: Did) -> String {
        let steps: Vec<String> = self
            .plan
            .steps
            .iter()
            // A recreated enum existed before, so its creation is not described.
            .filter(|step| {
                let recreated = matches!(did, Did::Alter { .. })
                    && matches!(step.change, Change::CreateEnum { .. });
                object.is_of(&step.change) && !recreated
            })
            .map(|step| step.change.summary())
            .collect();
        if steps.is_empty() {
            return format!("{did} {}", object.described());
        }
        steps.join(", ")
    }
}

fn plan(from: &Schema, to: &Schema) -> Plan {
    let decisions = Decisions {
        assume_drops: true,
        ..Decisions::default()
    };
    // With assumed drops a diff has no questions.
    diff(from, to, &decisions).unwrap_or_default()
}

/// Merges a set that both sides changed.
fn both(
    base: &BTreeSet<String>,
    first: &BTreeSet<String>,
    second: &BTreeSet<String>,
) -> BTreeSet<String> {
    let all = first.union(second);
    all.filter(|name| !base.contains(*name) || (first.contains(*name) && second.contains(*name)))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
