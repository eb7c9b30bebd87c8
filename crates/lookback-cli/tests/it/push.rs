//! `lookback db push`, into databases that differ from the models.

use lookback_schema::{Column, Name, Table};
use sqlx::Row as _;

use crate::rebase::{models, write};
use crate::support::{Lookback, transcript};

/// Makes a database of the models, and runs these statements in it.
async fn drifted(statements: &[&str]) -> Lookback {
    let lookback = Lookback::new().await;
    for sql in statements {
        lookback.execute(sql).await;
    }
    lookback
}

/// Reads all rows of a query as text.
async fn rows(lookback: &Lookback, sql: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '-') AS rows FROM ({sql}) AS t"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_one(&lookback.db.as_ref().unwrap().pool)
        .await
        .unwrap()
        .get("rows")
}

const SETTINGS: &str = "SELECT name, value FROM settings";

#[tokio::test]
async fn push_without_yes_changes_nothing() {
    let lookback = drifted(&[
        "ALTER TABLE logs DROP COLUMN trace_id",
        "CREATE TABLE of_another AS SELECT 1 AS n",
    ])
    .await;
    let missing = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'logs'::regclass AND attname = 'trace_id'";
    transcript!(lookback.run(&["db", "push", "--explain"]), @r#"
$ lookback db push --explain
ALTER TABLE logs ADD COLUMN trace_id text;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_trace_id_idx ON logs USING btree (trace_id) WHERE trace_id IS NOT NULL;
"#);
    transcript!(lookback.run(&["db", "push"]), @"
    $ lookback db push
    ALTER TABLE logs ADD COLUMN trace_id text;

    -- locks the table: SHARE (no writes) while the index is built
    CREATE INDEX logs_trace_id_idx ON logs USING btree (trace_id) WHERE trace_id IS NOT NULL;
    ! error: cannot prompt: there is no terminal
    ! hint: add --yes to make these changes, or --explain to see them only
    [exit code 2]
    ");
    let production = lookback
        .command(&["db", "push", "--yes"])
        .env("LOOKBACK_STAGE", "Production")
        .output()
        .unwrap();
    assert_eq!(production.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(production.stderr).unwrap(), @"
    error: db push is refused where LOOKBACK_STAGE is production
    hint: write the change as a migration: db generate, then db migrate
    ");
    assert_eq!(lookback.number(missing).await, 0);

    transcript!(lookback.run(&["db", "push", "--yes"]), @r#"
$ lookback db push --yes
ALTER TABLE logs ADD COLUMN trace_id text;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_trace_id_idx ON logs USING btree (trace_id) WHERE trace_id IS NOT NULL;
! made 2 changes
"#);
    assert_eq!(lookback.number(missing).await, 1);
    transcript!(lookback.run(&["db", "push", "--yes"]), @"
    $ lookback db push --yes
    ! nothing to push: the database matches the models
    ");
    transcript!(lookback.run(&["db", "push"]), @"
    $ lookback db push
    ! nothing to push: the database matches the models
    ");
    assert_eq!(lookback.number("SELECT n FROM of_another").await, 1);
}

#[tokio::test]
async fn push_that_drops_column_requires_allow_data_loss() {
    let lookback = drifted(&[
        "ALTER TABLE settings ADD COLUMN note text",
        "UPDATE settings SET note = 'kept'",
    ])
    .await;
    let before = rows(&lookback, "SELECT name, value, note FROM settings").await;
    transcript!(lookback.run(&["db", "push", "--yes"]), @"
    $ lookback db push --yes
    -- LOSES DATA: the values of settings.note
    ALTER TABLE settings DROP COLUMN note;
    ! error: this loses data: settings.note
    ! hint: if that is intended, add --allow-data-loss 'settings.note'
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "push", "--yes", "--allow-data-loss", "settings"]), @"
    $ lookback db push --yes --allow-data-loss settings
    -- LOSES DATA: the values of settings.note
    ALTER TABLE settings DROP COLUMN note;
    ! error: this loses data: settings.note
    ! hint: if that is intended, add --allow-data-loss 'settings.note'
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "push", "--yes", "--allow-data-loss", "settings.value"]), @"
    $ lookback db push --yes --allow-data-loss settings.value
    -- LOSES DATA: the values of settings.note
    ALTER TABLE settings DROP COLUMN note;
    ! error: this loses data: settings.note
    ! hint: if that is intended, add --allow-data-loss 'settings.note'
    [exit code 1]
    ");
    assert_eq!(
        rows(&lookback, "SELECT name, value, note FROM settings").await,
        before
    );
    let kept = rows(&lookback, SETTINGS).await;
    transcript!(lookback.run(&["db", "push", "--yes", "--allow-data-loss", "settings.note"]), @"
    $ lookback db push --yes --allow-data-loss settings.note
    -- LOSES DATA: the values of settings.note
    ALTER TABLE settings DROP COLUMN note;
    ! made 1 change
    ");
    assert_eq!(rows(&lookback, SETTINGS).await, kept);
}

/// A type that cuts values off is refused as a dropped column is.
#[tokio::test]
async fn push_of_type_that_cuts_values_requires_allow_data_loss() {
    let change = "ALTER TABLE metrics ALTER COLUMN traffic_count TYPE numeric";
    let lookback = drifted(&[change]).await;
    transcript!(lookback.run(&["db", "push", "--yes"]), @"
    $ lookback db push --yes
    -- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
    -- LOSES DATA: digits of metrics.traffic_count
    -- may fail on existing rows: values of metrics.traffic_count that cannot be converted to integer
    ALTER TABLE metrics ALTER COLUMN traffic_count TYPE integer;
    ! error: this loses data: metrics.traffic_count
    ! hint: if that is intended, add --allow-data-loss 'metrics.traffic_count'
    [exit code 1]
    ");
    let allowed = [
        "db",
        "push",
        "--yes",
        "--allow-data-loss",
        "metrics.traffic_count",
    ];
    let pushed = lookback.run(&allowed).succeeded();
    assert!(pushed.err.contains("made 1 change"), "{}", pushed.err);
}

#[tokio::test]
async fn push_of_renamed_column_requires_rename_and_keeps_rows() {
    let lookback = drifted(&["ALTER TABLE settings RENAME COLUMN value TO content"]).await;
    transcript!(lookback.run(&["db", "push", "--yes"]), @"
    $ lookback db push --yes
    ! error: cannot tell renames from drops
    ! hint: the column settings.content was removed, and settings.value added: if it was renamed, add --rename 'settings.content=value'; if it was dropped, add --drop 'settings.content'
    [exit code 2]
    ");
    transcript!(lookback.run(&["db", "push", "--yes", "--rename", "settings.content=value"]), @"
    $ lookback db push --yes --rename settings.content=value
    ALTER TABLE settings RENAME COLUMN content TO value;
    ! made 1 change
    ");
    assert_ne!(rows(&lookback, SETTINGS).await, "-");
}

#[tokio::test]
async fn push_of_not_null_on_null_rows_requires_fill() {
    let lookback = drifted(&[
        "ALTER TABLE settings ALTER COLUMN value DROP NOT NULL",
        "INSERT INTO settings (name) VALUES ('empty')",
        "ALTER TABLE ingest_lanes DROP COLUMN updated_at",
    ])
    .await;
    let before = rows(&lookback, SETTINGS).await;
    transcript!(lookback.run(&["db", "push", "--yes"]), @r#"
    $ lookback db push --yes
    ALTER TABLE ingest_lanes ADD COLUMN updated_at timestamp with time zone DEFAULT now() NOT NULL;

    -- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is read
    -- may fail on existing rows: rows whose settings.value is null
    ALTER TABLE settings ALTER COLUMN value SET NOT NULL;
    ! error: refuse null in settings.value: column "value" of relation "settings" contains null values (SQLSTATE 23502)
    ! hint: nothing was changed; the statement was:
    !     ALTER TABLE settings ALTER COLUMN value SET NOT NULL
    ! decide what existing rows get in settings.value: --fill 'settings.value=SQL'
    [exit code 1]
    "#);
    assert_eq!(rows(&lookback, SETTINGS).await, before);
    // The push is one transaction: changes before the failed one are rolled back, too.
    let made = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'ingest_lanes'::regclass AND attname = 'updated_at'";
    assert_eq!(lookback.number(made).await, 0);
    transcript!(lookback.run(&["db", "push", "--yes", "--fill", "settings.value='none'"]), @"
    $ lookback db push --yes --fill settings.value='none'
    ALTER TABLE ingest_lanes ADD COLUMN updated_at timestamp with time zone DEFAULT now() NOT NULL;

    -- locks the table: ROW EXCLUSIVE (reads go on, writes to the same rows wait) while the rows are written
    UPDATE settings SET value = 'none' WHERE value IS NULL;

    -- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is read
    -- may fail on existing rows: rows whose settings.value is null
    ALTER TABLE settings ALTER COLUMN value SET NOT NULL;
    ! made 3 changes
    ");
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM settings WHERE value = 'none'")
            .await,
        1
    );
}

#[tokio::test]
async fn push_of_type_change_with_invalid_values_requires_using() {
    let lookback = drifted(&[
        "ALTER TABLE metrics ALTER COLUMN p50_latency TYPE text USING p50_latency || ' ms'",
        "INSERT INTO metrics (window_start, window_end, endpoint, p50_latency, p95_latency, \
         p99_latency, error_rate, traffic_count) \
         VALUES ('2026-11-24', '2026-11-24 00:01', '/', '7 ms', 8, 9, 0, 1)",
    ])
    .await;
    transcript!(lookback.run(&["db", "push", "--yes"]), @r#"
    $ lookback db push --yes
    -- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
    -- may fail on existing rows: values of metrics.p50_latency that cannot be converted to integer
    ALTER TABLE metrics ALTER COLUMN p50_latency TYPE integer USING p50_latency::integer;
    ! error: change type of metrics.p50_latency from text to integer: invalid input syntax for type integer: "7 ms" (SQLSTATE 22P02)
    ! hint: nothing was changed; the statement was:
    !     ALTER TABLE metrics ALTER COLUMN p50_latency TYPE integer USING p50_latency::integer
    ! decide how a value of metrics.p50_latency is converted to the new type: --using 'metrics.p50_latency=SQL'
    [exit code 1]
    "#);
    let using = "metrics.p50_latency=rtrim(p50_latency, ' ms')::integer";
    transcript!(lookback.run(&["db", "push", "--yes", "--using", using]), @"
    $ lookback db push --yes --using metrics.p50_latency=rtrim(p50_latency, ' ms')::integer
    -- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
    -- may fail on existing rows: values of metrics.p50_latency that cannot be converted to integer
    ALTER TABLE metrics ALTER COLUMN p50_latency TYPE integer USING rtrim(p50_latency, ' ms')::integer;
    ! made 1 change
    ");
    assert_eq!(lookback.number("SELECT p50_latency FROM metrics").await, 7);
}

#[tokio::test]
async fn push_drops_removed_table_only_with_allow_data_loss() {
    // The schema snapshot has the table, so that it is not a foreign one.
    let lookback = drifted(&["CREATE TABLE old AS SELECT 1 AS n"]).await;
    let migrations = lookback.folder().join("migrations");
    let known = models(|s| {
        let n = Column::new("n", "integer".parse().unwrap());
        let old = Table {
            columns: vec![n],
            ..Table::default()
        };
        s.tables.insert(Name::new("old"), old);
    });
    write(&migrations, &known, "10:00");
    transcript!(lookback.run(&["db", "push", "--yes"]), @"
    $ lookback db push --yes
    -- LOSES DATA: every row of old
    DROP TABLE old;
    ! error: this loses data: old
    ! hint: if that is intended, add --allow-data-loss 'old'
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "push", "--yes", "--allow-data-loss", "old.n"]), @"
    $ lookback db push --yes --allow-data-loss old.n
    -- LOSES DATA: every row of old
    DROP TABLE old;
    ! error: this loses data: old
    ! hint: if that is intended, add --allow-data-loss 'old'
    [exit code 1]
    ");
    assert_eq!(lookback.number("SELECT n FROM old").await, 1);
    transcript!(lookback.run(&["db", "push", "--yes", "--allow-data-loss", "old"]), @"
    $ lookback db push --yes --allow-data-loss old
    -- LOSES DATA: every row of old
    DROP TABLE old;
    ! made 1 change
    ");
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM pg_class WHERE relname = 'old'")
            .await,
        0
    );
}

#[cfg(unix)]
#[tokio::test]
async fn push_on_terminal_asks_for_confirmation() {
    let lookback = drifted(&["ALTER TABLE logs DROP COLUMN trace_id"]).await;
    let no = lookback.run_typing(&["db", "push"], "\n").failed(130);
    assert!(no.err.contains("nothing was changed"), "{}", no.err);
    lookback.run(&["db", "push", "--explain"]).succeeded();
    transcript!(lookback.run_typing(&["db", "push"], "y\n"), @r#"
$ lookback db push
ALTER TABLE logs ADD COLUMN trace_id text;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_trace_id_idx ON logs USING btree (trace_id) WHERE trace_id IS NOT NULL;
! Make these changes? [y/N] made 2 changes
"#);
    transcript!(lookback.run(&["db", "push"]), @"
    $ lookback db push
    ! nothing to push: the database matches the models
    ");
}

/// Without a schema snapshot it is unknown that the table once belonged to the models.
#[tokio::test]
async fn push_of_similar_table_warns_of_possible_rename() {
    let lookback = drifted(&["ALTER TABLE settings RENAME TO options"]).await;
    let ran = lookback.run(&["db", "push", "--explain"]).succeeded();
    assert!(
        ran.out.starts_with("CREATE TABLE settings ("),
        "{}",
        ran.out
    );
    assert_eq!(
        ran.err.replace('\r', ""),
        "warning: settings is created, and options, which no model has, has most of its columns\n\
         hint: if options was renamed: --rename 'options=settings'\n"
    );
    let before = rows(&lookback, "SELECT name, value FROM options").await;
    let call = ["db", "push", "--rename", "options=settings", "--yes"];
    transcript!(lookback.run(&call), @"
    $ lookback db push --rename options=settings --yes
    ALTER TABLE options RENAME TO settings;
    ! made 1 change
    ");
    assert_eq!(rows(&lookback, SETTINGS).await, before);
    lookback.run(&["db", "push", "--yes"]).succeeded();
}
