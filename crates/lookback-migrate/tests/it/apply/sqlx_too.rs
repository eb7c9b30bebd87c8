//! One folder, applied by sqlx and by Lookback.

use sqlx::migrate::Migrator;

use super::Shop;

const FILES: &[(&str, &str)] = &[
    (
        "0001_orders.sql",
        "CREATE TABLE orders (id int, note text);\r\nINSERT INTO orders SELECT n FROM generate_series(1, 100) AS n;\r\n",
    ),
    (
        "0002_add_a_state.up.sql",
        "ALTER TABLE orders ADD COLUMN state text DEFAULT 'a;b'; -- the end",
    ),
    (
        "0002_add_a_state.down.sql",
        "ALTER TABLE orders DROP COLUMN state",
    ),
    (
        "0003_index.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON orders (id);",
    ),
    (
        "0004_function.up.sql",
        "CREATE FUNCTION two() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\nSELECT two();",
    ),
    ("0004_function.down.sql", "DROP FUNCTION two"),
    (
        "0005_unique.up.sql",
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY u ON orders (id)",
    ),
    (
        "0005_unique.down.sql",
        "-- no-transaction\nDROP INDEX CONCURRENTLY u",
    ),
];

async fn state(shop: &mut Shop) -> String {
    shop.lines(
        "SELECT concat_ws(' ', version, description, success, execution_time > 0, encode(checksum, 'hex')) \
         FROM _sqlx_migrations \
         UNION ALL SELECT pg_get_indexdef(indexrelid) || indisvalid FROM pg_index WHERE indrelid = 'orders'::regclass \
         UNION ALL SELECT attname || ' ' || atttypid::regtype FROM pg_attribute WHERE attrelid = 'orders'::regclass \
         UNION ALL SELECT proname FROM pg_proc WHERE proname = 'two' ORDER BY 1",
    )
    .await
}

async fn by_sqlx(shop: &Shop, target: i64) {
    let migrator = Migrator::new(shop.folder.path()).await.unwrap();
    migrator.run_to(target, &shop.db.pool).await.unwrap();
}

/// Applies the files up to this version.
async fn by_lookback(shop: &mut Shop, target: i64) {
    let later: Vec<_> = FILES
        .iter()
        .filter(|(name, _)| name[..4].parse::<i64>().unwrap() > target)
        .collect();
    for (name, _) in &later {
        shop.remove(name);
    }
    shop.migrate().await.ok();
    for (name, sql) in later {
        shop.write(name, sql);
    }
}

#[tokio::test]
async fn apply_and_sqlx_continue_each_others_migrations() {
    let mut ours = Shop::new(FILES).await;
    by_lookback(&mut ours, 5).await;
    let expected = state(&mut ours).await;
    assert_eq!(expected.lines().count(), 5 + 2 + 9 + 1, "{expected}");
    by_sqlx(&ours, 5).await;

    for first in 0..=5 {
        let mut shop = Shop::new(FILES).await;
        by_lookback(&mut shop, first).await;
        by_sqlx(&shop, 5).await;
        assert_eq!(
            state(&mut shop).await,
            expected,
            "Lookback up to {first}, then sqlx"
        );
        assert_eq!(shop.migrate().await.ok(), []);

        let mut shop = Shop::new(FILES).await;
        by_sqlx(&shop, first).await;
        by_lookback(&mut shop, 5).await;
        assert_eq!(
            state(&mut shop).await,
            expected,
            "sqlx up to {first}, then Lookback"
        );
        by_sqlx(&shop, 5).await;
    }
}

#[tokio::test]
async fn revert_and_sqlx_undo_each_others_migrations() {
    let mut shop = Shop::new(FILES).await;
    by_sqlx(&shop, 5).await;
    assert_eq!(shop.revert().await.ok().unwrap().version, 5);
    let migrator = Migrator::new(shop.folder.path()).await.unwrap();
    migrator.undo(&shop.db.pool, 3).await.unwrap();
    assert_eq!(
        shop.status().await,
        "1 Applied\n2 Applied\n3 Applied\n4 Pending\n5 Pending"
    );
    by_lookback(&mut shop, 5).await;
    migrator.undo(&shop.db.pool, 4).await.unwrap();
    assert_eq!(shop.revert().await.ok().unwrap().version, 4);
}
