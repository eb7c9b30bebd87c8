//! `pull`: from a database to models, and from these to the same database.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use lookback::migrate::{
    ApplyOptions, Baseline, Folder, GenerateOptions, Migrations, Models, Scope, apply, baseline,
    canonical, generate, introspect, pull, rust_code,
};
use lookback_schema::{Decisions, Schema, diff};
use sqlx::{Connection as _, Executor as _, PgConnection};

/// The models pulled from the database of `start.sql`; `PULL=overwrite` rewrites them.
#[allow(dead_code, unreachable_pub, reason = "generated")]
mod shop;

const START: &str = include_str!("pull/start.sql");

async fn empty() -> (testkit::Database, PgConnection) {
    let db = testkit::empty_database().await;
    let conn = PgConnection::connect(&db.url).await.unwrap();
    (db, conn)
}

fn scope() -> Scope {
    Scope::schemas(["sales", "Odd schema"])
}

/// Returns the SQL that turns one schema into the other; it is empty if they are equal.
fn difference(from: &Schema, to: &Schema) -> String {
    let decisions = Decisions::assuming_drops();
    diff(from, to, &decisions).unwrap().sql()
}

async fn live(conn: &mut PgConnection) -> Schema {
    introspect(conn, &scope()).await.unwrap()
}

#[tokio::test]
async fn pull_of_database_equals_committed_module() {
    let (_db, mut conn) = empty().await;
    conn.execute(START).await.unwrap();
    let code = pull(&mut conn, &scope()).await.unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pull/shop.rs");
    if std::env::var_os("PULL").is_some_and(|value| value == "overwrite") {
        fs::write(&file, &code.text).unwrap();
    }
    assert_eq!(code.text, fs::read_to_string(&file).unwrap());
    insta::assert_snapshot!(code.notes.join("\n"), @"
    table cache has storage parameters, which are not in the schema: fillfactor=70
    table cache is unlogged, which is not in the schema
    table heirs is left out: it inherits from another, which is not in the schema
    table numbered: the sequence of id has options, which are not in the schema: START WITH 1000
    table orders has row-level security, which is not in the schema
    table invoices is schema_only: Lookback cannot write a money, and the column total has no default
    not in the models: composite type pair
    not in the models: domain percent
    not in the models: function touch
    not in the models: materialized view sales.totals
    not in the models: partition index events_default_at_idx of events_default
    not in the models: policy mine of orders
    not in the models: sequence tickets
    not in the models: trigger touch of orders
    not in the models: view open_orders
    the schema other has 1 table that is not read
    ");
}

#[tokio::test]
async fn schema_of_pulled_models_equals_database() {
    let (_db, mut conn) = empty().await;
    conn.execute(START).await.unwrap();
    let live = live(&mut conn).await;
    let models = shop::models().to_schema().unwrap();
    let canonical_models = canonical(&mut conn, &models).await.unwrap();
    assert_eq!(difference(&live, &canonical_models), "");
    assert_eq!(canonical_models, live);
    // There is no difference without the canonical form, either.
    assert_eq!(difference(&live, &models), "");
}

#[tokio::test]
async fn pulled_model_reads_and_writes_arrays() {
    let (_db, mut conn) = empty().await;
    conn.execute(START).await.unwrap();
    let first: i64 = sqlx::query_scalar(
        "INSERT INTO sales.customers (email, friends, visited, answers) \
         VALUES ('ada@example.com', '{1,-2}', '{2026-01-31T08:30:00Z}', '{true}') RETURNING id",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let ada = shop::Customer::records().get(&mut conn, first).await;
    let ada = ada.unwrap();
    assert!(ada.labels.is_empty());
    assert_eq!(ada.limits, Some(vec![1, 2]));
    assert_eq!(ada.friends, Some(vec![1, -2]));
    assert_eq!(ada.answers, Some(vec![true]));
    assert_eq!(ada.visited, Some(vec![crate::time("2026-01-31T08:30:00Z")]));
    assert_eq!(ada.rates, None);

    let mut new = shop::NewCustomer::new("bob@example.com");
    new.labels = Some(vec!["a,b".to_owned(), String::new()]);
    new.rates = Some(vec![0.5]);
    let bob = shop::Customer::records().create(&mut conn, new).await;
    let bob = bob.unwrap();
    assert_eq!(bob.labels, ["a,b", ""]);
    assert_eq!(bob.rates, Some(vec![0.5]));
}

#[tokio::test]
async fn migrations_of_pulled_models_create_same_database() {
    let (_before, mut conn) = empty().await;
    conn.execute(START).await.unwrap();
    let before = live(&mut conn).await;

    let dir = tempfile::tempdir().unwrap();
    let now: DateTime<Utc> = crate::time("2026-01-01T00:00:00Z");
    let models = shop::models().to_schema().unwrap();
    let options = GenerateOptions::default();
    generate(&Folder::new(dir.path()), &models, &options, now).unwrap();

    let (_after, mut conn) = empty().await;
    let migrations = Migrations::folder(dir.path()).unwrap();
    apply(
        &mut conn,
        &migrations,
        &ApplyOptions::default(),
        &mut |_| {},
    )
    .await
    .unwrap();
    let after = live(&mut conn).await;
    assert_eq!(difference(&before, &after), "");
    assert_eq!(after, before);
    // Both are pulled as the same text, except for notes on what models cannot describe.
    let columns = |schema: &Schema| -> Vec<Vec<String>> {
        let tables = schema.tables.values();
        tables
            .map(|table| table.columns.iter().map(|c| c.name.clone()).collect())
            .collect()
    };
    assert_eq!(columns(&after), columns(&before));
    assert_eq!(rust_code(&after).text, rust_code(&before).text);
}

/// The first migration creates what exists already: it is recorded, not run.
#[tokio::test]
async fn baseline_of_existing_database_records_first_migrations() {
    let (_db, mut conn) = empty().await;
    conn.execute(START).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path());
    let options = ApplyOptions::default();
    let error = baseline(&mut conn, &folder, None, &options, &mut |_| {}).await;
    assert!(error.unwrap_err().is_folder());

    let models = shop::models().to_schema().unwrap();
    let now = crate::time("2026-01-01T00:00:00Z");
    generate(&folder, &models, &GenerateOptions::default(), now).unwrap();
    conn.execute("ALTER TABLE orders ADD COLUMN stray text")
        .await
        .unwrap();
    let done = baseline(&mut conn, &folder, None, &options, &mut |_| {}).await;
    match done.unwrap() {
        Baseline::Differs(plan) => assert!(plan.sql().contains("DROP COLUMN stray")),
        Baseline::Recorded(files) => panic!("{files:?}"),
    }
    let migrations = Migrations::folder(dir.path()).unwrap();
    let pending = lookback::migrate::pending(&mut conn, &migrations)
        .await
        .unwrap();
    assert_eq!(pending.len(), migrations.files().len());

    conn.execute("ALTER TABLE orders DROP COLUMN stray")
        .await
        .unwrap();
    let done = baseline(&mut conn, &folder, None, &options, &mut |_| {}).await;
    match done.unwrap() {
        Baseline::Recorded(files) => assert_eq!(files.len(), pending.len()),
        Baseline::Differs(plan) => panic!("{}", plan.sql()),
    }
    let applied = apply(&mut conn, &migrations, &options, &mut |_| {}).await;
    assert_eq!(applied.unwrap().len(), 0);
}

#[tokio::test]
async fn pull_of_built_in_tables_gives_built_in_models() {
    let db = testkit::database_without_ranges().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let code = pull(&mut conn, &Scope::default()).await.unwrap();
    insta::assert_snapshot!(code.text);
    assert_eq!(code.notes, [""; 0]);
    // The models have open partitions, which a database does not record.
    let schema = introspect(&mut conn, &Scope::default()).await.unwrap();
    assert_eq!(code.text, rust_code(&schema).text);
    let mut models = Models::lookback().to_schema().unwrap();
    for table in models.tables.values_mut() {
        table.open_partitions = false;
    }
    assert_eq!(difference(&schema, &models), "");
}

#[tokio::test]
async fn pull_of_missing_schema_is_an_error() {
    let (_db, mut conn) = empty().await;
    let scope = Scope::schemas(["public", "sails"]);
    let error = pull(&mut conn, &scope).await.unwrap_err();
    assert!(error.is_schema());
    assert_eq!(error.to_string(), "the database has no schema sails");
}
