use std::thread;
use std::time::Duration;

use lookback_embedded::{Stop, ThrowAway, quiet};

use crate::support::{Place, Starter, is_stopped, kill_hard, names, psql, query, start, until};

fn is_gone(place: &Place) -> bool {
    // Also not under the name it has while it is removed.
    names(place.folder.path())
        .iter()
        .all(|name| !name.starts_with("server"))
}

#[test]
fn an_idle_one_stops_itself_and_its_folder_is_gone() {
    let place = Place::new();
    let running = start(&place.throw_away(2));
    let url = running.url();
    for (setting, value) in [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("max_connections", "300"),
        ("autovacuum", "on"),
    ] {
        assert_eq!(query(&url, &format!("SHOW {setting}")), value, "{setting}");
    }
    until("the folder is gone", || is_gone(&place));
    assert!(!psql(&url, "SELECT 1").output().unwrap().status.success());
}

#[test]
fn one_whose_starter_was_killed_ends_too() {
    let place = Place::new();
    let starter = Starter::new(&place, "url", Some(2));
    starter.url();
    drop(starter); // killed
    until("the folder is gone", || is_gone(&place));
}

#[test]
fn one_that_was_killed_is_cleared_away_too() {
    let place = Place::new();
    let running = start(&place.throw_away(2));
    kill_hard(running.pid());
    until("the folder is gone", || is_gone(&place));
}

#[test]
fn a_connected_client_keeps_it_going() {
    let place = Place::new();
    let server = place.throw_away(2);
    let url = start(&server).url();
    let client = psql(&url, "SELECT pg_sleep(4); SELECT 'done'")
        .output()
        .unwrap();
    assert!(client.status.success(), "{client:?}");
    until("the folder is gone", || is_gone(&place));
}

/// Starts that arrive all around the moment when the server stops itself: every one gives a
/// server that accepts a connection.
#[test]
fn a_start_and_the_end_do_not_meet() {
    let place = Place::new();
    let server = place.throw_away(2);
    let mut anew = 0;
    for step in 0..3 {
        let running = start(&server);
        assert_eq!(query(&running.url(), "SELECT 1"), "1", "{step}");
        anew += usize::from(running.started());
        // The watch decides after 3 s to 4 s.
        thread::sleep(Duration::from_millis(2900 + 400 * step));
    }
    println!("{anew} of 3 starts made a new server");
    until("the folder is gone", || is_gone(&place));
}

#[test]
fn a_kept_folder_can_be_started_again() {
    let place = Place::new();
    let server = place.server().throw_away(ThrowAway {
        idle: Duration::from_secs(2),
        remove: false,
        ..ThrowAway::default()
    });
    let url = start(&server).url();
    query(&url, "CREATE TABLE kept AS SELECT 42 AS answer");
    until("it is stopped", || is_stopped(&server));
    // And has a watch again.
    let url = start(&server).url();
    assert_eq!(query(&url, "SELECT answer FROM kept"), "42");
    until("it is stopped again", || is_stopped(&server));
}

#[test]
fn a_stop_removes_it_at_once() {
    let place = Place::new();
    let server = place.throw_away(600);
    start(&server);
    assert_eq!(server.stop(&quiet).unwrap(), Stop::Stopped);
    assert!(is_gone(&place));
    assert_eq!(server.stop(&quiet).unwrap(), Stop::WasNotRunning);
}
