//! Tests on a cluster of Citus: the database of each test is on all of its servers, and its large
//! tables are distributed.

use std::env;

use lookback::{Log, Model as _, RequestSnapshot, maintenance};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

/// The URL of a database of the coordinator that has Citus and knows its workers.
const URL: &str = "LOOKBACK_TEST_CITUS_URL";

/// The shards of each table of a test.
const SHARDS: u32 = 4;

/// The URL of the coordinator, if tests run on a cluster.
pub(crate) fn coordinator() -> Option<&'static str> {
    static FOUND: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    FOUND.get_or_init(|| env::var(URL).ok()).as_deref()
}

/// Returns whether the tests run on a cluster of Citus.
pub fn is_cluster() -> bool {
    coordinator().is_some()
}

/// A server of the cluster.
struct Node {
    host: String,
    port: i32,
}

impl Node {
    /// The URL of a database of this server.
    fn url(&self, database: &str) -> String {
        let coordinator = coordinator().expect("a cluster");
        let (coordinator, query) = coordinator.split_once('?').unwrap_or((coordinator, ""));
        let (before, _) = coordinator.rsplit_once('@').expect("a URL with a role");
        format!("{before}@{}:{}/{database}?{query}", self.host, self.port)
    }
}

async fn nodes() -> Vec<Node> {
    let coordinator = coordinator().expect("a cluster");
    let mut conn = PgConnection::connect(coordinator).await.expect("Citus");
    // The coordinator first.
    let rows = conn
        .fetch_all("SELECT nodename, nodeport FROM pg_dist_node ORDER BY groupid")
        .await
        .expect("a coordinator that knows its workers");
    let node = |row: &sqlx::postgres::PgRow| Node {
        host: row.get(0),
        port: row.get(1),
    };
    let nodes: Vec<Node> = rows.iter().map(node).collect();
    conn.close().await.expect("the connection is closed");
    assert!(nodes.len() > 1, "the cluster needs workers");
    nodes
}

/// Runs a statement on each server, in its own database.
async fn on_each(sql: &str) {
    for node in nodes().await {
        let mut conn = PgConnection::connect(&node.url("postgres"))
            .await
            .expect("a server of the cluster");
        // Citus would create databases on the others by itself.
        let _unknown = conn
            .execute("SET citus.enable_create_database_propagation = off")
            .await;
        if let Err(error) = conn.execute(AssertSqlSafe(sql.to_owned())).await {
            panic!("{sql}: {error}");
        }
        conn.close().await.expect("the connection is closed");
    }
}

/// Creates a database on each server, as a copy of a template; without one, an empty database of
/// the coordinator alone.
pub(crate) async fn create(admin: &mut PgConnection, name: &str, template: Option<&str>) {
    let Some(template) = template else {
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
        admin
            .execute(AssertSqlSafe(sql))
            .await
            .expect("an empty database");
        return;
    };
    on_each(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
}

pub(crate) async fn drop(name: &str) {
    on_each(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
}

/// Creates the same database on the workers, and Citus on each server.
pub(crate) async fn add_citus(name: &str) {
    let nodes = nodes().await;
    for node in &nodes[1..] {
        let mut conn = PgConnection::connect(&node.url("postgres"))
            .await
            .expect("a worker");
        for sql in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} TEMPLATE template0"),
        ] {
            conn.execute(AssertSqlSafe(sql)).await.expect("a database");
        }
        conn.close().await.expect("the connection is closed");
    }
    for node in &nodes {
        let mut conn = PgConnection::connect(&node.url(name))
            .await
            .expect("a database");
        for sql in [
            "CREATE EXTENSION citus",
            "SET citus.enable_ddl_propagation = off",
            "CREATE EXTENSION vector",
        ] {
            conn.execute(sql).await.expect("the extensions");
        }
        conn.close().await.expect("the connection is closed");
    }
    let (first, workers) = nodes.split_first().expect("a coordinator");
    let mut conn = PgConnection::connect(&first.url(name))
        .await
        .expect("a database");
    let mut add = vec![format!(
        "SELECT citus_set_coordinator_host('{}', {})",
        first.host, first.port
    )];
    add.extend(
        workers
            .iter()
            .map(|node| format!("SELECT citus_add_node('{}', {})", node.host, node.port)),
    );
    for sql in add {
        conn.execute(AssertSqlSafe(sql))
            .await
            .expect("the servers know each other");
    }
    conn.close().await.expect("the connection is closed");
}

/// Distributes the tables of a migrated database that becomes a template.
pub(crate) async fn make_template(name: &str) {
    let nodes = nodes().await;
    let mut conn = PgConnection::connect(&nodes[0].url(name))
        .await
        .expect("a database");
    for table in [Log::TABLE, RequestSnapshot::TABLE] {
        maintenance::distribute(&mut conn, table, SHARDS)
            .await
            .expect("distributed tables");
    }
    conn.close().await.expect("the connection is closed");
    // A template has no connections, nor a daemon of Citus.
    on_each(&format!(
        "ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
    ))
    .await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
    on_each(&format!("{end}'{name}'")).await;
}
