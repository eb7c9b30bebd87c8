use chrono::{DateTime, Utc};
use lookback::model;
use lookback::embedding::Embedding;
use lookback::value::Hidden;

#[model(table = "notes", search())]
struct Note {
    id: i64,
    age: std::net::SocketAddr,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

fn main() {}
