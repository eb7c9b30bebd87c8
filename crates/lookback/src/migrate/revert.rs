//! Undoing the newest migration.

use sqlx::PgConnection;

use super::Tell;
use super::apply::{ApplyOptions, Run};
use super::event::Event;
use super::history::Direction;
use super::migrations::Migrations;
use super::script;
use super::status::{self, Migration, State};
use crate::error::Error;

/// Undoes the newest migration that is applied, by its `.down.sql`, and
/// returns it; `None` if none is applied.
///
/// # Errors
///
/// As [`apply`](super::apply), and [`Error::is_setup`] if the migration has no
/// file that undoes it.
pub async fn revert(
    conn: &mut PgConnection,
    migrations: &Migrations,
    options: &ApplyOptions,
    on_event: Tell<'_>,
) -> Result<Option<Migration>, Error> {
    let mut run = Run::start(conn, migrations, options, on_event).await?;
    let result = run.revert(migrations).await;
    run.end(result).await
}

impl Run<'_> {
    async fn revert(&mut self, migrations: &Migrations) -> Result<Option<Migration>, Error> {
        let records = self.table.records(self.conn).await?;
        let mut found = status::compare(migrations, &records);
        found.retain(|migration| migration.state != State::Pending);
        let Some(mut migration) = found.pop() else {
            return Ok(None);
        };
        let (version, description) = (migration.version, &migration.description);
        let refusal = |problem: String, hint: &str| {
            Err(Error::Setup {
                problem,
                hint: hint.to_owned(),
            })
        };
        let Some(file) = migrations.get(version) else {
            return refusal(
                format!("the migration {version} ({description}) is applied, and has no file"),
                "revert it with the program or the folder that applied it",
            );
        };
        if matches!(migration.state, State::Partial { .. }) {
            return refusal(
                format!("{} is applied in part", file.up().name()),
                "finish it first: db migrate",
            );
        }
        let Some(down) = file.down() else {
            return refusal(
                format!("{} has no file that undoes it", file.up().name()),
                "write a migration that changes it back; only <version>_<description>.up.sql \
                 with its .down.sql can be reverted",
            );
        };
        let steps = script::read(down)?;
        // What a failure leaves the database as.
        self.newest = Some(file.up().name().to_owned());
        (self.tell)(Event::Applying {
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
        (self.tell)(Event::Reverted {
            file: down.name().to_owned(),
            time,
        });
        migration.state = State::Pending;
        migration.applied_at = None;
        Ok(Some(migration))
    }
}
