//! A plan as migration files: what has to wait for another transaction, and
//! what runs in none, stands in a file of its own.

use std::collections::BTreeSet;

use crate::change::{Change, TypeChange};
use crate::diff::{Decisions, diff};
use crate::error::Error;
use crate::expression::Expression;
use crate::name::{Name, quoted, shortened};
use crate::plan::{Plan, new_tables};
use crate::schema::{Constraint, Schema};

/// One file of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The words of its name.
    pub name: String,
    /// Whether it runs outside a transaction; then it is one statement.
    pub no_transaction: bool,
    /// What it does.
    pub plan: Plan,
    /// The schema before it.
    before: Schema,
}

/// When a change is made, in order. Every file is a transaction of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// A value added to an enum cannot be used before its transaction ends.
    Values,
    Main,
    /// Rows are read without keeping writers waiting, after the locks of the
    /// main file were let go.
    Validate,
    /// Types that values were proved to fit.
    Narrow,
    /// An index built without keeping writers waiting: one file each.
    Index,
    /// Keys of those indexes, and references to the keys.
    Keys,
    ValidateReferences,
}

impl Plan {
    /// The plan as files, written in the way that works on tables that are
    /// full and in use: checks and foreign keys are added `NOT VALID` and
    /// validated in a later file, a column refuses null after a check has
    /// proved that it has none, indexes and the indexes of keys are built
    /// `CONCURRENTLY`, each in a file without a transaction.
    ///
    /// `from` is the schema before it, `name` the words of the file names.
    pub fn files(&self, from: &Schema, name: &str) -> Vec<File> {
        let to = self.apply(from.clone());
        let mut stager = Stager {
            created: self.created(),
            new: new_tables(self.steps.iter().map(|step| &step.change)),
            partitioned: to
                .tables
                .iter()
                .filter(|(_, table)| table.partition_by.is_some())
                .map(|(name, _)| name.clone())
                .collect(),
            late_keys: BTreeSet::new(),
            generated: self.generated(),
            narrowed: BTreeSet::new(),
            staged: Vec::new(),
        };
        let early = self.before_values();
        for (at, step) in self.steps.iter().enumerate() {
            if early.contains(&at) {
                stager.push(Stage::Values, step.change.clone());
            } else {
                stager.stage(&step.change);
            }
        }
        stager.files(from, name)
    }

    /// The places of the steps that give an enum, or one of its values, the name
    /// by which values are added to it.
    fn before_values(&self) -> BTreeSet<usize> {
        let grown = |step: &crate::Step| match &step.change {
            Change::AddEnumValue { name, .. } => Some(name.clone()),
            _ => None,
        };
        let mut grown: BTreeSet<Name> = self.steps.iter().filter_map(grown).collect();
        let mut early = BTreeSet::new();
        for (at, step) in self.steps.iter().enumerate().rev() {
            let needed = match &step.change {
                Change::RenameEnumValue { name, .. } => grown.contains(name),
                Change::RenameEnum { from, to } if grown.contains(to) => {
                    grown.insert(from.clone());
                    true
                }
                // It may be the one that an enum is moved to.
                Change::CreateSchema(_) => !early.is_empty(),
                _ => false,
            };
            if needed {
                early.insert(at);
            }
        }
        early
    }

    /// The tables and expressions of the generated columns that come.
    fn generated(&self) -> Vec<(Name, Expression)> {
        self.steps
            .iter()
            .filter_map(|step| match &step.change {
                Change::AddColumn { table, column, .. } => {
                    let expression = column.fill.generated()?;
                    Some((table.clone(), expression.clone()))
                }
                _ => None,
            })
            .collect()
    }

    fn created(&self) -> BTreeSet<Name> {
        self.steps
            .iter()
            .filter_map(|step| match &step.change {
                Change::CreateTable { name, .. } => Some(name.clone()),
                _ => None,
            })
            .collect()
    }
}

impl File {
    /// The text of the file.
    pub fn sql(&self) -> String {
        let head = if self.no_transaction {
            "-- no-transaction\n"
        } else {
            ""
        };
        format!("{head}{}", self.plan.sql())
    }

    /// The text of the file that undoes it.
    ///
    /// # Errors
    ///
    /// None that a plan of this crate gives: what is undone is there.
    pub fn down(&self) -> Result<String, Error> {
        let after = self.plan.apply(self.before.clone());
        let mut decisions = Decisions {
            assume_drops: true,
            ..Decisions::default()
        };
        for step in &self.plan.steps {
            decisions.renames.extend(step.change.reverse_rename());
        }
        let back = diff(&after, &self.before, &decisions)
            .map_err(|error| Error::new(error.to_string()))?;
        if back.is_empty() {
            return Ok("-- There is nothing to undo.\n".to_owned());
        }
        if self.no_transaction
            && let [step] = back.steps.as_slice()
            && let Change::DropIndex { table, name } = &step.change
        {
            let index = table.beside(name.as_str());
            return Ok(format!(
                "-- no-transaction\nDROP INDEX CONCURRENTLY {index};\n"
            ));
        }
        Ok(back.sql())
    }
}

struct Stager {
    created: BTreeSet<Name>,
    /// Those of them that hold no rows.
    new: BTreeSet<Name>,
    partitioned: BTreeSet<Name>,
    /// Tables that get a key after the main file.
    late_keys: BTreeSet<Name>,
    /// Generated columns that come, and their tables.
    generated: Vec<(Name, Expression)>,
    /// Columns whose type changes after the main file.
    narrowed: BTreeSet<(Name, String)>,
    staged: Vec<(Stage, Change)>,
}

impl Stager {
    fn stage(&mut self, change: &Change) {
        let is_new = change
            .owner()
            .is_some_and(|table| self.created.contains(table));
        let is_partitioned = change
            .owner()
            .is_some_and(|table| self.partitioned.contains(table));
        if is_new {
            return self.push(Stage::Main, change.clone());
        }
        match change {
            Change::AddEnumValue { .. } => self.push(Stage::Values, change.clone()),
            Change::CreateIndex {
                table, name, index, ..
            } if !is_partitioned => {
                // References may be to what it makes unique.
                if index.unique {
                    self.late_keys.insert(table.clone());
                }
                self.push(
                    Stage::Index,
                    Change::CreateIndex {
                        table: table.clone(),
                        name: name.clone(),
                        index: index.clone(),
                        concurrently: true,
                    },
                );
            }
            Change::AddConstraint {
                table,
                name,
                constraint,
            } => self.constraint(table, name, constraint, is_partitioned),
            Change::SetNotNull {
                table,
                column,
                proved: false,
            } => self.not_null(table, column),
            Change::AddColumn {
                table,
                column,
                existing: None,
            } if column.not_null && column.fill == crate::Fill::None => {
                let mut nullable = column.clone();
                nullable.not_null = false;
                self.push(
                    Stage::Main,
                    Change::AddColumn {
                        table: table.clone(),
                        column: nullable,
                        existing: None,
                    },
                );
                self.not_null(table, &column.name);
            }
            Change::AlterType {
                table,
                column,
                from,
                to,
                using: None,
                ..
            } => match TypeChange::new(from, to).guard(column) {
                // A generated column of it is made anew in the main file, and
                // while it is there the type cannot change any more.
                Some(condition) if !self.is_generated_from(table, column) => {
                    let name = shortened(&format!("{}_{column}", table.name), "__fits");
                    self.prove(table, &name, condition);
                    self.push(Stage::Narrow, change.clone());
                    self.push(Stage::Narrow, drop_constraint(table, &name));
                    self.narrowed.insert((table.clone(), column.clone()));
                }
                _ => self.push(Stage::Main, change.clone()),
            },
            // A default is kept as one of the type of that time.
            Change::SetDefault { table, column, .. }
                if self.narrowed.contains(&(table.clone(), column.clone())) =>
            {
                self.push(Stage::Narrow, change.clone());
            }
            _ => self.push(Stage::Main, change.clone()),
        }
    }

    /// Whether a generated column that comes has its values from this one.
    fn is_generated_from(&self, table: &Name, column: &str) -> bool {
        let mut generated = self.generated.iter();
        generated.any(|(of, expression)| of == table && expression.mentions(column))
    }

    fn push(&mut self, stage: Stage, change: Change) {
        self.staged.push((stage, change));
    }

    fn constraint(
        &mut self,
        table: &Name,
        name: &str,
        constraint: &Constraint,
        is_partitioned: bool,
    ) {
        let add = |constraint: Constraint| Change::AddConstraint {
            table: table.clone(),
            name: name.to_owned(),
            constraint,
        };
        let validate = Change::ValidateConstraint {
            table: table.clone(),
            name: name.to_owned(),
        };
        match constraint {
            Constraint::Check {
                not_valid: false, ..
            } => {
                self.push(Stage::Main, add(unvalidated(constraint)));
                self.push(Stage::Validate, validate);
            }
            Constraint::ForeignKey(key) => {
                let (stage, then) = if self.late_keys.contains(&key.table) {
                    (Stage::Keys, Stage::ValidateReferences)
                } else {
                    (Stage::Main, Stage::Validate)
                };
                // PostgreSQL takes no such reference of a partitioned table unvalidated.
                if is_partitioned || key.not_valid {
                    self.push(stage, add(constraint.clone()));
                } else {
                    self.push(stage, add(unvalidated(constraint)));
                    self.push(then, validate);
                }
            }
            Constraint::PrimaryKey(key) | Constraint::Unique(key) if !is_partitioned => {
                let keys: Vec<String> = key
                    .columns
                    .iter()
                    .map(|name| quoted(name).into_owned())
                    .collect();
                let mut definition = format!("UNIQUE ({})", keys.join(", "));
                if !key.include.is_empty() {
                    let include: Vec<String> = key
                        .include
                        .iter()
                        .map(|name| quoted(name).into_owned())
                        .collect();
                    definition.push_str(&format!(" INCLUDE ({})", include.join(", ")));
                }
                if key.nulls_not_distinct {
                    definition.push_str(" NULLS NOT DISTINCT");
                }
                let Ok(index) = definition.parse() else {
                    return self.push(Stage::Main, add(constraint.clone()));
                };
                self.late_keys.insert(table.clone());
                self.push(
                    Stage::Index,
                    Change::CreateIndex {
                        table: table.clone(),
                        name: name.to_owned(),
                        index,
                        concurrently: true,
                    },
                );
                self.push(
                    Stage::Keys,
                    Change::AttachKey {
                        table: table.clone(),
                        name: name.to_owned(),
                        constraint: constraint.clone(),
                    },
                );
            }
            _ => self.push(Stage::Main, add(constraint.clone())),
        }
    }

    /// Refuse null after a check has proved that there is none: the rows are
    /// read once, and not under a lock that keeps everybody waiting.
    fn not_null(&mut self, table: &Name, column: &str) {
        let name = shortened(&format!("{}_{column}", table.name), "__not_null");
        let Ok(condition) = Expression::new(format!("{} IS NOT NULL", quoted(column))) else {
            return;
        };
        self.prove(table, &name, condition);
        self.push(
            Stage::Narrow,
            Change::SetNotNull {
                table: table.clone(),
                column: column.to_owned(),
                proved: true,
            },
        );
        self.push(Stage::Narrow, drop_constraint(table, &name));
    }

    /// A check, for as long as it takes.
    fn prove(&mut self, table: &Name, name: &str, expression: Expression) {
        self.push(
            Stage::Main,
            Change::AddConstraint {
                table: table.clone(),
                name: name.to_owned(),
                constraint: Constraint::Check {
                    expression,
                    no_inherit: false,
                    not_valid: true,
                },
            },
        );
        self.push(
            Stage::Validate,
            Change::ValidateConstraint {
                table: table.clone(),
                name: name.to_owned(),
            },
        );
    }

    fn files(mut self, from: &Schema, name: &str) -> Vec<File> {
        // Stable: within a stage the order of the plan stays.
        self.staged.sort_by_key(|(stage, _)| *stage);
        let mut groups: Vec<(Stage, Vec<Change>)> = Vec::new();
        for (stage, change) in self.staged {
            match groups.last_mut() {
                Some((last, changes)) if *last == stage && stage != Stage::Index => {
                    changes.push(change)
                }
                _ => groups.push((stage, vec![change])),
            }
        }
        let only = groups.len() == 1;
        let mut before = from.clone();
        let mut files = Vec::new();
        for (stage, changes) in groups {
            let plan = Plan::of(changes, &self.new);
            let after = plan.apply(before.clone());
            let suffix = match stage {
                _ if only => String::new(),
                Stage::Main => String::new(),
                Stage::Values => "_values".to_owned(),
                Stage::Validate | Stage::ValidateReferences => "_validate".to_owned(),
                Stage::Narrow => "_finish".to_owned(),
                Stage::Index => format!("_{}", plan.index_name()),
                Stage::Keys => "_keys".to_owned(),
            };
            files.push(File {
                name: format!("{name}{suffix}"),
                no_transaction: stage == Stage::Index,
                plan,
                before: std::mem::replace(&mut before, after),
            });
        }
        files
    }
}

impl Plan {
    fn index_name(&self) -> String {
        match self.steps.first().map(|step| &step.change) {
            Some(Change::CreateIndex { name, .. }) => crate::plan::slug(name),
            _ => "index".to_owned(),
        }
    }
}

impl Change {
    /// What undoes a rename, as a decision.
    fn reverse_rename(&self) -> Option<(crate::Path, crate::Path)> {
        use crate::Path;
        match self {
            Self::RenameTable { from, to } | Self::RenameEnum { from, to } => {
                Some((Path::of(to), Path::of(from)))
            }
            Self::RenameColumn { table, from, to } => {
                Some((Path::within(table, to), Path::within(table, from)))
            }
            Self::RenameEnumValue { name, from, to } => {
                Some((Path::within(name, to), Path::within(name, from)))
            }
            _ => None,
        }
    }
}

fn unvalidated(constraint: &Constraint) -> Constraint {
    let mut constraint = constraint.clone();
    match &mut constraint {
        Constraint::Check { not_valid, .. } => *not_valid = true,
        Constraint::ForeignKey(key) => key.not_valid = true,
        _ => {}
    }
    constraint
}

fn drop_constraint(table: &Name, name: &str) -> Change {
    Change::DropConstraint {
        table: table.clone(),
        name: name.to_owned(),
    }
}
