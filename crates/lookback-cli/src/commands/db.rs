//! `lookback db`, for any models.

use std::time::Duration;

use lookback::migrate::{self, ApplyOptions, Event, Folder, MigrationState, Migrations, Models};
use lookback_schema::Schema;
use serde_json::json;
use sqlx::PgConnection;

use crate::args::{DbCommand, FilesArgs, WaitArgs};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading};
use crate::privileges;

mod baseline;
mod check;
mod decisions;
mod generate;
mod pull;
mod push;
mod rebase;
pub(crate) mod reembed;

pub(crate) use decisions::flags_for;

/// The application that the tables belong to.
pub(crate) struct Application {
    pub(crate) models: Models,
    /// The default migrations.
    pub(crate) migrations: fn() -> Result<Migrations, migrate::Error>,
    /// Whether it is Lookback itself, whose tables no folder of another application gets.
    pub(crate) is_lookback: bool,
}

impl Application {
    /// Lookback itself, with its built-in migrations.
    pub(crate) fn lookback() -> Self {
        Self {
            models: Models::lookback(),
            migrations: || Ok(migrate::built_in_migrations()),
            is_lookback: true,
        }
    }

    /// Rejects a folder with migrations of other tables, if this is Lookback itself.
    ///
    /// A folder without a schema snapshot is one of other tables if `or_new` is true.
    fn check_folder(&self, folder: &Folder, models: &Schema, or_new: bool) -> Result<(), Failure> {
        // Only this program stops while it writes its own folder.
        if !self.is_lookback || folder.is_half_written()? {
            return Ok(());
        }
        let is_own = match folder.snapshots()?.last() {
            Some(newest) => {
                let tables = newest.schema.tables.keys();
                let shared = tables
                    .filter(|name| models.tables.contains_key(name))
                    .count();
                2 * shared >= models.tables.len()
            }
            None => !or_new,
        };
        if is_own {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "{} does not contain Lookback's own migrations, and this program has no other models",
            folder.path().display()
        ))
        .hint(
            "the models of an application have a program of their own, which calls \
             lookback_cli::db(models): docs/guide/migrations.md. Here, db generate --empty NAME \
             writes an empty file, and db migrate --dir applies files",
        ))
    }
}

pub(crate) async fn run(
    config: &Config,
    application: &Application,
    command: DbCommand,
) -> Result<(), Failure> {
    let chosen = |files: &FilesArgs| {
        let migrations = match &files.dir {
            Some(dir) => Migrations::folder(dir)?,
            None => (application.migrations)()?,
        };
        Ok::<_, Failure>(match &files.table {
            Some(table) => migrations.in_table(table.clone()),
            None => migrations,
        })
    };
    let models = || application.models.to_schema();
    match command {
        DbCommand::Generate {
            name,
            reversible,
            empty,
            version,
            rebase,
            decisions,
            folder,
        } => {
            let folder = Folder::new(folder.dir);
            if let Some(Err(error)) = name.as_deref().map(migrate::check_name) {
                return Err(Failure::from(error).into_usage());
            }
            match name {
                Some(name) if empty => generate::empty(&folder, &name, version),
                name => {
                    let how = generate::How {
                        name,
                        reversible,
                        version,
                        decisions: &decisions,
                        search: application.models.search_columns(),
                    };
                    let models = models()?;
                    application.check_folder(&folder, &models, true)?;
                    if rebase.rebase {
                        rebase::run(&folder, &models, &rebase, how)
                    } else {
                        generate::run(&folder, &models, how)
                    }
                }
            }
        }
        DbCommand::Push {
            explain,
            yes,
            allow_data_loss,
            decisions,
            folder,
        } => {
            push::refuse_production()?;
            let models = models()?;
            let folder = Folder::new(folder.dir);
            application.check_folder(&folder, &models, false)?;
            let mut conn = database::connect(config).await?;
            let how = push::How {
                explain,
                yes,
                allow_data_loss,
            };
            push::run(&mut conn, &folder, &models, &decisions, &how).await
        }
        DbCommand::Pull { schema, out } => {
            let mut conn = database::connect(config).await?;
            pull::run(&mut conn, schema, out.as_deref()).await
        }
        DbCommand::Reembed => {
            let mut conn = database::connect(config).await?;
            reembed::run(&mut conn, &application.models).await
        }
        DbCommand::Baseline {
            wait,
            folder,
            table,
        } => {
            let (mut conn, options) = connect(config, wait).await?;
            baseline::run(&mut conn, &Folder::new(folder.dir), table, &options).await
        }
        DbCommand::Check {
            offline,
            folder,
            table,
        } => {
            let (folder, models) = (Folder::new(folder.dir), models()?);
            application.check_folder(&folder, &models, false)?;
            check::models(&folder, &models)?;
            if offline {
                return Ok(());
            }
            let mut conn = database::connect(config).await?;
            let needs: &[privileges::Required] = match table {
                None => &[("_sqlx_migrations", privileges::READ)],
                Some(_) => &[],
            };
            match check::database(&folder, table, &mut conn).await {
                Err(failure) => Err(privileges::explain(config, failure, needs).await),
                Ok(()) => Ok(()),
            }
        }
        DbCommand::Migrate {
            dry_run,
            wait,
            files,
        } => {
            let migrations = chosen(&files)?;
            let (mut conn, options) = connect(config, wait).await?;
            if dry_run {
                print_pending(&mut conn, &migrations).await
            } else {
                migrate(&mut conn, &migrations, &options).await
            }
        }
        DbCommand::Status { json, files } => {
            let migrations = chosen(&files)?;
            let mut conn = database::connect(config).await?;
            status(&mut conn, &migrations, json).await
        }
        DbCommand::Revert { wait, files } => {
            let migrations = chosen(&files)?;
            let (mut conn, options) = connect(config, wait).await?;
            revert(&mut conn, &migrations, &options).await
        }
    }
}

async fn connect(config: &Config, wait: WaitArgs) -> Result<(PgConnection, ApplyOptions), Failure> {
    let (conn, connected_to) = database::connect_to(config).await?;
    let mut options = ApplyOptions::default();
    options.lock_timeout = Duration::from_secs(wait.lock_timeout);
    options.connected_to = Some(connected_to);
    Ok((conn, options))
}

/// Applies the pending migrations.
pub(crate) async fn migrate(
    conn: &mut PgConnection,
    migrations: &Migrations,
    options: &ApplyOptions,
) -> Result<(), Failure> {
    let applied = interruptible(migrate::apply(conn, migrations, options, &mut say)).await?;
    if applied.is_empty() {
        output::note("nothing to apply: the database is up to date");
    }
    Ok(())
}

/// Prints the SQL of the pending migrations.
pub(crate) async fn print_pending(
    conn: &mut PgConnection,
    migrations: &Migrations,
) -> Result<(), Failure> {
    let status = migrate::status(conn, migrations).await?;
    let pending = migrate::pending(conn, migrations).await?;
    for file in &pending {
        let up = file.up();
        output::line(&format!("-- {}", up.name()))?;
        let state = status.iter().find(|m| m.version == file.version());
        if let Some(MigrationState::Partial { done }) = state.map(|m| m.state) {
            output::line(&format!(
                "-- (took effect already: statements up to number {done})"
            ))?;
        }
        output::line(up.sql().trim_end())?;
        output::line("")?;
    }
    if pending.is_empty() {
        output::note("nothing to apply: the database is up to date");
    }
    Ok(())
}

/// Shows the state of each migration.
pub(crate) async fn status(
    conn: &mut PgConnection,
    migrations: &Migrations,
    json: bool,
) -> Result<(), Failure> {
    let all = migrate::status(conn, migrations).await?;
    if json {
        let data: Vec<_> = all
            .iter()
            .map(|m| {
                json!({
                    "version": m.version,
                    "description": m.description,
                    "file": m.file,
                    "state": m.state.name(),
                    "applied_at": m.applied_at,
                })
            })
            .collect();
        return output::json(&json!({ "data": data }));
    }
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .map(|m| {
            let state = Cell::new(m.state.name());
            vec![
                Cell::new(m.version.to_string()),
                match m.state {
                    MigrationState::Applied | MigrationState::Pending => state,
                    _ => state.style(output::YELLOW),
                },
                Cell::new(&*m.description),
            ]
        })
        .collect();
    output::table(
        &["VERSION", "STATE", "DESCRIPTION"].map(Heading::new),
        &rows,
    )?;
    Ok(())
}

/// Reverts the newest migration.
pub(crate) async fn revert(
    conn: &mut PgConnection,
    migrations: &Migrations,
    options: &ApplyOptions,
) -> Result<(), Failure> {
    let reverted = interruptible(migrate::revert(conn, migrations, options, &mut say)).await?;
    if reverted.is_none() {
        output::note("nothing to revert: no migration is applied");
    }
    Ok(())
}

fn say(event: Event) {
    if event.is_warning() {
        output::warning(&event.to_string());
    } else {
        output::note(&event.to_string());
    }
}

/// Stops the work on Ctrl-C.
///
/// The connection is closed, which rolls back an open transaction.
async fn interruptible<T>(
    work: impl Future<Output = Result<T, migrate::Error>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done?),
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted("interrupted")
            .hint("every file is applied or rolled back, and the next run resumes one without \
                   transaction: db status")),
    }
}
