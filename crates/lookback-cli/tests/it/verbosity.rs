//! `--quiet` and `--verbose`: messages beside the data.

use crate::support::{Lookback, transcript};

const LOG: &str = r#"{"source": "API", "level": "info", "message": "started"}"#;

#[tokio::test]
async fn quiet_omits_messages_of_success() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LOG);
    transcript!(lookback.run(&["import", "logs.jsonl", "--quiet"]), @"
$ lookback import logs.jsonl --quiet
");
    transcript!(lookback.run(&["logs", "list", "--fields", "id,message", "-q"]), @"
$ lookback logs list --fields id,message -q
ID  MESSAGE
1   started
");
    transcript!(lookback.run(&["logs", "delete", "1"]), @"
$ lookback logs delete 1
! deleted log 1; to restore it: lookback logs restore 1
");
    transcript!(lookback.run(&["-q", "logs", "restore", "1"]), @"
$ lookback -q logs restore 1
");
    transcript!(lookback.run(&["db", "migrate", "-q"]), @"
$ lookback db migrate -q
");
}

#[tokio::test]
async fn quiet_keeps_warnings_and_errors_with_their_hints() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", format!("{LOG}\n{{\"level\": \"info\"}}\n"));
    transcript!(lookback.run(&["-q", "import", "logs.jsonl", "--on-error", "skip"]), @"
$ lookback -q import logs.jsonl --on-error skip
! warning: line 2: source: is required; message: is required
");
    transcript!(lookback.run(&["-q", "logs", "delete", "42"]), @"
$ lookback -q logs delete 42
! error: logs: no record 42
! hint: it may be deleted already: lookback logs list --deleted only id=42
[exit code 1]
");
    transcript!(lookback.run(&["-q", "logs", "list", "levle=info"]), @"
$ lookback -q logs list levle=info
! error: levle: is not a field of logs; did you mean level?
[exit code 2]
");
    lookback
        .execute("UPDATE settings SET value = '1' WHERE name = 'encoder_version'")
        .await;
    transcript!(lookback.run(&["-q", "logs", "search", "zzz"]), @"
$ lookback -q logs search zzz
ID  TIME  LEVEL  SOURCE  MESSAGE
! warning: the vectors in the database are of encoder 1, and this is encoder 2: search by similarity finds the wrong rows
! hint: recompute them with lookback db reembed, or use the version of Lookback that wrote them
");
}

#[tokio::test]
async fn verbose_prints_settings_server_and_time() {
    let lookback = Lookback::new().await;
    lookback.write("lookback.toml", "timeout = \"5m\"\n");
    transcript!(lookback.run(&["-v", "logs", "list"]), @"
$ lookback -v logs list
ID  TIME  LEVEL  SOURCE  MESSAGE
! detail: database_url is postgres://lookback:***@127.0.0.1:[port]/[database]?sslmode=disable (from DATABASE_URL)
! detail: timeout is 300s (from lookback.toml)
! detail: connected to postgres://lookback:***@127.0.0.1:[port]/[database]?sslmode=disable: PostgreSQL [version], in [time] ms
! no logs found
! detail: ended in [time] ms
");
}

#[tokio::test]
async fn verbose_prints_cause_of_an_error() {
    let lookback = Lookback::new().await;
    lookback.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no more' USING ERRCODE = 'P0001', DETAIL = 'secret'; END $$").await;
    lookback
        .execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    lookback
        .execute("INSERT INTO users (email, password_hash) VALUES ('a@b', 'hash')")
        .await;
    transcript!(lookback.run(&["users", "delete", "1", "-v"]), @"
$ lookback users delete 1 -v
! detail: database_url is postgres://lookback:***@127.0.0.1:[port]/[database]?sslmode=disable (from DATABASE_URL)
! detail: connected to postgres://lookback:***@127.0.0.1:[port]/[database]?sslmode=disable: PostgreSQL [version], in [time] ms
! error: the database refused: no more (SQLSTATE P0001)
! detail: the server refused it: SQLSTATE P0001
! detail: ended in [time] ms
[exit code 1]
");
    transcript!(lookback.run(&["users", "delete", "1"]), @"
$ lookback users delete 1
! error: the database refused: no more (SQLSTATE P0001)
[exit code 1]
");
}

#[test]
fn verbose_shows_no_password() {
    let lookback = Lookback::with(None);
    let url = "postgres://me:s3cret@127.0.0.1:1/shop";
    let ran = lookback
        .command(&["logs", "list", "--verbose"])
        .env("DATABASE_URL", url)
        .output()
        .unwrap();
    let message = String::from_utf8(ran.stderr).unwrap();
    assert!(
        message.contains("detail: database_url is postgres://me:***@127.0.0.1:1/shop"),
        "{message}"
    );
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn quiet_with_verbose_is_a_usage_error() {
    let lookback = Lookback::with(None);
    transcript!(lookback.run(&["-q", "config", "-v"]), @"
$ lookback -q config -v
! error: --quiet and --verbose exclude each other
[exit code 2]
");
}
