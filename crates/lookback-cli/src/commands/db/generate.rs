//! `db generate`

use chrono::Utc;
use lookback::migrate::{self, Folder, GenerateOptions, Generated};
use lookback_schema::{Change, Fill, Plan, Schema, literal, quoted};

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
    tell(&generated)
}

/// Finishes an interrupted run.
pub(super) fn finish(folder: &Folder) -> Result<(), Failure> {
    if folder.is_half_written()? {
        folder.finish()?;
        output::note("finished an interrupted run");
    }
    Ok(())
}

pub(super) fn tell(generated: &Generated) -> Result<(), Failure> {
    show(&generated.plan);
    for (file, risk) in &generated.risks {
        output::warning(&format!("{file}: {risk}"));
    }
    for file in &generated.files {
        output::line(&file.display().to_string())?;
    }
    output::hint("review the files, then: db migrate");
    Ok(())
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
            && let [first, ..] = without.as_slice()
        {
            let (object, column) = (step.change.object(), quoted(column));
            let first = literal(first);
            output::hint(&format!(
                "rows with a removed value stop the migration; to give them another one, generate \
                 it with --using \"{object}=(CASE {column}::text WHEN {first} THEN 'VALUE' ELSE \
                 {column}::text END)::{to}\""
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
