//! Changes that people complain about in other tools, a folder each: what is
//! there (`start.sql`, `rows.sql`), what is wanted (`target.sql`), what is
//! said (`flags`), the files that are generated (`expected.sql`, written again
//! with `SCENARIOS=overwrite`), and what is true afterwards (`kept.sql`), or
//! the words of the server (`fails`).

use std::fs;
use std::path::{Path, PathBuf};

use lookback_migrate::{Scope, introspect};
use lookback_schema::{Decisions, Expression, File, Schema, diff, statements};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

#[tokio::test]
async fn each_scenario_ends_as_it_should() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut scenarios: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    scenarios.sort();
    assert!(scenarios.len() > 30);
    let mut wrong = Vec::new();
    for scenario in &scenarios {
        if let Err(problem) = run(&mut conn, scenario).await {
            wrong.push(format!(
                "{}: {problem}",
                scenario.file_name().unwrap().to_string_lossy()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

async fn run(conn: &mut PgConnection, scenario: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(scenario.join(name)).ok();
    let needed = |name: &str| read(name).ok_or_else(|| format!("{name} is missing"));

    let target = schema_of(conn, &needed("target.sql")?).await?;
    let start = schema_of(conn, &needed("start.sql")?).await?;
    if let Some(rows) = read("rows.sql") {
        execute(conn, &rows).await?;
    }
    let decisions = decisions(&read("flags").unwrap_or_default());
    let plan = diff(&start, &target, &decisions).map_err(|error| error.to_string())?;
    let files = plan.files(&start, "change");
    expect(scenario, &files)?;

    let mut refused = None;
    for file in &files {
        if let Err(error) = apply(conn, file).await {
            refused = Some(error);
            break;
        }
    }
    match (refused, read("fails")) {
        (None, None) => {}
        (Some(said), Some(wanted)) if said.contains(wanted.trim()) => return Ok(()),
        (said, wanted) => return Err(format!("said {said:?}, wanted {wanted:?}")),
    }
    let end = introspect(conn, &Scope::default())
        .await
        .map_err(|error| error.to_string())?;
    if end.tables != target.tables || end.enums != target.enums {
        let rest = diff(&end, &target, &Decisions::assuming_drops());
        return Err(format!(
            "left: {}",
            rest.map(|plan| plan.sql()).unwrap_or_default()
        ));
    }
    // What the types of the changes say and what the server did are the same.
    let foretold = plan.apply(start);
    if foretold.tables != target.tables || foretold.enums != target.enums {
        return Err("the plan, applied to the schema, does not give the target".to_owned());
    }
    if let Some(kept) = read("kept.sql") {
        let row = sqlx::query(AssertSqlSafe(kept.as_str()))
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| format!("kept.sql: {error}"))?;
        if !row.get::<Option<bool>, _>(0).unwrap_or(false) {
            return Err("kept.sql is not true".to_owned());
        }
    }
    Ok(())
}

/// The schema that the statements make in an empty database.
async fn schema_of(conn: &mut PgConnection, sql: &str) -> Result<Schema, String> {
    execute(conn, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await?;
    execute(conn, sql).await?;
    introspect(conn, &Scope::default())
        .await
        .map_err(|error| error.to_string())
}

async fn execute(conn: &mut PgConnection, sql: &str) -> Result<(), String> {
    conn.execute(AssertSqlSafe(sql))
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

async fn apply(conn: &mut PgConnection, file: &File) -> Result<(), String> {
    let sql = file.sql();
    if !file.no_transaction {
        let done = execute(conn, &format!("BEGIN;\n{sql}COMMIT")).await;
        if done.is_err() {
            execute(conn, "ROLLBACK").await?;
        }
        return done;
    }
    for statement in statements(&sql).map_err(|error| error.to_string())? {
        execute(conn, statement.sql).await?;
    }
    Ok(())
}

fn decisions(flags: &str) -> Decisions {
    let mut decisions = Decisions::default();
    for line in flags.lines() {
        let (flag, value) = line.split_once(' ').unwrap();
        let (path, what) = value.split_once('=').unwrap_or((value, ""));
        let path = path.parse().unwrap();
        match flag {
            "--rename" => decisions.renames.push((path, what.parse().unwrap())),
            "--drop" => decisions.drops.push(path),
            "--fill" => decisions.fills.push((path, Expression::new(what).unwrap())),
            "--using" => decisions
                .usings
                .push((path, Expression::new(what).unwrap())),
            other => panic!("{other} is no flag"),
        }
    }
    decisions
}

/// The files as one text, held against `expected.sql`.
fn expect(scenario: &Path, files: &[File]) -> Result<(), String> {
    let text: Vec<String> = files
        .iter()
        .map(|file| format!("-- file: {}\n{}", file.name, file.sql()))
        .collect();
    let text = text.join("\n");
    let path = scenario.join("expected.sql");
    if std::env::var_os("SCENARIOS").is_some_and(|value| value == "overwrite") {
        fs::write(&path, &text).map_err(|error| error.to_string())?;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == text {
        Ok(())
    } else {
        Err(format!("generates\n{text}\ninstead of\n{expected}"))
    }
}
