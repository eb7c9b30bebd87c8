//! An application's model with features that the built-in tables lack: database
//! defaults, an enum type, case-insensitive text, a unique key that deleted records
//! keep.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use lookback::embedding::Embedding;
use lookback::json;
use lookback::migrate::Models;
use lookback::query::{TextMeasures, count};
use lookback::value::Hidden;
use lookback::{ColumnEnum, Filter, model};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// A ticket of a help desk.
#[model(
    table = "Tickets",
    search(title, customer),
    index("tickets_number_key", "UNIQUE (number)", problem(number, "is taken")),
    index(
        "Tickets customer key",
        "UNIQUE (customer, title) INCLUDE (urgency) WHERE deleted_at IS NULL"
    ),
    constraint("tickets_token_key", "UNIQUE (token)"),
    constraint("tickets_sort_key", "UNIQUE (sort) DEFERRABLE")
)]
struct Ticket {
    id: i64,
    #[column(serial)]
    sort: i32,
    number: i32,
    title: String,
    #[column(type = "citext")]
    customer: String,
    #[column(sql_default = "'low'::urgency")]
    urgency: Urgency,
    #[column(sql_default = "upper(md5('ticket'::text || clock_timestamp()))")]
    token: String,
    #[column(sql_default = "7")]
    patience: Option<i32>,
    #[column(name = "Cost of it")]
    cost: Option<f64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ColumnEnum)]
#[column_enum(type = "urgency")]
enum Urgency {
    Low,
    High,
    Urgent,
}

async fn database() -> testkit::Database {
    let db = testkit::database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute("CREATE EXTENSION IF NOT EXISTS citext")
        .await
        .unwrap();
    let schema = Models::new().model::<Ticket>().to_schema().unwrap();
    for statement in testkit::schemas::create(&schema) {
        conn.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    db
}

fn ticket(number: i32, title: &str, customer: &str) -> NewTicket {
    NewTicket::new(number, title, customer)
}

#[tokio::test]
async fn create_with_omitted_columns_uses_database_defaults() {
    let db = database().await;
    let pool = &db.pool;
    let records = Ticket::records();
    let first = records
        .create(pool, ticket(1, "Printer on fire", "Ada"))
        .await
        .unwrap();
    assert_eq!(
        (first.urgency, first.patience, first.token.len()),
        (Urgency::Low, Some(7), 32)
    );
    assert_eq!(first.sort, 1);
    let given = ticket(2, "No paper", "Bob")
        .urgency(Urgency::High)
        .token("t");
    let given = records.create(pool, given).await.unwrap();
    assert_eq!((given.urgency, given.token.as_str()), (Urgency::High, "t"));

    // Records of one batch may give or omit a column; all of them are stored, or none.
    let batch = |from: i32| -> Vec<NewTicket> {
        (from..from + 40)
            .map(|n| {
                let new = ticket(n, &format!("Case {n}"), "Eve").token(format!("token {n}"));
                match n % 4 {
                    0 => new.urgency(Urgency::Urgent).patience(1),
                    1 => new,
                    _ => new.cost(f64::from(n) / 8.0),
                }
            })
            .collect()
    };
    assert_eq!(records.create_many(pool, &batch(100)).await.unwrap(), 40);
    let rows = records
        .clone()
        .filter(Ticket::number().gte(100))
        .order_by(Ticket::number().asc())
        .select((
            Ticket::number(),
            Ticket::urgency(),
            Ticket::patience(),
            Ticket::cost(),
        ))
        .list(pool)
        .await
        .unwrap()
        .data;
    assert_eq!(rows.len(), 40);
    for (number, urgency, patience, cost) in rows {
        let urgent = number % 4 == 0;
        assert_eq!(
            urgency,
            if urgent {
                Urgency::Urgent
            } else {
                Urgency::Low
            }
        );
        assert_eq!(patience, Some(if urgent { 1 } else { 7 }));
        assert_eq!(cost, (number % 4 > 1).then(|| f64::from(number) / 8.0));
    }
    let mut clashing = batch(200);
    clashing[37].number = 5;
    clashing[2].number = 5;
    let clash = records.create_many(pool, &clashing).await.unwrap_err();
    assert!(clash.is_conflict(), "{clash:?}");
    assert_eq!(
        (clash.fields()[0].row, clash.fields()[0].field.as_str()),
        (Some(37), "number")
    );
    assert_eq!(clash.fields()[0].problem, "is taken");
    assert_eq!(records.count(pool).await.unwrap().value(), 42);
    // Columns may be omitted in JSON, too.
    let new: NewTicket = serde_json::from_value(
        serde_json::json!({"number": 3, "title": "x", "customer": "y", "urgency": "high"}),
    )
    .unwrap();
    assert_eq!((new.urgency, new.token), (Some(Urgency::High), None));
}

#[tokio::test]
async fn upsert_accepts_any_unique_key() {
    let db = database().await;
    let pool = &db.pool;
    let records = Ticket::records();
    let by_number = Ticket::tickets_number_key();
    let first = records
        .upsert(pool, ticket(1, "Printer on fire", "Ada"), by_number)
        .await
        .unwrap();
    let again = ticket(1, "Printer burnt", "ADA").urgency(Urgency::Urgent);
    let again = records.upsert(pool, again, by_number).await.unwrap();
    assert_eq!((again.record.id, again.created), (first.record.id, false));
    assert_eq!(
        (again.record.title.as_str(), again.record.urgency),
        ("Printer burnt", Urgency::Urgent)
    );

    // A key whose name is not a valid function name; its text is case-insensitive.
    let by_customer = lookback::query::UniqueKey::<Ticket>::named("Tickets customer key").unwrap();
    let third = records
        .upsert(pool, ticket(9, "Printer burnt", "ada"), by_customer)
        .await
        .unwrap();
    assert_eq!((third.record.id, third.record.number), (first.record.id, 9));
    // A conflict with another key than that of the upsert is an error.
    records
        .create(pool, ticket(10, "Other", "Bob").token("taken"))
        .await
        .unwrap();
    let clash = ticket(9, "Printer burnt", "Ada").token("taken");
    let clash = records.upsert(pool, clash, by_number).await.unwrap_err();
    assert!(clash.is_conflict(), "{clash}");
    assert!(
        lookback::query::UniqueKey::<Ticket>::named("tickets_sort_key").is_err(),
        "a deferrable key is checked too late"
    );

    // A deleted record keeps its number.
    records.delete(pool, first.record.id).await.unwrap();
    let held = records
        .upsert(pool, ticket(9, "New", "Cy"), by_number)
        .await
        .unwrap_err();
    assert!(held.is_conflict());
    assert_eq!(
        held.to_string(),
        "number: is already used by a deleted record (unique key tickets_number_key)"
    );
    let still = records
        .clone()
        .with_deleted()
        .get(pool, first.record.id)
        .await
        .unwrap();
    assert_eq!(still.title, "Printer burnt");
    let deleted = records.clone().with_deleted();
    let changed = deleted
        .upsert(pool, ticket(9, "New", "Cy"), by_number)
        .await
        .unwrap();
    assert_eq!(
        (changed.record.title.as_str(), changed.created),
        ("New", false)
    );
    assert!(
        records
            .get(pool, first.record.id)
            .await
            .unwrap_err()
            .is_not_found()
    );
    let live = records
        .clone()
        .only_deleted()
        .upsert(pool, ticket(10, "x", "y"), by_number)
        .await;
    assert!(live.unwrap_err().to_string().contains("live record"));
}

#[tokio::test]
async fn own_model_supports_every_read_and_write() {
    let db = database().await;
    let pool = &db.pool;
    let records = Ticket::records();
    let new: Vec<NewTicket> = (0..25)
        .map(|n| {
            let urgency = [Urgency::Urgent, Urgency::Low, Urgency::High][n as usize % 3];
            ticket(n, &format!("Printer {n} jams"), "Ada")
                .urgency(urgency)
                .token(n.to_string())
                .cost(f64::from(n))
        })
        .collect();
    records.create_many(pool, &new).await.unwrap();

    // Pages are ordered by an enum type, in the order of its declaration.
    let by_urgency = records.clone().order_by(Ticket::urgency().desc()).limit(4);
    let mut page = by_urgency.list(pool).await.unwrap();
    let mut seen: Vec<i64> = Vec::new();
    loop {
        seen.extend(page.data.iter().map(|ticket| ticket.id));
        match page.next {
            Some(next) => page = by_urgency.clone().after(next).list(pool).await.unwrap(),
            None => break,
        }
    }
    let streamed: Vec<Ticket> = by_urgency
        .clone()
        .limit(1_000)
        .stream(pool)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        seen,
        streamed.iter().map(|ticket| ticket.id).collect::<Vec<_>>()
    );
    assert_eq!(
        (streamed[0].urgency, streamed[24].urgency),
        (Urgency::Urgent, Urgency::Low)
    );
    // Pages are ordered by case-insensitive text, whatever its case in the cursor.
    let by_customer = records.clone().order_by(Ticket::customer().asc()).limit(20);
    let first = by_customer.list(pool).await.unwrap();
    assert_eq!(
        by_customer
            .after(first.next.unwrap())
            .list(pool)
            .await
            .unwrap()
            .data
            .len(),
        5
    );

    let groups = records
        .clone()
        .group_by(Ticket::urgency())
        .aggregate(
            pool,
            (count(), Ticket::cost().sum(), Ticket::urgency().max()),
        )
        .await
        .unwrap();
    assert_eq!(
        groups[0],
        (Urgency::Low, (8, Some(92.0), Some(Urgency::Low)))
    );
    assert_eq!(groups[2].0, Urgency::Urgent);
    let text =
        TextMeasures::parse::<Ticket>(&["Cost of it__max", "urgency__min", "customer__distinct"])
            .unwrap();
    assert_eq!(
        json!(records.aggregate(pool, text).await.unwrap()),
        json!({"Cost of it__max": 24.0, "urgency__min": "low", "customer__distinct": 1})
    );
    let fields = records
        .clone()
        .select_text(&["Cost of it", "urgency"])
        .unwrap();
    assert_eq!(
        json!(fields.get(pool, 3).await.unwrap()),
        json!({"Cost of it": 2.0, "urgency": "high"})
    );

    let found = records
        .clone()
        .search("printr 7")
        .limit(1)
        .list(pool)
        .await
        .unwrap();
    assert_eq!(found.data[0].number, 7);
    let urgent = records
        .clone()
        .filter(Ticket::urgency().eq(Urgency::Urgent));
    let patch = TicketPatch::new().title("Printer replaced").patience(None);
    assert_eq!(
        urgent
            .update_all(pool, patch.clone())
            .await
            .unwrap_err()
            .fields()[0]
            .field,
        "customer"
    );
    let one = urgent.clone().filter(Ticket::number().eq(0));
    assert_eq!(one.update_all(pool, patch).await.unwrap(), 1);
    let changed = records
        .clone()
        .with_hidden(Ticket::embedding())
        .get(pool, 1)
        .await
        .unwrap();
    assert_eq!(
        (changed.title.as_str(), changed.patience),
        ("Printer replaced", None)
    );
    assert_eq!(
        *changed.embedding.get().unwrap(),
        Embedding::of("Printer replaced Ada")
    );
    assert_eq!(urgent.delete_all(pool).await.unwrap(), 9);
    assert_eq!(records.purge(pool, Utc::now()).await.unwrap(), 9);
    assert_eq!(
        records
            .filter(Filter::all())
            .hard_delete_all(pool)
            .await
            .unwrap(),
        16
    );
}

/// A reading of a meter, with search fields that are not text.
#[model(
    table = "readings",
    search(meter, number, ratio, at, proof, marks, steps, ratios, what),
    constraint("readings_meter_excl", "EXCLUDE USING btree (meter WITH =)")
)]
struct Reading {
    id: i64,
    meter: String,
    number: i64,
    ratio: Option<f64>,
    at: DateTime<Utc>,
    proof: bool,
    marks: Vec<String>,
    steps: Vec<i32>,
    ratios: Vec<f64>,
    what: Option<Urgency>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

#[tokio::test]
async fn embedding_is_same_after_create_update_and_reembed() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute("CREATE TYPE urgency AS ENUM ('low', 'high', 'urgent')")
        .await
        .unwrap();
    let models = Models::new().model::<Reading>();
    let schema = models.to_schema().unwrap();
    for statement in testkit::schemas::create(&schema) {
        if !statement.contains("CREATE TYPE") {
            conn.execute(AssertSqlSafe(statement)).await.unwrap();
        }
    }
    let new = |meter: &str| {
        let marks: Vec<String> = ["leaking", "old"].map(str::to_owned).into();
        NewReading::new(meter, 7_i64, Utc::now(), true, marks, vec![3, 4], vec![0.5])
            .ratio(0.25)
            .what(Urgency::High)
    };
    let records = Reading::records().with_hidden(Reading::embedding());
    let fresh = records.create(pool, new("water")).await.unwrap();
    let vector = |reading: &Reading| reading.embedding.get().copied().flatten().unwrap();

    let clash = records.create(pool, new("water")).await.unwrap_err();
    assert!(clash.is_conflict(), "{clash:?}");
    records.hard_delete(pool, fresh.id).await.unwrap();

    let other = records.create(pool, new("gas")).await.unwrap();
    assert_ne!(vector(&other), vector(&fresh));
    let patch = ReadingPatch::new().meter("water");
    let changed = records.update(pool, other.id, patch).await.unwrap();
    assert_eq!(vector(&changed), vector(&fresh));
    let patch = ReadingPatch::new().meter("gas");
    let all = records.clone().filter(Filter::all());
    assert_eq!(all.update_all(pool, patch).await.unwrap(), 1);
    assert_eq!(
        vector(&records.get(pool, other.id).await.unwrap()),
        vector(&other)
    );
    let done = lookback::migrate::reembed(&mut conn, &models, &mut |_| {})
        .await
        .unwrap();
    assert_eq!((done[0].done, done[0].changed), (1, 0));
}
