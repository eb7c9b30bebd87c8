use chrono::{DateTime, Utc};
use lookback::model;
use lookback::embedding::Embedding;
use lookback::value::Hidden;

#[model(table = "a_name_of_which_postgresql_would_cut_off_whatever_is_after_sixty_three_bytes", search())]
struct Note {
    id: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

fn main() {}
