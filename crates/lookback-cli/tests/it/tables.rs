//! Tables fit the width of the terminal, and the short help is short.

use crate::support::{Lookback, transcript};

async fn lookback() -> Lookback {
    let lookback = Lookback::new().await;
    lookback
        .execute(
            "INSERT INTO request_snapshots (method, path, timestamp, version, stage, status_code, duration) \
             VALUES ('GET', '/orders/{id}/items/{item}/reviews', '2026-01-01T00:00:00.123456Z', '1', 'production', 200, 12345)",
        )
        .await;
    lookback
        .execute(
            "INSERT INTO logs (source, level, message, created_at) \
             VALUES ('a component with a long name', 'error', repeat('connection refused ', 20), '2026-01-01T00:00:00.123456Z')",
        )
        .await;
    lookback
}

/// The widest line of a text that prints each character in one column.
fn widest(text: &str) -> usize {
    text.lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0)
}

#[tokio::test]
async fn tables_fit_80_columns_and_wide_shows_all() {
    let lookback = lookback().await;
    for call in [
        ["requests", "list"].as_slice(),
        &["logs", "list"],
        &["logs", "search", "refused", "--explain"],
        &["logs", "list", "--deleted", "with"],
        &[
            "logs",
            "list",
            "--fields",
            "id,message,source,created_at,updated_at",
        ],
        &[
            "logs",
            "stats",
            "count",
            "--by",
            "message,source,level,created_at",
        ],
        &["metrics", "list"],
        &["users", "list"],
        &["storage", "status"],
        &["storage", "prune", "--older-than", "30d", "--dry-run"],
        &["db", "status"],
        &["config"],
    ] {
        let ran = lookback.run(call).succeeded();
        assert!(widest(&ran.out) <= 80, "{ran:#?}");
        for (columns, room) in [("60", 60), ("200", 200), ("none", 80), ("0", 80)] {
            let output = lookback.command(call).env("COLUMNS", columns).output();
            let out = String::from_utf8(output.unwrap().stdout).unwrap();
            assert!(widest(&out) <= room, "{columns}: {out}");
        }
        let wide = lookback.run(&[call, &["--wide"]].concat()).succeeded();
        assert!(
            !wide.out.contains('…') && !wide.err.contains("--wide"),
            "{wide:#?}"
        );
    }
    transcript!(lookback.run(&["requests", "list"]), @"
$ lookback requests list
ID  TIME                         STATUS  DURATION  METHOD  PATH
1   2026-01-01T00:00:00.123456Z  200     12345 ms  GET     /orders/{id}/items/{…
! hint: 1 column left out to fit 80 columns: --wide shows all
! 1 of 1 request
");
    transcript!(lookback.run(&["requests", "list", "--wide"]), @"
$ lookback requests list --wide
ID  TIME                         STATUS  DURATION  STAGE       METHOD  PATH
1   2026-01-01T00:00:00.123456Z  200     12345 ms  production  GET     /orders/{id}/items/{item}/reviews
! 1 of 1 request
");
    transcript!(lookback.run(&["logs", "list"]), @"
$ lookback logs list
ID  TIME                         LEVEL  SOURCE               MESSAGE
1   2026-01-01T00:00:00.123456Z  error  a component with a…  connection refused…
! hint: cut to fit 80 columns: --wide shows all
! 1 of 1 log
");
}

/// A terminal 100 columns wide.
#[cfg(unix)]
#[tokio::test]
async fn table_fits_the_terminal() {
    use std::io::Read as _;
    use std::process::Stdio;

    let lookback = lookback().await;
    let size = nix::pty::Winsize {
        ws_row: 24,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = nix::pty::openpty(&size, None).unwrap();
    let status = lookback
        .command(&["logs", "list", "--quiet"])
        .env("COLUMNS", "60")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::from(terminal.slave))
        .status()
        .unwrap();
    assert!(status.success());
    // A read returns a part, and fails once the program has closed the terminal.
    let (mut out, mut part) = (Vec::new(), [0; 4_096]);
    let mut master = std::fs::File::from(terminal.master);
    while let Ok(length @ 1..) = master.read(&mut part) {
        out.extend(&part[..length]);
    }
    let out = String::from_utf8_lossy(&out).replace('\r', "");
    assert_eq!(widest(&out), 100, "{out}");
}

#[test]
fn short_help_leaves_the_options_of_the_database_to_the_long_help() {
    let lookback = Lookback::with(None);
    for call in [
        ["-h"].as_slice(),
        &["logs", "-h"],
        &["logs", "list", "-h"],
        &["storage", "prune", "-h"],
        &["db", "generate", "-h"],
        &["import", "-h"],
    ] {
        let short = lookback.run(call).succeeded().out;
        assert!(!short.contains("--pg-bin"), "{short}");
        assert!(short.contains("The options of the database"), "{short}");
        let mut long = call.to_vec();
        long.pop();
        long.push("--help");
        let long = lookback.run(&long).succeeded().out;
        for option in [
            "--database-url",
            "--pg-bin",
            "--timeout",
            "--config",
            "--wide",
        ] {
            assert!(long.contains(option), "{option}: {long}");
        }
    }
    transcript!(lookback.run(&["logs", "get", "-h"]), @"
$ lookback logs get -h
Show one record

Usage: lookback logs get [OPTIONS] <ID>

Arguments:
  <ID>  Id of the record

Options:
      --deleted <DELETED>  A deleted record: not found, shown too, or the only kind that is shown
                           [default: without] [possible values: without, with, only]
      --json               Print JSON
  -h, --help               Print help (see more with '--help')

Output:
  -q, --quiet    Say nothing beside the data but warnings and errors
  -v, --verbose  Say also where each setting is from, which server it is, what caused an error, and
                 times

The options of the database and the width of tables: --help
");
}
