use chrono::{DateTime, Utc};
use lookback::model;
use lookback::embedding::Embedding;
use lookback::value::{Hidden, Opaque};

#[model(
    table = "sales.orders",
    search(words, note),
    constraint("orders_total_check", "CHECK (totl >= 0"),
    constraint("orders_note_check", "CHECK (noet <> '' AND total IS NOT NULL)"),
    constraint("orders_note_key", "UNIQUE (nte)", problem(nte, "is taken")),
    constraint("orders_old", total, "is wrong"),
    index("orders_note_key", "USING gin (note, words) WHERE deletd_at IS NULL"),
    index("orders_idx", "(note"),
    index("", "(note)"),
    partition("orders_2026", "VALUES FROM (1) TO (2)"),
    open_partitions,
    comment = 5,
    table = "again",
)]
struct Order {
    id: i64,
    #[column(type = "money", comment = "euro")]
    total: String,
    #[column(type = "varchar(10")]
    note: String,
    #[column(stored = "to_tsvector(noet)")]
    words: Opaque,
    #[column(type = "tsvector", max_bytes = 10)]
    other: Opaque,
    #[column(sql_default = "1", serial, name = "note")]
    number: i64,
    #[column(identity = "sometimes")]
    count: i64,
    #[column(identity = "always", default = 5)]
    many: Option<i64>,
    #[column]
    records: bool,
    created_at: DateTime<Utc>,
    #[column(sql_default = "now()")]
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

fn main() {}
