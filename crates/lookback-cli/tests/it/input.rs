//! Inputs of an import, and the names that identify them later.

#![cfg(unix)]

use std::fs::File;
use std::process::{Command, Stdio};
use std::thread;

use crate::support::{Lookback, transcript};

/// Distinct log lines.
fn lines(range: std::ops::Range<u32>) -> String {
    range
        .map(|n| format!("{{\"source\": \"s\", \"level\": \"info\", \"message\": \"line {n}\"}}\n"))
        .collect()
}

#[tokio::test]
async fn rejects_file_that_is_the_input_is_a_usage_error() {
    let lookback = Lookback::new().await;
    let text = lines(0..2) + "not JSON\n";
    let path = lookback.write("logs.jsonl", &text);
    std::os::unix::fs::symlink(&path, lookback.folder().join("symbolic")).unwrap();
    std::fs::hard_link(&path, lookback.folder().join("hard")).unwrap();
    let call = ["import", "logs.jsonl", "--on-error", "skip", "--rejects"];
    transcript!(lookback.run(&[&call[..], &["./logs.jsonl"]].concat()), @"
$ lookback import logs.jsonl --on-error skip --rejects ./logs.jsonl
! error: --rejects: must not be the input itself, ./logs.jsonl
[exit code 2]
");
    for name in ["symbolic", "hard"] {
        lookback.run(&[&call[..], &[name]].concat()).failed(2);
    }
    let piped = lookback
        .command(&["import", "-", "--on-error", "skip", "--rejects", "hard"])
        .stdin(File::open(&path).unwrap())
        .output()
        .unwrap();
    assert_eq!(piped.status.code(), Some(2), "{piped:?}");
    assert_eq!(lookback.read("logs.jsonl"), text.as_bytes());
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 0);
    transcript!(lookback.run(&[&call[..], &["none/r"]].concat()), @"
$ lookback import logs.jsonl --on-error skip --rejects none/r
! error: --rejects: cannot write none/r: No such file or directory (os error 2)
[exit code 1]
");
}

#[tokio::test]
async fn named_pipe_is_read_once() {
    let lookback = Lookback::new().await;
    let pipe = lookback.folder().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let import = |arguments: &[&str], text: String| {
        let pipe = pipe.clone();
        // Waits for the program to open the other end.
        let writing = thread::spawn(move || std::fs::write(pipe, text));
        let ran = lookback.run(&[&["import", "pipe"], arguments].concat());
        let _ = writing.join().unwrap();
        ran
    };
    import(&["--name", "app"], lines(0..10)).succeeded();
    transcript!(import(&["--name", "app"], lines(20..40)), @"
$ lookback import pipe --name app
! error: the start of pipe differs from what an earlier import named app read
! hint: to import all of it: --restart
[exit code 1]
");
    // Without a name, there is no earlier import.
    import(&[], lines(40..45)).succeeded();
    import(&[], lines(40..45)).succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 20);
}

#[tokio::test]
async fn paths_of_standard_input_are_read() {
    let lookback = Lookback::new().await;
    for path in ["/dev/stdin", "/dev/fd/0"] {
        lookback
            .run_with(&["import", path], lines(0..3).as_bytes())
            .succeeded();
    }
    // A shell's <(…) and <<<…: a pipe, and a file that is removed already.
    let path = lookback.write("removed", lines(3..6));
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let ran = lookback
        .command(&["import", "/dev/stdin"])
        .stdin(Stdio::from(file))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 9);
}

#[tokio::test]
async fn reserved_or_blank_import_name_is_a_usage_error() {
    let lookback = Lookback::new().await;
    lookback
        .run_with(&["import", "-"], lines(0..3).as_bytes())
        .succeeded();
    transcript!(lookback.run(&["import", "-", "--name", "-"]), @"
$ lookback import - --name -
! error: --name: must not be -, which stands for an unnamed input; omit --name, or give another
[exit code 2]
");
    transcript!(lookback.run(&["import", "-", "--name", " "]), @"
$ lookback import - --name  
! error: --name: must not be blank
[exit code 2]
");
}

/// What can be read of a damaged file is stored, and the message names the file.
#[tokio::test]
async fn truncated_archive_is_stored_up_to_its_end() {
    let lookback = Lookback::new().await;
    let text: String = (0..30_000)
        .map(|number| {
            format!(
                "{{\"msg\":\"line {number} of {}\",\"level\":30}}\n",
                number * 7_919
            )
        })
        .collect();
    lookback.write("app.jsonl", &text);
    let zipped = std::process::Command::new("gzip")
        .arg("-k")
        .arg(lookback.folder().join("app.jsonl"))
        .status()
        .unwrap();
    assert!(zipped.success());
    let whole = lookback.read("app.jsonl.gz");
    lookback.write("cut.jsonl.gz", &whole[..whole.len() / 2]);
    let ran = lookback.run(&["import", "cut.jsonl.gz"]).failed(1);
    assert!(
        ran.err.contains("error: cut.jsonl.gz: cannot be read: "),
        "{ran:#?}"
    );
    let stored = lookback
        .number("SELECT count(DISTINCT message) FROM logs")
        .await;
    assert!((5_000..30_000).contains(&stored), "{stored}: {ran:#?}");
    // The whole file goes on behind it.
    lookback.write("cut.jsonl.gz", &whole);
    lookback
        .run(&["import", "--resume", "cut.jsonl.gz"])
        .succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 30_000);
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT message) FROM logs")
            .await,
        30_000
    );
}
