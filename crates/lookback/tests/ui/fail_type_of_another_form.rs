use chrono::{DateTime, Utc};
use lookback::model;
use lookback::embedding::Embedding;
use lookback::value::Hidden;

#[model(table = "notes", search())]
struct Note {
    id: i64,
    #[column(type = "varchar(10)")]
    count: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

fn main() {}
