//! Migrations for PostgreSQL: generated from a schema, reviewed as SQL, applied under a lock.
//!
//! The files are plain SQL for sqlx's migrator and its table, so that `sqlx migrate run` and
//! `sqlx::migrate!` work on the same folder. This crate does not use sqlx's migration lock: a
//! blocking advisory lock and `CREATE INDEX CONCURRENTLY` deadlock. It polls a lock of its own
//! until a deadline and reports the session that holds it.
//!
//! ```no_run
//! use std::path::Path;
//! use lookback_migrate::{ApplyOptions, Migrations};
//! # async fn example(conn: &mut sqlx::PgConnection) -> Result<(), lookback_migrate::Error> {
//! let migrations = Migrations::folder(Path::new("migrations"))?;
//! let options = ApplyOptions::default();
//! lookback_migrate::apply(conn, &migrations, &options, &mut |event| eprintln!("{event}")).await?;
//! # Ok(())
//! # }
//! ```

mod apply;
mod canonical;
mod check;
mod column_users;
mod error;
mod event;
mod files;
mod from_row;
mod generate;
mod hooks;
mod introspect;
mod pull;
mod push;
mod rebase;
mod scratch_transaction;
mod session_settings;
mod sqlstate;

pub use apply::{
    ApplyOptions, Baseline, DEFAULT_LOCK_TIMEOUT, Migration, MigrationState, apply, baseline,
    pending, revert, status,
};
pub use canonical::{can_canonicalize, canonical};
pub use check::{check_database, check_models};
pub use error::{Error, Remedy, StatementError};
pub use event::{Event, EventSink, Holder};
pub use files::{Folder, MigrationFile, Migrations, Script};
pub use generate::{GenerateOptions, Generated, check_name, generate, generate_empty};
pub use hooks::{BoxError, HookFuture, Hooks};
pub use introspect::{Introspection, Scope, introspect, read};
pub use pull::{PullOptions, RustCode, pull, rust_code};
pub use push::{check_data_loss, comparable_schemas, objects_losing_data, push, similar_tables};
pub use rebase::Rebase;
