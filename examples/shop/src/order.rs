//! `orders`

use chrono::{DateTime, Utc};
use lookback::{ColumnEnum, Embedding, Hidden, model};

/// What a customer wants.
#[model(
    table = "orders",
    search(customer, note),
    constraint(
        "orders_product_id_fkey",
        "FOREIGN KEY (product_id) REFERENCES products",
        problem(product_id, "is not the id of a product")
    ),
    constraint(
        "orders_quantity_check",
        "CHECK (quantity > 0)",
        problem(quantity, "must be at least 1")
    ),
    index("orders_product_id_idx", "(product_id)"),
    index("orders_waiting_idx", "(customer) WHERE state = 'open'")
)]
pub struct Order {
    /// Primary key.
    pub id: i64,
    /// Who wants it.
    #[column(not_blank, max_bytes = 320)]
    pub customer: String,
    /// The product.
    pub product_id: i64,
    /// How many.
    #[column(default = 1)]
    pub quantity: i32,
    /// What the customer said about it.
    pub note: Option<String>,
    /// How far it is.
    #[column(default = OrderState::Open)]
    pub state: OrderState,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the record was deleted.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The vector of customer and note.
    pub embedding: Hidden<Option<Embedding>>,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ColumnEnum)]
#[column_enum(type = "order_state")]
pub enum OrderState {
    /// It waits.
    Open,
    /// It is on its way.
    Shipped,
}
