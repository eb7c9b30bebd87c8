//! A migration that is killed at any time is finished by the next run.
//!
//! Either the program or the server is killed; the database is as if nothing had
//! happened.

// The seed of a failed run has to be known.
#![expect(clippy::print_stderr, reason = "the counts are shown with the test")]

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lookback_embedded::RunningServer;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use testkit::KillableServer;
use testkit::sample::Random;

const FILES: &[(&str, &str)] = &[
    (
        "1_shop.sql",
        "CREATE TABLE orders AS SELECT n AS id, 'state ' || n % 7 AS state FROM generate_series(1, 30000) AS n;
         CREATE INDEX old ON orders (state);
         CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE
           AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN n; END $$;",
    ),
    (
        "2_slow.sql",
        "CREATE TABLE slow AS SELECT 1 AS id;
         SELECT pg_sleep(0.03);
         ALTER TABLE orders ADD COLUMN n int DEFAULT 7;
         SELECT pg_sleep(0.03);",
    ),
    (
        "3_unique.sql",
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY orders_id ON orders (id);",
    ),
    // A line of the log twice, or not at all, would be seen.
    (
        "4_many.sql",
        "-- no-transaction
CREATE TABLE log (line int);
INSERT INTO log VALUES (1);
CREATE INDEX CONCURRENTLY orders_state ON orders (state);
INSERT INTO log VALUES (2);
BEGIN;
INSERT INTO log VALUES (3);
SELECT pg_sleep(0.02);
INSERT INTO log VALUES (4);
COMMIT;
DROP INDEX CONCURRENTLY old;
INSERT INTO log VALUES (5);
DO $$ BEGIN PERFORM pg_sleep(0.01); INSERT INTO log VALUES (6); COMMIT; PERFORM pg_sleep(0.01); END $$;
INSERT INTO log VALUES (7);
VACUUM log;
REINDEX INDEX CONCURRENTLY orders_state;
INSERT INTO log VALUES (8);
",
    ),
    (
        "5_data.sql",
        "UPDATE orders SET state = 'other' WHERE id % 3 = 0;
         ALTER TABLE orders ALTER COLUMN state SET NOT NULL;",
    ),
    (
        "6_partial.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY orders_lower ON orders (slowly(id), state DESC) WHERE id > 29920;",
    ),
];

/// Reads all objects of the files, and the record of the files.
const STATE: &str = "
    SELECT concat_ws(' ', 'recorded', version, description, success, execution_time > 0, encode(checksum, 'hex')) AS line
      FROM _sqlx_migrations
    UNION ALL SELECT concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisready, indislive)
      FROM pg_index JOIN pg_class ON oid = indrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', relname, relkind, attname, atttypid::regtype, attnotnull)
      FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
      WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'orders', count(*), sum(hashtext(orders::text))) FROM orders
    UNION ALL SELECT concat_ws(' ', 'slow', count(*)) FROM slow
    UNION ALL SELECT concat_ws(' ', 'log', string_agg(line::text, ',' ORDER BY line)) FROM log
    ORDER BY line";

/// The source of the random moments of the kills.
struct Chance {
    random: Random,
    /// The time of an undisturbed run.
    span: Duration,
}

impl Chance {
    fn new(span: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = match std::env::var("LOOKBACK_TEST_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => u64::from(now.subsec_nanos()),
        };
        eprintln!(
            "LOOKBACK_TEST_SEED={seed}, a run takes {} ms",
            span.as_millis()
        );
        let random = Random::new(seed);
        Self { random, span }
    }

    async fn wait(&mut self) {
        let most = u64::try_from(self.span.as_micros()).unwrap();
        let moment = self.random.below(most + most / 8);
        tokio::time::sleep(Duration::from_micros(moment)).await;
    }
}

/// Returns `few`, or a share of PROPTEST_CASES if that is set.
fn rounds(few: u64, share: u64) -> u64 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse::<u64>().ok());
    cases.map_or(few, |cases| (cases / share).max(few))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, sql) in FILES {
        std::fs::write(folder.path().join(name), sql).unwrap();
    }
    folder
}

fn migrate(url: &str, folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookback"));
    command
        .args(["db", "migrate", "--dir"])
        .arg(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

async fn lines(url: &str, sql: &str) -> Vec<String> {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .fetch_all(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Finishes the migrations by the next run, or after the step that its hint names.
async fn finish(url: &str, folder: &tempfile::TempDir, counts: &mut Counts) {
    for _ in 0..3 {
        let output = migrate(url, folder).output().unwrap();
        let err = err(&output);
        counts.resumed += err.matches("resuming ").count();
        counts.dropped += err.matches("dropped the INVALID").count();
        counts.existing += err.matches("already exists, valid").count();
        counts.waited += usize::from(err.contains("waiting for process"));
        if output.status.success() {
            return;
        }
        assert!(err.contains("whether it took effect is unknown"), "{err}");
        counts.in_doubt += 1;
        let happened = lines(url, "SELECT line::text FROM log WHERE line = 6").await;
        let ways: Vec<&str> = err
            .lines()
            .filter(|line| line.trim_start().starts_with("UPDATE"))
            .collect();
        let way = ways[usize::from(happened.is_empty())];
        lines(url, way).await;
    }
    panic!("the migrations are never finished");
}

/// Counts of the states that the kills met, printed to show that they met some.
#[derive(Debug, Default)]
struct Counts {
    kills: usize,
    resumed: usize,
    dropped: usize,
    existing: usize,
    waited: usize,
    in_doubt: usize,
}

#[tokio::test]
async fn killed_migrate_is_finished_by_next_run() {
    let folder = folder();
    let db = testkit::empty_database().await;
    let begun = Instant::now();
    assert!(migrate(&db.url, &folder).status().unwrap().success());
    let mut chance = Chance::new(begun.elapsed());
    let expected = lines(&db.url, STATE).await;
    assert!(
        expected.contains(&"log 1,2,3,4,5,6,7,8".to_owned()),
        "{expected:#?}"
    );

    let mut counts = Counts::default();
    for _ in 0..rounds(8, 50) {
        let db = testkit::empty_database().await;
        for _ in 0..=chance.random.below(3) {
            let mut child = migrate(&db.url, &folder).spawn().unwrap();
            chance.wait().await;
            child.kill().unwrap();
            child.wait().unwrap();
            counts.kills += 1;
        }
        finish(&db.url, &folder, &mut counts).await;
        assert_eq!(lines(&db.url, STATE).await, expected);
    }
    eprintln!("{counts:?}");
}

#[tokio::test]
async fn migrate_with_killed_server_is_finished_by_next_run() {
    let folder = folder();
    let own = KillableServer::new();
    let mut running = own.start();
    let create = async |running: &RunningServer, name: &str| {
        lines(&running.url(), &format!("CREATE DATABASE {name}")).await;
        running.database_url(name)
    };
    let url = create(&running, "undisturbed").await;
    let begun = Instant::now();
    assert!(migrate(&url, &folder).status().unwrap().success());
    let mut chance = Chance::new(begun.elapsed());
    let expected = lines(&url, STATE).await;

    let mut counts = Counts::default();
    for round in 0..rounds(4, 200) {
        let name = format!("round_{round}");
        let url = create(&running, &name).await;
        let child = migrate(&url, &folder).spawn().unwrap();
        chance.wait().await;
        testkit::kill(&running);
        counts.kills += 1;
        // The program ends by itself: with an error, or because it was done before.
        let output = child.wait_with_output().unwrap();
        let err = err(&output);
        assert!(output.status.success() || err.contains("error: "), "{err}");

        running = own.start();
        let url = running.database_url(&name);
        finish(&url, &folder, &mut counts).await;
        assert_eq!(lines(&url, STATE).await, expected);
    }
    eprintln!("{counts:?}");
}
