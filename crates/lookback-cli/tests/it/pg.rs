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
        let (postgres, _) = testkit::installation();
        let mut all = vec![
            "--data-dir",
            self.base.to_str().unwrap(),
            "--pg-bin",
            postgres.to_str().unwrap(),
        ];
        all.extend_from_slice(arguments);
        self.lookback.run(&all)
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
