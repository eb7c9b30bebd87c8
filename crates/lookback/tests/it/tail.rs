//! Records as they arrive: late commits, savepoints, positions, and many writers.

use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::time::Duration;

use lookback::query::{Arrivals, Position, Tail};
use lookback::{Filter, Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use testkit::sample::Random;

use crate::ingest::fixtures::within;
use crate::time;

/// The pause between two polls: short, so that many happen.
const OFTEN: Duration = Duration::from_millis(5);

/// Inserts a log line, and returns its id.
async fn insert(conn: &mut PgConnection, message: &str) -> i64 {
    sqlx::query("INSERT INTO logs (source, level, message) VALUES ('API', 'info', $1) RETURNING id")
        .bind(message)
        .fetch_one(conn)
        .await
        .unwrap()
        .get(0)
}

async fn insert_one(pool: &PgPool, message: &str) -> i64 {
    insert(&mut pool.acquire().await.unwrap(), message).await
}

/// A tail of all logs that has started.
async fn started(pool: &PgPool) -> Tail<Log> {
    let mut tail = Log::records().tail().poll_every(OFTEN);
    tail.start(pool).await.unwrap();
    tail
}

async fn next(tail: &mut Tail<Log>, pool: &PgPool) -> Log {
    within("a record", tail.next(pool)).await.unwrap()
}

/// The messages of the next records.
async fn messages(tail: &mut Tail<Log>, pool: &PgPool, number: usize) -> Vec<String> {
    let mut messages = Vec::with_capacity(number);
    for _ in 0..number {
        messages.push(next(tail, pool).await.message);
    }
    messages
}

/// Asserts that nothing else has arrived: the next record is one that is stored now.
async fn assert_nothing_else(tail: &mut Tail<Log>, pool: &PgPool) {
    insert_one(pool, "the end").await;
    assert_eq!(next(tail, pool).await.message, "the end");
}

#[tokio::test]
async fn tail_returns_late_commit_once() {
    let db = testkit::database().await;
    insert_one(&db.pool, "before").await;
    let mut tail = started(&db.pool).await;
    let mut late = db.pool.begin().await.unwrap();
    let first = insert(&mut late, "late").await;
    for n in 0..5 {
        assert!(insert_one(&db.pool, &format!("{n}")).await > first);
    }
    assert_eq!(
        messages(&mut tail, &db.pool, 5).await,
        ["0", "1", "2", "3", "4"]
    );
    late.commit().await.unwrap();
    assert_eq!(messages(&mut tail, &db.pool, 1).await, ["late"]);
    assert_nothing_else(&mut tail, &db.pool).await;
}

/// The transaction is open when the tail starts, and other records are stored behind its ids.
#[tokio::test]
async fn tail_returns_record_of_transaction_that_began_before_its_start() {
    for table in ["ranges", "default"] {
        let db = match table {
            "ranges" => testkit::database().await,
            _ => testkit::database_without_ranges().await,
        };
        insert_one(&db.pool, "before").await;
        let mut late = db.pool.begin().await.unwrap();
        insert(&mut late, "late 1").await;
        insert_one(&db.pool, "between").await;
        insert(&mut late, "late 2").await;
        insert_one(&db.pool, "before, too").await;
        let mut tail = started(&db.pool).await;
        insert_one(&db.pool, "after").await;
        assert_eq!(messages(&mut tail, &db.pool, 1).await, ["after"]);
        late.commit().await.unwrap();
        assert_eq!(messages(&mut tail, &db.pool, 2).await, ["late 1", "late 2"]);
        assert_nothing_else(&mut tail, &db.pool).await;
    }
}

/// An id that was taken before the transaction has stored anything, as by a COPY that waits for its
/// client.
#[tokio::test]
async fn tail_returns_record_whose_id_was_taken_long_before() {
    let db = testkit::database().await;
    for is_started_before in [true, false] {
        let mut tail = started(&db.pool).await;
        let mut late = db.pool.begin().await.unwrap();
        let id: i64 = sqlx::query_scalar("SELECT nextval('logs_id_seq')")
            .fetch_one(&mut *late)
            .await
            .unwrap();
        insert_one(&db.pool, "later id").await;
        if is_started_before {
            assert_eq!(messages(&mut tail, &db.pool, 1).await, ["later id"]);
            // Several polls with the gap.
            for n in 0..3 {
                insert_one(&db.pool, &format!("{n}")).await;
                assert_eq!(messages(&mut tail, &db.pool, 1).await, [format!("{n}")]);
            }
        } else {
            tail = started(&db.pool).await;
        }
        sqlx::query(
            "INSERT INTO logs (id, source, level, message) OVERRIDING SYSTEM VALUE \
             VALUES ($1, 'API', 'info', 'late')",
        )
        .bind(id)
        .execute(&mut *late)
        .await
        .unwrap();
        late.commit().await.unwrap();
        assert_eq!(next(&mut tail, &db.pool).await.id, id);
        assert_nothing_else(&mut tail, &db.pool).await;
    }
}

#[tokio::test]
async fn tail_returns_records_of_savepoints_and_none_that_were_rolled_back() {
    let db = testkit::database().await;
    let mut tail = started(&db.pool).await;
    let mut late = db.pool.begin().await.unwrap();
    for n in 0..4 {
        let mut savepoint = late.begin().await.unwrap();
        insert(&mut savepoint, &format!("savepoint {n}")).await;
        let mut inner = savepoint.begin().await.unwrap();
        insert(&mut inner, &format!("inner {n}")).await;
        if n == 1 {
            inner.rollback().await.unwrap();
        } else {
            inner.commit().await.unwrap();
        }
        if n == 2 {
            savepoint.rollback().await.unwrap();
        } else {
            savepoint.commit().await.unwrap();
        }
        insert_one(&db.pool, &format!("other {n}")).await;
        assert_eq!(
            messages(&mut tail, &db.pool, 1).await,
            [format!("other {n}")]
        );
    }
    let mut failed = db.pool.begin().await.unwrap();
    insert(&mut failed, "rolled back").await;
    failed.rollback().await.unwrap();
    late.commit().await.unwrap();
    assert_eq!(
        messages(&mut tail, &db.pool, 5).await,
        [
            "savepoint 0",
            "inner 0",
            "savepoint 1",
            "savepoint 3",
            "inner 3"
        ]
    );
    assert_nothing_else(&mut tail, &db.pool).await;
}

/// A server for this test only: others have no prepared transactions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_returns_record_of_prepared_transaction() {
    let server = testkit::KillableServer::new();
    let mut running = tokio::task::block_in_place(|| server.start());
    let mut conn = PgConnection::connect(&running.url()).await.unwrap();
    for sql in [
        "ALTER SYSTEM SET max_prepared_transactions = 2",
        "CREATE DATABASE prepared",
    ] {
        conn.execute(sql).await.unwrap();
    }
    drop(conn);
    testkit::kill(&running);
    running = tokio::task::block_in_place(|| server.start());
    let url = running.database_url("prepared");
    let mut conn = PgConnection::connect(&url).await.unwrap();
    lookback::migrate::run(&mut conn, Duration::from_secs(60))
        .await
        .unwrap();
    let pool = PgPool::connect(&url).await.unwrap();

    insert(&mut conn, "before").await;
    let mut tail = started(&pool).await;
    for place in ["while it follows", "before its start"] {
        conn.execute("BEGIN").await.unwrap();
        insert(&mut conn, place).await;
        let first = insert_one(&pool, "first").await;
        if place == "while it follows" {
            assert_eq!(next(&mut tail, &pool).await.id, first);
            conn.execute("PREPARE TRANSACTION 'late'").await.unwrap();
        } else {
            conn.execute("PREPARE TRANSACTION 'late'").await.unwrap();
            tail = started(&pool).await;
        }
        for n in 0..3 {
            insert_one(&pool, &format!("{n}")).await;
            assert_eq!(messages(&mut tail, &pool, 1).await, [format!("{n}")]);
        }
        conn.execute("COMMIT PREPARED 'late'").await.unwrap();
        assert_eq!(messages(&mut tail, &pool, 1).await, [place]);
    }
    pool.close().await;
}

#[tokio::test]
async fn changed_deleted_and_restored_records_do_not_arrive() {
    let db = testkit::database().await;
    let old = insert_one(&db.pool, "old").await;
    let mut tail = started(&db.pool).await;
    let new = insert_one(&db.pool, "new").await;
    assert_eq!(messages(&mut tail, &db.pool, 1).await, ["new"]);
    for id in [old, new] {
        let change = "UPDATE logs SET message = message || ' changed' WHERE id = $1";
        sqlx::query(change)
            .bind(id)
            .execute(&db.pool)
            .await
            .unwrap();
        Log::records().delete(&db.pool, id).await.unwrap();
        Log::records().restore(&db.pool, id).await.unwrap();
    }
    let mut deleted = db.pool.begin().await.unwrap();
    let id = insert(&mut deleted, "deleted at once").await;
    Log::records().delete(&mut deleted, id).await.unwrap();
    let gone = insert(&mut deleted, "deleted for good").await;
    Log::records()
        .hard_delete(&mut deleted, gone)
        .await
        .unwrap();
    let mut with_deleted = Log::records().with_deleted().tail().poll_every(OFTEN);
    with_deleted.start(&db.pool).await.unwrap();
    deleted.commit().await.unwrap();
    assert_eq!(next(&mut with_deleted, &db.pool).await.id, id);
    assert_nothing_else(&mut tail, &db.pool).await;
}

#[tokio::test]
async fn last_records_come_first_in_order_of_their_ids() {
    let db = testkit::database().await;
    for n in 0..5 {
        insert_one(&db.pool, &format!("{n}")).await;
    }
    let mut late = db.pool.begin().await.unwrap();
    insert(&mut late, "late").await;
    insert_one(&db.pool, "5").await;
    let mut tail = Log::records().tail().last(3).poll_every(OFTEN);
    tail.start(&db.pool).await.unwrap();
    let start = tail.position();
    assert_eq!(messages(&mut tail, &db.pool, 2).await, ["3", "4"]);
    assert_eq!(tail.position(), start);
    late.commit().await.unwrap();
    assert_eq!(messages(&mut tail, &db.pool, 2).await, ["5", "late"]);
    assert_nothing_else(&mut tail, &db.pool).await;

    let mut errors = Log::records().filter(Filter::parse("message=3").unwrap());
    errors = errors.timeout(Duration::from_secs(60));
    let mut tail = errors.tail().last(10_000);
    assert_eq!(messages(&mut tail, &db.pool, 1).await, ["3"]);
}

#[tokio::test]
async fn tail_with_filter_returns_matching_records_only() {
    let db = testkit::database().await;
    let filter = Filter::parse_all(["level__in=warn,error", "meta.n__gte=10"]).unwrap();
    let mut tail = Log::records().filter(filter).tail().poll_every(OFTEN);
    tail.start(&db.pool).await.unwrap();
    let levels = [Level::Info, Level::Warn, Level::Error, Level::Debug];
    let logs: Vec<NewLog> = (0..40)
        .map(|n: usize| {
            let log = NewLog::new("API", levels[n % 4], format!("{n}"));
            log.meta(lookback::json!({ "n": n }))
        })
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let wanted: Vec<String> = (10..40)
        .filter(|n| [1, 2].contains(&(n % 4)))
        .map(|n| n.to_string())
        .collect();
    assert_eq!(messages(&mut tail, &db.pool, wanted.len()).await, wanted);
}

/// Records arrive while nobody follows, and late ones among them.
#[tokio::test]
async fn tail_after_position_continues_in_another_process() {
    let db = testkit::database().await;
    let mut tail = started(&db.pool).await;
    let mut late = db.pool.begin().await.unwrap();
    insert(&mut late, "late").await;
    let mut later = db.pool.begin().await.unwrap();
    insert(&mut later, "later").await;
    for n in 0..4 {
        insert_one(&db.pool, &format!("{n}")).await;
    }
    assert_eq!(messages(&mut tail, &db.pool, 2).await, ["0", "1"]);
    let text = tail.position().unwrap().to_string();
    drop(tail);
    late.commit().await.unwrap();
    insert_one(&db.pool, "4").await;

    let position: Position = text.parse().unwrap();
    let mut tail = Log::records()
        .tail()
        .after(position.clone())
        .poll_every(OFTEN);
    assert_eq!(tail.position(), Some(position));
    assert_eq!(
        messages(&mut tail, &db.pool, 4).await,
        ["late", "2", "3", "4"]
    );
    let position = tail.position().unwrap();
    drop(tail);
    later.commit().await.unwrap();
    let mut tail = Log::records().tail().after(position).poll_every(OFTEN);
    assert_eq!(messages(&mut tail, &db.pool, 1).await, ["later"]);
    assert_nothing_else(&mut tail, &db.pool).await;
    // Nothing is left that may arrive, and the position is short again.
    assert_nothing_else(&mut tail, &db.pool).await;
    assert_nothing_else(&mut tail, &db.pool).await;
    let text = tail.position().unwrap().to_string();
    assert!(text.len() < 40, "{text}");
}

#[tokio::test]
async fn position_of_another_table_or_ahead_of_its_ids_is_an_error() {
    let db = testkit::database().await;
    insert_one(&db.pool, "one").await;
    let position = {
        let mut tail = started(&db.pool).await;
        insert_one(&db.pool, "two").await;
        next(&mut tail, &db.pool).await;
        tail.position().unwrap()
    };
    let error = RequestSnapshot::records().tail().after(position.clone());
    let error = { error }.next(&db.pool).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "position: is a position in logs, and cannot be used for request_snapshots"
    );
    db.pool
        .execute("TRUNCATE logs RESTART IDENTITY")
        .await
        .unwrap();
    let error = { Log::records().tail().after(position) }
        .next(&db.pool)
        .await;
    let error = error.unwrap_err();
    assert!(error.is_invalid());
    assert_eq!(
        error.to_string(),
        "position: is after id 2, and the ids of logs were set back since, or this is another \
         database; start a new tail"
    );
}

#[tokio::test]
async fn unsupported_settings_and_sequences_are_errors() {
    let db = testkit::database().await;
    let error = async |mut tail: Tail<Log>| tail.next(&db.pool).await.unwrap_err().to_string();
    assert_eq!(
        error(Log::records().search("x").tail()).await,
        "search: cannot be combined with a tail"
    );
    assert_eq!(
        error(Log::records().tail().last(10_001)).await,
        "last: 10001 is more than 10000; list them"
    );
    let mut transaction = db.pool.begin().await.unwrap();
    let in_transaction = Log::records().tail().next(&mut transaction).await;
    let message = in_transaction.unwrap_err().to_string();
    assert!(
        message.starts_with("tail: cannot be in a transaction"),
        "{message}"
    );
    drop(transaction);
    db.pool
        .execute("ALTER SEQUENCE logs_id_seq CACHE 20")
        .await
        .unwrap();
    let message = error(Log::records().tail()).await;
    assert!(message.contains("CACHE 1 on that of logs.id"), "{message}");
}

/// As a role that may only read, through a pool whose connections change, as those of a pooler.
#[tokio::test]
async fn reader_without_the_sequence_follows_a_burst_in_pages() {
    let db = testkit::database().await;
    let role = db.name().replace("test", "tails");
    let execute = async |sql: String| {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&db.pool)
            .await
            .unwrap();
    };
    execute(format!("CREATE ROLE {role} LOGIN PASSWORD 'reads'")).await;
    execute(format!("GRANT SELECT ON logs TO {role}")).await;
    let (scheme, rest) = db.url.split_once("://").unwrap();
    let url = format!(
        "{scheme}://{role}:reads@{}",
        rest.split_once('@').unwrap().1
    );
    let readers = PgPoolOptions::new().max_connections(3);
    let readers = readers.connect(&url).await.unwrap();
    for pool in [&readers, &db.pool] {
        let mut tail = started(pool).await;
        let mut late = db.pool.begin().await.unwrap();
        insert(&mut late, "late").await;
        execute(
            "INSERT INTO logs (source, level, message) \
             SELECT 'API', 'info', n::text FROM generate_series(1, 20000) AS n"
                .to_owned(),
        )
        .await;
        let mut rolled_back = db.pool.begin().await.unwrap();
        rolled_back
            .execute(
                "INSERT INTO logs (source, level, message) \
                 SELECT 'API', 'info', n::text FROM generate_series(1, 3000) AS n",
            )
            .await
            .unwrap();
        rolled_back.rollback().await.unwrap();
        let mut ready = 0;
        for n in 1..=20_000 {
            let record = match tail.next_ready() {
                Some(record) => {
                    ready += 1;
                    record.unwrap()
                }
                None => next(&mut tail, pool).await,
            };
            assert_eq!(record.message, n.to_string());
        }
        assert!(ready > 19_000, "{ready}");
        late.commit().await.unwrap();
        assert_eq!(messages(&mut tail, pool, 1).await, ["late"]);
        insert_one(&db.pool, "the end").await;
        assert_eq!(messages(&mut tail, pool, 1).await, ["the end"]);
    }
    readers.close().await;
    execute(format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

/// Ids that a caller chooses far ahead do not hide those that the sequence assigns later.
#[tokio::test]
async fn ids_ahead_of_the_sequence_hide_no_later_records() {
    let db = testkit::database().await;
    let mut tail = started(&db.pool).await;
    db.pool
        .execute(
            "INSERT INTO logs (id, source, level, message) OVERRIDING SYSTEM VALUE \
             VALUES (5000, 'API', 'info', 'ahead')",
        )
        .await
        .unwrap();
    assert_eq!(messages(&mut tail, &db.pool, 1).await, ["ahead"]);
    for n in 0..5 {
        assert!(insert_one(&db.pool, &format!("{n}")).await < 5_000);
        assert_eq!(messages(&mut tail, &db.pool, 1).await, [format!("{n}")]);
    }
}

/// A dropped `next` loses nothing.
#[tokio::test]
async fn cancelled_waits_lose_no_record() {
    let db = testkit::database().await;
    let mut tail = started(&db.pool).await;
    let writer = async {
        for n in 0..200 {
            insert_one(&db.pool, &format!("{n}")).await;
        }
    };
    let reader = async {
        let mut read = Vec::new();
        let mut pause = 0;
        while read.len() < 200 {
            // From too short for any step to long enough for several.
            pause = (pause + 7_000) % 90_000;
            let wait = tokio::time::timeout(Duration::from_micros(pause), tail.next(&db.pool));
            if let Ok(record) = wait.await {
                read.push(record.unwrap().message);
            }
        }
        read
    };
    let ((), read) = within("200 records", async { tokio::join!(writer, reader) }).await;
    assert_eq!(read, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_nothing_else(&mut tail, &db.pool).await;
}

/// A poll reads the index of the partition with the newest ids, and of those behind it.
#[tokio::test]
async fn poll_does_not_read_older_partitions() {
    let db = testkit::database().await;
    insert_one(&db.pool, "old").await;
    sqlx::query("SELECT setval('logs_id_seq', $1)")
        .bind(first_bound(&db.pool, "logs").await)
        .execute(&db.pool)
        .await
        .unwrap();
    let newest = insert_one(&db.pool, "new").await;
    // All reads are on one connection: another one reports its scans some time later.
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let partition_of = async |conn: &mut PgConnection, id: i64| -> String {
        sqlx::query_scalar("SELECT tableoid::regclass::text FROM logs WHERE id = $1")
            .bind(id)
            .fetch_one(conn)
            .await
            .unwrap()
    };
    let scans = async |conn: &mut PgConnection, partition: &str| -> i64 {
        conn.execute("SELECT pg_stat_force_next_flush()")
            .await
            .unwrap();
        sqlx::query_scalar(
            "SELECT coalesce(sum(idx_scan) + sum(seq_scan), 0)::bigint FROM pg_stat_user_tables \
             WHERE relname = $1",
        )
        .bind(partition)
        .fetch_one(conn)
        .await
        .unwrap()
    };
    let old = partition_of(&mut conn, 1).await;
    let new = partition_of(&mut conn, newest).await;
    assert_ne!(old, new);
    let mut tail = Log::records().tail().poll_every(OFTEN);
    tail.start(&mut conn).await.unwrap();
    let before = (scans(&mut conn, &old).await, scans(&mut conn, &new).await);
    // More than five times, so that the cached plan is generic.
    for n in 0..12 {
        let mut rolled_back = db.pool.begin().await.unwrap();
        insert(&mut rolled_back, "rolled back").await;
        rolled_back.rollback().await.unwrap();
        let id = insert_one(&db.pool, &format!("{n}")).await;
        let log = within("a record", tail.next(&mut conn)).await.unwrap();
        assert_eq!(log.id, id);
    }
    let after = (scans(&mut conn, &old).await, scans(&mut conn, &new).await);
    assert_eq!(after.0, before.0, "{old} was read");
    assert!(after.1 >= before.1 + 12, "{new}: {before:?} {after:?}");
}

/// The end of the first partition of a table.
async fn first_bound(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT min(substring(pg_get_expr(relpartbound, oid) FROM 'TO [(]''([0-9]+)')::bigint) \
         FROM pg_class WHERE oid IN (SELECT relid FROM pg_partition_tree($1::regclass) WHERE isleaf)",
    )
    .bind(table)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn other_partitioned_tables_and_partition_bounds_are_followed() {
    let db = testkit::database().await;
    let mut tail = RequestSnapshot::records().tail().poll_every(OFTEN);
    tail.start(&db.pool).await.unwrap();
    let at = time("2026-01-01T00:00:00Z");
    let new = |path: &str| NewRequestSnapshot::new("GET", path, at, "1", "test");
    let create = async |path: &str| {
        RequestSnapshot::records()
            .create(&db.pool, new(path))
            .await
            .unwrap()
            .id
    };
    create("/a").await;
    let bound = first_bound(&db.pool, "request_snapshots").await;
    sqlx::query("SELECT setval('request_snapshots_id_seq', $1)")
        .bind(bound - 2)
        .execute(&db.pool)
        .await
        .unwrap();
    for path in ["/b", "/c", "/d"] {
        create(path).await;
    }
    for path in ["/a", "/b", "/c", "/d"] {
        let record = within("a record", tail.next(&db.pool)).await.unwrap();
        assert_eq!(record.path, path);
    }
}

/// What a writer does in one transaction.
async fn write(pool: &PgPool, random: &mut Random, writer: u64) -> BTreeSet<i64> {
    let mut stored = BTreeSet::new();
    let mut transaction = pool.begin().await.unwrap();
    for _ in 0..=random.below(4) {
        match random.below(4) {
            0 => {
                let mut savepoint = transaction.begin().await.unwrap();
                let mut inner = BTreeSet::new();
                for _ in 0..=random.below(3) {
                    inner.insert(insert(&mut savepoint, &format!("writer {writer}")).await);
                }
                if random.below(3) == 0 {
                    savepoint.rollback().await.unwrap();
                } else {
                    savepoint.commit().await.unwrap();
                    stored.append(&mut inner);
                }
            }
            1 => {
                let logs: Vec<NewLog> = (0..=random.below(60))
                    .map(|n| NewLog::new("API", Level::Info, format!("copy {writer} {n}")))
                    .collect();
                let before: Vec<i64> = ids(&mut transaction, writer).await;
                Log::records()
                    .create_many(&mut transaction, &logs)
                    .await
                    .unwrap();
                let before: BTreeSet<i64> = before.into_iter().collect();
                let now = ids(&mut transaction, writer).await;
                stored.extend(now.into_iter().filter(|id| !before.contains(id)));
            }
            2 => {
                sqlx::query("SELECT nextval('logs_id_seq')")
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
            }
            _ => {
                let id = insert(&mut transaction, &format!("writer {writer}")).await;
                if random.below(6) == 0 {
                    Log::records().delete(&mut transaction, id).await.unwrap();
                } else {
                    stored.insert(id);
                }
            }
        }
        tokio::time::sleep(Duration::from_micros(random.below(4_000))).await;
    }
    if random.below(8) == 0 {
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
    }
    if random.below(4) == 0 {
        transaction.rollback().await.unwrap();
        return BTreeSet::new();
    }
    transaction.commit().await.unwrap();
    if random.below(3) == 0 {
        sqlx::query("UPDATE logs SET meta = '{\"changed\": true}' WHERE id = ANY($1)")
            .bind(stored.iter().copied().collect::<Vec<_>>())
            .execute(pool)
            .await
            .unwrap();
    }
    stored
}

/// The ids that a writer copied.
async fn ids(conn: &mut PgConnection, writer: u64) -> Vec<i64> {
    sqlx::query_scalar("SELECT id FROM logs WHERE message LIKE $1")
        .bind(format!("copy {writer} %"))
        .fetch_all(conn)
        .await
        .unwrap()
}

/// Tails that start, stop and continue at any time return each record that was committed after
/// their start, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_of_many_writers_returns_what_was_committed() {
    const WRITERS: u64 = 6;
    let (cases, seed) = crate::random::cases_and_seed(3);
    let mut random = Random::new(seed);
    for _ in 0..cases.min(200) {
        let db = testkit::database().await;
        let options = PgPoolOptions::new().max_connections(16);
        let pool = options.connect(&db.url).await.unwrap();
        let mut tail = started(&pool).await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (pool, mut random) = (pool.clone(), Random::new(random.below(u64::MAX)));
                tokio::spawn(async move {
                    let mut stored = BTreeSet::new();
                    for _ in 0..25 {
                        stored.append(&mut write(&pool, &mut random, writer).await);
                    }
                    stored
                })
            })
            .collect();
        let mut read = Vec::new();
        // One that starts in the middle: everything that it does not show as the last records of
        // before.
        let mut second: Option<Tail<Log>> = None;
        let mut second_read = Vec::new();
        let writing = async {
            let mut stored = BTreeSet::new();
            for writer in writers {
                stored.append(&mut writer.await.unwrap());
            }
            insert_one(&pool, "the end").await;
            stored
        };
        let reading = async {
            let mut ends = 0;
            loop {
                let log = next(&mut tail, &pool).await;
                if log.message == "the end" {
                    // A poll may find the end in a page after one that it has read too early.
                    ends += 1;
                    if ends == 4 {
                        break;
                    }
                    insert_one(&pool, "the end").await;
                    continue;
                }
                read.push(log.id);
                if random.below(20) == 0 {
                    let text = tail.position().unwrap().to_string();
                    tail = Log::records()
                        .tail()
                        .poll_every(OFTEN)
                        .after(text.parse().unwrap());
                }
                if read.len() == 150 {
                    let mut middle = Log::records().tail().last(10_000).poll_every(OFTEN);
                    middle.start(&pool).await.unwrap();
                    second = Some(middle);
                }
            }
            if let Some(middle) = &mut second {
                loop {
                    let log = next(middle, &pool).await;
                    if log.message == "the end" {
                        break;
                    }
                    second_read.push(log.id);
                }
            }
        };
        let (stored, ()) = within("all records", async { tokio::join!(writing, reading) }).await;
        for read in [&read, &second_read] {
            let distinct: BTreeSet<i64> = read.iter().copied().collect();
            assert_eq!(distinct.len(), read.len(), "a record was returned twice");
            let missing: Vec<_> = stored.difference(&distinct).collect();
            assert_eq!(missing, Vec::<&i64>::new(), "missing");
            let more: Vec<_> = distinct.difference(&stored).collect();
            assert_eq!(more, Vec::<&i64>::new(), "not stored");
        }
        pool.close().await;
    }
}

/// Reads what has arrived between a position and that of a poll.
async fn read_arrived(
    arrivals: &mut Arrivals<Log>,
    from: &mut Position,
    filter: Filter<Log>,
    pool: &PgPool,
) -> Vec<(i64, Option<Position>)> {
    let to = arrivals.poll(pool).await.unwrap();
    let query = Log::records().filter(filter);
    let mut read = Vec::new();
    loop {
        let page = query.arrived(pool, from, &to).await.unwrap();
        for arrived in page.records {
            read.push((arrived.record.unwrap().id, arrived.position));
        }
        *from = page.position;
        if page.is_last {
            return read;
        }
    }
}

#[tokio::test]
async fn readers_with_positions_of_their_own_share_a_poll() {
    let db = testkit::database().await;
    insert_one(&db.pool, "before").await;
    let mut arrivals = Arrivals::<Log>::new();
    let start = arrivals.poll(&db.pool).await.unwrap();
    let mut late = db.pool.begin().await.unwrap();
    let late_id = insert(&mut late, "late").await;
    let mut stored = Vec::new();
    for n in 0..3 {
        stored.push(insert_one(&db.pool, &format!("{n}")).await);
    }
    let mut one = start.clone();
    let read = read_arrived(&mut arrivals, &mut one, Filter::all(), &db.pool).await;
    let ids: Vec<i64> = read.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, stored);
    assert!(!one.has(late_id) && one.has(stored[2]) && !one.has(stored[2] + 1));
    // The position of each record is behind it, and before the next one.
    let mut middle = read[0].1.clone().unwrap();
    late.commit().await.unwrap();
    let read = read_arrived(&mut arrivals, &mut middle, Filter::all(), &db.pool).await;
    let ids: Vec<i64> = read.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [late_id, stored[1], stored[2]]);
    let read = read_arrived(&mut arrivals, &mut one, Filter::all(), &db.pool).await;
    assert_eq!(read.len(), 1);
    assert_eq!(one, middle);
    // Another reader sees only what it asks for, and moves behind the rest.
    let mut other = start;
    let filter = Filter::parse("message=1").unwrap();
    let read = read_arrived(&mut arrivals, &mut other, filter, &db.pool).await;
    assert_eq!(read[0].0, stored[1]);
    assert_eq!(other, one);
    let wrong = Log::records().limit(1).arrived(&db.pool, &one, &one).await;
    assert!(wrong.unwrap_err().is_invalid());
    let requests = RequestSnapshot::records()
        .arrived(&db.pool, &one, &one)
        .await;
    assert!(requests.unwrap_err().is_invalid());
    let ahead = Position::from_str("WzEsImxvZ3MiLDQ3MTEsW11d").unwrap();
    let mut ahead = Arrivals::<Log>::new().after(ahead);
    assert!(ahead.poll(&db.pool).await.unwrap_err().is_invalid());
}

/// Readers that join at any time, and go on from any of their positions, read each record once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_many_writers_read_what_was_committed() {
    const WRITERS: u64 = 6;
    let (cases, seed) = crate::random::cases_and_seed(2);
    let mut random = Random::new(seed);
    for _ in 0..cases.min(200) {
        let db = testkit::database().await;
        let options = PgPoolOptions::new().max_connections(16);
        let pool = options.connect(&db.url).await.unwrap();
        // Two servers, each with a poll of its own.
        let mut polls = [Arrivals::<Log>::new(), Arrivals::<Log>::new()];
        let mut position = polls[0].poll(&pool).await.unwrap();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (pool, mut random) = (pool.clone(), Random::new(random.below(u64::MAX)));
                tokio::spawn(async move {
                    let mut stored = BTreeSet::new();
                    for _ in 0..20 {
                        stored.append(&mut write(&pool, &mut random, writer).await);
                    }
                    stored
                })
            })
            .collect();
        let mut read = Vec::new();
        let mut stored = BTreeSet::new();
        let mut writers = writers.into_iter();
        let mut rest = 3;
        while rest > 0 {
            let all_done = writers
                .as_slice()
                .iter()
                .all(tokio::task::JoinHandle::is_finished);
            rest -= i32::from(all_done);
            let poll = &mut polls[usize::from(random.below(3) == 0)];
            let mut from = position.clone();
            let arrived = read_arrived(poll, &mut from, Filter::all(), &pool).await;
            // It is cut off behind any of the records.
            let kept = match random.below(4) {
                0 if !arrived.is_empty() => {
                    let last = usize::try_from(random.below(arrived.len() as u64)).unwrap();
                    from = arrived[last].1.clone().unwrap();
                    rest = rest.max(1);
                    last + 1
                }
                _ => arrived.len(),
            };
            read.extend(arrived[..kept].iter().map(|(id, _)| *id));
            position = from.to_string().parse().unwrap();
            tokio::time::sleep(Duration::from_millis(random.below(10))).await;
        }
        for writer in writers.by_ref() {
            stored.append(&mut writer.await.unwrap());
        }
        let distinct: BTreeSet<i64> = read.iter().copied().collect();
        assert_eq!(distinct.len(), read.len(), "a record was read twice");
        let differs: Vec<_> = stored.symmetric_difference(&distinct).collect();
        assert_eq!(differs, Vec::<&i64>::new(), "seed {seed}");
        pool.close().await;
    }
}
