use std::fs;
use std::path::Path;

use lookback_embedded::{Event, quiet};

use crate::support::{Place, Sleep, dead_pid, is_stopped, kill_hard, query, start, start_heard};

/// A `postmaster.pid` as a server that was killed leaves it.
fn write_pid_file(data: &Path, pid: u32) {
    let text = format!(
        "{pid}\n{}\n1763862000\n5432\n\n127.0.0.1\n\nready   \n",
        data.display()
    );
    fs::write(data.join("postmaster.pid"), text).unwrap();
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed() {
    let place = Place::new();
    let server = place.server();
    let before = start(&server);
    query(&before.url(), "CREATE TABLE kept AS SELECT 42 AS answer");
    kill_hard(before.pid());
    crate::support::until("it is seen to be gone", || is_stopped(&server));

    let after = start(&server);
    assert!(after.started());
    assert_ne!(after.pid(), before.pid());
    assert_eq!(query(&after.url(), "SELECT answer FROM kept"), "42");
}

#[test]
fn the_pid_of_a_process_that_is_gone_is_no_server() {
    let place = Place::new();
    let server = place.server();
    start(&server);
    server.stop(&quiet).unwrap();
    write_pid_file(&place.data(), dead_pid());
    assert!(is_stopped(&server));
    assert!(start(&server).started());
}

#[test]
fn the_pid_of_another_program_is_no_server_and_is_not_harmed() {
    let place = Place::new();
    let server = place.server();
    start(&server);
    server.stop(&quiet).unwrap();
    let mut sleep = Sleep::new();
    write_pid_file(&place.data(), sleep.0.id());
    assert!(is_stopped(&server));
    server.stop(&quiet).unwrap();
    let (running, events) = start_heard(&server);
    assert!(running.unwrap().started());
    let file = place.data().join("postmaster.pid");
    assert!(
        events.contains(&Event::StalePidRemoved { file }),
        "{events:?}"
    );
    assert_eq!(sleep.0.try_wait().unwrap(), None);
}

#[test]
fn an_empty_pid_file_is_no_server() {
    let place = Place::new();
    let server = place.server();
    start(&server);
    server.stop(&quiet).unwrap();
    fs::write(place.data().join("postmaster.pid"), "").unwrap();
    assert!(is_stopped(&server));
    assert!(start(&server).started());
}

#[test]
fn what_an_interrupted_initdb_left_is_cleared_away() {
    let place = Place::new();
    let left = place.base().join("data.new");
    fs::create_dir_all(left.join("base")).unwrap();
    fs::write(left.join("PG_VERSION"), "18\n").unwrap();
    fs::write(place.base().join("password"), "of the interrupted one").unwrap();
    let running = place.start();
    assert!(!left.exists());
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}
