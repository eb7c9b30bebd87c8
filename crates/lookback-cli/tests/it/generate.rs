//! `lookback db generate` and `db check`, with folders and databases that differ from the
//! models.

use lookback_schema::{Column, Fill, Name, Schema};

use crate::rebase::{models, without, write};
use crate::support::{Lookback, transcript};

/// Writes a folder of migrations whose newest schema snapshot is that of the edited models.
fn behind(lookback: &Lookback, edit: impl FnOnce(&mut Schema)) {
    write(
        &lookback.folder().join("migrations"),
        &models(edit),
        "10:00",
    );
}

fn rename_column(schema: &mut Schema, table: &str, from: &str, to: &str) {
    let table = schema.tables.get_mut(&Name::new(table)).unwrap();
    for column in &mut table.columns {
        if column.name == from {
            to.clone_into(&mut column.name);
        }
    }
}

/// Gives a table, two columns and an enum value of the models other names.
fn other_names(schema: &mut Schema) {
    rename_column(schema, "imports", "prefix_sha256", "prefix");
    let imports = schema.tables.remove(&Name::new("imports")).unwrap();
    schema.tables.insert(Name::new("loads"), imports);
    rename_column(schema, "metrics", "traffic_count", "traffic");
    schema.enums.insert(
        Name::new("user_role"),
        vec!["owner".to_owned(), "user".to_owned()],
    );
}

#[test]
fn generate_without_terminal_names_flags_and_writes_nothing() {
    let lookback = Lookback::with(None);
    behind(&lookback, other_names);
    transcript!(lookback.run(&["db", "generate"]), @"
    $ lookback db generate
    ! error: cannot tell renames from drops
    ! hint: the table loads was removed, and imports added: if it was renamed, add --rename 'loads=imports'; if it was dropped, add --drop 'loads'
    ! the value user_role.owner was removed, and user_role.admin added: if it was renamed, add --rename 'user_role.owner=admin'; if it was dropped, add --drop 'user_role.owner'
    ! the column metrics.traffic was removed, and metrics.traffic_count added: if it was renamed, add --rename 'metrics.traffic=traffic_count'; if it was dropped, add --drop 'metrics.traffic'
    [exit code 2]
    ");
    // The answers to some questions lead to the next ones.
    let tables = [
        "--rename",
        "loads=imports",
        "--rename",
        "user_role.owner=admin",
    ];
    let call = [&["db", "generate"][..], &tables].concat();
    transcript!(lookback.run(&call), @"
    $ lookback db generate --rename loads=imports --rename user_role.owner=admin
    ! error: cannot tell renames from drops
    ! hint: the column metrics.traffic was removed, and metrics.traffic_count added: if it was renamed, add --rename 'metrics.traffic=traffic_count'; if it was dropped, add --drop 'metrics.traffic'
    ! the column loads.prefix was removed, and loads.prefix_sha256 added: if it was renamed, add --rename 'loads.prefix=prefix_sha256'; if it was dropped, add --drop 'loads.prefix'
    [exit code 2]
    ");
    let files = std::fs::read_dir(lookback.folder().join("migrations")).unwrap();
    assert_eq!(files.count(), 2, "the first migration, and meta");
}

#[test]
fn generate_with_every_decision_flag_leaves_no_difference() {
    let lookback = Lookback::with(None);
    behind(&lookback, other_names);
    let call = [
        "db",
        "generate",
        "names",
        "--version",
        "20261124110000",
        "--rename",
        "loads=imports",
        "--rename",
        "loads.prefix=prefix_sha256",
        "--rename",
        "user_role.owner=admin",
        "--drop",
        "metrics.traffic",
        "--fill",
        "metrics.traffic_count=0",
    ];
    let ran = lookback.run(&call).succeeded();
    insta::assert_snapshot!(ran.transcript(), @"
    $ lookback db generate names --version 20261124110000 --rename loads=imports --rename loads.prefix=prefix_sha256 --rename user_role.owner=admin --drop metrics.traffic --fill metrics.traffic_count=0
    migrations/20261124110000_names.sql
    migrations/meta/20261124110000.json
    ! rename value user_role.owner to admin
    ! rename table loads to imports
    ! rename column imports.prefix to prefix_sha256
    ! drop column metrics.traffic
    ! add column metrics.traffic_count
    ! warning: users.role is a field of the search, and its values change: the vectors of old rows become stale
    ! hint: recompute them after db migrate: db reembed
    ! warning: 20261124110000_names.sql: LOSES DATA: the values of metrics.traffic
    ! hint: review the files, then: db migrate
    ");
    let mut sql: Vec<_> = std::fs::read_dir(lookback.folder().join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("_names"))
        .collect();
    sql.sort();
    let texts: Vec<String> = sql
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    insta::assert_snapshot!(texts.join("-- next\n"), @"
    ALTER TYPE user_role RENAME VALUE 'owner' TO 'admin';

    ALTER TABLE loads RENAME TO imports;

    ALTER TABLE imports RENAME COLUMN prefix TO prefix_sha256;

    -- LOSES DATA: the values of metrics.traffic
    ALTER TABLE metrics DROP COLUMN traffic;

    ALTER TABLE metrics ADD COLUMN traffic_count integer DEFAULT 0 NOT NULL;
    ALTER TABLE metrics ALTER COLUMN traffic_count DROP DEFAULT;
    ");
    transcript!(lookback.run(&["db", "generate"]), @"
    $ lookback db generate
    ! nothing to generate: the models match the newest snapshot
    ");
    transcript!(lookback.run(&["db", "check", "--offline"]), @"
    $ lookback db check --offline
    ! the models and the newest schema snapshot match
    ");
}

#[test]
fn generate_for_new_index_and_constraint_names_renames_them() {
    let lookback = Lookback::with(None);
    behind(&lookback, |s| {
        let logs = s.tables.get_mut(&Name::new("logs")).unwrap();
        let check = logs.constraints.remove("logs_level_check").unwrap();
        logs.constraints.insert("level_is_known".to_owned(), check);
        let users = s.tables.get_mut(&Name::new("users")).unwrap();
        let (name, index) = users.indexes.pop_first().unwrap();
        users.indexes.insert(format!("{name}_old"), index);
    });
    let ran = lookback
        .run(&["db", "generate", "--version", "20261124110000"])
        .succeeded();
    insta::assert_snapshot!(ran.transcript(), @"
    $ lookback db generate --version 20261124110000
    migrations/20261124110000_rename_constraint_logs_level_is_known_to_logs_level_check.sql
    migrations/meta/20261124110000.json
    ! rename constraint logs.level_is_known to logs_level_check
    ! rename index users.users_email_key_old to users_email_key
    ! hint: review the files, then: db migrate
    ");
}

#[test]
fn generate_for_type_change_writes_cast_or_using_expression() {
    let edit = |s: &mut Schema| {
        let metrics = s.tables.get_mut(&Name::new("metrics")).unwrap();
        for column in &mut metrics.columns {
            if column.name == "p50_latency" {
                column.data_type = "text".parse().unwrap();
            }
        }
    };
    for flags in [
        &[][..],
        &["--using", "metrics.p50_latency=length(p50_latency)"],
    ] {
        let lookback = Lookback::with(None);
        behind(&lookback, edit);
        let call = [&["db", "generate", "type"][..], flags].concat();
        lookback.run(&call).succeeded();
        let file = std::fs::read_dir(lookback.folder().join("migrations"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().ends_with("_type.sql"));
        let text = std::fs::read_to_string(file.unwrap()).unwrap();
        match flags {
            [] => insta::assert_snapshot!(text, @"
            -- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
            -- may fail on existing rows: values of metrics.p50_latency that cannot be converted to integer
            ALTER TABLE metrics ALTER COLUMN p50_latency TYPE integer USING p50_latency::integer;
            "),
            _ => insta::assert_snapshot!(text, @"
            -- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
            -- may fail on existing rows: values of metrics.p50_latency that cannot be converted to integer
            ALTER TABLE metrics ALTER COLUMN p50_latency TYPE integer USING length(p50_latency);
            "),
        }
    }
}

/// A new NOT NULL column needs no decision: it can be added to a table with rows; `--fill`
/// gives their value.
#[test]
fn generate_for_new_not_null_column_fills_or_validates() {
    for flags in [&[][..], &["--fill", "metrics.traffic_count=0"]] {
        let lookback = Lookback::with(None);
        behind(&lookback, |s| without(s, "metrics", "traffic_count"));
        let call = ["db", "generate", "count", "--version", "20261124110000"];
        let call = [&call[..], flags].concat();
        let ran = lookback.run(&call).succeeded();
        match flags {
            [] => insta::assert_snapshot!(ran.transcript(), @"
            $ lookback db generate count --version 20261124110000
            migrations/20261124110000_count.sql
            migrations/20261124110001_count_validate.sql
            migrations/20261124110002_count_finish.sql
            migrations/meta/20261124110002.json
            ! add column metrics.traffic_count
            ! hint: existing rows have no value for it; to give them one, generate it with --fill 'metrics.traffic_count=SQL'
            ! warning: 20261124110000_count.sql: may fail on existing rows: later changes of rows that break it, until they are repaired
            ! warning: 20261124110001_count_validate.sql: may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
            ! hint: review the files, then: db migrate
            "),
            _ => insta::assert_snapshot!(ran.transcript(), @"
            $ lookback db generate count --version 20261124110000 --fill metrics.traffic_count=0
            migrations/20261124110000_count.sql
            migrations/meta/20261124110000.json
            ! add column metrics.traffic_count
            ! hint: review the files, then: db migrate
            "),
        }
    }
}

#[test]
fn generate_with_invalid_flag_is_a_usage_error() {
    let lookback = Lookback::with(None);
    behind(&lookback, |s| without(s, "logs", "trace_id"));
    transcript!(lookback.run(&["db", "generate", "--rename", "logs.message"]), @"
    $ lookback db generate --rename logs.message
    ! error: --rename logs.message: expected OLD=NEW or COLUMN=SQL
    ! hint: such as --rename logs.msg=message
    [exit code 2]
    ");
    transcript!(lookback.run(&["db", "generate", "--rename", "logs.none=message"]), @r#"
    $ lookback db generate --rename logs.none=message
    ! error: cannot rename logs."none": there is no such object
    ! hint: decide by --rename OLD=NEW, --drop OLD, --fill COLUMN=SQL or --using COLUMN=SQL, each object once
    [exit code 2]
    "#);
    transcript!(lookback.run(&["db", "generate", "--drop", "a.b.c.d"]), @"
    $ lookback db generate --drop a.b.c.d
    ! error: `a.b.c.d` is not a name: write table, table.column or schema.table.column
    [exit code 2]
    ");
    transcript!(lookback.run(&["db", "generate", "--fill", "logs.none=1"]), @r#"
    $ lookback db generate --fill logs.none=1
    ! error: cannot fill logs."none": there is no such object
    ! hint: decide by --rename OLD=NEW, --drop OLD, --fill COLUMN=SQL or --using COLUMN=SQL, each object once
    [exit code 2]
    "#);
    transcript!(lookback.run(&["db", "generate", "--using", "logs.level=("]), @"
    $ lookback db generate --using logs.level=(
    ! error: --using logs.level=(: `(` is not an expression: a `(` is not closed
    [exit code 2]
    ");
    transcript!(lookback.run(&["db", "generate", "--empty"]), @"
    $ lookback db generate --empty
    ! error: the following required arguments were not provided:
    !   <NAME>
    ! 
    ! Usage: lookback db generate --empty <NAME>
    ! 
    ! For more information, try '--help'.
    [exit code 2]
    ");
    transcript!(lookback.run(&["db", "generate", "no good"]), @"
    $ lookback db generate no good
    ! error: expected the name of a migration, got `no good`
    ! hint: use letters, digits and _ (at most 100): add_trace_id
    [exit code 2]
    ");
}

#[tokio::test]
async fn check_of_drifted_database_prints_difference_and_fails() {
    let lookback = Lookback::new().await;
    behind(&lookback, |_| {});
    transcript!(lookback.run(&["db", "check"]), @"
    $ lookback db check
    ! the models and the newest schema snapshot match
    ! the database and the newest schema snapshot match
    ");
    for sql in [
        "ALTER TABLE logs ADD COLUMN by_hand int DEFAULT 7",
        "DROP INDEX users_email_key",
        "ALTER TABLE users ALTER COLUMN role DROP DEFAULT",
        "CREATE TABLE of_another ()",
    ] {
        lookback.execute(sql).await;
    }
    transcript!(lookback.run(&["db", "check"]), @r#"
$ lookback db check
-- LOSES DATA: the values of logs.by_hand
ALTER TABLE logs DROP COLUMN by_hand;

ALTER TABLE users ALTER COLUMN role SET DEFAULT 'user'::user_role;

-- locks the table: SHARE (no writes) while the index is built
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX users_email_key ON users USING btree (lower((email COLLATE "C"))) WHERE deleted_at IS NULL;
! the models and the newest schema snapshot match
! pending: 20261124100000_create_tables.sql
! error: the database and the newest schema snapshot differ
! hint: apply what is pending (db migrate), or revert changes that were made by hand
[exit code 1]
"#);
    // Also if nobody reads the difference.
    assert_eq!(lookback.run_unread(&["db", "check"]), Some(1));
    transcript!(lookback.run(&["db", "check", "--offline"]), @"
    $ lookback db check --offline
    ! the models and the newest schema snapshot match
    ");
}

#[test]
fn check_with_models_ahead_of_snapshot_fails() {
    let lookback = Lookback::with(None);
    behind(&lookback, |s| {
        let metrics = s.tables.get_mut(&Name::new("metrics")).unwrap();
        let mut old = Column::new("old", "integer".parse().unwrap());
        old.fill = Fill::Default("1".parse().unwrap());
        metrics.columns.push(old);
        without(s, "logs", "trace_id");
    });
    transcript!(lookback.run(&["db", "check", "--offline"]), @r#"
$ lookback db check --offline
-- LOSES DATA: the values of metrics.old
ALTER TABLE metrics DROP COLUMN old;

ALTER TABLE logs ADD COLUMN trace_id text;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_trace_id_idx ON logs USING btree (trace_id) WHERE trace_id IS NOT NULL;
! error: the models and the newest schema snapshot differ
! hint: write the difference as a migration: db generate
[exit code 1]
"#);
    let empty = Lookback::with(None);
    let ran = empty.run(&["db", "check", "--offline"]).failed(1);
    assert!(ran.out.contains("CREATE TABLE logs"), "{}", ran.out);
}

#[cfg(unix)]
#[test]
fn generate_on_terminal_asks_whether_renamed_or_dropped() {
    let lookback = Lookback::with(None);
    behind(&lookback, other_names);
    // A question with an invalid answer is asked again.
    let ran = lookback.run_typing(
        &["db", "generate", "names", "--version", "20261124110000"],
        "1\n1\n7\nd\n1\n",
    );
    insta::assert_snapshot!(ran.transcript(), @"
    $ lookback db generate names --version 20261124110000
    migrations/20261124110000_names.sql
    migrations/20261124110001_names_validate.sql
    migrations/20261124110002_names_finish.sql
    migrations/meta/20261124110002.json
    ! table loads is gone. Was it renamed or dropped?
    !   1  renamed to imports
    !   d  dropped
    ! > value user_role.owner is gone. Was it renamed or dropped?
    !   1  renamed to user_role.admin
    !   d  dropped
    ! > column metrics.traffic is gone. Was it renamed or dropped?
    !   1  renamed to metrics.traffic_count
    !   d  dropped
    ! > type one of the numbers, or d
    ! > column loads.prefix is gone. Was it renamed or dropped?
    !   1  renamed to loads.prefix_sha256
    !   d  dropped
    ! > rename value user_role.owner to admin
    ! rename table loads to imports
    ! rename column imports.prefix to prefix_sha256
    ! drop column metrics.traffic
    ! add column metrics.traffic_count
    ! hint: existing rows have no value for it; to give them one, generate it with --fill 'metrics.traffic_count=SQL'
    ! warning: users.role is a field of the search, and its values change: the vectors of old rows become stale
    ! hint: recompute them after db migrate: db reembed
    ! warning: 20261124110000_names.sql: LOSES DATA: the values of metrics.traffic
    ! warning: 20261124110000_names.sql: may fail on existing rows: later changes of rows that break it, until they are repaired
    ! warning: 20261124110001_names_validate.sql: may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
    ! hint: review the files, then: db migrate
    ");
    lookback.run(&["db", "check", "--offline"]).succeeded();
}

#[cfg(unix)]
#[test]
fn generate_without_answer_writes_nothing() {
    let lookback = Lookback::with(None);
    behind(&lookback, other_names);
    // Control-D: the end of the input.
    let ran = lookback
        .run_typing(&["db", "generate"], "\u{4}")
        .failed(130);
    assert!(ran.err.contains("no answer"), "{}", ran.err);
    lookback.run(&["db", "check", "--offline"]).failed(1);
}

#[test]
fn check_of_folder_with_missing_or_duplicate_file_fails() {
    let lookback = Lookback::with(None);
    behind(&lookback, |s| without(s, "logs", "trace_id"));
    lookback.run(&["db", "generate", "trace"]).succeeded();
    let migrations = lookback.folder().join("migrations");
    let written: Vec<_> = std::fs::read_dir(&migrations)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("_trace.sql"))
        .collect();
    let file = &written[0];
    let name = file.file_name().unwrap().to_str().unwrap();
    let version = name.split('_').next().unwrap();

    let again = migrations.join(format!("{version}_again.sql"));
    std::fs::copy(file, &again).unwrap();
    let message = lookback.run(&["db", "check", "--offline"]).failed(1).err;
    assert!(message.contains("have the same version"), "{message}");
    std::fs::remove_file(again).unwrap();

    let text = std::fs::read(file).unwrap();
    std::fs::remove_file(file).unwrap();
    for command in [&["db", "check", "--offline"][..], &["db", "generate"]] {
        let message = lookback.run(command).failed(1).err;
        assert!(
            message.contains(&format!("a file of version {version}, which is missing")),
            "{message}"
        );
    }
    std::fs::write(file, text).unwrap();
    lookback.run(&["db", "check", "--offline"]).succeeded();

    std::fs::remove_file(migrations.join("meta/20261124100000.json")).unwrap();
    let message = lookback.run(&["db", "check", "--offline"]).failed(1).err;
    assert!(
        message.contains("follows meta/20261124100000.json, which is missing"),
        "{message}"
    );
}

#[test]
fn generate_with_version_requires_a_later_one() {
    let lookback = Lookback::with(None);
    behind(&lookback, |s| without(s, "logs", "trace_id"));
    for version in ["20261124100000", "7"] {
        let call = ["db", "generate", "trace", "--version", version];
        let message = lookback.run(&call).failed(1).err;
        assert_eq!(
            message,
            format!(
                "error: version {version} must be later than 20261124100000, the latest in migrations\n\
                 hint: give a later version, or none to use the time\n"
            )
        );
    }
    transcript!(lookback.run(&["db", "generate", "trace", "--version", "9223372036854775807"]), @"
    $ lookback db generate trace --version 9223372036854775807
    ! error: version 9223372036854775807 is too large: later files need versions, too
    ! hint: give a smaller version, or none to use the time
    [exit code 1]
    ");
    lookback
        .run(&["db", "generate", "trace", "--version", "0"])
        .failed(2);
    // The next number, as in a folder that counts its files.
    transcript!(lookback.run(&["db", "generate", "trace", "--version", "20261124100001"]), @"
    $ lookback db generate trace --version 20261124100001
    migrations/20261124100001_trace.sql
    migrations/meta/20261124100001.json
    ! add column logs.trace_id
    ! create index logs.logs_trace_id_idx
    ! warning: 20261124100001_trace.sql: locks the table: SHARE (no writes) while the index is built
    ! hint: review the files, then: db migrate
    ");
    transcript!(lookback.run(&["db", "generate", "fill", "--empty", "--version", "99990101000000"]), @"
    $ lookback db generate fill --empty --version 99990101000000
    migrations/99990101000000_fill.sql
    ");
    // Without --version it is later than the latest, too.
    transcript!(lookback.run(&["db", "generate", "fill", "--empty"]), @"
    $ lookback db generate fill --empty
    migrations/99990101000001_fill.sql
    ");
}

/// The names of all files of the folder, sorted.
fn names(lookback: &Lookback) -> Vec<String> {
    let migrations = lookback.folder().join("migrations");
    let mut names = Vec::new();
    for folder in [migrations.clone(), migrations.join("meta")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    names
}

/// One process writes the migration; the others find it written, or being written.
#[test]
fn concurrent_generates_write_one_migration() {
    let lookback = Lookback::with(None);
    behind(&lookback, |s| without(s, "logs", "trace_id"));
    let before = names(&lookback).len();
    let started: Vec<_> = (0..6)
        .map(|_| {
            let mut command = lookback.command(&["db", "generate", "trace"]);
            let quiet = std::process::Stdio::null;
            command.stdout(quiet()).stderr(quiet()).spawn().unwrap()
        })
        .collect();
    let mut wrote = 0;
    for mut process in started {
        let code = process.wait().unwrap().code();
        assert!(code == Some(0) || code == Some(1), "{code:?}");
        wrote += u32::from(code == Some(0));
    }
    assert!(wrote > 0);
    assert_eq!(names(&lookback).len(), before + 2, "{:?}", names(&lookback));
    lookback.run(&["db", "check", "--offline"]).succeeded();
}

/// A limit of a few hundred bytes for each file acts like a full disk.
#[cfg(unix)]
#[test]
fn generate_on_full_disk_leaves_folder_unchanged() {
    let lookback = Lookback::with(None);
    behind(&lookback, |s| without(s, "logs", "trace_id"));
    let before = names(&lookback);
    let whole = lookback.command(&["db", "generate"]);
    let limited = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" db generate"])
        .arg(whole.get_program())
        .current_dir(whole.get_current_dir().unwrap())
        .envs(
            whole
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .output()
        .unwrap();
    assert_eq!(limited.status.code(), Some(1));
    let message = String::from_utf8(limited.stderr).unwrap();
    assert!(
        message.contains("cannot write migrations/meta/generate."),
        "{message}"
    );
    assert_eq!(names(&lookback), before);
    lookback.run(&["db", "generate"]).succeeded();
    lookback.run(&["db", "check", "--offline"]).succeeded();
}

/// Rows with the removed value get another one by the `--using` of the hint. Their vectors, which
/// contain the value, become stale.
#[test]
fn generate_for_removed_enum_value_names_conversion_and_stale_vectors() {
    let before = |s: &mut Schema| {
        let labels = ["guest", "admin", "none", "user"].map(str::to_owned);
        s.enums.insert(Name::new("user_role"), labels.into());
    };
    let lookback = Lookback::with(None);
    behind(&lookback, before);
    let removed = ["--drop", "user_role.guest", "--drop", "user_role.none"];
    let call = [
        &["db", "generate", "--version", "20261124110000"][..],
        &removed,
    ]
    .concat();
    let ran = lookback.run(&call);
    transcript!(ran, @r#"
    $ lookback db generate --version 20261124110000 --drop user_role.guest --drop user_role.none
    migrations/20261124110000_rename_enum_user_role_to_user_role_old_and_more.sql
    migrations/meta/20261124110000.json
    ! rename enum user_role to user_role__old
    ! create enum user_role
    ! drop default of users.role
    ! convert users.role to the changed enum user_role
    ! hint: rows with a removed value stop the migration; to give them another one, generate it with --using "users.role=(CASE role::text WHEN 'guest' THEN 'VALUE' WHEN 'none' THEN 'VALUE' ELSE role::text END)::user_role"
    ! set default of users.role to 'user'
    ! drop enum user_role__old
    ! warning: 20261124110000_rename_enum_user_role_to_user_role_old_and_more.sql: locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
    ! warning: 20261124110000_rename_enum_user_role_to_user_role_old_and_more.sql: may fail on existing rows: rows whose users.role is guest or none
    ! hint: review the files, then: db migrate
    "#);

    let lookback = Lookback::with(None);
    behind(&lookback, before);
    let using = "users.role=(CASE role::text WHEN 'guest' THEN 'user' WHEN 'none' THEN 'user' \
                 ELSE role::text END)::user_role";
    let call = [&call[..], &["--using", using]].concat();
    let ran = lookback.run(&call).succeeded();
    let warnings: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| line.contains("vectors"))
        .collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    warning: users.role is a field of the search, and its values change: the vectors of old rows become stale
    ");
}

/// The program knows no models but Lookback's.
#[tokio::test]
async fn generate_in_folder_of_another_application_writes_nothing() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    // A folder that does not exist, one with SQL files only, and one with a schema snapshot.
    transcript!(lookback.run(&["db", "generate"]), @"
    $ lookback db generate
    ! error: migrations does not contain Lookback's own migrations, and this program has no other models
    ! hint: the models of an application have a program of their own, which calls lookback_cli::db(models): docs/guide/migrations.md. Here, db generate --empty NAME writes an empty file, and db migrate --dir applies files
    [exit code 2]
    ");
    lookback
        .run(&["db", "generate", "--empty", "orders"])
        .succeeded();
    transcript!(lookback.run(&["db", "generate", "more"]), @"
    $ lookback db generate more
    ! error: migrations does not contain Lookback's own migrations, and this program has no other models
    ! hint: the models of an application have a program of their own, which calls lookback_cli::db(models): docs/guide/migrations.md. Here, db generate --empty NAME writes an empty file, and db migrate --dir applies files
    [exit code 2]
    ");
    let mut schema = Schema::default();
    // The names of two of Lookback's tables.
    for name in ["users", "logs", "orders"] {
        let column = Column::new("id", "integer".parse().unwrap());
        let table = lookback_schema::Table {
            columns: vec![column],
            ..lookback_schema::Table::default()
        };
        schema.tables.insert(Name::new(name), table);
    }
    let migrations = lookback.folder().join("migrations");
    write(&migrations, &schema, "10:00");
    let files = || {
        let entries = std::fs::read_dir(&migrations).unwrap();
        entries.count()
    };
    let before = files();
    for command in [
        &["db", "generate"][..],
        &["db", "generate", "--rebase"],
        &["db", "push", "--explain"],
        &["db", "check", "--offline"],
    ] {
        let ran = lookback.run(command);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(
            ran.err.contains("does not contain Lookback's own"),
            "{}",
            ran.err
        );
    }
    assert_eq!(files(), before);
    lookback
        .run(&["db", "migrate", "--dir", "migrations"])
        .succeeded();
}

/// A handwritten file is pending, even if the database equals the newest schema snapshot.
#[tokio::test]
async fn check_with_pending_handwritten_file_names_it() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    behind(&lookback, |_| {});
    let migrate = ["db", "migrate", "--dir", "migrations"];
    lookback.execute("CREATE EXTENSION vector").await;
    lookback.run(&migrate).succeeded();
    lookback.run(&["db", "check"]).succeeded();

    lookback.write("migrations/20261124120000_fill.sql", "SELECT 1;\n");
    transcript!(lookback.run(&["db", "check"]), @"
    $ lookback db check
    ! the models and the newest schema snapshot match
    ! pending: 20261124120000_fill.sql
    ! error: 1 migration is pending
    ! hint: apply what is pending: db migrate
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "check", "--table", "none_yet"]), @"
    $ lookback db check --table none_yet
    ! the models and the newest schema snapshot match
    ! the database and the newest schema snapshot match
    ");
    let ran = lookback
        .run(&["db", "status", "--dir", "migrations"])
        .succeeded();
    assert!(
        ran.out.contains("20261124120000  pending  fill"),
        "{}",
        ran.out
    );
    lookback.run(&migrate).succeeded();
    lookback.run(&["db", "check"]).succeeded();
}
