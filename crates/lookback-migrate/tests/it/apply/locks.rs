//! Locks that other sessions hold: the migration lock, and locks of tables.

use std::time::Duration;

use lookback_migrate::{ApplyOptions, DEFAULT_LOCK_TIMEOUT, Event};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

use super::{Shop, lines, run, until};

const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Counts sessions that wait for an advisory lock, and do not poll it.
const WAITING_FOR_THIRD: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted \
                       AND locktype = 'advisory' \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Masks process ids and times.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(", since ") {
        let (_, after) = after.split_once(": ").unwrap();
        let (words, _) = before.rsplit_once("process ").unwrap();
        masked += &format!("{words}process [pid] of the server, since [time]: ");
        rest = after;
    }
    masked + rest
}

async fn locked_shop() -> (Shop, PgConnection) {
    let mut shop = Shop::new(&[("1_t.sql", "CREATE TABLE t (id int)")]).await;
    shop.migrate().await.ok();
    shop.write("2_c.sql", "SELECT 1;\nALTER TABLE t ADD COLUMN c int");
    shop.options.statement_lock_timeout = Duration::from_millis(50);
    let mut holder = shop.another().await;
    run(&mut holder, "BEGIN; SELECT count(*) FROM t /* mine */").await;
    (shop, holder)
}

#[tokio::test]
async fn locked_table_is_retried_until_released() {
    let (mut shop, mut holder) = locked_shop().await;
    let (free, mut is_free) = mpsc::unbounded_channel();
    let releasing = async {
        is_free.recv().await.unwrap();
        is_free.recv().await.unwrap();
        run(&mut holder, "COMMIT").await;
    };
    let migrating = shop.migrate_with(move |event| {
        if let Event::Retrying {
            file,
            line,
            holders,
            ..
        } = event
        {
            assert_eq!((file.as_str(), *line), ("2_c.sql", 2));
            // There is no holder if the lock is released while the holders are looked up.
            let is_mine = |holder: &lookback_migrate::Holder| holder.query.contains("mine");
            assert!(holders.first().is_none_or(is_mine), "{holders:?}");
            let _ = free.send(());
        }
    });
    let (ran, ()) = tokio::join!(migrating, releasing);
    assert_eq!(ran.ok().len(), 1);
}

#[tokio::test]
async fn lock_timeout_error_names_holder_of_table() {
    let (mut shop, mut holder) = locked_shop().await;
    shop.options.lock_timeout = Duration::from_millis(300);
    let error = shop.migrate().await.error();
    insta::assert_snapshot!(masked(&error), @"
    error: 2_c.sql, line 2 (statement 2 of 2): canceling statement due to lock timeout (SQLSTATE 55P03)
        state: rolled back; the database is as after 1_t.sql
    hint: run it again when the table is not in use, or wait longer
        locks are held by process [pid] of the server, since [time]: BEGIN; SELECT count(*) FROM t /* mine */
    ");
    assert_eq!(shop.records().await, "1 t t t");
    run(&mut holder, "ROLLBACK").await;
    shop.options.lock_timeout = DEFAULT_LOCK_TIMEOUT;
    assert_eq!(shop.migrate().await.ok().len(), 1);
}

#[tokio::test]
async fn deadlocked_file_is_retried() {
    let mut shop = Shop::new(&[("1_t.sql", "CREATE TABLE a (); CREATE TABLE b ()")]).await;
    shop.migrate().await.ok();
    shop.write(
        "2_both.sql",
        "LOCK TABLE a;\nSELECT pg_advisory_xact_lock(1);\nLOCK TABLE b;\n\
         ALTER TABLE b ADD COLUMN c int",
    );
    shop.options.statement_lock_timeout = Duration::from_secs(60);
    let mut other = shop.another().await;
    let mut third = shop.another().await;
    let mut observer = shop.another().await;
    let mut first_observer = shop.another().await;
    // The migration begins to wait last, and so it is the one that detects the deadlock.
    run(&mut third, "BEGIN; SELECT pg_advisory_xact_lock(1)").await;
    run(
        &mut other,
        "SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE b",
    )
    .await;
    let crossing = async { run(&mut other, "LOCK TABLE a; COMMIT").await };
    let releasing = async {
        until(&mut observer, WAITING, "1").await;
        run(&mut third, "COMMIT").await;
    };
    let starting = async {
        until(&mut first_observer, WAITING_FOR_THIRD, "1").await;
        tokio::join!(crossing, releasing);
    };
    let (ran, ()) = tokio::join!(shop.migrate(), starting);
    assert!(ran.has_event(|event| matches!(event, Event::Retrying { line: 3, .. })));
    assert_eq!(ran.ok().len(), 1);
}

/// Statements of a file without transaction are retried individually.
#[tokio::test]
async fn locked_statement_without_transaction_is_retried() {
    let (mut shop, mut holder) = locked_shop().await;
    shop.write(
        "2_c.sql",
        "-- no-transaction\nCREATE TABLE made ();\nALTER TABLE t ADD COLUMN c int;\nVACUUM FULL t",
    );
    let (free, mut is_free) = mpsc::unbounded_channel();
    let releasing = async {
        is_free.recv().await.unwrap();
        run(&mut holder, "COMMIT").await;
    };
    let migrating = shop.migrate_with(move |event| {
        if matches!(event, Event::Retrying { line: 3, .. }) {
            let _ = free.send(());
        }
    });
    let (ran, ()) = tokio::join!(migrating, releasing);
    assert_eq!(ran.ok().len(), 1);
}

#[tokio::test]
async fn wait_for_migration_lock_names_its_holder() {
    let mut shop = Shop::new(&[("1_t.sql", "CREATE TABLE t ()")]).await;
    let mut holder = shop.another().await;
    run(
        &mut holder,
        "SELECT pg_advisory_lock(hashtextextended('lookback migrate ' || current_schema(), 0)) AS mine",
    )
    .await;
    shop.options.lock_timeout = Duration::from_millis(300);
    let ran = shop.migrate().await;
    // The event is emitted once, and not at each attempt.
    let [
        Event::WaitingForLock {
            holder: Some(named),
        },
    ] = &ran.events[..]
    else {
        panic!("{:?}", ran.events);
    };
    assert!(named.query.ends_with("AS mine"), "{named}");
    insta::assert_snapshot!(masked(&ran.error()), @"
    error: another process is migrating this database: no lock within 0 s
    hint: it is held by process [pid] of the server, since [time]: SELECT pg_advisory_lock(hashtextextended('lookback migrate ' || current_schema(), 0)) AS mine
    ");
    run(&mut holder, "SELECT pg_advisory_unlock_all()").await;
    shop.options.lock_timeout = DEFAULT_LOCK_TIMEOUT;
    assert_eq!(shop.migrate().await.ok().len(), 1);
}

/// With a blocking lock, a waiting process would keep the index from being built.
#[tokio::test]
async fn concurrent_applies_build_each_index_once() {
    let shop = Shop::new(&[
        ("1_t.sql", "CREATE TABLE t AS SELECT * FROM generate_series(1, 10000) AS id"),
        ("2_i.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (id);"),
        ("3_c.sql", "ALTER TABLE t ADD COLUMN c int; SELECT pg_sleep(0.1)"),
        ("4_j.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY j ON t (c);\nCREATE INDEX CONCURRENTLY k ON t (c, id);"),
    ])
    .await;
    let runs: Vec<_> = (0..5)
        .map(|_| {
            let (migrations, url) = (shop.migrations(), shop.db.url.clone());
            // A spawned task, as the future is `Send`.
            tokio::spawn(async move {
                let mut conn = PgConnection::connect(&url).await.unwrap();
                let options = ApplyOptions::default();
                let mut sink = |_| {};
                let applied = lookback_migrate::apply(&mut conn, &migrations, &options, &mut sink);
                applied.await.unwrap().len()
            })
        })
        .collect();
    let mut applied = Vec::new();
    for run in runs {
        applied.push(run.await.unwrap());
    }
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 0, 4]);
    let mut conn = shop.another().await;
    let valid = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid";
    assert_eq!(lines(&mut conn, valid).await, "3");
}
