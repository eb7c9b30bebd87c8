//! A small shop: its models, its operations, and its HTTP interface.

use lookback::migrate::{Migrations, Models};
use sqlx::migrate::Migrator;

pub mod api;
mod counter;
pub mod gateway;
mod order;
mod product;

pub use counter::{
    best_sellers, catalogue, deliver, find, lighter_than, like, open_orders, place, reprice,
    ship_all, stock_shelves,
};
pub use order::{NewOrder, Order, OrderPatch, OrderState};
pub use product::{NewProduct, Product, ProductPatch};

/// The models, from which `cargo db generate` generates the migrations.
pub fn models() -> Models {
    Models::new().model::<Product>().model::<Order>()
}

/// The migrations, compiled into the program.
pub fn migrations() -> Migrations {
    static MIGRATOR: Migrator = sqlx::migrate!();
    Migrations::embedded(&MIGRATOR)
}
