//! Applied migrations, compared with the files.

use lookback_migrate::Event;

use super::Shop;

#[tokio::test]
async fn pending_files_are_applied_in_order_and_recorded() {
    let mut shop = Shop::new(&[
        (
            "2_fill.sql",
            "INSERT INTO orders VALUES (1); INSERT INTO orders VALUES (2)",
        ),
        ("1_orders.sql", "CREATE TABLE orders (id int);"),
        ("3_nothing.sql", "-- nothing yet\n"),
    ])
    .await;
    let migrations = shop.migrations();
    let pending = lookback_migrate::pending(&mut shop.conn, &migrations)
        .await
        .unwrap();
    assert_eq!(pending.len(), 3);
    // `pending` changes nothing.
    assert_eq!(
        shop.lines("SELECT to_regclass('_sqlx_migrations') IS NULL")
            .await,
        "true"
    );
    assert_eq!(shop.status().await, "1 Pending\n2 Pending\n3 Pending");

    let ran = shop.migrate().await;
    let events: Vec<String> = ran
        .events
        .iter()
        .map(|event| match event {
            Event::Applying { file } => format!("applying {file}"),
            Event::Applied { file, .. } => format!("applied {file}"),
            other => format!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(events.join("\n"), @"
    applying 1_orders.sql
    applied 1_orders.sql
    applying 2_fill.sql
    applied 2_fill.sql
    applying 3_nothing.sql
    applied 3_nothing.sql
    ");
    assert_eq!(ran.ok().len(), 3);
    insta::assert_snapshot!(shop.records().await, @"
    1 orders t t
    2 fill t t
    3 nothing t t
    ");
    assert_eq!(shop.status().await, "1 Applied\n2 Applied\n3 Applied");
    assert_eq!(shop.lines("SELECT count(*) FROM orders").await, "2");
    assert_eq!(shop.migrate().await.ok(), []);
}

#[tokio::test]
async fn file_older_than_newest_applied_is_applied_with_warning() {
    let mut shop = Shop::new(&[("1_a.sql", "SELECT 1"), ("5_e.sql", "SELECT 1")]).await;
    shop.migrate().await.ok();
    shop.write("3_c.sql", "CREATE TABLE c ()");
    shop.write("6_f.sql", "SELECT 1");
    let ran = shop.migrate().await;
    let warnings: Vec<String> = ran
        .events
        .iter()
        .filter(|event| event.is_warning())
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(warnings.join("\n"), @"3_c.sql is older than 5, the newest applied migration (from a merged branch?)");
    assert_eq!(ran.ok().len(), 2);
}

#[tokio::test]
async fn edited_or_missing_applied_file_stops_apply() {
    let mut shop = Shop::new(&[("1_a.sql", "SELECT 1"), ("2_b_c.sql", "SELECT 2")]).await;
    shop.migrate().await.ok();
    shop.write("3_c.sql", "CREATE TABLE c ()");

    shop.write("1_a.sql", "SELECT 1 ");
    assert_eq!(shop.status().await, "1 Edited\n2 Applied\n3 Pending");
    let edited = shop.migrate().await.error();
    shop.write("1_a.sql", "SELECT 1");

    shop.remove("2_b_c.sql");
    assert_eq!(shop.status().await, "1 Applied\n2 Missing\n3 Pending");
    let migrations = shop.migrations();
    let dry = lookback_migrate::pending(&mut shop.conn, &migrations)
        .await
        .unwrap_err();
    let missing = shop.migrate().await.error();
    assert_eq!(super::message(&dry), missing);

    insta::assert_snapshot!(format!("{edited}\n\n{missing}"), @"
    error: 1_a.sql was changed after it was applied
    hint: restore the file, and write another migration for the change

    error: migration 2 (b c) is applied, but has no file
    hint: the database was migrated by a newer version of the program, from another branch or from another folder: use that one, or restore the file. Two applications in one database need two tables of applied migrations
    ");
    assert_eq!(shop.lines("SELECT to_regclass('c') IS NULL").await, "true");
}

/// Files that pg_dump writes clear the search path.
#[tokio::test]
async fn search_path_cleared_by_file_is_restored_after_it() {
    let set = "SELECT pg_catalog.set_config('search_path', '', false); SET lock_timeout = 0;";
    let mut shop = Shop::new(&[
        ("1_a.sql", &format!("{set} CREATE TABLE public.a ();")),
        ("2_b.sql", "ALTER TABLE a ADD COLUMN b int"),
        (
            "3_c.sql",
            &format!("-- no-transaction\n{set} ALTER TABLE public.a ADD COLUMN c int;"),
        ),
        ("4_d.sql", "ALTER TABLE a ADD COLUMN d int"),
    ])
    .await;
    shop.run("SET lock_timeout = '7s'").await;
    shop.migrate().await.ok();
    let settings = "SELECT current_setting('search_path') || current_setting('lock_timeout') \
                    || current_setting('client_connection_check_interval')";
    assert_eq!(shop.lines(settings).await, "\"$user\", public7s0");
}

#[tokio::test]
async fn file_that_makes_transaction_read_only_is_named() {
    let sql = "CREATE TABLE a (); SET LOCAL transaction_read_only = on";
    let mut shop = Shop::new(&[("1_a.sql", sql)]).await;
    let error = shop.migrate().await.error();
    assert!(
        error.contains("1_a.sql, at its end (COMMIT): cannot execute INSERT"),
        "{error}"
    );
    assert_eq!(shop.lines("SELECT to_regclass('a') IS NULL").await, "true");
}

/// One run of two files has the result of two runs.
#[tokio::test]
async fn settings_changed_by_file_are_reset_before_next_file() {
    let mut shop = Shop::new(&[
        (
            "1_a.sql",
            "SET session_replication_role = replica; SET default_transaction_read_only = on; \
             CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p)",
        ),
        ("2_b.sql", "INSERT INTO c VALUES (42)"),
    ])
    .await;
    shop.run("SET DateStyle = 'German'").await;
    let error = shop.migrate().await.error();
    assert!(error.contains("SQLSTATE 23503"), "{error}");
    assert_eq!(
        shop.lines("SELECT count(*) || current_setting('DateStyle') FROM c")
            .await,
        "0German, DMY"
    );
}

/// In a schema of its own, an application has a history of its own.
#[tokio::test]
async fn apply_in_another_schema_uses_separate_history() {
    let mut shop = Shop::new(&[("1_a.sql", "CREATE TABLE a ()")]).await;
    shop.migrate().await.ok();
    shop.run("CREATE SCHEMA other; SET search_path = other")
        .await;
    assert_eq!(shop.migrate().await.ok().len(), 1);
    assert_eq!(
        shop.lines("SELECT to_regclass('other.a') IS NULL").await,
        "false"
    );
}
