//! Checks that models, files and database match.

use lookback_schema::{Decisions, Plan, Schema, diff};
use sqlx::PgConnection;

use crate::canonical::canonical_beside;
use crate::error::Error;
use crate::files::Folder;
use crate::introspect::{Scope, introspect};

/// Decisions that leave no question open: removed objects count as dropped.
fn plain() -> Decisions {
    Decisions::assuming_drops()
}

/// Compares the newest snapshot with the models.
///
/// The plan leads from the snapshot to the models, and is empty if they match.
///
/// # Errors
///
/// A folder that cannot be read or that has two branches.
pub fn check_models(folder: &Folder, models: &Schema) -> Result<Plan, Error> {
    let snapshot = folder
        .newest()?
        .map(|snapshot| snapshot.schema)
        .unwrap_or_default();
    Ok(diff(&snapshot, models, &plain())?)
}

/// Compares the database with the newest snapshot.
///
/// The plan leads from the database to the snapshot, and is empty if they match.
/// Tables that are not in the snapshot are ignored.
///
/// # Errors
///
/// A folder that cannot be read or that has two branches; those of the database.
pub async fn check_database(folder: &Folder, conn: &mut PgConnection) -> Result<Plan, Error> {
    let snapshot = folder
        .newest()?
        .map(|snapshot| snapshot.schema)
        .unwrap_or_default();
    let live = introspect(conn, &Scope::of([&snapshot])).await?;
    let wanted = canonical_beside(conn, &snapshot, &live).await?;
    Ok(diff(&live, &wanted, &plain())?)
}
