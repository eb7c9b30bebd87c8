//! `lookback db generate --rebase`, in folders merged from two branches.

use std::path::Path;

use lookback::migrate::{Folder, GenerateOptions, Models, generate};
use lookback_schema::{Column, Name, Schema};

use crate::support::{Lookback, transcript};

/// Returns the schema of the built-in models, edited.
pub(crate) fn models(edit: impl FnOnce(&mut Schema)) -> Schema {
    let mut schema = Models::lookback().to_schema().unwrap();
    edit(&mut schema);
    schema.completed().unwrap()
}

pub(crate) fn without(schema: &mut Schema, table: &str, column: &str) {
    let table = schema.tables.get_mut(&Name::new(table)).unwrap();
    table.columns.retain(|there| there.name != column);
    let rest = table.clone();
    table.indexes.retain(|_, index| {
        index.keys.iter().all(|key| {
            let columns = key.expression.plain_columns();
            columns.iter().all(|name| rest.column(name).is_some())
        })
    });
}

pub(crate) fn write(folder: &Path, models: &Schema, when: &str) {
    let when = format!("2026-11-24T{when}:00Z").parse().unwrap();
    let options = GenerateOptions::default();
    generate(&Folder::new(folder), models, &options, when).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for part in ["", "meta"] {
        std::fs::create_dir_all(to.join(part)).unwrap();
        for entry in std::fs::read_dir(from.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, to.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
}

/// Makes a folder `migrations`, merged from two branches that lead from `base` to `first`
/// and to `second`.
fn merged(base: &Schema, first: &Schema, second: &Schema) -> Lookback {
    let lookback = Lookback::with(None);
    let migrations = lookback.folder().join("migrations");
    write(&migrations, base, "10:00");
    for (models, when) in [(first, "11:00"), (second, "12:00")] {
        let branch = tempfile::tempdir().unwrap();
        let start = lookback.folder().join("migrations");
        copy(&start, branch.path());
        // This branch does not have the migrations of the other one yet.
        for path in std::fs::read_dir(branch.path().join("meta")).unwrap() {
            let path = path.unwrap().path();
            if !path.ends_with("20261124100000.json") {
                std::fs::remove_file(path).unwrap();
            }
        }
        write(branch.path(), models, when);
        copy(branch.path(), &migrations);
    }
    lookback
}

fn late(schema: &mut Schema, table: &str) {
    without(schema, table, "trace_id");
}

#[test]
fn rebase_of_two_branches_makes_one_sequence() {
    let base = models(|s| {
        late(s, "logs");
        late(s, "request_snapshots");
    });
    let logs = models(|s| late(s, "request_snapshots"));
    let requests = models(|s| late(s, "logs"));
    let lookback = merged(&base, &logs, &requests);
    transcript!(lookback.run(&["db", "generate"]), @"
    $ lookback db generate
    ! error: migrations 20261124110000 and 20261124120000 were generated on two branches
    ! hint: rebase them: db generate --rebase
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "check", "--offline"]), @"
    $ lookback db check --offline
    ! error: migrations 20261124110000 and 20261124120000 were generated on two branches
    ! hint: rebase them: db generate --rebase
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "generate", "--rebase", "--dry-run"]), @"
    $ lookback db generate --rebase --dry-run
    migrations/meta/20261124120000.json
    ! 20261124120000 would follow 20261124110000
    ! nothing was written
    ");
    lookback.run(&["db", "check", "--offline"]).failed(1);
    transcript!(lookback.run(&["db", "generate", "--rebase"]), @"
    $ lookback db generate --rebase
    migrations/meta/20261124120000.json
    ! 20261124120000 now follows 20261124110000
    ! the models and the newest schema snapshot match
    ");
    transcript!(lookback.run(&["db", "generate", "--rebase"]), @"
    $ lookback db generate --rebase
    ! nothing to rebase: the migrations are in one sequence
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

/// One branch adds an index on a column that the other one drops.
#[test]
fn conflict_is_as_the_page_shows_it() {
    let total = |s: &mut Schema| {
        let logs = s.tables.get_mut(&Name::new("logs")).unwrap();
        logs.columns
            .push(Column::new("total", "integer".parse().unwrap()));
    };
    let first = models(|s| {
        total(s);
        let logs = s.tables.get_mut(&Name::new("logs")).unwrap();
        let index = "(total)".parse().unwrap();
        logs.indexes.insert("logs_total_idx".to_owned(), index);
    });
    let lookback = merged(&models(total), &first, &models(|_| {}));
    let ran = lookback.run(&["db", "generate", "--rebase"]).failed(1);
    let printed = ran.err.replace("logs", "orders");
    testkit::page::assert_printed("docs/guide/migrations.md", "error: migration ", &printed);
}

#[test]
fn rebase_with_regenerate_resolves_conflicting_branches() {
    let base = models(|s| {
        late(s, "logs");
        late(s, "request_snapshots");
    });
    // One branch has the column with another type, the other one as in the models.
    let text = "varchar(32)".parse().unwrap();
    let first = models(|s| {
        late(s, "logs");
        late(s, "request_snapshots");
        let logs = s.tables.get_mut(&Name::new("logs")).unwrap();
        logs.columns.push(Column::new("trace_id", text));
    });
    let second = models(|s| late(s, "request_snapshots"));
    let lookback = merged(&base, &first, &second);
    transcript!(lookback.run(&["db", "generate", "--rebase"]), @"
    $ lookback db generate --rebase
    ! error: migration 20261124120000 (the second) conflicts with those of the other branch, up to 20261124110000 (the first)
    !     logs.trace_id: add column logs.trace_id in both, each in another way
    ! hint: add --regenerate VERSION for the one of them that is in no database yet, or can be reverted where it is: its files are removed, and its changes are generated again from the models
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "generate", "--rebase", "add_it"]), @"
    $ lookback db generate --rebase add_it
    ! error: --rebase without --regenerate generates nothing: it takes no name and no decisions
    ! hint: run db generate --rebase, and then db generate
    [exit code 2]
    ");
    transcript!(lookback.run(&["db", "generate", "--regenerate", "20261124110000"]), @"
    $ lookback db generate --regenerate 20261124110000
    ! error: the following required arguments were not provided:
    !   --rebase
    ! 
    ! Usage: lookback db generate --rebase --regenerate <VERSION> [NAME]
    ! 
    ! For more information, try '--help'.
    [exit code 2]
    ");
    transcript!(lookback.run(&["db", "generate", "--rebase", "--regenerate", "7"]), @"
    $ lookback db generate --rebase --regenerate 7
    ! error: cannot regenerate 7: no branch has a migration of this version
    ! hint: give a migration that was generated on one branch only
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "generate", "--rebase", "--regenerate", "20261124110000", "--dry-run"]), @r#"
$ lookback db generate --rebase --regenerate 20261124110000 --dry-run
! would remove migrations/20261124110000_add_column_logs_trace_id.sql
! would remove migrations/meta/20261124110000.json
! would generate:
! add column request_snapshots.trace_id
! create index request_snapshots.request_snapshots_trace_id_idx
! nothing was written
"#);
    let ran = lookback.run(&[
        "db",
        "generate",
        "--rebase",
        "--regenerate",
        "20261124110000",
        "trace",
        "--version",
        "20261124130000",
    ]);
    transcript!(ran, @r#"
$ lookback db generate --rebase --regenerate 20261124110000 trace --version 20261124130000
migrations/20261124130000_trace.sql
migrations/meta/20261124130000.json
! removed migrations/20261124110000_add_column_logs_trace_id.sql
! removed migrations/meta/20261124110000.json
! add column request_snapshots.trace_id
! create index request_snapshots.request_snapshots_trace_id_idx
! warning: 20261124130000_trace.sql: locks the table: SHARE (no writes) while the index is built
! hint: review the files, then: db migrate
"#);
    transcript!(lookback.run(&["db", "check", "--offline"]), @"
    $ lookback db check --offline
    ! the models and the newest schema snapshot match
    ");
}

#[test]
fn killed_rebase_is_finished_by_next_generate() {
    let lookback = Lookback::with(None);
    let migrations = lookback.folder().join("migrations");
    write(&migrations, &models(|_| {}), "10:00");
    let before = lookback.read("migrations/meta/20261124100000.json");
    let journal = serde_json::json!({
        "write": { "meta/20261124100000.json": String::from_utf8(before.clone()).unwrap() },
        "remove": ["20261124100001_old.sql"],
    });
    lookback.write("migrations/meta/generate.journal", journal.to_string());
    lookback.write("migrations/meta/20261124100000.json", "");
    lookback.write("migrations/20261124100001_old.sql", "SELECT 1");
    transcript!(lookback.run(&["db", "check", "--offline"]), @"
    $ lookback db check --offline
    ! error: an earlier run was stopped while writing migrations
    ! hint: generate again, which finishes it: db generate
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "generate", "--rebase", "--dry-run"]), @"
    $ lookback db generate --rebase --dry-run
    ! an earlier run was interrupted; without --dry-run it is finished first
    ");
    transcript!(lookback.run(&["db", "generate"]), @"
    $ lookback db generate
    ! finished an interrupted run
    ! nothing to generate: the models match the newest snapshot
    ");
    lookback.run(&["db", "check", "--offline"]).succeeded();
    assert_eq!(lookback.read("migrations/meta/20261124100000.json"), before);
    assert!(!migrations.join("20261124100001_old.sql").exists());
}
