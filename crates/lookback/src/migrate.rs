//! The migrations of the models, and applying them.
//!
//! The files are plain SQL for sqlx's migrator and its table, so that
//! `sqlx migrate run` and `sqlx::migrate!` work on the same folder. Its own
//! lock is off: a blocking advisory lock and `CREATE INDEX CONCURRENTLY` wait
//! for each other for ever. Here a lock is polled instead, with a deadline,
//! and whoever holds it is named.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::{PgConnection, Row as _};

use crate::embedding::ENCODER_VERSION;
use crate::error::Error;
use crate::models::{NewSetting, Setting};
use crate::setup::{ENCODER_SETTING, check_server};

mod canonical;
mod check;
mod folder;
mod generate;
mod introspect;
mod push;
mod rolled_back;

pub use canonical::canonical;
pub use check::{check_database, check_models};
pub use folder::Folder;
pub use generate::{GenerateOptions, Generated, generate, generate_empty};
pub use introspect::{Live, Scope, introspect, read};
pub use push::{data_lost_by, difference, push};

/// The migrations of the models of Lookback.
pub static MIGRATOR: Migrator = {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.locking = false;
    migrator
};

/// How long [`run`] waits for another process that is migrating.
pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// A migration, and whether it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The number at the start of its file name.
    pub version: i64,
    /// The words of its file name.
    pub description: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Applies what is pending and returns it, in order.
///
/// One process at a time: the others wait up to `lock_timeout` and then find
/// nothing to do.
///
/// # Errors
///
/// [`Error::is_setup`] if the server lacks pgvector or the right to create it
/// is missing, if a file was changed after it was applied, or if a migration
/// failed; [`Error::is_timeout`] never: a lock that is not free in time is
/// [`Error::is_setup`] too, naming its holder.
///
/// # Cancellation
///
/// Dropped before it is done, it leaves the lock with the connection: close
/// it, or run again on it.
pub async fn run(conn: &mut PgConnection, lock_timeout: Duration) -> Result<Vec<Migration>, Error> {
    check_server(conn).await?;
    lock(conn, lock_timeout).await?;
    let result = run_locked(conn).await;
    // The lock goes with the connection at the latest; the first error is the one to tell.
    let unlocked = sqlx::query(UNLOCK).execute(conn).await;
    let applied = result?;
    unlocked?;
    Ok(applied)
}

async fn run_locked(conn: &mut PgConnection) -> Result<Vec<Migration>, Error> {
    let pending: Vec<Migration> = status(conn)
        .await?
        .into_iter()
        .filter(|migration| !migration.applied)
        .collect();
    create_extension(conn).await?;
    MIGRATOR
        .run_direct(None, conn, false)
        .await
        .map_err(migrate_error)?;
    record_encoder(conn).await?;
    Ok(pending
        .into_iter()
        .map(|migration| Migration {
            applied: true,
            ..migration
        })
        .collect())
}

/// Every migration of this version of Lookback, in order.
///
/// # Errors
///
/// Those of the database.
pub async fn status(conn: &mut PgConnection) -> Result<Vec<Migration>, Error> {
    let exists: bool = sqlx::query("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS there")
        .fetch_one(&mut *conn)
        .await?
        .try_get("there")?;
    let applied: Vec<i64> = if exists {
        conn.list_applied_migrations("_sqlx_migrations")
            .await
            .map_err(migrate_error)?
            .into_iter()
            .map(|applied| applied.version)
            .collect()
    } else {
        Vec::new()
    };
    Ok(MIGRATOR
        .iter()
        .map(|migration| Migration {
            version: migration.version,
            description: migration.description.to_string(),
            applied: applied.contains(&migration.version),
        })
        .collect())
}

/// One key for each database (advisory locks are of a database) and schema.
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('lookback migrate ' || current_schema(), 0)) AS got";
const UNLOCK: &str =
    "SELECT pg_advisory_unlock(hashtextextended('lookback migrate ' || current_schema(), 0))";
/// Lets go of the lock once, if this session holds it; a row if it did.
const UNLOCK_OWN: &str = "SELECT pg_advisory_unlock(hashtextextended('lookback migrate ' || current_schema(), 0)) \
     FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND (classid::bigint << 32 | objid::bigint) \
       = hashtextextended('lookback migrate ' || current_schema(), 0)";
const HOLDER: &str = "SELECT activity.pid, coalesce(activity.application_name, '') AS program, \
     coalesce(activity.query, '') AS query, activity.query_start::text AS since \
     FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid) \
     WHERE held.locktype = 'advisory' AND held.granted \
     AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND (held.classid::bigint << 32 | held.objid::bigint) \
       = hashtextextended('lookback migrate ' || current_schema(), 0)";

async fn lock(conn: &mut PgConnection, timeout: Duration) -> Result<(), Error> {
    const PAUSE: Duration = Duration::from_millis(100);
    let deadline = Instant::now().checked_add(timeout);
    // Locks of a session count: one that a dropped run left would stay behind this one.
    while sqlx::query(UNLOCK_OWN)
        .fetch_optional(&mut *conn)
        .await?
        .is_some()
    {}
    loop {
        let row = sqlx::query(LOCK).fetch_one(&mut *conn).await?;
        if row.try_get("got")? {
            return Ok(());
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let holder = match sqlx::query(HOLDER).fetch_optional(conn).await? {
        Some(row) => format!(
            "process {} of the server ({}), since {}: {}",
            row.try_get::<i32, _>("pid")?,
            row.try_get::<String, _>("program")?,
            row.try_get::<Option<String>, _>("since")?
                .unwrap_or_default(),
            row.try_get::<String, _>("query")?,
        ),
        None => "it was let go just now".to_owned(),
    };
    Err(Error::Setup {
        problem: format!(
            "another process is migrating this database: no lock within {} s",
            timeout.as_secs()
        ),
        hint: format!("it is held by {holder}"),
    })
}

/// Creates pgvector, or says who has to.
async fn create_extension(conn: &mut PgConnection) -> Result<(), Error> {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    match sqlx::query("CREATE EXTENSION IF NOT EXISTS vector")
        .execute(&mut *conn)
        .await
    {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(refusal))
            if refusal.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) =>
        {
            let row = sqlx::query(
                "SELECT current_user::text AS role, current_database()::text AS database",
            )
            .fetch_one(conn)
            .await?;
            let role: String = row.try_get("role")?;
            let database: String = row.try_get("database")?;
            Err(Error::Setup {
                problem: format!("the role \"{role}\" may not create the extension pgvector"),
                hint: format!(
                    "have a superuser (on a hosted PostgreSQL, its administrator) run, in the \
                     database \"{database}\":\n    CREATE EXTENSION vector;"
                ),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Records which encoder makes the vectors, in a database that has none yet.
async fn record_encoder(conn: &mut PgConnection) -> Result<(), Error> {
    let recorded = Setting::records()
        .filter(Setting::name().eq(ENCODER_SETTING))
        .count(&mut *conn)
        .await?;
    if recorded.value() == 0 {
        let setting = NewSetting::new(ENCODER_SETTING, ENCODER_VERSION.to_string());
        Setting::records().create(conn, setting).await?;
    }
    Ok(())
}

fn migrate_error(error: MigrateError) -> Error {
    let hint = match &error {
        MigrateError::VersionMismatch(_) => {
            "its file is not the one that was applied; put the file back as it was, and write \
             another migration for the change"
        }
        MigrateError::VersionMissing(_) => {
            "the database was migrated by a newer version of Lookback; use that one"
        }
        _ => "the migration was rolled back; the database is as it was before it",
    };
    Error::Setup {
        problem: match &error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                format!("{error}: {source}")
            }
            _ => error.to_string(),
        },
        hint: hint.to_owned(),
    }
}
