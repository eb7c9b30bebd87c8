//! Enums that functions, domains and other objects use, which no model has.

use lookback_migrate::{
    ApplyOptions, Folder, GenerateOptions, Migrations, Scope, apply, baseline, canonical,
    check_database, generate, introspect, objects_losing_data, push,
};
use lookback_schema::{Column, Decisions, Fill, Name, Schema, Table, diff};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

const START: &str = "\
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE FUNCTION rank(mood) RETURNS integer LANGUAGE sql IMMUTABLE
    AS $$SELECT CASE $1 WHEN 'happy' THEN 1 ELSE 0 END$$;
CREATE DOMAIN good_mood AS mood CHECK (VALUE <> 'sad');
CREATE TYPE pair AS (mood mood, n integer);
CREATE TABLE people (
    id integer PRIMARY KEY,
    mood mood NOT NULL DEFAULT 'happy',
    pair pair,
    usual good_mood DEFAULT 'happy',
    rank integer GENERATED ALWAYS AS (rank(mood)) STORED,
    CONSTRAINT mood_has_rank CHECK (rank(mood) >= 0)
);
CREATE INDEX people_rank ON people (rank(mood));
CREATE VIEW happy AS SELECT id FROM people WHERE mood = 'happy';
INSERT INTO people VALUES (1, 'happy', ('happy', 2), 'happy');
";

/// The advice in the hint, followed to the letter.
const BEFORE: &str = "\
DROP VIEW happy;
DROP FUNCTION rank(mood);
ALTER TABLE people ALTER usual DROP DEFAULT, ALTER usual TYPE text, ALTER pair TYPE text;
ALTER TYPE pair ALTER ATTRIBUTE mood TYPE text;
DROP DOMAIN good_mood;
";
const FUNCTION: &str = "\
CREATE FUNCTION rank(mood) RETURNS integer LANGUAGE sql IMMUTABLE
    AS $$SELECT CASE $1 WHEN 'happy' THEN 1 ELSE 0 END$$;
";
const AFTER: &str = "\
ALTER TYPE pair ALTER ATTRIBUTE mood TYPE mood;
CREATE DOMAIN good_mood AS mood;
ALTER TABLE people ALTER usual TYPE good_mood USING usual::good_mood,
    ALTER usual SET DEFAULT 'happy', ALTER pair TYPE pair USING pair::pair;
CREATE VIEW happy AS SELECT id FROM people WHERE mood = 'happy';
";

async fn started() -> (testkit::Database, PgConnection, Schema, Schema) {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(START).await.unwrap();
    let start = introspect(&mut conn, &Scope::default()).await.unwrap();
    let mut target = start.clone();
    let labels = vec!["happy".to_owned()];
    target.enums.insert(Name::new("mood"), labels);
    (db, conn, start, target)
}

/// The error names all objects, and nothing has changed. After the advice is followed, the same
/// file runs.
#[tokio::test]
async fn enum_with_users_is_recreated_once_the_advice_is_followed() {
    let (_db, mut conn, start, target) = started().await;
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::new(folder.path());
    let now = chrono::DateTime::UNIX_EPOCH;
    generate(&folder, &start, &GenerateOptions::default(), now).unwrap();
    let options = ApplyOptions::default();
    baseline(&mut conn, &folder, None, &options, &mut |_| {})
        .await
        .unwrap();
    let mut how = GenerateOptions::default();
    how.decisions = Decisions::assuming_drops();
    how.version = Some(20_260_101_000_000);
    how.name = Some("moods".to_owned());
    generate(&folder, &target, &how, now).unwrap();

    let migrations = Migrations::folder(folder.path()).unwrap();
    let error = apply(&mut conn, &migrations, &options, &mut |_| {})
        .await
        .unwrap_err();
    let shown = error.to_string();
    let shown = shown.split("context:").next().unwrap().trim_end();
    insta::assert_snapshot!(shown, @r#"
    20260101000000_moods.sql, line 7 (statement 4 of 13): the enum mood is recreated, and these use it: column mood of composite type pair, column pair of table people, column usual of table people, function rank(mood), type good_mood, view happy (SQLSTATE 2BP01)
        the server's hint: Edit this file. Above this check, drop each function, view, materialized view, policy, trigger, rule, publication, cast and operator, and change each column and attribute to text (and drop domains and ranges). Create functions again after "CREATE TYPE mood", and the rest before "DROP TYPE mood__old".
    "#);
    let same = introspect(&mut conn, &Scope::default()).await.unwrap();
    assert_eq!(same, start);

    let file = folder.path().join("20260101000000_moods.sql");
    let sql = std::fs::read_to_string(&file).unwrap();
    let created = "CREATE TYPE mood AS ENUM ('happy');\n";
    assert!(sql.contains("DO $check$") && sql.contains(created), "{sql}");
    let sql = sql
        .replacen("DO $check$", &format!("{BEFORE}DO $check$"), 1)
        .replacen(created, &format!("{created}{FUNCTION}"), 1)
        .replacen(
            "\nDROP TYPE mood__old",
            &format!("\n{AFTER}DROP TYPE mood__old"),
            1,
        );
    std::fs::write(&file, sql).unwrap();
    let migrations = Migrations::folder(folder.path()).unwrap();
    apply(&mut conn, &migrations, &options, &mut |_| {})
        .await
        .unwrap();
    let plan = check_database(&folder, &mut conn).await.unwrap();
    assert_eq!(plan.sql(), "");
    let row = sqlx::query(
        "SELECT rank = 1 AND usual::text = 'happy' AND (pair).mood = 'happy' \
           AND (SELECT count(*) FROM happy) = 1 AS kept FROM people",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert!(row.get::<bool, _>("kept"));
}

#[tokio::test]
async fn push_of_enum_with_users_names_them_and_changes_nothing() {
    let (_db, mut conn, start, target) = started().await;
    let plan = diff(&start, &target, &Decisions::assuming_drops()).unwrap();
    let lost = objects_losing_data(&plan);
    let error = push(&mut conn, &plan, &lost).await.unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.remedy().unwrap()), @"
    check what uses enum mood: the enum mood is recreated, and these use it: column mood of composite type pair, column pair of table people, column usual of table people, function rank(mood), type good_mood, view happy (SQLSTATE 2BP01)
    drop these before the change, or change their columns to text, and create them again after it
    ");
    let same = introspect(&mut conn, &Scope::default()).await.unwrap();
    assert_eq!(same, start);
}

/// The schema of a table that calls a function over an enum, in each place where it can.
fn ranked() -> Schema {
    let column = |name: &str, ty: &str| Column::new(name, ty.parse().unwrap());
    let mut table = Table {
        columns: vec![
            column("id", "integer"),
            column("mood", "mood"),
            column("rank", "integer"),
        ],
        ..Table::default()
    };
    table.columns[0].fill = Fill::Default("rank('ok'::mood)".parse().unwrap());
    table.columns[2].fill = Fill::Stored("rank(mood)".parse().unwrap());
    let check = "CHECK (rank(mood) >= 0)".parse().unwrap();
    table.constraints.insert("ranked".to_owned(), check);
    let index = "(rank(mood))".parse().unwrap();
    table.indexes.insert("people_rank".to_owned(), index);
    let labels = vec!["sad".to_owned(), "ok".to_owned()];
    let schema = Schema {
        enums: [(Name::new("mood"), labels)].into(),
        tables: [(Name::new("people"), table)].into(),
        ..Schema::default()
    };
    schema.completed().unwrap()
}

/// The first migration gets an empty file for the function, after the type and before the table.
#[tokio::test]
async fn function_over_a_new_enum_is_created_between_type_and_table() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let schema = ranked();
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::new(folder.path());
    let mut how = GenerateOptions::default();
    how.version = Some(1);
    how.name = Some("start".to_owned());
    how.reversible = true;
    let generated = generate(&folder, &schema, &how, chrono::DateTime::UNIX_EPOCH).unwrap();
    let names: Vec<_> = generated
        .files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    insta::assert_snapshot!(names.join("\n"), @"
    1_start_types.up.sql
    1_start_types.down.sql
    2_start_functions.up.sql
    2_start_functions.down.sql
    3_start.up.sql
    3_start.down.sql
    3.json
    ");
    let empty = "2_start_functions.up.sql".to_owned();
    assert_eq!(generated.functions, [(empty, vec!["rank".to_owned()])]);
    let options = ApplyOptions::default();
    let read = || Migrations::folder(folder.path()).unwrap();
    let error = apply(&mut conn, &read(), &options, &mut |_| {})
        .await
        .unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.remedy().unwrap()), @"
    3_start.up.sql, line 2 (statement 1 of 2): WITHIN GROUP is required for ordered-set aggregate rank (SQLSTATE 42809)
        state: rolled back; the database is as after 2_start_functions.up.sql
    if a function is missing, create it first, in a migration between the types that it takes and the tables that call it; otherwise correct this part
    ");

    another(&mut conn).await;
    let file = folder.path().join("2_start_functions.up.sql");
    let function = "CREATE FUNCTION rank(mood) RETURNS integer LANGUAGE sql IMMUTABLE \
                    AS $$SELECT CASE $1 WHEN 'ok' THEN 1 ELSE 0 END$$;\n";
    std::fs::write(&file, function).unwrap();
    apply(&mut conn, &read(), &options, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(check_database(&folder, &mut conn).await.unwrap().sql(), "");
    // `push` compares such a database, too.
    let live = introspect(&mut conn, &Scope::default()).await.unwrap();
    let wanted = canonical(&mut conn, &schema).await.unwrap();
    let plan = diff(&live, &wanted, &Decisions::default()).unwrap();
    assert_eq!(plan.sql(), "");
    conn.execute("INSERT INTO people (mood) VALUES ('ok')")
        .await
        .unwrap();
}

/// Uses an empty schema of another name.
async fn another(conn: &mut PgConnection) {
    conn.execute("CREATE SCHEMA again; SET search_path = again")
        .await
        .unwrap();
}

/// Before the function is there, the error says what to do.
#[tokio::test]
async fn canonical_of_missing_function_says_to_create_it() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let error = canonical(&mut conn, &ranked()).await.unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.remedy().unwrap()), @"
    table people, column id: WITHIN GROUP is required for ordered-set aggregate rank
    if a function is missing, create it first, in a migration between the types that it takes and the tables that call it; otherwise correct this part
    ");
}
