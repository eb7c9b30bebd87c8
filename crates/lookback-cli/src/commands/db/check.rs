//! `db check`

use lookback::migrate::{self, Folder};
use lookback_schema::{Plan, Schema};
use sqlx::PgConnection;

use crate::commands::db::push::show;
use crate::failure::Failure;
use crate::output;

pub(super) fn models(folder: &Folder, models: &Schema) -> Result<(), Failure> {
    let plan = migrate::check_models(folder, models)?;
    in_step(
        &plan,
        "the models and the newest schema snapshot",
        "write the difference as a migration: db generate",
    )
}

pub(super) async fn database(folder: &Folder, conn: &mut PgConnection) -> Result<(), Failure> {
    let plan = migrate::check_database(folder, conn).await?;
    in_step(
        &plan,
        "the database and the newest schema snapshot",
        "apply what is pending (db migrate), or take back what was changed by hand",
    )
}

fn in_step(plan: &Plan, what: &str, hint: &str) -> Result<(), Failure> {
    if plan.is_empty() {
        output::note(&format!("{what} are in step"));
        return Ok(());
    }
    show(plan)?;
    Err(Failure::failed(format!("{what} differ")).hint(hint))
}
