use lookback::{Log, Metric, NewMetric, RequestSnapshot, User};
use lookback::query::{Bucket, count};

async fn wrong(pool: &sqlx::PgPool, window: NewMetric) {
    // Columns of another model.
    let _ = Log::records().select((Log::id(), User::email()));
    // What is worked out of many is not a column of one.
    let _ = Log::records().select(count());
    // A column that may be null is an Option.
    let _: Vec<String> = Log::records().select(Log::trace_id()).list(pool).await.unwrap().data;
    // There is no mean of text, no largest JSON, no stretch of time of a number.
    let _ = Log::message().avg();
    let _ = RequestSnapshot::body().max();
    let _ = RequestSnapshot::duration().bucket(Bucket::day());
    // A column alone is not worked out of many, and a count is no key.
    let _ = Log::records().group_by(Log::level()).aggregate(pool, Log::id()).await;
    let _ = Log::records().group_by(count());
    // A key of another model, and one that there is not.
    let _ = Metric::records().upsert(pool, window.clone(), User::users_email_key()).await;
    let _ = Metric::records().upsert(pool, window, Metric::metrics_endpoint_key()).await;
    // The order and the hidden column of another model.
    let _ = Log::records().order_by(User::email().asc());
    let _ = Log::records().with_hidden(User::password_hash());
}

fn main() {}
