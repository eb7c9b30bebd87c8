//! Random schemas, made on the server, read back and changed into each other.

use std::time::Instant;

use lookback::migrate::{Introspection, Scope, canonical, read};
use lookback_schema::{Decisions, Expression, File, Name, ObjectPath, Plan, Schema, diff, merge};
use proptest::test_runner::{TestCaseError, TestRunner};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use testkit::schemas::{
    Dropped, EXTENSIONS, GeneratedSchema, Pair, Rename, create, fork, pair, schema,
};
use tokio::runtime::Runtime;

use crate::random::config;

/// One database for all cases: the schemas of the last case are dropped before
/// the next. A database for each would take longer than the case.
struct Bench {
    runtime: Runtime,
    db: testkit::Database,
    conn: PgConnection,
    virtual_columns: bool,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (db, conn, virtual_columns) = runtime.block_on(async {
            let db = testkit::empty_database().await;
            let mut conn = PgConnection::connect(&db.url).await.unwrap();
            conn.execute("CREATE SCHEMA extensions").await.unwrap();
            for extension in EXTENSIONS {
                let sql = format!("CREATE EXTENSION {extension} SCHEMA extensions");
                conn.execute(AssertSqlSafe(sql)).await.unwrap();
            }
            let version: i32 = sqlx::query("SELECT current_setting('server_version_num')::int")
                .fetch_one(&mut conn)
                .await
                .unwrap()
                .get(0);
            conn.execute("SET client_min_messages = error; SET TimeZone = 'UTC'")
                .await
                .unwrap();
            (db, conn, version >= 180_000)
        });
        Self {
            runtime,
            db,
            conn,
            virtual_columns,
        }
    }

    /// Runs `case` for as many values as the configuration says, at least
    /// `cases`; says how many there were in a second.
    fn run<S: proptest::strategy::Strategy>(
        &mut self,
        cases: u32,
        strategy: &S,
        case: impl AsyncFn(&mut PgConnection, S::Value) -> Result<(), TestCaseError>,
    ) {
        let config = config(cases);
        let (cases, seed) = (config.cases, config.rng_seed);
        let started = Instant::now();
        let conn = tokio::sync::Mutex::new(&mut self.conn);
        let count = std::cell::Cell::new(0_u32);
        let result = TestRunner::new(config).run(strategy, |value| {
            self.runtime.block_on(async {
                let mut conn = conn.lock().await;
                reset(&mut conn).await;
                // Every case leaves the rows of its catalog dead.
                count.set(count.get() + 1);
                if count.get().is_multiple_of(200) {
                    conn.execute(VACUUM).await.unwrap();
                }
                case(&mut conn, value).await
            })
        });
        let seconds = started.elapsed().as_secs_f64();
        eprintln!(
            "{cases} cases, {:.1} in a second; again with PROPTEST_RNG_SEED={seed}",
            f64::from(cases) / seconds
        );
        if let Err(error) = result {
            panic!("{error}\nthe database: {}", self.db.url);
        }
    }
}

const VACUUM: &str = "VACUUM pg_attrdef, pg_attribute, pg_class, pg_constraint, pg_depend, \
     pg_description, pg_enum, pg_index, pg_inherits, pg_namespace, pg_partitioned_table, \
     pg_sequence, pg_shdepend, pg_statistic, pg_trigger, pg_type";

async fn reset(conn: &mut PgConnection) {
    conn.execute(
        "ROLLBACK; DROP SCHEMA IF EXISTS main, app, \"Odd schema\" CASCADE; CREATE SCHEMA main; \
         SET search_path = main, extensions",
    )
    .await
    .unwrap();
}

async fn run(conn: &mut PgConnection, statements: &[String]) -> Result<(), TestCaseError> {
    for sql in statements {
        conn.execute(AssertSqlSafe(sql.clone()))
            .await
            .map_err(|error| TestCaseError::fail(format!("{error}\n{sql}")))?;
    }
    Ok(())
}

fn scope() -> Scope {
    Scope::schemas(["app", "Odd schema"])
}

async fn live(conn: &mut PgConnection) -> Result<Schema, TestCaseError> {
    let Introspection {
        schema,
        notes,
        invalid_indexes,
        ..
    } = read(conn, &scope())
        .await
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    if notes.is_empty() && invalid_indexes.is_empty() {
        Ok(schema)
    } else {
        Err(TestCaseError::fail(format!(
            "{notes:?} {invalid_indexes:?}"
        )))
    }
}

/// Every schema that is drawn is one: PostgreSQL takes it. What is read of it
/// has nothing to be completed.
#[test]
fn introspected_schema_is_complete() {
    let mut bench = Bench::new();
    let strategy = schema(bench.virtual_columns);
    bench.run(64, &strategy, async |conn, GeneratedSchema(schema)| {
        run(conn, &create(&schema)).await?;
        let live = live(conn).await?;
        let completed = live
            .clone()
            .completed()
            .map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
        proptest::prop_assert_eq!(&completed.tables, &live.tables);
        proptest::prop_assert_eq!(completed.enums, schema.enums);
        Ok(())
    });
}

/// What is read of a schema that was applied equals it, in the words of the
/// server; those are the same whether it is there already or not.
#[test]
fn introspected_schema_equals_applied_one() {
    let mut bench = Bench::new();
    let strategy = schema(bench.virtual_columns);
    bench.run(64, &strategy, async |conn, GeneratedSchema(schema)| {
        let words = words(conn, &schema).await?;
        run(conn, &create(&schema)).await?;
        let live = live(conn).await?;
        proptest::prop_assert_eq!(&live.enums, &words.enums);
        same_tables(&live, &words)?;
        same_tables(&live, &self::words(conn, &schema).await?)?;
        same_tables(&live, &self::words(conn, &live).await?)?;
        Ok(())
    });
}

async fn words(conn: &mut PgConnection, schema: &Schema) -> Result<Schema, TestCaseError> {
    canonical(conn, schema)
        .await
        .map_err(|error| TestCaseError::fail(error.to_string()))
}

/// That they are equal, or which part is not.
fn same_tables(live: &Schema, wanted: &Schema) -> Result<(), TestCaseError> {
    for (name, table) in &wanted.tables {
        let Some(read) = live.tables.get(name) else {
            return Err(TestCaseError::fail(format!("no table {name}")));
        };
        for column in &table.columns {
            proptest::prop_assert_eq!(read.column(&column.name), Some(column), "{}", name);
        }
        proptest::prop_assert_eq!(&read.constraints, &table.constraints, "{}", name);
        proptest::prop_assert_eq!(&read.indexes, &table.indexes, "{}", name);
        proptest::prop_assert_eq!(&read.partitions, &table.partitions, "{}", name);
    }
    proptest::prop_assert_eq!(&live.tables, &wanted.tables);
    Ok(())
}

/// What is drawn can be asked of a migration: the rows of the first schema,
/// with their new names, types and fills, are taken by the second one. They go
/// there by way of text, without a migration.
#[test]
fn rows_of_generated_pair_fit_second_schema() {
    let mut bench = Bench::new();
    let strategy = pair(bench.virtual_columns);
    bench.run(64, &strategy, async |conn, pair| {
        run(conn, &create(&pair.from)).await?;
        run(conn, &pair.rows()).await?;
        let mut kept = Vec::new();
        for (name, columns) in pair.surviving_columns() {
            kept.push((
                name.clone(),
                columns.clone(),
                copy(conn, &pair, &name, &columns).await?,
            ));
        }
        let before = survivors(conn, &pair, true).await?;
        reset(conn).await;
        let (later, first): (Vec<String>, Vec<String>) = create(&pair.to)
            .into_iter()
            .partition(|sql| sql.contains("FOREIGN KEY"));
        run(conn, &first).await?;
        for (name, columns, rows) in kept {
            paste(conn, &pair, &name, &columns, &rows).await?;
        }
        run(conn, &later).await?;
        proptest::prop_assert_eq!(before, survivors(conn, &pair, false).await?);
        Ok(())
    });
}

/// A migration leads from any schema to any other, keeps what stays, and back.
#[test]
fn plan_migrates_any_schema_to_another_and_back() {
    let mut bench = Bench::new();
    let strategy = pair(bench.virtual_columns);
    bench.run(120, &strategy, async |conn, pair| {
        run(conn, &create(&pair.from)).await?;
        run(conn, &pair.rows()).await?;
        let before = survivors(conn, &pair, true).await?;
        migrate(conn, &pair, &decisions(&pair)).await?;
        proptest::prop_assert_eq!(before, survivors(conn, &pair, false).await?);
        run(conn, &emptied(&pair.to)).await?;
        let back = pair.reversed();
        migrate(conn, &back, &decisions(&back)).await
    });
}

/// The same by way of the files that are generated, and back by those that
/// undo them.
#[test]
fn generated_files_migrate_any_schema_to_another_and_back() {
    let mut bench = Bench::new();
    let strategy = pair(bench.virtual_columns);
    bench.run(120, &strategy, async |conn, pair| {
        run(conn, &create(&pair.from)).await?;
        run(conn, &pair.rows()).await?;
        let before = survivors(conn, &pair, true).await?;
        let (was, wanted) = (live(conn).await?, words(conn, &pair.to).await?);
        let mut decisions = decisions(&pair);
        decisions.one_transaction = false;
        let files = planned(&was, &wanted, &decisions)?.files(&was, "change");
        let with_files = |error: TestCaseError| {
            let texts: Vec<String> = files.iter().map(File::sql).collect();
            TestCaseError::fail(format!(
                "{error}\n-- the files\n{}",
                texts.join("-- next\n")
            ))
        };
        for file in &files {
            run_file(conn, &file.sql()).await.map_err(with_files)?;
        }
        same(&live(conn).await?, &wanted).map_err(with_files)?;
        proptest::prop_assert_eq!(before, survivors(conn, &pair, false).await?);
        run(conn, &emptied(&pair.to)).await?;
        for file in files.iter().rev() {
            let back = file
                .reversal()
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            run_file(conn, &file.reversal_sql(&back))
                .await
                .map_err(with_files)?;
        }
        same(&live(conn).await?, &was).map_err(with_files)
    });
}

async fn run_file(conn: &mut PgConnection, sql: &str) -> Result<(), TestCaseError> {
    if sql.starts_with("-- no-transaction") {
        return run(conn, &[sql.to_owned()]).await;
    }
    run(conn, &[format!("BEGIN;\n{sql}")]).await?;
    run(conn, &["COMMIT".to_owned()]).await
}

fn same(live: &Schema, wanted: &Schema) -> Result<(), TestCaseError> {
    proptest::prop_assert_eq!(&live.enums, &wanted.enums);
    same_tables(live, wanted)
}

/// Two changes of one schema that are said to go together can be made one after
/// the other, whichever is first, each as if the other were not there.
#[test]
fn merged_changes_can_be_applied_in_either_order() {
    let mut bench = Bench::new();
    let strategy = fork(bench.virtual_columns);
    let (merged, refused) = (std::cell::Cell::new(0_u32), std::cell::Cell::new(0_u32));
    bench.run(60, &strategy, async |conn, (first, second)| {
        let Ok(wanted) = merge(&first.from, &first.to, &second.to) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        merged.set(merged.get() + 1);
        for order in [[&first, &second], [&second, &first]] {
            reset(conn).await;
            run(conn, &create(&first.from)).await?;
            for pair in order {
                let mut decisions = decisions(pair);
                decisions.one_transaction = false;
                let plan = planned(&pair.from, &pair.to, &decisions)?;
                for file in plan.files(&pair.from, "change") {
                    let steps = file.plan.steps.iter();
                    let statements: Vec<String> =
                        steps.flat_map(|step| step.change.statements()).collect();
                    run(conn, &statements).await.map_err(|error| {
                        TestCaseError::fail(format!("{error}\n-- the file\n{}", file.sql()))
                    })?;
                }
            }
            let live = live(conn).await?;
            let words = words(conn, &wanted).await?;
            proptest::prop_assert_eq!(&live.enums, &words.enums);
            same_tables(&live, &words)?;
        }
        Ok(())
    });
    // A merge that refuses everything would be right, too.
    assert!(
        merged.get() > refused.get() / 4,
        "{} merged, {} refused",
        merged.get(),
        refused.get()
    );
}

/// The same, of what the plans say of themselves.
#[test]
fn plan_apply_turns_one_schema_into_the_other() {
    let strategy = pair(true);
    let config = config(500);
    let seed = config.rng_seed;
    let result = TestRunner::new(config).run(&strategy, |pair| {
        leads_from_to(&pair, &pair.from, &pair.to)?;
        let back = pair.reversed();
        leads_from_to(&back, &back.from, &back.to)
    });
    if let Err(error) = result {
        panic!("{error}\nagain with PROPTEST_RNG_SEED={seed}");
    }
}

fn leads_from_to(pair: &Pair, from: &Schema, to: &Schema) -> Result<(), TestCaseError> {
    for schema in [from, to] {
        let nothing = planned(schema, schema, &Decisions::default())?;
        proptest::prop_assert!(nothing.is_empty(), "{}", nothing.sql());
    }
    let plan = planned(from, to, &decisions(pair))?;
    let made = plan.apply(from.clone());
    proptest::prop_assert_eq!(&made.enums, &to.enums, "{}", plan.sql());
    same_tables(&made, to)
        .map_err(|error| TestCaseError::fail(format!("{error}\n{}", plan.sql())))?;
    proptest::prop_assert!(made.extensions.is_superset(&to.extensions));
    proptest::prop_assert!(made.schemas.is_superset(&to.schemas));
    Ok(())
}

fn planned(from: &Schema, to: &Schema, decisions: &Decisions) -> Result<Plan, TestCaseError> {
    diff(from, to, decisions).map_err(|error| TestCaseError::fail(error.to_string()))
}

/// Makes the second schema of the first one, which is there, in one
/// transaction, and sees that it is.
async fn migrate(
    conn: &mut PgConnection,
    pair: &Pair,
    decisions: &Decisions,
) -> Result<(), TestCaseError> {
    let (was, wanted) = (live(conn).await?, words(conn, &pair.to).await?);
    let plan = planned(&was, &wanted, decisions)?;
    let with_plan =
        |error: TestCaseError| TestCaseError::fail(format!("{error}\n-- the plan\n{}", plan.sql()));
    let statements: Vec<String> = plan
        .steps
        .iter()
        .flat_map(|step| step.change.statements())
        .collect();
    run(conn, &["BEGIN".to_owned()]).await?;
    run(conn, &statements).await.map_err(with_plan)?;
    run(conn, &["COMMIT".to_owned()]).await.map_err(with_plan)?;
    let live = live(conn).await.map_err(with_plan)?;
    proptest::prop_assert_eq!(&live.enums, &wanted.enums, "{}", plan.sql());
    same_tables(&live, &wanted).map_err(with_plan)?;
    let rest = planned(&live, &wanted, &Decisions::default())?;
    proptest::prop_assert!(rest.is_empty(), "{}", rest.sql());
    let made = plan.apply(was);
    proptest::prop_assert_eq!(&made.enums, &wanted.enums, "{}", plan.sql());
    same_tables(&made, &wanted).map_err(with_plan)
}

/// No rows: what the way back would need to be told of them is not known.
fn emptied(schema: &Schema) -> Vec<String> {
    let tables: Vec<String> = schema.tables.keys().map(ToString::to_string).collect();
    if tables.is_empty() {
        return Vec::new();
    }
    vec![format!("TRUNCATE {} CASCADE", tables.join(", "))]
}

/// What is known of a pair, as a person would say it.
fn decisions(pair: &Pair) -> Decisions {
    let within = |name: &Name, part: &str| ObjectPath::within(name, part);
    let renames = pair
        .renames()
        .into_iter()
        .filter_map(|rename| match rename {
            Rename::Table(from, to) | Rename::Enum(from, to) => {
                Some((ObjectPath::of(&from), ObjectPath::of(&to)))
            }
            Rename::Column(name, from, to) | Rename::Label(name, from, to) => {
                Some((within(&name, &from), within(&name, &to)))
            }
            // Those are found without a word.
            Rename::Constraint(..) | Rename::Index(..) => None,
        })
        .collect();
    let drops = pair
        .drops()
        .into_iter()
        .map(|dropped| match dropped {
            Dropped::Table(name) | Dropped::Enum(name) => ObjectPath::of(&name),
            Dropped::Column(name, part) | Dropped::Label(name, part) => within(&name, &part),
        })
        .collect();
    let said = |what: Vec<(Name, String, String)>| {
        what.into_iter()
            .map(|(name, column, sql)| (within(&name, &column), Expression::new(sql).unwrap()))
            .collect()
    };
    let mut decisions = Decisions::default();
    decisions.renames = renames;
    decisions.drops = drops;
    decisions.fills = said(pair.fills());
    decisions.usings = said(pair.usings());
    decisions.one_transaction = true;
    decisions
}

type Rows = Vec<Vec<Option<String>>>;

async fn copy(
    conn: &mut PgConnection,
    pair: &Pair,
    name: &lookback_schema::Name,
    columns: &[(String, String)],
) -> Result<Rows, TestCaseError> {
    let expressions: Vec<String> = columns
        .iter()
        .map(|(_, sql)| format!("({sql})::text"))
        .collect();
    let sql = format!(
        "SELECT ARRAY[{}]::text[] FROM {}",
        expressions.join(", "),
        pair.origins.tables[name]
    );
    let rows = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
        .persistent(false)
        .fetch_all(conn)
        .await;
    rows.map_err(|error| TestCaseError::fail(format!("{error}\n{sql}")))
}

async fn paste(
    conn: &mut PgConnection,
    pair: &Pair,
    name: &lookback_schema::Name,
    columns: &[(String, String)],
    rows: &Rows,
) -> Result<(), TestCaseError> {
    let table = &pair.to.tables[name];
    let fills = pair.fills();
    for row in rows {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for ((column, _), value) in columns.iter().zip(row) {
            let value = value
                .as_ref()
                .map_or("NULL".to_owned(), |text| lookback_schema::literal(text));
            values.push(format!(
                "{value}::text::{}",
                table.column(column).unwrap().data_type
            ));
            names.push(lookback_schema::quoted(column).into_owned());
        }
        for (_, column, value) in fills.iter().filter(|(table, _, _)| table == name) {
            if !columns.iter().any(|(there, _)| there == column) {
                names.push(lookback_schema::quoted(column).into_owned());
                values.push(value.clone());
            }
        }
        let (names, values) = (names.join(", "), values.join(", "));
        let sql = if names.is_empty() {
            format!("INSERT INTO {name} DEFAULT VALUES")
        } else {
            format!("INSERT INTO {name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})")
        };
        run(conn, &[sql]).await?;
    }
    Ok(())
}

/// The values that stay, table by table.
async fn survivors(
    conn: &mut PgConnection,
    pair: &Pair,
    before: bool,
) -> Result<Vec<Vec<String>>, TestCaseError> {
    let mut all = Vec::new();
    for survivor in pair.survivors() {
        let sql = if before {
            survivor.before
        } else {
            survivor.after
        };
        let rows = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .persistent(false)
            .fetch_all(&mut *conn)
            .await;
        all.push(rows.map_err(|error| TestCaseError::fail(format!("{error}\n{sql}")))?);
    }
    Ok(all)
}
