//! `lookback pg`: the private PostgreSQL, which every command finds.

use std::path::{Path, PathBuf};

use crate::support::Lookback;

/// A private PostgreSQL for one test, stopped at its end.
///
/// It runs the same PostgreSQL programs as the other tests.
struct PrivateServer {
    lookback: Lookback,
    base: PathBuf,
}

impl PrivateServer {
    fn new() -> Self {
        let lookback = Lookback::with(None);
        // In a folder that the user who runs PostgreSQL for root can enter.
        let name = lookback.folder().file_name().unwrap().to_owned();
        let base = std::env::temp_dir().join(format!("lookback-cli-{}", name.display()));
        Self { lookback, base }
    }

    fn run(&self, arguments: &[&str]) -> crate::support::Ran {
        let all = self.arguments(arguments);
        self.lookback
            .run(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let (postgres, _) = testkit::installation();
        let base = self.base.to_str().unwrap();
        let of_server = ["--data-dir", base, "--pg-bin", postgres.to_str().unwrap()];
        let all = of_server.iter().chain(arguments);
        all.map(|argument| (*argument).to_owned()).collect()
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.run(&["pg", "stop"]);
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

#[test]
fn all_commands_share_one_server() {
    let private = PrivateServer::new();
    assert!(
        private
            .run(&["pg", "status"])
            .succeeded()
            .out
            .contains("state   stopped")
    );
    private.run(&["pg", "url"]).failed(1);
    assert!(
        private
            .run(&["pg", "stop"])
            .succeeded()
            .err
            .contains("was not running")
    );

    // The first command that needs a database starts the server, whose data outlives it.
    private.run(&["db", "migrate"]).succeeded();
    let url = private.run(&["pg", "url"]).succeeded().out;
    assert!(url.starts_with("postgres://lookback:"), "{url}");
    let again = private.run(&["pg", "start"]).succeeded();
    assert!(again.err.contains("running already"), "{again:?}");
    let status = private.run(&["pg", "status", "--json"]).succeeded().json();
    assert_eq!(status["data"]["state"], "running");
    let logs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/sample/logs.jsonl"
    );
    private.run(&["import", logs]).succeeded();
    private.run(&["pg", "stop"]).succeeded();
    assert_eq!(
        private.run(&["logs", "list", "--json"]).succeeded().json()["metadata"]["total"],
        500
    );
    assert_eq!(private.run(&["pg", "url"]).succeeded().out, url);
    assert!(
        private
            .run(&["pg", "logs", "-n", "5"])
            .succeeded()
            .out
            .contains("ready to accept connections")
    );
    assert!(Path::new(&private.base).exists());
}

/// Files of one call go on when it is started again.
#[cfg(unix)]
#[test]
fn server_that_was_stopped_stays_so_while_files_are_imported() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use crate::support::{DEADLINE, signal};

    const FILES: usize = 2_000;
    let private = PrivateServer::new();
    private.run(&["db", "migrate"]).succeeded();
    let folder = private.lookback.folder().join("logs");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..FILES {
        std::fs::write(
            folder.join(format!("{number}.log")),
            format!("line of {number}\n"),
        )
        .unwrap();
    }
    let err_path = private.lookback.folder().join("err.txt");
    let err = || std::fs::read_to_string(&err_path).unwrap_or_default();
    let start = || {
        let mut command = private.lookback.command(&[]);
        command.args(private.arguments(&["import", "logs"]));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(std::fs::File::create(&err_path).unwrap());
        command.spawn().unwrap()
    };
    let wait_for = |text: &str| {
        let deadline = Instant::now() + DEADLINE;
        while !err().contains(text) {
            assert!(Instant::now() < deadline, "never {text}: {}", err());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let is_stopped = || {
        let status = private.run(&["pg", "status", "--json"]).succeeded().json();
        status["data"]["state"] == "stopped"
    };
    let hint = "the private PostgreSQL was stopped; start it: lookback pg start";
    let mut import = start();
    wait_for(" 1 log line and 0 requests");
    private.run(&["pg", "stop"]).succeeded();
    wait_for(hint);
    std::thread::sleep(Duration::from_secs(2));
    assert!(is_stopped(), "{}", err());
    // A signal ends the wait.
    signal(&import, nix::sys::signal::Signal::SIGTERM);
    assert_eq!(import.wait().unwrap().code(), Some(130), "{}", err());
    private.run(&["pg", "start"]).succeeded();
    let mut import = start();
    wait_for(" 1 log line and 0 requests");
    private.run(&["pg", "stop"]).succeeded();
    wait_for(hint);
    assert!(is_stopped(), "{}", err());
    private.run(&["pg", "start"]).succeeded();
    assert_eq!(import.wait().unwrap().code(), Some(0), "{}", err());
    let url = private.run(&["pg", "url"]).succeeded().out;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found: (i64, i64) = runtime.block_on(async {
        use sqlx::Connection as _;
        let mut conn = sqlx::PgConnection::connect(url.trim()).await.unwrap();
        sqlx::query_as("SELECT count(*), count(DISTINCT message) FROM logs")
            .fetch_one(&mut conn)
            .await
            .unwrap()
    });
    assert_eq!(found, (FILES as i64, FILES as i64), "{}", err());
}

/// What waits for the private PostgreSQL does not undo `pg stop`.
#[cfg(unix)]
#[test]
fn server_that_was_stopped_stays_so_while_others_wait_for_it() {
    use std::io::Write as _;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use crate::support::{DEADLINE, signal};

    let private = PrivateServer::new();
    private.run(&["db", "migrate"]).succeeded();
    let start = |arguments: &[&str]| {
        let mut command = private.lookback.command(&[]);
        command.args(private.arguments(arguments));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let wait_for = |number: usize| {
        let deadline = Instant::now() + DEADLINE;
        let count = || {
            let listed = private.run(&["logs", "list", "--json"]).succeeded().json();
            listed["data"].as_array().unwrap().len()
        };
        while count() < number {
            assert!(Instant::now() < deadline, "never {number}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let mut stream = start(&["import", "-"]);
    let mut input = stream.stdin.take().unwrap();
    input.write_all(b"before\n").unwrap();
    let tail = start(&["logs", "tail"]);
    wait_for(1);
    private.run(&["pg", "stop"]).succeeded();
    input.write_all(b"meanwhile\n").unwrap();
    // Longer than several attempts to connect.
    std::thread::sleep(Duration::from_secs(3));
    let status = private.run(&["pg", "status", "--json"]).succeeded().json();
    assert_eq!(status["data"]["state"], "stopped");
    private.run(&["pg", "start"]).succeeded();
    wait_for(2);
    drop(input);
    let stream = stream.wait_with_output().unwrap();
    let err = String::from_utf8(stream.stderr).unwrap();
    assert_eq!(stream.status.code(), Some(0), "{err}");
    assert!(
        err.contains("hint: the private PostgreSQL was stopped; start it: lookback pg start"),
        "{err}"
    );
    signal(&tail, nix::sys::signal::Signal::SIGTERM);
    tail.wait_with_output().unwrap();
}

#[test]
fn pg_bin_without_programs_is_an_error() {
    let private = PrivateServer::new();
    let empty = private.lookback.folder().to_str().unwrap().to_owned();
    let ran = private.lookback.run(&[
        "--data-dir",
        private.base.to_str().unwrap(),
        "--pg-bin",
        &empty,
        "pg",
        "start",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains(&empty), "{ran:?}");
}
