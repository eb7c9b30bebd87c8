//! `products`

use chrono::{DateTime, Utc};
use lookback::embedding::Embedding;
use lookback::value::Hidden;
use lookback::{Json, model};

/// A product of the shop.
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
    /// The name, unique regardless of case.
    #[column(not_blank, max_bytes = 200)]
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The price, in cents.
    #[column(range(1, 100_000_000))]
    pub price: i64,
    /// Tags, such as its section in the shop.
    #[column(default = Vec::new())]
    pub tags: Vec<String>,
    /// Further properties.
    pub details: Option<Json>,
    /// The time of creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
    /// The time of deletion.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The embedding of name and description.
    pub embedding: Hidden<Option<Embedding>>,
}
