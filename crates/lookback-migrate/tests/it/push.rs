//! Changes in one transaction, and what a comparison with the database finds.

use lookback_migrate::{Scope, introspect, push};
use lookback_schema::{Column, Decisions, Fill, Name, Schema, Table, diff, quoted};
use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

async fn live(conn: &mut PgConnection) -> Schema {
    introspect(conn, &Scope::default()).await.unwrap()
}

#[tokio::test]
async fn pushed_index_keeps_settings_of_the_one_it_replaces() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(
        "CREATE TABLE t (a integer NOT NULL, b text, CONSTRAINT k UNIQUE (a)); \
         CREATE UNIQUE INDEX i ON t (a) WITH (fillfactor = 70); CREATE INDEX plain ON t (b); \
         ALTER TABLE t REPLICA IDENTITY USING INDEX i; ALTER TABLE t CLUSTER ON k; \
         COMMENT ON INDEX i IS 'an index'; COMMENT ON CONSTRAINT k ON t IS 'a key'",
    )
    .await
    .unwrap();
    let from = live(&mut conn).await;
    let mut to = from.clone();
    let table = to.tables.values_mut().next().unwrap();
    for (name, index) in [("i", "UNIQUE (a) INCLUDE (b)"), ("plain", "(b, a)")] {
        table
            .indexes
            .insert(name.to_owned(), index.parse().unwrap());
    }
    table
        .constraints
        .insert("k".to_owned(), "UNIQUE (a, b)".parse().unwrap());
    let plan = diff(&from, &to, &Decisions::default()).unwrap();
    push(&mut conn, &plan, &[]).await.unwrap();
    assert_eq!(live(&mut conn).await, to);
    let kept: bool = conn
        .fetch_one(
            "SELECT obj_description('i'::regclass, 'pg_class') = 'an index' \
               AND (SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint \
                    WHERE conname = 'k') = 'a key' \
               AND (SELECT array_agg(indexrelid::regclass::text || indisreplident || indisclustered \
                      ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 't'::regclass) \
                 = '{itruefalse,kfalsetrue,plainfalsefalse}'",
        )
        .await
        .unwrap()
        .get(0);
    assert!(kept);
}

#[tokio::test]
async fn sequence_of_another_type_than_its_column_is_a_difference() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(
        "CREATE TABLE t (id bigserial); ALTER SEQUENCE t_id_seq AS integer; \
         CREATE TABLE other (id bigserial)",
    )
    .await
    .unwrap();
    let from = live(&mut conn).await;
    let mut to = from.clone();
    for table in to.tables.values_mut() {
        table.columns[0].sequence_type = None;
    }
    let plan = diff(&from, &to, &Decisions::default()).unwrap();
    let summaries: Vec<String> = plan
        .steps
        .iter()
        .map(|step| step.change.summary())
        .collect();
    assert_eq!(summaries, ["change type of the sequence of t.id to bigint"]);
    assert_eq!(plan.apply(from.clone()), to);
    push(&mut conn, &plan, &[]).await.unwrap();
    assert_eq!(live(&mut conn).await, to);

    let back = diff(&to, &from, &Decisions::default()).unwrap();
    conn.execute("SELECT setval('t_id_seq', 3000000000)")
        .await
        .unwrap();
    assert_eq!(back.steps[0].risks.len(), 1);
    assert!(push(&mut conn, &back, &[]).await.unwrap_err().is_schema());
}

/// A default that PostgreSQL computes for each row rewrites the table; one that it computes once
/// does not.
#[tokio::test]
async fn default_rewrites_table_only_if_it_is_volatile() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let rewrites = |default: &str| {
        let schema = |column: Option<Column>| Schema {
            tables: [(
                Name::new("t"),
                Table {
                    columns: column.into_iter().collect(),
                    ..Table::default()
                },
            )]
            .into(),
            ..Schema::default()
        };
        let mut column = Column::new("c", "text".parse().unwrap());
        column.fill = Fill::Default(default.parse().unwrap());
        let plan = diff(&schema(None), &schema(Some(column)), &Decisions::default()).unwrap();
        !plan.steps[0].risks.is_empty()
    };
    let volatile: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT proname::text FROM pg_proc \
         WHERE provolatile = 'v' AND pronamespace = 'pg_catalog'::regnamespace",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(volatile.len() > 50);
    for name in volatile {
        assert!(rewrites(&format!("{}()", quoted(&name))), "{name}");
    }
    conn.execute("CREATE TABLE t (); INSERT INTO t DEFAULT VALUES")
        .await
        .unwrap();
    for default in [
        "now()",
        "pg_catalog.now()",
        "current_timestamp(3)::text",
        "current_setting('TimeZone')",
        "round(1.5, 1)::numeric(10,2)",
        "to_char(now(), 'YYYY')",
        "md5('x') || upper('y')",
        "cast('x' as varchar(5))",
        "coalesce(nullif('a', 'b'), case when (true) then 'c' end)",
        "random()",
        "gen_random_uuid()",
        "lower(clock_timestamp()::text)",
    ] {
        let node = "SELECT pg_relation_filenode('t')";
        let before: Oid = sqlx::query_scalar(node).fetch_one(&mut conn).await.unwrap();
        let add = format!("ALTER TABLE t ADD COLUMN c text DEFAULT ({default})");
        conn.execute(AssertSqlSafe(add)).await.unwrap();
        let after: Oid = sqlx::query_scalar(node).fetch_one(&mut conn).await.unwrap();
        assert_eq!(rewrites(default), before != after, "{default}");
        conn.execute("ALTER TABLE t DROP COLUMN c").await.unwrap();
    }
}
