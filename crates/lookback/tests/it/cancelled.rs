//! Dropped futures leave nothing behind in a pool or in the caller's transaction.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use lookback::{Filter, Level, Log, LogPatch, NewLog};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// An operation of more than one statement.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Update,
    UpdateAll,
    Search,
    SimilarTo,
    CreateMany,
    Stream,
}

const ALL: [Operation; 6] = [
    Operation::Update,
    Operation::UpdateAll,
    Operation::Search,
    Operation::SimilarTo,
    Operation::CreateMany,
    Operation::Stream,
];

impl Operation {
    async fn run(self, db: impl Into<lookback::Db<'_>>) -> Result<(), lookback::Error> {
        let logs = Log::records();
        match self {
            Self::Update => logs
                .update(db, 1, LogPatch::new().message("changed"))
                .await
                .map(drop),
            Self::UpdateAll => logs
                .filter(Filter::all())
                .update_all(db, LogPatch::new().source("changed"))
                .await
                .map(drop),
            Self::Search => logs.search("refused").hits(db).await.map(drop),
            Self::SimilarTo => logs.similar_to(1).list(db).await.map(drop),
            Self::CreateMany => logs.create_many(db, &[log("copied")]).await.map(drop),
            Self::Stream => {
                use futures_util::TryStreamExt as _;
                logs.stream(db).try_for_each(async |_| Ok(())).await
            }
        }
    }
}

fn log(message: &str) -> NewLog {
    NewLog::new("API", Level::Info, message)
}

async fn filled() -> testkit::Database {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = (0..300)
        .map(|n| log(&format!("connection {n} refused")))
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    db
}

async fn open_transactions(db: &testkit::Database) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
    )
    .fetch_one(&db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn dropped_future_leaves_no_transaction_in_pool() {
    let db = filled().await;
    for operation in ALL {
        for microseconds in (0..300).step_by(25).chain([1_000, 3_000]) {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .connect(&db.url)
                .await
                .unwrap();
            let short = Duration::from_micros(microseconds);
            let _ = tokio::time::timeout(short, operation.run(&pool)).await;
            let message = format!("{operation:?} after {microseconds}");
            let new = Log::records().create(&pool, log(&message)).await.unwrap();
            // Another connection sees the record: it was committed.
            let seen = Log::records().get(&db.pool, new.id).await;
            assert!(seen.is_ok(), "{message}");
            // A busy server notices a closed connection a little later.
            let deadline = Instant::now() + Duration::from_secs(120);
            while open_transactions(&db).await > 0 {
                assert!(Instant::now() < deadline, "{message}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            pool.close().await;
        }
    }
}

#[tokio::test]
async fn dropped_future_leaves_transaction_of_caller_usable() {
    let db = filled().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let exists = async |message: &str| {
        let query = Log::records().filter(Log::message().eq(message));
        query.exists(&db.pool).await.unwrap()
    };
    // A dropped COPY closes its connection, as documented.
    for operation in ALL
        .into_iter()
        .filter(|operation| !matches!(operation, Operation::CreateMany))
    {
        for commit in [true, false] {
            let (before, after) = (
                format!("before {operation:?}, {commit}"),
                format!("after {operation:?}, {commit}"),
            );
            let mut transaction = conn.begin().await.unwrap();
            Log::records()
                .create(&mut transaction, log(&before))
                .await
                .unwrap();
            let _ = operation.run(&mut transaction).now_or_never();
            let short = Duration::from_micros(400);
            let _ = tokio::time::timeout(short, operation.run(&mut transaction)).await;
            Log::records()
                .create(&mut transaction, log(&after))
                .await
                .unwrap();
            if commit {
                transaction.commit().await.unwrap();
            } else {
                transaction.rollback().await.unwrap();
            }
            assert_eq!(
                (exists(&before).await, exists(&after).await),
                (commit, commit),
                "{before}"
            );
        }
    }
}

#[tokio::test]
async fn failed_transaction_of_caller_stays_failed() {
    let db = filled().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    for operation in ALL {
        let mut transaction = conn.begin().await.unwrap();
        assert!(transaction.execute("SELECT 1 / 0").await.is_err());
        operation.run(&mut transaction).await.unwrap_err();
        let message = format!("after the failure of {operation:?}");
        let refused = Log::records().create(&mut transaction, log(&message)).await;
        assert!(refused.is_err(), "{message}");
        transaction.rollback().await.unwrap();
    }
    assert_eq!(Log::records().count(&db.pool).await.unwrap().value(), 300);
    // A connection outside a transaction works like one of a pool.
    for operation in ALL {
        operation.run(&mut conn).await.unwrap();
    }
    assert_eq!(
        Log::records().get(&db.pool, 1).await.unwrap().message,
        "changed"
    );
}
