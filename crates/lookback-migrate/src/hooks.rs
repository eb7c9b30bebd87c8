//! Work around the files of a set of migrations.

use std::fmt;
use std::pin::Pin;

use sqlx::PgConnection;

/// Any error of a hook.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The future that a hook returns: `Box::pin(async move { … })`.
pub type HookFuture<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// Work around the files of a set of migrations, such as creating an extension.
///
/// Each function does nothing by default. A run ends with the first one that
/// fails, and [`Error::into_hook`](crate::Error::into_hook) gives its
/// error back. [`Migrations::with_hooks`](crate::Migrations::with_hooks) adds
/// them to a set; only [`apply`](crate::apply()) calls them.
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

    /// Runs under the lock, once the files are known to be applicable.
    fn before_files<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        let _ = conn;
        Box::pin(async { Ok(()) })
    }

    /// Runs under the lock, after the last pending file.
    fn after_files<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        let _ = conn;
        Box::pin(async { Ok(()) })
    }
}

/// The hooks of migrations that need none.
#[derive(Debug)]
pub(crate) struct NoHooks;

impl Hooks for NoHooks {}
