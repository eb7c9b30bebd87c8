//! Changes that people complain about in other tools. Each has a folder: the schema
//! and rows before (`start.sql`, `rows.sql`), the schema after (`target.sql`), the
//! decisions (`flags`), the generated files (`expected.sql`, written again with
//! `SCENARIOS=overwrite`), and a query that is true afterwards (`kept.sql`), or the
//! error of the server (`fails`). Those with `since` need this version of PostgreSQL.

use std::fs;
use std::path::{Path, PathBuf};

use lookback_migrate::{Scope, introspect};
use lookback_schema::{Decisions, Expression, File, Schema, diff, statements};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

/// One test for each folder.
macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[tokio::test]
        async fn $name() {
            let db = testkit::empty_database().await;
            let mut conn = PgConnection::connect(&db.url).await.unwrap();
            run(&mut conn, &folder().join(stringify!($name))).await.unwrap();
        })*

        #[test]
        fn every_scenario_folder_has_a_test() {
            let mut folders: Vec<String> = fs::read_dir(folder())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            folders.sort();
            assert_eq!([$(stringify!($name)),*].as_slice(), folders, "list it in scenarios!");
        }
    };
}

scenarios! {
    casts_of_the_server
    check_edited
    check_that_rows_break
    column_order
    column_replaced_by_another
    columns_named_like_words_of_the_grammar
    constraints_that_are_not_enforced
    conversions_that_cut
    default_changed
    enum_gets_the_name_of_a_table
    enum_renamed_under_an_index
    enum_value_added_and_used
    enum_value_in_the_middle
    enum_value_removed_from_casts
    enum_value_removed_that_rows_hold
    enum_value_removed_under_a_function
    enum_value_removed_under_other_types
    enum_value_removed_under_views_and_policies
    enum_value_removed_while_a_default
    enum_value_renamed
    enum_value_renamed_and_one_added
    foreign_keys_in_a_cycle
    foreign_keys_in_a_cycle_dropped
    generated_becomes_plain_of_another_type
    generated_becomes_plain_under_a_changed_column
    generated_column_over_a_changed_one
    generated_column_over_a_narrowed_one
    identity_becomes_plain
    identity_of_a_column_that_was_null
    index_renamed
    key_becomes_case_insensitive
    key_type_changed_under_a_reference
    keys_without_overlaps
    names_in_a_chain
    names_of_63_bytes
    names_passed_on
    names_that_need_quotes
    names_with_a_line_break
    narrowed_under_an_index_of_a_partitioned_table
    new_table_refers_to_a_new_key
    not_null_column_filled_from_another
    not_null_column_that_rows_do_not_have
    not_null_column_without_default
    opclass_changed
    partition_names_passed_on
    partition_split_off_the_default
    partition_split_with_a_deferred_key
    partitioned_by_a_new_column
    partitioned_table_gets_an_index
    partitioned_with_a_new_identity
    plain_becomes_identity
    primary_key_widened
    rename_column_and_change_type
    replaced_indexes_keep_their_settings
    retyped_columns_keep_their_indexes
    rows_behind_a_policy
    serial_becomes_identity
    serials_change_their_type
    table_becomes_partitioned
    table_renamed
    table_replaced_by_another
    table_rewritten_once
    tables_swap_names
    temporary_name_taken
    text_narrowed
    text_narrowed_where_rows_are_longer
    two_columns_change_places
    type_narrowed_with_a_default
    unique_added
    unique_added_where_duplicates_are
    unique_index_changed_under_a_reference
    unique_key_changed
    unique_key_changed_under_a_reference
    varchar_widened
    vector_dimension_changed
    vector_dimension_changed_with_rows
    view_left_alone
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

async fn run(conn: &mut PgConnection, scenario: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(scenario.join(name)).ok();
    let needed = |name: &str| read(name).ok_or_else(|| format!("{name} is missing"));
    if let Some(since) = read("since") {
        let since: u32 = since.trim().parse().unwrap();
        if conn.server_version_num().unwrap() < since * 10_000 {
            return Ok(());
        }
    }

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
        (Some(error), Some(expected)) if error.contains(expected.trim()) => return Ok(()),
        (error, expected) => return Err(format!("got {error:?}, expected {expected:?}")),
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
    // The effect of the changes on a schema is what the server did.
    let predicted = plan.apply(start);
    if predicted.tables != target.tables || predicted.enums != target.enums {
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
            other => panic!("{other} is not a flag"),
        }
    }
    decisions
}

/// Compares the files, as one text, with `expected.sql`.
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
