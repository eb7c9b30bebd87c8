//! A database without tables, a role without privileges, and an invalid setting.

use crate::support::{Lookback, Ran, transcript};

/// All commands that read or maintain tables.
const COMMANDS: [&[&str]; 17] = [
    &["alerts", "list"],
    &["alerts", "history"],
    &["storage", "status"],
    &["storage", "seal"],
    &["storage", "compact"],
    &["storage", "prune", "--older-than", "30d"],
    &["storage", "prune", "--older-than", "30d", "--dry-run"],
    &["storage", "reembed"],
    &["logs", "list"],
    &["logs", "search", "x"],
    &["logs", "stats"],
    &["logs", "export"],
    &["logs", "tail"],
    &["mcp"],
    &["metrics", "rebuild"],
    &["replay", "1", "--to", "http://localhost:1"],
    &["requests", "export", "--format", "har"],
];

#[tokio::test]
async fn commands_without_tables_hint_at_migrations() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    for call in COMMANDS {
        let ran = lookback.run(call).failed(1);
        assert!(
            ran.err.contains("error: the database has no table "),
            "{ran:#?}"
        );
        assert!(
            ran.err
                .contains("hint: apply the migrations: lookback db migrate"),
            "{ran:#?}"
        );
        assert!(!ran.err.contains("SQLSTATE"), "{ran:#?}");
    }
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
    let ran = lookback
        .run(&["db", "check", "--dir", migrations])
        .failed(1);
    assert!(
        ran.err.contains("apply what is pending (db migrate)"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn missing_privileges_are_named() {
    // So that there are partitions to create.
    let lookback = Lookback::with(Some(testkit::database_without_ranges().await));
    // Roles belong to the server: one for each database.
    let role = lookback
        .db
        .as_ref()
        .unwrap()
        .name()
        .replace("test", "reader");
    let execute = async |sql: String| lookback.execute(&sql).await;
    execute(format!("CREATE ROLE {role} LOGIN PASSWORD 'reads'")).await;
    let url = lookback.url_as(&role, "reads");
    let run = |call: &[&str]| -> Ran { lookback.run(&[call, &["--database-url", &url]].concat()) };
    for call in COMMANDS {
        let ran = run(call).failed(1);
        assert!(
            ran.err.contains("lacks SELECT") || ran.err.contains("does not own"),
            "{ran:#?}"
        );
        assert!(
            ran.err.contains("hint: as the owner of the tables: GRANT "),
            "{ran:#?}"
        );
    }
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
    let ran = run(&["db", "check", "--dir", migrations]);
    assert!(!ran.err.contains("SQLSTATE"), "{ran:#?}");
    let ran = run(&["logs", "list"]);
    assert_eq!(
        ran.err,
        format!(
            "error: the role {role} lacks SELECT on logs\n\
             hint: as the owner of the tables: GRANT SELECT ON logs TO {role}\n"
        )
    );
    // The hinted privileges are sufficient.
    let tables = "logs, request_snapshots, metrics, users";
    execute(format!("GRANT SELECT ON {tables} TO {role}")).await;
    let ran = run(&["storage", "status"]).failed(1);
    let missing = "sealed_segments, search_blocks, search_postings, search_templates";
    assert_eq!(
        ran.err,
        format!(
            "error: the role {role} lacks SELECT on {missing}\n\
             hint: as the owner of the tables: GRANT SELECT ON {missing} TO {role}\n"
        )
    );
    execute(format!("GRANT SELECT ON {missing} TO {role}")).await;
    run(&["storage", "status"]).succeeded();
    run(&["storage", "prune", "--older-than", "30d", "--dry-run"]).succeeded();
    let ran = run(&["storage", "seal", "logs"]).failed(1);
    assert!(ran.err.contains("does not own logs"), "{ran:#?}");
    let rights = format!("lacks INSERT, UPDATE, DELETE on {missing}");
    assert!(ran.err.contains(&rights), "{ran:#?}");
    execute(format!("DROP OWNED BY {role}")).await;
    execute(format!("DROP ROLE {role}")).await;
}

/// A default instead would be another cost than the intended one.
#[tokio::test]
async fn setting_that_is_not_a_number_is_named() {
    let lookback = Lookback::new().await;
    lookback
        .execute("INSERT INTO logs (source, level, message) VALUES ('API', 'info', 'refused')")
        .await;
    lookback
        .execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lookback.scan_cost = %L', \
             current_database(), 'abc'); END $$",
        )
        .await;
    transcript!(lookback.run(&["logs", "search", "refused"]), @"
$ lookback logs search refused
! error: lookback.scan_cost: expected a cost such as 2500, in the planner's unit, got `abc`; SET lookback.scan_cost to a number, or RESET it (where it was set: for the session, ALTER ROLE or ALTER DATABASE)
[exit code 2]
");
}

/// Settings that a role or a database may have, each of which changes the meaning or the
/// text of SQL.
const UNUSUAL_SETTINGS: [&str; 12] = [
    "standard_conforming_strings = off",
    "backslash_quote = on",
    "transform_null_equals = on",
    "array_nulls = off",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'sql_standard'",
    "timezone = 'Asia/Kolkata'",
    "bytea_output = 'escape'",
    "extra_float_digits = -15",
    "quote_all_identifiers = on",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
];

#[tokio::test]
async fn settings_of_the_database_change_no_definition_and_no_result() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    for setting in UNUSUAL_SETTINGS {
        lookback
            .execute(&format!(
                "DO $do$ BEGIN EXECUTE format('ALTER DATABASE %I SET ', current_database()) \
                 || $set${setting}$set$; END $do$"
            ))
            .await;
    }
    lookback.run(&["db", "migrate"]).succeeded();
    let stored = "SELECT count(*) FROM pg_constraint WHERE conname = 'logs_message_check' \
                  AND strpos(pg_get_constraintdef(oid), chr(92) || 'S') > 0 \
                  AND conrelid = 'logs'::regclass";
    assert_eq!(lookback.number(stored).await, 1);
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
    lookback
        .run(&["db", "check", "--dir", migrations])
        .succeeded();

    let lines: String = (0..40)
        .map(|n| {
            format!(
                "{{\"source\": \"A\\\\P'I\", \"level\": \"info\", \"message\": \"sss {n}\", \
                 \"meta\": {{\"at\": 0.30000000000000004}}, \
                 \"created_at\": \"2026-02-01T00:00:{n:02}.123456Z\"}}\n"
            )
        })
        .collect();
    lookback.write("logs.jsonl", lines);
    lookback.run(&["import", "logs.jsonl"]).succeeded();
    lookback.run(&["storage", "seal"]).succeeded();
    lookback
        .run(&["storage", "prune", "--older-than", "36500d"])
        .succeeded();
    let ran = lookback
        .run(&[
            "logs",
            "list",
            "created_at=2026-02-01T00:00:07.123456Z",
            "source=A\\P'I",
            "level__in=info,warn",
            "--json",
        ])
        .succeeded();
    let found = &ran.json()["data"];
    assert_eq!(found.as_array().unwrap().len(), 1, "{ran:#?}");
    assert_eq!(found[0]["message"], "sss 7");
    assert_eq!(found[0]["created_at"], "2026-02-01T00:00:07.123456Z");
    assert_eq!(found[0]["meta"]["at"], 0.300_000_000_000_000_04);
    let ran = lookback
        .run(&["logs", "stats", "--by", "created_at__day", "--json"])
        .succeeded();
    assert!(ran.out.contains("2026-02-01T00:00:00Z"), "{ran:#?}");
}
