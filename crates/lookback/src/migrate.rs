//! The migrations of the models, those of any other application, and applying
//! them.
//!
//! The files are plain SQL for sqlx's migrator and its table, so that
//! `sqlx migrate run` and `sqlx::migrate!` work on the same folder. Its own
//! lock is not taken: a blocking advisory lock and `CREATE INDEX CONCURRENTLY`
//! wait for each other for ever. Here a lock is polled instead, with a
//! deadline, and whoever holds it is named.
//!
//! ```no_run
//! use std::path::Path;
//! use lookback::migrate::{self, ApplyOptions, Migrations};
//! # async fn example(conn: &mut sqlx::PgConnection) -> Result<(), lookback::Error> {
//! let migrations = Migrations::folder(Path::new("migrations"))?;
//! let options = ApplyOptions::default();
//! migrate::apply(conn, &migrations, &options, &mut |event| eprintln!("{event}")).await?;
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, SqlSafeStr};

use crate::error::Error;

mod apply;
mod event;
mod failure;
mod history;
mod index;
mod journal;
mod lock;
mod migrations;
mod own;
mod revert;
mod script;
mod status;
mod steps;

pub use apply::{ApplyOptions, apply};
pub use event::{Event, Holder};
pub use failure::Failure;
pub use migrations::{MigrationFile, Migrations, Script};
pub use revert::revert;
pub use status::{Migration, State, pending, status};

mod baseline;
mod canonical;
mod check;
mod folder;
mod generate;
mod introspect;
mod pull;
mod push;
mod rebase;
mod reembed;
mod rolled_back;

pub use baseline::{Baseline, baseline};
pub use canonical::{can_print, canonical};
pub use check::{check_database, check_models};
pub use folder::Folder;
pub use generate::{GenerateOptions, Generated, check_name, generate, generate_empty};
pub use introspect::{Live, Scope, introspect, read};
pub use pull::{RustCode, pull, rust_code};
pub use push::{both, check_data_loss, data_lost_by, lookalikes, push};
pub use rebase::Rebase;
pub use reembed::{Reembedded, reembed};

mod literal;
mod models;

pub use models::Models;

/// The migrations of the models of Lookback.
pub static MIGRATOR: Migrator = {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.locking = false;
    migrator
};

/// How long [`run`] waits for another process that is migrating.
pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Whoever looks on.
type Tell<'a> = &'a mut (dyn FnMut(Event) + Send);

/// Applies what is pending of Lookback's own tables and returns it, in order:
/// [`apply`] with [`Migrations::lookback`], and nobody to look on.
///
/// # Errors
///
/// Those of [`apply`], and [`Error::is_setup`] if the server lacks pgvector or
/// the right to create it is missing.
pub async fn run(conn: &mut PgConnection, lock_timeout: Duration) -> Result<Vec<Migration>, Error> {
    let options = ApplyOptions {
        lock_timeout,
        ..ApplyOptions::default()
    };
    apply(conn, &Migrations::lookback(), &options, &mut |_| {}).await
}

/// A query that leaves no prepared statement: a migration may discard them, and
/// a pooler loses them.
fn query(sql: impl SqlSafeStr) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

fn migrate_error(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(source) => source.into(),
        error => Error::Driver(sqlx::Error::Migrate(Box::new(error))),
    }
}
