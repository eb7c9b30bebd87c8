//! `lookback db`

use std::time::Duration;

use lookback::migrate;
use serde_json::json;

use crate::args::DbCommand;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell};

pub(crate) async fn run(config: &Config, command: DbCommand) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    match command {
        DbCommand::Migrate { lock_timeout } => {
            let applied = migrate::run(&mut conn, Duration::from_secs(lock_timeout)).await?;
            for migration in &applied {
                output::note(&format!(
                    "applied {} {}",
                    migration.version, migration.description
                ));
            }
            if applied.is_empty() {
                output::note("nothing to apply: the database is up to date");
            }
        }
        DbCommand::Status { json } => {
            let migrations = migrate::status(&mut conn).await?;
            if json {
                let data: Vec<_> = migrations
                    .iter()
                    .map(|m| json!({"version": m.version, "description": m.description, "applied": m.applied}))
                    .collect();
                return output::json(&json!({ "data": data }));
            }
            let rows: Vec<Vec<Cell>> = migrations
                .iter()
                .map(|migration| {
                    let state = if migration.applied {
                        "applied"
                    } else {
                        "pending"
                    };
                    vec![
                        Cell::new(migration.version.to_string()),
                        Cell::new(state),
                        Cell::new(&*migration.description),
                    ]
                })
                .collect();
            output::table(&["VERSION", "STATE", "DESCRIPTION"], &rows, &[])?;
        }
    }
    Ok(())
}
