//! Are models, files and database in step?

use lookback_schema::{Decisions, Plan, Schema, diff};
use sqlx::PgConnection;

use crate::canonical::canonical;
use crate::error::Error;
use crate::files::Folder;
use crate::introspect::{Scope, introspect};

/// What [`check_models`] and [`check_database`] compare never asks back: what
/// is gone is gone.
fn plain() -> Decisions {
    Decisions {
        assume_drops: true,
        ..Decisions::default()
    }
}

/// What the models have that the newest snapshot has not, and the other way
/// round. Empty if they are in step.
///
/// # Errors
///
/// A folder that cannot be read, or two branches in it.
pub fn check_models(folder: &Folder, models: &Schema) -> Result<Plan, Error> {
    let snapshot = folder
        .newest()?
        .map(|snapshot| snapshot.schema)
        .unwrap_or_default();
    Ok(diff(&snapshot, models, &plain())?)
}

/// What the newest snapshot has that the database has not, and the other way
/// round. Empty if they are in step. Tables that the snapshot does not have
/// are not looked at.
///
/// # Errors
///
/// A folder that cannot be read, or two branches in it; those of the database.
pub async fn check_database(folder: &Folder, conn: &mut PgConnection) -> Result<Plan, Error> {
    let snapshot = folder
        .newest()?
        .map(|snapshot| snapshot.schema)
        .unwrap_or_default();
    let live = introspect(conn, &Scope::of([&snapshot])).await?;
    let wanted = canonical(conn, &snapshot).await?;
    Ok(diff(&live, &wanted, &plain())?)
}
