//! Applying an application's folder of migrations.

mod concurrent;
mod failures;
mod files;
mod history;
mod locks;
mod no_transaction;
mod pooler;
mod revert;
mod sqlx_too;

use std::time::Duration;

use lookback_migrate::{ApplyOptions, Error, Event, Migration, Migrations};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use testkit::Database;

/// An application: a folder of migrations, and a database.
struct Shop {
    folder: tempfile::TempDir,
    db: Database,
    conn: PgConnection,
    options: ApplyOptions,
}

/// The result and the events of a run.
struct Ran<T> {
    result: Result<T, Error>,
    events: Vec<Event>,
}

impl Shop {
    async fn new(files: &[(&str, &str)]) -> Self {
        let db = testkit::empty_database().await;
        let conn = PgConnection::connect(&db.url).await.unwrap();
        let shop = Self {
            folder: tempfile::tempdir().unwrap(),
            db,
            conn,
            options: ApplyOptions::default(),
        };
        for (name, sql) in files {
            shop.write(name, sql);
        }
        shop
    }

    fn write(&self, name: &str, sql: &str) {
        std::fs::write(self.folder.path().join(name), sql).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    fn migrations(&self) -> Migrations {
        Migrations::folder(self.folder.path()).unwrap()
    }

    async fn another(&self) -> PgConnection {
        PgConnection::connect(&self.db.url).await.unwrap()
    }

    async fn migrate(&mut self) -> Ran<Vec<Migration>> {
        self.migrate_with(|_| {}).await
    }

    async fn migrate_with(
        &mut self,
        mut on_event: impl FnMut(&Event) + Send,
    ) -> Ran<Vec<Migration>> {
        let migrations = self.migrations();
        let mut events = Vec::new();
        let mut sink = |event: Event| {
            on_event(&event);
            events.push(event);
        };
        let result =
            lookback_migrate::apply(&mut self.conn, &migrations, &self.options, &mut sink).await;
        Ran { result, events }
    }

    async fn revert(&mut self) -> Ran<Option<Migration>> {
        let migrations = self.migrations();
        let mut events = Vec::new();
        let mut sink = |event| events.push(event);
        let result =
            lookback_migrate::revert(&mut self.conn, &migrations, &self.options, &mut sink).await;
        Ran { result, events }
    }

    /// The states of the migrations, as lines.
    async fn status(&mut self) -> String {
        let migrations = self.migrations();
        let all = lookback_migrate::status(&mut self.conn, &migrations)
            .await
            .unwrap();
        let lines = all.iter().map(|m| format!("{} {:?}", m.version, m.state));
        lines.collect::<Vec<_>>().join("\n")
    }

    async fn run(&mut self, sql: &str) {
        run(&mut self.conn, sql).await;
    }

    /// The first column of a query, as lines.
    async fn lines(&mut self, sql: &str) -> String {
        lines(&mut self.conn, sql).await
    }

    /// Version, description and success of the recorded migrations; their checksums are
    /// compared with the files.
    async fn records(&mut self) -> String {
        let records = "SELECT concat_ws(' ', version, description, success, \
                       CASE WHEN success THEN execution_time > 0 ELSE execution_time < 0 END) \
                       FROM _sqlx_migrations ORDER BY version";
        self.lines(records).await
    }
}

impl<T: std::fmt::Debug> Ran<T> {
    #[track_caller]
    fn ok(self) -> T {
        self.result.unwrap()
    }

    /// The error with its hint, as the program prints them.
    #[track_caller]
    fn error(self) -> String {
        message(&self.result.unwrap_err())
    }

    fn has_event(&self, event: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(event)
    }
}

fn message(error: &Error) -> String {
    let hint = error.remedy().map(|remedy| remedy.to_string());
    format!(
        "error: {error}\nhint: {}",
        hint.as_deref().unwrap_or("(none)")
    )
}

async fn run(conn: &mut PgConnection, sql: &str) {
    conn.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

async fn lines(conn: &mut PgConnection, sql: &str) -> String {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT first::text FROM ({sql}) AS x(first)"
    )))
    .fetch_all(conn)
    .await
    .unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

/// Waits until a query returns this.
async fn until(conn: &mut PgConnection, sql: &str, expected: &str) {
    for _ in 0..3_000 {
        if lines(conn, sql).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {expected}: {sql}");
}
