//! The commands of the README and of the guide do what the pages say: each block of them runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output, Stdio};

use testkit::page::{page, root};

use crate::protobuf;
use crate::support::Lookback;

/// Pages with blocks of commands, each with the number of its blocks that a test here runs.
const PAGES: [(&str, usize); 7] = [
    ("README.md", 1),
    ("docs/guide/alerts.md", 1),
    ("docs/guide/capture.md", 1),
    ("docs/guide/export.md", 2),
    ("docs/guide/import.md", 6),
    ("docs/guide/search.md", 4),
    ("docs/guide/storage.md", 2),
];

/// Blocks that no test here runs, by their first line, and why.
const NOT_RUN: [(&str, &str, &str); 16] = [
    (
        "README.md",
        "make up ",
        "it builds the program and starts a server: CI runs both",
    ),
    (
        "docs/guide/doctor.md",
        "lookback doctor",
        "doctor.rs and pg.rs: it fails on the server of the tests, which is not durable",
    ),
    (
        "docs/guide/embedded-postgres.md",
        "lookback pg start ",
        "pg.rs and config.rs: it starts a private server",
    ),
    (
        "docs/guide/queries.md",
        "lookback logs list --match",
        "records.rs",
    ),
    (
        "docs/guide/migrations.md",
        "lookback db pull ",
        "pull.rs: it writes models",
    ),
    (
        "docs/guide/migrations.md",
        "cargo run --bin db",
        "push.rs and migrate.rs, for the models of an application",
    ),
    (
        "docs/guide/migrations.md",
        "lookback db generate --rebase",
        "rebase.rs: it needs two branches",
    ),
    (
        "docs/guide/scale.md",
        "lookback storage distribute",
        "it needs a cluster of Citus: make test-citus",
    ),
    (
        "docs/guide/scale.md",
        "lookback storage status",
        "it needs a cluster of Citus: make test-citus",
    ),
    (
        "docs/guide/import.md",
        "lookback import --follow ",
        "follow.rs: it runs until it is interrupted",
    ),
    (
        "docs/guide/replay.md",
        "lookback replay stage",
        "replay.rs: it needs a server to send to",
    ),
    (
        "docs/guide/queries.md",
        "lookback logs tail ",
        "tail.rs: it runs until it is interrupted",
    ),
    (
        "examples/shop/README.md",
        "cd examples/shop",
        "the tests of examples/shop",
    ),
    (
        "examples/shop/README.md",
        "cargo db generate",
        "the tests of examples/shop",
    ),
    ("docs/releasing.md", "git tag", "it publishes a release"),
    (
        "docs/guide/migrations.md",
        "sqlx migrate",
        "it needs another program",
    ),
];

/// The blocks of a page in these languages, without their fences.
fn blocks(page: &str, languages: &[&str]) -> Vec<String> {
    let of_page = testkit::page::blocks(page).into_iter();
    of_page
        .filter(|block| languages.contains(&block.language.as_str()))
        .map(|block| block.text)
        .collect()
}

/// The commands of a block: those after a `$` of a transcript, or all lines.
fn commands(block: &str) -> String {
    if block.lines().any(|line| line.starts_with("$ ")) {
        let typed = block.lines().filter_map(|line| line.strip_prefix("$ "));
        typed.map(|line| format!("{line}\n")).collect()
    } else {
        block.to_owned()
    }
}

/// The pages that say what a user types.
pub(crate) fn pages() -> Vec<String> {
    let guide = fs::read_dir(root().join("docs/guide")).unwrap();
    let mut names: Vec<String> = guide
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| format!("docs/guide/{name}"))
        .collect();
    names.sort();
    names.extend(["README.md", "examples/shop/README.md", "docs/releasing.md"].map(str::to_owned));
    names
}

fn is_not_run(page: &str, block: &str) -> bool {
    NOT_RUN
        .iter()
        .any(|(of, start, _)| *of == page && commands(block).starts_with(start))
}

/// Every block of commands is run here, or listed with the reason why it is not.
#[test]
fn each_block_of_commands_is_run_or_says_why_not() {
    let mut unknown = String::new();
    for name in pages() {
        let page = page(&name);
        let blocks = blocks(&page, &["sh", "console", "bash"]);
        let run = blocks
            .iter()
            .filter(|block| !is_not_run(&name, block))
            .count();
        let expected = PAGES
            .iter()
            .find(|(page, _)| *page == name)
            .map_or(0, |(_, count)| *count);
        if run != expected {
            writeln!(unknown, "{name}: {run} blocks to run, {expected} expected").unwrap();
        }
    }
    assert_eq!(unknown, "");
}

/// A shell in which the program is `lookback`, and other programs of the pages print what they
/// would.
pub(crate) struct Shell {
    pub(crate) lookback: Lookback,
    /// Another database, `$OTHER_DATABASE_URL`.
    other: Option<testkit::Database>,
}

impl Shell {
    pub(crate) fn new(lookback: Lookback) -> Self {
        let bin = lookback.folder().join("bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lookback"), bin.join("lookback")).unwrap();
        let shell = Self {
            lookback,
            other: None,
        };
        let line = "{\"source\": \"API\", \"level\": \"info\", \"message\": \"from the cluster\"}";
        shell.program("kubectl", &format!("echo '{line}'"));
        for (program, line) in [
            ("docker", "2026/01/02 03:04:05 listening on :8080"),
            (
                "journalctl",
                "{\"__REALTIME_TIMESTAMP\":\"1767323045000000\",\"PRIORITY\":\"6\",\"MESSAGE\":\"ready\"}",
            ),
            ("heroku", "2026-01-02T03:04:05+00:00 app[web.1]: ready"),
            (
                "aws",
                "{\n    \"events\": [\n        {\n            \"logStreamName\": \"web/1\",\n            \
                 \"timestamp\": 1767323045000,\n            \"message\": \"from CloudWatch\",\n            \
                 \"ingestionTime\": 1767323046000,\n            \"eventId\": \"1\"\n        }\n    ],\n    \
                 \"searchedLogStreams\": []\n}",
            ),
        ] {
            shell.program(program, &format!("echo '{line}'"));
        }
        shell
    }

    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;

        let path = self
            .lookback
            .write(&format!("bin/{name}"), format!("#!/bin/bash\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn output(&self, script: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        let bin = self.lookback.folder().join("bin");
        let mut command = Command::new("bash");
        command
            .args(["--norc", "-euo", "pipefail", "-c", script])
            .current_dir(self.lookback.folder())
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.lookback.folder())
            .env("DATABASE_URL", &self.lookback.db.as_ref().unwrap().url)
            .env_remove("COLUMNS")
            .stdin(Stdio::null());
        if let Some(other) = &self.other {
            command.env("OTHER_DATABASE_URL", &other.url);
        }
        command.output().unwrap()
    }

    /// Runs a block; each of its commands must succeed.
    fn run(&self, page: &str, block: &str) -> String {
        let script = commands(block);
        let output = self.output(&script);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{page}:\n{script}\n{err}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command prints on a terminal, whether it succeeds or not.
    pub(crate) fn printed(&self, command: &str) -> String {
        let output = self.output(&format!("{{ {command}; }} 2>&1"));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs all blocks of a page that are not excluded.
    fn run_page(&self, name: &str) {
        let page = page(name);
        for block in blocks(&page, &["sh", "console", "bash"]) {
            if !is_not_run(name, &block) {
                self.run(name, &block);
            }
        }
    }
}

/// Log lines of a program, an hour long.
fn app_log(lines: usize) -> String {
    let mut text = String::new();
    for number in 1..=lines {
        let (level, message) = match number % 10 {
            0 => ("error", "connection refused by the database"),
            1 => ("warn", "payment gateway timeout"),
            _ => ("info", "GET /orders answered 200"),
        };
        writeln!(
            text,
            "{{\"source\": \"API\", \"level\": \"{level}\", \"message\": \"{message}\", \
             \"created_at\": \"2026-01-01T09:{:02}:{:02}Z\"}}",
            number / 60 % 60,
            number % 60
        )
        .unwrap();
    }
    text
}

#[tokio::test]
async fn commands_of_the_readme_run() {
    let shell = Shell::new(Lookback::with(Some(testkit::empty_database().await)));
    shell.lookback.write("app.jsonl", app_log(60));
    shell.run_page("README.md");
    assert_eq!(shell.lookback.number("SELECT count(*) FROM logs").await, 60);
}

#[tokio::test]
async fn commands_of_the_guide_run() {
    let mut shell = Shell::new(Lookback::new().await);
    shell.other = Some(testkit::database().await);
    let lookback = &shell.lookback;
    lookback.write("app.jsonl", app_log(5_000));
    lookback.write("app.log", "{\"level\":30,\"msg\":\"of pino\"}\n");
    let line = "192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] \"GET / HTTP/1.1\" 200 5\n";
    lookback.write("access.log", line);
    lookback.write(
        "browser.har",
        "{\"log\": {\"entries\": [{\"startedDateTime\": \"2026-01-02T03:04:05Z\", \
         \"request\": {\"method\": \"GET\", \"url\": \"https://shop.example/\"}, \
         \"response\": {\"status\": 200}}]}}",
    );
    lookback.write(
        "own.log",
        "{\"what\":\"own names\",\"at\":{\"when\":1761234567890},\"sev\":\"warn\",\"svc\":\"shop\"}\n",
    );
    protobuf::write_samples(lookback);
    let zipped = shell.output("head -5 app.jsonl | sed s/answered/zipped/ | gzip > app.jsonl.gz");
    assert!(zipped.status.success(), "{zipped:?}");
    for page in [
        "docs/guide/import.md",
        "docs/guide/search.md",
        "docs/guide/export.md",
        "docs/guide/capture.md",
        "docs/guide/alerts.md",
    ] {
        shell.run_page(page);
    }
    let from_cloud = "SELECT count(DISTINCT message) FROM logs WHERE message = 'from CloudWatch'";
    assert_eq!(shell.lookback.number(from_cloud).await, 1);
    for file in ["logs.parquet", "requests.jsonl.gz"] {
        assert!(lookback.folder().join(file).exists(), "{file}");
    }
}

/// systemd accepts the unit of the page, and its command follows.
#[tokio::test]
async fn unit_that_follows_is_accepted_by_systemd() {
    let page = page("docs/guide/import.md");
    let unit = &blocks(&page, &["ini"])[0];
    let lookback = Lookback::new().await;
    let program = env!("CARGO_BIN_EXE_lookback");
    let unit = unit.replace("/usr/local/bin/lookback", program);
    let path = lookback.write("lookback-follow.service", &unit);
    // Not every system has it.
    let checked = Command::new("systemd-analyze")
        .arg("verify")
        .arg(path)
        .output();
    if let Ok(checked) = checked {
        let err = String::from_utf8_lossy(&checked.stderr);
        assert!(!err.contains("lookback-follow"), "{err}");
    }
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let mut words: Vec<&str> = start.unwrap().split(' ').skip(1).collect();
    assert_eq!(words.pop(), Some("/var/log/shop"));
    words.push("-");
    // All of its options are known, and a follower needs files.
    let ran = lookback.run(&words).failed(2);
    assert!(ran.err.contains("--follow: is of files"), "{ran:#?}");
}

/// The values of a transcript that differ from run to run.
fn masked(text: &str) -> Vec<String> {
    let is_size = |word: &str| word.chars().any(|c| c.is_ascii_digit()) || word == "-";
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mut shown = Vec::new();
            for (place, word) in words.iter().enumerate() {
                // Sizes depend on the version of PostgreSQL.
                let unit = words.get(place + 1).copied().unwrap_or_default();
                if is_size(word) && ["B", "kB", "MB"].contains(&unit) {
                    shown.push("[size]");
                } else if !["B", "kB", "MB"].contains(word) {
                    shown.push(word);
                }
            }
            shown.join(" ")
        })
        .collect()
}

/// The transcript of the page on storage is what the commands print.
#[tokio::test]
async fn transcript_of_storage_is_true() {
    let shell = Shell::new(crate::storage::filled().await);
    let page = page("docs/guide/storage.md");
    let blocks = blocks(&page, &["console"]);
    let block = &blocks[0];
    let mut printed = String::new();
    for command in commands(block).lines() {
        writeln!(printed, "$ {command}").unwrap();
        // Notes are printed after the data.
        let output = shell.output(command);
        printed.push_str(&String::from_utf8_lossy(&output.stdout));
        printed.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    // The test data is of a year that every retention policy has passed.
    assert_eq!(masked(&printed.replace("2001-", "2026-")), masked(block));
}

/// Old records are exported, pruned and imported again, as the page on storage says.
#[tokio::test]
async fn old_records_come_back_from_a_file() {
    let shell = Shell::new(Lookback::new().await);
    let lines = |ids: &str, age: &str, deleted: &str| {
        format!(
            "INSERT INTO logs (source, level, message, created_at, updated_at, deleted_at) \
             SELECT 'API', 'info', 'line ' || n, now() - interval '{age}', now(), {deleted} \
             FROM generate_series({ids}) AS n"
        )
    };
    for sql in [
        lines("1, 300", "200 days", "NULL"),
        lines("301, 320", "100 days", "now()"),
        lines("321, 350", "10 days", "NULL"),
    ] {
        shell.lookback.execute(&sql).await;
    }
    let all = || {
        let output = shell.output("lookback logs export --deleted with");
        String::from_utf8(output.stdout).unwrap()
    };
    let before = all();
    assert_eq!(before.lines().count(), 350);
    let page = page("docs/guide/storage.md");
    let blocks = blocks(&page, &["sh"]);
    let [block] = blocks.as_slice() else {
        panic!("{blocks:?}");
    };
    let (pruned, imported) = block.split_at(block.find("lookback import").unwrap());
    shell.run("docs/guide/storage.md", pruned);
    assert_eq!(all().lines().count(), 30);
    shell.run("docs/guide/storage.md", imported);
    assert_eq!(all(), before);
}

/// Each command that a page or the help of another one names exists.
#[test]
fn commands_that_pages_name_exist() {
    let lookback = Lookback::with(None);
    let mut named = BTreeSet::new();
    for name in pages() {
        let page = page(&name);
        for part in page.split("lookback ").skip(1) {
            let is_of_words = |c: char| c.is_ascii_lowercase() || c == ' ' || c == '-';
            let end = part.find(|c| !is_of_words(c)).unwrap_or(part.len());
            let words: Vec<&str> = part[..end].split(' ').take(2).collect();
            if let [
                group @ ("logs" | "requests" | "metrics" | "users" | "db" | "storage" | "pg"),
                command,
            ] = words.as_slice()
                && !command.is_empty()
                && command.chars().all(|c| c.is_ascii_lowercase())
            {
                named.insert(format!("{group} {command}"));
            }
        }
    }
    assert!(named.len() > 10, "{named:?}");
    for call in named {
        let mut words: Vec<&str> = call.split(' ').collect();
        words.push("--help");
        lookback.run(&words).succeeded();
    }
}
