//! Roll-ups by places in JSON, and by another time than that of creation: aggregates and totals
//! are those of reading every record, and so are filters on words of JSON.

use chrono::{DateTime, Utc};
use lookback::embedding::Embedding;
use lookback::maintenance::maintain_rollups;
use lookback::maintenance::sealing::{Sealer, merge_postings, unseal};
use lookback::query::{TextMeasures, count};
use lookback::value::Hidden;
use lookback::{Filter, Json, Model, QueryBuilder, RequestSnapshot, model};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

use crate::sealing::seal_all;

/// Requests, counted by places further inside.
#[model(
    table = "request_snapshots",
    search(path),
    sealed,
    rollup(query.a.b, status_code, time = timestamp, query."odd \"key\"", query.a.type)
)]
struct Inside {
    id: i64,
    path: String,
    query: Option<Json>,
    status_code: Option<i32>,
    timestamp: DateTime<Utc>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

#[derive(Clone, Debug)]
struct Request {
    status_code: Option<i32>,
    method: &'static str,
    stage: &'static str,
    timestamp: String,
    path: &'static str,
    /// The headers and the query.
    document: Option<String>,
}

/// Documents that differ in what is at the places, and in how their keys are written.
const DOCUMENTS: [&str; 18] = [
    "{}",
    "[]",
    "\"route\"",
    "[{\"route\": \"/a\"}]",
    r#"{"route": "/a"}"#,
    r#"{"route": "/b", "direction": "outgoing"}"#,
    r#"{"Route": "/a", "DIRECTION": "outgoing"}"#,
    r#"{"Route": "/b", "route": "/a"}"#,
    r#"{"ROUTE": "/c", "Route": "/b"}"#,
    r#"{"route": null, "direction": null}"#,
    r#"{"route": {"x": 1}, "direction": ["outgoing"]}"#,
    r#"{"route": 1.0}"#,
    r#"{"route": 1.00, "direction": true}"#,
    r#"{"a": {"b": "/a", "type": 7}}"#,
    r#"{"a": {"b": null}, "odd \"key\"": "w\\\"{,} NULL"}"#,
    r#"{"a": {"type": "/a", "c": {}}, "odd \"key\"": false}"#,
    r#"{"a": [{"b": 1}], "odd \"key\"": [1]}"#,
    r#"{"a": 5}"#,
];

fn request() -> impl Strategy<Value = Request> {
    let time = prop_oneof![
        8 => (0..200_i64).prop_map(|minutes| base(minutes * 60_000)),
        4 => (0..3_000_000_000_i64).prop_map(base),
        1 => Just("infinity".to_owned()),
        1 => Just("1890-05-01 10:00:00+00".to_owned()),
    ];
    let document = prop_oneof![
        1 => Just(None),
        20 => prop::sample::select(DOCUMENTS.to_vec()).prop_map(|text| Some(text.to_owned())),
        1 => (1_000..1_050_usize).prop_map(|length| {
            Some(format!(r#"{{"route": "{0}", "a": {{"b": "{0}"}}}}"#, "x".repeat(length)))
        }),
    ];
    let status_code = prop::sample::select(vec![None, Some(200), Some(404), Some(500), Some(503)]);
    let method = prop::sample::select(vec!["GET", "POST"]);
    let stage = prop::sample::select(vec!["test", ""]);
    let path = prop::sample::select(vec!["/", "/orders/50017", "/Orders/5001"]);
    (status_code, method, stage, time, path, document).prop_map(
        |(status_code, method, stage, timestamp, path, document)| Request {
            status_code,
            method,
            stage,
            timestamp,
            path,
            document,
        },
    )
}

/// A time some milliseconds after a fixed one, as text.
fn base(milliseconds: i64) -> String {
    let start = crate::time("2026-03-28T22:59:00Z");
    (start + chrono::TimeDelta::milliseconds(milliseconds)).to_rfc3339()
}

/// An event between two questions. Places choose one of the records.
#[derive(Clone, Debug)]
enum Event {
    Add(Vec<Request>),
    Seal,
    Maintain,
    Compact,
    Delete(usize),
    HardDelete(usize),
    Restore,
    Change(usize, Request),
    Unseal,
}

fn event() -> impl Strategy<Value = Event> {
    let place = || 0..400_usize;
    prop_oneof![
        5 => prop::collection::vec(request(), 1..40).prop_map(Event::Add),
        5 => Just(Event::Seal),
        4 => Just(Event::Maintain),
        3 => Just(Event::Compact),
        2 => place().prop_map(Event::Delete),
        2 => place().prop_map(Event::HardDelete),
        1 => Just(Event::Restore),
        6 => (place(), request()).prop_map(|(place, request)| Event::Change(place, request)),
        1 => Just(Event::Unseal),
    ]
}

/// An aggregate.
#[derive(Clone, Debug)]
struct Question {
    keys: Vec<&'static str>,
    filters: Vec<String>,
    deleted: bool,
    words: &'static str,
}

/// Words of documents, methods and paths.
const WORDS: [&str; 9] = [
    "outgoing",
    "get outgoing",
    "route -outgoing",
    "xxxxxx",
    "orders 50017",
    "\"/orders/50017\"",
    "type null",
    "\"odd\" orders",
    "direction true",
];

fn question(
    keys: &'static [&'static str],
    filters: &'static [&'static str],
) -> impl Strategy<Value = Question> {
    let bound = prop::sample::select(vec!["gte", "gt", "lt", "lte"]);
    let bound = (bound, 0..250_i64, 0..60_000_i64).prop_map(|(name, minutes, ms)| {
        let ms = if ms % 3 == 0 { 0 } else { ms };
        format!("timestamp__{name}={}", base(minutes * 60_000 + ms))
    });
    let filter = prop_oneof![
        2 => prop::sample::select(filters.to_vec()).prop_map(str::to_owned),
        1 => bound,
    ];
    (
        prop::sample::subsequence(keys.to_vec(), 0..=3),
        prop::collection::vec(filter, 0..3),
        any::<bool>(),
        prop::sample::select(WORDS.to_vec()),
    )
        .prop_map(|(keys, filters, deleted, words)| Question {
            keys,
            filters,
            deleted,
            words,
        })
}

impl Question {
    fn query<M: Model>(&self) -> QueryBuilder<M> {
        let filters = Filter::parse_all(self.filters.iter().map(String::as_str)).unwrap();
        let query = QueryBuilder::<M>::new().filter(filters);
        if self.deleted {
            query.with_deleted()
        } else {
            query
        }
    }

    /// The ids of the records with the words, and their number.
    async fn matches<M: Model>(&self, conn: &mut PgConnection, scan_cost: &str) -> (Vec<i64>, u64) {
        let set = "SELECT set_config('lookback.scan_cost', $1, FALSE)";
        sqlx::query(set)
            .bind(scan_cost)
            .execute(&mut *conn)
            .await
            .unwrap();
        let query = self.query::<M>().matching(self.words).limit(1_000);
        let page = query.list(&mut *conn).await.unwrap();
        (
            page.data.iter().map(Model::id).collect(),
            page.total.value(),
        )
    }

    async fn ask<M: Model>(&self, conn: &mut PgConnection, all: bool) -> (u64, String) {
        let mut query = self.query::<M>();
        if all {
            // Roll-ups do not know the ids of records.
            query = query.filter(Filter::parse("id__gte=-9223372036854775808").unwrap());
        }
        let total = query.clone().limit(1).list(&mut *conn).await.unwrap().total;
        if self.keys.is_empty() {
            return (total.value(), String::new());
        }
        let measures = TextMeasures::parse::<M>(&["count"]).unwrap();
        let groups = query.group_by_text(&self.keys).unwrap();
        let groups = groups.aggregate(&mut *conn, measures).await.unwrap();
        // Equal numbers may be written in several ways.
        (total.value(), format!("{groups:?}").replace("1.00", "1.0"))
    }
}

/// Returns whether a count under a filter on a place in JSON is read from roll-ups.
async fn uses_rollups<M: Model>(conn: &mut PgConnection, filter: &str) -> bool {
    let mut transaction = conn.begin().await.unwrap();
    let filter = Filter::parse(filter).unwrap();
    let all = QueryBuilder::<M>::new().filter(filter).with_deleted();
    let before: i64 = all.aggregate(&mut *transaction, count()).await.unwrap();
    let more =
        "UPDATE rollup_cells SET counts = ARRAY(SELECT n + 1000000 FROM unnest(counts) AS n)";
    transaction.execute(more).await.unwrap();
    let after: i64 = all.aggregate(&mut *transaction, count()).await.unwrap();
    transaction.rollback().await.unwrap();
    before != after
}

async fn apply<M: Model>(
    conn: &mut PgConnection,
    pool: &PgPool,
    sealer: &mut Sealer,
    event: &Event,
) {
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM request_snapshots ORDER BY id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    let chosen = |place: &usize| ids.get(place % ids.len().max(1)).copied().unwrap_or(0);
    let one = |place: &usize| {
        let filter = Filter::parse(&format!("id={}", chosen(place))).unwrap();
        QueryBuilder::<M>::new().filter(filter)
    };
    match event {
        Event::Add(requests) => {
            for request in requests {
                let insert = "INSERT INTO request_snapshots \
                     (path, version, status_code, method, stage, timestamp, headers, query) \
                     VALUES ($6, '1', $1, $2, $3, $4::timestamptz, $5::jsonb, $5::jsonb)";
                store(conn, insert, request, None).await;
            }
        }
        Event::Seal => {
            seal_all(conn, sealer).await;
        }
        Event::Maintain => while maintain_rollups(pool, M::TABLE).await.unwrap() {},
        Event::Compact => {
            merge_postings(conn, M::TABLE, 0, 1_000).await.unwrap();
        }
        Event::Delete(place) => {
            one(place).delete_all(&mut *conn).await.unwrap();
        }
        Event::HardDelete(place) => {
            one(place).hard_delete_all(&mut *conn).await.unwrap();
        }
        Event::Restore => {
            let all = QueryBuilder::<M>::new().filter(Filter::all());
            all.restore_all(&mut *conn).await.unwrap();
        }
        Event::Change(place, request) => {
            let update = "UPDATE request_snapshots SET status_code = $1, method = $2, stage = $3, \
                 timestamp = $4::timestamptz, headers = $5::jsonb, query = $5::jsonb, path = $6 \
                 WHERE id = $7";
            store(conn, update, request, Some(chosen(place))).await;
        }
        Event::Unseal => unseal(conn, M::TABLE).await.unwrap(),
    }
}

async fn store(conn: &mut PgConnection, sql: &'static str, request: &Request, id: Option<i64>) {
    let mut query = sqlx::query(sql)
        .bind(request.status_code)
        .bind(request.method)
        .bind(request.stage)
        .bind(&request.timestamp)
        .bind(&request.document)
        .bind(request.path);
    if let Some(id) = id {
        query = query.bind(id);
    }
    query.execute(conn).await.unwrap();
}

async fn compare_with_every_record<M: Model>(
    keys: &'static [&'static str],
    filters: &'static [&'static str],
) {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    // The trigger of this model.
    while maintain_rollups(&db.pool, M::TABLE).await.unwrap() {}
    let mut runner = crate::random::runner(10);
    let first = prop::collection::vec(request(), 30..120);
    let then = (event(), prop::collection::vec(question(keys, filters), 4));
    let strategy = (4..40_i64, first, prop::collection::vec(then, 6..25));
    let (mut questions, mut by_rollups) = (0, 0);
    for _ in 0..runner.config().cases {
        let (segment, first, then) = strategy.new_tree(&mut runner).unwrap().current();
        conn.execute("TRUNCATE request_snapshots RESTART IDENTITY")
            .await
            .unwrap();
        unseal(&mut conn, M::TABLE).await.unwrap();
        let mut sealer = Sealer::new(M::TABLE, segment).unwrap();
        for event in [Event::Add(first), Event::Seal] {
            apply::<M>(&mut conn, &db.pool, &mut sealer, &event).await;
        }
        let mut after = Vec::new();
        for (event, asked) in &then {
            apply::<M>(&mut conn, &db.pool, &mut sealer, event).await;
            after.push(event);
            questions += 1;
            by_rollups += u32::from(uses_rollups::<M>(&mut conn, filters[0]).await);
            for question in asked {
                let expected = question.ask::<M>(&mut conn, true).await;
                let found = question.ask::<M>(&mut conn, false).await;
                let matches = question.matches::<M>(&mut conn, "-1").await;
                let every = question.matches::<M>(&mut conn, "1e18").await;
                assert_eq!(
                    (found, matches),
                    (expected, every),
                    "{question:?} after {after:?}, segments of {segment}"
                );
            }
        }
    }
    assert!(by_rollups > questions / 3, "{by_rollups} of {questions}");
}

#[tokio::test]
async fn aggregates_of_requests_are_those_of_every_record() {
    compare_with_every_record::<RequestSnapshot>(
        &[
            "status_code",
            "headers.direction",
            "method",
            "stage",
            "headers.route",
            "timestamp__1m",
            "timestamp__1h",
            "timestamp__day@Europe/Berlin",
        ],
        &[
            "headers.direction__ne=outgoing",
            "headers.direction=outgoing",
            "headers.direction__isnull=true",
            "headers.route=/a",
            "headers.route__exists=true",
            "headers.route__in=/a,/b",
            "headers.route__startswith=x",
            "headers.route=1",
            "headers.Route=/b",
            "status_code__gte=500",
            "status_code__isnull=true",
            "method=GET",
            "stage=test",
        ],
    )
    .await;
}

#[tokio::test]
async fn aggregates_by_places_inside_are_those_of_every_record() {
    compare_with_every_record::<Inside>(
        &[
            "query.a.b",
            "status_code",
            "query.\"odd \\\"key\\\"\"",
            "query.a.type",
            "timestamp__15m",
            "timestamp__1d",
        ],
        &[
            "query.a.b__exists=false",
            "query.a.b=/a",
            "query.a.b__isnull=true",
            "query.a.type__gt=5",
            "query.\"odd \\\"key\\\"\"__exists=true",
            "query.\"odd \\\"key\\\"\"__contains=NULL",
            "query.a__isnull=true",
            "status_code__ne=200",
        ],
    )
    .await;
}
