//! `products`

use chrono::{DateTime, Utc};
use lookback::{Embedding, Hidden, Json, model};

/// What the shop sells.
#[model(
    table = "products",
    search(name, description),
    index(
        "products_name_key",
        "UNIQUE (lower(name)) WHERE deleted_at IS NULL",
        problem(name, "is the name of another product")
    ),
    index("products_tags_idx", "USING gin (tags)")
)]
pub struct Product {
    /// Primary key.
    pub id: i64,
    /// What it is called; unique, whatever the case.
    #[column(not_blank, max_bytes = 200)]
    pub name: String,
    /// What it is like.
    pub description: Option<String>,
    /// What one of them costs, in cents.
    #[column(range(1, 100_000_000))]
    pub price: i64,
    /// Where it stands in the shop.
    #[column(default = Vec::new())]
    pub tags: Vec<String>,
    /// What else is to be said about it.
    pub details: Option<Json>,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of name and description.
    pub embedding: Hidden<Option<Embedding>>,
}
