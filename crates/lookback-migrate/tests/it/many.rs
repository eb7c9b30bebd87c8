//! Databases with thousands of relations. Each relation that a transaction creates or opens is
//! locked until its end, and the server has room for some thousands of locks.

use std::collections::BTreeMap;

use lookback_migrate::{
    ApplyOptions, Baseline, Folder, GenerateOptions, Scope, baseline, canonical, check_database,
    comparable_schemas, generate, introspect,
};
use lookback_schema::{Column, Decisions, Name, Partition, Schema, Table, diff};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Keeps the largest number of locks of a session in a sequence, which no rollback resets.
const COUNT_LOCKS: &str = "CREATE SCHEMA locks; CREATE SEQUENCE locks.peak MINVALUE 0; \
    CREATE FUNCTION locks.count() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
      PERFORM setval('locks.peak', greatest((SELECT last_value FROM locks.peak), \
        (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()))); END $$; \
    CREATE EVENT TRIGGER locks ON ddl_command_end EXECUTE FUNCTION locks.count()";

/// The largest number of locks since the last call.
async fn peak(conn: &mut PgConnection) -> i64 {
    let peak = sqlx::query_scalar("SELECT last_value FROM locks.peak")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    conn.execute("SELECT setval('locks.peak', 0)")
        .await
        .unwrap();
    peak
}

async fn empty() -> (testkit::Database, PgConnection) {
    let db = testkit::empty_database().await;
    let conn = PgConnection::connect(&db.url).await.unwrap();
    (db, conn)
}

/// A partition for each whole number, with a bound that the server prints in another form.
fn partitions(count: usize, prefix: &str) -> BTreeMap<Name, Partition> {
    let partition = |n: usize| {
        let bound = format!("FOR VALUES FROM ({n} + 0) TO ({n} + 1)");
        (Name::new(format!("{prefix}_{n}")), Partition::new(bound))
    };
    (0..count).map(partition).collect()
}

/// A table with these partitions.
fn partitioned(partitions: BTreeMap<Name, Partition>) -> Schema {
    let table = Table {
        columns: ["id", "part"]
            .map(|name| Column::new(name, "bigint".parse().unwrap()))
            .into(),
        constraints: [(
            "events_pkey".to_owned(),
            "PRIMARY KEY (id, part)".parse().unwrap(),
        )]
        .into(),
        indexes: [("events_id".to_owned(), "(id)".parse().unwrap())].into(),
        partition_by: Some("RANGE (id)".parse().unwrap()),
        partitions,
        ..Table::default()
    };
    let schema = Schema {
        tables: [(Name::new("events"), table)].into(),
        ..Schema::default()
    };
    schema.completed().unwrap()
}

/// Creates the schema in several transactions, as many locks are needed for it.
async fn create(conn: &mut PgConnection, schema: &Schema) {
    let all = testkit::schemas::create(schema);
    for some in all.chunks(200) {
        conn.execute(AssertSqlSafe(some.join(";\n"))).await.unwrap();
    }
}

/// A partition of `events` that has `count` partitions.
fn divided(from: i64, to: i64, count: usize, prefix: &str) -> Partition {
    Partition {
        partition_by: Some("RANGE (part)".parse().unwrap()),
        partitions: partitions(count, prefix),
        ..Partition::new(format!("FOR VALUES FROM ({from} + 0) TO ({to})"))
    }
}

#[tokio::test]
async fn canonical_of_many_partitions_holds_as_many_locks_as_of_some() {
    let mut peaks = Vec::new();
    for count in [150, 450] {
        let (_db, mut conn) = empty().await;
        conn.execute(COUNT_LOCKS).await.unwrap();
        let mut all = partitions(count, "flat");
        all.insert(Name::new("deep"), divided(-5, 0, count, "deep"));
        let written = partitioned(all);
        let printed = canonical(&mut conn, &written).await.unwrap();
        peaks.push(peak(&mut conn).await);

        let table = &printed.tables[&Name::new("events")];
        let deep = &table.partitions[&Name::new("deep")];
        assert_eq!(table.partitions.len(), count + 1);
        assert_eq!(deep.partitions.len(), count);
        let last = &table.partitions[&Name::new(format!("flat_{}", count - 1))];
        let wanted = format!("FOR VALUES FROM ('{}') TO ('{count}')", count - 1);
        assert_eq!(last.bound, wanted);
        assert_eq!(
            deep.partitions[&Name::new("deep_0")].bound,
            "FOR VALUES FROM ('0') TO ('1')"
        );
        assert_eq!(deep.bound, "FOR VALUES FROM ('-5') TO ('0')");
        create(&mut conn, &written).await;
        let live = introspect(&mut conn, &Scope::default()).await.unwrap();
        assert_eq!(live.tables, printed.tables);
    }
    assert_eq!(peaks[0], peaks[1]);
    assert!(peaks[0] < 600, "{peaks:?}");
}

/// The bounds that the database has already are not created again.
#[tokio::test]
async fn check_of_many_partitions_creates_none_of_them() {
    let (_db, mut conn) = empty().await;
    conn.execute(COUNT_LOCKS).await.unwrap();
    let schema = partitioned(partitions(300, "part"));
    create(&mut conn, &schema).await;
    let live = introspect(&mut conn, &Scope::default()).await.unwrap();
    peak(&mut conn).await;
    let decisions = Decisions::default();
    let (live, wanted) = comparable_schemas(&mut conn, &live, &Schema::default(), &decisions)
        .await
        .unwrap();
    assert_eq!(diff(&live, &wanted, &decisions).unwrap().sql(), "");
    let locks = peak(&mut conn).await;
    assert!(locks < 40, "{locks}");
    // Introspection leaves no lock on a table, not even in the caller's transaction.
    let mut transaction = conn.begin().await.unwrap();
    introspect(&mut transaction, &Scope::default())
        .await
        .unwrap();
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation \
         WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'public'::regnamespace",
    )
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    assert_eq!(held, 0);
}

#[tokio::test]
async fn canonical_of_many_tables_holds_as_many_locks_as_of_some() {
    let (_db, mut conn) = empty().await;
    conn.execute(COUNT_LOCKS).await.unwrap();
    let mut peaks = Vec::new();
    for count in [200, 400] {
        let mut schema = Schema::default();
        for n in 0..count {
            let mut table = Table {
                columns: vec![Column::new("id", "bigint".parse().unwrap())],
                ..Table::default()
            };
            let check = "CHECK (id IN (1, 2))".parse().unwrap();
            table.constraints.insert("one_or_two".to_owned(), check);
            let key = "PRIMARY KEY (id)".parse().unwrap();
            table.constraints.insert(format!("t{n}_pkey"), key);
            let next = (n + 1) % count;
            let reference = format!("FOREIGN KEY (id) REFERENCES t{next}");
            let reference = reference.parse().unwrap();
            table.constraints.insert(format!("t{n}_fkey"), reference);
            schema.tables.insert(Name::new(format!("t{n}")), table);
        }
        let schema = schema.completed().unwrap();
        let printed = canonical(&mut conn, &schema).await.unwrap();
        peaks.push(peak(&mut conn).await);
        assert_eq!(printed.tables.len(), count);
        for (name, table) in &printed.tables {
            assert_eq!(table.constraints.len(), 3, "{name}");
            assert_eq!(
                table.constraints["one_or_two"].to_string(),
                "CHECK (id = ANY (ARRAY[(1)::bigint, (2)::bigint]))"
            );
        }
    }
    assert!(peaks[1] < peaks[0] + 50 && peaks[1] < 1_500, "{peaks:?}");
}

/// The server of the tests has the usual number of locks, which 5,000 partitions exceed.
#[tokio::test]
async fn five_thousand_partitions_are_recorded_checked_and_compared() {
    let (_db, mut conn) = empty().await;
    let divided = |n: i64| {
        let name = format!("events_{n}");
        (Name::new(&name), divided(n, n + 1, 500, &name))
    };
    // Without keys and indexes, which take most of the time.
    let bare = |count| {
        let mut schema = partitioned((0..count).map(divided).collect());
        let table = schema.tables.get_mut(&Name::new("events")).unwrap();
        table.constraints.clear();
        table.indexes.clear();
        schema
    };
    let schema = bare(10);
    create(&mut conn, &schema).await;

    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::new(folder.path());
    let now = chrono::DateTime::UNIX_EPOCH;
    generate(&folder, &schema, &GenerateOptions::default(), now).unwrap();
    let options = ApplyOptions::default();
    let recorded = baseline(&mut conn, &folder, None, &options, &mut |_| {})
        .await
        .unwrap();
    assert!(matches!(recorded, Baseline::Recorded(_)), "{recorded:?}");
    let plan = check_database(&folder, &mut conn).await.unwrap();
    assert_eq!(plan.sql(), "");

    let models = bare(11);
    let decisions = Decisions::default();
    let (live, wanted) = comparable_schemas(&mut conn, &models, &schema, &decisions)
        .await
        .unwrap();
    let plan = diff(&live, &wanted, &decisions).unwrap();
    let changes: Vec<String> = plan.steps.iter().map(|s| s.change.summary()).collect();
    assert_eq!(changes, ["create partition events_10"]);
}
