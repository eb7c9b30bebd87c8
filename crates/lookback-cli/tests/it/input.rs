//! Inputs of an import, and the names that identify them later.

#![cfg(unix)]

use std::fs::File;
use std::io::Write as _;
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

/// The decoders have texts of their own for it, some of them with the names of their types.
#[tokio::test]
async fn cut_compressed_file_says_where_it_ends_and_what_is_stored() {
    let lookback = Lookback::new().await;
    let mut number = 7_u64;
    let text: String = (0..120_000)
        .map(|line| {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("line {line} {number:x}\n")
        })
        .collect();
    let zstd = ruzstd::encoding::compress_to_vec(
        text.as_bytes(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(text.as_bytes()).unwrap();
    let all = [
        ("gzip", "cut.log.gz", gzip.finish().unwrap()),
        ("zstd", "cut.log.zst", zstd),
        ("bzip2", "cut.log.bz2", bzip2.finish().unwrap()),
    ];
    for (program, name, whole) in all {
        let half = whole.len() / 2;
        lookback.write(name, &whole[..half]);
        let ran = lookback.run(&["import", name]).failed(1);
        let mut stored = lookback
            .number("SELECT count(DISTINCT message) FROM logs")
            .await;
        assert!(
            ran.err.contains(&format!(
                "error: {name}: cannot be read: it is cut off after {} bytes: what {program} \
                 compressed has no end\nhint: ",
                grouped(half as i64)
            )),
            "{ran:#?}"
        );
        let expected = if stored == 0 {
            "hint: nothing of it is stored".to_owned()
        } else {
            format!("{} records stored", grouped(stored))
        };
        assert!(ran.err.contains(&expected), "{stored}: {ran:#?}");
        lookback.write(name, &whole);
        lookback.run(&["import", "--resume", name]).succeeded();
        stored = lookback.number("SELECT count(*) FROM logs").await;
        assert_eq!(stored, 120_000, "{program}");
        lookback.execute("TRUNCATE logs, imports").await;
    }
}

/// A number with its thousands set apart.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Of a line that was cut off while it was read, nothing is stored.
#[cfg(unix)]
#[tokio::test]
async fn file_that_is_cut_off_while_it_is_read_is_stored_up_to_its_last_whole_line() {
    use crate::support::Running;

    let lookback = Lookback::new().await;
    let line = |number: usize| format!("line {number:06} of a file that is cut off\n");
    let text: String = (0..100_000).map(line).collect();
    let path = lookback.write("app.log", &text);
    let lock = lookback.lock_logs().await;
    let running = Running::start(&lookback, &["import", "app.log"]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'lookback' AND wait_event_type = 'Lock'";
    lookback.wait_for(waiting, 1).await;
    // In the middle of a line that was not read yet.
    let whole = 80_000;
    let cut = whole * line(0).len() + 13;
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(cut as u64).unwrap();
    lock.rollback().await.unwrap();
    let (code, err) = running.wait();
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("app.log: cannot be read: it was cut off from 3,800,000 bytes to 3,040,013"),
        "{err}"
    );
    assert!(
        err.contains("lines 1 to 80,000 are processed") && err.contains("--resume"),
        "{err}"
    );
    let stored =
        "SELECT count(*) FROM logs WHERE message ~ '^line [0-9]{6} of a file that is cut off$'";
    assert_eq!(lookback.number(stored).await, 80_000);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 80_000);
}
