//! `lookback logs|requests|metrics`: list, search, get, delete, restore.

use lookback::value::ErrorRate;
use lookback::{Level, Log, Metric, NewLog, NewMetric};
use serde_json::json;

use crate::support::{Lookback, transcript};

/// Five logs of a shop.
pub(crate) async fn shop() -> Lookback {
    let lookback = Lookback::new().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    let log = |source: &str, level, message: &str, minute: u32| {
        let time =
            format!("2026-01-01T09:{minute:02}:00Z").parse::<chrono::DateTime<chrono::Utc>>();
        NewLog::new(source, level, message).created_at(time.unwrap())
    };
    let logs = [
        log("API", Level::Info, "GET /orders answered 200", 1),
        log("DB", Level::Error, "connection refused by the database", 2),
        log("DB", Level::Warn, "slow query, 3200 ms", 3),
        log(
            "WORKER",
            Level::Error,
            "job 7 failed:\npayment gateway timeout",
            4,
        ),
        log("API", Level::Debug, "\u{1b}[2Jcleared \u{202e}screen", 5),
    ];
    Log::records().create_many(pool, &logs).await.unwrap();
    lookback
}

#[tokio::test]
async fn match_is_a_filter_of_every_command() {
    let lookback = shop().await;
    transcript!(lookback.run(&["logs", "list", "--match", "database REFUSED -cache", "--order-by", "created_at"]), @"
$ lookback logs list --match database REFUSED -cache --order-by created_at
ID  TIME                  LEVEL  SOURCE  MESSAGE
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
! 1 of 1 log
");
    transcript!(lookback.run(&["logs", "stats", "--match", "db", "--by", "level"]), @"
$ lookback logs stats --match db --by level
LEVEL  COUNT
warn   1
error  1
! 2 groups
");
    let export = [
        "logs",
        "export",
        "--match",
        "\"slow query\"",
        "--fields",
        "id",
        "--format",
        "csv",
    ];
    assert_eq!(lookback.run(&export).succeeded().out, "id\r\n3\r\n");
    let tail = lookback.run(&["logs", "list", "--match", "level:error"]);
    transcript!(tail, @"
$ lookback logs list --match level:error
! error: match: `level:error` is a filter and not a word; write it as one of its own, level=error, or put it in quotes
[exit code 2]
");
}

#[tokio::test]
async fn list_filters_orders_and_pages() {
    let lookback = shop().await;
    transcript!(lookback.run(&["logs", "list"]), @"
$ lookback logs list
ID  TIME                  LEVEL  SOURCE  MESSAGE
5   2026-01-01T09:05:00Z  debug  API     �[2Jcleared �screen
4   2026-01-01T09:04:00Z  error  WORKER  job 7 failed:⏎payment gateway timeout
3   2026-01-01T09:03:00Z  warn   DB      slow query, 3200 ms
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
1   2026-01-01T09:01:00Z  info   API     GET /orders answered 200
! 5 of 5 logs
");
    transcript!(lookback.run(&["logs", "list", "level__in=warn,error", "source=DB"]), @"
$ lookback logs list level__in=warn,error source=DB
ID  TIME                  LEVEL  SOURCE  MESSAGE
3   2026-01-01T09:03:00Z  warn   DB      slow query, 3200 ms
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
! 2 of 2 logs
");
    transcript!(lookback.run(&["logs", "list", "--order-by", "source", "--order-by", "-id", "--limit", "2", "--offset", "1"]), @"
$ lookback logs list --order-by source --order-by -id --limit 2 --offset 1
ID  TIME                  LEVEL  SOURCE  MESSAGE
1   2026-01-01T09:01:00Z  info   API     GET /orders answered 200
3   2026-01-01T09:03:00Z  warn   DB      slow query, 3200 ms
! 2 of 5 logs
");
    transcript!(lookback.run(&["logs", "list", "--limit", "1", "--total", "3", "--fields", "id"]), @"
$ lookback logs list --limit 1 --total 3 --fields id
ID
5
! 1 of 3 or more logs
");
    transcript!(lookback.run(&["logs", "list", "--limit", "1", "--total", "none", "--fields", "id"]), @"
$ lookback logs list --limit 1 --total none --fields id
ID
5
! 1 of 2 or more logs
");
    transcript!(lookback.run(&["logs", "list", "--limit", "1", "--total", "exact", "--fields", "id"]), @"
$ lookback logs list --limit 1 --total exact --fields id
ID
5
! 1 of 5 logs
");
    transcript!(lookback.run(&["logs", "list", "id__lt=0"]), @"
$ lookback logs list id__lt=0
ID  TIME  LEVEL  SOURCE  MESSAGE
! no logs found
");
    transcript!(lookback.run(&["logs", "list", "or=(level=info,and(source=DB,message__icontains=REFUSED))", "created_at__between=2026-01-01,now"]), @"
$ lookback logs list or=(level=info,and(source=DB,message__icontains=REFUSED)) created_at__between=2026-01-01,now
ID  TIME                  LEVEL  SOURCE  MESSAGE
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
1   2026-01-01T09:01:00Z  info   API     GET /orders answered 200
! 2 of 2 logs
");
    transcript!(lookback.run(&["logs", "list", "levle=info", "id__in=1,x", "or(source=DB"]), @"
$ lookback logs list levle=info id__in=1,x or(source=DB
! error: levle: is not a field of logs; did you mean level?; id__in: `x` is not a whole number of 64 bits; or: at character 13, expected `,` or `)`, got the end
[exit code 2]
");
    let json = lookback
        .run(&["logs", "list", "id=2", "--json"])
        .succeeded()
        .json();
    assert_eq!(
        json["metadata"],
        json!({"limit": 20, "offset": 0, "total": 1, "total_is_exact": true, "next": null, "previous": null})
    );
    assert_eq!(
        json["data"][0]["message"],
        "connection refused by the database"
    );
    assert_eq!(json["data"][0]["created_at"], "2026-01-01T09:02:00Z");
    assert!(json["data"][0].get("embedding").is_none());
}

#[tokio::test]
async fn search_takes_words_and_filters() {
    let lookback = shop().await;
    transcript!(lookback.run(&["logs", "search", "conection refused"]), @"
$ lookback logs search conection refused
ID  TIME                  LEVEL  SOURCE  MESSAGE
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
! 1 of 1 log
");
    transcript!(lookback.run(&["logs", "search", "timeout", "level=error"]), @"
$ lookback logs search timeout level=error
ID  TIME                  LEVEL  SOURCE  MESSAGE
4   2026-01-01T09:04:00Z  error  WORKER  job 7 failed:⏎payment gateway timeout
! 1 of 1 log
");
    transcript!(lookback.run(&["logs", "search", "timeout", "level=info"]), @"
$ lookback logs search timeout level=info
ID  TIME  LEVEL  SOURCE  MESSAGE
! no logs found
");
}

#[tokio::test]
async fn search_explains_its_hits() {
    let lookback = shop().await;
    transcript!(lookback.run(&["logs", "search", "conection timout", "level__in=warn,error", "--explain"]), @r#"
$ lookback logs search conection timout level__in=warn,error --explain
ID  TIME                  LEVEL  SOURCE  MESSAGE
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
  score 0.37, similarity 0.01
  conection  misspelling  connection in message, 0.31 of 0.50
4   2026-01-01T09:04:00Z  error  WORKER  job 7 failed:⏎payment gateway timeout
  score 0.36, similarity 0.20
  timout  misspelling  timeout in message, 0.25 of 0.50
! 2 of 2 logs
"#);
    transcript!(lookback.run(&["logs", "search", "\"refused by\" -gateway source:db"]), @r#"
$ lookback logs search "refused by" -gateway source:db
ID  TIME                  LEVEL  SOURCE  MESSAGE
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
! excluded: records with "gateway"; to search for it, quote it: '"-gateway"'
! 1 of 1 log
"#);
    transcript!(lookback.run(&["logs", "search", "-source:db level:error"]), @"
$ lookback logs search -source:db level:error
ID  TIME                  LEVEL  SOURCE  MESSAGE
4   2026-01-01T09:04:00Z  error  WORKER  job 7 failed:⏎payment gateway timeout
! 1 of 1 log
");
    transcript!(lookback.run(&["logs", "search", " "]), @r#"
$ lookback logs search  
ID  TIME                  LEVEL  SOURCE  MESSAGE
5   2026-01-01T09:05:00Z  debug  API     �[2Jcleared �screen
4   2026-01-01T09:04:00Z  error  WORKER  job 7 failed:⏎payment gateway timeout
3   2026-01-01T09:03:00Z  warn   DB      slow query, 3200 ms
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
1   2026-01-01T09:01:00Z  info   API     GET /orders answered 200
! 5 of 5 logs
"#);
    transcript!(lookback.run(&["logs", "similar", "3", "--limit", "2"]), @r#"
$ lookback logs similar 3 --limit 2
ID  TIME                  LEVEL  SOURCE  MESSAGE
2   2026-01-01T09:02:00Z  error  DB      connection refused by the database
  similarity 0.64
5   2026-01-01T09:05:00Z  debug  API     �[2Jcleared �screen
  similarity 0.24
! 2 of 4 logs
"#);
    transcript!(lookback.run(&["logs", "similar", "99"]), @r#"
$ lookback logs similar 99
! error: logs: no record 99
[exit code 1]
"#);

    let json = lookback
        .run(&["logs", "search", "conection", "--json", "--limit", "1"])
        .succeeded()
        .json();
    let record = &json["data"][0];
    assert_eq!(record["id"], 2);
    let hit = &record["hit"];
    assert!(hit["score"].as_f64().unwrap() > 0.5);
    assert_eq!(hit["why"]["words"][0]["word"], "conection");
    assert_eq!(hit["why"]["words"][0]["matched"], "connection");
    assert_eq!(hit["why"]["words"][0]["kind"], "misspelling");
    assert_eq!(hit["why"]["phrase"], false);
    assert_eq!(
        hit["highlights"],
        json!([{"field": "message", "text": "connection refused by the database", "ranges": [[0, 10]]}])
    );
}

/// With colour, matches are bold.
#[tokio::test]
async fn search_with_color_highlights_matches() {
    let lookback = shop().await;
    let output = lookback
        .command(&["logs", "search", "gatewy"])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("payment \u{1b}[1mgateway\u{1b}[0m timeout"),
        "{shown:?}"
    );
}

#[tokio::test]
async fn usage_errors_name_what_is_expected() {
    let lookback = shop().await;
    transcript!(lookback.run(&["logs", "list", "levle=error"]), @"
$ lookback logs list levle=error
! error: levle: is not a field of logs; did you mean level?
[exit code 2]
");
    transcript!(lookback.run(&["logs", "list", "level=verbose"]), @"
$ lookback logs list level=verbose
! error: level: `verbose` is not one of debug, info, warn, error
[exit code 2]
");
    transcript!(lookback.run(&["logs", "list", "--order-by", "colour"]), @"
$ lookback logs list --order-by colour
! error: colour: is not a field of logs, which has id, source, level, message, meta, trace_id, created_at, updated_at, deleted_at
[exit code 2]
");
    transcript!(lookback.run(&["logs", "list", "--limit", "10001"]), @"
$ lookback logs list --limit 10001
! error: limit: 10001 is more than 10000; read page by page
[exit code 2]
");
    transcript!(lookback.run(&["logs", "search", "connection", "refused"]), @r#"
$ lookback logs search connection refused
! error: refused: is not a filter; write field__lookup=value, such as level__eq=error, or a group, such as or=(level=error,level=warn)
! hint: give all words as one argument: lookback logs search "connection refused"
[exit code 2]
"#);
    lookback.run(&["logs", "list", "--colour"]).failed(2);
    lookback.run(&["logs"]).failed(2);
    lookback.run(&["logs", "get", "seven"]).failed(2);
}

#[tokio::test]
async fn record_is_shown_deleted_and_restored() {
    let lookback = shop().await;
    lookback
        .execute("UPDATE logs SET updated_at = '2026-01-01T10:00:00Z' WHERE id = 4")
        .await;
    transcript!(lookback.run(&["logs", "get", "4"]), @"
$ lookback logs get 4
created_at  2026-01-01T09:04:00Z
id          4
level       error
message     job 7 failed:
payment gateway timeout
meta        -
source      WORKER
trace_id    -
updated_at  2026-01-01T10:00:00Z
");
    transcript!(lookback.run(&["logs", "delete", "4"]), @"
$ lookback logs delete 4
! deleted log 4; to restore it: lookback logs restore 4
");
    transcript!(lookback.run(&["logs", "get", "4"]), @"
$ lookback logs get 4
! error: logs: no record 4
! hint: if record 4 is deleted, add --deleted with
[exit code 1]
");
    lookback
        .execute("UPDATE logs SET deleted_at = '2026-02-01T12:00:00Z' WHERE id = 4")
        .await;
    for deleted in ["with", "only"] {
        let shown = lookback
            .run(&["logs", "get", "4", "--deleted", deleted])
            .succeeded();
        assert!(
            shown.out.contains("deleted_at  2026-02-01T12:00:00Z"),
            "{shown:#?}"
        );
        let json = lookback
            .run(&["logs", "get", "4", "--deleted", deleted, "--json"])
            .succeeded();
        assert_eq!(json.json()["data"]["deleted_at"], "2026-02-01T12:00:00Z");
    }
    transcript!(lookback.run(&["logs", "get", "3", "--deleted", "only"]), @"
$ lookback logs get 3 --deleted only
! error: logs: no record 3
! hint: if record 3 is not deleted, leave out --deleted only
[exit code 1]
");
    lookback.run(&["logs", "delete", "4"]).failed(1);
    transcript!(lookback.run(&["logs", "list", "--deleted", "only"]), @"
$ lookback logs list --deleted only
ID  TIME                  LEVEL  SOURCE  DELETED               MESSAGE
4   2026-01-01T09:04:00Z  error  WORKER  2026-02-01T12:00:00Z  job 7 failed:⏎pa…
! hint: cut to fit 80 columns: --wide shows all
! 1 of 1 log
");
    transcript!(lookback.run(&["logs", "list", "--deleted", "with", "--limit", "2", "id__lte=4"]), @"
$ lookback logs list --deleted with --limit 2 id__lte=4
ID  TIME                  LEVEL  SOURCE  DELETED               MESSAGE
4   2026-01-01T09:04:00Z  error  WORKER  2026-02-01T12:00:00Z  job 7 failed:⏎pa…
3   2026-01-01T09:03:00Z  warn   DB      -                     slow query, 3200…
! hint: cut to fit 80 columns: --wide shows all
! 2 of 4 logs
");
    let fields = [
        "logs",
        "list",
        "--deleted",
        "with",
        "--limit",
        "2",
        "id__lte=4",
        "--fields",
        "id,level",
    ];
    transcript!(lookback.run(&fields), @"
$ lookback logs list --deleted with --limit 2 id__lte=4 --fields id,level
ID  LEVEL  DELETED_AT
4   error  2026-02-01T12:00:00Z
3   warn   -
! 2 of 4 logs
");
    let list = [
        "logs",
        "list",
        "--deleted",
        "with",
        "--limit",
        "2",
        "id__lte=4",
        "--json",
    ];
    let json = lookback.run(&list).succeeded().json();
    assert_eq!(json["data"][0]["deleted_at"], "2026-02-01T12:00:00Z");
    assert_eq!(json["data"][1]["deleted_at"], serde_json::Value::Null);
    let search = ["logs", "search", "payment", "--deleted", "with", "--json"];
    let json = lookback.run(&search).succeeded().json();
    assert_eq!(json["data"][0]["deleted_at"], "2026-02-01T12:00:00Z");
    let live = lookback.run(&["logs", "list", "--json"]).succeeded().json();
    assert!(live["data"][0].get("deleted_at").is_none());
    transcript!(lookback.run(&["logs", "restore", "4"]), @"
$ lookback logs restore 4
! restored log 4
");
    transcript!(lookback.run(&["logs", "restore", "4"]), @"
$ lookback logs restore 4
! error: no deleted log 4
[exit code 1]
");
    transcript!(lookback.run(&["logs", "delete", "4", "--hard"]), @"
$ lookback logs delete 4 --hard
! permanently deleted log 4
");
    lookback
        .run(&["logs", "get", "4", "--deleted", "with"])
        .failed(1);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 4);
}

#[tokio::test]
async fn windows_and_requests_have_the_same_commands() {
    let lookback = Lookback::new().await;
    let time = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let window = NewMetric::new(
        time("2026-01-01T09:00:00Z"),
        time("2026-01-01T09:01:00Z"),
        "GET /orders/{id}",
        12,
        80,
        230,
        ErrorRate::of(3, 400),
        400,
    );
    let pool = &lookback.db.as_ref().unwrap().pool;
    Metric::records().create(pool, window).await.unwrap();
    transcript!(lookback.run(&["metrics", "list", "error_rate__gte=0.005"]), @"
$ lookback metrics list error_rate__gte=0.005
ID  WINDOW                REQUESTS  ERRORS  P50 MS  P95 MS  ENDPOINT
1   2026-01-01T09:00:00Z  400       0.75 %  12      80      GET /orders/{id}
! hint: 1 column left out to fit 80 columns: --wide shows all
! 1 of 1 window
");
    transcript!(lookback.run(&["metrics", "search", "orders"]), @"
$ lookback metrics search orders
ID  WINDOW                REQUESTS  ERRORS  P50 MS  P95 MS  ENDPOINT
1   2026-01-01T09:00:00Z  400       0.75 %  12      80      GET /orders/{id}
! hint: 1 column left out to fit 80 columns: --wide shows all
! 1 of 1 window
");
    let json = lookback
        .run(&["metrics", "get", "1", "--json"])
        .succeeded()
        .json();
    assert_eq!(json["data"]["error_rate"], 0.0075);

    lookback.write(
        "requests.jsonl",
        include_str!("../../../../examples/sample/requests.jsonl"),
    );
    lookback.run(&["import", "requests.jsonl"]).succeeded();
    transcript!(lookback.run(&["requests", "list", "status_code__gte=500", "--limit", "3", "--order-by", "-duration"]), @"
$ lookback requests list status_code__gte=500 --limit 3 --order-by -duration
ID  TIME                      STATUS  DURATION  STAGE       METHOD  PATH
37  2026-01-01T09:00:39.389Z  503     4968 ms   production  POST    /login
39  2026-01-01T09:00:42.095Z  503     4669 ms   production  POST    /orders
35  2026-01-01T09:00:37.932Z  503     4418 ms   production  GET     /products
! 3 of 25 requests
");
    lookback.run(&["requests", "delete", "1"]).succeeded();
    lookback.run(&["requests", "restore", "1"]).succeeded();
}

#[tokio::test]
async fn list_to_closed_pipe_succeeds() {
    let lookback = shop().await;
    let mut child = lookback
        .command(&["logs", "list", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn vectors_of_another_encoder_cause_a_warning_and_are_recomputed() {
    let lookback = shop().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    sqlx::raw_sql(
        "UPDATE logs SET embedding = NULL WHERE id > 2;
         UPDATE settings SET value = '1' WHERE name = 'encoder_version'",
    )
    .execute(pool)
    .await
    .unwrap();
    transcript!(lookback.run(&["logs", "search", "gateway"]), @"
$ lookback logs search gateway
ID  TIME                  LEVEL  SOURCE  MESSAGE
4   2026-01-01T09:04:00Z  error  WORKER  job 7 failed:⏎payment gateway timeout
! warning: the vectors in the database are of encoder 1, and this is encoder 2: search by similarity finds the wrong rows
! hint: recompute them with lookback db reembed, or use the version of Lookback that wrote them
! 1 of 1 log
");
    transcript!(lookback.run(&["db", "reembed"]), @"
$ lookback db reembed
! users: changed the vector of 0 of 0 rows
! logs: changed the vector of 3 of 5 rows
! metrics: changed the vector of 0 of 0 rows
! request_snapshots: changed the vector of 0 of 0 rows
! api_keys: changed the vector of 0 of 0 rows
! alert_rules: changed the vector of 0 of 0 rows
! alert_changes: changed the vector of 0 of 0 rows
! saved_searches: changed the vector of 0 of 0 rows
");
    transcript!(lookback.run(&["logs", "search", "gateway"]), @"
$ lookback logs search gateway
ID  TIME                  LEVEL  SOURCE  MESSAGE
4   2026-01-01T09:04:00Z  error  WORKER  job 7 failed:⏎payment gateway timeout
! 1 of 1 log
");
}

#[tokio::test]
async fn slow_read_is_stopped_with_a_hint() {
    let lookback = shop().await;
    let _lock = lookback.lock_logs().await;
    transcript!(lookback.run(&["logs", "list", "--timeout", "50ms"]), @"
$ lookback logs list --timeout 50ms
! error: logs: the read took longer than 50 ms and was stopped
! hint: narrow it by created_at or by another filter, leave the total out (--total none), go by --after instead of a large --offset, or give it more time: --timeout 5m
[exit code 1]
");
    for call in [
        &["logs", "search", "refused"][..],
        &["logs", "similar", "1"],
        &["logs", "get", "1"],
        &["logs", "stats"],
        &["logs", "stats", "--by", "level"],
    ] {
        let output = lookback
            .command(call)
            .env("LOOKBACK_TIMEOUT", "50ms")
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(
            message.contains("took longer than 50 ms"),
            "{call:?}: {message}"
        );
        // The hint has no option that the command lacks.
        assert!(
            !message.contains("total") && !message.contains("offset"),
            "{message}"
        );
        assert_eq!(message.contains("filter"), call[1] != "get", "{message}");
        assert!(message.contains("--timeout 5m"), "{message}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[tokio::test]
async fn negative_number_is_rejected_with_its_option() {
    let lookback = Lookback::with(None);
    for call in [
        &["logs", "list", "--limit", "-5"][..],
        &["logs", "list", "--offset", "-5"],
        &["logs", "list", "--total", "-5"],
        &["logs", "search", "x", "--limit", "-5"],
        &["logs", "export", "--limit", "-5"],
        &["logs", "stats", "--by", "level", "--top", "-5"],
        &["logs", "purge", "--older-than", "-1d"],
        &["import", "-", "--batch", "-5"],
        &["storage", "prune", "--older-than", "-1d"],
        &["storage", "prune", "--larger-than", "-1GB"],
        &["storage", "prune", "--deleted-older-than", "-1d"],
        &["db", "migrate", "--lock-timeout", "-5"],
        &["logs", "list", "--timeout", "-1s"],
    ] {
        let ran = lookback.run(call).failed(2);
        let first = ran.err.lines().next().unwrap();
        assert!(first.contains(call[call.len() - 2]), "{ran:#?}");
        assert!(first.contains(call[call.len() - 1]), "{ran:#?}");
        assert!(!ran.err.contains("unexpected argument"), "{ran:#?}");
    }
    transcript!(lookback.run(&["logs", "list", "--limit", "-5"]), @"
$ lookback logs list --limit -5
! error: invalid value '-5' for '--limit <RECORDS>': expected a whole number of records, such as 0, 20 or 1000
! 
! For more information, try '--help'.
[exit code 2]
");
}

#[tokio::test]
async fn fields_must_have_distinct_names() {
    let lookback = shop().await;
    for command in ["list", "export"] {
        for (fields, problem) in [
            ("--fields=", "--fields: a field name must not be empty"),
            (
                "--fields=id,,message",
                "--fields: a field name must not be empty",
            ),
            ("--fields=id,message,id", "--fields: duplicate field id"),
        ] {
            let ran = lookback.run(&["logs", command, fields]).failed(2);
            assert!(
                ran.err.starts_with(&format!("error: {problem}\n")),
                "{ran:#?}"
            );
            assert!(ran.err.contains("hint: "), "{ran:#?}");
        }
    }
}

#[tokio::test]
async fn hint_on_words_without_quotes_keeps_filters() {
    let lookback = shop().await;
    transcript!(lookback.run(&["logs", "search", "payment", "level=error", "timeout", "or=(id=1,id=4)"]), @r#"
    $ lookback logs search payment level=error timeout or=(id=1,id=4)
    ! error: timeout: is not a filter; write field__lookup=value, such as level__eq=error, or a group, such as or=(level=error,level=warn)
    ! hint: give all words as one argument: lookback logs search "payment timeout" level=error "or=(id=1,id=4)"
    [exit code 2]
    "#);
}

#[tokio::test]
async fn places_in_json_are_listed_counted_and_exported() {
    let lookback = Lookback::new().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    let log = |meta| NewLog::new("API", Level::Info, "m").meta(meta);
    let logs = [
        log(json!({"ms": 12, "user": {"id": "ada"}})),
        log(json!({"ms": 7.5, "user": {"id": "ada"}})),
        log(json!({"user": {"id": 7}})),
    ];
    Log::records().create_many(pool, &logs).await.unwrap();
    transcript!(lookback.run(&["logs", "list", "--fields", "id,meta.user.id,meta.ms", "--order-by", "-meta.ms"]), @"
    $ lookback logs list --fields id,meta.user.id,meta.ms --order-by -meta.ms
    ID  META.USER.ID  META.MS
    1   ada           12
    2   ada           7.5
    3   7             -
    ! 3 of 3 logs
    ");
    transcript!(lookback.run(&["logs", "stats", "count", "meta.ms__avg", "meta.ms__p50", "--by", "meta.user.id"]), @"
    $ lookback logs stats count meta.ms__avg meta.ms__p50 --by meta.user.id
    META.USER.ID  COUNT  META.MS__AVG  META.MS__P50
    ada           2      9.75          9.75
    7             1      -             -
    ! 2 groups
    ");
    transcript!(lookback.run(&["logs", "export", "--fields", "meta.user.id,id", "--format", "csv"]), @"
    $ lookback logs export --fields meta.user.id,id --format csv
    meta.user.id,id
    ada,1
    ada,2
    7,3
    ! 3 logs
    ");
    lookback
        .run(&[
            "logs",
            "export",
            "--fields",
            "id,meta.ms",
            "--out",
            "ms.parquet",
        ])
        .succeeded();
    let file = std::fs::File::open(lookback.folder().join("ms.parquet")).unwrap();
    let reader = parquet::file::reader::SerializedFileReader::new(file).unwrap();
    let rows: Vec<String> = reader
        .into_iter()
        .map(|row| row.unwrap().to_string())
        .collect();
    assert_eq!(rows.len(), 3);
    assert!(
        rows[1].contains("meta.ms") && rows[1].contains("7.5"),
        "{rows:?}"
    );
}

/// Logs of three patterns.
async fn repeated() -> Lookback {
    let lookback = Lookback::new().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    let logs = (0..30).map(|at: u32| {
        let time = format!("2026-01-01T09:{at:02}:00Z").parse::<chrono::DateTime<chrono::Utc>>();
        let message = match at {
            29 => "login of admin failed: wrong password".to_owned(),
            _ if at.is_multiple_of(3) => format!("user {at} login failed"),
            _ => format!("job {at} took {} ms", at * 7),
        };
        NewLog::new("API", Level::Info, message).created_at(time.unwrap())
    });
    let logs: Vec<NewLog> = logs.collect();
    Log::records().create_many(pool, &logs).await.unwrap();
    lookback
}

#[tokio::test]
async fn copies_among_hits_are_one_row_unless_all_are_asked_for() {
    let lookback = repeated().await;
    transcript!(lookback.run(&["logs", "search", "user login failed"]), @"
$ lookback logs search user login failed
ID  TIME                  LEVEL  SOURCE  MESSAGE
28  2026-01-01T09:27:00Z  info   API     user 27 login failed
  10 times, from 2026-01-01T09:00:00Z to 2026-01-01T09:27:00Z
30  2026-01-01T09:29:00Z  info   API     login of admin failed: wrong password
! 2 of 2 patterns, of 11 logs; to list every one: --all
");
    transcript!(lookback.run(&["logs", "search", "user login failed", "--all", "--limit", "2"]), @"
$ lookback logs search user login failed --all --limit 2
ID  TIME                  LEVEL  SOURCE  MESSAGE
28  2026-01-01T09:27:00Z  info   API     user 27 login failed
25  2026-01-01T09:24:00Z  info   API     user 24 login failed
! 2 of 11 logs
");
    transcript!(lookback.run(&["logs", "similar", "2"]), @"
$ lookback logs similar 2
ID  TIME                  LEVEL  SOURCE  MESSAGE
29  2026-01-01T09:28:00Z  info   API     job 28 took 196 ms
  18 times, from 2026-01-01T09:02:00Z to 2026-01-01T09:28:00Z
  similarity 1.00
28  2026-01-01T09:27:00Z  info   API     user 27 login failed
  10 times, from 2026-01-01T09:00:00Z to 2026-01-01T09:27:00Z
  similarity 0.34
30  2026-01-01T09:29:00Z  info   API     login of admin failed: wrong password
  similarity 0.19
! 3 of 3 patterns, of 29 logs; to list every one: --all
");
    let page = lookback
        .run(&[
            "logs",
            "search",
            "user login failed",
            "--json",
            "--limit",
            "1",
        ])
        .json();
    assert_eq!(
        page["data"][0]["hit"]["copies"],
        json!({
            "count": 10,
            "count_is_exact": true,
            "first": "2026-01-01T09:00:00Z",
            "last": "2026-01-01T09:27:00Z",
        })
    );
    assert_eq!(page["metadata"]["rows"], 2);
    assert_eq!(page["metadata"]["total"], 11);
}

#[tokio::test]
async fn patterns_shows_counts_and_what_is_new() {
    let lookback = repeated().await;
    transcript!(lookback.run(&["logs", "patterns"]), @"
$ lookback logs patterns
COUNT  SHARE   ID  LEVEL  SOURCE  MESSAGE
19     63.3 %  29  info   API     job 28 took 196 ms
  from 2026-01-01T09:01:00Z to 2026-01-01T09:28:00Z
10     33.3 %  28  info   API     user 27 login failed
  from 2026-01-01T09:00:00Z to 2026-01-01T09:27:00Z
1      3.3 %   30  info   API     login of admin failed: wrong password
  at 2026-01-01T09:29:00Z
! 3 of 3 patterns, of 30 logs
");
    transcript!(lookback.run(&["logs", "patterns", "failed", "--new-since", "2026-01-01T09:20:00Z"]), @"
$ lookback logs patterns failed --new-since 2026-01-01T09:20:00Z
COUNT  SHARE  ID  LEVEL  SOURCE  MESSAGE
1      9.1 %  30  info   API     login of admin failed: wrong password
  at 2026-01-01T09:29:00Z
! 1 of 1 pattern, of 1 log
");
    transcript!(lookback.run(&["logs", "patterns", "created_at__lt=2026-01-01T09:05:00Z", "--limit", "1"]), @"
$ lookback logs patterns created_at__lt=2026-01-01T09:05:00Z --limit 1
COUNT  SHARE   ID  LEVEL  SOURCE  MESSAGE
3      60.0 %  5   info   API     job 4 took 28 ms
  from 2026-01-01T09:01:00Z to 2026-01-01T09:04:00Z
! 1 of 2 patterns, of 5 logs
");
    transcript!(lookback.run(&["logs", "patterns", "login", "failed"]), @r#"
$ lookback logs patterns login failed
! error: the words of a search are one argument
! hint: lookback logs patterns "login failed"
[exit code 2]
"#);
    transcript!(lookback.run(&["logs", "patterns", "--new-since", "lately"]), @"
$ lookback logs patterns --new-since lately
! error: new_since: `lately` is not a time: 2026-01-31T08:30:00Z or +01:00, 2026-01-31 (midnight UTC), -15m (ago) or +2h with s, m, h, d or w, now, today, yesterday, infinity, or seconds or milliseconds since 1970
[exit code 2]
");
    let page = lookback
        .run(&["logs", "patterns", "--json", "--limit", "1"])
        .json();
    assert_eq!(
        page["data"][0]["pattern"],
        json!({ "message": "job 0 took 0 ms", "source": "API", "level": "info" })
    );
    assert_eq!(page["data"][0]["count"], 19);
    assert_eq!(page["data"][0]["example"]["message"], "job 28 took 196 ms");
}
