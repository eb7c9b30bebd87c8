//! Hooks that run before and after the files of a set of migrations.

use std::fmt;
use std::pin::Pin;

use sqlx::PgConnection;

/// Any error of a hook.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The future that a hook returns: `Box::pin(async move { … })`.
pub type HookFuture<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// Hooks of a set of migrations, for example to create an extension.
///
/// By default, each function does nothing. A run ends with the first hook that fails;
/// [`Error::into_hook`](crate::Error::into_hook) returns its error.
/// [`Migrations::with_hooks`](crate::Migrations::with_hooks) adds hooks to a set. Only
/// [`apply`](crate::apply()) calls them.
///
/// ```
/// use lookback_migrate::{HookFuture, Hooks};
/// use sqlx::{Executor as _, PgConnection};
///
/// #[derive(Debug)]
/// struct CreateExtension;
///
/// impl Hooks for CreateExtension {
///     fn before_files<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
///         Box::pin(async move {
///             conn.execute("CREATE EXTENSION IF NOT EXISTS citext").await?;
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait Hooks: fmt::Debug + Send + Sync {
    /// Runs before the migration lock is taken, even if nothing is pending.
    fn before_lock<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        let _ = conn;
        Box::pin(async { Ok(()) })
    }

    /// Runs under the lock, after the files are checked.
    fn before_files<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        let _ = conn;
        Box::pin(async { Ok(()) })
    }

    /// Runs under the lock, after the last pending file was applied.
    fn after_files<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        let _ = conn;
        Box::pin(async { Ok(()) })
    }
}

/// The hooks of a set of migrations without any.
#[derive(Debug)]
pub(crate) struct NoHooks;

impl Hooks for NoHooks {}
