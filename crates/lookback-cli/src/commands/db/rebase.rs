//! `db generate --rebase`

use std::path::PathBuf;

use chrono::Utc;
use lookback::migrate::{Folder, Rebase};
use lookback_schema::{Decisions, Schema, diff};

use crate::args::RebaseArgs;
use crate::commands::db::generate::{self, How};
use crate::failure::Failure;
use crate::output;

pub(super) fn run(
    folder: &Folder,
    models: &Schema,
    args: &RebaseArgs,
    how: How<'_>,
) -> Result<(), Failure> {
    let idle =
        how.name.is_none() && !how.reversible && how.version.is_none() && how.decisions.is_empty();
    if args.regenerate.is_empty() && !idle {
        return Err(
            Failure::usage("db generate --rebase generates nothing, so that there is no name and nothing to decide")
                .hint("run db generate --rebase, and then db generate for what the models have besides"),
        );
    }
    if args.dry_run && folder.is_half_written()? {
        output::note("an earlier run was stopped half-way; without --dry-run it is finished first");
        return Ok(());
    }
    generate::finish(folder)?;
    let rebase = Rebase::plan(folder, &args.regenerate)?;
    if rebase.is_empty() {
        output::note("nothing to rebase: the migrations follow each other");
        return Ok(());
    }
    let (written, removed) = rebase.files(folder)?;
    if args.regenerate.is_empty() {
        if !args.dry_run {
            rebase.write(folder)?;
        }
        tell(&rebase, args.dry_run, &written, &removed)?;
        return then(args, &rebase, models);
    }
    let options = how.settled(&rebase.schema(), models)?;
    if args.dry_run {
        tell(&rebase, args.dry_run, &written, &removed)?;
        if let Ok(plan) = diff(&rebase.schema(), models, &options.decisions) {
            output::note("would generate:");
            generate::show(&plan);
        }
        output::note("nothing was written");
        return Ok(());
    }
    let generated = rebase.generate(folder, models, &options, Utc::now())?;
    tell(&rebase, args.dry_run, &written, &removed)?;
    for file in rebase.written_by_hand(folder)? {
        output::warning(&format!(
            "{file} is written by hand and comes before what is generated anew: see that it still \
             has what it needs, or give it a later version"
        ));
    }
    if generated.files.is_empty() {
        output::note("nothing to generate: the models are as the newest snapshot has them");
        return Ok(());
    }
    generate::tell(&generated)
}

fn tell(
    rebase: &Rebase,
    dry_run: bool,
    written: &[PathBuf],
    removed: &[PathBuf],
) -> Result<(), Failure> {
    let (follows, gone) = match dry_run {
        true => ("would follow", "would remove"),
        false => ("now follows", "removed"),
    };
    for snapshot in &rebase.rewritten {
        let parent = snapshot.parent.unwrap_or_default();
        output::note(&format!("{} {follows} {parent}", snapshot.version));
    }
    for file in removed {
        output::note(&format!("{gone} {}", file.display()));
    }
    for file in written {
        output::line(&file.display().to_string())?;
    }
    Ok(())
}

/// What comes after it.
fn then(args: &RebaseArgs, rebase: &Rebase, models: &Schema) -> Result<(), Failure> {
    let decisions = Decisions {
        assume_drops: true,
        ..Decisions::default()
    };
    let in_step = diff(&rebase.schema(), models, &decisions).is_ok_and(|plan| plan.is_empty());
    if args.dry_run {
        output::note("nothing was written");
    } else if in_step {
        output::note("the models and the newest schema snapshot are in step");
    } else {
        output::hint("the models have more than the migrations: db generate");
    }
    Ok(())
}
