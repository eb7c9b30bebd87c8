//! Migrations of Lookback's models, and of any other models of an application.
//!
//! The functions come from the crate `lookback-migrate`, which an application
//! without Lookback can use by itself. This module adds Lookback's models and
//! the migrations of its own tables.
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

use lookback_schema::Schema;
use sqlx::PgConnection;

use crate::embedding::DIMENSIONS;
use crate::error::ErrorKind;
use crate::maintenance;
use crate::search::index::rollups;

mod built_in;
mod literal;
mod models;
mod reembed;

pub use built_in::{MIGRATOR, built_in_migrations};
pub use lookback_migrate::{
    ApplyOptions, Baseline, BoxError, DEFAULT_LOCK_TIMEOUT, Error, Event, EventSink, Folder,
    GenerateOptions, Generated, Holder, HookFuture, Hooks, Introspection, Migration, MigrationFile,
    MigrationState, Migrations, PullOptions, Rebase, Remedy, RustCode, Scope, Script,
    StatementError, apply, baseline, can_canonicalize, canonical, check_data_loss, check_database,
    check_models, check_name, comparable_schemas, generate, generate_empty, introspect,
    objects_losing_data, pending, push, read, revert, similar_tables, status,
};
pub use models::Models;
pub use reembed::{Reembedded, reembed};

/// Applies the pending [`built_in_migrations`] and returns them, in order.
///
/// # Errors
///
/// Those of [`apply`]; [`is_setup`](crate::Error::is_setup) if the server lacks
/// pgvector, or the role may not create it.
pub async fn run(
    conn: &mut PgConnection,
    lock_timeout: Duration,
) -> Result<Vec<Migration>, crate::Error> {
    let mut options = ApplyOptions::default();
    options.lock_timeout = lock_timeout;
    Ok(apply(conn, &built_in_migrations(), &options, &mut |_| {}).await?)
}

/// Reads a database and generates models for it, as [`rust_code`] does.
///
/// The notes name everything in these schemas that models cannot express, such
/// as views and functions, and schemas with tables that were not read. The
/// database is not changed.
///
/// # Errors
///
/// Those of [`read`]; [`Error::is_schema`] if a schema of `scope` does not
/// exist.
pub async fn pull(conn: &mut PgConnection, scope: &Scope) -> Result<RustCode, Error> {
    lookback_migrate::pull(conn, scope, &pull_options()).await
}

/// Generates a Rust module from a schema.
///
/// It has a `#[model]` for each table, an enum for each enum type, and `fn
/// models() -> Models` with all models. If a table has the five common columns
/// exactly as every model has them, its model can be read and written. Any
/// other model is `schema_only`. A note, and a comment in the module, name
/// everything that a model cannot express.
///
/// ```
/// use lookback::migrate::{Models, rust_code};
///
/// let schema = Models::lookback().to_schema()?;
/// let code = rust_code(&schema);
/// assert!(code.text.contains("pub struct RequestSnapshot {"));
/// assert!(code.notes.is_empty());
/// # Ok::<(), lookback::Error>(())
/// ```
pub fn rust_code(schema: &Schema) -> RustCode {
    lookback_migrate::rust_code(schema, &pull_options())
}

/// The conventions of Lookback's models.
fn pull_options() -> PullOptions {
    let mut options = PullOptions::default();
    options.dimensions = DIMENSIONS;
    options.is_precreated = maintenance::is_managed_name;
    options.creates = rollups::is_created_name;
    options
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let error = match error.into_driver() {
            Ok(source) => return source.into(),
            Err(error) => error,
        };
        match error.into_hook() {
            Ok(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(source) => ErrorKind::Migration(Error::from_hook(source)).into(),
            },
            Err(error) => ErrorKind::Migration(error).into(),
        }
    }
}
