//! The built-in migrations, with their hooks: pgvector, the encoder version, the first
//! partitions and the triggers of roll-ups.

use std::sync::LazyLock;

use lookback_migrate::{HookFuture, Hooks, Migrations};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{PgConnection, Row as _, SqlSafeStr as _};

use crate::error::{Error, Remedy};
use crate::maintenance;
use crate::model::Model as _;
use crate::setup::{CREATE_PGVECTOR, check_server, record_encoder, recorded_encoder};
use crate::tables::{Log, RequestSnapshot};

/// The version, the description and the SQL of each file. See `build.rs`.
const FILES: &[(i64, &str, &str)] = &include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The built-in migrations, as a migrator of sqlx.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let files = FILES.iter().map(|(version, description, sql)| {
        let no_transaction = sql.starts_with("-- no-transaction");
        Migration::new(
            *version,
            (*description).into(),
            MigrationType::Simple,
            (*sql).into_sql_str(),
            no_transaction,
        )
    });
    let mut migrator = Migrator::with_migrations(files.collect());
    migrator.set_locking(false);
    migrator
});

/// Returns the built-in migrations: those of Lookback's own tables.
pub fn built_in_migrations() -> Migrations {
    Migrations::embedded(&MIGRATOR).with_hooks(BuiltIn)
}

#[derive(Debug)]
struct BuiltIn;

impl Hooks for BuiltIn {
    fn before_lock<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        Box::pin(async move { Ok(check_server(conn).await?) })
    }

    fn before_files<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        Box::pin(async move { Ok(create_extension(conn).await?) })
    }

    fn after_files<'a>(&'a self, conn: &'a mut PgConnection) -> HookFuture<'a> {
        Box::pin(async move {
            record_missing_encoder(conn).await?;
            for table in [Log::TABLE, RequestSnapshot::TABLE] {
                maintenance::create_first_partitions(conn, table).await?;
                if table.rollup.is_some() {
                    maintenance::create_missing_trigger(conn, table).await?;
                }
            }
            Ok(())
        })
    }
}

/// Creates pgvector, or returns the SQL for a superuser.
async fn create_extension(conn: &mut PgConnection) -> Result<(), Error> {
    let created = sqlx::query("CREATE EXTENSION IF NOT EXISTS vector")
        .execute(&mut *conn)
        .await;
    let Err(error) = created.map_err(Error::from) else {
        return Ok(());
    };
    if !error.is_permission_denied() {
        return Err(error);
    }
    let row =
        sqlx::query("SELECT current_user::text AS role, current_database()::text AS database")
            .fetch_one(conn)
            .await?;
    let role: String = row.try_get("role")?;
    Err(Error::setup(
        format!("the role \"{role}\" may not create the extension pgvector"),
        Remedy::RunAsSuperuser {
            database: row.try_get("database")?,
            statement: CREATE_PGVECTOR,
        },
    ))
}

/// Records the encoder version in a database that has none yet.
async fn record_missing_encoder(conn: &mut PgConnection) -> Result<(), Error> {
    if recorded_encoder(conn).await?.is_none() {
        record_encoder(conn).await?;
    }
    Ok(())
}
