//! Roll-ups: an aggregate or a total is the one that reading every record gives, whatever
//! changed since its segments were sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lookback::maintenance::maintain_rollups;
use lookback::maintenance::sealing::{SealStep, Sealer, merge_postings, unseal};
use lookback::query::{TextMeasures, count};
use lookback::value::JsonMap;
use lookback::{Filter, Level, Log, LogPatch, Model as _, NewLog, QueryBuilder};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use testkit::proxy::{Fault, Proxy};

use crate::maintenance::END;
use crate::sealing::seal_all;

/// Ids of a partition.
const PARTITION: i64 = 64;

/// An event between two questions. Places choose one of the records.
#[derive(Clone, Debug)]
enum Event {
    Add(Vec<Line>),
    Seal,
    /// Until there is nothing to do.
    Maintain,
    /// Merges counts, and adds corrections to them.
    Compact,
    Delete(Vec<usize>),
    HardDelete(Vec<usize>),
    Restore,
    Update(Vec<usize>, Line),
    /// Changes level, source and time by SQL, in the partition itself.
    Sql(Vec<usize>, Line),
    /// Deletes by SQL, in the partition itself.
    SqlDelete(Vec<usize>),
    /// Inserts with ids that have no record.
    Fill(Vec<usize>, Line),
    /// Takes ids that no record gets.
    Gap(u8),
    Truncate(usize),
    Detach(usize),
    /// Changes records while the trigger is disabled.
    Disable(Vec<usize>, Line),
    Drop(usize),
    Unseal,
}

#[derive(Clone, Debug)]
struct Line {
    level: &'static str,
    source: &'static str,
    created_at: String,
    message: &'static str,
}

fn line() -> impl Strategy<Value = Line> {
    let level = prop::sample::select(vec!["debug", "info", "warn", "error"]);
    let source = prop::sample::select(vec!["API", "DB", "", "w\\\"{,} NULL"]);
    let time = prop_oneof![
        // Within two minutes, a few hours, a month.
        8 => (0..120_000_i64).prop_map(|ms| base(ms * 1_000)),
        8 => (0..200_i64).prop_map(|minutes| base(minutes * 60_000_000)),
        4 => (0..3_000_000_000_000_i64).prop_map(base),
        1 => Just("infinity".to_owned()),
        1 => Just("1890-05-01 10:00:00+00".to_owned()),
        1 => Just("1975-05-01 10:00:20+00".to_owned()),
        1 => Just("2200-01-01 00:00:00+00".to_owned()),
    ];
    let message = prop::sample::select(MESSAGES.to_vec());
    (level, source, time, message).prop_map(|(level, source, created_at, message)| Line {
        level,
        source,
        created_at,
        message,
    })
}

/// Texts that differ in where a word is: among others, within an id, or in another form.
const MESSAGES: [&str; 9] = [
    "one of many",
    "connection refused by port 50011",
    "Connection REFUSED",
    "id x7refused9a, port 5001",
    "timeout after 1234ms: résumé",
    "RE\u{301}SUME\u{301} after 12345",
    "card 4111-1111-1111-1111 refused",
    "4111111111111111 again, port 50011.7",
    "-",
];

/// Words of the texts, of levels and of sources.
const WORDS: [&str; 16] = [
    "refused",
    "connection refused",
    "refused port",
    "50011",
    "port 5001",
    "refused 50011",
    "\"refused by port\"",
    "\"port 5001\"",
    "\"after 1234\" timeout",
    "résumé",
    "resume after",
    "4111111111111111",
    "again -refused",
    "error refused",
    "many api",
    "7refused",
];

/// A time some microseconds after a fixed one, as text.
fn base(microseconds: i64) -> String {
    let start = crate::time("2026-03-28T22:59:00Z");
    (start + chrono::TimeDelta::microseconds(microseconds)).to_rfc3339()
}

fn event() -> impl Strategy<Value = Event> {
    let some = || prop::collection::vec(0..400_usize, 1..6);
    prop_oneof![
        6 => prop::collection::vec(line(), 1..40).prop_map(Event::Add),
        6 => Just(Event::Seal),
        4 => Just(Event::Maintain),
        3 => Just(Event::Compact),
        2 => some().prop_map(Event::Delete),
        3 => some().prop_map(Event::HardDelete),
        1 => Just(Event::Restore),
        2 => (some(), line()).prop_map(|(places, line)| Event::Update(places, line)),
        3 => (some(), line()).prop_map(|(places, line)| Event::Sql(places, line)),
        3 => some().prop_map(Event::SqlDelete),
        3 => (some(), line()).prop_map(|(places, line)| Event::Fill(places, line)),
        1 => (1..8_u8).prop_map(Event::Gap),
        1 => (0..4_usize).prop_map(Event::Truncate),
        1 => (0..4_usize).prop_map(Event::Detach),
        1 => (some(), line()).prop_map(|(places, line)| Event::Disable(places, line)),
        1 => (0..4_usize).prop_map(Event::Drop),
        1 => Just(Event::Unseal),
    ]
}

/// An aggregate.
#[derive(Clone, Debug)]
struct Question {
    keys: Vec<&'static str>,
    filters: Vec<String>,
    deleted: u8,
    top: Option<u32>,
    words: &'static str,
}

fn question() -> impl Strategy<Value = Question> {
    let time = || {
        (0..250_i64, 0..3_u8).prop_map(|(minutes, kind)| {
            let odd = match kind {
                0 => 0,
                1 => 1,
                _ => 23_456_789,
            };
            base(minutes * 60_000_000 + odd)
        })
    };
    let bound =
        |name: &'static str| time().prop_map(move |time| format!("created_at__{name}={time}"));
    let filter = prop_oneof![
        3 => bound("gte"),
        2 => bound("gt"),
        3 => bound("lt"),
        2 => bound("lte"),
        2 => Just("level=error".to_owned()),
        1 => Just("level__gte=warn".to_owned()),
        1 => Just("source__in=API,DB".to_owned()),
        1 => Just("source__contains=A".to_owned()),
        1 => Just("level__ne=info".to_owned()),
    ];
    let key = prop::sample::select(vec![
        "level",
        "source",
        "created_at__30s",
        "created_at__1m",
        "created_at__15m",
        "created_at__1h",
        "created_at__7h",
        "created_at__1d",
        "created_at__week",
        "created_at__month",
        "created_at__day@Europe/Berlin",
        "created_at__1h@Europe/Berlin",
    ]);
    (
        prop::sample::subsequence(vec![0, 1], 0..=2),
        prop::collection::vec(key, 2),
        prop::collection::vec(filter, 0..3),
        0..5_u8,
        prop::option::weighted(0.2, 1..4_u32),
        prop::sample::select(WORDS.to_vec()),
    )
        .prop_map(|(used, keys, filters, deleted, top, words)| {
            let mut keys: Vec<&str> = used.into_iter().map(|place: usize| keys[place]).collect();
            keys.dedup();
            Question {
                keys,
                filters,
                deleted,
                top,
                words,
            }
        })
}

impl Question {
    fn query(&self) -> QueryBuilder<Log> {
        let query = Log::records()
            .filter(Filter::parse_all(self.filters.iter().map(String::as_str)).unwrap());
        match self.deleted {
            0 => query.with_deleted(),
            1 => query.only_deleted(),
            _ => query,
        }
    }

    /// The groups and their counts, and the total of a list.
    async fn ask(&self, conn: &mut PgConnection, query: QueryBuilder<Log>) -> Answer {
        let total = query.clone().limit(2).list(&mut *conn).await.unwrap();
        let groups = if self.keys.is_empty() {
            let all: i64 = query.aggregate(&mut *conn, count()).await.unwrap();
            assert_eq!(u64::try_from(all).unwrap(), total.total.value());
            Vec::new()
        } else {
            let measures = TextMeasures::parse::<Log>(&["count"]).unwrap();
            let mut groups = query.group_by_text(&self.keys).unwrap();
            if let Some(top) = self.top {
                groups = groups.top(top);
            }
            groups.aggregate(&mut *conn, measures).await.unwrap()
        };
        (total.total.value(), groups)
    }
}

type Answer = (u64, Vec<(JsonMap, JsonMap)>);

/// Compares an answer with that of reading every record, at one moment.
async fn compare(conn: &mut PgConnection, question: &Question, after: &str) {
    let mut transaction = conn.begin().await.unwrap();
    transaction
        .execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    // Roll-ups do not know the ids of records.
    let every = question.query().filter(Log::id().gte(i64::MIN));
    let expected = question.ask(&mut transaction, every).await;
    let found = question.ask(&mut transaction, question.query()).await;
    assert_eq!(found, expected, "{question:?} after {after}");
    if question.deleted <= 2 {
        compare_matches(&mut transaction, question, after).await;
    }
}

/// Compares a filter on words that reads summaries with one that reads every record, at one
/// moment.
async fn compare_matches(conn: &mut PgConnection, question: &Question, after: &str) {
    let matching = question.query().matching(question.words);
    let mut answers = Vec::new();
    for cost in ["1e18", "-1"] {
        run(conn, format!("SET LOCAL lookback.scan_cost = '{cost}'")).await;
        let groups = question.ask(conn, matching.clone()).await;
        let mut pages = Vec::new();
        for query in [
            matching.clone(),
            matching.clone().without_total().limit(3),
            matching.clone().total_up_to(4).limit(2),
            matching.clone().order_by(Log::created_at().asc()).limit(5),
        ] {
            let page = query.list(&mut *conn).await.unwrap();
            let ids: Vec<i64> = page.data.iter().map(|log| log.id).collect();
            pages.push((ids, page.next, page.total));
        }
        answers.push((groups, pages));
    }
    let [every, from_summaries] = answers.try_into().unwrap();
    assert_eq!(from_summaries, every, "{question:?} after {after}");
}

/// Returns whether the count of all records is read from roll-ups.
async fn uses_rollups(conn: &mut PgConnection) -> bool {
    let mut transaction = conn.begin().await.unwrap();
    let all = Log::records().with_deleted();
    let before: i64 = all.aggregate(&mut *transaction, count()).await.unwrap();
    transaction
        .execute(
            "UPDATE rollup_cells SET counts = ARRAY(SELECT n + 1000000 FROM unnest(counts) AS n)",
        )
        .await
        .unwrap();
    let after: i64 = all.aggregate(&mut *transaction, count()).await.unwrap();
    transaction.rollback().await.unwrap();
    before != after
}

/// An empty table with short partitions.
async fn restart(conn: &mut PgConnection) {
    conn.execute("TRUNCATE logs RESTART IDENTITY")
        .await
        .unwrap();
    unseal(conn, Log::TABLE).await.unwrap();
    let partitions: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'logs'::regclass \
         AND inhrelid <> 'logs_default'::regclass",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    for partition in partitions {
        run(conn, format!("DROP TABLE {partition}")).await;
    }
    for place in 0..4 {
        add_partition(conn, place).await;
    }
}

async fn add_partition(conn: &mut PgConnection, place: usize) {
    let from = i64::try_from(place).unwrap() * PARTITION;
    let to = from + PARTITION;
    run(
        conn,
        format!("CREATE TABLE logs_{place} PARTITION OF logs FOR VALUES FROM ({from}) TO ({to})"),
    )
    .await;
}

async fn run(conn: &mut PgConnection, sql: String) {
    conn.execute(AssertSqlSafe(sql.clone()))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A record's partition, or the table.
async fn partition_of(conn: &mut PgConnection, id: i64) -> String {
    sqlx::query_scalar("SELECT tableoid::regclass::text FROM logs WHERE id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await
        .unwrap()
        .unwrap_or_else(|| "logs".to_owned())
}

async fn change(conn: &mut PgConnection, id: i64, line: &Line) {
    let partition = partition_of(conn, id).await;
    sqlx::query(AssertSqlSafe(format!(
        "UPDATE {partition} SET level = $2, source = $3, created_at = $4::timestamptz, message = $5 \
         WHERE id = $1"
    )))
    .bind(id)
    .bind(line.level)
    .bind(line.source)
    .bind(&line.created_at)
    .bind(line.message)
    .execute(conn)
    .await
    .unwrap();
}

async fn insert(conn: &mut PgConnection, id: Option<i64>, line: &Line) {
    let id = id.map_or("DEFAULT".to_owned(), |id| id.to_string());
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO logs (id, level, source, created_at, message) OVERRIDING SYSTEM VALUE \
         VALUES ({id}, $1, $2, $3::timestamptz, $4)"
    )))
    .bind(line.level)
    .bind(line.source)
    .bind(&line.created_at)
    .bind(line.message)
    .execute(conn)
    .await
    .unwrap();
}

async fn apply(conn: &mut PgConnection, pool: &PgPool, sealer: &mut Sealer, event: &Event) {
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM logs ORDER BY id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    let chosen = |places: &[usize]| -> Vec<i64> {
        let places = places.iter().filter(|_| !ids.is_empty());
        places.map(|place| ids[place % ids.len()]).collect()
    };
    match event {
        Event::Add(lines) => {
            for line in lines {
                insert(conn, None, line).await;
            }
        }
        Event::Seal => {
            seal_all(conn, sealer).await;
        }
        Event::Maintain => while maintain_rollups(pool, Log::TABLE).await.unwrap() {},
        Event::Compact => {
            merge_postings(conn, Log::TABLE, 0, 4 * PARTITION)
                .await
                .unwrap();
        }
        Event::Delete(places) => {
            let some = Log::records().filter(Log::id().is_in(chosen(places)));
            some.delete_all(&mut *conn).await.unwrap();
        }
        Event::HardDelete(places) => {
            let some = Log::records().filter(Log::id().is_in(chosen(places)));
            some.hard_delete_all(&mut *conn).await.unwrap();
        }
        Event::Restore => {
            let all = Log::records().filter(Filter::all());
            all.restore_all(&mut *conn).await.unwrap();
        }
        Event::Update(places, line) => {
            let patch = LogPatch::new().source(line.source).message(line.message);
            let some = Log::records().filter(Log::id().is_in(chosen(places)));
            some.update_all(&mut *conn, patch).await.unwrap();
        }
        Event::Sql(places, line) => {
            for id in chosen(places) {
                change(conn, id, line).await;
            }
        }
        Event::SqlDelete(places) => {
            for id in chosen(places) {
                let partition = partition_of(conn, id).await;
                run(conn, format!("DELETE FROM {partition} WHERE id = {id}")).await;
            }
        }
        Event::Fill(places, line) => {
            let most = ids.last().copied().unwrap_or(0);
            let free: Vec<i64> = (0..most).filter(|id| !ids.contains(id)).collect();
            let mut filled: Vec<i64> = places
                .iter()
                .filter(|_| !free.is_empty())
                .map(|place| free[place % free.len()])
                .collect();
            filled.sort_unstable();
            filled.dedup();
            for id in filled {
                insert(conn, Some(id), line).await;
            }
        }
        Event::Gap(ids) => {
            run(
                conn,
                format!("SELECT nextval('logs_id_seq') FROM generate_series(1, {ids})"),
            )
            .await;
        }
        Event::Truncate(place) => run(conn, format!("TRUNCATE logs_{place}")).await,
        Event::Detach(place) => {
            let from = i64::try_from(*place).unwrap() * PARTITION;
            let to = from + PARTITION;
            run(
                conn,
                format!("ALTER TABLE logs DETACH PARTITION logs_{place}"),
            )
            .await;
            run(
                conn,
                format!("DELETE FROM logs_{place} WHERE id % 5 = 0; UPDATE logs_{place} SET level = 'warn' WHERE id % 7 = 0"),
            )
            .await;
            run(
                conn,
                format!("ALTER TABLE logs ATTACH PARTITION logs_{place} FOR VALUES FROM ({from}) TO ({to})"),
            )
            .await;
        }
        Event::Disable(places, line) => {
            for id in chosen(places) {
                let partition = partition_of(conn, id).await;
                let name = "TRIGGER lookback_changes";
                run(conn, format!("ALTER TABLE {partition} DISABLE {name}")).await;
                change(conn, id, line).await;
                run(
                    conn,
                    format!("ALTER TABLE {partition} ENABLE ALWAYS {name}"),
                )
                .await;
            }
        }
        Event::Drop(place) => {
            run(conn, format!("DROP TABLE logs_{place}")).await;
            add_partition(conn, *place).await;
        }
        Event::Unseal => unseal(conn, Log::TABLE).await.unwrap(),
    }
}

#[tokio::test]
async fn aggregates_from_rollups_are_those_of_every_record() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let mut runner = crate::random::runner(10);
    let segment = prop_oneof![1..5_i64, 4..40_i64];
    let first = prop::collection::vec(line(), 30..120);
    let then = prop::collection::vec((event(), prop::collection::vec(question(), 3)), 6..25);
    let strategy = (segment, first, then);
    let (mut questions, mut by_rollups) = (0, 0);
    for _ in 0..runner.config().cases {
        let (segment, first, then) = strategy.new_tree(&mut runner).unwrap().current();
        restart(&mut conn).await;
        let mut sealer = Sealer::new(Log::TABLE, segment).unwrap();
        for event in [Event::Add(first), Event::Seal] {
            apply(&mut conn, &db.pool, &mut sealer, &event).await;
        }
        let mut after = Vec::new();
        for (event, asked) in &then {
            apply(&mut conn, &db.pool, &mut sealer, event).await;
            after.push(event);
            questions += 1;
            by_rollups += u32::from(uses_rollups(&mut conn).await);
            for question in asked {
                compare(
                    &mut conn,
                    question,
                    &format!("{after:?}, segments of {segment}"),
                )
                .await;
            }
        }
    }
    assert!(by_rollups > questions / 3, "{by_rollups} of {questions}");
}

/// Questions that need each kind of buckets, and the records at the edges.
fn fixed_questions() -> Vec<Question> {
    let question = |keys: &[&'static str], filters: &[String]| Question {
        keys: keys.to_vec(),
        filters: filters.to_vec(),
        deleted: 2,
        top: None,
        words: WORDS[filters.len() % WORDS.len()],
    };
    vec![
        question(&[], &[]),
        question(&["level"], &[]),
        question(&["created_at__1h", "source"], &["level=error".to_owned()]),
        question(
            &["created_at__1m"],
            &[
                format!("created_at__gte={}", base(61_234_567)),
                format!("created_at__lte={}", base(7_212_345_678)),
            ],
        ),
    ]
}

/// Lines over some hours.
fn lines(count: u32) -> Vec<NewLog> {
    let line = |at: u32| {
        let level = [Level::Info, Level::Error, Level::Warn][at as usize % 3];
        let source = if at.is_multiple_of(5) { "DB" } else { "API" };
        NewLog::new(source, level, format!("order {at} is shipped"))
            .created_at(crate::time(&base(i64::from(at) * 17_345_678)))
    };
    (0..count).map(line).collect()
}

#[tokio::test]
async fn sealer_killed_at_any_point_leaves_exact_rollups() {
    let db = testkit::database().await;
    let mut own = db.pool.acquire().await.unwrap();
    Log::records()
        .create_many(&mut *own, &lines(600))
        .await
        .unwrap();
    let mut number = 0;
    'kill: loop {
        number += 1;
        for fault in [Fault::BeforeStatement(number), Fault::WithStatement(number)] {
            // Changes of sealed and of unsealed records, between and during steps.
            let id = i64::try_from(number).unwrap() * 9 % 600;
            run(
                &mut own,
                format!("UPDATE logs SET level = 'debug' WHERE id = {id}"),
            )
            .await;
            run(&mut own, format!("DELETE FROM logs WHERE id = {id} + 1")).await;
            let (proxy, through) = Proxy::in_front_of(&db, 1, move |_| fault).await;
            let mut conn = PgConnection::connect_with(&through).await.unwrap();
            let mut sealer = Sealer::new(Log::TABLE, 6).unwrap();
            let is_done = loop {
                match sealer.step(&mut conn, END).await {
                    Ok(SealStep::Sealed { .. } | SealStep::Busy) => {}
                    Ok(SealStep::Done { .. }) => break true,
                    Ok(step) => unreachable!("{step:?}"),
                    Err(_) => break false,
                }
            };
            for question in fixed_questions() {
                compare(
                    &mut own,
                    &question,
                    &format!("{:#?}", proxy.take_statements()),
                )
                .await;
            }
            if is_done {
                break 'kill;
            }
        }
    }
    assert!(number > 20, "it was lost before {number} statements only");
    assert!(uses_rollups(&mut own).await);
}

/// Writers whose transactions last, sealing, upkeep, compaction and readers at once.
#[tokio::test]
async fn rollups_are_exact_while_others_write_and_seal() {
    let db = testkit::database().await;
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(12)
        .acquire_timeout(END)
        .connect(&db.url)
        .await
        .unwrap();
    Log::records()
        .create_many(&pool, &lines(300))
        .await
        .unwrap();
    let is_enough = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3_i64)
        .map(|writer| {
            let (pool, is_enough) = (pool.clone(), Arc::clone(&is_enough));
            tokio::spawn(async move {
                for round in 0..4_000_i64 {
                    if round >= 40 && is_enough.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut transaction = pool.begin().await.unwrap();
                    let id = (round * 37 + writer * 101) % 500;
                    let statements = [
                        format!(
                            "INSERT INTO logs (level, source, message, created_at) \
                             SELECT 'warn', 'DB', 'a line', '{}'::timestamptz + i * interval '13 s' \
                             FROM generate_series(1, 7) AS i",
                            base(round * 91_000_000)
                        ),
                        format!("UPDATE logs SET level = 'error' WHERE id = {id}"),
                        format!(
                            "UPDATE logs SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END \
                             WHERE id = {id} + 1"
                        ),
                        format!("DELETE FROM logs WHERE id = {id} + 2"),
                        format!(
                            "INSERT INTO logs (id, level, source, message) OVERRIDING SYSTEM VALUE \
                             VALUES ({id} + 2, 'info', 'late', 'again') ON CONFLICT DO NOTHING"
                        ),
                    ];
                    for (place, statement) in statements.into_iter().enumerate() {
                        // Two writers may want the same records.
                        if transaction.execute(AssertSqlSafe(statement)).await.is_err() {
                            break;
                        }
                        if place == usize::try_from(round % 5).unwrap() {
                            tokio::time::sleep(Duration::from_millis(3)).await;
                        }
                    }
                    if round % 4 == 3 {
                        transaction.rollback().await.unwrap();
                    } else {
                        let _ = transaction.commit().await;
                    }
                }
            })
        })
        .collect();
    let keeper = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut sealer = Sealer::new(Log::TABLE, 8).unwrap();
            let mut round = 0_u32;
            loop {
                let mut conn = pool.acquire().await.unwrap();
                let _ = sealer
                    .step(&mut conn, Duration::from_millis(30))
                    .await
                    .unwrap();
                let _ = maintain_rollups(&pool, Log::TABLE).await.unwrap();
                if round.is_multiple_of(5) {
                    merge_postings(&mut conn, Log::TABLE, 0, 100_000)
                        .await
                        .unwrap();
                }
                round += 1;
            }
        }
    });
    let mut conn = pool.acquire().await.unwrap();
    let mut used = 0;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        for question in fixed_questions() {
            compare(&mut conn, &question, "concurrent changes").await;
        }
        used += u32::from(uses_rollups(&mut conn).await);
        // However slow the machine is.
        is_enough.store(used > 0, Ordering::Relaxed);
    }
    keeper.abort();
    for writer in writers {
        writer.await.unwrap();
    }
    for question in fixed_questions() {
        compare(&mut conn, &question, "all changes").await;
    }
    assert!(used > 0);
}

/// A column may be renamed, retyped and dropped as without the trigger, and no write fails.
#[tokio::test]
async fn changed_columns_make_no_write_fail() {
    let db = testkit::database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    Log::records()
        .create_many(&mut conn, &lines(200))
        .await
        .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 50).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    assert!(uses_rollups(&mut conn).await);
    for statements in [
        "ALTER TABLE logs RENAME COLUMN source TO origin; UPDATE logs SET level = 'warn' WHERE id = 7; \
         DELETE FROM logs WHERE id = 8; ALTER TABLE logs RENAME COLUMN origin TO source",
        "ALTER TABLE logs ALTER COLUMN source TYPE varchar(20); UPDATE logs SET source = 'x' WHERE id = 9",
        "ALTER TABLE logs RENAME COLUMN source TO a; \
         ALTER TABLE logs ADD COLUMN source text NOT NULL DEFAULT 'y', ALTER COLUMN a SET DEFAULT ''; \
         UPDATE logs SET source = 'z' WHERE id = 10",
        "ALTER TABLE logs DROP COLUMN a; DELETE FROM logs WHERE id = 11",
    ] {
        run(&mut conn, statements.to_owned()).await;
        // Without statements that were prepared for the earlier columns.
        conn.close().await.unwrap();
        conn = PgConnection::connect(&db.url).await.unwrap();
        for question in fixed_questions() {
            compare(&mut conn, &question, statements).await;
        }
    }
    // Upkeep counts again.
    while maintain_rollups(&db.pool, Log::TABLE).await.unwrap() {}
    assert!(uses_rollups(&mut conn).await);
    for question in fixed_questions() {
        compare(&mut conn, &question, "upkeep").await;
    }
}

/// A role that may read only some records, or no roll-ups, gets the count of what it reads.
#[tokio::test]
async fn restricted_role_gets_counts_of_what_it_may_read() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    Log::records()
        .create_many(&mut *conn, &lines(200))
        .await
        .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 50).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    run(
        &mut conn,
        "CREATE ROLE some_reader_of_rollups; \
         GRANT SELECT, UPDATE, DELETE ON logs TO some_reader_of_rollups; \
         ALTER TABLE logs ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY errors_only ON logs USING (level = 'error')"
            .to_owned(),
    )
    .await;
    // It may change records, and needs no right on the corrections.
    run(
        &mut conn,
        "SET ROLE some_reader_of_rollups; UPDATE logs SET source = 'x' WHERE id < 20; \
         DELETE FROM logs WHERE id = 2; RESET ROLE"
            .to_owned(),
    )
    .await;
    for question in fixed_questions() {
        compare(&mut conn, &question, "changes of another role").await;
    }
    let errors = Log::records().filter(Log::level().eq(Level::Error));
    let expected: i64 = errors.aggregate(&mut *conn, count()).await.unwrap();
    for grant in [
        "",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO some_reader_of_rollups",
    ] {
        run(&mut conn, grant.to_owned()).await;
        run(&mut conn, "SET ROLE some_reader_of_rollups".to_owned()).await;
        let found: i64 = Log::records().aggregate(&mut *conn, count()).await.unwrap();
        run(&mut conn, "RESET ROLE".to_owned()).await;
        assert_eq!(found, expected, "{grant}");
    }
    run(
        &mut conn,
        "DROP OWNED BY some_reader_of_rollups; DROP ROLE some_reader_of_rollups".to_owned(),
    )
    .await;
}

/// Longer buckets are counted where records are few, and nothing where ids have many gaps.
#[tokio::test]
async fn sparse_records_and_ids_are_counted_as_far_as_it_helps() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    // Two records a minute, and no two of a source in a quarter of an hour.
    let sparse = format!(
        "INSERT INTO logs (level, source, message, created_at) \
         SELECT CASE i % 3 WHEN 0 THEN 'error' ELSE 'info' END, 's' || i % 29, 'a line', \
           '{}'::timestamptz + i * interval '30 s' FROM generate_series(1, 8200) AS i",
        base(0)
    );
    run(&mut conn, sparse).await;
    let mut sealer = Sealer::new(Log::TABLE, 4096).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    let finest: Vec<Vec<i32>> = sqlx::query_scalar("SELECT finest FROM rollup_ranges")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(finest, [[900, 900, 86_400], [900, 900, 86_400]]);
    let between = |from: i64, to: i64| {
        let bound = |name: &str, at: i64| format!("created_at__{name}={}", base(at));
        vec![bound("gte", from), bound("lt", to)]
    };
    let odd = between(61_234_567, 90_000_345_678);
    let mut questions = fixed_questions();
    for (keys, filters) in [
        (vec!["source"], vec![]),
        (vec!["source"], odd.clone()),
        (vec!["created_at__1m", "level"], odd.clone()),
        (vec!["created_at__1h", "source"], odd.clone()),
        (
            vec!["created_at__1m"],
            [odd, vec!["source=s7".to_owned()]].concat(),
        ),
    ] {
        questions.push(Question {
            keys,
            filters,
            deleted: 2,
            top: None,
            words: "many",
        });
    }
    for question in &questions {
        compare(&mut conn, question, "sparse records").await;
    }
    assert!(uses_rollups(&mut conn).await);
    // Every other record is removed: that is a gap for each other id.
    run(&mut conn, "DELETE FROM logs WHERE id % 2 = 0".to_owned()).await;
    for question in &questions {
        compare(&mut conn, question, "removed records").await;
    }
    let mut steps = 0;
    while maintain_rollups(&db.pool, Log::TABLE).await.unwrap() {
        steps += 1;
        assert!(steps < 20, "upkeep does not end");
    }
    for question in &questions {
        compare(&mut conn, question, "upkeep").await;
    }
    assert!(!uses_rollups(&mut conn).await);
}
