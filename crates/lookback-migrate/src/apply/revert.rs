//! Reverts the newest migration.

use sqlx::PgConnection;

use super::history::Direction;
use super::statements;
use super::status::{self, Migration, MigrationState};
use super::{ApplyOptions, Run};
use crate::error::{Error, HistoryError};
use crate::event::{Event, EventSink};
use crate::files::Migrations;

/// Reverts the newest applied migration with its `.down.sql`, and returns it.
///
/// Returns `None` if no migration is applied.
///
/// # Errors
///
/// As for [`apply`](crate::apply()), and [`Error::is_history`] if the migration
/// has no file that reverts it.
pub async fn revert(
    conn: &mut PgConnection,
    migrations: &Migrations,
    options: &ApplyOptions,
    on_event: EventSink<'_>,
) -> Result<Option<Migration>, Error> {
    let mut run = Run::start(conn, migrations, options, on_event).await?;
    let result = run.revert(migrations).await;
    run.end(result).await
}

impl Run<'_> {
    async fn revert(&mut self, migrations: &Migrations) -> Result<Option<Migration>, Error> {
        let records = self.table.records(self.conn).await?;
        let mut found = status::compare(migrations, &records);
        found.retain(|migration| migration.state != MigrationState::Pending);
        let Some(mut migration) = found.pop() else {
            return Ok(None);
        };
        let version = migration.version;
        let Some(file) = migrations.get(version) else {
            return Err(HistoryError::Missing {
                version,
                description: migration.description,
                reverting: true,
            }
            .into());
        };
        let name = || file.up().name().to_owned();
        if matches!(migration.state, MigrationState::Partial { .. }) {
            return Err(HistoryError::PartlyApplied { file: name() }.into());
        }
        let Some(down) = file.down() else {
            return Err(HistoryError::NotReversible { file: name() }.into());
        };
        let steps = statements::read(down)?;
        // The file that describes the state of the database after a failure.
        self.newest = Some(file.up().name().to_owned());
        (self.events)(Event::Applying {
            file: down.name().to_owned(),
        });
        let record = records.iter().find(|record| record.version == version);
        let time = if down.no_transaction() {
            self.step_by_step(file, down, &steps, Direction::Down, record)
                .await?
        } else {
            self.in_transaction(file, down, &steps, Direction::Down)
                .await?
        };
        (self.events)(Event::Reverted {
            file: down.name().to_owned(),
            time,
        });
        migration.state = MigrationState::Pending;
        migration.applied_at = None;
        Ok(Some(migration))
    }
}
