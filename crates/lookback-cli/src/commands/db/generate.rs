//! `db generate`

use chrono::Utc;
use lookback::migrate::{self, Folder, GenerateOptions};
use lookback_schema::Schema;

use crate::args::DecisionArgs;
use crate::commands::db::decisions;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(
    folder: &Folder,
    models: &Schema,
    name: Option<String>,
    reversible: bool,
    args: &DecisionArgs,
) -> Result<(), Failure> {
    let before = folder
        .newest()?
        .map(|snapshot| snapshot.schema)
        .unwrap_or_default();
    let mut decisions = decisions::from_flags(args)?;
    decisions::settle(&before, models, &mut decisions)?;
    let options = GenerateOptions {
        name,
        decisions,
        reversible,
    };
    let generated = migrate::generate(folder, models, &options, Utc::now())?;
    if generated.files.is_empty() {
        output::note("nothing to generate: the models are as the newest snapshot has them");
        return Ok(());
    }
    for step in &generated.plan.steps {
        output::note(&step.change.summary());
        for risk in &step.risks {
            output::warning(&risk.to_string());
        }
    }
    for file in &generated.files {
        output::line(&file.display().to_string())?;
    }
    output::hint("review the files, then: db migrate");
    Ok(())
}

pub(super) fn empty(folder: &Folder, name: &str) -> Result<(), Failure> {
    let file = migrate::generate_empty(folder, name, Utc::now())?;
    output::line(&file.display().to_string())?;
    Ok(())
}
