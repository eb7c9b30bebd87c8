//! Plans of common queries: an index serves each.
//!
//! A snapshot has the nodes and the indexes of a plan, not its costs.

use chrono::TimeDelta;
use lookback::query::{Bucket, count};
use lookback::value::ErrorRate;
use lookback::{
    Level, Log, Metric, NewLog, NewMetric, NewRequestSnapshot, NewUser, RequestSnapshot, User,
};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::time;

/// Enough that reading the whole table is not the cheapest plan.
const LINES: i64 = 60_000;

async fn fill(db: &testkit::Database) {
    let start = time("2026-01-01T00:00:00Z");
    let at = |n: i64| start + TimeDelta::seconds(n);
    let hex = |n: i64| format!("{n:032x}");
    let logs: Vec<NewLog> = (0..LINES)
        .map(|n| {
            let level = if n % 500 == 0 {
                Level::Error
            } else {
                Level::Info
            };
            let log = NewLog::new("API", level, format!("request {n} answered"));
            let log = log.created_at(at(n));
            if n % 2 == 0 {
                log.trace_id(hex(n))
            } else {
                log
            }
        })
        .collect();
    let requests: Vec<NewRequestSnapshot> = (0..LINES)
        .map(|n| {
            NewRequestSnapshot::new("GET", "/orders", at(n), "1", "test")
                .status_code(200)
                .user_id(format!("user {}", n % 3_000))
                .trace_id(hex(n))
                .created_at(at(n))
        })
        .collect();
    let metrics: Vec<NewMetric> = (0..LINES / 4)
        .map(|n| {
            let (from, of) = (start + TimeDelta::minutes(n / 10), n % 10);
            let rate = ErrorRate::of(0, 1);
            NewMetric::new(
                from,
                from + TimeDelta::minutes(1),
                format!("GET /{of}"),
                1,
                2,
                3,
                rate,
                1,
            )
        })
        .collect();
    let users: Vec<NewUser> = (0..2_000)
        .map(|n| NewUser::new(format!("{n}@x.org"), "hash"))
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    RequestSnapshot::records()
        .create_many(&db.pool, &requests)
        .await
        .unwrap();
    Metric::records()
        .create_many(&db.pool, &metrics)
        .await
        .unwrap();
    User::records().create_many(&db.pool, &users).await.unwrap();
    Log::records()
        .filter(Log::id().lte(50))
        .delete_all(&db.pool)
        .await
        .unwrap();
    sqlx::query("VACUUM ANALYZE")
        .execute(&db.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn common_queries_use_an_index() {
    let db = testkit::database_without_ranges().await;
    fill(&db).await;
    let start = time("2026-01-01T00:00:00Z");
    let middle = start + TimeDelta::seconds(LINES / 2);
    let mut output = String::new();
    macro_rules! plans {
        ($($what:literal: $query:expr;)+) => {$(
            let (outcome, plan) = testkit::plans::explain(&db, $query).await;
            outcome.unwrap();
            output.push_str(&format!("{}\n{plan}\n", $what));
        )+};
    }
    let newest = Log::records().without_total();
    let far = newest
        .clone()
        .limit(1)
        .offset(LINES as u64 / 2)
        .list(&db.pool)
        .await
        .unwrap();
    let far = newest.clone().after(far.next.unwrap());
    let ids = newest.clone().select(Log::id());
    plans! {
        "a record by its id": async |conn: &mut PgConnection| Log::records().get(conn, 777).await;
        "the newest page": async |conn: &mut PgConnection| ids.list(conn).await;
        "a page by cursor, far back": async |conn: &mut PgConnection| far.list(conn).await;
        "the newest of a level": async |conn: &mut PgConnection| newest.clone().filter(Log::level().eq("error")).list(conn).await;
        "records by id": async |conn: &mut PgConnection| newest.clone().filter(Log::id().is_in([7, 77, 777])).list(conn).await;
        "a minute of lines": async |conn: &mut PgConnection| {
            let minute = Log::created_at().gte(middle) & Log::created_at().lt(middle + TimeDelta::minutes(1));
            newest.clone().filter(minute).list(conn).await
        };
        "a minute of lines, counted by level": async |conn: &mut PgConnection| {
            let minute = Log::created_at().gte(middle) & Log::created_at().lt(middle + TimeDelta::minutes(1));
            Log::records().filter(minute).group_by(Log::level()).aggregate(conn, count()).await
        };
        "the lines of a trace": async |conn: &mut PgConnection| {
            newest.clone().filter(Log::trace_id().eq(&*format!("{:032x}", 1_000))).list(conn).await
        };
        "the requests of a user": async |conn: &mut PgConnection| {
            let requests = RequestSnapshot::records().without_total();
            requests.filter(RequestSnapshot::user_id().eq("user 7")).list(conn).await
        };
        "a minute of requests": async |conn: &mut PgConnection| {
            let minute = RequestSnapshot::timestamp().between(middle, middle + TimeDelta::minutes(1));
            RequestSnapshot::records().without_total().filter(minute).list(conn).await
        };
        "the windows of an endpoint": async |conn: &mut PgConnection| {
            let since = Metric::endpoint().eq("GET /7") & Metric::window_start().gte(start + TimeDelta::hours(20));
            Metric::records().without_total().filter(since).order_by(Metric::window_start().desc()).list(conn).await
        };
        "the last windows of all endpoints, by the hour": async |conn: &mut PgConnection| {
            let since = Metric::window_start().gte(start + TimeDelta::hours(23));
            let hours = Metric::window_start().bucket(Bucket::hours(1));
            Metric::records().filter(since).group_by(hours).aggregate(conn, Metric::traffic_count().sum()).await
        };
        "a user by e-mail": async |conn: &mut PgConnection| {
            User::records().upsert(conn, NewUser::new("7@X.org", "hash"), User::users_email_key()).await
        };
        "deleted records, to purge": async |conn: &mut PgConnection| Log::records().purge(conn, start).await;
        "a change by id": async |conn: &mut PgConnection| {
            Log::records().update(conn, 777, lookback::LogPatch::new().trace_id(None)).await
        };
    }
    insta::assert_snapshot!(output, @r"
    a record by its id
      Index Scan of logs_default_pkey, bounded

    the newest page
      Sort
        Nested Loop
          Result
          Limit
            Index Scan backward of logs_default_pkey

    a page by cursor, far back
      Sort
        Nested Loop
          Result
          Limit
            Index Scan backward of logs_default_pkey, bounded

    the newest of a level
      Sort
        Nested Loop
          Result
          Limit
            Index Scan backward of logs_default_pkey

    records by id
      Sort
        Nested Loop
          Result
          Limit
            Index Scan backward of logs_default_pkey, bounded

    a minute of lines
      Bitmap Heap Scan of logs_default
        Bitmap Index Scan of logs_default_created_at_expr_expr1_idx, bounded
      Sort
        Nested Loop
          Result
          Limit
            Sort
              Subquery Scan
                Bitmap Heap Scan of logs_default
                  Bitmap Index Scan of logs_default_created_at_expr_expr1_idx, bounded

    a minute of lines, counted by level
      Result
      Limit
        Sort
          Aggregate
            Sort
              Bitmap Heap Scan of logs_default
                Bitmap Index Scan of logs_default_created_at_expr_expr1_idx, bounded

    the lines of a trace
      Sort
        Nested Loop
          Result
          Limit
            Sort
              Index Scan of logs_default_trace_id_idx, bounded

    the requests of a user
      Sort
        Nested Loop
          Result
          Limit
            Sort
              Bitmap Heap Scan of request_snapshots_default
                Bitmap Index Scan of request_snapshots_default_user_id_id_idx, bounded

    a minute of requests
      Sort
        Nested Loop
          Result
          Limit
            Sort
              Bitmap Heap Scan of request_snapshots_default
                Bitmap Index Scan of request_snapshots_default_timestamp_created_at_idx, bounded

    the windows of an endpoint
      Sort
        Nested Loop
          Result
          Limit
            Incremental Sort
              Index Scan backward of metrics_window_start_idx, bounded

    the last windows of all endpoints, by the hour
      Limit
        Sort
          Aggregate
            Index Scan of metrics_window_start_idx, bounded

    a user by e-mail
      ModifyTable of users
        Result

    deleted records, to purge
      ModifyTable of logs
        Limit
          Index Scan of logs_default_deleted_at_idx, bounded
        Index Scan of logs_default_pkey, bounded

    a change by id
      ModifyTable of logs
        Index Scan of logs_default_pkey, bounded
    ");
}

/// Counts the generic and the custom plans that read the pages of a connection.
async fn plans_of_pages(conn: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as(
        "SELECT coalesce(sum(generic_plans), 0)::bigint, coalesce(sum(custom_plans), 0)::bigint \
         FROM pg_prepared_statements WHERE statement LIKE '%AS \\_\\_total%'",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn generic_plan_is_kept_if_best_for_all_values() {
    let db = testkit::database_without_ranges().await;
    fill(&db).await;
    let newest = Log::records().without_total();
    let mut cursors = Vec::new();
    for page in 1..=20 {
        let ends = newest.clone().limit(1).offset(page * 1_000);
        cursors.push(ends.list(&db.pool).await.unwrap().next.unwrap());
    }
    let levels = [vec!["error"], vec!["error", "info"], vec!["warn"]];
    let start = time("2026-01-01T00:00:00Z");

    // Without bound values the plan is generic from the first time on. This includes a filter
    // on levels, which are literals: common, rare and absent ones have plans of their own.
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    for _ in 0..10 {
        newest.list(&mut conn).await.unwrap();
        Log::records()
            .total_up_to(10)
            .list(&mut conn)
            .await
            .unwrap();
        for levels in &levels {
            let query = newest.clone().filter(Log::level().is_in(levels.clone()));
            query.list(&mut conn).await.unwrap();
        }
    }
    assert_eq!(plans_of_pages(&mut conn).await, (50, 0));
    // The same values in another order are the same statement.
    let reordered = newest
        .clone()
        .filter(Log::level().is_in(["info", "error", "info"]));
    reordered.list(&mut conn).await.unwrap();
    let statements: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE $1")
            .bind("%\"level\" IN (%")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(statements, 1);

    // PostgreSQL makes five custom plans before it keeps a generic one.
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    for cursor in &cursors {
        let after = newest.clone().after(cursor.clone());
        after.list(&mut conn).await.unwrap();
        let serious = Log::level().eq("error");
        after.filter(serious).list(&mut conn).await.unwrap();
    }
    assert_eq!(plans_of_pages(&mut conn).await, (30, 10));

    // Filters on a common value, a rare value and a time, and large offsets: the page size is
    // bound, so that a generic plan is expensive, and each size is the same statement.
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    for n in 0..10 {
        let hour = start + TimeDelta::hours(n);
        for filter in [
            Log::source().eq(["API", "nobody"][usize::try_from(n % 2).unwrap()]),
            Log::updated_at().gte(hour),
        ] {
            newest.clone().filter(filter).list(&mut conn).await.unwrap();
        }
        let offset = u64::try_from(n).unwrap() * 100 + 1;
        newest.clone().offset(offset).list(&mut conn).await.unwrap();
    }
    let bound: Vec<String> =
        sqlx::query_scalar("SELECT statement FROM pg_prepared_statements WHERE statement LIKE $1")
            .bind("%LIMIT $_ OFFSET $_)%")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    assert_eq!(bound.len(), 3, "{bound:#?}");
}
