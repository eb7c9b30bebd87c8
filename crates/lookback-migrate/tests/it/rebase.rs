//! Rebasing migrations of two branches: with real folders, and with a real server that
//! applies the results.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use lookback_migrate::{
    ApplyOptions, Folder, GenerateOptions, Migrations, Rebase, Remedy, Scope, canonical, introspect,
};
use lookback_schema::{Column, Fill, Name, Schema, Table};
use sqlx::{Connection as _, PgConnection};

use crate::time;

/// The schema from which branches start: two tables.
fn shop() -> Schema {
    let mut shop = Schema::default();
    for name in ["customers", "orders"] {
        let mut id = Column::new("id", "bigint".parse().unwrap());
        id.fill = Fill::IdentityAlways;
        let total = Column::new("total", "integer".parse().unwrap());
        let mut table = Table {
            columns: vec![id, total],
            ..Table::default()
        };
        let key = "PRIMARY KEY (id)".parse().unwrap();
        table.constraints.insert(format!("{name}_pkey"), key);
        shop.tables.insert(Name::new(name), table);
    }
    shop.completed().unwrap()
}

fn with(schema: &Schema, edit: impl FnOnce(&mut Schema)) -> Schema {
    let mut schema = schema.clone();
    edit(&mut schema);
    schema.completed().unwrap()
}

fn column(schema: &mut Schema, table: &str, name: &str) {
    let table = schema.tables.get_mut(&Name::new(table)).unwrap();
    let mut column = Column::new(name, "text".parse().unwrap());
    column.not_null = true;
    table.columns.push(column);
}

fn index(schema: &mut Schema, table: &str, name: &str) {
    let table = schema.tables.get_mut(&Name::new(table)).unwrap();
    let index = "(total)".parse().unwrap();
    table.indexes.insert(name.to_owned(), index);
}

/// A folder to which branches add migrations, each without the others.
struct Repository {
    folder: tempfile::TempDir,
    base: Schema,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = shop();
        let main = Folder::new(folder.path());
        let options = GenerateOptions::default();
        lookback_migrate::generate(&main, &base, &options, at("10:00")).unwrap();
        Self { folder, base }
    }

    fn folder(&self) -> Folder {
        Folder::new(self.folder.path())
    }

    /// Adds a branch that starts from the base. Each migration has the time at which it
    /// is generated, and its models.
    fn branch(&self, base: &Path, migrations: &[(&str, &Schema)]) {
        let branch = tempfile::tempdir().unwrap();
        copy(base, branch.path());
        let folder = Folder::new(branch.path());
        for (when, models) in migrations {
            let mut options = GenerateOptions::default();
            options.reversible = true;
            lookback_migrate::generate(&folder, models, &options, at(when)).unwrap();
        }
        // Merged.
        copy(branch.path(), self.folder.path());
    }

    /// Copies the folder from which branches start.
    fn start(&self) -> tempfile::TempDir {
        let start = tempfile::tempdir().unwrap();
        copy(self.folder.path(), start.path());
        start
    }

    fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for folder in [
            self.folder.path().to_owned(),
            self.folder.path().join("meta"),
        ] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(self.folder.path()).unwrap();
                    let text = fs::read_to_string(&path).unwrap();
                    files.insert(name.display().to_string(), text);
                }
            }
        }
        files
    }
}

fn at(time_of_day: &str) -> DateTime<Utc> {
    time(&format!("2026-11-20T{time_of_day}:00Z"))
}

fn copy(from: &Path, to: &Path) {
    for part in [Path::new(""), Path::new("meta")] {
        fs::create_dir_all(to.join(part)).unwrap();
        for entry in fs::read_dir(from.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, to.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
}

/// Two branches of two migrations each, with interleaved times, and a third branch.
fn three_branches() -> (Repository, Schema) {
    let repository = Repository::new();
    let base = repository.base.clone();
    let start = repository.start();
    let one = with(&base, |s| column(s, "orders", "note"));
    let one_more = with(&one, |s| index(s, "orders", "orders_total_idx"));
    let two = with(&base, |s| column(s, "customers", "email"));
    let two_more = with(&two, |s| column(s, "customers", "name"));
    let three = with(&base, |s| {
        s.tables.insert(
            Name::new("notes"),
            Table {
                columns: vec![Column::new("text", "text".parse().unwrap())],
                ..Table::default()
            },
        );
    });
    repository.branch(start.path(), &[("11:00", &one), ("13:00", &one_more)]);
    repository.branch(start.path(), &[("12:00", &two), ("14:00", &two_more)]);
    repository.branch(start.path(), &[("12:30", &three)]);
    let all = with(&two_more, |s| {
        column(s, "orders", "note");
        index(s, "orders", "orders_total_idx");
        let notes = three.tables[&Name::new("notes")].clone();
        s.tables.insert(Name::new("notes"), notes);
    });
    (repository, all)
}

#[test]
fn rebase_of_branches_changes_snapshots_and_no_sql() {
    let (repository, all) = three_branches();
    let folder = repository.folder();
    let before = repository.files();
    let error = folder.newest().unwrap_err();
    assert!(error.remedy() == Some(Remedy::Rebase), "{error}");

    let rebase = Rebase::plan(&folder, &[]).unwrap();
    assert_eq!(rebase.schema(), all);
    assert_eq!(repository.files(), before, "a plan changes no file");
    rebase.write(&folder).unwrap();

    let after = repository.files();
    let sql = |files: &BTreeMap<String, String>| -> Vec<(String, String)> {
        let all = files.iter().filter(|(name, _)| name.ends_with(".sql"));
        all.map(|(a, b)| (a.clone(), b.clone())).collect()
    };
    assert_eq!(sql(&after), sql(&before));
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    // The first snapshot is unchanged, and each one follows the one before it.
    let snapshots = folder.snapshots().unwrap();
    let parents: Vec<_> = snapshots.iter().map(|s| s.parent).collect();
    let versions: Vec<_> = snapshots.iter().map(|s| Some(s.version)).collect();
    assert_eq!(parents[1..], versions[..versions.len() - 1]);
    assert_eq!(parents[0], None);
    let unchanged = after.iter().filter(|(name, text)| before[*name] == **text);
    let unchanged = unchanged.filter(|(name, _)| name.ends_with(".json"));
    assert_eq!(unchanged.count(), 2, "the base, and the first after it");

    // Nothing remains to be rebased, generated or checked.
    assert!(Rebase::plan(&folder, &[]).unwrap().is_empty());
    let options = GenerateOptions::default();
    let generated = lookback_migrate::generate(&folder, &all, &options, at("15:00")).unwrap();
    assert!(generated.files.is_empty());
    assert!(
        lookback_migrate::check_models(&folder, &all)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn rebase_killed_at_any_step_finishes_on_next_run() {
    let (repository, all) = three_branches();
    let before = repository.files();
    let folder = repository.folder();
    Rebase::plan(&folder, &[]).unwrap().write(&folder).unwrap();
    let after = repository.files();
    let changed: Vec<&String> = after
        .keys()
        .filter(|name| before[*name] != after[*name])
        .collect();
    let write: BTreeMap<&String, &String> =
        changed.iter().map(|name| (*name, &after[*name])).collect();
    let journal = serde_json::json!({ "write": write, "remove": [] }).to_string();

    // The rebase is killed after it has written this many files.
    for done in 0..=changed.len() {
        for (name, text) in &before {
            fs::write(repository.folder.path().join(name), text).unwrap();
        }
        for name in &changed[..done] {
            fs::write(repository.folder.path().join(name), &after[*name]).unwrap();
        }
        fs::write(
            repository.folder.path().join("meta/generate.journal"),
            &journal,
        )
        .unwrap();
        let error = folder.newest().unwrap_err();
        assert!(
            error.to_string().contains("stopped while writing"),
            "{error}"
        );
        assert!(folder.is_half_written().unwrap());
        // The folder is not applied, either.
        let error = Migrations::folder(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("stopped while writing"),
            "{error}"
        );
        folder.finish().unwrap();
        assert_eq!(repository.files(), after);
        assert!(
            lookback_migrate::check_models(&folder, &all)
                .unwrap()
                .is_empty()
        );
    }
    // A rebase that is killed before it is decided leaves a file that is never read.
    for (name, text) in &before {
        fs::write(repository.folder.path().join(name), text).unwrap();
    }
    let half = format!("meta/generate.{}.tmp", std::process::id());
    fs::write(repository.folder.path().join(half), "{").unwrap();
    Rebase::plan(&folder, &[]).unwrap().write(&folder).unwrap();
    assert_eq!(repository.files(), after);
}

/// A journal that comes with a merge cannot write outside of the folder.
#[test]
fn journal_with_path_outside_folder_is_refused() {
    let repository = Repository::new();
    for name in [
        "../1_x.sql",
        "meta/../../1.json",
        "/1.sql",
        "meta/x.json",
        "1_x.sh",
        "meta/1/2.json",
    ] {
        let journal = serde_json::json!({ "write": {}, "remove": [name] }).to_string();
        fs::write(
            repository.folder.path().join("meta/generate.journal"),
            journal,
        )
        .unwrap();
        let error = repository.folder().finish().unwrap_err();
        assert!(
            error.to_string().contains("is not a file of migrations"),
            "{error}"
        );
    }
}

/// One branch adds an index on a column that the other one drops.
fn conflicting_branches() -> (Repository, Schema) {
    let repository = Repository::new();
    let base = repository.base.clone();
    let start = repository.start();
    let one = with(&base, |s| index(s, "orders", "orders_total_idx"));
    let two = with(&base, |s| {
        let orders = s.tables.get_mut(&Name::new("orders")).unwrap();
        orders.columns.retain(|column| column.name != "total");
        column(s, "customers", "email");
    });
    let two_more = with(&two, |s| column(s, "customers", "name"));
    repository.branch(start.path(), &[("11:00", &one)]);
    repository.branch(start.path(), &[("12:00", &two), ("13:00", &two_more)]);
    let models = with(&two_more, |s| {
        index(s, "customers", "customers_total_idx");
    });
    (repository, models)
}

#[test]
fn rebase_of_conflict_names_it_and_writes_nothing() {
    let (repository, _) = conflicting_branches();
    let before = repository.files();
    let error = Rebase::plan(&repository.folder(), &[]).unwrap_err();
    assert!(error.is_generate());
    insta::assert_snapshot!(format!("{error}\n{}", error.remedy().unwrap()), @"
    migration 20261120120002 (the second) conflicts with those of the other branch, up to 20261120110000 (the first)
        orders.total: create index orders.orders_total_idx in the first, drop column orders.total in the second
    regenerate the one of them that is in no database yet, or can be reverted where it is
    ");
    let error = Rebase::plan(&repository.folder(), &[20261120100000]).unwrap_err();
    insta::assert_snapshot!(error, @"cannot regenerate 20261120100000: no branch has a migration of this version");
    assert_eq!(repository.files(), before);
}

#[test]
fn rebase_regenerates_conflicting_migration_from_models() {
    for regenerated in [20261120110000_i64, 20261120120000] {
        let (repository, models) = conflicting_branches();
        let folder = repository.folder();
        let rebase = Rebase::plan(&folder, &[regenerated]).unwrap();
        // The name is invalid: nothing is written.
        let before = repository.files();
        let mut options = GenerateOptions::default();
        options.name = Some("no name".to_owned());
        rebase
            .generate(&folder, &models, &options, at("14:00"))
            .unwrap_err();
        assert_eq!(repository.files(), before);

        let options = GenerateOptions::default();
        let generated = rebase
            .generate(&folder, &models, &options, at("14:00"))
            .unwrap();
        assert!(!generated.files.is_empty());
        assert!(generated.files.iter().all(|file| file.exists()));
        let names: Vec<String> = repository.files().into_keys().collect();
        assert!(
            !names
                .iter()
                .any(|name| name.contains(&regenerated.to_string())),
            "{names:?}"
        );
        // The migration that follows it on its branch is removed with it.
        let with_it = names.iter().any(|name| name.contains("20261120130000"));
        assert_eq!(with_it, regenerated == 20261120110000, "{names:?}");
        assert!(
            lookback_migrate::check_models(&folder, &models)
                .unwrap()
                .is_empty()
        );
        Migrations::folder(folder.path()).unwrap();
    }
}

#[test]
fn rebase_with_missing_snapshot_names_it() {
    let (repository, _) = three_branches();
    fs::remove_file(repository.folder.path().join("meta/20261120100000.json")).unwrap();
    let error = Rebase::plan(&repository.folder(), &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("follows meta/20261120100000.json"),
        "{error}"
    );
}

/// Covers a new database, and databases with the first branch, with the second one, and
/// with both.
#[tokio::test]
async fn rebased_migrations_bring_any_database_to_newest_snapshot() {
    for had in [None, Some(0), Some(1), Some(2)] {
        let repository = Repository::new();
        let start = repository.start();
        let base = repository.base.clone();
        let one = with(&base, |s| column(s, "orders", "note"));
        let one_more = with(&one, |s| index(s, "orders", "orders_total_idx"));
        let two = with(&base, |s| column(s, "customers", "email"));
        let two_more = with(&two, |s| index(s, "customers", "customers_total_idx"));
        let branches: [&[(&str, &Schema)]; 2] = [
            &[("11:00", &one), ("13:00", &one_more)],
            &[("12:00", &two), ("14:00", &two_more)],
        ];
        let db = testkit::empty_database().await;
        let mut conn = PgConnection::connect(&db.url).await.unwrap();
        // The migrations that the database had before the merge.
        if let Some(had) = had {
            let alone = Repository {
                folder: repository.start(),
                base: base.clone(),
            };
            let which = if had == 2 {
                &branches[..]
            } else {
                &branches[had..=had]
            };
            for branch in which {
                alone.branch(start.path(), branch);
            }
            apply(&mut conn, &alone.folder()).await;
        }
        for branch in branches {
            repository.branch(start.path(), branch);
        }
        let folder = repository.folder();
        Rebase::plan(&folder, &[]).unwrap().write(&folder).unwrap();
        apply(&mut conn, &folder).await;

        let newest = folder.newest().unwrap().unwrap().schema;
        let live = introspect(&mut conn, &Scope::of([&newest])).await.unwrap();
        let wanted = canonical(&mut conn, &newest).await.unwrap();
        assert_eq!(live.tables, wanted.tables, "{had:?}");
        assert!(
            lookback_migrate::check_database(&folder, &mut conn)
                .await
                .unwrap()
                .is_empty()
        );
        // sqlx's own runner finds nothing to do, and nothing wrong.
        let sqlx = sqlx::migrate::Migrator::new(folder.path()).await.unwrap();
        sqlx.run(&mut conn).await.unwrap();
    }
}

/// A database in which a regenerated migration was applied misses its file.
#[tokio::test]
async fn apply_where_regenerated_migration_was_applied_is_an_error() {
    let (repository, models) = conflicting_branches();
    let folder = repository.folder();
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    apply(&mut conn, &folder).await;
    let rebase = Rebase::plan(&folder, &[20261120110000]).unwrap();
    let options = GenerateOptions::default();
    rebase
        .generate(&folder, &models, &options, at("14:00"))
        .unwrap();
    let files = Migrations::folder(folder.path()).unwrap();
    let options = ApplyOptions::default();
    let error = lookback_migrate::apply(&mut conn, &files, &options, &mut |_| {})
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is applied, but has no file"),
        "{error}"
    );
}

async fn apply(conn: &mut PgConnection, folder: &Folder) {
    let files = Migrations::folder(folder.path()).unwrap();
    let options = ApplyOptions::default();
    lookback_migrate::apply(conn, &files, &options, &mut |_| {})
        .await
        .unwrap();
}
