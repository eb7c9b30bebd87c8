use std::fs;
use std::io::ErrorKind;
use std::process::Stdio;

use lookback_embedded::{Event, ServerStatus, StopOutcome, ignore_events, is_root};

use crate::support::{
    Starter, TestServer, installation, is_stopped, mode, names, psql, query, server_at, start,
    start_with_events, stderr,
};

#[test]
fn first_start_creates_the_server_and_second_finds_it() {
    let place = TestServer::new();
    let server = place.server();
    assert_eq!(server.status().unwrap(), ServerStatus::Stopped);
    let (first, events) = start_with_events(&server);
    let first = first.unwrap();
    assert!(first.was_started());
    // The first start on a machine may create the account, and one whose port another program
    // took first tries another.
    let mut steps: Vec<&Event> = events
        .iter()
        .filter(|event| !matches!(event, Event::CreatingUser { .. }))
        .collect();
    steps.dedup_by_key(|event| std::mem::discriminant(*event));
    assert!(
        matches!(
            steps[..],
            [Event::Initializing { .. }, Event::Starting { .. }]
        ),
        "{events:?}"
    );

    let (second, events) = start_with_events(&place.server());
    let second = second.unwrap();
    assert!(!second.was_started());
    assert_eq!(events, []);
    assert_eq!((first.url(), first.pid()), (second.url(), second.pid()));
    assert_eq!(server.status().unwrap(), ServerStatus::Running(second));

    let url = first.url();
    assert!(url.starts_with("postgres://lookback:"), "{url}");
    assert!(
        url.ends_with(&format!("@127.0.0.1:{}/lookback", first.port())),
        "{url}"
    );
    let secret = fs::read_to_string(place.base().join("password")).unwrap();
    assert!(url.contains(&secret));
    assert!(!format!("{first:?} {server:?}").contains(&secret));

    assert_eq!(
        names(place.base()),
        ["data", "lock", "password", "port", "server.log"]
    );
    assert_eq!(mode(&place.data()), 0o700);
    for private in ["password", "lock", "server.log"] {
        assert_eq!(mode(&place.base().join(private)), 0o600, "{private}");
    }
}

#[test]
fn new_database_meets_the_requirements() {
    let place = TestServer::new();
    let url = place.start().url();
    query(&url, "CREATE EXTENSION vector");
    query(&url, "CREATE EXTENSION pg_trgm");
    assert_eq!(
        query(&url, "SELECT '[1,2]'::vector <-> '[1,4]'::vector"),
        "2"
    );
    assert_eq!(query(&url, "SELECT similarity('look', 'look')"), "1");
    assert_eq!(
        query(&url, "SELECT current_user, current_database()"),
        "lookback|lookback"
    );
    assert_eq!(query(&url, "SHOW server_encoding"), "UTF8");
    // An older PostgreSQL depends on the system's locales for this.
    if installation().version().major() >= 17 {
        assert_eq!(query(&url, "SELECT upper('ä'), 'ä' ~ '\\w'"), "Ä|t");
    }
    assert_eq!(query(&url, "SHOW fsync"), "on");
    assert_eq!(query(&url, "SHOW unix_socket_directories"), "");
    assert_eq!(query(&url, "SHOW listen_addresses"), "127.0.0.1");
    assert_eq!(query(&url, "SHOW password_encryption"), "scram-sha-256");
    let methods = "SELECT DISTINCT auth_method FROM pg_hba_file_rules";
    assert_eq!(query(&url, methods), "scram-sha-256");

    let wrong = url.replace("postgres://lookback:", "postgres://lookback:x");
    let output = psql(&wrong, "SELECT 1").output().unwrap();
    assert!(
        stderr(&output).contains("password authentication failed"),
        "{output:?}"
    );
}

#[test]
fn restart_keeps_data_url_and_port() {
    let place = TestServer::new();
    let server = place.server();
    let mut before = start(&server);
    query(&before.url(), "CREATE TABLE kept AS SELECT 42 AS answer");
    for attempt in 1.. {
        assert_eq!(server.stop(&ignore_events).unwrap(), StopOutcome::Stopped);
        assert!(is_stopped(&server));
        assert_eq!(
            server.stop(&ignore_events).unwrap(),
            StopOutcome::NotRunning
        );

        let (after, events) = start_with_events(&server);
        let after = after.unwrap();
        assert!(after.was_started());
        assert_eq!(query(&after.url(), "SELECT answer FROM kept"), "42");
        // Another program may have taken the port meanwhile, but not every time.
        let moved = |event: &Event| matches!(event, Event::PortChanged { .. });
        if attempt == 10 || !events.iter().any(moved) {
            assert_eq!(after.url(), before.url());
            return;
        }
        before = after;
    }
}

#[test]
fn connected_client_does_not_delay_a_stop() {
    let place = TestServer::new();
    let server = place.server();
    let url = start(&server).url();
    let mut client = psql(&url, "SELECT pg_sleep(3600)");
    let mut client = client.stderr(Stdio::null()).spawn().unwrap();
    crate::support::until("the client is connected", || {
        query(
            &url,
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(3600)'",
        ) == "1"
    });
    assert_eq!(server.stop(&ignore_events).unwrap(), StopOutcome::Stopped);
    assert!(!client.wait().unwrap().success());
}

#[test]
fn stop_of_a_missing_server_creates_nothing() {
    let place = TestServer::new();
    assert_eq!(
        place.server().stop(&ignore_events).unwrap(),
        StopOutcome::NotRunning
    );
    assert!(!place.base().exists());
    assert_eq!(place.server().log_tail(5).unwrap(), "");
}

#[test]
fn concurrent_processes_share_one_server_that_outlives_them() {
    let place = TestServer::new();
    let mut starters = ["a", "b", "c"].map(|name| Starter::new(&place, name, None));
    let urls: Vec<String> = starters.iter_mut().map(Starter::url).collect();
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
    drop(starters); // killed
    assert_eq!(query(&urls[0], "SELECT 1"), "1");
    let log = place.server().log_tail(1000).unwrap();
    let ready = "database system is ready to accept connections";
    assert_eq!(log.matches(ready).count(), 1, "{log}");
    assert!(!place.start().was_started());
}

#[test]
fn concurrent_threads_share_one_server() {
    let place = TestServer::new();
    let urls: Vec<String> = std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(|| place.start()));
        threads.map(|thread| thread.join().unwrap().url()).into()
    });
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
}

#[test]
fn log_tail_returns_the_last_lines() {
    let place = TestServer::new();
    let server = place.server();
    let url = start(&server).url();
    query(&url, "DO $$ BEGIN RAISE LOG 'the last words'; END $$");
    // Two lines about the statement follow, and others of a busy server.
    let tail = server.log_tail(20).unwrap();
    assert!(tail.contains("LOG:  the last words"), "{tail}");
    assert_eq!(server.log_tail(3).unwrap().lines().count(), 3);
    assert_eq!(server.log_path(), place.base().join("server.log"));
}

#[test]
fn base_folder_with_spaces_and_quotes_works() {
    let folder = crate::support::open_folder();
    let base = folder.path().join("a b/it's");
    let server = server_at(&base);
    let url = start(&server).url();
    assert_eq!(query(&url, "SELECT 1"), "1");
    server.stop(&ignore_events).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn server_started_by_root_runs_without_privileges() {
    if !is_root() {
        println!("skipped: the caller is not root");
        return;
    }
    let place = TestServer::new();
    let running = place.start();
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let field = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert!(!field("Uid:").contains(&"0".to_owned()), "{status}");
    assert!(!field("Gid:").contains(&"0".to_owned()), "{status}");
    assert_eq!(field("Groups:"), Vec::<String>::new(), "{status}");
    assert_eq!(field("CapEff:"), ["0000000000000000"]);

    match fs::read(format!("/proc/{}/environ", running.pid())) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            println!("skipped: a root without CAP_SYS_PTRACE cannot read an environment");
        }
        environment => {
            let environment = String::from_utf8_lossy(&environment.unwrap()).into_owned();
            let home = format!("HOME={}", place.base().display());
            assert!(
                environment.split('\0').any(|entry| entry == home),
                "{environment}"
            );
            assert!(!environment.contains("CARGO"), "{environment}");
        }
    }

    use std::os::unix::fs::MetadataExt;
    let owner = |name: &str| fs::metadata(place.base().join(name)).unwrap().uid();
    assert_eq!((owner("password"), owner("lock"), owner("")), (0, 0, 0));
    assert_eq!(owner("data").to_string(), field("Uid:")[0]);
}
