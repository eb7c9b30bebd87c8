//! `db migrate` creates the first partitions of an empty table.

use std::time::Duration;

use lookback::maintenance::{PrecreateOptions, precreate_partitions};
use lookback::{Log, Model as _, RequestSnapshot, migrate};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{execute, layout, lines, number};

async fn migrate(url: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    migrate::run(&mut conn, Duration::from_secs(60))
        .await
        .unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn migrate_creates_the_first_partitions() {
    let db = testkit::empty_database().await;
    migrate(&db.url).await;
    insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..4194304 0
logs_p0000000004194304 4194304..8388608 0
logs_p0000000008388608 8388608..12582912 0
logs_default -..- 0
");
    // The first record is in none that would have to be split.
    let log = lines(0..1);
    Log::records().create_many(&db.pool, &log).await.unwrap();
    assert_eq!(
        number(&db.pool, "SELECT count(*) FROM logs_default").await,
        0
    );
    for table in [Log::TABLE, RequestSnapshot::TABLE] {
        let report = precreate_partitions(&db.pool, table, &PrecreateOptions::default()).await;
        assert_eq!(report.unwrap().created, <[String; 0]>::default());
    }
    // Another run changes nothing.
    let before = layout(&db.pool).await;
    migrate(&db.url).await;
    assert_eq!(layout(&db.pool).await, before);
}

/// Splitting reads the rows, which takes as long as it takes: maintenance does it.
#[tokio::test]
async fn migrate_leaves_a_filled_default_partition_alone() {
    let db = testkit::database_without_ranges().await;
    Log::records()
        .create_many(&db.pool, &lines(0..5))
        .await
        .unwrap();
    migrate(&db.url).await;
    insta::assert_snapshot!(layout(&db.pool).await, @"logs_default -..- 5");
    // The other table is empty.
    let ranges = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'request_snapshots'::regclass";
    assert_eq!(number(&db.pool, ranges).await, 4);
}

#[tokio::test]
async fn migrate_by_a_role_without_the_right_succeeds() {
    let db = testkit::database_without_ranges().await;
    let role = db.name().replace("test", "writer");
    execute(
        &db.pool,
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'writes'"),
    )
    .await;
    execute(
        &db.pool,
        &format!("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {role}"),
    )
    .await;
    execute(
        &db.pool,
        &format!("GRANT CREATE ON SCHEMA public TO {role}"),
    )
    .await;
    let (scheme, rest) = db.url.split_once("://").unwrap();
    let (_, rest) = rest.split_once('@').unwrap();
    migrate(&format!("{scheme}://{role}:writes@{rest}")).await;
    insta::assert_snapshot!(layout(&db.pool).await, @"logs_default -..- 0");
    execute(&db.pool, &format!("DROP OWNED BY {role}")).await;
    execute(&db.pool, &format!("DROP ROLE {role}")).await;
}

/// A writer that holds its lock for longer than `migrate` waits is not disturbed.
#[tokio::test]
async fn migrate_beside_a_writer_leaves_the_partitions_to_maintenance() {
    let db = testkit::database_without_ranges().await;
    let mut writer = db.pool.begin().await.unwrap();
    writer
        .execute("INSERT INTO logs (source, level, message) VALUES ('API', 'info', 'x')")
        .await
        .unwrap();
    migrate(&db.url).await;
    writer.commit().await.unwrap();
    insta::assert_snapshot!(layout(&db.pool).await, @"logs_default -..- 1");
}
