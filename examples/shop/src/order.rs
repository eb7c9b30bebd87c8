//! `orders`

use chrono::{DateTime, Utc};
use lookback::embedding::Embedding;
use lookback::value::Hidden;
use lookback::{ColumnEnum, model};

/// An order of a customer.
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
    /// The customer.
    #[column(not_blank, max_bytes = 320)]
    pub customer: String,
    /// The product.
    pub product_id: i64,
    /// The quantity.
    #[column(default = 1)]
    pub quantity: i32,
    /// A note of the customer.
    pub note: Option<String>,
    /// The state of the order.
    #[column(default = OrderState::Open)]
    pub state: OrderState,
    /// The time of creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
    /// The time of deletion.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// The embedding of customer and note.
    pub embedding: Hidden<Option<Embedding>>,
}

/// The state of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ColumnEnum)]
#[column_enum(type = "order_state")]
pub enum OrderState {
    /// It is waiting.
    Open,
    /// It has been sent.
    Shipped,
}
