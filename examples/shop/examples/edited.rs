//! `cargo db` of the shop after the edit in the guide (docs/guide/migrations.md): an order has a
//! buyer and a channel.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use lookback::embedding::Embedding;
use lookback::migrate::Models;
use lookback::model;
use lookback::value::Hidden;
use shop::{OrderState, Product};

/// An order of a customer.
#[model(
    table = "orders",
    search(buyer, note),
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
    index("orders_waiting_idx", "(buyer) WHERE state = 'open'")
)]
pub struct Order {
    /// Primary key.
    pub id: i64,
    /// Who wants it.
    #[column(not_blank, max_bytes = 320)]
    pub buyer: String,
    /// Where the order came from.
    pub channel: String,
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
    /// The embedding of buyer and note.
    pub embedding: Hidden<Option<Embedding>>,
}

fn main() -> ExitCode {
    lookback_cli::db(Models::new().model::<Product>().model::<Order>())
}
