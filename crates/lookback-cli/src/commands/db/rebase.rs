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
        return Err(Failure::usage(
            "--rebase without --regenerate generates nothing: it takes no name and no decisions",
        )
        .hint("run db generate --rebase, and then db generate"));
    }
    if args.dry_run && folder.is_half_written()? {
        output::note("an earlier run was interrupted; without --dry-run it is finished first");
        return Ok(());
    }
    generate::finish(folder)?;
    let rebase = Rebase::plan(folder, &args.regenerate)?;
    if rebase.is_empty() {
        output::note("nothing to rebase: the migrations are in one sequence");
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
    let search = how.search.clone();
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
            "{file} is handwritten and comes before the regenerated migration: check that it does \
             not depend on it, or give it a later version"
        ));
    }
    if generated.files.is_empty() {
        output::note("nothing to generate: the models match the newest snapshot");
        return Ok(());
    }
    generate::tell(&generated, &search, &rebase.schema())
}

fn tell(
    rebase: &Rebase,
    dry_run: bool,
    written: &[PathBuf],
    removed: &[PathBuf],
) -> Result<(), Failure> {
    let (follows, gone) = if dry_run {
        ("would follow", "would remove")
    } else {
        ("now follows", "removed")
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

/// Prints whether a migration has to be generated next.
fn then(args: &RebaseArgs, rebase: &Rebase, models: &Schema) -> Result<(), Failure> {
    let decisions = Decisions::assuming_drops();
    let is_current = diff(&rebase.schema(), models, &decisions).is_ok_and(|plan| plan.is_empty());
    if args.dry_run {
        output::note("nothing was written");
    } else if is_current {
        output::note("the models and the newest schema snapshot match");
    } else {
        output::hint("the models differ from the migrations: db generate");
    }
    Ok(())
}
