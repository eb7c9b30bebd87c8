use chrono::{DateTime, Utc};
use lookback::{Log, RequestSnapshot, User, model};
use lookback::embedding::Embedding;
use lookback::value::Hidden;

#[model(table = "notes", search())]
pub struct Note {
    id: i64,
    tags: Vec<String>,
    flag: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

fn main() {
    let _ = RequestSnapshot::status_code().eq("abc");
    let _ = RequestSnapshot::status_code().like("5%");
    let _ = User::role().contains("a");
    let _ = Log::message().eq(5);
    let _ = Log::colour();
    let _ = Log::records().filter(RequestSnapshot::path().eq("/"));
    let _ = Log::message().array_contains(["a"]);
    let _ = Note::tags().array_contains([5]);
    let _ = Note::tags().contains("a");
    let _ = Note::flag().gt(true);
    let _ = Log::message().path("user.id");
    let _ = Log::id().between(1, "5");
}
