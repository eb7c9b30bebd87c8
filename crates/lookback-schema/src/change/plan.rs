//! Plans: the changes from one schema to another, in order.

use std::collections::BTreeSet;

use crate::change::{Change, Risk};
use crate::schema::Schema;
use crate::syntax::Name;

/// The changes from one schema to another, in a valid order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The changes, in order.
    pub steps: Vec<PlanStep>,
}

/// A change and its risks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanStep {
    /// The change.
    pub change: Change,
    /// Its risks; empty if it is safe.
    pub risks: Vec<Risk>,
}

/// The tables that `changes` create and do not fill with rows.
pub(crate) fn new_tables<'a>(changes: impl Iterator<Item = &'a Change> + Clone) -> BTreeSet<Name> {
    let filled: BTreeSet<&Name> = changes
        .clone()
        .filter_map(|change| match change {
            Change::MoveRows { to, .. } => Some(to),
            _ => None,
        })
        .collect();
    changes
        .filter_map(|change| match change {
            Change::CreateTable { name, .. } if !filled.contains(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

impl Plan {
    /// Creates a plan of the changes with their risks.
    ///
    /// A table that the plan creates has no rows, and so no risks.
    pub(crate) fn of(changes: Vec<Change>, new: &BTreeSet<Name>) -> Self {
        let steps = changes.into_iter().map(|change| {
            let is_new = change.owner().is_some_and(|table| new.contains(table));
            let risks = if is_new { Vec::new() } else { change.risks() };
            PlanStep { change, risks }
        });
        Self {
            steps: steps.collect(),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Applies all changes to `schema`.
    #[must_use]
    pub fn apply(&self, mut schema: Schema) -> Schema {
        for step in &self.steps {
            step.change.apply(&mut schema);
        }
        schema
    }

    /// The SQL, with a comment before each risky step.
    pub fn sql(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(PlanStep::sql).collect();
        steps.join("\n")
    }

    /// A name for the plan, of `a`-`z`, `0`-`9` and `_`, from its first change.
    pub fn name(&self) -> String {
        let quiet = |step: &&PlanStep| {
            !matches!(
                step.change,
                Change::CreateExtension(_) | Change::CreateSchema(_) | Change::SetComment { .. }
            ) && !step.change.is_auxiliary()
        };
        let mut steps: Vec<&PlanStep> = self.steps.iter().filter(quiet).collect();
        if steps.is_empty() {
            steps = self.steps.iter().collect();
        }
        let created: Vec<&PlanStep> = steps
            .iter()
            .copied()
            .filter(|step| matches!(step.change, Change::CreateTable { .. }))
            .collect();
        let words = match (steps.as_slice(), created.as_slice()) {
            ([], _) => "nothing".to_owned(),
            ([only], _) => only.change.summary(),
            (_, [_, _, ..]) => "create tables".to_owned(),
            (_, [table]) => table.change.summary(),
            ([first, rest @ ..], []) => {
                let owner = first.change.owner();
                if rest.iter().all(|step| step.change.owner() == owner)
                    && let Some(owner) = owner
                {
                    format!("change {owner}")
                } else {
                    format!("{} and more", first.change.summary())
                }
            }
        };
        slug(&words)
    }
}

impl PlanStep {
    /// The SQL, with a comment for each risk before it.
    pub fn sql(&self) -> String {
        let mut sql = String::new();
        for risk in &self.risks {
            // A name may contain a line break, which would end the comment.
            let risk = risk.to_string().replace(['\n', '\r'], " ");
            sql.push_str(&format!("-- {risk}\n"));
        }
        for statement in self.change.statements() {
            sql.push_str(&statement);
            sql.push_str(";\n");
        }
        sql
    }
}

/// The longest name of a migration, in bytes.
const LONGEST: usize = 60;

pub(crate) fn slug(words: &str) -> String {
    let mut slug = String::new();
    for c in words.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('_') && !slug.is_empty() && c != '"' {
            slug.push('_');
        }
    }
    if slug.len() > LONGEST {
        // Whole words, unless the first one is too long by itself.
        let end = slug[..=LONGEST].rfind('_').unwrap_or(LONGEST);
        slug.truncate(end);
    }
    slug.trim_matches('_').to_owned()
}
