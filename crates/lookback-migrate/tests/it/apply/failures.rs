//! A statement that fails: the error, and the state of the database.

use sqlx::{AssertSqlSafe, Executor as _};

use super::Shop;

const ORDERS: (&str, &str) = (
    "20260101000000_orders.sql",
    "CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders VALUES (1, 'open')",
);

#[tokio::test]
async fn failed_file_is_rolled_back_with_line_in_error() {
    let mut messages = Vec::new();
    for sql in [
        // The server gives a position, on the third line of the statement.
        "-- two statements\nCREATE TABLE made ();\n\nALTER TABLE orders\n  ADD COLUMN a int,\n  ADD COLUMN b nonsense;",
        // The server's detail.
        "CREATE TABLE made ();\nINSERT INTO orders VALUES (1, 'é');",
        // The server's hint.
        "CREATE TABLE made ();\nSELECT stat FROM orders;",
        // In a block: the server's context.
        "CREATE TABLE made ();\nDO $$\nBEGIN\n  RAISE EXCEPTION 'no';\nEND $$;",
        // A statement that cannot run in a transaction.
        "CREATE TABLE made ();\nCREATE INDEX CONCURRENTLY i ON orders (state);",
        // At COMMIT.
        "CREATE TABLE made ();\nCREATE TABLE lines (id int REFERENCES orders DEFERRABLE INITIALLY DEFERRED);\n\
         INSERT INTO lines VALUES (7);",
    ] {
        let mut shop = Shop::new(&[ORDERS, ("20260102000000_next.sql", sql)]).await;
        let ran = shop.migrate().await;
        assert!(ran.result.as_ref().unwrap_err().is_statement());
        messages.push(ran.error());
        assert_eq!(
            shop.lines("SELECT to_regclass('made') IS NULL").await,
            "true"
        );
        assert_eq!(shop.records().await, "20260101000000 orders t t");
        assert_eq!(shop.lines("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()").await, "0");

        // The corrected file is applied.
        shop.write("20260102000000_next.sql", "CREATE TABLE made ();");
        assert_eq!(shop.migrate().await.ok().len(), 1);
    }
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[tokio::test]
async fn failure_of_first_file_leaves_database_unchanged() {
    let mut shop = Shop::new(&[("1_a.sql", "SELECT 1 / 0")]).await;
    insta::assert_snapshot!(shop.migrate().await.error(), @"
    error: 1_a.sql, line 1 (statement 1 of 1): division by zero (SQLSTATE 22012)
        state: rolled back; the database is as before the first migration
    hint: correct the file or the database, and run it again
    ");
}

#[tokio::test]
async fn lost_connection_rolls_back_the_file() {
    let mut shop = Shop::new(&[
        ORDERS,
        (
            "20260102000000_next.sql",
            "CREATE TABLE made ();\nSELECT pg_terminate_backend(pg_backend_pid());",
        ),
    ])
    .await;
    let error = shop.migrate().await.error();
    insta::assert_snapshot!(error, @"
    error: 20260102000000_next.sql, line 2 (statement 2 of 2): terminating connection due to administrator command (SQLSTATE 57P01)
        state: rolled back; the database is as after 20260101000000_orders.sql
    hint: run it again: it detects what is already applied
    ");
    shop.conn = shop.another().await;
    assert_eq!(
        shop.lines("SELECT to_regclass('made') IS NULL").await,
        "true"
    );
    assert_eq!(shop.records().await, "20260101000000 orders t t");
}

/// A run that is dropped leaves the file to the next run, on the same
/// connection and on another.
#[tokio::test]
async fn dropped_apply_leaves_file_to_next_run() {
    let mut shop = Shop::new(&[
        ORDERS,
        (
            "20260102000000_slow.sql",
            "CREATE TABLE made ();\nSELECT pg_sleep(0.3);",
        ),
    ])
    .await;
    let dropped = tokio::time::timeout(std::time::Duration::from_millis(200), shop.migrate()).await;
    let left = usize::from(dropped.is_err());
    let migrated = shop.migrate().await.ok().len();
    assert!(migrated >= left, "{migrated} of {left}");
    assert_eq!(
        shop.lines("SELECT count(*) FROM _sqlx_migrations WHERE success")
            .await,
        "2"
    );
}

/// Since PostgreSQL 15, a role may not create tables in the schema `public`.
#[tokio::test]
async fn missing_right_to_create_names_the_grant() {
    let mut shop = Shop::new(&[("1_a.sql", "CREATE TABLE made ()")]).await;
    let role = format!("lb creator {}", std::process::id());
    run(&mut shop, &format!("CREATE ROLE \"{role}\"")).await;
    run(&mut shop, &format!("SET ROLE \"{role}\"")).await;
    let table = shop.migrate().await.error();
    run(&mut shop, "RESET ROLE").await;
    run(&mut shop, "CREATE SCHEMA records").await;
    run(
        &mut shop,
        &format!("GRANT ALL ON SCHEMA records TO \"{role}\""),
    )
    .await;
    run(&mut shop, &format!("SET ROLE \"{role}\"")).await;
    let migrations = shop.migrations().in_table("records.applied");
    let statement =
        lookback_migrate::apply(&mut shop.conn, &migrations, &shop.options, &mut |_| {})
            .await
            .unwrap_err();
    let statement = super::message(&statement);
    run(&mut shop, "RESET ROLE").await;
    run(&mut shop, &format!("DROP OWNED BY \"{role}\"")).await;
    run(&mut shop, &format!("DROP ROLE \"{role}\"")).await;
    let messages = format!("{table}\n\n{statement}").replace(&role, "[role]");
    insta::assert_snapshot!(messages);
}

async fn run(shop: &mut Shop, sql: &str) {
    shop.conn.execute(AssertSqlSafe(sql)).await.unwrap();
}
