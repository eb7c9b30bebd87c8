//! `stats`, `purge`, chosen fields and pages by cursor.

use chrono::{DateTime, TimeDelta, Utc};
use lookback::{Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot};

use crate::support::{Lookback, transcript};

async fn shop() -> Lookback {
    let lookback = Lookback::new().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    let start: DateTime<Utc> = "2026-01-01T09:00:00Z".parse().unwrap();
    let requests: Vec<NewRequestSnapshot> = (0..9)
        .map(|n| {
            let path = ["/orders", "/orders", "/carts"][n % 3];
            let at = start + TimeDelta::minutes(20 * n as i64);
            let new = NewRequestSnapshot::new("GET", path, at, "1", "test");
            match n {
                8 => new,
                _ => new.duration(10 * n as i32 + 1).status_code(200),
            }
        })
        .collect();
    let logs: Vec<NewLog> = (0..7)
        .map(|n| {
            let level = [Level::Info, Level::Error][n % 2];
            let at = start + TimeDelta::seconds(n as i64);
            NewLog::new("API", level, format!("line {n}")).created_at(at)
        })
        .collect();
    RequestSnapshot::records()
        .create_many(pool, &requests)
        .await
        .unwrap();
    Log::records().create_many(pool, &logs).await.unwrap();
    lookback
}

#[tokio::test]
async fn stats_computes_measures_by_group() {
    let lookback = shop().await;
    transcript!(lookback.run(&["requests", "stats"]), @r#"
$ lookback requests stats
COUNT
9
"#);
    transcript!(lookback.run(&["requests", "stats", "count", "duration__p95", "duration__avg", "--by", "path", "--top", "1"]), @r#"
$ lookback requests stats count duration__p95 duration__avg --by path --top 1
PATH     COUNT  DURATION__P95  DURATION__AVG
/orders  6      68.5           36
! 1 group
"#);
    transcript!(lookback.run(&["requests", "stats", "count", "duration__max", "status_code__isnull=false", "--by", "timestamp__1h,path"]), @r#"
$ lookback requests stats count duration__max status_code__isnull=false --by timestamp__1h,path
TIMESTAMP__1H         PATH     COUNT  DURATION__MAX
2026-01-01T09:00:00Z  /carts   1      21
2026-01-01T09:00:00Z  /orders  2      11
2026-01-01T10:00:00Z  /carts   1      51
2026-01-01T10:00:00Z  /orders  2      41
2026-01-01T11:00:00Z  /orders  2      71
! 5 groups
"#);
    transcript!(lookback.run(&["requests", "stats", "duration__sum", "--by", "status_code", "--json"]), @r#"
$ lookback requests stats duration__sum --by status_code --json
{"data":[{"by":{"status_code":200},"of":{"duration__sum":288.0}},{"by":{"status_code":null},"of":{"duration__sum":null}}]}
"#);
    transcript!(lookback.run(&["logs", "stats", "--by", "level"]), @r#"
$ lookback logs stats --by level
LEVEL  COUNT
info   4
error  3
! 2 groups
"#);
    transcript!(lookback.run(&["logs", "stats", "level=warn", "--by", "source"]), @r#"
$ lookback logs stats level=warn --by source
SOURCE  COUNT
! no logs found
"#);
    transcript!(lookback.run(&["logs", "stats", "message__avg"]), @r#"
$ lookback logs stats message__avg
! error: message__avg: avg is not an aggregate of text (it has distinct, min, max)
[exit code 2]
"#);
    transcript!(lookback.run(&["logs", "stats", "--by", "created_at__5x"]), @r#"
$ lookback logs stats --by created_at__5x
! error: created_at__5x: `5x` is not a length such as 30s, 5m, 1h or 7d, or day, week, month, quarter or year
[exit code 2]
"#);
    transcript!(lookback.run(&["logs", "stats", "levl=warn"]), @r#"
$ lookback logs stats levl=warn
! error: levl: is not a field of logs; did you mean level?
[exit code 2]
"#);
    transcript!(lookback.run(&["logs", "stats", "--top", "3"]), @r#"
$ lookback logs stats --top 3
! error: the following required arguments were not provided:
!   --by <FIELD,…>
! 
! Usage: lookback logs stats --by <FIELD,…> --top <GROUPS> [MEASURE|FILTER]...
! 
! For more information, try '--help'.
[exit code 2]
"#);
}

#[tokio::test]
async fn list_selects_fields_and_continues_by_cursor() {
    let lookback = shop().await;
    transcript!(lookback.run(&["requests", "list", "--fields", "id,path,duration,status_code", "--limit", "2", "--order-by", "-duration__nullsfirst"]), @r#"
$ lookback requests list --fields id,path,duration,status_code --limit 2 --order-by -duration__nullsfirst
ID  PATH     DURATION  STATUS_CODE
9   /carts   -         -
8   /orders  71        200
! 2 of 9 requests
"#);
    transcript!(lookback.run(&["logs", "list", "--fields", "id,deleted_at", "--limit", "1", "--json"]), @r#"
$ lookback logs list --fields id,deleted_at --limit 1 --json
{"data":[{"deleted_at":null,"id":7}],"metadata":{"limit":1,"next":"WzEsImxvZ3MiLCItaWQiLFtbN11dXQ","offset":0,"previous":null,"total":7,"total_is_exact":true}}
"#);
    transcript!(lookback.run(&["logs", "list", "--fields", "id,embedding"]), @r#"
$ lookback logs list --fields id,embedding
! error: embedding: is not a field of logs, which has id, source, level, message, meta, trace_id, created_at, updated_at, deleted_at
[exit code 2]
"#);
    transcript!(lookback.run(&["logs", "list", "--limit", "3", "--after", "WzEsImxvZ3MiLCItaWQiLFtbNF1dXQ"]), @r#"
$ lookback logs list --limit 3 --after WzEsImxvZ3MiLCItaWQiLFtbNF1dXQ
ID  TIME                  LEVEL  SOURCE  MESSAGE
3   2026-01-01T09:00:02Z  info   API     line 2
2   2026-01-01T09:00:01Z  error  API     line 1
1   2026-01-01T09:00:00Z  info   API     line 0
! 3 of 7 logs
"#);
    transcript!(lookback.run(&["logs", "list", "--limit", "3", "--before", "WzEsImxvZ3MiLCItaWQiLFtbNF1dXQ"]), @r#"
$ lookback logs list --limit 3 --before WzEsImxvZ3MiLCItaWQiLFtbNF1dXQ
ID  TIME                  LEVEL  SOURCE  MESSAGE
7   2026-01-01T09:00:06Z  info   API     line 6
6   2026-01-01T09:00:05Z  error  API     line 5
5   2026-01-01T09:00:04Z  info   API     line 4
! 3 of 7 logs
"#);
    transcript!(lookback.run(&["logs", "list", "--limit", "3", "--before", "next"]), @r#"
$ lookback logs list --limit 3 --before next
! error: before: is not a cursor; give one that a page of this list came with
[exit code 2]
"#);
}

#[tokio::test]
async fn purge_deletes_only_records_deleted_before_age() {
    let lookback = shop().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    // On any day of a test run the first are older than 30,000 days, and the others are not.
    sqlx::query(
        "UPDATE logs SET deleted_at = \
         CASE WHEN id <= 3 THEN '1900-01-01Z' ELSE '2020-01-01Z' END::timestamptz",
    )
    .execute(pool)
    .await
    .unwrap();
    transcript!(lookback.run(&["logs", "purge", "--older-than", "30000d", "level=error"]), @r#"
$ lookback logs purge --older-than 30000d level=error
! purged 1 log
"#);
    transcript!(lookback.run(&["logs", "purge", "--older-than", "30000d", "--json"]), @r#"
$ lookback logs purge --older-than 30000d --json
{"purged":2}
"#);
    transcript!(lookback.run(&["logs", "purge", "--older-than", "30000d"]), @r#"
$ lookback logs purge --older-than 30000d
! no logs to purge
"#);
    transcript!(lookback.run(&["logs", "purge", "--older-than", "soon"]), @r#"
$ lookback logs purge --older-than soon
! error: --older-than: expected a time such as 90m, 12h or 30d, got `soon`
[exit code 2]
"#);
    transcript!(lookback.run(&["logs", "purge"]), @r#"
$ lookback logs purge
! error: the following required arguments were not provided:
!   --older-than <TIME>
! 
! Usage: lookback logs purge --older-than <TIME> [FILTER]...
! 
! For more information, try '--help'.
[exit code 2]
"#);
    transcript!(lookback.run(&["logs", "purge", "--older-than", "0s"]), @r#"
$ lookback logs purge --older-than 0s
! purged 4 logs
"#);
}
