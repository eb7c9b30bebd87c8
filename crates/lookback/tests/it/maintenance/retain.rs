//! Finishing and retention.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use lookback::maintenance::sealing::Sealer;
use lookback::maintenance::{
    AheadOptions, Policy, Retained, finish, make_ahead, oldest_kept, plan_retention, retain,
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

fn options() -> AheadOptions {
    let mut options = AheadOptions::default();
    options.ids = 100;
    options
}

/// 350 lines, an hour apart, in partitions of 100, sealed by 50.
async fn filled() -> testkit::Database {
    let db = testkit::database().await;
    make_ahead(&db.pool, Log::TABLE, &options()).await.unwrap();
    let lines: Vec<NewLog> = (1..=350)
        .map(|number| {
            NewLog::new("API", Level::Info, format!("line {number}")).created_at(hour(number))
        })
        .collect();
    for lines in lines.chunks(50) {
        Log::records().create_many(&db.pool, lines).await.unwrap();
        make_ahead(&db.pool, Log::TABLE, &options()).await.unwrap();
    }
    seal(&db.pool, Log::TABLE).await;
    db
}

async fn seal(pool: &PgPool, table: &'static lookback::Table) {
    let mut conn = pool.acquire().await.unwrap();
    seal_all(&mut conn, &mut Sealer::new(table, 50).unwrap()).await;
}

/// Finishes what there is to finish, if nobody else is at it.
async fn finish_all(pool: &PgPool, table: &'static lookback::Table) -> Vec<String> {
    let begun = Instant::now();
    let mut names = Vec::new();
    loop {
        match finish(pool, table).await {
            Ok(Some(name)) => names.push(name),
            Ok(None) => return names,
            // An autovacuum is at the partition.
            Err(error) => assert!(error.is_timeout() && begun.elapsed() < END, "{error}"),
        }
    }
}

async fn finished(pool: &PgPool) -> usize {
    let partitions = partitions(pool).await;
    partitions.iter().filter(|p| p.is_finished).count()
}

#[tokio::test]
async fn filters_on_time_leave_finished_partitions_out() {
    let db = filled().await;
    let names = finish_all(&db.pool, Log::TABLE).await;
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(finished(&db.pool).await, 3);
    assert_eq!(
        finish_all(&db.pool, Log::TABLE).await,
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
    // Nothing is known of a table that was neither vacuumed nor analysed.
    let known = "SELECT min(reltuples)::bigint FROM pg_class \
        WHERE relname IN ('logs_p0000000000000000', 'logs_p0000000000000200')";
    assert_eq!(number(&db.pool, known).await, 99);
}

#[tokio::test]
async fn a_record_out_of_the_times_of_a_finished_partition_is_refused_in_words() {
    let db = testkit::database().await;
    make_ahead(&db.pool, RequestSnapshot::TABLE, &options())
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
    finish_all(&db.pool, RequestSnapshot::TABLE).await;
    let change = |to| RequestSnapshotPatch::new().timestamp(to);
    let records = RequestSnapshot::records();
    records.update(&db.pool, 7, change(hour(20))).await.unwrap();
    let refused = records
        .update(&db.pool, 7, change(hour(500)))
        .await
        .unwrap_err();
    assert!(refused.is_invalid());
    insta::assert_snapshot!(refused, @"
timestamp: is before or after the times of all records of request_snapshots_p0000000000000000, which is finished; to allow it, drop its constraint lookback_times, which is made anew later
");
    // What it says helps, and the partition is finished again.
    execute(
        &db.pool,
        "ALTER TABLE request_snapshots_p0000000000000000 DROP CONSTRAINT lookback_times",
    )
    .await;
    records
        .update(&db.pool, 7, change(hour(500)))
        .await
        .unwrap();
    assert_eq!(finish_all(&db.pool, RequestSnapshot::TABLE).await.len(), 1);
}

/// Rows that are changed between the look at the times and their proof.
#[tokio::test]
async fn finishing_looks_again_where_rows_were_changed() {
    let db = filled().await;
    execute(
        &db.pool,
        "ALTER TABLE logs_p0000000000000000 ADD CONSTRAINT lookback_times \
        CHECK (created_at < '2026-01-02') NOT VALID",
    )
    .await;
    assert_eq!(finish_all(&db.pool, Log::TABLE).await.len(), 3);
}

#[tokio::test]
async fn finishing_that_is_cut_short_is_gone_on_with() {
    let db = filled().await;
    let mut named = 0;
    for micros in 0..200 {
        let some = tokio::time::timeout(
            Duration::from_micros(micros * 100),
            finish(&db.pool, Log::TABLE),
        );
        if let Ok(Ok(Some(_))) = some.await {
            named += 1;
        }
    }
    // The server may be at something still that was cut short here.
    until("all that is sealed is finished", async || {
        named += finish_all(&db.pool, Log::TABLE).await.len();
        finished(&db.pool).await == 3
    })
    .await;
    assert!(named <= 3, "{named}");
    assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, 350);
}

/// None of them fails since another one was quicker.
#[tokio::test]
async fn several_finish_the_same_partitions_at_once() {
    let db = filled().await;
    for _ in 0..10 {
        until("all that is sealed is finished", async || {
            let all = || finish_all(&db.pool, Log::TABLE);
            tokio::join!(all(), all(), all());
            finished(&db.pool).await == 3
        })
        .await;
        for partition in ["0000", "0100", "0200"] {
            let name = format!("logs_p000000000000{partition}");
            let sql = format!("ALTER TABLE {name} DROP CONSTRAINT lookback_times");
            execute(&db.pool, &sql).await;
        }
    }
}

/// What a policy takes, worked out and then done; both have to say the same.
async fn take(
    pool: &PgPool,
    table: &'static lookback::Table,
    policy: Policy,
    now: DateTime<Utc>,
) -> String {
    let mut conn = pool.acquire().await.unwrap();
    let plan = plan_retention(&mut conn, table, &policy, now)
        .await
        .unwrap();
    let again = plan_retention(&mut conn, table, &policy, now)
        .await
        .unwrap();
    assert_eq!(plan, again, "a preview changes nothing");
    let oldest = oldest_kept(&mut conn, table, &plan).await.unwrap();
    let count = format!("SELECT count(*) FROM {}", table.name());
    let rows = number(pool, &count).await;
    let mut told = Vec::new();
    let mut say = |at: &Retained| {
        told.push(at.clone());
        ControlFlow::Continue(())
    };
    let done = retain(pool, table, &plan, &mut say).await.unwrap();
    assert_eq!(
        (done.rows, done.bytes, done.partitions),
        (plan.rows(), plan.bytes(), plan.partitions.len() as u64)
    );
    assert_eq!(
        rows - number(pool, &count).await,
        i64::try_from(plan.rows()).unwrap()
    );
    assert_eq!(told.last().cloned().unwrap_or_default(), done);
    let left = plan_retention(&mut conn, table, &policy, now)
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(oldest_kept(&mut conn, table, &left).await.unwrap(), oldest);
    let names: Vec<_> = plan
        .partitions
        .iter()
        .map(|p| format!("{} {}", p.name, p.rows))
        .collect();
    format!(
        "{names:?} older {} deleted {} oldest kept {:?}",
        plan.older_rows, plan.deleted_rows, oldest
    )
}

#[tokio::test]
async fn old_partitions_go_with_what_search_keeps_about_them() {
    let db = filled().await;
    finish_all(&db.pool, Log::TABLE).await;
    // Nothing is older than a year.
    let year = Policy {
        older_than: Some(365 * DAY),
        ..Policy::default()
    };
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, year, hour(400)).await, @"
[] older 0 deleted 0 oldest kept Some(2026-01-01T01:00:00Z)
");
    // The first two, and a part of the third, which stays.
    let policy = Policy {
        older_than: Some(100 * DAY),
        ..Policy::default()
    };
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, policy, hour(250 + 2_400)).await, @r#"
["logs_p0000000000000000 99", "logs_p0000000000000100 100"] older 0 deleted 0 oldest kept Some(2026-01-09T08:00:00Z)
"#);
    for side in ["sealed_segments", "search_blocks", "search_kinds"] {
        let of = |ids: &str| format!("SELECT count(*) FROM {side} WHERE target = 'logs' AND {ids}");
        assert_eq!(number(&db.pool, &of("first_id < 200")).await, 0, "{side}");
        assert!(number(&db.pool, &of("first_id >= 200")).await > 0, "{side}");
    }
    // All are old; the one that takes inserts stays.
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, policy, hour(351 + 2_400)).await, @r#"
["logs_p0000000000000200 100"] older 0 deleted 0 oldest kept Some(2026-01-13T12:00:00Z)
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

/// Where records come slowly, a partition takes months to be full.
#[tokio::test]
async fn what_is_old_in_a_partition_that_stays_goes_one_by_one() {
    let db = filled().await;
    let policy = Policy {
        older_than: Some(10 * DAY),
        ..Policy::default()
    };
    // Lines 300 to 319 are too old, and none by a day more.
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, policy, hour(320 + 240)).await, @r#"
["logs_p0000000000000000 99", "logs_p0000000000000100 100", "logs_p0000000000000200 100"] older 0 deleted 0 oldest kept Some(2026-01-13T12:00:00Z)
"#);
    // Now the first of them are, and all go that are too old.
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, policy, hour(330 + 240)).await, @"
[] older 30 deleted 0 oldest kept Some(2026-01-14T18:00:00Z)
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
    // What another program deleted is found out about, too.
    let day = Policy {
        older_than: Some(DAY),
        ..Policy::default()
    };
    execute(&db.pool, "DELETE FROM logs WHERE id < 340").await;
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, day, hour(357)).await, @"
[] older 0 deleted 0 oldest kept Some(2026-01-15T04:00:00Z)
");
    let rows = "SELECT sum(rows)::bigint FROM sealed_segments WHERE target = 'logs'";
    assert_eq!(number(&db.pool, rows).await, 10);
    // All goes, and with it all that search keeps.
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, policy, hour(10_000)).await, @"
[] older 11 deleted 0 oldest kept None
");
    for kept in [
        "sealed_segments",
        "search_blocks",
        "search_kinds",
        "search_templates",
    ] {
        let kept =
            format!("SELECT count(*) FROM {kept} WHERE deleted_at IS NULL AND target = 'logs'");
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
async fn a_table_that_is_too_large_loses_its_oldest_partitions() {
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
        + (SELECT coalesce(sum(pg_column_size(k.*)), 0) FROM search_kinds k)::bigint \
        + (SELECT coalesce(sum(pg_column_size(t.*)), 0) FROM search_templates t)::bigint \
        + (SELECT sum(pg_column_size(s.*)) FROM sealed_segments s)::bigint",
    )
    .await;
    let most = |bytes: i64| Policy {
        larger_than: Some(bytes.unsigned_abs()),
        ..Policy::default()
    };
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, most(all + sides), hour(400)).await, @"
[] older 0 deleted 0 oldest kept Some(2026-01-01T01:00:00Z)
");
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, most(all + sides - 1), hour(400)).await, @r#"
["logs_p0000000000000000 99"] older 0 deleted 0 oldest kept Some(2026-01-05T04:00:00Z)
"#);
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, most(all - first - 1), hour(400)).await, @r#"
["logs_p0000000000000100 100"] older 0 deleted 0 oldest kept Some(2026-01-09T08:00:00Z)
"#);
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, most(0), hour(400)).await, @r#"
["logs_p0000000000000200 100"] older 0 deleted 0 oldest kept Some(2026-01-13T12:00:00Z)
"#);
    let mut conn = db.pool.acquire().await.unwrap();
    let refused = plan_retention(&mut conn, Metric::TABLE, &most(1), hour(1)).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"
larger_than: is for partitioned tables, and metrics is not
");
}

#[tokio::test]
async fn deleted_records_and_those_of_other_tables_go_row_by_row() {
    let db = filled().await;
    execute(
        &db.pool,
        "UPDATE logs SET deleted_at = created_at + interval '1 day' WHERE id % 10 = 0",
    )
    .await;
    let policy = Policy {
        older_than: Some(10 * DAY),
        deleted_older_than: Some(2 * DAY),
        ..Policy::default()
    };
    insta::assert_snapshot!(take(&db.pool, Log::TABLE, policy, hour(350)).await, @r#"
["logs_p0000000000000000 99"] older 0 deleted 18 oldest kept Some(2026-01-05T04:00:00Z)
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
                lookback::ErrorRate::default(),
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
    insta::assert_snapshot!(take(&db.pool, Metric::TABLE, policy, hour(300)).await, @"
[] older 59 deleted 20 oldest kept Some(2026-01-03T13:00:00Z)
");
}

/// Somebody wrote a newer record after retention was worked out.
#[tokio::test]
async fn a_partition_that_got_a_newer_record_stays() {
    let db = filled().await;
    let policy = Policy {
        older_than: Some(DAY),
        ..Policy::default()
    };
    let mut conn = db.pool.acquire().await.unwrap();
    let plan = plan_retention(&mut conn, Log::TABLE, &policy, hour(324))
        .await
        .unwrap();
    let newer = hour(400).to_rfc3339();
    let newer = format!("UPDATE logs SET created_at = '{newer}' WHERE id = 150");
    execute(&db.pool, &newer).await;
    let done = retain(&db.pool, Log::TABLE, &plan, &mut |_| {
        ControlFlow::Continue(())
    })
    .await
    .unwrap();
    assert_eq!(done.kept, ["logs_p0000000000000100"]);
    assert_eq!(done.partitions, 2);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, 151);
}

/// Readers and writers go on while partitions are dropped, and a reader who
/// stays is waited for.
#[tokio::test]
async fn retention_does_not_keep_others_waiting() {
    let db = filled().await;
    let policy = Policy {
        older_than: Some(DAY),
        ..Policy::default()
    };
    let mut conn = db.pool.acquire().await.unwrap();
    let plan = plan_retention(&mut conn, Log::TABLE, &policy, hour(324))
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
        let mut say = |_: &Retained| ControlFlow::Continue(());
        async move { retain(&pool, Log::TABLE, &plan, &mut say).await }
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("a retention that waits", async || {
        task.is_finished() || number(&db.pool, waiting).await > 0
    })
    .await;
    // They would wait for the retention, and it for the reader, who stays until they are done.
    let writing = async {
        for _ in 0..5 {
            let lines = super::lines(0..2);
            Log::records().create_many(&db.pool, &lines).await.unwrap();
        }
    };
    tokio::time::timeout(END, writing).await.unwrap();
    reading.rollback().await.unwrap();
    let done = match task.await.unwrap() {
        // As it says after a minute, where five writes take as long.
        Err(error) if error.is_timeout() => {
            let mut say = |_: &Retained| ControlFlow::Continue(());
            retain(&db.pool, Log::TABLE, &again, &mut say).await
        }
        done => done,
    };
    assert_eq!(done.unwrap().partitions, 3);
}

#[tokio::test]
async fn retention_ends_where_it_is_told_to_and_is_gone_on_with() {
    let db = filled().await;
    let policy = Policy {
        older_than: Some(DAY),
        ..Policy::default()
    };
    let mut left = 350;
    for rows in [99, 100, 100, 0] {
        let mut conn = db.pool.acquire().await.unwrap();
        let plan = plan_retention(&mut conn, Log::TABLE, &policy, hour(324))
            .await
            .unwrap();
        let done = retain(&db.pool, Log::TABLE, &plan, &mut |_| ControlFlow::Break(()))
            .await
            .unwrap();
        assert_eq!(done.rows, rows);
        left -= rows.cast_signed();
        assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, left);
    }
}
