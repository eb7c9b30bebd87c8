//! `lookback storage`: transcripts of an operator's commands.

use chrono::TimeDelta;
use lookback::maintenance::{PrecreateOptions, cutoff_clock, precreate_partitions};
use lookback::{Level, Log, Metric, Model as _, NewLog, NewMetric};
use serde_json::json;

use crate::support::{self, Lookback, transcript};

/// 140,000 log lines in partitions of 65,536, a second apart, and two windows.
pub(crate) async fn filled() -> Lookback {
    let lookback = Lookback::new().await;
    // Of another size than those that `db migrate` creates.
    lookback.db.as_ref().unwrap().drop_ranges("logs").await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    let mut options = PrecreateOptions::default();
    options.ids_per_partition = 65_536;
    precreate_partitions(pool, Log::TABLE, &options)
        .await
        .unwrap();
    lookback
        .execute(
            "INSERT INTO logs (source, level, message, created_at) \
             SELECT 'API', 'info', 'line ' || n % 50, '2001-01-01T00:00:00Z'::timestamptz + n * interval '1 second' \
             FROM generate_series(1, 140000) AS n",
        )
        .await;
    let minute = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let window = |time: &str| {
        let start = minute(time);
        let end = start + chrono::TimeDelta::minutes(1);
        NewMetric::new(
            start,
            end,
            "GET /",
            1,
            2,
            3,
            lookback::value::ErrorRate::default(),
            4,
        )
        .created_at(start)
    };
    let windows = [
        window("2001-01-01T00:00:00Z"),
        window("2001-01-02T00:00:00Z"),
    ];
    Metric::records().create_many(pool, &windows).await.unwrap();
    lookback
}

/// Masks sizes, which differ between versions of PostgreSQL.
macro_rules! sizes_masked {
    ($ran:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"\d+(\.\d)? (kB|MB)\b *", "[size] "),
            (r"SIZE +INDEXES +SEARCH +", "SIZE  INDEXES  SEARCH  "),
            (r"SIZE +PARTITIONS", "SIZE  PARTITIONS"),
            (r"0 B +", "0 B "),
            (r"\[size\] :", "[size]:"),
            (r"\d+ postings merged into \d+", "[n] postings merged into [n]"),
        ]}, {
            insta::assert_snapshot!($ran.transcript(), @$expected)
        })
    };
}

#[tokio::test]
async fn seal_compact_and_status_print_the_tables() {
    let lookback = filled().await;
    sizes_masked!(lookback.run(&["storage", "status"]), @"
$ lookback storage status
TABLE              RECORDS  SIZE    UNSEALED  PARTITIONS
logs               140,000  [size] 140,000   3 hot
request_snapshots  0        [size] 0         1 hot, 2 precreated
metrics            2        [size] -         -
users              0        [size] -         -
! hint: 4 columns left out to fit 80 columns: --wide shows all
! logs has no pre-created partition: lookback storage seal creates some
");
    sizes_masked!(lookback.run(&["storage", "seal"]), @"
$ lookback storage seal
! logs: 3 partitions created; 8 segments sealed, 131,071 records; 2 partitions frozen; 8,929 ids left, less than a segment
! request_snapshots: nothing to do
");
    sizes_masked!(lookback.run(&["storage", "seal", "logs"]), @"
$ lookback storage seal logs
! logs: nothing to do; 8,929 ids left, less than a segment
");
    sizes_masked!(lookback.run(&["storage", "compact"]), @"
$ lookback storage compact
! logs: 2 partitions, [n] postings merged into [n]
! request_snapshots: no partition is full yet
");
    sizes_masked!(lookback.run(&["storage", "status"]), @"
$ lookback storage status
TABLE              RECORDS   SIZE    UNSEALED  PARTITIONS
logs               ~140,000  [size] 8,929     2 frozen, 1 hot, 3 precreated
request_snapshots  0         [size] 0         1 hot, 2 precreated
metrics            2         [size] -         -
users              0         [size] -         -
! hint: 4 columns left out to fit 80 columns: --wide shows all
");
    let json = lookback
        .run(&["storage", "status", "--json"])
        .succeeded()
        .json();
    let logs = &json["data"][0];
    assert_eq!(logs["rows"], 140_000);
    assert_eq!(logs["rows_are_exact"], false);
    assert_eq!(json["data"][2]["rows_are_exact"], true);
    assert_eq!(logs["partitions"][0]["state"], "frozen");
    assert_eq!(logs["partitions"][0]["to"], 65_536);
    assert_eq!(logs["prune_plan"], json!(null));
    // Both sealed and unsealed records are found as before.
    let found = lookback
        .run(&["logs", "search", "line 7", "--json"])
        .succeeded()
        .json();
    assert_eq!(found["data"][0]["message"], "line 7");
}

#[tokio::test]
async fn prune_deletes_what_its_dry_run_shows() {
    let lookback = filled().await;
    lookback.run(&["storage", "seal"]).succeeded();
    sizes_masked!(lookback.run(&["storage", "prune", "--older-than", "30d", "--dry-run"]), @"
$ lookback storage prune --older-than 30d --dry-run
TABLE              RECORDS  SIZE  PARTITIONS  OLDEST REMAINING
logs               140,000  [size] 2           -
request_snapshots  0        0 B 0           -
metrics            2        0 B 0           -
! dry run: nothing was deleted
");
    let all = "SELECT count(*) FROM logs";
    assert_eq!(lookback.number(all).await, 140_000);
    let preview = lookback
        .run(&[
            "storage",
            "prune",
            "--older-than",
            "30d",
            "--dry-run",
            "--json",
        ])
        .succeeded()
        .json();
    let done = lookback
        .run(&["storage", "prune", "--older-than", "30d", "--json"])
        .succeeded()
        .json();
    assert_eq!(preview["data"], done["data"]);
    assert_eq!(
        done["data"][0]["dropped_partitions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        lookback.number(all).await,
        140_000 - done["data"][0]["deleted_rows"].as_i64().unwrap()
    );
    sizes_masked!(lookback.run(&["storage", "prune", "--older-than", "30d"]), @"
$ lookback storage prune --older-than 30d
TABLE              RECORDS  SIZE  PARTITIONS  OLDEST REMAINING
logs               0        0 B 0           -
request_snapshots  0        0 B 0           -
metrics            0        0 B 0           -
! nothing to delete
");
    sizes_masked!(lookback.run(&["storage", "prune"]), @"
$ lookback storage prune
! error: no retention policy given
! hint: --older-than 30d, --larger-than 50GB or --deleted-older-than 7d, or [retention] in lookback.toml
[exit code 2]
");
    sizes_masked!(lookback.run(&["storage", "prune", "--older-than", "1 month"]), @"
$ lookback storage prune --older-than 1 month
! error: invalid value '1 month' for '--older-than <TIME>': expected a time such as 90m, 12h or 30d, got `1 month`
! 
! For more information, try '--help'.
[exit code 2]
");
    sizes_masked!(lookback.run(&["storage", "prune", "users", "--older-than", "30d"]), @"
$ lookback storage prune users --older-than 30d
! error: --older-than: does not apply to users
! hint: to purge soft-deleted users: --deleted-older-than
[exit code 2]
");
    sizes_masked!(lookback.run(&["storage", "prune", "metrics", "--larger-than", "1GB"]), @"
$ lookback storage prune metrics --larger-than 1GB
! error: --larger-than: applies only to logs and requests
[exit code 2]
");
}

#[tokio::test]
async fn prune_that_deletes_nothing_explains_why() {
    let lookback = Lookback::with(Some(testkit::database_without_ranges().await));
    let pool = &lookback.db.as_ref().unwrap().pool;
    let now = cutoff_clock(&mut pool.acquire().await.unwrap())
        .await
        .unwrap();
    let log = NewLog::new("API", Level::Info, "old").created_at(now - TimeDelta::days(31));
    Log::records()
        .create_many(pool, &[log.clone(), log.clone(), log])
        .await
        .unwrap();
    let ran = lookback.run(&["storage", "prune", "logs", "--older-than", "30d"]);
    assert!(
        ran.err.contains(
            "hint: old records of logs are deleted row by row once one of them is a tenth older"
        ),
        "{}",
        ran.err
    );
    assert!(
        ran.err
            .contains("and is kept as the default partition: lookback storage seal splits it"),
        "{}",
        ran.err
    );
    let call = ["storage", "prune", "logs", "--older-than", "30d", "--json"];
    let json = lookback.run(&call).succeeded().json();
    assert_eq!(json["data"][0]["deleted_rows"], 0);
    assert_eq!(json["data"][0]["blockers"][0]["partition"], "logs_default");
    assert_ne!(json["data"][0]["blockers"][0]["oldest"], json!(null));
    let call = ["storage", "prune", "logs", "--larger-than", "1B", "--json"];
    let json = lookback.run(&call).succeeded().json();
    let blockers = &json["data"][0]["blockers"];
    assert_eq!(blockers[0]["partition"], "logs_default");
    assert_eq!(blockers[0]["reason"], "default_partition");
    assert_eq!(blockers[0]["oldest"], json!(null));
    // The hint helps.
    lookback.run(&["storage", "seal", "logs"]).succeeded();
    let call = ["storage", "prune", "logs", "--older-than", "30d", "--json"];
    let json = lookback.run(&call).succeeded().json();
    let blockers = &json["data"][0]["blockers"];
    assert_eq!(blockers[0]["reason"], "takes_inserts");
    // Records that are a tenth older are deleted.
    let call = ["storage", "prune", "logs", "--older-than", "28d", "--json"];
    let json = lookback.run(&call).succeeded().json();
    assert_eq!(json["data"][0]["expired_rows"], 3);
    assert_eq!(json["data"][0]["blockers"], json!([]));
    // If nothing is too old, there is nothing to explain.
    let call = ["storage", "prune", "logs", "--older-than", "50000d"];
    let ran = lookback.run(&call).succeeded();
    assert_eq!(ran.err, "nothing to delete\n");
}

#[tokio::test]
async fn prune_options_replace_the_configured_policy() {
    let lookback = filled().await;
    lookback.write(
        "lookback.toml",
        "[retention]\nolder_than = \"50000d\"\n[retention.logs]\nlarger_than = \"1MB\"\n[retention.metrics]\nolder_than = \"1d\"\n",
    );
    sizes_masked!(lookback.run(&["storage", "status"]), @"
$ lookback storage status
TABLE              RECORDS  SIZE    UNSEALED  PARTITIONS
logs               140,000  [size] 140,000   3 hot
request_snapshots  0        [size] 0         1 hot, 2 precreated
metrics            2        [size] -         -
users              0        [size] -         -
! hint: 4 columns left out to fit 80 columns: --wide shows all
! logs has no pre-created partition: lookback storage seal creates some
! logs: 131,071 records, [size] past the retention policy: lookback storage prune --dry-run
! metrics: 2 records, 0 B past the retention policy: lookback storage prune --dry-run
");
    sizes_masked!(lookback.run(&["storage", "prune", "--dry-run"]), @"
$ lookback storage prune --dry-run
TABLE              RECORDS  SIZE  PARTITIONS  OLDEST REMAINING
logs               131,071  [size] 2           2001-01-02T12:24:32Z
request_snapshots  0        0 B 0           -
metrics            2        0 B 0           -
! dry run: nothing was deleted
");
    // Options replace the whole configured policy.
    sizes_masked!(lookback.run(&["storage", "prune", "--deleted-older-than", "1d", "--dry-run"]), @"
$ lookback storage prune --deleted-older-than 1d --dry-run
TABLE              RECORDS  SIZE  PARTITIONS  OLDEST REMAINING
logs               0        0 B 0           2001-01-01T00:00:01Z
request_snapshots  0        0 B 0           -
metrics            0        0 B 0           2001-01-01T00:00:00Z
users              0        0 B 0           -
! dry run: nothing was deleted
");
    let ran = lookback
        .command(&["storage", "prune", "metrics", "--dry-run", "--json"])
        .env("LOOKBACK_RETENTION_OLDER_THAN", "50000d")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(json["data"][0]["expired_rows"], 0);
    lookback.write("lookback.toml", "[retention.users]\nolder_than = \"1d\"\n");
    transcript!(lookback.run(&["storage", "prune"]), @"
$ lookback storage prune
! error: the configuration file lookback.toml is invalid: line 2, column 1: unknown field `older_than`, expected `deleted_older_than`
[exit code 2]
");
    lookback.write(
        "lookback.toml",
        "[retention]\nlarger_than = \"50 gallons\"\n",
    );
    transcript!(lookback.run(&["storage", "prune"]), @"
$ lookback storage prune
! error: the configuration file lookback.toml is invalid: line 2, column 15: expected a size such as 500MB, 50GB or 1TiB, got `50 gallons`
[exit code 2]
");
}

#[tokio::test]
async fn check_passes_with_partitions() {
    let lookback = filled().await;
    lookback.run(&["storage", "seal"]).succeeded();
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
    for (command, expected) in [
        (
            vec!["db", "check"],
            "the database and the newest schema snapshot match",
        ),
        (vec!["db", "push", "--explain"], "nothing to push"),
        (vec!["db", "generate"], "nothing to generate"),
    ] {
        let command = [command, vec!["--dir", migrations]].concat();
        let ran = lookback.run(&command).succeeded();
        assert!(ran.err.contains(expected), "{ran:?}");
    }
    let pulled = lookback.run(&["db", "pull"]).succeeded();
    assert!(!pulled.out.contains("logs_p0"), "{}", pulled.out);
    assert!(pulled.out.contains("open_partitions"), "{}", pulled.out);
}

/// A cluster is needed for all else: `make test-citus`.
#[tokio::test]
async fn distribute_without_citus_says_what_it_needs() {
    let lookback = Lookback::new().await;
    transcript!(lookback.run(&["storage", "distribute", "--dry-run"]), @"
$ lookback storage distribute --dry-run
! error: the database has no Citus
! hint: install Citus on each server, run CREATE EXTENSION citus, and add the servers with citus_add_node: docs/guide/scale.md
[exit code 1]
");
    transcript!(lookback.run(&["storage", "undistribute"]), @"
$ lookback storage undistribute
! error: the database has no Citus
! hint: install Citus on each server, run CREATE EXTENSION citus, and add the servers with citus_add_node: docs/guide/scale.md
[exit code 1]
");
}

#[tokio::test]
async fn reembed_recomputes_vectors_and_summaries() {
    let lookback = filled().await;
    lookback.run(&["storage", "seal"]).succeeded();
    let before = lookback.number("SELECT max(id) FROM sealed_segments").await;
    transcript!(lookback.run(&["storage", "reembed"]), @"
$ lookback storage reembed
! users: changed the vector of 0 of 0 rows
! logs: changed the vector of 140,000 of 140,000 rows
! metrics: changed the vector of 0 of 2 rows
! request_snapshots: changed the vector of 0 of 0 rows
! api_keys: changed the vector of 0 of 0 rows
! alert_rules: changed the vector of 0 of 0 rows
! alert_changes: changed the vector of 0 of 0 rows
! saved_searches: changed the vector of 0 of 0 rows
! sealing all records again
! logs: 8 segments sealed, 131,071 records; 8,929 ids left, less than a segment
! request_snapshots: nothing to do
");
    assert!(
        lookback
            .number("SELECT min(id) FROM sealed_segments WHERE NOT is_tombstone")
            .await
            > before
    );
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM logs WHERE embedding IS NULL")
            .await,
        0
    );
}

/// Ctrl-C ends the watch after a step; records stored meanwhile are sealed.
#[cfg(unix)]
#[tokio::test]
async fn watch_seals_new_records_until_it_is_interrupted() {
    let lookback = filled().await;
    let mut watching = lookback
        .command(&["storage", "seal", "--watch"])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let sealed = "SELECT count(*) FROM sealed_segments WHERE NOT is_tombstone AND target = 'logs'";
    lookback.wait_for(sealed, 2).await;
    support::signal(&watching, nix::sys::signal::Signal::SIGINT);
    assert!(watching.wait().unwrap().success());
}
