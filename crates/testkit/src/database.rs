//! A database for each test.

use std::env;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use lookback::embedding::ENCODER_VERSION;
use lookback_embedded::{
    EphemeralOptions, Installation, InstallationFinder, Layout, Server, ignore_events, is_root,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};

use crate::cluster;

/// A database for one test, dropped when the test passes.
///
/// If the test fails, the database is kept for as long as the server runs.
pub struct Database {
    /// A pool of connections to it.
    pub pool: PgPool,
    /// Its URL.
    pub url: String,
    name: String,
}

/// The time without a test after which the server stops.
const IDLE: Duration = Duration::from_secs(60);

/// The longest wait for a new database or a server; only failures take that long.
const PATIENCE: Duration = Duration::from_secs(600);

/// The prefixes of database names; for tests, the server's time follows.
const TEST: &str = "test_";
const TEMPLATE: &str = "template_lookback_";

/// What migrations create beside their files: another value gives another template.
const FIRST_PARTITIONS: &str = "three partitions of each partitioned table";

/// SQLSTATEs of a server without free connections, and of a template in use.
const TOO_MANY_CONNECTIONS: &str = "53300";
const IN_USE: &str = "55006";

/// Creates a database with the tables of Lookback.
///
/// # Panics
///
/// If no PostgreSQL can be found or started.
pub async fn database() -> Database {
    create(Some(&template().await)).await
}

/// Creates a database with the tables of Lookback, whose partitioned tables have only their default
/// partitions, as if they were filled before maintenance ran.
///
/// # Panics
///
/// If no PostgreSQL can be found or started.
pub async fn database_without_ranges() -> Database {
    let db = database().await;
    for table in ["logs", "request_snapshots"] {
        db.drop_ranges(table).await;
    }
    db
}

/// Creates an empty database.
///
/// # Panics
///
/// If no PostgreSQL can be found or started.
pub async fn empty_database() -> Database {
    create(None).await
}

/// Returns the URL of the server's own database, for example to create roles.
///
/// # Panics
///
/// If no PostgreSQL can be found or started.
pub fn server_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        if let Some(coordinator) = cluster::coordinator() {
            return coordinator.to_owned();
        }
        env::var("LOOKBACK_TEST_DATABASE_URL").unwrap_or_else(|_| {
            let url = start_server();
            keep_running(&url);
            url
        })
    })
}

/// Returns the folder of the tests' PostgreSQL programs, and their version.
///
/// This is the pinned version, fetched if necessary, or the version in the folder
/// `LOOKBACK_PG_BIN`.
///
/// # Panics
///
/// If no PostgreSQL can be found or started.
pub fn installation() -> (PathBuf, String) {
    let found = find_installation();
    (found.bin().to_owned(), found.version().to_string())
}

pub(crate) fn find_installation() -> Installation {
    if let Some(dir) = env::var_os("LOOKBACK_PG_BIN") {
        return Installation::open(Path::new(&dir)).expect("a PostgreSQL with pgvector");
    }
    let layout = Layout::standard(|name| env::var_os(name), is_root())
        .expect("a place for the private PostgreSQL");
    // The same version on every machine.
    let path = env::var_os("PATH").unwrap_or_default();
    let search = InstallationFinder::new(layout.installations(), path).include_system(false);
    let say = |event: &lookback_embedded::Event| eprintln!("{event}");
    search.find(&say).expect("a PostgreSQL with pgvector")
}

fn start_server() -> String {
    let options = EphemeralOptions::default().idle_timeout(IDLE);
    // The server has no TLS, even if `PGSSLMODE` requires it.
    Server::new(server_folder())
        .ephemeral(options)
        .timeout(PATIENCE)
        .start(&find_installation(), &ignore_events)
        .expect("a running PostgreSQL")
        .url()
        + "?sslmode=disable"
}

/// Keeps a connection open for the life of this process.
///
/// The server stops after a while without connections, for example during a test that only
/// compiles.
fn keep_running(url: &str) {
    let url = url.to_owned();
    let (connected, wait) = mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(async {
                let conn = PgConnection::connect(&url).await;
                let _ = connected.send(());
                let _conn = conn.expect("a connection to the test server");
                std::future::pending::<()>().await;
            });
    });
    let _ = wait.recv();
}

/// Returns the base folder of the server, one for each user, checkout and PostgreSQL.
///
/// It is in the folder for temporary files. The user that runs PostgreSQL for root can enter that
/// folder.
fn server_folder() -> PathBuf {
    let key = key_of(&(
        env!("CARGO_MANIFEST_DIR"),
        nix::unistd::geteuid().as_raw(),
        env::var_os("LOOKBACK_PG_BIN"),
    ));
    env::temp_dir().join(format!("lookback-test-{key}"))
}

/// Hashes a value to a short name, the same in every process of a build.
fn key_of(value: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Connects to the server's own database; waits while all connections are in use.
async fn admin() -> PgConnection {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match PgConnection::connect(server_url()).await {
            Ok(conn) => return conn,
            Err(error) if has_code(&error, TOO_MANY_CONNECTIONS) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("a connection to the test server: {error}"),
        }
    }
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some(code))
}

/// Returns the name of the template database, which is migrated once and then copied.
async fn template() -> String {
    static NAME: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    NAME.get_or_init(|| async {
        // The name is a hash of its contents: other migrations or another encoder give another
        // template.
        let checksums: Vec<_> = lookback::migrate::MIGRATOR
            .iter()
            .map(|migration| &migration.checksum)
            .collect();
        let name = format!(
            "{TEMPLATE}{}",
            key_of(&(
                checksums,
                ENCODER_VERSION,
                FIRST_PARTITIONS,
                cluster::coordinator()
            ))
        );
        let mut admin = admin().await;
        // One process creates it, the others wait.
        admin
            .execute("SELECT pg_advisory_lock(7235001)")
            .await
            .expect("the lock of the template");
        reap(&mut admin).await;
        let ready: bool = sqlx::query(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate) AS ready",
        )
        .bind(&name)
        .fetch_one(&mut admin)
        .await
        .and_then(|row| row.try_get("ready"))
        .expect("a look at the databases");
        if !ready {
            // A killed process may have left an incomplete template behind.
            drop_database(&mut admin, &name).await;
            create_database(&mut admin, &name, None).await;
            if cluster::is_cluster() {
                cluster::add_citus(&name).await;
            }
            let mut conn = PgConnection::connect(&url_of(&name))
                .await
                .expect("a connection to the template");
            lookback::migrate::run(&mut conn, Duration::from_secs(60))
                .await
                .expect("the migrations");
            conn.close().await.expect("the template is closed");
            if cluster::is_cluster() {
                cluster::make_template(&name).await;
            } else {
                run(
                    &mut admin,
                    format!("ALTER DATABASE {name} IS_TEMPLATE true"),
                )
                .await;
            }
        }
        admin.close().await.expect("the lock is let go");
        name
    })
    .await
    .clone()
}

/// Drops old unused databases that killed and failed tests left behind.
async fn reap(admin: &mut PgConnection) {
    const OLD: i64 = 60 * 60;
    let now = now(admin).await;
    let rows = sqlx::query(
        "SELECT datname::text AS name FROM pg_database AS d WHERE datname LIKE 'test\\_%' \
         AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datid = d.oid)",
    )
    .fetch_all(&mut *admin)
    .await
    .expect("a look at the databases");
    for row in rows {
        let name: String = row.try_get("name").expect("a name");
        let made = name
            .strip_prefix(TEST)
            .and_then(|rest| rest.split('_').next())
            .and_then(|time| time.parse::<i64>().ok());
        if made.is_none_or(|made| made + OLD < now) {
            // Without `FORCE`: another process may have connected in the meantime.
            let _ = admin
                .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}")))
                .await;
        }
    }
}

async fn create(template: Option<&str>) -> Database {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let mut admin = admin().await;
    let name = format!(
        "{TEST}{}_{}_{}",
        now(&mut admin).await,
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    );
    create_database(&mut admin, &name, template).await;
    admin.close().await.expect("the connection is closed");
    let url = url_of(&name);
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(PATIENCE)
        .connect_with(PgConnectOptions::from_str(&url).expect("a URL"))
        .await
        .expect("a connection to the database of the test");
    Database { pool, url, name }
}

async fn create_database(admin: &mut PgConnection, name: &str, template: Option<&str>) {
    if cluster::is_cluster() {
        return cluster::create(admin, name, template).await;
    }
    // template0 never has connections.
    let template = template.unwrap_or("template0");
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        match admin.execute(AssertSqlSafe(sql.clone())).await {
            Ok(_) => return,
            // An autovacuum is connected to the template.
            Err(error) if has_code(&error, IN_USE) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }
}

async fn drop_database(admin: &mut PgConnection, name: &str) {
    if cluster::is_cluster() {
        return cluster::drop(name).await;
    }
    run(
        admin,
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await;
}

async fn run(conn: &mut PgConnection, sql: String) {
    if let Err(error) = conn.execute(AssertSqlSafe(sql.clone())).await {
        panic!("{sql}: {error}");
    }
}

fn url_of(name: &str) -> String {
    let (server, query) = match server_url().split_once('?') {
        Some((server, query)) => (server, format!("?{query}")),
        None => (server_url(), String::new()),
    };
    let (before, _) = server.rsplit_once('/').expect("a URL with a database");
    format!("{before}/{name}{query}")
}

/// Returns the server's time in seconds, because the clocks of clients may differ.
async fn now(admin: &mut PgConnection) -> i64 {
    sqlx::query("SELECT extract(epoch FROM clock_timestamp())::bigint AS now")
        .fetch_one(admin)
        .await
        .and_then(|row| row.try_get("now"))
        .expect("the time")
}

impl Database {
    /// Drops all partitions of an empty table, except the default one.
    ///
    /// # Panics
    ///
    /// If the database cannot be reached.
    pub async fn drop_ranges(&self, table: &str) {
        let rows = sqlx::query(
            "SELECT i.inhrelid::regclass::text AS name FROM pg_inherits AS i \
             JOIN pg_class AS c ON c.oid = i.inhrelid \
             WHERE i.inhparent = $1::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'",
        )
        .bind(table)
        .fetch_all(&self.pool)
        .await
        .expect("the partitions");
        for row in rows {
            let name: String = row.get("name");
            let sql = format!("DROP TABLE {name}");
            sqlx::query(AssertSqlSafe(sql))
                .execute(&self.pool)
                .await
                .expect("a partition is dropped");
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.name).finish()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the database of this test is kept for a minute: {}",
                self.url
            );
            return;
        }
        let name = self.name.clone();
        // A new runtime, because the test's runtime may be shutting down.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async {
                    let mut admin = admin().await;
                    drop_database(&mut admin, &name).await;
                });
        });
        if dropped.join().is_err() {
            eprintln!("the database {} could not be dropped", self.name);
        }
    }
}
