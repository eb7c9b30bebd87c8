//! What is applied, what is not, and what does not fit.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::history::{Direction, HistoryRecord, HistoryTable};
use crate::error::{Error, HistoryError};
use crate::files::{MigrationFile, Migrations};

/// A migration, and what the database has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The number at the start of its file name.
    pub version: i64,
    /// The words of its file name.
    pub description: String,
    /// The name of its file; `None` if it is missing.
    pub file: Option<String>,
    /// What the database has of it.
    pub state: MigrationState,
    /// When it was applied.
    pub applied_at: Option<DateTime<Utc>>,
}

/// What the database has of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationState {
    /// All of it.
    Applied,
    /// Nothing.
    Pending,
    /// All of it, and its file was changed afterwards.
    Edited,
    /// All of it, and there is no such file.
    Missing,
    /// A part: the file is run without transaction, and was stopped half-way.
    Partial {
        /// How many of its statements took effect for certain.
        done: usize,
    },
    /// It was being undone by a file without transaction, which was stopped
    /// half-way.
    PartlyReverted {
        /// How many statements of the file that undoes it took effect for certain.
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
    /// Whether all of it is in the database, and its file is as it was.
    pub fn is_applied(&self) -> bool {
        self.state == MigrationState::Applied
    }
}

/// Every migration that is a file or is applied, by version. Changes nothing.
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

/// The files that are to be applied, in order. Changes nothing.
///
/// # Errors
///
/// As [`apply`](crate::apply()) has them: if an applied file was changed or is
/// missing, and those of the database.
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

/// Whether what is applied is what the files say, so that more may be applied.
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
