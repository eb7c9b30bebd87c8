//! Files without transaction: where they stop, and how they resume.

use lookback_migrate::Event;
use sqlx::migrate::{MigrateError, Migrator};

use super::Shop;

const THREE: &str = "-- no-transaction
CREATE TABLE a (id int);
INSERT INTO a VALUES (1);
INSERT INTO b VALUES (2);
INSERT INTO a VALUES (3);
";

#[tokio::test]
async fn partly_applied_file_resumes_at_failed_statement() {
    let mut shop = Shop::new(&[("1_a.sql", THREE)]).await;
    let first = shop.migrate().await.error();
    assert_eq!(shop.status().await, "1 Partial { done: 2 }");
    assert_eq!(shop.records().await, "1 a f t");
    // sqlx refuses the partly applied file.
    let migrator = Migrator::new(shop.folder.path()).await.unwrap();
    let refused = migrator.run(&shop.db.pool).await;
    assert!(
        matches!(refused, Err(MigrateError::Dirty(1))),
        "{refused:?}"
    );

    // Statements that took effect cannot be changed any more.
    shop.write("1_a.sql", &THREE.replace("VALUES (1)", "VALUES (7)"));
    let changed = shop.migrate().await.error();
    // The file cannot become one with a transaction, either.
    shop.write("1_a.sql", &THREE.replace("-- no-transaction", "--"));
    let transaction = shop.migrate().await.error();
    insta::assert_snapshot!([first, changed, transaction].join("\n\n"));

    // The later statements can be changed.
    shop.write("1_a.sql", &THREE.replace("INTO b", "INTO a"));
    let ran = shop.migrate().await;
    assert!(ran.has_event(|event| matches!(event, Event::Resuming { done: 2, .. })));
    ran.ok();
    assert_eq!(shop.lines("SELECT id FROM a ORDER BY id").await, "1\n2\n3");
    assert_eq!(shop.records().await, "1 a t t");
    assert_eq!(shop.status().await, "1 Applied");
    let migrator = Migrator::new(shop.folder.path()).await.unwrap();
    migrator.run(&shop.db.pool).await.unwrap();
}

#[tokio::test]
async fn file_that_fails_at_first_statement_leaves_no_record() {
    let mut shop = Shop::new(&[("1_a.sql", "-- no-transaction\nVACUUM nothing")]).await;
    insta::assert_snapshot!(shop.migrate().await.error(), @r#"
    error: 1_a.sql, line 2 (statement 1 of 1): relation "nothing" does not exist (SQLSTATE 42P01)
        state: no statement of the file took effect; the database is as before the first migration; the failed statement may have done a part of its work
    hint: correct the file or the database, and run it again
    "#);
    assert_eq!(shop.records().await, "");
}

#[tokio::test]
async fn transaction_within_file_is_rolled_back_on_failure() {
    let sql = "-- no-transaction
CREATE TABLE a (id int);
BEGIN;
INSERT INTO a VALUES (1);
INSERT INTO b VALUES (2);
COMMIT;
INSERT INTO a VALUES (3);
";
    let mut shop = Shop::new(&[("1_a.sql", sql)]).await;
    insta::assert_snapshot!(shop.migrate().await.error(), @r#"
    error: 1_a.sql, line 5 (statement 4 of 6): relation "b" does not exist (SQLSTATE 42P01)
        state: statement 1 of the file took effect and stays; the next run resumes with statement 2; the transaction of the file was rolled back
    hint: correct the file or the database, and run it again
    "#);
    assert_eq!(shop.status().await, "1 Partial { done: 1 }");
    shop.write("1_a.sql", &sql.replace("INTO b", "INTO a"));
    shop.migrate().await.ok();
    assert_eq!(shop.lines("SELECT id FROM a ORDER BY id").await, "1\n2\n3");
}

/// A run was killed during a statement, and it is unknown whether this took effect.
#[tokio::test]
async fn statement_with_unknown_outcome_requires_manual_repair() {
    let sql = "-- no-transaction
CREATE TABLE a (id int);
DO $$ BEGIN INSERT INTO a VALUES (1); COMMIT; END $$;
INSERT INTO a VALUES (2);
";
    for took_effect in [false, true] {
        let mut shop = Shop::new(&[("1_a.sql", &sql.replace("2", "(2, 2)"))]).await;
        shop.migrate().await.error();
        // Two statements are done; the record is that of a run killed during the second one.
        shop.run("UPDATE _sqlx_migrations SET execution_time = -1 - 2 - 1")
            .await;
        if !took_effect {
            shop.run("DELETE FROM a").await;
        }
        shop.write("1_a.sql", sql);
        // Its checksum is that of one statement.
        let error = shop.migrate().await.error();
        assert!(error.contains("was changed afterwards"), "{error}");
        let one = sqlx::migrate::Migration::new(
            1,
            "".into(),
            sqlx::migrate::MigrationType::Simple,
            sqlx::SqlSafeStr::into_sql_str("-- no-transaction\nCREATE TABLE a (id int)"),
            true,
        );
        sqlx::query("UPDATE _sqlx_migrations SET checksum = $1")
            .bind(&*one.checksum)
            .execute(&mut shop.conn)
            .await
            .unwrap();
        let error = shop.migrate().await.error();
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @r"
            error: 1_a.sql, line 3 (statement 2 of 3): an earlier run ended during this statement; whether it took effect is unknown
            hint: check whether it did. If so, run:
                UPDATE public._sqlx_migrations SET execution_time = -5, checksum = '\x2d30ca9ce6ef26583e1b161e1854c62a4eeaded19cc08b637debcd7a4877b0a310e818747b871ac2212e1708bbda27e5' WHERE version = 1;
            If not, to run it again:
                UPDATE public._sqlx_migrations SET execution_time = -3, checksum = '\x3db460b3434a34ec7c02fa5412900fb55a6be9d969dd3f6416ffd157b044f8400bb586cdfcd0b799ad478c406e20dab5' WHERE version = 1;
            Then migrate again
            ");
        }
        assert_eq!(shop.migrate().await.error(), error);

        let updates: Vec<&str> = error
            .split("\n    ")
            .filter(|line| line.starts_with("UPDATE"))
            .collect();
        let chosen = updates[usize::from(!took_effect)].lines().next().unwrap();
        shop.run(chosen).await;
        shop.migrate().await.ok();
        assert_eq!(shop.lines("SELECT id FROM a ORDER BY id").await, "1\n2");
    }
}

/// A run was killed between dropping an index and its record.
#[tokio::test]
async fn index_dropped_before_a_kill_is_skipped_on_resume() {
    let mut shop = Shop::new(&[
        (
            "1_a.sql",
            "CREATE TABLE a (id int); CREATE INDEX i ON a (id)",
        ),
        ("2_i.sql", "-- no-transaction\nDROP INDEX CONCURRENTLY i"),
    ])
    .await;
    shop.run("CREATE TABLE other (id int); CREATE INDEX j ON other (id)")
        .await;
    shop.migrate().await.ok();
    shop.run(
        "UPDATE _sqlx_migrations SET success = false, execution_time = -2, \
              checksum = sha384('') WHERE version = 2",
    )
    .await;
    let ran = shop.migrate().await;
    assert!(ran.has_event(|event| matches!(event, Event::IndexAlreadyDropped { .. })));
    ran.ok();
    // Without a killed run, the missing index is an error.
    shop.write("3_i.sql", "-- no-transaction\nDROP INDEX CONCURRENTLY i");
    assert!(
        shop.migrate()
            .await
            .error()
            .contains("index \"i\" does not exist")
    );
    assert_eq!(shop.status().await, "1 Applied\n2 Applied\n3 Pending");
}
