//! Reverting the newest migration.

use super::Shop;

#[tokio::test]
async fn revert_runs_down_file_of_newest_migration() {
    let mut shop = Shop::new(&[
        ("1_a.sql", "CREATE TABLE a (id int)"),
        ("2_b.up.sql", "CREATE TABLE b (id int)"),
        ("2_b.down.sql", "DROP TABLE b"),
        (
            "3_i.up.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON b (id);",
        ),
        (
            "3_i.down.sql",
            "-- no-transaction\nDROP INDEX CONCURRENTLY i;",
        ),
    ])
    .await;
    assert_eq!(shop.revert().await.ok(), None);
    shop.migrate().await.ok();
    assert_eq!(shop.revert().await.ok().unwrap().version, 3);
    assert_eq!(shop.lines("SELECT to_regclass('i') IS NULL").await, "true");
    assert_eq!(shop.revert().await.ok().unwrap().version, 2);
    assert_eq!(shop.records().await, "1 a t t");
    insta::assert_snapshot!(shop.revert().await.error(), @"
    error: cannot revert 1_a.sql: it has no .down.sql
    hint: write a migration that changes it back; only a <version>_<description>.up.sql with a .down.sql can be reverted
    ");
    assert_eq!(shop.records().await, "1 a t t");
    assert_eq!(shop.migrate().await.ok().len(), 2);

    shop.remove("3_i.up.sql");
    shop.remove("3_i.down.sql");
    insta::assert_snapshot!(shop.revert().await.error(), @"
    error: migration 3 (i) is applied, but has no file
    hint: revert it with the program or the folder that applied it
    ");
}

#[tokio::test]
async fn failed_revert_leaves_migration_applied() {
    let mut shop = Shop::new(&[
        ("1_a.up.sql", "CREATE TABLE a (id int)"),
        ("1_a.down.sql", "DROP TABLE a; DROP TABLE b"),
    ])
    .await;
    shop.migrate().await.ok();
    let first = shop.revert().await.error();
    assert_eq!(shop.status().await, "1 Applied");

    shop.write(
        "1_a.down.sql",
        "-- no-transaction\nDROP TABLE b; DROP TABLE a",
    );
    let second = shop.revert().await.error();
    assert_eq!(shop.status().await, "1 Applied");

    shop.write(
        "1_a.down.sql",
        "-- no-transaction\nDROP TABLE a; DROP TABLE b",
    );
    let third = shop.revert().await.error();
    assert_eq!(shop.status().await, "1 PartlyReverted { done: 1 }");
    let migrating = shop.migrate().await.error();
    insta::assert_snapshot!([first, second, third, migrating].join("\n\n"));

    shop.write(
        "1_a.down.sql",
        "-- no-transaction\nDROP TABLE a; DROP TABLE IF EXISTS b",
    );
    shop.revert().await.ok().unwrap();
    assert_eq!(shop.records().await, "");
    assert_eq!(shop.migrate().await.ok().len(), 1);
}

#[tokio::test]
async fn revert_of_partly_applied_migration_is_refused() {
    let mut shop = Shop::new(&[
        (
            "1_a.up.sql",
            "-- no-transaction\nCREATE TABLE a (id int); SELECT 1 / 0",
        ),
        ("1_a.down.sql", "DROP TABLE a"),
    ])
    .await;
    shop.migrate().await.error();
    insta::assert_snapshot!(shop.revert().await.error(), @"
    error: 1_a.up.sql is partly applied
    hint: apply the pending migrations first
    ");
}
