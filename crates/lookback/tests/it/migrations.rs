//! Applying migrations, and its errors.

use std::time::Duration;

use lookback::migrate::{self, DEFAULT_LOCK_TIMEOUT, Migrations, built_in_migrations};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

#[tokio::test]
async fn concurrent_runs_apply_each_migration_once() {
    let db = testkit::empty_database().await;
    let run = async || {
        let mut conn = PgConnection::connect(&db.url).await.unwrap();
        migrate::run(&mut conn, DEFAULT_LOCK_TIMEOUT)
            .await
            .unwrap()
            .len()
    };
    let (a, b, c) = tokio::join!(run(), run(), run());
    assert_eq!(a + b + c, migrate::MIGRATOR.iter().count());
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let status = migrate::status(&mut conn, &built_in_migrations())
        .await
        .unwrap();
    assert!(status.iter().all(lookback::migrate::Migration::is_applied));
    lookback::setup::check_encoder(&mut conn).await.unwrap();
}

#[tokio::test]
async fn run_with_held_migration_lock_names_holder() {
    let db = testkit::empty_database().await;
    let mut holder = PgConnection::connect(&db.url).await.unwrap();
    let lock = "SELECT pg_advisory_lock(hashtextextended('lookback migrate ' || current_schema(), 0)) AS mine";
    holder.execute(lock).await.unwrap();
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let error = migrate::run(&mut conn, Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(error.migration().unwrap().is_locked());
    let remedy = error.remedy().unwrap().to_string();
    assert!(remedy.contains("AS mine"), "{remedy}");
    drop(holder);
    migrate::run(&mut conn, DEFAULT_LOCK_TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn run_without_privilege_to_create_pgvector_gives_sql() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let database: String = sqlx::query("SELECT current_database()::text AS name")
        .fetch_one(&mut conn)
        .await
        .unwrap()
        .get("name");
    let role = format!("{database}_app");
    conn.execute(AssertSqlSafe(format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'app'; GRANT ALL ON SCHEMA public TO {role}; \
         UPDATE pg_extension SET extname = extname WHERE FALSE"
    )))
    .await
    .unwrap();
    conn.execute(AssertSqlSafe(format!("SET ROLE {role}")))
        .await
        .unwrap();
    let error = migrate::run(&mut conn, DEFAULT_LOCK_TIMEOUT)
        .await
        .unwrap_err();
    assert!(error.is_setup(), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the role \"{role}\" may not create the extension pgvector")
    );
    let hint = error.remedy().unwrap().to_string();
    assert!(
        hint.contains("CREATE EXTENSION vector;") && hint.contains(&database),
        "{hint}"
    );

    // A role with the privilege runs the SQL; then the first role can migrate.
    conn.execute("RESET ROLE").await.unwrap();
    conn.execute("CREATE EXTENSION vector").await.unwrap();
    conn.execute(AssertSqlSafe(format!("SET ROLE {role}")))
        .await
        .unwrap();
    migrate::run(&mut conn, DEFAULT_LOCK_TIMEOUT).await.unwrap();
    conn.execute("RESET ROLE").await.unwrap();
    conn.execute(AssertSqlSafe(format!(
        "DROP OWNED BY {role} CASCADE; DROP ROLE {role}"
    )))
    .await
    .unwrap();
}

#[tokio::test]
async fn check_encoder_of_another_version_is_an_error() {
    let db = testkit::database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    lookback::setup::check_encoder(&mut conn).await.unwrap();
    conn.execute("UPDATE settings SET value = '0' WHERE name = 'encoder_version'")
        .await
        .unwrap();
    let error = lookback::setup::check_encoder(&mut conn).await.unwrap_err();
    assert!(error.is_setup());
    assert!(error.to_string().contains("encoder 0"), "{error}");
}

#[tokio::test]
async fn run_with_changed_checksum_names_the_migration() {
    let db = testkit::database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute("UPDATE _sqlx_migrations SET checksum = '\\x00'")
        .await
        .unwrap();
    let error = migrate::run(&mut conn, DEFAULT_LOCK_TIMEOUT)
        .await
        .unwrap_err();
    assert!(error.is_migration());
    assert!(error.to_string().contains("20261123000000"), "{error}");
}

/// A dropped run leaves its lock on the connection; the next run there releases both.
#[tokio::test]
async fn run_releases_locks_left_by_dropped_run() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let lock =
        "SELECT pg_advisory_lock(hashtextextended('lookback migrate ' || current_schema(), 0))";
    conn.execute(lock).await.unwrap();
    conn.execute(lock).await.unwrap();
    migrate::run(&mut conn, DEFAULT_LOCK_TIMEOUT).await.unwrap();
    let held: i64 = sqlx::query("SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        .fetch_one(&mut conn)
        .await
        .unwrap()
        .get("held");
    assert_eq!(held, 0);
    // The shortest and the longest lock timeout.
    migrate::run(&mut conn, Duration::ZERO).await.unwrap();
    migrate::run(&mut conn, Duration::MAX).await.unwrap();
}

#[test]
fn built_in_migrations_equal_files_in_folder() {
    let folder = Migrations::folder(std::path::Path::new("migrations")).unwrap();
    let embedded = built_in_migrations();
    let shown = |migrations: &Migrations| -> Vec<String> {
        let files = migrations.files().iter();
        files
            .map(|file| format!("{} {} {:?}", file.version(), file.description(), file.up()))
            .collect()
    };
    assert!(!embedded.files().is_empty());
    assert_eq!(shown(&embedded), shown(&folder));
}
