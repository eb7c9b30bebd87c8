//! `import --follow` stores each line of files that grow once: through rotations, restarts, and
//! lost connections.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{self, DEADLINE, Lookback, transcript};

/// Lines with these numbers, in two formats.
fn numbered(numbers: std::ops::Range<i64>) -> String {
    numbers.fold(String::new(), |mut text, n| {
        if n % 3 == 0 {
            writeln!(text, "2026-01-31T12:00:00Z INFO line {n}").unwrap();
        } else {
            writeln!(text, "{{\"level\":30,\"msg\":\"line {n}\"}}").unwrap();
        }
        text
    })
}

/// How many different numbered lines are stored.
const LINES: &str = "SELECT count(DISTINCT substring(message FROM 'line (\\d+)')) FROM logs";
const ALL: &str = "SELECT count(*) FROM logs";

/// A running `import --follow`.
struct Follower {
    child: Child,
    err: std::path::PathBuf,
}

impl Follower {
    fn start(lookback: &Lookback, arguments: &[&str]) -> Self {
        Self::start_with(lookback, arguments, |_| {})
    }

    fn start_with(
        lookback: &Lookback,
        arguments: &[&str],
        set: impl FnOnce(&mut std::process::Command),
    ) -> Self {
        let err = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let err = err.keep().unwrap();
        let all: Vec<&str> = ["import", "--follow"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        let mut command = lookback.command(&all);
        set(&mut command);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self { child, err }
    }

    fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// Waits until it has printed this.
    async fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.err().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                Instant::now() < deadline && ended.is_none(),
                "never {text}: {}",
                self.err()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it by a signal; returns its exit code, and what it printed.
    fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        support::signal(&self.child, signal);
        let status = self.child.wait().unwrap();
        (status.code(), self.err())
    }

    /// Ends it by SIGTERM, which stores everything.
    #[track_caller]
    fn terminate(self) -> String {
        let (code, err) = self.end(Signal::SIGTERM);
        assert_eq!(code, Some(0), "{err}");
        err
    }

    /// Waits until it ends by itself.
    fn wait(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.err())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.err);
    }
}

fn append(lookback: &Lookback, name: &str, text: &str) {
    let path = lookback.folder().join(name);
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn rename(lookback: &Lookback, from: &str, to: &str) {
    fs::rename(lookback.folder().join(from), lookback.folder().join(to)).unwrap();
}

#[track_caller]
fn assert_each_once(found: (i64, i64), expected: i64, err: &str) {
    assert_eq!(found, (expected, expected), "all and different: {err}");
}

async fn counts(lookback: &Lookback) -> (i64, i64) {
    (lookback.number(ALL).await, lookback.number(LINES).await)
}

#[tokio::test]
async fn followed_file_is_stored_as_it_grows_and_goes_on_after_a_restart() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..10));
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 10).await;
    append(&lookback, "app.log", &numbered(10..11));
    lookback.wait_for(LINES, 11).await;
    // Half a line is no line yet.
    append(&lookback, "app.log", "2026-01-31T12:00:00Z INFO li");
    append(&lookback, "app.log", "ne 11\nline 12\n{\"msg\":");
    lookback.wait_for(LINES, 13).await;
    // What is there at the signal is stored.
    append(
        &lookback,
        "app.log",
        "\"line 13\"}\nline 14\n2026-01-31 line ",
    );
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 15, &err);

    let grown = lookback.run(&["import", "app.log"]).failed(1);
    assert!(grown.err.contains("has grown"), "{grown:#?}");
    append(&lookback, "app.log", "15\n");
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 16).await;
    append(&lookback, "app.log", &numbered(16..100));
    lookback.wait_for(LINES, 100).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 100, &err);
    assert!(err.contains("following it after line 15"), "{err}");
    let again = lookback.run(&["import", "app.log"]).succeeded();
    assert!(again.err.contains("already imported"), "{again:#?}");
    assert_eq!(lookback.number("SELECT count(*) FROM imports").await, 1);
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT source) FROM logs WHERE source = 'app'")
            .await,
        1
    );
}

#[tokio::test]
async fn followed_file_that_was_imported_before_goes_on_behind_it() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..50));
    lookback.run(&["import", "app.log"]).succeeded();
    append(&lookback, "app.log", &numbered(50..80));
    // Under another name, too.
    rename(&lookback, "app.log", "other.log");
    let follower = Follower::start(&lookback, &["other.log"]);
    lookback.wait_for(LINES, 80).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 80, &err);
}

/// Lines that two programs write are of both.
#[tokio::test]
async fn followed_files_that_begin_with_the_same_few_lines_are_each_stored() {
    let lookback = Lookback::new().await;
    for name in ["a.log", "b.log"] {
        lookback.write(name, "{\"msg\":\"started\"}\n");
        lookback.run(&["import", name]).succeeded();
    }
    lookback.write("c.log", "{\"msg\":\"started\"}\n");
    let follower = Follower::start(&lookback, &["c.log"]);
    lookback.wait_for(ALL, 3).await;
    let err = follower.terminate();
    assert_eq!(lookback.number(ALL).await, 3, "{err}");
}

#[tokio::test]
async fn rotated_file_is_read_to_its_end_before_the_new_one() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..10));
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 10).await;
    append(&lookback, "app.log", &numbered(10..20));
    rename(&lookback, "app.log", "app.log.1");
    append(&lookback, "app.log", &numbered(20..30));
    // The program still has the old file open.
    append(&lookback, "app.log.1", &numbered(30..40));
    lookback.wait_for(LINES, 40).await;
    // The new file begins like the old one, which makes it no copy.
    rename(&lookback, "app.log.1", "app.log.2");
    rename(&lookback, "app.log", "app.log.1");
    append(&lookback, "app.log", &numbered(20..30));
    lookback.wait_for(ALL, 50).await;
    // Renamed without a new file, which comes later.
    rename(&lookback, "app.log", "app.log-20260131");
    append(&lookback, "app.log-20260131", &numbered(40..45));
    lookback.wait_for(LINES, 45).await;
    append(&lookback, "app.log", &numbered(45..50));
    lookback.wait_for(LINES, 50).await;
    let err = follower.terminate();
    assert_eq!(counts(&lookback).await, (60, 50), "{err}");
    for rotated in ["app.log.1", "app.log.2", "app.log-20260131"] {
        let again = lookback.run(&["import", rotated]).succeeded();
        assert!(again.err.contains("already imported"), "{again:#?}");
    }
}

#[tokio::test]
async fn rotations_while_nothing_follows_lose_no_line() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..10));
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 10).await;
    follower.terminate();
    append(&lookback, "app.log", &numbered(10..20));
    rename(&lookback, "app.log", "app.log.2");
    append(&lookback, "app.log.1", &numbered(20..30));
    append(&lookback, "app.log", &numbered(30..40));
    // Another file of the folder is none of it.
    append(&lookback, "app.log.old", "not to be stored\n");
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 40).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 40, &err);
    let order = "SELECT count(*) FROM (SELECT substring(message FROM 'line (\\d+)')::int AS line, \
                 row_number() OVER (ORDER BY id) - 1 AS place FROM logs) AS logs WHERE line <> place";
    assert_eq!(lookback.number(order).await, 0, "{err}");

    // Compressed, and gone.
    append(&lookback, "app.log", &numbered(40..50));
    let bytes = lookback.read("app.log");
    let mut gzip = flate2::write::GzEncoder::new(
        File::create(lookback.folder().join("app.log.3.gz")).unwrap(),
        flate2::Compression::default(),
    );
    gzip.write_all(&bytes).unwrap();
    gzip.finish().unwrap();
    lookback.write("app.log", numbered(50..60));
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 60).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 60, &err);

    fs::remove_file(lookback.folder().join("app.log")).unwrap();
    lookback.write("app.log", numbered(60..61));
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 61).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 61, &err);
    assert!(err.contains("not there any more"), "{err}");
}

#[tokio::test]
async fn truncated_file_goes_on_from_its_start() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..20));
    let follower = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 20).await;
    // As `copytruncate` does it: the last lines are only in the copy.
    append(&lookback, "app.log", &numbered(20..23));
    fs::copy(
        lookback.folder().join("app.log"),
        lookback.folder().join("app.log.1"),
    )
    .unwrap();
    lookback.write("app.log", "");
    append(&lookback, "app.log", &numbered(23..25));
    lookback.wait_for(LINES, 25).await;
    // Truncated, and at once longer than before.
    lookback.write("app.log", numbered(25..100));
    lookback.wait_for(LINES, 100).await;
    // Truncated and renamed, before it is looked at again.
    lookback.write("app.log", numbered(100..110));
    rename(&lookback, "app.log", "app.log.2");
    append(&lookback, "app.log", &numbered(110..200));
    lookback.wait_for(LINES, 200).await;
    lookback.write("app.log", numbered(25..100));
    lookback.wait_for(ALL, 275).await;
    // Rewritten with the same length.
    let same_length = numbered(25..100).replace("line ", "LINE ");
    lookback.write("app.log", same_length);
    lookback
        .wait_for("SELECT count(*) FROM logs WHERE message LIKE '%LINE %'", 75)
        .await;
    let err = follower.terminate();
    assert_eq!(counts(&lookback).await, (350, 200), "{err}");
}

/// A user whom permissions bind: root reads everything.
#[cfg(target_os = "linux")]
fn as_other_user(lookback: &Lookback, command: &mut std::process::Command) {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;

    const NOBODY: u32 = 65_534;
    let owner = fs::metadata(lookback.folder()).unwrap().uid();
    if owner == 0 {
        std::os::unix::fs::chown(lookback.folder(), Some(NOBODY), None).unwrap();
    }
    if owner == 0 || owner == NOBODY {
        command.uid(NOBODY);
    }
}

#[cfg(target_os = "linux")]
fn permit(lookback: &Lookback, name: &str, mode: u32) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let path = lookback.folder().join(name);
    let owner = fs::metadata(lookback.folder()).unwrap().uid();
    std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn followed_file_without_permission_is_read_on_and_a_new_one_waited_for() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..3));
    let start = || Follower::start_with(&lookback, &["app.log"], |c| as_other_user(&lookback, c));
    let mut follower = start();
    lookback.wait_for(LINES, 3).await;
    // It is open.
    let mut file = OpenOptions::new()
        .append(true)
        .open(lookback.folder().join("app.log"))
        .unwrap();
    permit(&lookback, "app.log", 0o000);
    file.write_all(numbered(3..6).as_bytes()).unwrap();
    lookback.wait_for(LINES, 6).await;
    lookback.write("new.log", numbered(6..9));
    permit(&lookback, "new.log", 0o000);
    rename(&lookback, "app.log", "app.log.1");
    rename(&lookback, "new.log", "app.log");
    let refused = "app.log: cannot be read: Permission denied";
    follower.wait_for(&format!("warning: {refused}")).await;
    permit(&lookback, "app.log", 0o644);
    lookback.wait_for(LINES, 9).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 9, &err);
    // At the start, it is an error.
    permit(&lookback, "app.log", 0o000);
    let (code, err) = start().wait();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains(&format!("error: {refused}")), "{err}");
}

#[tokio::test]
async fn lines_of_a_file_that_is_deleted_while_it_is_read_are_stored() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..50_000));
    let mut file = OpenOptions::new()
        .append(true)
        .open(lookback.folder().join("app.log"))
        .unwrap();
    let follower = Follower::start(&lookback, &["app.log", "--batch", "100"]);
    lookback.wait_for(LINES, 1).await;
    fs::remove_file(lookback.folder().join("app.log")).unwrap();
    // A program may go on for a while.
    file.write_all(numbered(50_000..50_003).as_bytes()).unwrap();
    lookback.wait_for(LINES, 50_003).await;
    lookback.write("app.log", numbered(50_003..50_006));
    lookback.wait_for(LINES, 50_006).await;
    let err = follower.terminate();
    assert!(err.contains("app.log: was removed or renamed"), "{err}");
    assert_each_once(counts(&lookback).await, 50_006, &err);
}

#[tokio::test]
async fn file_that_is_not_there_is_waited_for() {
    let lookback = Lookback::new().await;
    let mut follower = Follower::start(&lookback, &["app.log"]);
    follower.wait_for("app.log: is not there yet").await;
    lookback.write("app.log", "");
    append(&lookback, "app.log", &numbered(0..1));
    lookback.wait_for(LINES, 1).await;
    fs::remove_file(lookback.folder().join("app.log")).unwrap();
    follower.wait_for("waiting for it").await;
    append(&lookback, "app.log", &numbered(1..3));
    lookback.wait_for(LINES, 3).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 3, &err);
    assert_eq!(err.matches("is not there yet").count(), 1, "{err}");
}

#[tokio::test]
async fn new_files_of_folders_and_patterns_are_followed() {
    let lookback = Lookback::new().await;
    fs::create_dir_all(lookback.folder().join("logs/web")).unwrap();
    fs::create_dir(lookback.folder().join("other")).unwrap();
    append(&lookback, "logs/app.log.1", "rotated before\n");
    // Files are ordered by their times, which are coarse.
    tokio::time::sleep(Duration::from_millis(50)).await;
    append(&lookback, "logs/app.log", &numbered(0..5));
    append(&lookback, "logs/data.csv", "a,b\n1,2\n");
    fs::write(lookback.folder().join("logs/bytes.log"), b"\x1f\x8b\0\0").unwrap();
    let mut follower = Follower::start(
        &lookback,
        &["logs", "other/*.log", "--rejects", "logs/rejects.log"],
    );
    lookback.wait_for(LINES, 5).await;
    append(&lookback, "logs/web/web.log", &numbered(5..10));
    append(&lookback, "other/b.log", &numbered(10..15));
    append(&lookback, "other/b.txt", "does not match\n");
    append(&lookback, "logs/app-2026-01-31.txt", &numbered(15..20));
    lookback.wait_for(LINES, 20).await;
    rename(&lookback, "logs/app.log", "logs/app.log.2");
    append(&lookback, "logs/app.log", &numbered(20..25));
    append(&lookback, "logs/web/web.log", &numbered(25..30));
    lookback.wait_for(LINES, 30).await;
    follower.wait_for("compressed by gzip").await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 30, &err);

    // A pattern that the shell has left.
    let ran = lookback.run(&["import", "other/*.log"]).succeeded();
    assert!(ran.err.contains("already imported"), "{ran:#?}");
    transcript!(lookback.run(&["import", "nowhere/*.log"]), @"
$ lookback import nowhere/*.log
! error: nowhere/*.log: matches no file
[exit code 1]
");
}

#[tokio::test]
async fn second_follower_of_a_file_ends_without_a_line_stored_twice() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", numbered(0..5));
    let mut first = Follower::start(&lookback, &["app.log"]);
    lookback.wait_for(LINES, 5).await;
    let mut second = Follower::start(&lookback, &["app.log"]);
    second.wait_for("following it after line 5").await;
    let mut number = 5;
    let deadline = Instant::now() + DEADLINE;
    let (loser, winner) = loop {
        append(&lookback, "app.log", &numbered(number..number + 1));
        number += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
        if first.child.try_wait().unwrap().is_some() {
            break (first, second);
        }
        if second.child.try_wait().unwrap().is_some() {
            break (second, first);
        }
        assert!(Instant::now() < deadline, "both follow");
    };
    let (code, err) = loser.wait();
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("another process is importing app.log"),
        "{err}"
    );
    lookback.wait_for(LINES, number).await;
    let err = winner.terminate();
    assert_each_once(counts(&lookback).await, number, &err);
}

#[tokio::test]
async fn invalid_line_ends_a_follower_only_if_asked_for() {
    let lookback = Lookback::new().await;
    let bad = "{\"level\":30,\"msg\":\"line 1\"}\n{\"level\":30,\"msg\":\n";
    lookback.write("app.log", format!("{}{bad}{bad}", numbered(0..1)));
    let call = ["app.log", "--kind", "logs", "--rejects", "bad.log"];
    let record = "{\"source\":\"s\",\"level\":\"info\",\"message\":\"line 1\"}\n";
    lookback.write("app.log", format!("{record}{{\"no\":\n"));
    let mut follower = Follower::start(&lookback, &call);
    follower.wait_for("app.log, line 2: ").await;
    append(&lookback, "app.log", &record.replace('1', "2"));
    lookback.wait_for(LINES, 2).await;
    follower.terminate();
    assert_eq!(lookback.read("bad.log"), b"{\"no\":\n");

    append(&lookback, "app.log", "{\"no\":\n");
    let mut call = call.to_vec();
    call.extend(["--on-error", "stop"]);
    let (code, err) = Follower::start(&lookback, &call).wait();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("app.log, line 4: "), "{err}");
}

#[tokio::test]
async fn stack_trace_is_one_record_of_a_followed_file() {
    let lookback = Lookback::new().await;
    let mut follower = Follower::start(&lookback, &["app.log"]);
    follower.wait_for("is not there yet").await;
    let trace = "2026-01-31T12:00:00Z ERROR line 0\n\tat a.b(C.java:1)\n\tat a.c(C.java:2)\n";
    append(&lookback, "app.log", trace);
    lookback.wait_for(LINES, 1).await;
    append(&lookback, "app.log", &trace.replace('0', "1"));
    lookback.wait_for(LINES, 2).await;
    let err = follower.terminate();
    assert_each_once(counts(&lookback).await, 2, &err);
}

#[tokio::test]
async fn what_cannot_be_followed_is_named() {
    let lookback = Lookback::new().await;
    let what = |call: &[&str]| {
        let ran = lookback.run(call).failed(2);
        let first = ran.err.lines().next().unwrap().to_owned();
        assert!(ran.err.contains("\nhint: "), "{ran:#?}");
        first
    };
    lookback.write("a.csv", "message\nx\n");
    lookback.write("app.log", b"\x1f\x8b\x08\0");
    let problems = [
        what(&["import", "--follow", "a.csv"]),
        what(&["import", "-F", "app.log"]),
        what(&["import", "--follow", "not-there.log.gz"]),
        what(&["import", "--follow", "-"]),
        what(&["import", "--follow", "--format", "parquet", "b.log"]),
        what(&["import", "--follow", "/dev/null"]),
        what(&["import", "--follow", "logs/[.log"]),
    ];
    insta::assert_snapshot!(problems.join("\n"), @"
error: a.csv is CSV: --follow reads lines of text or JSON in UTF-8
error: app.log is compressed by gzip: --follow reads lines of text or JSON in UTF-8
error: not-there.log.gz is compressed: --follow reads lines of text or JSON in UTF-8
error: --follow: is of files; standard input is followed without it
error: --follow: reads lines: text, or JSON; not CSV and Parquet
error: /dev/null is no regular file: --follow is of files
error: logs/[.log: is no pattern of files: Pattern syntax error near position 5: invalid range pattern
");
    assert_eq!(lookback.number("SELECT count(*) FROM imports").await, 0);
}
