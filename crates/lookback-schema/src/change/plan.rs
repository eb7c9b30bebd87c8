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
        let batches: Vec<String> = self.batches().iter().map(PlanBatch::sql).collect();
        batches.join("\n")
    }

    /// The steps, in order. Steps that rewrite the same table are one batch, so that PostgreSQL
    /// rewrites it once.
    pub fn batches(&self) -> Vec<PlanBatch<'_>> {
        let mut batches = Vec::new();
        let mut rest = self.steps.as_slice();
        while let Some(first) = rest.first() {
            let length = if first.rewrites() { rewriting(rest) } else { 1 };
            let (steps, later) = rest.split_at(length);
            batches.push(PlanBatch { steps });
            rest = later;
        }
        batches
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

/// The number of steps, of at least one, that belong in one `ALTER TABLE`: up to the last one that
/// rewrites the table.
fn rewriting(steps: &[PlanStep]) -> usize {
    let table = steps.first().and_then(|step| step.change.owner());
    let same = steps
        .iter()
        .take_while(|step| step.change.action().is_some() && step.change.owner() == table);
    let last = same.enumerate().filter(|(_, step)| step.rewrites()).last();
    last.map_or(1, |(place, _)| place + 1)
}

/// Steps that are made by one statement, as far as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanBatch<'a> {
    /// The steps, in order.
    pub steps: &'a [PlanStep],
}

impl PlanBatch<'_> {
    /// The statements, without semicolons, in order.
    pub fn statements(&self) -> Vec<String> {
        let table = self.steps.first().and_then(|step| step.change.owner());
        let (Some(table), true) = (table, self.steps.len() > 1) else {
            let steps = self.steps.iter();
            return steps.flat_map(|step| step.change.statements()).collect();
        };
        let (mut actions, mut later) = (Vec::new(), Vec::new());
        for step in self.steps {
            if let Some((action, then)) = step.change.action() {
                actions.push(action);
                later.extend(then);
            }
        }
        let actions = actions.join(",\n    ");
        let mut statements = vec![format!("ALTER TABLE {table}\n    {actions}")];
        statements.append(&mut later);
        statements
    }

    /// The SQL, with a comment for each risk before it.
    pub fn sql(&self) -> String {
        let mut sql = String::new();
        let mut risks: Vec<String> = Vec::new();
        for risk in self.steps.iter().flat_map(|step| &step.risks) {
            // A name may contain a line break, which would end the comment.
            let risk = risk.to_string().replace(['\n', '\r'], " ");
            if !risks.contains(&risk) {
                sql.push_str(&format!("-- {risk}\n"));
                risks.push(risk);
            }
        }
        for statement in self.statements() {
            sql.push_str(&statement);
            sql.push_str(";\n");
        }
        sql
    }
}

impl PlanStep {
    /// The SQL, with a comment for each risk before it.
    pub fn sql(&self) -> String {
        let steps = std::slice::from_ref(self);
        PlanBatch { steps }.sql()
    }

    fn rewrites(&self) -> bool {
        self.change.action().is_some() && self.risks.iter().any(Risk::is_rewrite)
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
