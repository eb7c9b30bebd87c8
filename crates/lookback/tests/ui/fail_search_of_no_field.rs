use chrono::{DateTime, Utc};
use lookback::model;
use lookback::embedding::Embedding;
use lookback::value::Hidden;

#[model(table = "notes", search(titel, secret))]
struct Note {
    id: i64,
    title: String,
    secret: Hidden<String>,
    #[column(name = "__text")]
    text: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

fn main() {}
