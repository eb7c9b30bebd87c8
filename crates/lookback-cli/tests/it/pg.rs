//! `lookback pg`: the private PostgreSQL, which every command finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{Connection as _, Row as _};

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
/// The settings that `pg status` shows, by name.
fn settings(private: &PrivateServer, options: &[&str]) -> BTreeMap<String, serde_json::Value> {
    let call = [&["pg", "status", "--json"], options].concat();
    let json = private.run(&call).succeeded().json();
    let settings = json["data"]["settings"].as_array().unwrap();
    settings
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone()))
        .collect()
}

#[tokio::test]
async fn status_shows_settings_with_their_origins() {
    let private = PrivateServer::new();
    assert_eq!(settings(&private, &[]).len(), 0, "it is stopped");
    private
        .lookback
        .write("lookback.toml", "[pg_settings]\nwork_mem = \"7MB\"\n");
    private.run(&["pg", "start"]).succeeded();
    let url = private.run(&["pg", "url"]).succeeded().out;
    let mut conn = sqlx::PgConnection::connect(url.trim()).await.unwrap();
    for sql in [
        "ALTER SYSTEM SET shared_buffers = '20MB'",
        "ALTER SYSTEM SET random_page_cost = 2",
        "SELECT pg_reload_conf()",
    ] {
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    }
    let is_reloaded = async |conn: &mut sqlx::PgConnection| {
        let row = sqlx::query("SELECT current_setting('random_page_cost') AS cost");
        row.fetch_one(conn).await.unwrap().get::<String, _>("cost") == "2"
    };
    while !is_reloaded(&mut conn).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let shown = settings(&private, &["--pg-setting", "max_parallel_workers=3"]);
    let row = |name: &str| {
        let one = &shown[name];
        format!("{} {} {}", one["value"], one["from"], one["at_next_start"])
    };
    assert_eq!(row("checkpoint_timeout"), r#""15min" "computed" null"#);
    assert_eq!(row("work_mem"), r#""7MB" "lookback.toml" null"#);
    assert_eq!(row("random_page_cost"), r#""2" "ALTER SYSTEM" null"#);
    assert_eq!(row("fsync"), r#""on" "default" null"#);
    // Neither restarts the server.
    let buffers = row("shared_buffers");
    assert!(buffers.ends_with(r#" "computed" "20MB""#), "{buffers}");
    assert!(row("max_parallel_workers").ends_with(r#" "computed" "3""#));
    let ran = private.run(&["pg", "status"]).succeeded();
    assert!(ran.out.contains("AT NEXT START"), "{ran:#?}");
    let hint = "hint: 1 setting waits for a restart: lookback pg stop, then lookback pg start";
    assert!(ran.err.contains(hint), "{ran:#?}");
    let given = ["pg", "start", "--pg-setting", "max_parallel_workers=3"];
    let ran = private.run(&given).succeeded();
    let hint = "hint: max_parallel_workers waits for a restart";
    assert!(ran.err.contains(hint), "{ran:#?}");

    // The doctor knows what is computed, and who has changed it.
    let ran = private.run(&["doctor", "--json"]).failed(1);
    let json = ran.json();
    let findings = json["data"]["findings"].as_array().unwrap();
    let found = |check: &str| findings.iter().filter(|one| one["check"] == check).count();
    let counts = ["migrations", "restart", "settings", "durability"].map(found);
    assert_eq!(counts, [1, 1, 0, 0], "{ran:#?}");
    private.run(&["db", "migrate"]).succeeded();
    private.run(&["doctor"]).succeeded();

    conn.close().await.unwrap();
    private.run(&["pg", "stop"]).succeeded();
    private.run(&given).succeeded();
    let shown = settings(&private, &[]);
    assert_eq!(shown["shared_buffers"]["value"], "20MB");
    assert_eq!(shown["shared_buffers"]["from"], "ALTER SYSTEM");
    assert_eq!(shown["max_parallel_workers"]["from"], "its start");
}

#[test]
fn refused_setting_of_the_server_is_named_with_its_origin() {
    let private = PrivateServer::new();
    private
        .lookback
        .write("lookback.toml", "[pg_settings]\nwork_mem = \"lots\"\n");
    let ran = private.run(&["pg", "start"]).failed(1);
    let error = "error: PostgreSQL refuses the setting work_mem: invalid value for parameter \
                 \"work_mem\": \"lots\"\n\
                 hint: correct work_mem in lookback.toml, or leave it out\n";
    assert!(ran.err.ends_with(error), "{ran:#?}");
    private
        .run(&["pg", "start", "--pg-setting", "work_mem=5MB"])
        .succeeded();
    private.run(&["pg", "stop"]).succeeded();
    private.lookback.write("lookback.toml", "");
    let altered = private.base.join("data/postgresql.auto.conf");
    std::fs::write(&altered, "work_mem = 'lots'\n").unwrap();
    let ran = private.run(&["pg", "start"]).failed(1);
    assert!(
        ran.err.contains("refuses the setting work_mem of "),
        "{ran:#?}"
    );
    let hint = "then run ALTER SYSTEM RESET work_mem";
    assert!(ran.err.contains(hint), "{ran:#?}");
}

#[test]
fn server_that_was_stopped_stays_so_while_files_are_imported() {
    use std::process::Stdio;
    use std::time::Instant;

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
    use std::time::Instant;

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
