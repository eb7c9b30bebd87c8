use lookback::{Log, Metric, NewMetric, RequestSnapshot, User};
use lookback::query::{Bucket, count};

async fn wrong(pool: &sqlx::PgPool, window: NewMetric) {
    // Columns of another model.
    let _ = Log::records().select((Log::id(), User::email()));
    // An aggregate is not a column of a record.
    let _ = Log::records().select(count());
    // A column that may be null is an Option.
    let _: Vec<String> = Log::records().select(Log::trace_id()).list(pool).await.unwrap().data;
    // Text has no average, JSON has no maximum, and a number has no time buckets.
    let _ = Log::message().avg();
    let _ = RequestSnapshot::body().max();
    let _ = RequestSnapshot::duration().bucket(Bucket::day());
    // A column alone is not an aggregate, and a count is not a key of a group.
    let _ = Log::records().group_by(Log::level()).aggregate(pool, Log::id()).await;
    let _ = Log::records().group_by(count());
    // A unique key of another model, and one that does not exist.
    let _ = Metric::records().upsert(pool, window.clone(), User::users_email_key()).await;
    let _ = Metric::records().upsert(pool, window, Metric::metrics_endpoint_key()).await;
    // The order and the hidden column of another model.
    let _ = Log::records().order_by(User::email().asc());
    let _ = Log::records().with_hidden(User::password_hash());
}

fn main() {}
