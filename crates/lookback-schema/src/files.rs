//! Splits a plan into migration files.
//!
//! Changes that need an earlier transaction, or none, get their own files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::{Change, TypeChange};
use crate::change::{Plan, new_tables};
use crate::schema::{Constraint, Index, Schema};
use crate::syntax::Expression;
use crate::syntax::{Name, free, quoted};
use functions::functions;
use replacement::{Replacements, replacements};

mod functions;
mod replacement;
mod reversal;

/// One file of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// The words of its name.
    pub name: String,
    /// Whether it runs outside a transaction; then it has exactly one statement.
    pub no_transaction: bool,
    /// The changes that it makes.
    pub plan: Plan,
    /// Functions of the application that take a type which this file creates, by name.
    ///
    /// The next file calls them: they have to be created between the two.
    pub functions: Vec<String>,
    /// The plan that this file is a part of, and the number of files before it.
    whole: Arc<Whole>,
    before: usize,
}

/// All files of a plan, shared by them. A file does not store the schema before it: copying a
/// schema per file would take most of the time.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    /// The schema before the first.
    from: Schema,
    plans: Vec<Plan>,
}

/// The stages of a plan, in order. Each file is one transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// An enum that functions of the application take.
    Types,
    /// A value added to an enum cannot be used before its transaction ends.
    Values,
    Main,
    /// Rows are read without blocking writers, after the main file's locks are released.
    Validate,
    /// Columns get a narrower type once a check has proved that all values fit.
    Narrow,
    /// An index is built without blocking writers: one file for each.
    Index,
    /// Replaced indexes are dropped; keys, and references to them, are added.
    Keys,
    ValidateReferences,
}

impl Plan {
    /// Splits the plan into files that are safe for large tables in use.
    ///
    /// Checks and foreign keys are added `NOT VALID` and validated in a later file. A column
    /// becomes `NOT NULL` after a check has proved that it has no nulls. Indexes, and the indexes
    /// of keys, are built `CONCURRENTLY`, each in a file without a transaction. A changed index or
    /// key stays until its replacement is built. An enum is created in a file of its own if
    /// functions of the application take it, so that these can be created before they are called
    /// ([`File::functions`]).
    ///
    /// `from` is the schema before the plan, `name` the words of the file names.
    pub fn files(&self, from: &Schema, name: &str) -> Vec<File> {
        let to = self.apply(from.clone());
        let mut stager = Stager {
            created: self.created(),
            new: new_tables(self.steps.iter().map(|step| &step.change)),
            regenerated: self.regenerated(),
            adds_values: self.adds_values(),
            early: self.early(),
            functions: functions(self, &to),
            renamed_enums: self.renamed_enums(&to),
            partitioned: to
                .tables
                .iter()
                .filter(|(_, table)| table.partition_by.is_some())
                .map(|(name, _)| name.clone())
                .collect(),
            late_keys: BTreeSet::new(),
            replacements: replacements(self, from, &to),
            late_not_null: BTreeSet::new(),
            apart: BTreeSet::new(),
            narrowed: BTreeSet::new(),
            in_use: &from.names_in_use() | &to.names_in_use(),
            to,
            staged: Vec::new(),
        };
        for (place, step) in self.steps.iter().enumerate() {
            if place < stager.early {
                stager.push(Stage::Values, step.change.clone());
            } else {
                stager.stage(&step.change);
            }
        }
        stager.files(from, name)
    }

    /// The number of changes, the first ones, that free the new name of an enum: the enum is
    /// renamed in the first file, so they belong there, too.
    fn early(&self) -> usize {
        let changes = || self.steps.iter().map(|step| &step.change).enumerate();
        let mut early = 0;
        if !self.adds_values() {
            return early;
        }
        for (place, change) in changes() {
            let Change::RenameEnum { to, .. } = change else {
                continue;
            };
            let frees = |(_, change): (usize, &Change)| match change {
                Change::RenameTable { from, .. } | Change::DropTable(from) => from == to,
                _ => false,
            };
            if changes().take(place).any(frees) {
                early = place;
            }
        }
        early
    }

    fn adds_values(&self) -> bool {
        let mut changes = self.steps.iter().map(|step| &step.change);
        changes.any(|change| matches!(change, Change::AddEnumValue { .. }))
    }

    fn renamed_enums(&self, to: &Schema) -> BTreeSet<Name> {
        let changes = self.steps.iter().map(|step| &step.change);
        let on_the_way = changes.filter_map(|change| match change {
            Change::RenameEnum { from, .. } => Some(from.clone()),
            _ => None,
        });
        on_the_way.chain(to.enums.keys().cloned()).collect()
    }

    fn regenerated(&self) -> BTreeSet<Name> {
        let changes = self.steps.iter().map(|step| &step.change);
        changes
            .filter_map(|change| match change {
                Change::DropColumn {
                    table,
                    generated: true,
                    ..
                } => Some(table.clone()),
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

    /// The schema before this file.
    fn before(&self) -> Schema {
        let earlier = self.whole.plans.iter().take(self.before);
        earlier.fold(self.whole.from.clone(), |schema, plan| plan.apply(schema))
    }
}

struct Stager {
    created: BTreeSet<Name>,
    /// Created tables that hold no rows.
    new: BTreeSet<Name>,
    partitioned: BTreeSet<Name>,
    /// Tables that get a key or a unique index after the main file.
    late_keys: BTreeSet<Name>,
    /// Indexes and keys that are dropped once their replacement is built.
    replacements: Replacements,
    /// The schema after the plan.
    to: Schema,
    /// Whether the plan adds a value to an enum.
    adds_values: bool,
    /// The number of changes that belong in the first file because of the name of an enum.
    early: usize,
    /// New enums with the functions of the application that take them.
    functions: BTreeMap<Name, BTreeSet<String>>,
    /// The new names of enums, and their temporary names.
    renamed_enums: BTreeSet<Name>,
    /// Tables with a generated column that is dropped, even if it is added again.
    regenerated: BTreeSet<Name>,
    /// Columns that become `NOT NULL` after the main file.
    late_not_null: BTreeSet<(Name, String)>,
    /// Indexes and constraints that are created in a later file than their old ones are dropped.
    apart: BTreeSet<(Name, String)>,
    /// Columns whose type changes after the main file.
    narrowed: BTreeSet<(Name, String)>,
    /// Names that a temporary check cannot have.
    in_use: BTreeSet<Name>,
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
        if is_new && !matches!(change, Change::CreateEnum { .. }) {
            let stage = match change {
                Change::AddConstraint {
                    table,
                    constraint: Constraint::ForeignKey(key),
                    ..
                } if self.refers_late(table, &key.table) => Stage::Keys,
                _ => Stage::Main,
            };
            return self.push(stage, change.clone());
        }
        match change {
            Change::CreateEnum { name, .. } if self.functions.contains_key(name) => {
                self.push(Stage::Types, change.clone());
            }
            Change::CreateSchema(_) if !self.functions.is_empty() => {
                self.push(Stage::Types, change.clone());
            }
            Change::AddEnumValue { .. } => self.push(Stage::Values, change.clone()),
            Change::CreateSchema(_) | Change::RenameEnumValue { .. } if self.adds_values => {
                self.push(Stage::Values, change.clone());
            }
            // An enum that only gets a temporary name is not renamed here.
            Change::RenameEnum { to, .. }
                if self.adds_values && self.renamed_enums.contains(to) =>
            {
                self.push(Stage::Values, change.clone());
            }
            Change::CreateIndex {
                table, name, index, ..
            } if !is_partitioned => {
                if index.unique {
                    self.late_keys.insert(table.clone());
                }
                let built = self.build(table, name, index.clone());
                if built != *name {
                    self.push(
                        Stage::Keys,
                        Change::RenameIndex {
                            table: table.clone(),
                            from: built,
                            to: name.clone(),
                        },
                    );
                }
            }
            // An index of a partitioned table is built on the final type of the column.
            Change::CreateIndex {
                table, name, index, ..
            } if self
                .narrowed
                .iter()
                .any(|(owner, c)| owner == table && index.mentions(c)) =>
            {
                self.apart.insert((table.clone(), name.clone()));
                self.push(Stage::Narrow, change.clone());
            }
            Change::KeepIndexSettings { table, name, .. }
            | Change::RestoreIndexSettings { table, name, .. } => {
                if let Some(stage) = self.replaced_in(table, name, is_partitioned) {
                    self.push(stage, change.clone());
                }
            }
            Change::DropIndex { table, name } | Change::DropConstraint { table, name }
                if !is_partitioned
                    && self
                        .replacements
                        .contains_key(&(table.clone(), name.clone())) =>
            {
                self.push(Stage::Keys, change.clone());
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
            } if !self.generate_from(table, column) => {
                match TypeChange::new(from, to).guard(column) {
                    Some(condition) => {
                        let name = self.prove(table, column, "__fits", condition);
                        self.narrowed.insert((table.clone(), column.clone()));
                        self.push(Stage::Narrow, change.clone());
                        self.push(Stage::Narrow, drop_constraint(table, &name));
                    }
                    None => self.push(Stage::Main, change.clone()),
                }
            }
            Change::AddIdentity { table, column, .. }
                if self
                    .late_not_null
                    .contains(&(table.clone(), column.clone())) =>
            {
                self.push(Stage::Narrow, change.clone());
            }
            Change::SetDefault { table, column, .. }
            | Change::AddIdentity { table, column, .. }
            | Change::AddSerial { table, column, .. }
            | Change::AlterSequence { table, column, .. }
                if self.narrowed.contains(&(table.clone(), column.clone())) =>
            {
                self.push(Stage::Narrow, change.clone());
            }
            _ => self.push(Stage::Main, change.clone()),
        }
    }

    /// The file in which an index or key is dropped and created again; `None` if these are two
    /// files, between which nothing can be stored.
    fn replaced_in(&self, table: &Name, name: &str, is_partitioned: bool) -> Option<Stage> {
        let place = (table.clone(), name.to_owned());
        if self.apart.contains(&place) {
            return None;
        }
        let constraints = self.to.tables.get(table).map(|table| &table.constraints);
        let excludes = constraints
            .and_then(|constraints| constraints.get(name))
            .is_some_and(|constraint| matches!(constraint, Constraint::Exclude(_)));
        if is_partitioned || excludes {
            Some(Stage::Main)
        } else {
            self.replacements
                .contains_key(&place)
                .then_some(Stage::Keys)
        }
    }

    /// Whether generated columns use this one: PostgreSQL rewrites them at once.
    fn generate_from(&self, table: &Name, column: &str) -> bool {
        let is_of = |e: Option<&Expression>| e.is_some_and(|e| e.mentions(column));
        let comes = self.to.tables.get(table).is_some_and(|table| {
            let mut columns = table.columns.iter();
            columns.any(|other| is_of(other.fill.generated()))
        });
        comes || self.regenerated.contains(table)
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
            // The change of type rewrites the table and reads all rows anyway.
            Constraint::Check { .. } | Constraint::Exclude(_)
                if self.is_about_narrowed(table, constraint) =>
            {
                self.apart.insert((table.clone(), name.to_owned()));
                self.push(Stage::Narrow, add(constraint.clone()));
            }
            Constraint::Check {
                not_valid: false,
                not_enforced: false,
                ..
            } => {
                self.push(Stage::Main, add(unvalidated(constraint)));
                self.push(Stage::Validate, validate);
            }
            Constraint::ForeignKey(key) => {
                let (stage, then) = if self.refers_late(table, &key.table) {
                    (Stage::Keys, Stage::ValidateReferences)
                } else {
                    (Stage::Main, Stage::Validate)
                };
                // PostgreSQL accepts no `NOT VALID` reference of a partitioned table.
                if is_partitioned || key.not_valid || key.not_enforced {
                    self.push(stage, add(constraint.clone()));
                } else {
                    self.push(stage, add(unvalidated(constraint)));
                    self.push(then, validate);
                }
            }
            // PostgreSQL makes no key WITHOUT OVERLAPS from an index.
            Constraint::PrimaryKey(key) | Constraint::Unique(key)
                if !is_partitioned && !key.without_overlaps =>
            {
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
                let built = self.build(table, name, index);
                self.push(
                    Stage::Keys,
                    Change::AttachKey {
                        table: table.clone(),
                        name: name.to_owned(),
                        index: built,
                        constraint: constraint.clone(),
                    },
                );
            }
            _ => self.push(Stage::Main, add(constraint.clone())),
        }
    }

    fn is_about_narrowed(&self, table: &Name, constraint: &Constraint) -> bool {
        let mut narrowed = self.narrowed.iter().filter(|(owner, _)| owner == table);
        narrowed.any(|(_, column)| match constraint {
            Constraint::Check { expression, .. } => expression.mentions(column),
            Constraint::Exclude(exclusion) => exclusion.mentions(column),
            _ => false,
        })
    }

    /// Whether a reference may need a key that is added after the main file.
    ///
    /// A key is also recreated if the type of one of its columns changes.
    fn refers_late(&self, from: &Name, to: &Name) -> bool {
        let mut narrowed = self.narrowed.iter().map(|(table, _)| table);
        self.late_keys.contains(to) || narrowed.any(|table| table == from || table == to)
    }

    /// Builds an index without blocking writers. Returns its name, which is temporary if it
    /// replaces an index.
    fn build(&mut self, table: &Name, name: &str, index: Index) -> String {
        let place = (table.clone(), name.to_owned());
        let name = self.replacements.get(&place).cloned().unwrap_or(place.1);
        self.push(
            Stage::Index,
            Change::CreateIndex {
                table: table.clone(),
                name: name.clone(),
                index,
                concurrently: true,
            },
        );
        name
    }

    /// Makes a column `NOT NULL` after a check has proved that it has no nulls. The rows are read
    /// once, under a lock that does not block other sessions.
    fn not_null(&mut self, table: &Name, column: &str) {
        let Ok(condition) = Expression::new(format!("{} IS NOT NULL", quoted(column))) else {
            return;
        };
        let name = self.prove(table, column, "__filled", condition);
        self.late_not_null
            .insert((table.clone(), column.to_owned()));
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

    /// Adds and validates a temporary check, and returns its name.
    fn prove(
        &mut self,
        table: &Name,
        column: &str,
        suffix: &str,
        expression: Expression,
    ) -> String {
        let name = free(&format!("{}_{column}", table.name), suffix, |candidate| {
            self.in_use.contains(&table.beside(candidate))
        });
        self.in_use.insert(table.beside(name.as_str()));
        self.push(
            Stage::Main,
            Change::AddConstraint {
                table: table.clone(),
                name: name.clone(),
                constraint: Constraint::Check {
                    expression,
                    no_inherit: false,
                    not_valid: true,
                    not_enforced: false,
                },
            },
        );
        self.push(
            Stage::Validate,
            Change::ValidateConstraint {
                table: table.clone(),
                name: name.clone(),
            },
        );
        name
    }

    fn files(mut self, from: &Schema, name: &str) -> Vec<File> {
        let restored: BTreeSet<usize> = (self.staged.iter())
            .filter_map(|(_, change)| match change {
                Change::RestoreIndexSettings { number, .. } => Some(*number),
                _ => None,
            })
            .collect();
        self.staged.retain(|(_, change)| match change {
            Change::KeepIndexSettings { number, .. } => restored.contains(number),
            _ => true,
        });
        // The sort is stable: changes of a stage stay in the order of the plan.
        // Types that become narrower come first, so that a table is rewritten once.
        self.staged.sort_by_key(|(stage, change)| {
            let narrows = *stage == Stage::Narrow && matches!(change, Change::AlterType { .. });
            (*stage, !narrows)
        });
        let mut groups: Vec<(Stage, Vec<Change>)> = Vec::new();
        for (stage, change) in self.staged {
            match groups.last_mut() {
                Some((last, changes)) if *last == stage && stage != Stage::Index => {
                    changes.push(change);
                }
                _ => groups.push((stage, vec![change])),
            }
        }
        let only = groups.len() == 1;
        let (stages, plans): (Vec<Stage>, Vec<Plan>) = groups
            .into_iter()
            .map(|(stage, changes)| (stage, Plan::of(changes, &self.new)))
            .unzip();
        let whole = Arc::new(Whole {
            from: from.clone(),
            plans,
        });
        let mut files = Vec::new();
        for (before, (stage, plan)) in stages.into_iter().zip(&whole.plans).enumerate() {
            let suffix = match stage {
                _ if only => String::new(),
                Stage::Types => "_types".to_owned(),
                Stage::Main => String::new(),
                Stage::Values => "_values".to_owned(),
                Stage::Validate | Stage::ValidateReferences => "_validate".to_owned(),
                Stage::Narrow => "_finish".to_owned(),
                Stage::Index => format!("_{}", plan.index_name()),
                Stage::Keys if plan.has_keys() => "_keys".to_owned(),
                Stage::Keys => "_swap".to_owned(),
            };
            let functions: BTreeSet<&String> = match stage {
                Stage::Types => self.functions.values().flatten().collect(),
                _ => BTreeSet::new(),
            };
            files.push(File {
                functions: functions.into_iter().cloned().collect(),
                name: format!("{name}{suffix}"),
                no_transaction: stage == Stage::Index,
                plan: plan.clone(),
                whole: Arc::clone(&whole),
                before,
            });
        }
        files
    }
}

impl Plan {
    fn has_keys(&self) -> bool {
        let mut changes = self.steps.iter().map(|step| &step.change);
        changes.any(|change| {
            matches!(
                change,
                Change::AttachKey { .. } | Change::AddConstraint { .. }
            )
        })
    }

    fn index_name(&self) -> String {
        match self.steps.first().map(|step| &step.change) {
            Some(Change::CreateIndex { name, .. }) => crate::change::slug(name),
            _ => "index".to_owned(),
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

#[cfg(test)]
mod tests {
    use crate::diff::{Decisions, diff};
    use crate::schema::{Column, Schema, Table};
    use crate::syntax::Name;

    #[test]
    fn reversal_of_file_undoes_only_that_file() {
        let mut table = Table {
            columns: vec![Column::new("a", "integer".parse().unwrap())],
            ..Table::default()
        };
        let of = |table: &Table| Schema {
            tables: [(Name::new("t"), table.clone())].into(),
            ..Schema::default()
        };
        let from = of(&table);
        let column = Column::new("b", "integer".parse().unwrap());
        table.columns.push(column);
        let check = "CHECK (b > 0)".parse().unwrap();
        table.constraints.insert("t_b_check".to_owned(), check);
        for (name, index) in [("t_a_idx", "(a)"), ("t_b_idx", "(b)")] {
            let index = index.parse().unwrap();
            table.indexes.insert(name.to_owned(), index);
        }
        let to = of(&table);

        let plan = diff(&from, &to, &Decisions::default()).unwrap();
        let files = plan.files(&from, "change");
        let done = |schema: Schema, file: &super::File| file.plan.apply(schema);
        assert_eq!(files.iter().fold(from, done), to);
        let downs: Vec<String> = files
            .iter()
            .map(|file| file.reversal_sql(&file.reversal().unwrap()))
            .collect();
        insta::assert_snapshot!(downs.join("--\n"), @"
        ALTER TABLE t DROP CONSTRAINT t_b_check;

        -- LOSES DATA: the values of t.b
        ALTER TABLE t DROP COLUMN b;
        --
        ALTER TABLE t DROP CONSTRAINT t_b_check;

        -- may fail on existing rows: later changes of rows that break it, until they are repaired
        ALTER TABLE t ADD CONSTRAINT t_b_check CHECK (b > 0) NOT VALID;
        --
        -- no-transaction
        DROP INDEX CONCURRENTLY t_a_idx;
        --
        -- no-transaction
        DROP INDEX CONCURRENTLY t_b_idx;
        ");
    }
}
