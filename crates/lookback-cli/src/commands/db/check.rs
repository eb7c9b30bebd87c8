//! `db check`

use lookback::migrate::{self, Folder, Scope};
use lookback_schema::{Plan, Schema};
use sqlx::PgConnection;

use crate::commands::db::generate::warn;
use crate::commands::db::push::show;
use crate::failure::Failure;
use crate::output;

pub(super) fn models(folder: &Folder, models: &Schema) -> Result<(), Failure> {
    let plan = migrate::check_models(folder, models)?;
    warn(models);
    report(
        &plan,
        "the models and the newest schema snapshot",
        "write the difference as a migration: db generate",
    )
}

pub(super) async fn database(folder: &Folder, conn: &mut PgConnection) -> Result<(), Failure> {
    let plan = migrate::check_database(folder, conn).await?;
    let snapshot = folder.newest()?.map(|snapshot| snapshot.schema);
    tell_more(conn, &Scope::of(&snapshot), &plan).await?;
    report(
        &plan,
        "the database and the newest schema snapshot",
        "apply what is pending (db migrate), or revert changes that were made by hand",
    )
}

/// Prints warnings about unsupported objects, and about definitions that could
/// not be compared.
pub(super) async fn tell_more(
    conn: &mut PgConnection,
    scope: &Scope,
    plan: &Plan,
) -> Result<(), Failure> {
    let live = migrate::read(conn, scope).await?;
    for index in &live.invalid_indexes {
        output::warning(&format!(
            "the index {index} is INVALID: a build of it failed"
        ));
        output::hint(&format!("it serves no query: DROP INDEX {index}"));
    }
    for note in &live.notes {
        output::warning(note);
    }
    if !plan.is_empty() && !migrate::can_canonicalize(conn).await? {
        output::warning(
            "this role may not create schemas, or the server is read-only: definitions are not \
             compared in canonical form, and some differences may mean nothing",
        );
        output::hint("GRANT CREATE ON DATABASE to the role, or use another one");
    }
    Ok(())
}

fn report(plan: &Plan, what: &str, hint: &str) -> Result<(), Failure> {
    if plan.is_empty() {
        output::note(&format!("{what} match"));
        return Ok(());
    }
    show(plan)?;
    Err(Failure::failed(format!("{what} differ")).hint(hint))
}
