use chrono::{DateTime, Utc};
use lookback::model;

#[model(table = "notes", search())]
struct Note {
    id: i64,
    created_at: DateTime<Utc>,
    deleted_at: Option<DateTime<Utc>>,
}

fn main() {}
