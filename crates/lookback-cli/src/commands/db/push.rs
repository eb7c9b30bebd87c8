//! `db push`

use std::io::{self, IsTerminal as _, Write as _};

use lookback::migrate::{self, Folder, Scope};
use lookback_schema::{Plan, Schema};
use sqlx::PgConnection;

use crate::args::DecisionArgs;
use crate::commands::db::check::tell_more;
use crate::commands::db::decisions;
use crate::commands::db::generate::warn;
use crate::failure::Failure;
use crate::output;

/// Options of `db push`.
pub(super) struct How {
    pub(super) explain: bool,
    pub(super) yes: bool,
    pub(super) allow_data_loss: Vec<String>,
}

/// Rejects `db push` in production: its changes are in no reviewed file.
pub(super) fn refuse_production() -> Result<(), Failure> {
    let stage = std::env::var("LOOKBACK_STAGE").unwrap_or_default();
    if stage.eq_ignore_ascii_case("production") {
        return Err(
            Failure::failed("db push is refused where LOOKBACK_STAGE is production")
                .hint("write the change as a migration: db generate, then db migrate"),
        );
    }
    Ok(())
}

pub(super) async fn run(
    conn: &mut PgConnection,
    folder: &Folder,
    models: &Schema,
    args: &DecisionArgs,
    how: &How,
) -> Result<(), Failure> {
    let known = folder
        .newest()?
        .map(|snapshot| snapshot.schema)
        .unwrap_or_default();
    let mut decisions = decisions::from_flags(args)?;
    decisions.one_transaction = true;
    let (live, wanted) = migrate::comparable_schemas(conn, models, &known, &decisions).await?;
    let plan = decisions::settle(&live, &wanted, &mut decisions)?;
    tell_more(conn, &Scope::of([models, &known]), &plan).await?;
    warn(models);
    if plan.is_empty() {
        output::note("nothing to push: the database matches the models");
        return Ok(());
    }
    show(&plan)?;
    for (new, old) in migrate::similar_tables(conn, &plan, &live).await? {
        output::warning(&format!(
            "{new} is created, and {old}, which no model has, has most of its columns"
        ));
        output::hint(&format!("if {old} was renamed: --rename '{old}={new}'"));
    }
    if how.explain {
        return Ok(());
    }
    migrate::check_data_loss(&plan, &how.allow_data_loss)?;
    if !how.yes && !confirmed()? {
        return Err(Failure::interrupted("nothing was changed"));
    }
    migrate::push(conn, &plan, &how.allow_data_loss).await?;
    let changes = plan.steps.iter().filter(|step| !step.change.is_auxiliary());
    output::note(&match changes.count() {
        1 => "made 1 change".to_owned(),
        count => format!("made {count} changes"),
    });
    Ok(())
}

/// Prints the SQL with its risks on standard output, if anybody reads it.
pub(super) fn show(plan: &Plan) -> io::Result<()> {
    output::unless_closed(output::line(plan.sql().trim_end()))
}

fn confirmed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("cannot prompt: there is no terminal")
            .hint("add --yes to make these changes, or --explain to see them only"));
    }
    anstream::eprint!("Make these changes? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
