use std::cell::Cell;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use lookback_embedded::{EphemeralOptions, Server, StopOutcome, ignore_events};

use crate::support::{
    Starter, TestServer, accepts, installation, is_stopped, kill, names, psql, query, start, until,
};

// A server with this idle timeout ends 3 s to 4 s after its start. That is less than a busy machine
// may take to run a program, so no test depends on being in time: clients that have to be connected
// connect before the watchdog starts, after a first start without one.
const IDLE: u64 = 2;

fn is_removed(place: &TestServer) -> bool {
    // The folder has another name, with the same start, while it is removed.
    names(place.folder.path())
        .iter()
        .all(|name| !name.starts_with("server"))
}

#[test]
fn idle_server_stops_and_removes_its_folder() {
    let place = TestServer::new();
    let url = start(&place.ephemeral(IDLE)).url();
    until("the folder is gone", || is_removed(&place));
    assert!(!psql(&url, "SELECT 1").output().unwrap().status.success());
}

#[test]
fn ephemeral_server_is_not_durable_and_takes_many_clients() {
    let place = TestServer::new();
    let server = place.ephemeral(600);
    let settings = query(
        &start(&server).url(),
        "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit',
         'full_page_writes', 'max_connections', 'autovacuum') ORDER BY name",
    );
    let expected = "autovacuum|on\nfsync|off\nfull_page_writes|off\nmax_connections|300\n\
                    synchronous_commit|off";
    assert_eq!(settings, expected);
    server.stop(&ignore_events).unwrap();
}

#[test]
fn server_of_a_killed_starter_stops() {
    let place = TestServer::new();
    let mut starter = Starter::new(&place, "url", Some(IDLE));
    starter.url();
    drop(starter); // killed
    until("the folder is gone", || is_removed(&place));
}

#[test]
fn folder_of_a_killed_server_is_removed() {
    let place = TestServer::new();
    let server = place.ephemeral(IDLE);
    until("a server is killed before it ends by itself", || {
        kill(start(&server).pid())
    });
    until("the folder is gone", || is_removed(&place));
}

#[test]
fn connected_client_keeps_the_server_running() {
    let place = TestServer::new();
    let url = place.start().url();
    // Runs until the watchdog, which connects to the database postgres, has checked twice as often
    // as it would without this client.
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
    assert!(!start(&place.ephemeral(IDLE)).was_started());
    let client = client.wait_with_output().unwrap();
    assert!(client.status.success(), "{client:?}");
    until("the folder is gone", || is_removed(&place));
}

/// Starts around the moment when the server stops itself return a server that accepts connections.
#[test]
fn start_during_an_idle_stop_gives_a_running_server() {
    let place = TestServer::new();
    let server = place.ephemeral(IDLE);
    let mut restarts = 0;
    for step in 0..3 {
        restarts += usize::from(start_and_connect(&server));
        // The watchdog decides after 3 s to 4 s.
        thread::sleep(Duration::from_millis(2900 + 400 * step));
    }
    println!("{restarts} of 3 starts started a new server");
    until("the folder is gone", || is_removed(&place));
}

/// Starts the server and connects at once; returns whether it was started.
fn start_and_connect(server: &Server) -> bool {
    let installation = installation();
    for _ in 0..20 {
        // The idle timeout begins after the last event.
        let started_at = Cell::new(Instant::now());
        let record = |_: &_| started_at.set(Instant::now());
        let running = server.start(installation, &record).unwrap();
        if accepts(running.port()) {
            return running.was_started();
        }
        let late = started_at.get().elapsed() >= Duration::from_secs(IDLE);
        assert!(
            late,
            "{running:?} does not accept connections right after its start"
        );
    }
    println!("this machine is too slow to connect within {IDLE} s");
    false
}

#[test]
fn server_with_a_kept_folder_can_be_restarted() {
    let place = TestServer::new();
    let server = place.server().ephemeral(
        EphemeralOptions::default()
            .idle_timeout(Duration::from_secs(IDLE))
            .remove_on_stop(false),
    );
    query(
        &place.start().url(),
        "CREATE TABLE kept AS SELECT 42 AS answer",
    );
    assert!(!start(&server).was_started());
    until("it is stopped", || is_stopped(&server));
    // It has a watchdog again.
    start(&server);
    until("it is stopped again", || is_stopped(&server));
    let url = place.start().url();
    assert_eq!(query(&url, "SELECT answer FROM kept"), "42");
}

#[test]
fn stop_removes_the_folder_at_once() {
    let place = TestServer::new();
    let server = place.ephemeral(600);
    start(&server);
    assert_eq!(server.stop(&ignore_events).unwrap(), StopOutcome::Stopped);
    assert!(is_removed(&place));
    assert_eq!(
        server.stop(&ignore_events).unwrap(),
        StopOutcome::NotRunning
    );
}
