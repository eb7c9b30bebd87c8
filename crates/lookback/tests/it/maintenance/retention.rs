//! Freezing and retention.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use lookback::maintenance::sealing::Sealer;
use lookback::maintenance::{
    PrecreateOptions, PruneReport, RetentionPolicy, freeze_partition, oldest_remaining, plan_prune,
    precreate_partitions, prune,
};
use lookback::{
    Level, Log, Metric, Model, NewLog, NewMetric, NewRequestSnapshot, RequestSnapshot,
    RequestSnapshotPatch,
};
use sqlx::PgPool;

use super::{END, execute, layout, number, partitions, until};
use crate::sealing::seal_all;
use crate::time;

const DAY: Duration = Duration::from_secs(86_400);

/// The time of the line of this number: one an hour.
fn hour(number: usize) -> DateTime<Utc> {
    time("2026-01-01T00:00:00Z") + TimeDelta::hours(i64::try_from(number).unwrap())
}

fn options() -> PrecreateOptions {
    let mut options = PrecreateOptions::default();
    options.ids_per_partition = 100;
    options
}

/// 350 lines, an hour apart, in partitions of 100, sealed by 50.
async fn filled() -> testkit::Database {
    let db = testkit::database_without_ranges().await;
    precreate_partitions(&db.pool, Log::TABLE, &options())
        .await
        .unwrap();
    let lines: Vec<NewLog> = (1..=350)
        .map(|number| {
            NewLog::new("API", Level::Info, format!("line {number}")).created_at(hour(number))
        })
        .collect();
    for lines in lines.chunks(50) {
        Log::records().create_many(&db.pool, lines).await.unwrap();
        precreate_partitions(&db.pool, Log::TABLE, &options())
            .await
            .unwrap();
    }
    seal(&db.pool, Log::TABLE).await;
    db
}

async fn seal(pool: &PgPool, table: &'static lookback::table::Table) {
    let mut conn = pool.acquire().await.unwrap();
    seal_all(&mut conn, &mut Sealer::new(table, 50).unwrap()).await;
}

/// Freezes all sealed partitions, unless another process does.
async fn freeze_all(pool: &PgPool, table: &'static lookback::table::Table) -> Vec<String> {
    let begun = Instant::now();
    let mut names = Vec::new();
    loop {
        match freeze_partition(pool, table).await {
            Ok(Some(name)) => names.push(name),
            Ok(None) => return names,
            // An autovacuum holds the partition.
            Err(error) => assert!(error.is_timeout() && begun.elapsed() < END, "{error}"),
        }
    }
}

async fn frozen(pool: &PgPool) -> usize {
    let partitions = partitions(pool).await;
    partitions.iter().filter(|p| p.is_frozen).count()
}

#[tokio::test]
async fn filters_on_time_skip_frozen_partitions() {
    let db = filled().await;
    let names = freeze_all(&db.pool, Log::TABLE).await;
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(frozen(&db.pool).await, 3);
    assert_eq!(
        freeze_all(&db.pool, Log::TABLE).await,
        <[String; 0]>::default()
    );

    let query = Log::records().filter(Log::created_at().between(hour(120), hour(130)));
    let (page, plan) =
        testkit::plans::explain(&db, async |conn| query.list(conn).await.unwrap()).await;
    assert_eq!(page.total.value(), 11);
    for (name, is_read) in [
        ("0000", false),
        ("0100", true),
        ("0200", false),
        ("0300", true),
    ] {
        assert_eq!(
            plan.contains(&format!("logs_p000000000000{name}")),
            is_read,
            "{name}: {plan}"
        );
    }
    // A table that was neither vacuumed nor analysed has no statistics.
    let known = "SELECT min(reltuples)::bigint FROM pg_class \
        WHERE relname IN ('logs_p0000000000000000', 'logs_p0000000000000200')";
    assert_eq!(number(&db.pool, known).await, 99);
}

#[tokio::test]
async fn update_beyond_the_times_of_a_frozen_partition_names_the_constraint() {
    let db = testkit::database_without_ranges().await;
    precreate_partitions(&db.pool, RequestSnapshot::TABLE, &options())
        .await
        .unwrap();
    let requests: Vec<_> = (1..=150)
        .map(|n| NewRequestSnapshot::new("GET", "/", hour(n), "1", "test").created_at(hour(n)))
        .collect();
    RequestSnapshot::records()
        .create_many(&db.pool, &requests)
        .await
        .unwrap();
    seal(&db.pool, RequestSnapshot::TABLE).await;
    freeze_all(&db.pool, RequestSnapshot::TABLE).await;
    let change = |to| RequestSnapshotPatch::new().timestamp(to);
    let records = RequestSnapshot::records();
    records.update(&db.pool, 7, change(hour(20))).await.unwrap();
    let refused = records
        .update(&db.pool, 7, change(hour(500)))
        .await
        .unwrap_err();
    assert!(refused.is_invalid());
    insta::assert_snapshot!(refused, @"
timestamp: must be in the range of times of request_snapshots_p0000000000000000, which is frozen; to allow it, drop its constraint lookback_times, which is added again later
");
    // The hint helps, and the partition is frozen again.
    execute(
        &db.pool,
        "ALTER TABLE request_snapshots_p0000000000000000 DROP CONSTRAINT lookback_times",
    )
    .await;
    records
        .update(&db.pool, 7, change(hour(500)))
        .await
        .unwrap();
    assert_eq!(freeze_all(&db.pool, RequestSnapshot::TABLE).await.len(), 1);
}

/// Rows change between reading the times and validating the constraint.
#[tokio::test]
async fn freeze_after_rows_changed_starts_over() {
    let db = filled().await;
    execute(
        &db.pool,
        "ALTER TABLE logs_p0000000000000000 ADD CONSTRAINT lookback_times \
        CHECK (created_at < '2026-01-02') NOT VALID",
    )
    .await;
    assert_eq!(freeze_all(&db.pool, Log::TABLE).await.len(), 3);
}

#[tokio::test]
async fn interrupted_freeze_is_continued() {
    let db = filled().await;
    let mut named = 0;
    for micros in 0..200 {
        let some = tokio::time::timeout(
            Duration::from_micros(micros * 100),
            freeze_partition(&db.pool, Log::TABLE),
        );
        if let Ok(Ok(Some(_))) = some.await {
            named += 1;
        }
    }
    // The server may still work on something that was interrupted here.
    until("all sealed partitions are frozen", async || {
        named += freeze_all(&db.pool, Log::TABLE).await.len();
        frozen(&db.pool).await == 3
    })
    .await;
    assert!(named <= 3, "{named}");
    assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, 350);
}

/// No freeze fails because another one was faster.
#[tokio::test]
async fn concurrent_freezes_of_the_same_partitions_succeed() {
    let db = filled().await;
    for _ in 0..10 {
        until("all sealed partitions are frozen", async || {
            let all = || freeze_all(&db.pool, Log::TABLE);
            tokio::join!(all(), all(), all());
            frozen(&db.pool).await == 3
        })
        .await;
        for partition in ["0000", "0100", "0200"] {
            let name = format!("logs_p000000000000{partition}");
            let sql = format!("ALTER TABLE {name} DROP CONSTRAINT lookback_times");
            execute(&db.pool, &sql).await;
        }
    }
}

/// Plans and prunes a policy; both must report the same.
async fn plan_and_prune(
    pool: &PgPool,
    table: &'static lookback::table::Table,
    policy: RetentionPolicy,
    now: DateTime<Utc>,
) -> String {
    let mut conn = pool.acquire().await.unwrap();
    let plan = plan_prune(&mut conn, table, &policy, now).await.unwrap();
    let again = plan_prune(&mut conn, table, &policy, now).await.unwrap();
    assert_eq!(plan, again, "a preview changes nothing");
    let oldest = oldest_remaining(&mut conn, table, &plan).await.unwrap();
    let count = format!("SELECT count(*) FROM {}", table.name());
    let rows = number(pool, &count).await;
    let mut reports = Vec::new();
    let mut on_progress = |report: &PruneReport| {
        reports.push(report.clone());
        ControlFlow::Continue(())
    };
    let done = prune(pool, table, &plan, &mut on_progress).await.unwrap();
    assert_eq!(
        (done.deleted_rows, done.freed_bytes, done.dropped_partitions),
        (plan.rows(), plan.bytes(), plan.partitions.len() as u64)
    );
    assert_eq!(
        rows - number(pool, &count).await,
        i64::try_from(plan.rows()).unwrap()
    );
    assert_eq!(reports.last().cloned().unwrap_or_default(), done);
    let left = plan_prune(&mut conn, table, &policy, now).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(
        oldest_remaining(&mut conn, table, &left).await.unwrap(),
        oldest
    );
    let names: Vec<_> = plan
        .partitions
        .iter()
        .map(|p| format!("{} {}", p.name, p.rows))
        .collect();
    format!(
        "{names:?} expired {} soft-deleted {} oldest remaining {:?}",
        plan.expired_rows, plan.soft_deleted_rows, oldest
    )
}

#[tokio::test]
async fn prune_by_age_drops_partitions_with_their_summaries() {
    let db = filled().await;
    freeze_all(&db.pool, Log::TABLE).await;
    // Nothing is older than a year.
    let year = RetentionPolicy::default().older_than(365 * DAY);
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, year, hour(400)).await, @"
[] expired 0 soft-deleted 0 oldest remaining Some(2026-01-01T01:00:00Z)
");
    // The first two partitions, and a part of the third, which is not dropped.
    let policy = RetentionPolicy::default().older_than(100 * DAY);
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, policy, hour(250 + 2_400)).await, @r#"
["logs_p0000000000000000 99", "logs_p0000000000000100 100"] expired 0 soft-deleted 0 oldest remaining Some(2026-01-09T08:00:00Z)
"#);
    for side in ["sealed_segments", "search_blocks", "search_postings"] {
        let of = |ids: &str| format!("SELECT count(*) FROM {side} WHERE target = 'logs' AND {ids}");
        assert_eq!(number(&db.pool, &of("first_id < 200")).await, 0, "{side}");
        assert!(number(&db.pool, &of("first_id >= 200")).await > 0, "{side}");
    }
    // All records are old; the partition that takes inserts is not dropped.
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, policy, hour(351 + 2_400)).await, @r#"
["logs_p0000000000000200 100"] expired 0 soft-deleted 0 oldest remaining Some(2026-01-13T12:00:00Z)
"#);
    insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000300 300..400 51
logs_p0000000000000400 400..500 0
logs_p0000000000000500 500..600 0
logs_default -..- 0
");
    Log::records()
        .create_many(&db.pool, &super::lines(0..200))
        .await
        .unwrap();
    seal(&db.pool, Log::TABLE).await;
    assert_eq!(
        Log::records()
            .search("line 7")
            .list(&db.pool)
            .await
            .unwrap()
            .data[0]
            .message,
        "line 7"
    );
}

/// If records arrive slowly, a partition takes months to fill up.
#[tokio::test]
async fn prune_by_age_deletes_overdue_rows_of_partitions_that_stay() {
    let db = filled().await;
    let policy = RetentionPolicy::default().older_than(10 * DAY);
    // Lines 300 to 319 are too old, and none by a day more.
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, policy, hour(320 + 240)).await, @r#"
["logs_p0000000000000000 99", "logs_p0000000000000100 100", "logs_p0000000000000200 100"] expired 0 soft-deleted 0 oldest remaining Some(2026-01-13T12:00:00Z)
"#);
    // Now the first of them are a day older, and all that are too old are deleted.
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, policy, hour(330 + 240)).await, @"
[] expired 30 soft-deleted 0 oldest remaining Some(2026-01-14T18:00:00Z)
");
    let first = async |words: &str| {
        let found = Log::records().search(words).list(&db.pool).await.unwrap();
        found.data.first().map(|line| line.message.clone())
    };
    assert_ne!(first("line 329").await.unwrap(), "line 329");
    assert_eq!(first("line 330").await.unwrap(), "line 330");
    let segments = "SELECT string_agg(concat_ws(' ', first_id, last_id, rows, oldest AT TIME ZONE 'UTC'), '; ') \
        FROM sealed_segments WHERE target = 'logs'";
    let segments: String = sqlx::query_scalar(segments)
        .fetch_one(&db.pool)
        .await
        .unwrap();
    insta::assert_snapshot!(segments, @"300 349 20 2026-01-14 18:00:00");
    // Rows that another program deleted are noticed, too.
    let day = RetentionPolicy::default().older_than(DAY);
    execute(&db.pool, "DELETE FROM logs WHERE id < 340").await;
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, day, hour(357)).await, @"
[] expired 0 soft-deleted 0 oldest remaining Some(2026-01-15T04:00:00Z)
");
    let rows = "SELECT sum(rows)::bigint FROM sealed_segments WHERE target = 'logs'";
    assert_eq!(number(&db.pool, rows).await, 10);
    // All rows are deleted, and all summaries with them.
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, policy, hour(10_000)).await, @"
[] expired 11 soft-deleted 0 oldest remaining None
");
    for kept in [
        "sealed_segments WHERE NOT is_tombstone AND",
        "search_blocks WHERE",
        "search_postings WHERE",
        "search_templates WHERE",
    ] {
        let kept = format!("SELECT count(*) FROM {kept} target = 'logs'");
        assert_eq!(number(&db.pool, &kept).await, 0, "{kept}");
    }
    Log::records()
        .create_many(&db.pool, &super::lines(0..200))
        .await
        .unwrap();
    seal(&db.pool, Log::TABLE).await;
    assert_eq!(first("line 7").await.unwrap(), "line 7");
}

#[tokio::test]
async fn prune_by_size_drops_the_oldest_partitions() {
    let db = filled().await;
    let of = |p: &str| format!("SELECT pg_total_relation_size('logs_p0000000000000{p}')");
    let first = number(&db.pool, &of("000")).await;
    let all = number(
        &db.pool,
        "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('logs')",
    )
    .await;
    let sides = number(
        &db.pool,
        "SELECT (SELECT sum(pg_column_size(b.*)) FROM search_blocks b)::bigint \
        + (SELECT coalesce(sum(pg_column_size(k.*)), 0) FROM search_postings k)::bigint \
        + (SELECT coalesce(sum(pg_column_size(t.*)), 0) FROM search_templates t)::bigint \
        + (SELECT sum(pg_column_size(s.*)) FROM sealed_segments s)::bigint",
    )
    .await;
    let most = |bytes: i64| RetentionPolicy::default().larger_than(bytes.unsigned_abs());
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, most(all + sides), hour(400)).await, @"
[] expired 0 soft-deleted 0 oldest remaining Some(2026-01-01T01:00:00Z)
");
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, most(all + sides - 1), hour(400)).await, @r#"
["logs_p0000000000000000 99"] expired 0 soft-deleted 0 oldest remaining Some(2026-01-05T04:00:00Z)
"#);
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, most(all - first - 1), hour(400)).await, @r#"
["logs_p0000000000000100 100"] expired 0 soft-deleted 0 oldest remaining Some(2026-01-09T08:00:00Z)
"#);
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, most(0), hour(400)).await, @r#"
["logs_p0000000000000200 100"] expired 0 soft-deleted 0 oldest remaining Some(2026-01-13T12:00:00Z)
"#);
    let mut conn = db.pool.acquire().await.unwrap();
    let refused = plan_prune(&mut conn, Metric::TABLE, &most(1), hour(1)).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"
larger_than: is for partitioned tables, and metrics is not
");
}

#[tokio::test]
async fn prune_deletes_soft_deleted_records_and_metrics_row_by_row() {
    let db = filled().await;
    execute(
        &db.pool,
        "UPDATE logs SET deleted_at = created_at + interval '1 day' WHERE id % 10 = 0",
    )
    .await;
    let policy = RetentionPolicy::default()
        .older_than(10 * DAY)
        .deleted_older_than(2 * DAY);
    insta::assert_snapshot!(plan_and_prune(&db.pool, Log::TABLE, policy, hour(350)).await, @r#"
["logs_p0000000000000000 99"] expired 0 soft-deleted 18 oldest remaining Some(2026-01-05T04:00:00Z)
"#);

    let windows: Vec<NewMetric> = (1..=300)
        .map(|n| {
            NewMetric::new(
                hour(n),
                hour(n) + TimeDelta::minutes(1),
                "/",
                1,
                2,
                3,
                lookback::value::ErrorRate::default(),
                1,
            )
            .created_at(hour(n))
        })
        .collect();
    Metric::records()
        .create_many(&db.pool, &windows)
        .await
        .unwrap();
    execute(
        &db.pool,
        "UPDATE metrics SET deleted_at = created_at WHERE id % 10 = 0",
    )
    .await;
    insta::assert_snapshot!(plan_and_prune(&db.pool, Metric::TABLE, policy, hour(300)).await, @"
[] expired 59 soft-deleted 20 oldest remaining Some(2026-01-03T13:00:00Z)
");
}

/// A newer record was written after the plan was made.
#[tokio::test]
async fn prune_skips_a_partition_with_a_newer_record() {
    let db = filled().await;
    let policy = RetentionPolicy::default().older_than(DAY);
    let mut conn = db.pool.acquire().await.unwrap();
    let plan = plan_prune(&mut conn, Log::TABLE, &policy, hour(324))
        .await
        .unwrap();
    let newer = hour(400).to_rfc3339();
    let newer = format!("UPDATE logs SET created_at = '{newer}' WHERE id = 150");
    execute(&db.pool, &newer).await;
    let done = prune(&db.pool, Log::TABLE, &plan, &mut |_| {
        ControlFlow::Continue(())
    })
    .await
    .unwrap();
    assert_eq!(done.skipped, ["logs_p0000000000000100"]);
    assert_eq!(done.dropped_partitions, 2);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, 151);
}

/// Readers and writers continue while partitions are dropped; a prune waits for a reader
/// that stays.
#[tokio::test]
async fn writers_continue_while_a_prune_waits_for_a_reader() {
    let db = filled().await;
    let policy = RetentionPolicy::default().older_than(DAY);
    let mut conn = db.pool.acquire().await.unwrap();
    let plan = plan_prune(&mut conn, Log::TABLE, &policy, hour(324))
        .await
        .unwrap();
    drop(conn);
    let mut reading = db.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM logs")
        .execute(&mut *reading)
        .await
        .unwrap();
    let again = plan.clone();
    let task = tokio::spawn({
        let pool = db.pool.clone();
        let mut on_progress = |_: &PruneReport| ControlFlow::Continue(());
        async move { prune(&pool, Log::TABLE, &plan, &mut on_progress).await }
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("a prune that waits", async || {
        task.is_finished() || number(&db.pool, waiting).await > 0
    })
    .await;
    // Writers behind the prune would wait for the reader, which stays until they are done.
    let writing = async {
        for _ in 0..5 {
            let lines = super::lines(0..2);
            Log::records().create_many(&db.pool, &lines).await.unwrap();
        }
    };
    tokio::time::timeout(END, writing).await.unwrap();
    reading.rollback().await.unwrap();
    let done = match task.await.unwrap() {
        // The error after a minute, if five writes take that long.
        Err(error) if error.is_timeout() => {
            let mut on_progress = |_: &PruneReport| ControlFlow::Continue(());
            prune(&db.pool, Log::TABLE, &again, &mut on_progress).await
        }
        done => done,
    };
    assert_eq!(done.unwrap().dropped_partitions, 3);
}

#[tokio::test]
async fn prune_that_is_stopped_is_continued_by_the_next() {
    let db = filled().await;
    let policy = RetentionPolicy::default().older_than(DAY);
    let mut left = 350;
    for rows in [99, 100, 100, 0] {
        let mut conn = db.pool.acquire().await.unwrap();
        let plan = plan_prune(&mut conn, Log::TABLE, &policy, hour(324))
            .await
            .unwrap();
        let done = prune(&db.pool, Log::TABLE, &plan, &mut |_| ControlFlow::Break(()))
            .await
            .unwrap();
        assert_eq!(done.deleted_rows, rows);
        left -= rows.cast_signed();
        assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, left);
    }
}
