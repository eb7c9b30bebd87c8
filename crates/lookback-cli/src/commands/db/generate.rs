//! `db generate`

use std::collections::BTreeSet;

use chrono::Utc;
use lookback::migrate::{self, Folder, GenerateOptions, Generated};
use lookback_schema::{Change, DataType, Fill, Name, Plan, Schema, literal, quoted};

use crate::args::DecisionArgs;
use crate::commands::db::decisions;
use crate::failure::Failure;
use crate::output;

/// Options of `db generate`.
pub(super) struct How<'a> {
    pub(super) name: Option<String>,
    pub(super) reversible: bool,
    pub(super) version: Option<i64>,
    pub(super) decisions: &'a DecisionArgs,
    /// The columns that search and `embedding` use.
    pub(super) search: BTreeSet<(Name, String)>,
}

impl How<'_> {
    /// Prompts for open questions.
    pub(super) fn settled(self, from: &Schema, to: &Schema) -> Result<GenerateOptions, Failure> {
        let mut decisions = decisions::from_flags(self.decisions)?;
        decisions::settle(from, to, &mut decisions)?;
        let mut options = GenerateOptions::default();
        options.name = self.name;
        options.decisions = decisions;
        options.reversible = self.reversible;
        options.version = self.version;
        Ok(options)
    }
}

pub(super) fn run(folder: &Folder, models: &Schema, how: How<'_>) -> Result<(), Failure> {
    finish(folder)?;
    let before = folder
        .newest()?
        .map(|snapshot| snapshot.schema)
        .unwrap_or_default();
    let search = how.search.clone();
    let options = how.settled(&before, models)?;
    let is_new = !folder.path().exists();
    let newest = folder.newest()?.is_some();
    let generated = migrate::generate(folder, models, &options, Utc::now())?;
    warn(models);
    if generated.files.is_empty() {
        output::note("nothing to generate: the models match the newest snapshot");
        return Ok(());
    }
    if is_new {
        let path = folder.path().display();
        output::note(&format!(
            "{path} is a new folder: its first migration creates everything in the models"
        ));
    }
    if !is_new && !newest {
        output::warning(
            "the folder has no schema snapshot in meta/: this migration creates everything in \
             the models",
        );
    }
    tell(&generated, &search, &before)
}

/// Finishes an interrupted run.
pub(super) fn finish(folder: &Folder) -> Result<(), Failure> {
    if folder.is_half_written()? {
        folder.finish()?;
        output::note("finished an interrupted run");
    }
    Ok(())
}

pub(super) fn tell(
    generated: &Generated,
    search: &BTreeSet<(Name, String)>,
    before: &Schema,
) -> Result<(), Failure> {
    show(&generated.plan);
    for (table, column) in stale(&generated.plan, search, before) {
        output::warning(&format!(
            "{table}.{} is a field of the search, and its values change: the vectors of old rows \
             become stale",
            quoted(&column)
        ));
        output::hint("recompute them after db migrate: db reembed");
    }
    for (file, risk) in &generated.risks {
        output::warning(&format!("{file}: {risk}"));
    }
    for file in &generated.files {
        output::line(&file.display().to_string())?;
    }
    for (file, functions) in &generated.functions {
        output::hint(&format!(
            "{file} is empty: create the functions in it that take the new types ({})",
            functions.join(", ")
        ));
    }
    output::hint("review the files, then: db migrate");
    Ok(())
}

/// The fields of the search whose values in existing rows change, so that `embedding` no longer
/// belongs to them.
fn stale(
    plan: &Plan,
    search: &BTreeSet<(Name, String)>,
    before: &Schema,
) -> BTreeSet<(Name, String)> {
    let mut stale = BTreeSet::new();
    for step in &plan.steps {
        match &step.change {
            // A cast keeps the text of the values, or nearly.
            Change::AlterType { using: None, .. } => {}
            Change::AlterType {
                using: Some(using),
                column,
                to,
                ..
            } if is_only_a_cast(using.as_str(), column, to) => {}
            Change::AlterType { table, column, .. } | Change::FillNulls { table, column, .. } => {
                stale.insert((table.clone(), column.clone()));
            }
            Change::RenameEnumValue { name, .. } => {
                for (table, there) in &before.tables {
                    let columns = there.columns.iter().filter(|c| c.data_type.name == *name);
                    stale.extend(columns.map(|column| (table.clone(), column.name.clone())));
                }
            }
            _ => {}
        }
    }
    stale.intersection(search).cloned().collect()
}

/// Whether a conversion goes through the text of the value and nothing else.
fn is_only_a_cast(using: &str, column: &str, to: &DataType) -> bool {
    let column = quoted(column);
    let casts = [
        format!("{column}::{to}"),
        format!("{column}::text::{to}"),
        format!("{column}::text[]::{to}"),
    ];
    casts.iter().any(|cast| cast == using)
}

/// A conversion of an enum without some of its values, to edit.
fn without_values(column: &str, to: &DataType, without: &[String]) -> String {
    let column = quoted(column);
    if to.array {
        let replaced = without
            .iter()
            .fold(format!("{column}::text[]"), |all, value| {
                format!("array_replace({all}, {}, 'VALUE')", literal(value))
            });
        return format!("{replaced}::{to}");
    }
    let cases: Vec<String> = without
        .iter()
        .map(|value| format!("WHEN {} THEN 'VALUE'", literal(value)))
        .collect();
    format!(
        "(CASE {column}::text {} ELSE {column}::text END)::{to}",
        cases.join(" ")
    )
}

/// Prints warnings about definitions that are probably mistakes.
pub(super) fn warn(models: &Schema) {
    for hint in models.hints() {
        output::warning(&hint);
    }
}

/// Prints the changes in words.
pub(super) fn show(plan: &Plan) {
    for step in plan.steps.iter().filter(|step| !step.change.is_auxiliary()) {
        output::note(&step.change.summary());
        if let Change::AlterType {
            column,
            to,
            without: Some(without),
            ..
        } = &step.change
            && !without.is_empty()
        {
            let object = step.change.object();
            let using = without_values(column, to, without);
            output::hint(&format!(
                "rows with a removed value stop the migration; to give them another one, generate \
                 it with --using \"{object}={using}\""
            ));
        }
        if step.change.reads_text() {
            let object = step.change.object();
            output::hint(&format!(
                "there is no cast between these types; to convert the values in your own way, \
                 generate it with --using '{object}=SQL'"
            ));
        }
        if let Change::AddColumn {
            column,
            existing: None,
            ..
        } = &step.change
            && column.not_null
            && column.fill == Fill::None
            && !step.risks.is_empty()
        {
            let object = step.change.object();
            output::hint(&format!(
                "existing rows have no value for it; to give them one, generate it with --fill \
                 '{object}=SQL'"
            ));
        }
    }
}

pub(super) fn empty(folder: &Folder, name: &str, version: Option<i64>) -> Result<(), Failure> {
    let file = migrate::generate_empty(folder, name, version, Utc::now())?;
    output::line(&file.display().to_string())?;
    Ok(())
}
