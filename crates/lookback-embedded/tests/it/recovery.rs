use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use lookback_embedded::{Event, ignore_events, is_root};

use crate::support::{
    Another, Starter, TestServer, allow_in, dead_pid, is_stopped, kill, query, start,
    start_with_events, until, with_program,
};

/// Writes a `postmaster.pid` like that of a server that was killed.
fn write_pid_file(data: &Path, pid: u32) {
    let text = format!(
        "{pid}\n{}\n1763862000\n5432\n\n127.0.0.1\n\nready   \n",
        data.display()
    );
    let file = data.join("postmaster.pid");
    fs::write(&file, text).unwrap();
    if is_root() {
        // The server's account owns it and can read it, whatever the umask.
        let owner = fs::metadata(data).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

#[test]
fn killed_server_restarts_with_its_commits() {
    let place = TestServer::new();
    let server = place.server();
    let before = start(&server);
    query(&before.url(), "CREATE TABLE kept AS SELECT 42 AS answer");
    assert!(kill(before.pid()));
    until("its status is stopped", || is_stopped(&server));

    let after = start(&server);
    assert!(after.was_started());
    assert_ne!(after.pid(), before.pid());
    assert_eq!(query(&after.url(), "SELECT answer FROM kept"), "42");
}

#[test]
fn pid_file_of_a_dead_process_is_not_a_server() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    write_pid_file(&place.data(), dead_pid());
    assert!(is_stopped(&server));
    assert!(start(&server).was_started());
}

#[test]
fn pid_file_of_another_program_is_removed_and_the_program_kept() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    let mut another = Another::new();
    write_pid_file(&place.data(), another.0.id());
    assert!(is_stopped(&server));
    server.stop(&ignore_events).unwrap();
    let (running, events) = start_with_events(&server);
    assert!(running.unwrap().was_started());
    let file = place.data().join("postmaster.pid");
    assert!(
        events.contains(&Event::StalePidRemoved { file }),
        "{events:?}"
    );
    assert_eq!(another.0.try_wait().unwrap(), None);
}

#[test]
fn empty_pid_file_is_not_a_server() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    fs::write(place.data().join("postmaster.pid"), "").unwrap();
    assert!(is_stopped(&server));
    assert!(start(&server).was_started());
}

#[test]
fn leftovers_of_an_interrupted_initdb_are_removed() {
    let place = TestServer::new();
    let left = place.base().join("data.new");
    fs::create_dir_all(left.join("base")).unwrap();
    allow_in(place.base());
    fs::write(left.join("PG_VERSION"), "18\n").unwrap();
    fs::write(place.base().join("password"), "of the interrupted one").unwrap();
    let running = place.start();
    assert!(!left.exists());
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}

/// The real `initdb` of a start that was killed, at any of its steps, or complete.
#[test]
fn start_after_a_killed_initdb_creates_the_database() {
    let place = TestServer::new();
    let starter = Starter::new(&place, "url", None);
    until("initdb is at work", || {
        place.base().join("data.new/base").exists() || place.data().exists()
    });
    drop(starter); // killed
    let running = place.start();
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
    assert!(!place.base().join("data.new").exists());
}

#[test]
fn orphaned_initdb_is_killed() {
    let place = TestServer::new();
    // The script ends with this test at the latest.
    let endless = "mkdir \"$2/base\"; echo $$ >\"$2/new\"; mv \"$2/new\" \"$2/pid\"
        while [ -e \"$0\" ]; do mkdir \"$2/base/1\"; rmdir \"$2/base/1\"; done";
    let endless = with_program(place.folder.path(), "initdb", endless);
    let starter = Starter::with(&endless, &place, "url", None);
    let new = place.base().join("data.new");
    until("initdb is at work", || new.join("pid").exists());
    let orphan = fs::read_to_string(new.join("pid")).unwrap();
    drop(starter); // killed

    let running = place.start();
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
    assert!(!new.exists());
    let command = fs::read_to_string(format!("/proc/{}/cmdline", orphan.trim()));
    let command = command.unwrap_or_default(); // empty for a zombie
    assert!(!command.contains("initdb"), "{command}");
}
