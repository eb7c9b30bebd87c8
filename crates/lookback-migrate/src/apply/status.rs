//! The status of migrations: applied, pending, or mismatched.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::history::{Direction, HistoryRecord, HistoryTable};
use crate::error::{Error, HistoryError};
use crate::files::{MigrationFile, Migrations};

/// A migration and its state in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The number at the start of its file name.
    pub version: i64,
    /// The words of its file name.
    pub description: String,
    /// The name of its file; `None` if it is missing.
    pub file: Option<String>,
    /// The state in the database.
    pub state: MigrationState,
    /// When it was applied.
    pub applied_at: Option<DateTime<Utc>>,
}

/// The state of a migration in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationState {
    /// Applied, with an unchanged file.
    Applied,
    /// Not applied.
    Pending,
    /// Applied, and its file was changed afterwards.
    Edited,
    /// Applied, and its file is missing.
    Missing,
    /// Partly applied: a file without a transaction was stopped.
    Partial {
        /// The number of its statements that certainly took effect.
        done: usize,
    },
    /// Partly reverted: a `.down.sql` without a transaction was stopped.
    PartlyReverted {
        /// The number of statements of the `.down.sql` that certainly took
        /// effect.
        done: usize,
    },
}

impl MigrationState {
    /// The state in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Edited => "edited",
            Self::Missing => "missing",
            Self::Partial { .. } => "partial",
            Self::PartlyReverted { .. } => "reverting",
        }
    }
}

impl Migration {
    /// Whether it is applied and its file is unchanged.
    pub fn is_applied(&self) -> bool {
        self.state == MigrationState::Applied
    }
}

/// Lists all migrations that have a file or are applied, by version.
///
/// # Errors
///
/// Those of the database.
pub async fn status(
    conn: &mut PgConnection,
    migrations: &Migrations,
) -> Result<Vec<Migration>, Error> {
    let records = match HistoryTable::find(conn, migrations.table()).await? {
        Some(table) => table.records(conn).await?,
        None => Vec::new(),
    };
    Ok(compare(migrations, &records))
}

/// Lists the files to apply, in order.
///
/// # Errors
///
/// As for [`apply`](crate::apply()): an applied file was changed or is missing;
/// and those of the database.
pub async fn pending<'m>(
    conn: &mut PgConnection,
    migrations: &'m Migrations,
) -> Result<Vec<&'m MigrationFile>, Error> {
    let found = status(conn, migrations).await?;
    check(&found)?;
    Ok(to_apply(migrations, &found))
}

pub(super) fn to_apply<'m>(
    migrations: &'m Migrations,
    found: &[Migration],
) -> Vec<&'m MigrationFile> {
    let wanted = |m: &&Migration| {
        matches!(
            m.state,
            MigrationState::Pending | MigrationState::Partial { .. }
        )
    };
    let versions = found.iter().filter(wanted);
    versions.filter_map(|m| migrations.get(m.version)).collect()
}

pub(super) fn compare(migrations: &Migrations, records: &[HistoryRecord]) -> Vec<Migration> {
    let mut all: BTreeMap<i64, Migration> = BTreeMap::new();
    for file in migrations.files() {
        let migration = Migration {
            version: file.version(),
            description: file.description().to_owned(),
            file: Some(file.up().name().to_owned()),
            state: MigrationState::Pending,
            applied_at: None,
        };
        all.insert(file.version(), migration);
    }
    for record in records {
        let file = migrations.get(record.version);
        let state = match (record.progress, file) {
            (_, None) => MigrationState::Missing,
            (Some(progress), Some(_)) => {
                let done = progress.done;
                match progress.direction {
                    Direction::Up => MigrationState::Partial { done },
                    Direction::Down => MigrationState::PartlyReverted { done },
                }
            }
            (None, Some(file)) if file.up().checksum() == record.checksum => {
                MigrationState::Applied
            }
            (None, Some(_)) => MigrationState::Edited,
        };
        let entry = all.entry(record.version).or_insert_with(|| Migration {
            version: record.version,
            description: record.description.clone(),
            file: None,
            state,
            applied_at: None,
        });
        entry.state = state;
        entry.applied_at = Some(record.applied_at);
    }
    all.into_values().collect()
}

/// Checks that the applied migrations match the files.
pub(super) fn check(found: &[Migration]) -> Result<(), Error> {
    for migration in found {
        let file = migration.file.clone().unwrap_or_default();
        let error = match migration.state {
            MigrationState::Applied | MigrationState::Pending | MigrationState::Partial { .. } => {
                continue;
            }
            MigrationState::Edited => HistoryError::Edited { file },
            MigrationState::Missing => HistoryError::Missing {
                version: migration.version,
                description: migration.description.clone(),
                reverting: false,
            },
            MigrationState::PartlyReverted { .. } => HistoryError::PartlyReverted { file },
        };
        return Err(error.into());
    }
    Ok(())
}
