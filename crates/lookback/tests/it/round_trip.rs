//! Random schemas: created on the server, introspected, and migrated into each other.

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
    is_18: bool,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (db, conn, is_18) = runtime.block_on(async {
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
            is_18,
        }
    }

    /// Runs `case` for the configured number of values, at least `cases`; prints the rate.
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
                // Every case leaves dead rows in the catalog.
                count.set(count.get() + 1);
                if count.get().is_multiple_of(200) {
                    conn.execute(VACUUM).await.unwrap();
                }
                case(&mut conn, value).await
            })
        });
        let seconds = started.elapsed().as_secs_f64();
        eprintln!(
            "{cases} cases, {:.1} per second; again with PROPTEST_RNG_SEED={seed}",
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

/// PostgreSQL accepts every generated schema, and completing the introspected one
/// changes nothing.
#[test]
fn introspected_schema_is_complete() {
    let mut bench = Bench::new();
    let strategy = schema(bench.is_18);
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

/// An introspected schema equals the canonical form of the applied one. This form is the
/// same whether the schema exists already or not.
#[test]
fn introspected_schema_equals_applied_one() {
    let mut bench = Bench::new();
    let strategy = schema(bench.is_18);
    bench.run(64, &strategy, async |conn, GeneratedSchema(schema)| {
        let expected = canonical_form(conn, &schema).await?;
        run(conn, &create(&schema)).await?;
        let live = live(conn).await?;
        proptest::prop_assert_eq!(&live.enums, &expected.enums);
        same_tables(&live, &expected)?;
        same_tables(&live, &canonical_form(conn, &schema).await?)?;
        same_tables(&live, &canonical_form(conn, &live).await?)?;
        Ok(())
    });
}

async fn canonical_form(conn: &mut PgConnection, schema: &Schema) -> Result<Schema, TestCaseError> {
    canonical(conn, schema)
        .await
        .map_err(|error| TestCaseError::fail(error.to_string()))
}

/// Checks that the tables are equal; an error names the part that is not.
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

/// The second schema accepts the rows of the first one, with their new names, types and
/// fills, so that a migration is possible. The rows are copied as text, without one.
#[test]
fn rows_of_generated_pair_fit_second_schema() {
    let mut bench = Bench::new();
    let strategy = pair(bench.is_18);
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

/// The plan keeps the values of surviving columns.
#[test]
fn plan_migrates_any_schema_to_another_and_back() {
    let mut bench = Bench::new();
    let strategy = pair(bench.is_18);
    bench.run(120, &strategy, async |conn, pair| {
        run(conn, &create(&pair.from)).await?;
        run(conn, &pair.rows()).await?;
        let before = survivors(conn, &pair, true).await?;
        migrate(conn, &pair, &decisions(&pair)).await?;
        proptest::prop_assert_eq!(before, survivors(conn, &pair, false).await?);
        run(conn, &truncate_all(&pair.to)).await?;
        let back = pair.reversed();
        migrate(conn, &back, &decisions(&back)).await
    });
}

/// Runs the generated files, and then their reversals.
#[test]
fn generated_files_migrate_any_schema_to_another_and_back() {
    let mut bench = Bench::new();
    let strategy = pair(bench.is_18);
    bench.run(120, &strategy, async |conn, pair| {
        run(conn, &create(&pair.from)).await?;
        run(conn, &pair.rows()).await?;
        let before = survivors(conn, &pair, true).await?;
        let (was, wanted) = (live(conn).await?, canonical_form(conn, &pair.to).await?);
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
        run(conn, &truncate_all(&pair.to)).await?;
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

/// Two changes that `merge` accepts can be applied in either order, each planned without
/// the other.
#[test]
fn merged_changes_can_be_applied_in_either_order() {
    let mut bench = Bench::new();
    let strategy = fork(bench.is_18);
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
            let expected = canonical_form(conn, &wanted).await?;
            proptest::prop_assert_eq!(&live.enums, &expected.enums);
            same_tables(&live, &expected)?;
        }
        Ok(())
    });
    // Without this, a `merge` that refuses everything would pass.
    assert!(
        merged.get() > refused.get() / 4,
        "{} merged, {} refused",
        merged.get(),
        refused.get()
    );
}

/// Checks `Plan::apply`, without a database.
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

/// Migrates the existing first schema to the second in one transaction, and checks the
/// result.
async fn migrate(
    conn: &mut PgConnection,
    pair: &Pair,
    decisions: &Decisions,
) -> Result<(), TestCaseError> {
    let (was, wanted) = (live(conn).await?, canonical_form(conn, &pair.to).await?);
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

/// Returns statements that delete all rows, as the way back has no decisions about them.
fn truncate_all(schema: &Schema) -> Vec<String> {
    let tables: Vec<String> = schema.tables.keys().map(ToString::to_string).collect();
    if tables.is_empty() {
        return Vec::new();
    }
    vec![format!("TRUNCATE {} CASCADE", tables.join(", "))]
}

/// Returns the decisions that a person would make about a pair.
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
            // The diff finds these without a decision.
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
    let expressions = |what: Vec<(Name, String, String)>| {
        what.into_iter()
            .map(|(name, column, sql)| (within(&name, &column), Expression::new(sql).unwrap()))
            .collect()
    };
    let mut decisions = Decisions::default();
    decisions.renames = renames;
    decisions.drops = drops;
    decisions.fills = expressions(pair.fills());
    decisions.usings = expressions(pair.usings());
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

/// Reads the surviving values, table by table.
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
