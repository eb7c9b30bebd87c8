//! Records migrations as applied, for a database that already has their tables.

use std::time::Duration;

use lookback_schema::Plan;
use sqlx::{Connection as _, PgConnection};

use super::status::{Migration, MigrationState, check, compare, to_apply};
use super::{ApplyOptions, Run};
use crate::check::check_database;
use crate::error::{Error, FolderError, HistoryError};
use crate::event::EventSink;
use crate::files::{Folder, Migrations};

/// The outcome of [`baseline`].
#[derive(Clone, Debug)]
pub enum Baseline {
    /// The migrations that are now recorded as applied, in order.
    Recorded(Vec<Migration>),
    /// The database differs from the migrations; this plan would change it.
    Differs(Plan),
}

/// Records the pending migrations of a folder as applied, without running them.
///
/// The database must match the newest schema snapshot of the folder. Nothing
/// else is changed. The effects of handwritten files are not checked.
///
/// The migrations are recorded in `table`, by default in sqlx's table.
///
/// # Errors
///
/// [`Error::is_folder`] if the folder has no snapshot; those of
/// [`apply`](crate::apply()) and [`check_database`].
pub async fn baseline(
    conn: &mut PgConnection,
    folder: &Folder,
    table: Option<String>,
    options: &ApplyOptions,
    on_event: EventSink<'_>,
) -> Result<Baseline, Error> {
    if folder.newest()?.is_none() {
        let folder = folder.path().to_owned();
        return Err(FolderError::NoSnapshot { folder }.into());
    }
    let mut migrations = Migrations::folder(folder.path())?;
    if let Some(table) = table {
        migrations = migrations.in_table(table);
    }
    let mut run = Run::start(conn, &migrations, options, on_event).await?;
    let result = record(&mut run, folder, &migrations).await;
    run.end(result).await
}

async fn record(
    run: &mut Run<'_>,
    folder: &Folder,
    migrations: &Migrations,
) -> Result<Baseline, Error> {
    let plan = check_database(folder, run.conn).await?;
    if !plan.is_empty() {
        return Ok(Baseline::Differs(plan));
    }
    let records = run.table.records(run.conn).await?;
    let found = compare(migrations, &records);
    check(&found)?;
    if let Some(partial) = found
        .iter()
        .find(|m| matches!(m.state, MigrationState::Partial { .. }))
    {
        let file = partial.file.clone().unwrap_or_default();
        return Err(HistoryError::PartlyApplied { file }.into());
    }
    let mut recorded = Vec::new();
    let mut transaction = run.conn.begin().await?;
    for file in to_apply(migrations, &found) {
        run.table
            .insert(&mut transaction, file, Duration::ZERO)
            .await?;
        recorded.push(Migration {
            version: file.version(),
            description: file.description().to_owned(),
            file: Some(file.up().name().to_owned()),
            state: MigrationState::Applied,
            applied_at: None,
        });
    }
    transaction.commit().await?;
    Ok(Baseline::Recorded(recorded))
}
