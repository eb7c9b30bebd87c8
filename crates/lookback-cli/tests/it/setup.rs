//! A database without tables, a role without privileges, and an invalid setting.

use crate::support::{Lookback, Ran, transcript};

/// All commands that read or maintain tables.
const COMMANDS: [&[&str]; 10] = [
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
    let lookback = Lookback::new().await;
    // Roles belong to the server: one for each database.
    let role = lookback
        .db
        .as_ref()
        .unwrap()
        .name()
        .replace("test", "reader");
    let execute = async |sql: String| lookback.execute(&sql).await;
    execute(format!("CREATE ROLE {role} LOGIN PASSWORD 'reads'")).await;
    let url = {
        let url = &lookback.db.as_ref().unwrap().url;
        let (scheme, rest) = url.split_once("://").unwrap();
        let (_, rest) = rest.split_once('@').unwrap();
        format!("{scheme}://{role}:reads@{rest}")
    };
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
