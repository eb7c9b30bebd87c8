use std::cell::Cell;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use lookback_embedded::{Server, Stop, ThrowAway, quiet};

use crate::support::{
    Place, Starter, accepts, installation, is_stopped, kill_hard, names, psql, query, start, until,
};

// A server with this idle time ends 3 s to 4 s after its start. That is less than a busy machine
// may take to run a program, so no test counts on being in time: clients that have to be connected
// are there before the watch is, by a first start without one.
const IDLE: u64 = 2;

fn is_gone(place: &Place) -> bool {
    // Also not under the name it has while it is removed.
    names(place.folder.path())
        .iter()
        .all(|name| !name.starts_with("server"))
}

#[test]
fn an_idle_one_stops_itself_and_its_folder_is_gone() {
    let place = Place::new();
    let url = start(&place.throw_away(IDLE)).url();
    until("the folder is gone", || is_gone(&place));
    assert!(!psql(&url, "SELECT 1").output().unwrap().status.success());
}

#[test]
fn one_is_fast_and_takes_many_clients() {
    let place = Place::new();
    let server = place.throw_away(600);
    let settings = query(
        &start(&server).url(),
        "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit',
         'full_page_writes', 'max_connections', 'autovacuum') ORDER BY name",
    );
    let expected = "autovacuum|on\nfsync|off\nfull_page_writes|off\nmax_connections|300\n\
                    synchronous_commit|off";
    assert_eq!(settings, expected);
    server.stop(&quiet).unwrap();
}

#[test]
fn one_whose_starter_was_killed_ends_too() {
    let place = Place::new();
    let mut starter = Starter::new(&place, "url", Some(IDLE));
    starter.url();
    drop(starter); // killed
    until("the folder is gone", || is_gone(&place));
}

#[test]
fn one_that_was_killed_is_cleared_away_too() {
    let place = Place::new();
    let server = place.throw_away(IDLE);
    until("a server is killed before it ends by itself", || {
        kill_hard(start(&server).pid())
    });
    until("the folder is gone", || is_gone(&place));
}

#[test]
fn a_connected_client_keeps_it_going() {
    let place = Place::new();
    let url = place.start().url();
    // Until the watch, which connects to the database postgres, has looked twice as often as it
    // would have without this client.
    let looks = "DO $$
        DECLARE first int := (SELECT sessions FROM pg_stat_database WHERE datname = 'postgres');
        BEGIN
            WHILE (SELECT sessions FROM pg_stat_database WHERE datname = 'postgres') < first + 6
            LOOP
                PERFORM pg_sleep(0.2), pg_stat_clear_snapshot();
            END LOOP;
        END $$";
    let mut client = psql(&url, looks);
    client.env("PGOPTIONS", "-c statement_timeout=600s");
    let client = client
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the client is connected", || {
        let clients = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %'";
        query(&url, clients) == "1"
    });
    assert!(!start(&place.throw_away(IDLE)).started());
    let client = client.wait_with_output().unwrap();
    assert!(client.status.success(), "{client:?}");
    until("the folder is gone", || is_gone(&place));
}

/// Starts that arrive all around the moment when the server stops itself: every one gives a
/// server that accepts a connection.
#[test]
fn a_start_and_the_end_do_not_meet() {
    let place = Place::new();
    let server = place.throw_away(IDLE);
    let mut anew = 0;
    for step in 0..3 {
        anew += usize::from(start_and_connect(&server));
        // The watch decides after 3 s to 4 s.
        thread::sleep(Duration::from_millis(2900 + 400 * step));
    }
    println!("{anew} of 3 starts made a new server");
    until("the folder is gone", || is_gone(&place));
}

/// Starts the server and connects at once; whether it was started.
fn start_and_connect(server: &Server) -> bool {
    let installation = installation();
    for _ in 0..20 {
        // The idle time begins after the last event.
        let begun = Cell::new(Instant::now());
        let hear = |_: &_| begun.set(Instant::now());
        let running = server.start(installation, &hear).unwrap();
        if accepts(running.port()) {
            return running.started();
        }
        let late = begun.get().elapsed() >= Duration::from_secs(IDLE);
        assert!(late, "{running:?} is not there right after its start");
    }
    println!("this machine is too slow to connect within {IDLE} s");
    false
}

#[test]
fn a_kept_folder_can_be_started_again() {
    let place = Place::new();
    let server = place.server().throw_away(ThrowAway {
        idle: Duration::from_secs(IDLE),
        remove: false,
        ..ThrowAway::default()
    });
    query(
        &place.start().url(),
        "CREATE TABLE kept AS SELECT 42 AS answer",
    );
    assert!(!start(&server).started());
    until("it is stopped", || is_stopped(&server));
    // And has a watch again.
    start(&server);
    until("it is stopped again", || is_stopped(&server));
    let url = place.start().url();
    assert_eq!(query(&url, "SELECT answer FROM kept"), "42");
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
