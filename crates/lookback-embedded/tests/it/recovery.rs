use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use lookback_embedded::{Event, is_root, quiet};

use crate::support::{
    Another, Place, Starter, allow_in, dead_pid, is_stopped, kill_hard, query, start, start_heard,
    until, with_program,
};

/// A `postmaster.pid` as a server that was killed leaves it.
fn write_pid_file(data: &Path, pid: u32) {
    let text = format!(
        "{pid}\n{}\n1763862000\n5432\n\n127.0.0.1\n\nready   \n",
        data.display()
    );
    let file = data.join("postmaster.pid");
    fs::write(&file, text).unwrap();
    if is_root() {
        // It is the server's own, which reads it whatever the umask.
        let owner = fs::metadata(data).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed() {
    let place = Place::new();
    let server = place.server();
    let before = start(&server);
    query(&before.url(), "CREATE TABLE kept AS SELECT 42 AS answer");
    assert!(kill_hard(before.pid()));
    until("it is seen to be gone", || is_stopped(&server));

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
    let mut another = Another::new();
    write_pid_file(&place.data(), another.0.id());
    assert!(is_stopped(&server));
    server.stop(&quiet).unwrap();
    let (running, events) = start_heard(&server);
    assert!(running.unwrap().started());
    let file = place.data().join("postmaster.pid");
    assert!(
        events.contains(&Event::StalePidRemoved { file }),
        "{events:?}"
    );
    assert_eq!(another.0.try_wait().unwrap(), None);
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
    allow_in(place.base());
    fs::write(left.join("PG_VERSION"), "18\n").unwrap();
    fs::write(place.base().join("password"), "of the interrupted one").unwrap();
    let running = place.start();
    assert!(!left.exists());
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}

/// The real `initdb` of a start that was killed, at whatever it is doing, and perhaps done.
#[test]
fn a_start_after_one_that_was_killed_during_initdb_makes_the_database() {
    let place = Place::new();
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
fn an_orphaned_initdb_that_goes_on_is_ended() {
    let place = Place::new();
    // It ends with this test, should nobody end it.
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
    let command = command.unwrap_or_default(); // empty of a zombie
    assert!(!command.contains("initdb"), "{command}");
}
