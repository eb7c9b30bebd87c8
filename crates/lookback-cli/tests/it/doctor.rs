//! `lookback doctor`, against databases in which something is wrong.

use serde_json::Value;

use crate::support::{Lookback, Ran, transcript};

/// The findings of a check.
#[track_caller]
fn found(ran: &Ran, check: &str) -> Vec<Value> {
    let json = ran.json();
    let all = json["data"]["findings"].as_array().unwrap();
    (all.iter().filter(|one| one["check"] == check))
        .cloned()
        .collect()
}

#[track_caller]
fn passed(ran: &Ran, check: &str) -> bool {
    let json = ran.json();
    json["data"]["passed"]
        .as_array()
        .unwrap()
        .contains(&check.into())
}

fn doctor(lookback: &Lookback) -> Ran {
    lookback.run(&["doctor", "--json"])
}

#[tokio::test]
async fn migrated_database_has_only_problems_of_the_test_server() {
    let lookback = Lookback::new().await;
    // Nothing on the server of the tests survives a crash, which is a problem on any other.
    let ran = doctor(&lookback).failed(1);
    let checks = [
        "connection",
        "extensions",
        "migrations",
        "privileges",
        "encoder",
        "partitions",
        "time limits",
        "indexes",
        "dead rows",
    ];
    for check in checks {
        assert!(passed(&ran, check), "{check}: {ran:#?}");
    }
    let durability = found(&ran, "durability");
    assert_eq!(durability.len(), 3, "{ran:#?}");
    assert_eq!(durability[0]["severity"], "problem");
    assert_eq!(durability[0]["finding"], "fsync is off");
    assert!(ran.err.ends_with("error: 2 problems found\n"), "{ran:#?}");
    // That server is not tuned, as one of somebody else.
    let settings = found(&ran, "settings");
    let advises = |name: &str| {
        let start = format!("{name} is ");
        settings
            .iter()
            .any(|one| one["finding"].as_str().unwrap().starts_with(&start))
    };
    assert!(
        advises("max_wal_size") && advises("random_page_cost"),
        "{ran:#?}"
    );
    assert!(!advises("jit"), "{ran:#?}");
    for one in &settings {
        assert_eq!(one["severity"], "advice");
        assert!(!one["reason"].as_str().unwrap().is_empty(), "{one}");
        assert!(
            one["fix"][0]
                .as_str()
                .unwrap()
                .starts_with("ALTER SYSTEM SET "),
            "{one}"
        );
    }
    let shown = lookback.run(&["doctor"]).failed(1).out;
    assert!(
        shown.contains("\nproblem (durability): fsync is off\n  why: "),
        "{shown}"
    );
    assert!(
        shown.contains("\nadvice (settings): max_wal_size is "),
        "{shown}"
    );
    assert!(!shown.contains(lookback.password()), "{shown}");
}

#[tokio::test]
async fn missing_tables_are_a_problem() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    let ran = doctor(&lookback).failed(1);
    let migrations = found(&ran, "migrations");
    assert_eq!(migrations[0]["severity"], "problem");
    assert_eq!(migrations[0]["fix"][0], "lookback db migrate");
    lookback.run(&["db", "migrate"]).succeeded();
    assert!(passed(&doctor(&lookback), "migrations"));
}

#[tokio::test]
async fn vectors_of_another_encoder_are_a_problem() {
    let lookback = Lookback::new().await;
    lookback
        .execute("UPDATE settings SET value = '0' WHERE name = 'encoder_version'")
        .await;
    let ran = doctor(&lookback).failed(1);
    let encoder = &found(&ran, "encoder")[0];
    assert_eq!(encoder["severity"], "problem");
    assert!(
        encoder["fix"][0]
            .as_str()
            .unwrap()
            .contains("lookback db reembed"),
        "{encoder}"
    );
}

#[tokio::test]
async fn records_that_maintenance_has_not_reached_get_advice() {
    let lookback = Lookback::with(Some(testkit::database_without_ranges().await));
    assert!(!passed(&doctor(&lookback), "partitions"));
    lookback
        .execute(
            "INSERT INTO logs (source, level, message) \
             SELECT 'API', 'info', 'line ' || n FROM generate_series(1, 90000) AS n",
        )
        .await;
    let ran = doctor(&lookback);
    let findings: Vec<String> = found(&ran, "partitions")
        .iter()
        .map(|one| format!("{}: {}", one["finding"], one["fix"][0]))
        .collect();
    let has = |text: &str| findings.iter().any(|finding| finding.contains(text));
    assert!(
        has("the default partition of logs has records"),
        "{findings:#?}"
    );
    assert!(
        has("logs has 90,000 records that are not sealed"),
        "{findings:#?}"
    );
    assert!(
        has("request_snapshots has no pre-created partition"),
        "{findings:#?}"
    );
    assert!(
        findings
            .iter()
            .all(|one| one.contains("lookback storage seal")),
        "{findings:#?}"
    );
    lookback.run(&["storage", "seal"]).succeeded();
    let ran = doctor(&lookback);
    assert!(passed(&ran, "partitions"), "{ran:#?}");
}

#[tokio::test]
async fn limits_and_settings_of_the_database_are_reset_where_they_are_set() {
    let lookback = Lookback::new().await;
    let name = lookback.db.as_ref().unwrap().name().to_owned();
    for setting in ["statement_timeout = '10s'", "jit = on"] {
        lookback
            .execute(&format!("ALTER DATABASE {name} SET {setting}"))
            .await;
    }
    let ran = doctor(&lookback);
    let limit = &found(&ran, "time limits")[0];
    assert_eq!(limit["finding"], "statement_timeout is 10s");
    assert_eq!(
        limit["fix"][0],
        format!("ALTER DATABASE {name} RESET statement_timeout;")
    );
    let jit = format!("ALTER DATABASE {name} RESET jit;");
    assert!(
        found(&ran, "settings")
            .iter()
            .any(|one| one["fix"][0] == jit),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn failed_build_of_an_index_gets_advice() {
    let lookback = Lookback::new().await;
    lookback
        .execute("CREATE TABLE twice AS SELECT 1 AS a FROM generate_series(1, 2)")
        .await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    sqlx::query("CREATE UNIQUE INDEX CONCURRENTLY twice_a ON twice (a)")
        .execute(pool)
        .await
        .unwrap_err();
    let ran = doctor(&lookback);
    assert_eq!(found(&ran, "indexes")[0]["fix"][0], "DROP INDEX twice_a;");
}

#[tokio::test]
async fn role_without_privileges_learns_what_it_could_not_see() {
    let lookback = Lookback::new().await;
    let role = lookback
        .db
        .as_ref()
        .unwrap()
        .name()
        .replace("test", "visitor");
    lookback
        .execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'visits'"))
        .await;
    let url = lookback.url_as(&role, "visits");
    let call = ["doctor", "--json", "--database-url", &url];
    let ran = lookback.run(&call).failed(1);
    assert!(!ran.out.contains("visits"), "{ran:#?}");
    assert_eq!(found(&ran, "migrations")[0]["severity"], "not_seen");
    let privileges = &found(&ran, "privileges")[0];
    assert_eq!(privileges["severity"], "problem");
    assert!(
        privileges["finding"]
            .as_str()
            .unwrap()
            .contains("lacks SELECT on logs"),
        "{privileges}"
    );
    let sessions = &found(&ran, "transactions")[0];
    assert_eq!(
        sessions["fix"][0],
        format!("GRANT pg_read_all_stats TO {role};")
    );

    // To read is enough; what it cannot do is advice.
    let tables = "logs, request_snapshots, metrics, users, settings, sealed_segments, \
                  search_blocks, search_postings, search_templates, _sqlx_migrations";
    lookback
        .execute(&format!("GRANT SELECT ON {tables} TO {role}"))
        .await;
    let ran = lookback.run(&call);
    let privileges = &found(&ran, "privileges")[0];
    assert_eq!(privileges["severity"], "advice");
    assert!(
        privileges["finding"]
            .as_str()
            .unwrap()
            .contains("lacks INSERT"),
        "{privileges}"
    );
    for check in ["migrations", "encoder", "partitions"] {
        assert!(passed(&ran, check), "{check}: {ran:#?}");
    }
    lookback.execute(&format!("DROP OWNED BY {role}")).await;
    lookback.execute(&format!("DROP ROLE {role}")).await;
}

#[test]
fn database_that_cannot_be_reached_is_a_problem() {
    let lookback = Lookback::with(None);
    let url = "postgres://me:sEcret@127.0.0.1:1/shop";
    transcript!(lookback.run(&["doctor", "--database-url", url]), @"
$ lookback doctor --database-url postgres://me:sEcret@127.0.0.1:[port]/shop
database  postgres://me:***@127.0.0.1:[port]/shop

problem (connection): cannot connect to postgres://me:***@127.0.0.1:[port]/shop: error communicating with database: Connection refused (os error 111)
  fix: the database is set by --database-url; without one, Lookback uses a private PostgreSQL
! error: 1 problem found
[exit code 1]
");
    let ran = lookback
        .run(&["doctor", "--json", "--database-url", url])
        .failed(1);
    assert_eq!(found(&ran, "connection")[0]["severity"], "problem");
    assert_eq!(ran.json()["data"]["version"], Value::Null);
    // A URL that is none is wrong usage.
    lookback
        .run(&["doctor", "--database-url", "me:pw"])
        .failed(2);
}
