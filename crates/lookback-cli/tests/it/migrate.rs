//! `lookback db migrate`, `status` and `revert`

use std::process::Stdio;

use crate::support::{self, Lookback, transcript};

#[tokio::test]
async fn migrate_applies_built_in_migrations_once() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    transcript!(lookback.run(&["logs", "list"]), @"
$ lookback logs list
! error: the database has no table logs
! hint: apply the migrations: lookback db migrate
[exit code 1]
");
    transcript!(lookback.run(&["db", "status"]), @r#"
$ lookback db status
VERSION         STATE    DESCRIPTION
20261123000000  pending  create tables
20261129000000  pending  index log sources
20261129145137  pending  add roll ups and api keys
20261129165334  pending  add sessions
20261129180255  pending  add alerts
20261129203005  pending  add saved searches
20261130025019  pending  compare emails in any locale users email key new
20261130025020  pending  compare emails in any locale swap
20261130031443  pending  note changed texts
20261130031444  pending  note changed texts rollup corrections text idx
20261130221730  pending  note starts of imports
"#);
    transcript!(lookback.run(&["db", "migrate"]), @r#"
$ lookback db migrate
! applying 20261123000000_create_tables.sql
! applied 20261123000000_create_tables.sql in [time] ms
! applying 20261129000000_index_log_sources.sql
! applied 20261129000000_index_log_sources.sql in [time] ms
! applying 20261129145137_add_roll_ups_and_api_keys.sql
! applied 20261129145137_add_roll_ups_and_api_keys.sql in [time] ms
! applying 20261129165334_add_sessions.sql
! applied 20261129165334_add_sessions.sql in [time] ms
! applying 20261129180255_add_alerts.sql
! applied 20261129180255_add_alerts.sql in [time] ms
! applying 20261129203005_add_saved_searches.sql
! applied 20261129203005_add_saved_searches.sql in [time] ms
! applying 20261130025019_compare_emails_in_any_locale_users_email_key_new.sql
! applied 20261130025019_compare_emails_in_any_locale_users_email_key_new.sql in [time] ms
! applying 20261130025020_compare_emails_in_any_locale_swap.sql
! applied 20261130025020_compare_emails_in_any_locale_swap.sql in [time] ms
! applying 20261130031443_note_changed_texts.sql
! applied 20261130031443_note_changed_texts.sql in [time] ms
! applying 20261130031444_note_changed_texts_rollup_corrections_text_idx.sql
! applied 20261130031444_note_changed_texts_rollup_corrections_text_idx.sql in [time] ms
! applying 20261130221730_note_starts_of_imports.sql
! applied 20261130221730_note_starts_of_imports.sql in [time] ms
"#);
    transcript!(lookback.run(&["db", "migrate"]), @"
$ lookback db migrate
! nothing to apply: the database is up to date
");
    lookback
        .execute("UPDATE _sqlx_migrations SET installed_on = '2026-03-01Z'")
        .await;
    transcript!(lookback.run(&["db", "status", "--json"]), @r#"
$ lookback db status --json
{"data":[{"applied_at":"2026-03-01T00:00:00Z","description":"create tables","file":"20261123000000_create_tables.sql","state":"applied","version":20261123000000},{"applied_at":"2026-03-01T00:00:00Z","description":"index log sources","file":"20261129000000_index_log_sources.sql","state":"applied","version":20261129000000},{"applied_at":"2026-03-01T00:00:00Z","description":"add roll ups and api keys","file":"20261129145137_add_roll_ups_and_api_keys.sql","state":"applied","version":20261129145137},{"applied_at":"2026-03-01T00:00:00Z","description":"add sessions","file":"20261129165334_add_sessions.sql","state":"applied","version":20261129165334},{"applied_at":"2026-03-01T00:00:00Z","description":"add alerts","file":"20261129180255_add_alerts.sql","state":"applied","version":20261129180255},{"applied_at":"2026-03-01T00:00:00Z","description":"add saved searches","file":"20261129203005_add_saved_searches.sql","state":"applied","version":20261129203005},{"applied_at":"2026-03-01T00:00:00Z","description":"compare emails in any locale users email key new","file":"20261130025019_compare_emails_in_any_locale_users_email_key_new.sql","state":"applied","version":20261130025019},{"applied_at":"2026-03-01T00:00:00Z","description":"compare emails in any locale swap","file":"20261130025020_compare_emails_in_any_locale_swap.sql","state":"applied","version":20261130025020},{"applied_at":"2026-03-01T00:00:00Z","description":"note changed texts","file":"20261130031443_note_changed_texts.sql","state":"applied","version":20261130031443},{"applied_at":"2026-03-01T00:00:00Z","description":"note changed texts rollup corrections text idx","file":"20261130031444_note_changed_texts_rollup_corrections_text_idx.sql","state":"applied","version":20261130031444},{"applied_at":"2026-03-01T00:00:00Z","description":"note starts of imports","file":"20261130221730_note_starts_of_imports.sql","state":"applied","version":20261130221730}]}
"#);
    lookback.run(&["logs", "list"]).succeeded();
}

#[test]
fn migrate_with_lock_timeout_over_a_day_is_refused() {
    let lookback = Lookback::with(None);
    let call = ["db", "migrate", "--lock-timeout", "18446744073709551615"];
    let ran = lookback.run(&call).failed(2);
    assert!(ran.err.contains("0..=86400"), "{}", ran.err);
}

/// An application's own folder, `m`, in an empty database.
async fn shop(files: &[(&str, &str)]) -> Lookback {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    std::fs::create_dir_all(lookback.folder().join("m/meta")).unwrap();
    for (name, sql) in files {
        lookback.write(&format!("m/{name}"), sql);
    }
    lookback
}

#[tokio::test]
async fn migrate_and_revert_with_dir_run_files_of_folder() {
    let lookback = shop(&[
        ("1_orders.sql", "CREATE TABLE orders (id int);\n"),
        (
            "2_index.up.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON orders (id);\n",
        ),
        ("2_index.down.sql", "DROP INDEX i;\n"),
    ])
    .await;
    transcript!(lookback.run(&["db", "migrate", "--dir", "m", "--dry-run"]), @"
    $ lookback db migrate --dir m --dry-run
    -- 1_orders.sql
    CREATE TABLE orders (id int);

    -- 2_index.up.sql
    -- no-transaction
    CREATE INDEX CONCURRENTLY i ON orders (id);
    ");
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .await,
        0
    );
    transcript!(lookback.run(&["db", "migrate", "--dir", "m"]), @"
    $ lookback db migrate --dir m
    ! applying 1_orders.sql
    ! applied 1_orders.sql in [time] ms
    ! applying 2_index.up.sql
    ! applied 2_index.up.sql in [time] ms
    ");
    transcript!(lookback.run(&["db", "migrate", "--dir", "m", "--dry-run"]), @"
    $ lookback db migrate --dir m --dry-run
    ! nothing to apply: the database is up to date
    ");
    transcript!(lookback.run(&["db", "revert", "--dir", "m"]), @"
    $ lookback db revert --dir m
    ! applying 2_index.down.sql
    ! reverted by 2_index.down.sql in [time] ms
    ");
    transcript!(lookback.run(&["db", "revert", "--dir", "m"]), @"
    $ lookback db revert --dir m
    ! error: cannot revert 1_orders.sql: it has no .down.sql
    ! hint: write a migration that changes it back; only a <version>_<description>.up.sql with a .down.sql can be reverted
    [exit code 1]
    ");

    lookback.write("m/2_index.up.sql", "SELECT 1");
    lookback.run(&["db", "migrate", "--dir", "m"]).succeeded();
    lookback.write("m/2_index.up.sql", "SELECT 2");
    lookback.write(
        "m/1_orders.sql",
        "CREATE TABLE orders (id int);\nALTER TABLE orders ADD COLUMN x int",
    );
    lookback.write("m/3_next.sql", "SELECT 3");
    transcript!(lookback.run(&["db", "status", "--dir", "m"]), @"
    $ lookback db status --dir m
    VERSION  STATE    DESCRIPTION
    1        edited   orders
    2        edited   index
    3        pending  next
    ");
    transcript!(lookback.run(&["db", "migrate", "--dir", "m", "--dry-run"]), @"
    $ lookback db migrate --dir m --dry-run
    ! error: 1_orders.sql was changed after it was applied
    ! hint: restore the file, and write another migration for the change
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "migrate", "--dir", "nowhere"]), @"
    $ lookback db migrate --dir nowhere
    ! error: cannot read nowhere: No such file or directory (os error 2)
    ! hint: give a folder of migrations that this user may read and write: --dir DIR
    [exit code 1]
    ");
    // The built-in migrations are not those of this database.
    transcript!(lookback.run(&["db", "migrate"]), @"
    $ lookback db migrate
    ! error: migration 1 (orders) is applied, but has no file
    ! hint: the database was migrated by a newer version of the program, from another branch or from another folder: use that one, or restore the file. Two applications in one database need two tables of applied migrations: --table NAME
    [exit code 1]
    ");
}

#[tokio::test]
async fn failed_migrate_reports_line_and_database_state() {
    let lookback = shop(&[
        (
            "20260101000000_orders.sql",
            "CREATE TABLE orders (id int);\nINSERT INTO orders VALUES (1), (1);\n",
        ),
        (
            "20260102000000_next.sql",
            "CREATE TABLE next ();\n\nALTER TABLE orders\n  ADD COLUMN a nonsense;\n",
        ),
    ])
    .await;
    let ran = lookback.run(&["db", "migrate", "--dir", "m"]);
    let error = ran.err.find("error: ").unwrap();
    let shown = "error: 20260102000000_next.sql";
    testkit::page::assert_printed("docs/guide/migrations.md", shown, &ran.err[error..]);
    transcript!(ran, @r#"
    $ lookback db migrate --dir m
    ! applying 20260101000000_orders.sql
    ! applied 20260101000000_orders.sql in [time] ms
    ! applying 20260102000000_next.sql
    ! error: 20260102000000_next.sql, line 4 (statement 2 of 2): type "nonsense" does not exist (SQLSTATE 42704)
    !     state: rolled back; the database is as after 20260101000000_orders.sql
    ! hint: correct the file or the database, and run it again
    [exit code 1]
    "#);
    lookback.write(
        "m/20260102000000_next.sql",
        "-- no-transaction\nCREATE TABLE next ();\nCREATE UNIQUE INDEX CONCURRENTLY i ON orders (id);\nDROP TABLE next;\n",
    );
    transcript!(lookback.run(&["db", "migrate", "--dir", "m"]), @r#"
    $ lookback db migrate --dir m
    ! applying 20260102000000_next.sql
    ! dropped the INVALID index public.i, left by a failed build
    ! error: 20260102000000_next.sql, line 3 (statement 2 of 3): could not create unique index "i" (SQLSTATE 23505)
    !     detail: Key (id)=(1) is duplicated.
    !     state: statement 1 of the file took effect and stays; the next run resumes with statement 2; the INVALID index public.i that it left was dropped
    ! hint: correct the file or the database, and run it again
    [exit code 1]
    "#);
    transcript!(lookback.run(&["db", "status", "--dir", "m"]), @"
    $ lookback db status --dir m
    VERSION         STATE    DESCRIPTION
    20260101000000  applied  orders
    20260102000000  partial  next
    ");
    transcript!(lookback.run(&["db", "migrate", "--dir", "m", "--dry-run"]), @"
    $ lookback db migrate --dir m --dry-run
    -- 20260102000000_next.sql
    -- (took effect already: statements up to number 1)
    -- no-transaction
    CREATE TABLE next ();
    CREATE UNIQUE INDEX CONCURRENTLY i ON orders (id);
    DROP TABLE next;
    ");
    let there = "SELECT count(*) FROM pg_class WHERE relname IN ('next', 'i')";
    assert_eq!(lookback.number(there).await, 1);
}

#[tokio::test]
async fn concurrent_migrates_apply_each_file_once() {
    let lookback = shop(&[
        (
            "1_t.sql",
            "CREATE TABLE t AS SELECT * FROM generate_series(1, 20000) AS id;",
        ),
        (
            "2_i.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (id);",
        ),
        (
            "3_s.sql",
            "SELECT pg_sleep(0.2); ALTER TABLE t ADD COLUMN c int;",
        ),
        (
            "4_j.sql",
            "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY j ON t (id);",
        ),
    ])
    .await;
    let running: Vec<_> = (0..5)
        .map(|_| {
            lookback
                .command(&["db", "migrate", "--dir", "m"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let (mut applied, mut nothing) = (0, 0);
    for child in running {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{err}");
        applied += err.matches("\napplied ").count();
        nothing += err.matches("nothing to apply").count();
    }
    assert_eq!((applied, nothing), (4, 4));
}

#[cfg(unix)]
#[tokio::test]
async fn interrupted_migrate_rolls_back_its_file() {
    let lookback = shop(&[("1_t.sql", "CREATE TABLE t ();\nSELECT pg_sleep(600);")]).await;
    let child = lookback
        .command(&["db", "migrate", "--dir", "m"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND query = 'SELECT pg_sleep(600)' AND state = 'active'";
    lookback.wait_for(sleeping, 1).await;
    support::signal(&child, nix::sys::signal::Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    applying 1_t.sql
    error: interrupted
    hint: every file is applied or rolled back, and the next run resumes one without transaction: db status
    ");
    // The server has noticed, long before the statement would have ended.
    lookback.write("m/1_t.sql", "CREATE TABLE t ();");
    lookback.run(&["db", "migrate", "--dir", "m"]).succeeded();
}
